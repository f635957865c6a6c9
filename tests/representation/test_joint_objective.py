"""Labels that shape the latents while the encoder is trained."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn

from napari_cellsci.cells.spec import CropSpec
from napari_cellsci.errors import InputError
from napari_cellsci.representation.config import EncoderConfig
from napari_cellsci.representation.encoder import Encoder
from napari_cellsci.representation.networks import new_network
from napari_cellsci.representation.train import train_encoder
from napari_cellsci.tasks import Cancelled, CancelToken, Event, Step

Crops = NDArray[np.uint16]


@pytest.fixture(scope="module")
def labels(crops: Crops) -> NDArray[np.int64]:
    """Large or small, of two crops in three."""
    bright = (crops.astype(float) > crops.mean()).sum((1, 2, 3))
    large = (bright > np.median(bright)).astype(np.int64)
    large[::3] = -1
    return large


def settings(small: dict[str, Any], **asked: Any) -> EncoderConfig:
    return EncoderConfig(**{**small, "steps": 200, "learning_rate": 1e-2, **asked})


def separation(encoder: Encoder, crops: Crops, labels: NDArray[np.int64]) -> float:
    """Distance of two classes along the best direction, in standard deviations."""
    z = encoder.encode(crops).astype(float)
    one, other = z[labels == 0], z[labels == 1]
    within = np.cov(one.T) + np.cov(other.T) + 1e-6 * np.eye(z.shape[1])
    difference = one.mean(0) - other.mean(0)
    return float(np.sqrt(2 * difference @ np.linalg.solve(within, difference)))


@pytest.mark.parametrize("hidden", [0, 8])
def test_labels_part_the_classes_and_leave_an_ordinary_encoder(
    crops: Crops,
    spec: CropSpec,
    small: dict[str, Any],
    labels: NDArray[np.int64],
    hidden: int,
    tmp_path: Path,
) -> None:
    losses: list[float] = []

    def listen(event: Event) -> None:
        if isinstance(event, Step):
            losses.append(event.metrics["label_loss"])

    config = settings(small, label_weight=50.0, label_hidden=hidden)
    joint = train_encoder(crops, spec, config, labels=labels, on_event=listen)
    alone = train_encoder(crops, spec, settings(small))
    assert losses[0] == pytest.approx(np.log(2), abs=0.3)
    assert np.mean(losses[-20:]) < 0.7 * losses[0]
    told = separation(joint, crops, labels)
    assert told > 1.5 * separation(alone, crops, labels)
    assert joint.record["n_labels"] == (labels >= 0).sum()
    joint.save(tmp_path)
    assert Encoder.load(tmp_path).hash == joint.hash
    assert joint.network.label_head is None


def test_without_a_weight_labels_change_nothing(
    crops: Crops, spec: CropSpec, small: dict[str, Any], labels: NDArray[np.int64]
) -> None:
    config = EncoderConfig(**small)
    with_labels = train_encoder(crops, spec, config, labels=labels)
    assert with_labels.hash == train_encoder(crops, spec, config).hash
    assert with_labels.record["n_labels"] is None


def test_the_other_weights_start_as_without_a_label_head() -> None:
    config = EncoderConfig(seed=3)
    plain, joint = new_network(config, 1, 32), new_network(config, 1, 32, classes=3)
    assert isinstance(joint.label_head, nn.Linear)
    weights = joint.state_dict()
    for name, tensor in plain.state_dict().items():
        assert torch.equal(weights[name], tensor)


def test_it_resumes_exactly_and_only_with_the_same_labels(
    crops: Crops,
    spec: CropSpec,
    small: dict[str, Any],
    labels: NDArray[np.int64],
    tmp_path: Path,
) -> None:
    config = EncoderConfig(**{**small, "label_weight": 5.0, "weight_decay": 0.1})
    whole = train_encoder(crops, spec, config, labels=labels)
    token = CancelToken()

    def stop(event: Event) -> None:
        if isinstance(event, Step) and event.step == 7:
            token.cancel()

    with pytest.raises(Cancelled):
        train_encoder(
            crops,
            spec,
            config,
            labels=labels,
            run_dir=tmp_path,
            on_event=stop,
            token=token,
        )
    again: dict[str, Any] = {"run_dir": tmp_path, "resume": True}
    with pytest.raises(InputError, match="other labels"):
        train_encoder(crops, spec, config, labels=labels[::-1], **again)
    resumed = train_encoder(crops, spec, config, labels=labels, **again)
    assert resumed.hash == whole.hash


def test_it_may_start_from_an_encoder(
    crops: Crops, spec: CropSpec, small: dict[str, Any], labels: NDArray[np.int64]
) -> None:
    start = train_encoder(crops, spec, EncoderConfig(**small))
    config = EncoderConfig(**{**small, "label_weight": 1.0})
    made = train_encoder(crops, spec, config, labels=labels, start_from=start)
    assert made.record["started_from"] == start.hash


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (None, "none were given"),
        (np.zeros(95, int), "One whole number per crop"),
        (np.zeros(96), "One whole number per crop"),
        (np.zeros(96, int), "at least two classes"),
        (np.r_[-1, np.zeros(95, int)], "at least two classes"),
        (np.r_[-2, 1, np.zeros(94, int)], "at least two classes"),
    ],
)
def test_labels_that_cannot_be_used_are_refused(
    crops: Crops, spec: CropSpec, small: dict[str, Any], given: Any, words: str
) -> None:
    config = EncoderConfig(**{**small, "label_weight": 1.0})
    with pytest.raises(InputError, match=words):
        train_encoder(crops, spec, config, labels=given)
