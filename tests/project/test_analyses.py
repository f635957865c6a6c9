"""Probes, ablation, shared information and predicted channels of a small project."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from napari_cellsci.errors import InputError
from napari_cellsci.figures.channels import (
    choose_cells,
    save_ablation,
    save_prediction,
    save_shared,
)
from napari_cellsci.figures.probing import save_probe
from napari_cellsci.heads.probe import ProbeConfig
from napari_cellsci.project import Project, ablation
from napari_cellsci.representation.config import EncoderConfig
from napari_cellsci.tasks import Cancelled, CancelToken, Event, Log

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


def test_a_project_of_one_channel_is_told_what_is_missing(mitosis: Project) -> None:
    with pytest.raises(InputError, match="have one channel, so that there is none"):
        mitosis.ablate()
    with pytest.raises(InputError, match="takes two"):
        mitosis.predict_channel(0, 1)
    with pytest.raises(InputError, match="no two channels"):
        mitosis.shared_information()
    with pytest.raises(InputError, match="No channel was predicted"):
        mitosis.channel_prediction()
    with pytest.raises(InputError, match="no channel 'red'"):
        mitosis.predict_channel("red", 1)


BUDGET: dict[str, Any] = {
    "systems": ("cnn", "tcvae"),
    "steps": 4,
    "cnn_steps": 4,
    "cnn_epochs": 1,
    "folds": 2,
}


def test_an_ablation_goes_on_where_it_was_stopped(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    def tiny(config: ablation.AblationConfig, kind: str) -> EncoderConfig:
        return EncoderConfig.preset("quick", **TINY)

    monkeypatch.setattr(ablation.AblationConfig, "encoder", tiny)
    monkeypatch.setattr(ablation, "ProbeConfig", partial(ProbeConfig, epochs=3))
    token, heard = CancelToken(), []

    def stop_at_the_third(event: Event) -> None:
        heard.append(event)
        if isinstance(event, Log) and event.message.startswith("3 of 6"):
            token.cancel()

    with pytest.raises(Cancelled):
        project.ablate(on_event=stop_at_the_third, token=token, **BUDGET)
    found = project.ablate(**BUDGET)
    assert [entry.kept for entry in found.entries] == [True] * 2 + [False] * 4
    again = project.ablate(**BUDGET)
    assert all(entry.kept for entry in again.entries)
    pd.testing.assert_frame_equal(again.table, found.table)
    other = project.ablate(**{**BUDGET, "systems": ("cnn",), "cnn_steps": 5})
    assert not any(entry.kept for entry in other.entries)  # of another budget
    _check_table(found)
    _check_encoders(project)
    save_ablation(project.path / "ablation.png", found)


def _check_table(found: ablation.Ablation) -> None:
    assert list(found.channel_names.values()) == [
        "channel 0",
        "channel 1",
        "all channels",
    ]
    assert len(found.table) == 6
    assert (found.table["low"] <= found.table["balanced_accuracy"]).all()
    about = [claim.about for claim in found.claims]
    assert about == ["channels"] * 4 + ["systems"] * 3
    for claim in found.claims:
        low, high = claim.interval
        expected = "found" if low > 0 else "the reverse" if high < 0 else "open"
        assert claim.verdict == expected
    assert "All channels together beat one alone in" in found.sentence
    assert "CNN > β-TCVAE + probe" in found.sentence


def _check_encoders(project: Project) -> None:
    """Those of single channels can be used by name, and are never the newest."""
    names = [info.name for info in project.encoders]
    assert names[-1] == "both"
    assert names[0] == "tcvae-ch0-1"
    assert project.encoder().spec.n_channels == 2
    assert project.latents("tcvae-ch1-1").shape == (72, 4)
    shared = project.shared_information()
    assert shared.channels == ((0,), (1,))
    assert shared.encoders == ("tcvae-ch0-1", "tcvae-ch1-1")
    assert shared.found.pairs.shape == tuple(map(len, shared.labels))
    assert shared.table["nats"].is_monotonic_decreasing
    assert "nats" in shared.sentence
    save_shared(project.path / "shared.png", shared)


def test_without_encoders_of_single_channels_nothing_is_compared(
    project: Project,
) -> None:
    with pytest.raises(InputError, match="No encoder of channel 0 alone"):
        project.shared_information()
    with pytest.raises(InputError, match="no system 'gan'"):
        project.ablate(systems=["cnn", "gan"])


def test_a_predicted_channel_stays_with_the_project(
    project: Project, tmp_path: Path
) -> None:
    found = project.predict_channel(0, "1", steps=15, folds=2, batch=16)
    assert found.name == "channel-0-to-1"
    assert found.column == "residual_0_1"
    np.testing.assert_allclose(project.cells["residual_0_1"], found.residual)
    assert np.isfinite(found.residual).all()
    assert set(found.member) == {0, 1}
    assert list(found.table.index) == ["mean image", "linear", "U-Net"]
    assert "of the pixels' variance in channel 1" in found.sentence
    with Project.open(project.path) as later:
        assert later.channel_models == ["channel-0-to-1"]
        kept = later.channel_prediction()
        np.testing.assert_array_equal(kept.residual, found.residual)
        rows = choose_cells(found.residual, 3)
        predicted, seen = later.predicted_pictures(kept, rows)
        assert predicted.shape == seen.shape == (3, 16, 16)
        share = ((seen - predicted) ** 2).mean((1, 2))
        np.testing.assert_allclose(
            share / share[0], found.residual[rows] / found.residual[rows[0]], rtol=1e-3
        )
        source = later.crops()[rows][:, 0]
        save_prediction(tmp_path / "p.png", kept, rows, source, predicted, seen)
    with Image.open(tmp_path / "p.png") as picture:
        assert picture.height > 500
    with pytest.raises(InputError, match="is taken"):
        project.predict_channel(0, 1, name="channel-0-to-1", steps=1)
