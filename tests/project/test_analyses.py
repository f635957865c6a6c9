"""Probes, ablation, shared information and predicted channels of a small project."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from napari_cellsci.errors import InputError
from napari_cellsci.figures.probing import save_probe
from napari_cellsci.project import Project

TINY: dict[str, Any] = {
    "steps": 4,
    "batch": 16,
    "latent": 4,
    "filters": (2, 2, 4, 4),
    "hidden": 8,
    "device": "cpu",
}
TRACKS, FRAMES = 24, 3


def two_channels() -> tuple[np.ndarray, np.ndarray]:
    """Tracks of two kinds of cells: small or large in both channels, with noise."""
    rng = np.random.default_rng(0)
    yy, xx = np.mgrid[:96, :144]
    movie = rng.normal(100, 2, (FRAMES, 2, 96, 144))
    tracks = []
    for track in range(TRACKS):
        y, x = 12 + 24 * (track // 6), 12 + 24 * (track % 6)
        radius = 2.5 + 3 * (track % 2)
        for t in range(FRAMES):
            blob = np.exp(-((yy - y) ** 2 + (xx - x) ** 2) / (2 * radius**2))
            movie[t, 0] += 80 * blob
            movie[t, 1] += 40 * blob**2
            tracks.append([track + 1, t, y, x])
    return movie.astype(np.float32), np.array(tracks, float)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Labelled cells of two channels, and a tiny encoder of both."""
    folder = tmp_path_factory.mktemp("analyses") / "project"
    movie, tracks = two_channels()
    with Project.create(
        folder,
        image=movie,
        tracks=tracks,
        axes="TCYX",
        fov_px=16,
        size=16,
        channels=(0, 1),
        classes=("small", "large"),
    ) as project:
        large = project.cells["track_id"].to_numpy() % 2 == 0
        project.labels.set_many(np.flatnonzero(large), "large")
        project.labels.set_many(np.flatnonzero(~large), "small")
        project.train_encoder("quick", name="both", **TINY)
    return folder


@pytest.fixture
def project(made: Path, tmp_path: Path) -> Iterator[Project]:
    shutil.copytree(made, tmp_path / "project")
    with Project.open(tmp_path / "project") as opened:
        yield opened


def test_a_probe_tells_the_classes_in_words_and_numbers(
    project: Project, tmp_path: Path
) -> None:
    found = project.probe(epochs=20, folds=3, learning_rate=1e-2)
    assert found.classes == ("small", "large")
    assert found.counts == {"small": 36, "large": 36}
    assert found.n_groups == TRACKS
    assert found.confusion.sum() == 72
    assert list(found.table.index) == ["MLP probe", "linear probe", "chance"]
    assert found.table.loc["chance", "balanced_accuracy"] == 0.5
    assert f"{found.mlp.balanced_accuracy:.1%}" in found.sentence
    assert found.to_dict()["mlp"]["confusion"] == found.confusion.tolist()
    save_probe(tmp_path / "probe.png", found)
    with Image.open(tmp_path / "probe.png") as picture:
        assert picture.width > 600
    with pytest.raises(InputError, match=r"not '\.txt'"):
        save_probe(tmp_path / "probe.txt", found)


def test_what_cannot_be_probed_is_said_in_a_sentence(project: Project) -> None:
    with pytest.raises(InputError, match="no encoder 'other'"):
        project.probe("other")
    with pytest.raises(InputError, match="no class 'round'"):
        project.probe(classes=["small", "round"])
    with pytest.raises(InputError, match="one was named"):
        project.probe(classes=["small"])
    project.labels.clear_many(range(len(project)))
    with pytest.raises(InputError, match="there are none"):
        project.probe()
