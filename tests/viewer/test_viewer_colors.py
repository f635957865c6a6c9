from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_cellsci.viewer.colors import (
    NEGATIVE,
    NEUTRAL,
    POSITIVE,
    UNLABELLED,
    ScoreScale,
    colors_of_codes,
    rgba,
)


def test_the_scale_ends_in_the_class_colours_and_is_grey_at_zero() -> None:
    scale = ScoreScale(2.0)
    colors = scale.colors(np.array([-2, 0, 2, -99, 99], np.float32))
    for color, name in zip(
        colors, (NEGATIVE, NEUTRAL, POSITIVE, NEGATIVE, POSITIVE), strict=True
    ):
        np.testing.assert_allclose(color, rgba(name), atol=1e-6)


def test_the_two_classes_are_okabe_itos_blue_and_vermilion() -> None:
    assert (NEGATIVE, POSITIVE) == ("#0072B2", "#D55E00")


def test_nan_is_unlabelled_grey() -> None:
    color = ScoreScale().colors(np.array([np.nan], np.float32))[0]
    np.testing.assert_allclose(color, rgba(UNLABELLED), atol=1e-6)


def test_the_limit_is_the_98th_percentile_of_the_magnitude() -> None:
    scores = np.random.default_rng(0).normal(size=1000)
    expected = np.percentile(np.abs(scores), 98)
    assert ScoreScale.of(scores).limit == pytest.approx(expected)


@pytest.mark.parametrize("scores", [[], [np.nan], [0.0, 0.0]])
def test_a_limit_is_positive_whatever_the_scores(scores: list[float]) -> None:
    assert ScoreScale.of(np.array(scores)).limit == 1.0


@given(st.lists(st.floats(-50, 50), min_size=1, max_size=30), st.floats(0.1, 20))
def test_bins_are_symmetric_monotonic_and_never_background(
    scores: list[float], limit: float
) -> None:
    values = np.sort(np.array(scores))
    scale = ScoreScale(limit)
    bins = scale.bins(values).astype(int)
    assert bins.min() >= 1
    assert np.all(np.diff(bins) >= 0)
    np.testing.assert_array_equal(scale.bins(-values).astype(int), 256 - bins)


@given(st.floats(1e-3, 1e4))
def test_ticks_are_symmetric_and_within_the_scale(limit: float) -> None:
    ticks = np.array(ScoreScale(limit).ticks())
    np.testing.assert_allclose(ticks, -ticks[::-1])
    assert ticks[-1] <= limit * (1 + 1e-6)
    assert ticks[-1] > limit / 4


def test_codes_are_coloured_by_the_palette_and_grey_below_zero() -> None:
    colors = colors_of_codes(np.array([1, -1, 0]), ("#FF0000", "#00FF00"), 0.5)
    np.testing.assert_allclose(colors[0], [0, 1, 0, 0.5])
    np.testing.assert_allclose(colors[1], rgba(UNLABELLED, 0.5), atol=1e-6)
    np.testing.assert_allclose(colors[2], [1, 0, 0, 0.5])
