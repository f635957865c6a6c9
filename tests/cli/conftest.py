"""The command run in this process, and in another one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from napari_cellsci.cells.simulator import SimulationConfig, simulate
from napari_cellsci.cli.app import app
from napari_cellsci.project import Project

Run = Callable[..., Result]


@pytest.fixture(scope="session")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """movie.tif, tracks.csv, labels.tif and truth.csv of 8 frames of 160 px."""
    folder = tmp_path_factory.mktemp("sample")
    simulate(SimulationConfig(frames=8, cells=14, size=160, seed=1)).save(folder)
    return folder


@pytest.fixture(scope="session")
def bundle(sample: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small classifier, as another project or the package may hold it."""
    folder = tmp_path_factory.mktemp("bundle")
    with Project.create(
        folder / "p", image=sample / "movie.tif", tracks=sample / "tracks.csv"
    ) as project:
        project.labels.import_csv(sample / "truth.csv")
        project.train_encoder(
            "quick", steps=8, batch=32, latent=4, filters=(4, 4, 8, 8), hidden=16
        )
        project.train_head(2, models=2, min_steps=40, epochs=1, name="small")
    return folder / "p" / "models" / "small"


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run `cellsci` with some arguments; a code other than `code` fails."""
    monkeypatch.setenv("OMP_NUM_THREADS", "1")

    def call(*arguments: object, code: int = 0) -> Result:
        done = CliRunner().invoke(app, [str(argument) for argument in arguments])
        assert done.exit_code == code, f"{done.output}\n{done.exception!r}"
        return done

    return call


@pytest.fixture
def ask(run: Run) -> Callable[..., dict[str, Any]]:
    """Run `cellsci … --json` and return the object it prints."""

    def call(*arguments: object, code: int = 0) -> dict[str, Any]:
        values = json.loads(run(*arguments, "--json", code=code).stdout)
        assert isinstance(values, dict)
        return values

    return call


@pytest.fixture
def start() -> Callable[..., subprocess.Popen[str]]:
    """Start `cellsci` as a process of its own."""

    def call(*arguments: object, **options: Any) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "napari_cellsci.cli", *map(str, arguments)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
            **options,
        )

    return call
