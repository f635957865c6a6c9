from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_cellsci.labels.timeline import (
    background_of,
    events_of,
    flips_of,
    smoothed,
)


def track(text: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """One track per line of letters: I, M, A, or "." for not known."""
    lines = text.split()
    number = np.repeat(np.arange(len(lines)), [len(line) for line in lines])
    t = np.concatenate([np.arange(len(line)) for line in lines])
    codes = np.array([".IMA".index(c) - 1 for line in lines for c in line])
    return number, t, codes


def test_mitoses_are_listed_with_the_durations_the_frames_allow() -> None:
    number, t, codes = track("IIMMI MIII II.M.MAI")
    events = events_of(number, t, codes, 0)
    told = [(e.track, e.code, e.start, e.stop, e.cells, e.whole) for e in events]
    assert told == [
        (0, 1, 2, 3, 2, True),
        (1, 1, 0, 0, 1, False),
        (2, 1, 3, 5, 2, True),
        (2, 2, 6, 6, 1, True),
    ]
    assert events[0].duration(240) == (4, 12)
    assert events[1].duration(1800) == (0, 60)
    assert events[0].duration(None) is None


def test_the_peak_is_the_surest_cell() -> None:
    number, t, codes = track("IMMMI")
    assert events_of(number, t, codes, 0, np.array([0, 1, 5, 2, 9.0]))[0].peak == 2


def test_leaving_a_mitosis_for_minutes_is_flagged_a_lone_metaphase_never() -> None:
    number, t, codes = track("IIMIII IMIMI IMIIIIIIIIIIM")
    flips = flips_of(number, t, codes, 0, frame_interval=30 * 60)
    assert [(f.row, f.frames) for f in flips] == [(8, 2)]
    # Twelve frames of four minutes are no time for a second mitosis either.
    quick = flips_of(number, t, codes, 0, frame_interval=240)
    assert [f.frames for f in quick] == [2, 11]


def test_the_background_is_the_most_common_class() -> None:
    assert background_of(np.array([1, 1, 0, -1, -1, -1])) == 1
    assert background_of(np.array([-1])) == -1


@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.floats(-5, 5, width=32), min_size=1, max_size=30),
    st.floats(0.1, 10),
    st.sampled_from([0, 1]),
)
def test_smoothing_never_takes_an_event_away_nor_makes_one_grow(
    scores: list[float], frames: float, event: int
) -> None:
    score = np.array(scores)
    t = np.arange(len(score))
    found = smoothed(np.zeros_like(t), t, score, frames, event)
    rare = score >= 0 if event == 1 else score < 0
    now = found >= 0 if event == 1 else found < 0
    assert np.all(now[rare])
    gained = np.flatnonzero(now & ~rare)
    for place in gained:  # only gaps of one cell are filled
        assert rare[place - 1]
        assert rare[place + 1]


def test_smoothing_averages_the_rest_along_the_track_alone() -> None:
    number = np.array([0, 0, 0, 1, 1, 1])
    t = np.array([0, 1, 2, 0, 1, 2])
    score = np.array([-1.0, -4.0, -1.0, -9, np.nan, -9])
    found = smoothed(number, t, score, 1.0)
    weight = np.exp(-0.5 * np.array([1, 0, 1.0]))
    assert found[1] == pytest.approx(weight @ score[:3] / weight.sum())
    np.testing.assert_allclose(found[[3, 5]], -9)
    assert np.isnan(found[4])
