"""Fixtures shared by every room."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Folder of real microscopy data, named by ``CELLSCI_DATA``."""
    folder = os.environ.get("CELLSCI_DATA")
    if not folder:
        pytest.skip("CELLSCI_DATA is not set: no real data to test on")
    return Path(folder)


@pytest.fixture(scope="session")
def mitosis_files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """movie.tif, tracks.csv, labels.tif and truth.csv of 8 frames of 160 px."""
    from napari_cellsci.cells.simulator import SimulationConfig, simulate

    folder = tmp_path_factory.mktemp("mitosis")
    simulate(SimulationConfig(frames=8, cells=14, size=160, seed=1)).save(folder)
    return folder


@pytest.fixture(scope="session")
def mitosis_folder(
    mitosis_files: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A project of the simulated movie with tracked masks."""
    from napari_cellsci.project import Project

    folder = tmp_path_factory.mktemp("made") / "mitosis"
    Project.create(
        folder, image=mitosis_files / "movie.tif", tracks=mitosis_files / "labels.tif"
    ).close()
    return folder


@pytest.fixture
def mitosis(mitosis_folder: Path, tmp_path: Path) -> Iterator[Any]:
    """A project of one's own with 8 frames and no labels."""
    from napari_cellsci.project import Project

    shutil.copytree(mitosis_folder, tmp_path / "mitosis")
    with Project.open(tmp_path / "mitosis") as project:
        yield project


@pytest.fixture
def known_scores(mitosis_files: Path) -> Callable[[Any], Any]:
    """Make scores of a project whose sign tells the true class, cell by cell."""
    import numpy as np
    import pandas as pd

    from napari_cellsci.project import Scores

    def make(project: Any) -> Any:
        truth = pd.read_csv(mitosis_files / "truth.csv").set_index(["track_id", "t"])
        cells = project.cells
        names = truth["class"].reindex(zip(cells["track_id"], cells["t"], strict=True))
        middle = names.map({"interphase": -3.0, "metaphase": 3.0}).fillna(0.5)
        score = middle.to_numpy() + np.linspace(-0.4, 0.4, len(cells))
        table = cells[["movie", "track_id", "t", "y", "x"]].assign(
            score=score,
            score_sd=0.5,
            probability=1 / (1 + np.exp(-score)),
            prediction=np.where(score >= 0, "metaphase", "interphase"),
            ood=np.where(np.arange(len(cells)) % 17 == 0, 0.99, 0.1),
        )
        return Scores(table, "known", "0" * 12, tuple(project.classes))

    return make
