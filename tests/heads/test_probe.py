from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score, confusion_matrix
from sklearn.model_selection import GroupKFold
from sklearn.neural_network import MLPClassifier

from napari_cellsci.errors import InputError
from napari_cellsci.heads.evaluate import balanced_accuracy
from napari_cellsci.heads.probe import ProbeConfig, Probed, difference, probe
from napari_cellsci.tasks import Cancelled, CancelToken

N = 300
BRISK = ProbeConfig(epochs=60, learning_rate=3e-3)


@pytest.fixture(scope="module")
def ring() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A code that tells three classes by the distance from its middle, not linearly."""
    rng = np.random.default_rng(0)
    y = rng.integers(0, 3, N)
    angle = rng.uniform(0, 2 * np.pi, N)
    radius = 1 + y + 0.25 * rng.normal(size=N)
    z = np.stack([radius * np.cos(angle), radius * np.sin(angle)], 1)
    z = np.concatenate([z, 1e-3 * rng.normal(size=(N, 3))], 1)
    return z.astype(np.float32), y, np.arange(N) // 4


@pytest.fixture(scope="module")
def found(ring: tuple[np.ndarray, np.ndarray, np.ndarray]) -> Probed:
    return probe(*ring, 3, BRISK)


def _sklearn(model: object, ring: tuple[np.ndarray, ...]) -> float:
    z, y, groups = ring
    predicted = np.zeros_like(y)
    for train, test in GroupKFold(5).split(z, y, groups):
        predicted[test] = model.fit(z[train], y[train]).predict(z[test])  # type: ignore[attr-defined]
    return float(balanced_accuracy_score(y, predicted))


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_probes_agree_with_those_of_sklearn(
    ring: tuple[np.ndarray, np.ndarray, np.ndarray], found: Probed
) -> None:
    mlp = MLPClassifier((128, 64), learning_rate_init=3e-3, max_iter=60)
    linear = LogisticRegression(class_weight="balanced")
    assert found.mlp.balanced_accuracy == pytest.approx(_sklearn(mlp, ring), abs=0.05)
    assert found.linear.balanced_accuracy == pytest.approx(
        _sklearn(linear, ring), abs=0.05
    )
    assert found.mlp.interval[0] > 0.85 > 0.5 > found.linear.interval[1]


def test_what_is_said_of_predictions_follows_from_them(
    ring: tuple[np.ndarray, np.ndarray, np.ndarray], found: Probed
) -> None:
    _, y, _ = ring
    for one in (found.mlp, found.linear):
        np.testing.assert_array_equal(one.confusion, confusion_matrix(y, one.predicted))
        assert one.balanced_accuracy == pytest.approx(
            balanced_accuracy_score(y, one.predicted)
        )
        assert one.interval[0] <= one.balanced_accuracy <= one.interval[1]
        np.testing.assert_allclose(one.recall.mean(), one.balanced_accuracy)


def test_groups_are_not_learned_by_heart(
    ring: tuple[np.ndarray, np.ndarray, np.ndarray],
) -> None:
    """Each group has a place of its own and one class: only other groups could tell."""
    rng = np.random.default_rng(1)
    groups = np.repeat(np.arange(60), 4)
    y = np.arange(60)[groups] % 2
    z = rng.normal(size=(60, 6))[groups] + 0.01 * rng.normal(size=(240, 6))
    found = probe(z, y, groups, 2, ProbeConfig(epochs=20))
    assert found.mlp.interval[0] < 0.55


def test_the_same_seed_gives_the_same_probe(
    ring: tuple[np.ndarray, np.ndarray, np.ndarray],
) -> None:
    config = ProbeConfig(epochs=3, folds=2)
    first, second = (probe(*ring, 3, config) for _ in range(2))
    np.testing.assert_array_equal(first.mlp.predicted, second.mlp.predicted)


def test_differences_are_paired() -> None:
    rng = np.random.default_rng(2)
    y = rng.integers(0, 3, 600)
    groups = np.arange(600) // 3
    hard = rng.random(200)[groups] < 0.3
    worse = np.where(hard, (y + 1) % 3, y)
    better = np.where(hard & (rng.random(600) < 0.8), (y + 1) % 3, y)
    gain, (low, high) = difference(y, better, worse, groups)
    assert gain == pytest.approx(
        balanced_accuracy(y, better) - balanced_accuracy(y, worse)
    )
    assert 0 < low <= gain <= high
    assert high - low < 0.06  # the hard groups are hard for both
    none, interval = difference(y, worse, worse, groups)
    assert none == 0
    assert interval == (0, 0)


def test_what_cannot_be_probed_is_refused() -> None:
    z, groups = np.zeros((6, 2)), np.arange(6)
    with pytest.raises(InputError, match="are labelled round"):
        probe(z, np.zeros(6, int), groups, 2, class_names=["flat", "round"])
    with pytest.raises(InputError, match="5 codes"):
        probe(z[:5], np.arange(6) % 2, groups, 2)
    with pytest.raises(InputError, match="two parts"):
        ProbeConfig(folds=1)
    token = CancelToken()
    token.cancel()
    with pytest.raises(Cancelled):
        probe(z, np.arange(6) % 2, groups, 2, token=token)
