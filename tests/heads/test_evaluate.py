"""Measures against scikit-learn, intervals against what they promise."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize
from scipy.special import expit
from sklearn.metrics import balanced_accuracy_score, confusion_matrix

from napari_cellsci.errors import InputError
from napari_cellsci.heads.calibrate import (
    Calibration,
    cross_fitted_error,
    fit_calibration,
)
from napari_cellsci.heads.evaluate import (
    HeldOut,
    accuracy,
    accuracy_of,
    balanced_accuracy,
    balanced_accuracy_of,
    bootstrap_interval,
    confusion,
    expected_calibration_error,
    held_out_report,
)

Cells = list[tuple[int, int, int]]
cells = st.lists(
    st.tuples(st.integers(0, 2), st.integers(0, 2), st.integers(0, 9)),
    min_size=1,
    max_size=60,
)


def columns(rows: Cells) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    y, predicted, group = (np.array(c, np.int64) for c in zip(*rows, strict=True))
    return y, predicted, group


@settings(deadline=None)
@given(cells)
def test_confusion_counts_every_cell(rows: Cells) -> None:
    y, predicted, _ = columns(rows)
    matrix = confusion(y, predicted, 3)
    assert matrix.sum() == len(y)
    assert np.array_equal(matrix.sum(1), np.bincount(y, minlength=3))
    assert np.array_equal(matrix, confusion_matrix(y, predicted, labels=[0, 1, 2]))
    assert np.trace(matrix) / len(y) == pytest.approx(accuracy(y, predicted))


def test_balanced_accuracy_is_that_of_scikit_learn() -> None:
    rng = np.random.default_rng(0)
    y, predicted = rng.integers(0, 3, 50), rng.integers(0, 3, 50)
    expected = balanced_accuracy_score(y, predicted)
    assert balanced_accuracy(y, predicted) == pytest.approx(expected)


@settings(deadline=None, max_examples=50)
@given(cells, st.sampled_from([accuracy_of, balanced_accuracy_of]))
def test_the_interval_contains_the_point_estimate(rows: Cells, metric: object) -> None:
    y, predicted, group = columns(rows)
    low, high = bootstrap_interval(y, predicted, group, metric, draws=100)
    point = float(metric(confusion(y, predicted, 3).astype(float)))
    assert 0 <= low <= point <= high <= 1


def test_the_interval_knows_that_cells_of_a_track_go_together() -> None:
    rng = np.random.default_rng(1)
    group = np.repeat(np.arange(20), 10)
    right = np.repeat(rng.random(20) < 0.8, 10).astype(np.int64)
    ones = np.ones_like(right)
    by_track = bootstrap_interval(ones, right, group)
    by_cell = bootstrap_interval(ones, right, np.arange(200))
    assert np.diff(by_track) > 2 * np.diff(by_cell)
    # Independent cells: the normal approximation of a proportion.
    p = right.mean()
    half = 1.96 * np.sqrt(p * (1 - p) / 200)
    assert by_cell == pytest.approx((p - half, p + half), abs=0.01)


def test_no_error_in_few_tracks_is_not_certainty() -> None:
    ones = np.ones(30, np.int64)
    low, high = bootstrap_interval(ones, ones, np.arange(30) % 10)
    assert high == 1
    # Clopper & Pearson for ten of ten.
    assert low == pytest.approx(0.6915, abs=1e-4)


def test_nothing_held_out_is_refused() -> None:
    none = np.empty(0, np.int64)
    with pytest.raises(InputError, match="No held-out cells"):
        bootstrap_interval(none, none, none)


def test_calibration_error_by_hand() -> None:
    p = np.array([[0.1, 0.9], [0.1, 0.9], [0.35, 0.65], [0.65, 0.35]])
    y = np.array([1, 0, 1, 0])
    # Bin 0.9: two cells, half right: gap 0.4. Bin 0.6: two cells, both right: 0.35.
    assert expected_calibration_error(p, y) == pytest.approx((2 * 0.4 + 2 * 0.35) / 4)


def test_platt_is_the_maximum_of_its_likelihood() -> None:
    rng = np.random.default_rng(2)
    f = rng.normal(size=300) * 5
    y = (rng.random(300) < expit(0.7 * f - 1)).astype(np.int64)
    positive, negative = y.sum(), (1 - y).sum()
    target = np.where(y == 1, (positive + 1) / (positive + 2), 1 / (negative + 2))

    def loss(theta: np.ndarray) -> float:
        z = theta[0] * f + theta[1]
        return float(np.sum(np.logaddexp(0, z) - target * z))

    best = minimize(loss, [1.0, 0.0], tol=1e-12).x
    fitted = fit_calibration(f[:, None], y)
    assert (fitted.a, fitted.b) == pytest.approx(tuple(best), rel=1e-4)
    assert fitted.a == pytest.approx(0.7, abs=0.2)


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e4])
def test_separable_scores_of_any_size_are_calibrated(scale: float) -> None:
    f = np.concatenate([-np.ones(40), np.ones(5)])[:, None] * scale
    y = np.repeat([0, 1], [40, 5])
    p = fit_calibration(f, y).probabilities(f)
    assert np.isfinite(p).all()
    assert np.allclose(p.sum(1), 1)
    assert p[-1, 1] == pytest.approx(6 / 7, abs=1e-3)
    assert p[0, 1] == pytest.approx(1 / 42, abs=1e-3)


def test_scores_that_mislead_never_turn_the_probability_round() -> None:
    f = np.linspace(-3, 3, 50)[:, None]
    p = fit_calibration(f, (f[:, 0] < 0).astype(np.int64)).probabilities(f)[:, 1]
    assert np.all(np.diff(p) > 0)


def test_temperature_undoes_a_known_factor() -> None:
    rng = np.random.default_rng(3)
    logits = rng.normal(size=(4000, 3)) * 2
    p = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    y = (rng.random((4000, 1)) > p.cumsum(1)).sum(1)
    fitted = fit_calibration(logits * 5, y)
    assert fitted.a == pytest.approx(0.2, rel=0.1)
    shares = fitted.probabilities(logits * 5)
    assert np.allclose(shares.sum(1), 1)
    assert cross_fitted_error(logits * 5, y, np.arange(4000) % 5) < 0.03


def test_one_class_leaves_scores_as_they_are() -> None:
    assert fit_calibration(np.ones((3, 1)), np.zeros(3, np.int64)) == Calibration()


def test_a_report_is_plain_json_and_says_its_counts() -> None:
    y = np.array([0, 0, 0, 1, 1, 1])
    predicted = np.array([0, 0, 1, 1, 1, 1])
    report = held_out_report(
        y,
        np.array([1, 1, 2, 3, 4, 4]),
        predicted,
        [(y, y), (y, 1 - y), (y, predicted)],
        n_classes=2,
        calibration_error=0.1,
        method="Two parts.",
    )
    assert report.confusion == ((2, 1), (0, 3))
    assert report.member_accuracies == pytest.approx((1, 0, 5 / 6))
    assert report.member_accuracy == pytest.approx(11 / 18)
    assert report.member_accuracy_sd == pytest.approx(np.std([1, 0, 5 / 6]))
    assert report.classes[1].tracks == 2
    assert report.balanced_accuracy == pytest.approx(5 / 6)
    again = HeldOut.from_dict(json.loads(json.dumps(report.to_dict())))
    assert again == report
    old = report.to_dict()
    del old["member_accuracies"], old["member_balanced_accuracies"]
    assert HeldOut.from_dict(old).to_dict() == old
    said = report.summary(("interphase", "metaphase"))
    assert "interphase: 2 of 3 right in 2 tracks" in said
    assert "6 held-out cells of 4 tracks" in said


def test_precision_and_recall_agree_with_sklearn() -> None:
    from sklearn.metrics import precision_recall_fscore_support

    rng = np.random.default_rng(3)
    y, groups = rng.integers(0, 4, 90), rng.integers(0, 25, 90)
    predicted = np.where(rng.random(90) < 0.6, y, rng.integers(0, 3, 90))
    report = held_out_report(
        y,
        groups,
        predicted,
        [(y, predicted)],
        n_classes=4,
        calibration_error=0.0,
        method="",
    )
    precision, recall, _, cells = precision_recall_fscore_support(
        y, predicted, labels=range(4), zero_division=np.nan
    )
    for c, result in enumerate(report.classes):
        assert result.recall == pytest.approx(recall[c])
        assert result.precision == pytest.approx(precision[c], nan_ok=True)
        assert result.cells == cells[c]
        for value, (low, high) in (
            (result.recall, result.interval),
            (result.precision, result.precision_interval),
        ):
            assert low <= value <= high


def test_a_class_that_is_never_called_has_no_precision_and_can_be_kept() -> None:
    y, groups = np.array([0, 0, 1, 1]), np.arange(4)
    predicted = np.zeros(4, np.int64)
    report = held_out_report(
        y,
        groups,
        predicted,
        [(y, predicted)],
        n_classes=2,
        calibration_error=0.0,
        method="",
    )
    assert np.isnan(report.classes[1].precision)
    text = json.dumps(report.to_dict(), allow_nan=False)
    again = HeldOut.from_dict(json.loads(text))
    assert again.to_dict() == report.to_dict()
    assert "of those called so" not in report.summary(("a", "b")).splitlines()[2]


def test_a_report_speaks_of_what_was_held_out_together() -> None:
    y, groups = np.arange(40) % 2, np.arange(40) // 4
    made = held_out_report(
        y,
        groups,
        y,
        [(y, y)],
        n_classes=2,
        calibration_error=0.0,
        method="Cross-validated in 5 parts, divided by track.",
    )
    assert "10 tracks" in made.summary(("a", "b"))
    assert "unit" not in made.to_dict()
    images = made.by("group")
    assert "track" not in images.summary(("a", "b"))
    assert HeldOut.from_dict(images.to_dict()) == images
