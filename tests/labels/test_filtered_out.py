"""Cells that are filtered out: reversible, journaled, and apart from their labels."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_cellsci.errors import InputError
from napari_cellsci.labels import Labels
from napari_cellsci.labels.state import Action, LabelState

Again = Callable[..., Labels]


def test_cells_are_left_out_and_taken_back(labels: Labels, again: Again) -> None:
    labels.leave_out([3, (1, 0), ("movie", 2, 1)], said="a scratch")
    assert labels.left_out.tolist() == [0, 3, 5]
    labels.take_back([3])
    assert labels.left_out.tolist() == [0, 5]
    assert again().left_out.tolist() == [0, 5]
    assert labels.history()["what"].tolist() == [
        "3 cells filtered out (a scratch)",
        "1 cell taken back",
    ]


def test_undo_and_redo_reach_the_filter_and_outlive_the_window(
    labels: Labels, again: Again
) -> None:
    labels.set(3, "metaphase")
    labels.leave_out([3, 4])
    labels.take_back([4])
    labels.undo()
    assert labels.left_out.tolist() == [3, 4]
    labels.undo()
    assert labels.left_out.tolist() == []
    assert labels.get(3) == "metaphase"
    reopened = again()
    reopened.redo()
    assert reopened.left_out.tolist() == [3, 4]
    reopened.undo()
    reopened.undo()
    assert reopened.get(3) is None


def test_a_cell_left_out_keeps_its_label(labels: Labels) -> None:
    labels.set(3, "metaphase")
    labels.leave_out([3])
    assert labels.get(3) == "metaphase"
    labels.clear(3)
    assert labels.left_out.tolist() == [3]


def test_a_filter_is_one_action_and_leaves_alone_what_people_judged(
    labels: Labels,
) -> None:
    labels.leave_out([0], how="key")
    labels.take_back([1], how="key")
    usable = np.ones(12, bool)
    usable[[1, 2, 3]] = False

    assert labels.apply_filter(usable, said="size rule") == (2, 0)
    assert labels.left_out.tolist() == [0, 2, 3]
    usable[:] = True
    usable[4] = False
    assert labels.apply_filter(usable) == (1, 2)
    assert labels.left_out.tolist() == [0, 4]
    labels.undo()
    assert labels.left_out.tolist() == [0, 2, 3]
    labels.undo()
    assert labels.left_out.tolist() == [0]


def test_a_filter_that_changes_nothing_leaves_no_action(labels: Labels) -> None:
    assert labels.apply_filter(np.ones(12, bool)) == (0, 0)
    assert len(labels.history()) == 0


def test_who_filters_is_no_annotator(labels: Labels) -> None:
    labels.leave_out([3])
    assert labels.annotators == ()
    assert labels.given_by(labels.who).empty


def test_everyone_is_told_which_cells_moved(labels: Labels) -> None:
    told: list[list[int]] = []

    def note(rows: np.ndarray) -> None:
        told.append(rows.tolist())

    labels.changed.connect(note)
    labels.leave_out([3, 4])
    labels.undo()
    assert told == [[3, 4], [3, 4]]


def test_an_unknown_cell_is_refused(labels: Labels) -> None:
    with pytest.raises(InputError, match="no cell 99"):
        labels.leave_out([99])
    assert len(labels.history()) == 0


def test_a_class_can_go_while_its_cells_are_left_out(labels: Labels) -> None:
    """What is asked of labels when classes change passes filter actions over."""
    labels.add_class("debris")
    labels.leave_out([3])
    labels.undo()
    labels.undo()
    assert "debris" not in labels.names


@settings(deadline=None, max_examples=60)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["filter", "set", "undo", "redo"]),
            st.sets(st.integers(0, 5), min_size=1),
            st.booleans(),
        ),
        max_size=14,
    )
)
def test_the_fold_equals_replaying_what_stands(deeds: list) -> None:
    """Undone actions count as if they had never been."""
    state = LabelState()
    number = 0
    for kind, cells, back in deeds:
        target = None
        if kind in ("undo", "redo"):
            find = state.next_undo if kind == "undo" else state.next_redo
            target = find("ada")
            if target is None:
                continue
        number += 1
        rows = tuple(sorted(cells)) if target is None else ()
        values = tuple(1 for _ in rows) if kind == "set" else (None,) * len(rows)
        usable = rows if kind == "filter" and back else ()
        state.apply(
            Action(number, "", "ada", "key", kind, rows, values, target, back=usable)
        )
    expected: set[int] = set()
    for action in state.actions.values():
        if action.kind == "filter" and not state.is_undone(action.id):
            expected |= set(action.cells)
            expected -= set(action.back)
    assert state.left_out.cells == sorted(expected)
