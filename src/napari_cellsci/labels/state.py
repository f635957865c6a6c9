"""What the label log says: a pure fold over its actions, with undo and redo."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Literal, TypeAlias

from napari_cellsci.labels.class_state import ClassEdit, ClassEdits
from napari_cellsci.labels.left_out import LeftOut

Kind: TypeAlias = Literal["set", "clear", "class", "filter", "undo", "redo"]


@dataclass(frozen=True, slots=True)
class Action:
    """One line of the label log.

    Parameters
    ----------
    id : int
        Position in the log; later actions have larger ids.
    at : str
        When, in UTC (ISO 8601).
    who : str
        The annotator.
    how : str
        Key, click, bulk, import, api or suggestion.
    kind : {"set", "clear", "class", "filter", "undo", "redo"}
    cells : tuple of int
        Row ids of the cells it labels, clears, filters out or takes back; else empty.
    classes : tuple of (int or None)
        Class id given to each of `cells`; None where the label is cleared.
    target : int, optional
        The action that an undo or redo is about.
    edits : tuple of ClassEdit
        What it changes of the classes.
    said : str
        What it did to the classes, or why cells were filtered out, in the words of
        that moment.
    back : tuple of int
        Those of `cells` that a filter takes back; it leaves out the others.
    """

    id: int
    at: str
    who: str
    how: str
    kind: Kind
    cells: tuple[int, ...] = ()
    classes: tuple[int | None, ...] = ()
    target: int | None = None
    edits: tuple[ClassEdit, ...] = ()
    said: str = ""
    back: tuple[int, ...] = ()


class LabelState:
    """The labels that a sequence of actions leaves.

    A cell's label is what the last action that touches it and is not undone gave it.
    Undo takes back the annotator's own last action, so that two people who share a
    project never undo each other; a new action forgets what could be redone.
    """

    def __init__(self, actions: Iterable[Action] = ()) -> None:
        self.actions: dict[int, Action] = {}
        self.last_id = 0
        self._undone: set[int] = set()
        self._done: dict[str, list[int]] = {}
        self._redoable: dict[str, list[int]] = {}
        self._of_cell: dict[int, list[tuple[int, int | None]]] = {}
        self._values: dict[int, int] = {}
        self.edits = ClassEdits()
        self.left_out = LeftOut()
        for action in actions:
            self.apply(action)

    @property
    def values(self) -> dict[int, int]:
        """Class id of each labelled cell as it was given, before merges.

        A live view, not to be changed.
        """
        return self._values

    @property
    def undone(self) -> frozenset[int]:
        """Actions that are taken back at present."""
        return frozenset(self._undone)

    def is_undone(self, action_id: int) -> bool:
        """Whether an action is taken back at present."""
        return action_id in self._undone

    def next_undo(self, who: str) -> int | None:
        """Return the action that `who` would take back, or None."""
        done = self._done.get(who)
        return done[-1] if done else None

    def next_redo(self, who: str) -> int | None:
        """Return the action that `who` would bring back, or None."""
        redoable = self._redoable.get(who)
        return redoable[-1] if redoable else None

    def undone_after(self, kind: Kind, target: int) -> frozenset[int]:
        """Return what would be taken back after an undo or redo of `target`."""
        change = {target}
        return self.undone | change if kind == "undo" else self.undone - change

    def used(self, undone: frozenset[int] | None = None) -> set[int]:
        """Return the classes that cells have, now or with other actions taken back."""
        if undone is None or undone == self.undone:
            return set(self._values.values())
        moved = {
            cell
            for action in undone.symmetric_difference(self._undone)
            for cell in self._labelled_by(self.actions[action])
        }
        found = {value for cell, value in self._values.items() if cell not in moved}
        standing = {self._standing(cell, undone) for cell in moved}
        return found | {value for value in standing if value is not None}

    def given_by(self, who: str) -> dict[int, int]:
        """Return the class id that `who` last gave each cell, before merges."""
        found: dict[int, int] = {}
        for cell, given in self._of_cell.items():
            for action_id, value in reversed(given):
                if action_id in self._undone or self.actions[action_id].who != who:
                    continue
                if value is not None:
                    found[cell] = value
                break
        return found

    def origin(self, cell: int) -> Action | None:
        """Return the action that gave a cell its label, None if it has none."""
        if cell in self._values:
            for action_id, _ in reversed(self._of_cell[cell]):
                if action_id not in self._undone:
                    return self.actions[action_id]
        return None

    def apply(self, action: Action) -> tuple[int, ...]:
        """Add the next action; return the cells that it may have changed."""
        self.actions[action.id] = action
        self.last_id = max(self.last_id, action.id)
        if action.kind in ("set", "clear", "class", "filter"):
            return self._apply_change(action)
        return self._apply_reversal(action)

    @staticmethod
    def _labelled_by(action: Action) -> tuple[int, ...]:
        return () if action.kind == "filter" else action.cells

    def _apply_change(self, action: Action) -> tuple[int, ...]:
        self._done.setdefault(action.who, []).append(action.id)
        self._redoable.pop(action.who, None)
        if action.kind == "filter":
            by_hand = action.how != "filter"
            self.left_out.add(action.id, action.cells, action.back, by_hand)
            return action.cells
        for cell, value in zip(action.cells, action.classes, strict=True):
            self._of_cell.setdefault(cell, []).append((action.id, value))
            self._put(cell, value)
        self.edits.add(action.id, action.edits)
        return action.cells

    def _apply_reversal(self, action: Action) -> tuple[int, ...]:
        target = self.actions.get(action.target or 0)
        if target is None:
            return ()
        undo = action.kind == "undo"
        done = self._done.setdefault(target.who, [])
        redoable = self._redoable.setdefault(target.who, [])
        source, goal = (done, redoable) if undo else (redoable, done)
        # Two windows of one person may ask for the same undo; the second is a no-op.
        if target.id not in source:
            return ()
        source.remove(target.id)
        goal.append(target.id)
        (self._undone.add if undo else self._undone.discard)(target.id)
        if target.kind == "filter":
            self.left_out.look_again(target.cells, self._undone)
        for cell in self._labelled_by(target):
            self._put(cell, self._standing(cell, self._undone))
        return target.cells

    def _standing(self, cell: int, undone: Collection[int]) -> int | None:
        for action_id, value in reversed(self._of_cell[cell]):
            if action_id not in undone:
                return value
        return None

    def _put(self, cell: int, value: int | None) -> None:
        if value is None:
            self._values.pop(cell, None)
        else:
            self._values[cell] = value
