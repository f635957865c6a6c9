"""CNNs on crops: the published sizes, and learning from raw pixels of any camera."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from torch import nn

from napari_cellsci.cells.spec import CropSpec
from napari_cellsci.errors import BundleError, InputError
from napari_cellsci.heads.cnn import CNNConfig, train_cnn
from napari_cellsci.heads.cnn_network import CropNet, Dropout
from napari_cellsci.heads.headset import HeadSet
from napari_cellsci.tasks import Cancelled, CancelToken, Done, Step

SMALL = CropSpec(size=16, fov_px=16)
QUICK = CNNConfig(models=2, steps=40, epochs=1, batch=16, folds=2)


def crops(n: int = 48, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return discs (0) and bars (1) at any angle on a camera with an offset."""
    rng = np.random.default_rng(seed)
    group = np.arange(n) // 2
    y = (group % 2).astype(np.int64)
    yy, xx = np.mgrid[-7.5:8.5, -7.5:8.5]
    images = np.empty((n, 1, 16, 16))
    for i, angle in enumerate(rng.uniform(0, np.pi, n)):
        u = xx * np.cos(angle) + yy * np.sin(angle)
        v = -xx * np.sin(angle) + yy * np.cos(angle)
        a, b = (6, 2) if y[i] else (4, 4)
        images[i, 0] = 33_000 + 2000 * ((u / a) ** 2 + (v / b) ** 2 < 1)
    images += rng.normal(scale=100, size=images.shape)
    return images.astype(np.uint16), y, group


@pytest.fixture(scope="module")
def trained() -> HeadSet:
    x, y, group = crops()
    return train_cnn(x, SMALL, y, group, QUICK)


def test_parameter_count_of_the_published_network() -> None:
    network = CropNet(1, 64, 1)
    plain = sum(
        p.numel()
        for module in network.modules()
        if isinstance(module, nn.Conv2d | nn.Linear)
        for p in module.parameters()
    )
    # Convolutions, FC 256, FC 256, FC 32 and the head of 32-16-16-16-1.
    assert plain == 43_256 + 262_400 + 65_792 + 8_224 + 1_089


def test_the_pooled_network_has_the_layers_of_the_thesis() -> None:
    network = CropNet(2, 64, 6, network="pooled")
    sizes = [tuple(p.shape) for p in network.parameters() if p.ndim > 1]
    assert sizes == [
        (16, 2, 3, 3),
        (32, 16, 3, 3),
        (64, 32, 3, 3),
        (512, 64 * 8 * 8),
        (6, 512),
    ]
    norms = [
        m for m in network.modules() if isinstance(m, nn.modules.batchnorm._NormBase)
    ]
    assert [norm.num_features for norm in norms] == [16, 32, 64, 512]


def test_the_pooled_network_learns_is_kept_and_attacked_as_the_other() -> None:
    x, y, group = crops()
    config = CNNConfig(
        models=2, steps=30, epochs=1, batch=16, folds=2, network="pooled"
    )
    heads = train_cnn(x, SMALL, y, group, config)
    assert heads.report.balanced_accuracy > 0.9
    again = HeadSet.from_state(json.loads(json.dumps(heads.meta())), heads.state_dict())
    np.testing.assert_array_equal(again.scores(x), heads.scores(x))
    pixels = torch.randn(3, 1, 16, 16, requires_grad=True)
    heads.members.outputs(pixels).sum().backward()
    assert pixels.grad is not None
    assert pixels.grad.abs().sum() > 0


def test_more_classes_are_trained_for_longer_unless_steps_are_given() -> None:
    assert CNNConfig().total_steps(100) == 200
    assert CNNConfig().total_steps(100, 8) == 560
    assert CNNConfig(steps=50).total_steps(100, 8) == 50
    assert CNNConfig().total_steps(64_000) == 10_000


def test_an_unknown_network_is_refused() -> None:
    with pytest.raises(InputError, match="strided, pooled"):
        CNNConfig(network="deep")  # type: ignore[arg-type]


def test_discs_and_bars_are_told_apart(trained: HeadSet) -> None:
    assert trained.scheme == 1
    assert trained.input == "crops"
    assert trained.report.n_cells == 48
    x, y, _ = crops(seed=1)
    scores = trained.scores(x)
    assert scores.shape == (2, 48, 1)
    assert np.mean(trained.decide(scores.mean(0)) == y) > 0.9


def test_each_cnn_is_judged_on_tracks_it_has_not_seen() -> None:
    x, y, group = crops(12)
    report = train_cnn(
        x, SMALL, y, group, CNNConfig(models=1, steps=2, epochs=1, folds=3)
    ).report
    assert 0 < report.n_cells < 12


def test_the_same_seed_gives_the_same_cnns(trained: HeadSet) -> None:
    x, y, group = crops()
    torch.manual_seed(99)
    torch.rand(7)
    again = train_cnn(x, SMALL, y, group, QUICK)
    assert np.array_equal(trained.scores(x), again.scores(x))


def test_a_set_survives_being_written_and_read(trained: HeadSet) -> None:
    x, _, _ = crops(seed=2)
    meta = json.loads(json.dumps(trained.meta()))
    again = HeadSet.from_state(meta, trained.state_dict())
    assert np.array_equal(trained.scores(x), again.scores(x))
    assert np.array_equal(again.select(1).scores(x)[0], trained.scores(x)[1])
    broken = trained.state_dict()
    del broken["1.head.0.weight"]
    with pytest.raises(BundleError, match="cannot be read"):
        HeadSet.from_state(meta, broken)


def test_scores_do_not_depend_on_the_batch(trained: HeadSet) -> None:
    x, _, _ = crops(seed=3)
    alone = np.concatenate([trained.scores(x[i : i + 1]) for i in range(5)], axis=1)
    assert np.allclose(alone, trained.scores(x)[:, :5], atol=1e-4)


def test_crops_of_another_shape_are_refused(trained: HeadSet) -> None:
    with pytest.raises(InputError, match="are expected"):
        trained.scores(np.zeros((2, 1, 32, 32), np.uint16))


def test_three_classes_and_two_channels() -> None:
    x, y, group = crops(30)
    both = np.concatenate([x, x[:, :, ::-1]], 1)
    y = (group % 3).astype(np.int64)
    heads = train_cnn(
        both,
        CropSpec(size=16, fov_px=16, channels=(0, 1)),
        y,
        group,
        CNNConfig(models=1, steps=3, epochs=1, batch=8, folds=2),
        3,
    )
    assert heads.scores(both).shape == (1, 30, 3)


def test_events_and_cancelling() -> None:
    x, y, group = crops(12)
    seen: list[object] = []
    config = CNNConfig(models=2, steps=12, epochs=1, batch=8, folds=2)
    train_cnn(x, SMALL, y, group, config, on_event=seen.append)
    steps = [event for event in seen if isinstance(event, Step)]
    assert [event.step for event in steps if event.metrics] == [10, 12, 22, 24]
    assert {event.total for event in steps} == {24}
    assert isinstance(seen[-1], Done)
    token = CancelToken()
    token.cancel()
    with pytest.raises(Cancelled):
        train_cnn(x, SMALL, y, group, config, token=token)


def test_dropout_silences_its_share_in_training_only() -> None:
    layer = Dropout(0.3)
    x = torch.ones(100, 100)
    dropped = layer(x)
    assert float((dropped == 0).float().mean()) == pytest.approx(0.3, abs=0.02)
    assert float(dropped.mean()) == pytest.approx(1, abs=0.03)
    assert torch.equal(layer.eval()(x), x)


def test_labels_and_crops_must_match() -> None:
    x, y, group = crops(12)
    with pytest.raises(InputError, match="12 labels came with 11 crops"):
        train_cnn(x[:11], SMALL, y, group, QUICK)
