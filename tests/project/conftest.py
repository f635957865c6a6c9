"""A tiny simulated movie, a project of it, and a project with trained models."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from napari_cellsci.cells.simulator import SimulationConfig, simulate
from napari_cellsci.project import Project

SMALL: dict[str, Any] = {
    "steps": 12,
    "batch": 32,
    "latent": 6,
    "filters": (4, 4, 8, 8),
    "hidden": 16,
    "device": "cpu",
}
"""An encoder that trains in a second."""


@pytest.fixture(scope="session")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """movie.tif, tracks.csv, labels.tif and truth.csv of 8 frames of 160 px."""
    folder = tmp_path_factory.mktemp("simulated")
    simulate(SimulationConfig(frames=8, cells=14, size=160, seed=1)).save(folder)
    return folder


@pytest.fixture(scope="session")
def made(simulated: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project of the simulated movie, labelled with the truth."""
    folder = tmp_path_factory.mktemp("made") / "project"
    with Project.create(
        folder, image=simulated / "movie.tif", tracks=simulated / "tracks.csv"
    ) as project:
        project.labels.import_csv(simulated / "truth.csv")
    return folder


@pytest.fixture(scope="session")
def trained(made: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same with an encoder and a bundle of each scheme."""
    folder = tmp_path_factory.mktemp("trained") / "project"
    shutil.copytree(made, folder)
    with Project.open(folder) as project:
        project.train_head(
            1, models=2, steps=5, epochs=1, batch=16, folds=2, name="alone"
        )
        project.train_encoder("quick", **SMALL)
        project.train_head(2, models=3, min_steps=60, epochs=1)
        project.train_head(1, models=2, steps=5, epochs=1, batch=16, folds=2)
    return folder


def _opened(source: Path, tmp_path: Path) -> Iterator[Project]:
    shutil.copytree(source, tmp_path / "project")
    with Project.open(tmp_path / "project") as project:
        yield project


@pytest.fixture
def project(made: Path, tmp_path: Path) -> Iterator[Project]:
    """A labelled project of one's own."""
    yield from _opened(made, tmp_path)


@pytest.fixture
def ready(trained: Path, tmp_path: Path) -> Iterator[Project]:
    """A project with models of one's own."""
    yield from _opened(trained, tmp_path)
