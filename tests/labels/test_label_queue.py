from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_cellsci.labels.checks import (
    CurvePoint,
    doubtful_labels,
    would_more_help,
)
from napari_cellsci.labels.queue import (
    Pool,
    entropies,
    margins,
    stretch_frames,
    suggest,
)


def pool(n: int = 300, seed: int = 0, **changes: object) -> Pool:
    """Cells of 30 tracks; 5% are a small cloud of their own."""
    rng = np.random.default_rng(seed)
    z = rng.normal(size=(n, 4)).astype(np.float32)
    z[::20] += 6
    given: dict[str, object] = {
        "latents": z,
        "track": np.arange(n) // 10,
        "t": np.arange(n) % 10,
        "labels": np.full(n, -1),
        "names": ("interphase", "metaphase"),
    }
    return Pool(**{**given, **changes})  # type: ignore[arg-type]


def test_the_first_cards_show_what_there_is_with_rare_cells_among_them() -> None:
    rare = [sum(p.row % 20 == 0 for p in suggest(pool(seed=s), 12)) for s in range(8)]
    assert np.mean(rare) > 2  # chance would give 0.6
    first = suggest(pool(), 12)
    assert {pick.guess for pick in first} == {-1}
    assert all(pick.reason for pick in first)


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 1000), st.integers(1, 40), st.integers(1, 4), st.booleans())
def test_a_queue_never_repeats_a_cell_a_stretch_or_a_label(
    seed: int, n: int, stretch: int, scored: bool
) -> None:
    rng = np.random.default_rng(seed)
    labels = np.where(rng.random(120) < 0.2, rng.integers(0, 3, 120), -1)
    closed = rng.random(120) < 0.1
    p = rng.dirichlet([1, 1, 1], 120) if scored else None
    given = pool(
        120,
        labels=labels,
        closed=closed,
        probabilities=p,
        names=("a", "b", "c"),
        stretch=stretch,
    )
    picks = suggest(given, n, seed)
    rows = [pick.row for pick in picks]
    assert len(set(rows)) == len(rows) <= n
    assert not labels[rows].clip(-1).max(initial=-1) >= 0
    assert not closed[rows].any()
    for i, row in enumerate(rows):
        for other in rows[:i]:
            same = given.track[row] == given.track[other]
            assert not (same and abs(given.t[row] - given.t[other]) < stretch)


def test_doubtful_cells_come_first_and_say_why() -> None:
    p = np.tile([0.98, 0.02], (300, 1))
    p[37] = (0.49, 0.51)
    labels = np.full(300, -1)
    labels[:5], labels[5:10] = 0, 1
    picks = suggest(pool(labels=labels, probabilities=p), 4)
    assert picks[0].row == 37
    assert picks[0].reason == "undecided: metaphase or interphase, margin 0.02"
    assert picks[0].guess == 1
    assert {pick.wish for pick in picks} == {"uncertain", "new"}


def test_a_class_with_few_labels_is_searched_for() -> None:
    p = np.tile([0.95, 0.05], (300, 1))
    p[200] = (0.02, 0.98)
    labels = np.full(300, -1)
    labels[:8], labels[8] = 0, 1
    second = suggest(pool(labels=labels, probabilities=p), 2)[1]
    assert (second.row, second.wish) == (200, "scarce")
    assert second.reason == "may be metaphase (P = 0.98), only 1 labelled"


def test_labels_of_classes_not_taught_are_nobodys() -> None:
    p = np.tile([0.05, 0.95], (300, 1))
    p[200] = (0.98, 0.02)
    labels = np.full(300, -1)
    labels[:8], labels[8], labels[9:20] = 1, 0, 2
    second = suggest(pool(labels=labels, probabilities=p), 2)[1]
    assert (second.row, second.wish) == (200, "scarce")
    assert second.reason == "may be interphase (P = 0.98), only 1 labelled"


def test_before_any_label_the_rarer_class_is_searched_for() -> None:
    p = np.tile([0.95, 0.05], (300, 1))
    p[200] = (0.02, 0.98)
    second = suggest(pool(probabilities=p), 2)[1]
    assert (second.row, second.wish) == (200, "scarce")


def test_many_cells_are_thinned_without_losing_the_uncertain_ones() -> None:
    n = 20_000
    p = np.tile([0.99, 0.01], (n, 1))
    p[12_345] = (0.5, 0.5)
    labels = np.full(n, -1)
    labels[0], labels[1] = 0, 1
    assert suggest(pool(n, labels=labels, probabilities=p), 1)[0].row == 12_345


def test_a_look_is_told_in_minutes() -> None:
    assert stretch_frames(None) == 1
    assert stretch_frames(240) == 5
    assert stretch_frames(30 * 60) == 1  # a metaphase may be this one frame


def test_margin_and_entropy_against_their_definitions() -> None:
    p = np.array([[0.5, 0.5], [1.0, 0.0], [0.7, 0.3]])
    np.testing.assert_allclose(margins(p), [0, 1, 0.4])
    expected = -(0.7 * np.log2(0.7) + 0.3 * np.log2(0.3))
    np.testing.assert_allclose(entropies(p), [1, 0, expected])


def test_confident_contradictions_are_found_and_only_those() -> None:
    y = np.array([0, 0, 0, 1, 1, 1])
    p = np.array(
        [[0.9, 0.1], [0.04, 0.96], [0.4, 0.6], [0.1, 0.9], [0.98, 0.02], [np.nan] * 2]
    )
    found = doubtful_labels(np.arange(10, 16), y, p)
    assert [(d.row, d.label, d.says) for d in found] == [(14, 1, 0), (11, 0, 1)]
    assert found[0].probability == pytest.approx(0.98)


def test_whether_more_labels_would_help_in_words() -> None:
    few = [CurvePoint(10, 0.8, 0.6, 0.9)]
    said = would_more_help(few, {"interphase": 30, "metaphase": 4}, 0)
    assert "more of metaphase would help" in said
    rising = [CurvePoint(50, 0.90, 0.8, 0.95), CurvePoint(100, 0.95, 0.9, 0.97)]
    many = {"interphase": 70, "metaphase": 30}
    assert "More labels would help" in would_more_help(rising, many, 0)
    flat = [CurvePoint(50, 0.95, 0.9, 0.97), CurvePoint(100, 0.95, 0.93, 0.97)]
    assert "hardly help" in would_more_help(flat, many, 12)
    assert "12 cells are still uncertain" in would_more_help(flat, many, 12)
    assert "Too few" in would_more_help([], many, 0)
