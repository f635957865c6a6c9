from __future__ import annotations

from typing import Any

import pytest

from napari_cellsci.viewer import readout
from napari_cellsci.viewer.session import Session


class Viewer:
    pass


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (0, "0"),
        (2.3456, "2.35"),
        (-0.04567, "−0.0457"),
        (1234.5, "1234"),
        (float("nan"), "?"),
    ],
)
def test_numbers_have_three_significant_digits(value: float, words: str) -> None:
    assert readout.significant(value) == words


@pytest.mark.parametrize(
    ("t", "interval", "words"),
    [
        (3, None, "frame 3"),
        (0, 240, "0 min"),
        (22, 240, "88 min"),
        (3, 10, "30 s"),
        (7, 1800, "3 h 30 min"),
    ],
)
def test_times_are_minutes_or_hours_where_known(
    t: int, interval: float | None, words: str
) -> None:
    assert readout.time_in_words(t, interval) == words


def test_a_cell_is_told_with_what_is_known_of_it(
    mitosis: Any, known_scores: Any
) -> None:
    viewer: Any = Viewer()
    session = Session(viewer)
    session.project = mitosis
    track = mitosis.cells["track_id"][1]
    assert readout.describe(session, 1) == [f"track {track}", "4 min"]
    session.set_scores(known_scores(mitosis))
    mitosis.labels.set(1, "metaphase")
    words = readout.line(session, 1)
    assert "score −3.39 ± 0.50" in words
    assert "p 0.03" in words
    assert "called interphase" in words
    assert "labelled metaphase" in words
    assert "out-of-distribution" in readout.line(session, 17)
