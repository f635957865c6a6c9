"""Dense heads on latents, from labels to a set that can be saved."""

from __future__ import annotations

import json

import numpy as np
import pytest

from napari_cellsci.errors import BundleError, InputError
from napari_cellsci.heads.dense import DenseConfig, train_dense
from napari_cellsci.heads.headset import HeadSet
from napari_cellsci.tasks import Cancelled, CancelToken, Done, Step

QUICK = DenseConfig(models=3, min_steps=150, epochs=1)


def latents(
    n: int = 120, n_classes: int = 2, seed: int = 0
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return latents whose classes are Gaussian clouds, and tracks of three cells."""
    rng = np.random.default_rng(seed)
    group = np.arange(n) // 3
    y = (group % n_classes).astype(np.int64)
    centre = 4 * np.eye(n_classes, 10)[y]
    z = centre[:, None] + rng.normal(size=(n, 8, 10))
    return z.astype(np.float32), y, group


@pytest.fixture(scope="module")
def trained() -> HeadSet:
    return train_dense(*latents(), QUICK)


def test_separable_classes_are_learned(trained: HeadSet) -> None:
    assert trained.report.balanced_accuracy > 0.95
    assert trained.report.n_cells == 120
    assert trained.report.n_tracks == 40
    z, y, _ = latents(seed=1)
    scores = trained.scores(z)
    assert scores.shape == (3, 120, 1)
    assert scores.dtype == np.float32
    assert np.mean(trained.decide(scores.mean(0)) == y) > 0.95


def test_of_several_views_the_first_is_scored(trained: HeadSet) -> None:
    z, _, _ = latents(seed=2)
    assert np.array_equal(trained.scores(z), trained.scores(z[:, 0]))


def test_probability_rises_with_the_score(trained: HeadSet) -> None:
    p = trained.probability(np.linspace(-8, 8, 33)[:, None])
    assert np.all(np.diff(p) > 0)
    assert 0 < p[0] < 0.2
    assert 0.8 < p[-1] < 1


def test_the_same_seed_gives_the_same_heads(trained: HeadSet) -> None:
    again = train_dense(*latents(), QUICK)
    z, _, _ = latents(seed=3)
    assert np.array_equal(trained.scores(z), again.scores(z))
    assert again.report == trained.report
    other = train_dense(*latents(), DenseConfig(models=3, min_steps=150, seed=1))
    assert not np.array_equal(trained.scores(z), other.scores(z))


def test_a_set_survives_being_written_and_read(trained: HeadSet) -> None:
    meta = json.loads(json.dumps(trained.meta()))
    again = HeadSet.from_state(meta, trained.state_dict())
    z, _, _ = latents(seed=4)
    assert np.array_equal(trained.scores(z), again.scores(z))
    assert again.report == trained.report
    assert again.calibration == trained.calibration
    assert again.n_members == 3


def test_damaged_sets_are_refused(trained: HeadSet) -> None:
    state = trained.state_dict()
    with pytest.raises(BundleError, match="cannot be read"):
        HeadSet.from_state(trained.meta(), {})
    short = {"parameters": state["parameters"][:, :-1]}
    with pytest.raises(BundleError, match="do not fit"):
        HeadSet.from_state(trained.meta(), short)
    with pytest.raises(BundleError, match="cannot be read"):
        HeadSet.from_state({**trained.meta(), "input": "sounds"}, state)


def test_one_member_can_be_picked(trained: HeadSet) -> None:
    z, _, _ = latents(seed=5)
    assert np.allclose(trained.select(1).scores(z)[0], trained.scores(z)[1], atol=1e-5)
    with pytest.raises(InputError, match="no head 3"):
        trained.select(3)


def test_three_classes_have_three_outputs() -> None:
    z, y, group = latents(n_classes=3)
    heads = train_dense(z, y, group, QUICK, 3)
    assert heads.n_outputs == 3
    mean = heads.scores(z).mean(0)
    assert np.mean(heads.decide(mean) == y) > 0.9
    assert np.allclose(heads.probabilities(mean).sum(1), 1)
    assert heads.probability(mean).min() >= 1 / 3
    assert len(heads.report.confusion) == 3


def test_four_labels_suffice() -> None:
    z, _, _ = latents(4)
    y, group = np.array([0, 0, 1, 1]), np.arange(4)
    heads = train_dense(z, y, group, DenseConfig(models=2, min_steps=20))
    assert heads.report.n_cells == 4
    assert np.isfinite(heads.probability(heads.scores(z).mean(0))).all()


def test_the_rare_class_counts_as_much() -> None:
    rng = np.random.default_rng(6)
    y = (np.arange(200) % 20 == 0).astype(np.int64)
    z = rng.normal(size=(200, 1, 4)).astype(np.float32)
    z[:, 0, 0] += 2 * y
    config = DenseConfig(models=2, min_steps=300, epochs=1, folds=2)
    fair = train_dense(z, y, np.arange(200), config)
    assert fair.report.classes[1].recall >= 0.6


def test_one_split_when_asked() -> None:
    heads = train_dense(
        *latents(), DenseConfig(models=2, min_steps=50, epochs=1, folds=1, test=0.2)
    )
    assert heads.report.method.startswith("One split by track")
    assert 20 <= heads.report.n_cells <= 28


def test_budget_in_steps() -> None:
    assert DenseConfig().steps(150) == 1000
    # 8,021 cells, 90% of them for training: the paper's 113 steps an epoch.
    assert DenseConfig().steps(7219) == 11_300


def test_events_and_cancelling() -> None:
    seen: list[object] = []
    train_dense(*latents(30), DenseConfig(models=1, min_steps=60), on_event=seen.append)
    steps = [event for event in seen if isinstance(event, Step)]
    assert [steps[0].step, steps[-1].step, steps[-1].total] == [1, 100, 100]
    assert isinstance(seen[-1], Done)
    token = CancelToken()
    token.cancel()
    with pytest.raises(Cancelled):
        train_dense(*latents(30), QUICK, token=token)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_latents_must_be_finite(value: float) -> None:
    z, y, group = latents(30)
    z[3, 2, 1] = value
    with pytest.raises(InputError, match="not finite"):
        train_dense(z, y, group, QUICK)


def test_other_latents_are_refused(trained: HeadSet) -> None:
    with pytest.raises(InputError, match="read 10 latents"):
        trained.scores(np.zeros((3, 32), np.float32))


def test_settings_out_of_range_are_refused() -> None:
    with pytest.raises(InputError, match="at least one head"):
        DenseConfig(models=0)
    with pytest.raises(InputError, match="dropout"):
        DenseConfig(dropout=1.0)


def test_one_class_is_refused_by_name() -> None:
    z, _, group = latents(30)
    with pytest.raises(InputError, match="labelled metaphase"):
        train_dense(
            z,
            np.zeros(30, np.int64),
            group,
            class_names=["interphase", "metaphase"],
        )
