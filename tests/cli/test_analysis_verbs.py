"""The verbs about codes and channels, on cells of two channels."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import Result

from napari_cellsci.project import Project

Run = Callable[..., Result]
Ask = Callable[..., dict[str, Any]]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Cells of two channels in 24 tracks, half of them large, all labelled."""
    rng = np.random.default_rng(0)
    yy, xx = np.mgrid[:96, :144]
    movie = rng.normal(100, 2, (2, 2, 96, 144))
    tracks = []
    for track in range(24):
        y, x = 12 + 24 * (track // 6), 12 + 24 * (track % 6)
        blob = np.exp(-((yy - y) ** 2 + (xx - x) ** 2) / (12 + 30 * (track % 2)))
        movie += 80 * blob
        tracks += [[track + 1, t, y, x] for t in (0, 1)]
    folder = tmp_path_factory.mktemp("verbs") / "p"
    with Project.create(
        folder,
        image=movie.astype(np.float32),
        tracks=np.array(tracks, float),
        axes="TCYX",
        fov_px=16,
        size=16,
        channels=(0, 1),
        classes=("small", "large"),
    ) as project:
        for remainder, name in enumerate(("small", "large")):
            rows = np.flatnonzero(project.cells["track_id"] % 2 != remainder)
            project.labels.set_many(rows, name)
        small = {"latent": 3, "filters": (2, 2, 4, 4), "hidden": 8, "device": "cpu"}
        project.train_encoder("quick", steps=3, batch=16, name="both", **small)
        project.train_encoder("quick", steps=4, batch=16, name="again", **small)
    return folder


@pytest.fixture
def project(made: Path, tmp_path: Path) -> Path:
    shutil.copytree(made, tmp_path / "p")
    return tmp_path / "p"


def test_a_probe_is_told_and_drawn(run: Run, ask: Ask, project: Path) -> None:
    figure = project / "probe.svg"
    told = ask("probe", project, "--folds", 2, "-o", figure)
    assert told["encoder"] == "again"
    assert told["chance"] == 0.5
    assert np.array(told["mlp"]["confusion"]).sum() == 48
    assert figure.stat().st_size > 1000
    done = run("probe", project, "--folds", 2, "--encoder", "both")
    assert "an MLP probe tells 2 classes apart" in done.stdout
    assert "Labels (rows)" in done.stdout


def test_two_codes_are_compared(run: Run, ask: Ask, project: Path) -> None:
    two = ("--encoder", "both", "--encoder", "again")
    told = ask("shared-information", project, *two, "-o", project / "shared.png")
    assert told["encoders"] == ["both", "again"]
    assert np.array(told["pairs"]).ndim == 2
    assert (project / "shared.png").is_file()
    assert "nats" in run("shared-information", project, *two).stdout


def test_a_channel_is_predicted_and_drawn(ask: Ask, project: Path) -> None:
    told = ask(
        *("predict-channel", project, "--from", 0, "--to", 1, "--steps", 4),
        *("--folds", 2, "-o", project / "predicted.png"),
    )
    assert (told["from"], told["to"], told["column"]) == (0, 1, "residual_0_1")
    assert (project / "predicted.png").is_file()
    with Project.open(project) as opened:
        assert "residual_0_1" in opened.cells


def test_trouble_is_one_sentence(run: Run, project: Path) -> None:
    asked: list[tuple[tuple[Any, ...], str]] = [
        (("probe", project, "--encoder", "other"), "There is no encoder 'other'"),
        (("probe", project, "-o", "probe.txt"), "not '.txt'"),
        (("ablate", project, "--systems", "gan"), "There is no system 'gan'"),
        (("shared-information", project, "--encoder", "both"), "--encoder twice"),
        (("shared-information", project), "No encoder of channel 0 alone"),
        (("predict-channel", project, "--from", 0, "--to", 7), "no channel 7"),
    ]
    for arguments, sentence in asked:
        done = run(*arguments, code=2)
        assert sentence in " ".join(done.stderr.split())
        assert len(done.stderr.strip().splitlines()) == 1
