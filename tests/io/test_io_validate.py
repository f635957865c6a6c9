"""Tracks against the movie they are said to belong to."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_cellsci.errors import InputError
from napari_cellsci.io.movies import Movie, open_movie
from napari_cellsci.io.tracks import (
    Tracks,
    tracks_from_table,
    validate_masks,
    validate_tracks,
)

BASE = ["track_id", "t", "y", "x"]
MOVIE = open_movie(np.zeros((5, 40, 60), np.uint8), name="dish")


def tracks(*rows: list[float], **options: Any) -> Tracks:
    return Tracks(pd.DataFrame(list(rows), columns=BASE), **options)


def test_sound_tracks_come_back_sorted() -> None:
    given_rows = tracks([2, 4, 39.4, 59.4], [1, 3, 0, 0], [1, 0, 5, 5])
    checked = validate_tracks(given_rows, MOVIE)
    assert checked.table[BASE].to_numpy().tolist() == [
        [1, 0, 5, 5],
        [1, 3, 0, 0],
        [2, 4, 39.4, 59.4],
    ]
    assert checked.table["track_id"].dtype == np.int64
    assert checked.table.columns.tolist() == [*BASE, "parent", "label_id"]


@pytest.mark.parametrize("at", [(-1, 5), (5, -1), (40, 5), (5, 60), (-0.6, 59.8)])
def test_a_small_overhang_is_fine(at: tuple[float, float]) -> None:
    assert len(validate_tracks(tracks([1, 0, *at]), MOVIE).table) == 1


@pytest.mark.parametrize("at", [(-1.1, 5), (5, -1.1), (40.1, 5), (5, 60.1)])
def test_points_outside_are_refused(at: tuple[float, float]) -> None:
    with pytest.raises(InputError, match=r"1 of 2 .* \(40 × 60 px\), first track 7 at"):
        validate_tracks(tracks([1, 0, 5, 5], [7, 2, *at]), MOVIE)


def test_exchanged_axes_are_named() -> None:
    with pytest.raises(InputError, match="x and y exchanged"):
        validate_tracks(tracks([1, 0, 55, 5], [1, 1, 20, 38]), MOVIE)
    with pytest.raises(InputError, match="pixels, not µm"):
        validate_tracks(tracks([1, 0, 550, 5]), MOVIE)


def test_a_movie_shorter_than_its_tracks_is_refused() -> None:
    with pytest.raises(
        InputError, match=r"5 frame\(s\), 0 to 4, .* frame 6 \(2 points"
    ):
        validate_tracks(tracks([1, 0, 5, 5], [1, 5, 5, 5], [1, 6, 5, 5]), MOVIE)
    counted_from_one = tracks(*([1, t, 5, 5] for t in range(1, 6)))
    with pytest.raises(InputError, match="subtract 1"):
        validate_tracks(counted_from_one, MOVIE)
    planes = Movie(np.zeros((1, 9, 40, 60), np.uint8), "TZYX", "dish")
    with pytest.raises(InputError, match="planes are time points"):
        validate_tracks(tracks([1, 0, 5, 5], [1, 8, 5, 5]), planes)


@pytest.mark.parametrize(
    ("row", "match"),
    [
        ([1, 1, np.nan, 5], "no usable y"),
        ([1, -2, 5, 5], "negative time"),
        ([1, 0, 6, 6], "track 1 twice"),
        ([1, 1.5, 5, 5], "whole"),
    ],
)
def test_unusable_rows_are_refused(row: list[float], match: str) -> None:
    with pytest.raises(InputError, match=match):
        validate_tracks(tracks([1, 0, 5, 5], row), MOVIE)


def test_no_rows_and_wrong_columns_are_refused() -> None:
    with pytest.raises(InputError, match="no tracks"):
        validate_tracks(tracks(), MOVIE)
    with pytest.raises(InputError, match="no column t"):
        validate_tracks(Tracks(pd.DataFrame({"track_id": [1], "y": 1, "x": 1})), MOVIE)


def test_masks_must_fit_and_hold_something() -> None:
    masks = np.zeros((5, 40, 60), np.uint16)
    with pytest.raises(InputError, match="no objects"):
        validate_tracks(tracks([1, 0, 5, 5], masks=masks), MOVIE)
    masks[4, 3, 3] = 1
    assert validate_tracks(tracks([1, 0, 5, 5], masks=masks), MOVIE).masks is masks
    with pytest.raises(InputError, match="4 × 40 × 60, but dish is 5 × 40 × 60"):
        validate_masks(masks[:4], MOVIE)
    with pytest.raises(InputError, match="float64"):
        validate_masks(masks.astype(float), MOVIE)


@settings(deadline=None, max_examples=40)
@given(
    st.dictionaries(
        st.tuples(st.integers(0, 9), st.integers(0, 4)),
        st.tuples(st.floats(-1, 40), st.floats(-1, 60)),
        min_size=1,
    )
)
def test_every_table_within_the_movie_passes_unchanged(
    points: dict[tuple[int, int], tuple[float, float]],
) -> None:
    rows = [[*key, *at] for key, at in points.items()]
    once = validate_tracks(tracks_from_table(pd.DataFrame(rows, columns=BASE)), MOVIE)
    twice = validate_tracks(once, MOVIE)
    assert once.table[BASE].to_numpy().tolist() == sorted(rows)
    pd.testing.assert_frame_equal(once.table, twice.table)
