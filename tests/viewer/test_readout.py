from __future__ import annotations

from typing import Any

import pytest

from napari_cellsci.viewer import readout
from napari_cellsci.viewer.clock import Clock
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
    ("t", "clock", "words", "unit"),
    [
        (3, Clock(), "frame 3", "frames"),
        (3, Clock(None, 50), "frame 3", "frames"),
        (0, Clock(240, 40), "0 min", "min"),
        (38, Clock(240, 40), "152 min", "min"),
        (3, Clock(10, 12), "30 s", "s"),
        (5, Clock(1800, 20), "2 h 30", "h"),
        (1, Clock(1800, 20), "0 h 30", "h"),
    ],
)
def test_a_movies_times_have_one_unit(
    t: int, clock: Clock, words: str, unit: str
) -> None:
    assert (clock.words(t), clock.unit) == (words, unit)
    assert Clock(7.0, 3).per_frame == 7.0


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
    assert "called interphase ·" in words
    assert "P(metaphase) = 0.03" in words
    assert "labelled metaphase" in words
    assert "called interphase, but out-of-distribution" in readout.line(session, 17)


def test_a_doubtful_call_says_so_before_any_number(
    mitosis: Any, known_scores: Any
) -> None:
    viewer: Any = Viewer()
    session = Session(viewer)
    session.project = mitosis
    scores = known_scores(mitosis)
    # Where metaphases were rare among the labels, a score just above 0 goes with a
    # small probability of metaphase.
    table = scores.table
    table.loc[3, ["score", "score_sd", "probability"]] = 0.11, 0.05, 0.04
    table.loc[3, "prediction"] = "metaphase"
    table.loc[4, "prediction"] = "blank"
    session.set_scores(scores)
    assert readout.describe(session, 3)[2:] == [
        "called metaphase, but uncertain",
        "score 0.110 ± 0.050",
        "P(metaphase) = 0.04",
    ]
    assert readout.describe(session, 4)[2:] == ["blank: the crop shows nothing"]
