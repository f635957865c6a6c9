"""What the label log says of the classes: names, colours, training, merges.

A class is the row of its id in the table of classes, overlaid with every edit in the
log that is not undone. Ids never change, so that labels need not be rewritten.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, get_args

Field: TypeAlias = Literal["name", "colour", "position", "merged_into", "present"]


@dataclass(frozen=True, slots=True)
class ClassEdit:
    """One field of one class set by an action.

    Parameters
    ----------
    id : int
        Of the class.
    field : {"name", "colour", "position", "merged_into", "present"}
    after : str, int, bool or None
    """

    id: int
    field: Field
    after: Any


@dataclass(frozen=True, slots=True)
class LabelClass:
    """One class: its stable id, name, colour, and place among the trained classes.

    `position` is None for a class that is kept but not used in training.
    """

    id: int
    name: str
    colour: str
    position: int | None
    merged_into: int | None = None
    present: bool = True


class ClassEdits:
    """Edits of classes in the order of the log."""

    def __init__(self) -> None:
        self._of: dict[tuple[int, Field], list[tuple[int, Any]]] = {}

    def add(self, action_id: int, edits: Iterable[ClassEdit]) -> None:
        """Take in the edits of the next action."""
        for edit in edits:
            known = self._of.setdefault((edit.id, edit.field), [])
            known.append((action_id, edit.after))

    def over(
        self,
        base: Iterable[LabelClass],
        undone: Container[int],
        coming: Sequence[ClassEdit] = (),
    ) -> dict[int, LabelClass]:
        """Return all classes by id as they stand, merged and absent ones too.

        Parameters
        ----------
        base : iterable of LabelClass
            Rows of the table.
        undone : container of int
            Actions that are taken back.
        coming : sequence of ClassEdit
            Edits to try on top.
        """
        found = {}
        for known in base:
            # A class that an action added is there only as long as that action stands.
            added = (known.id, "present") in self._of
            values: dict[str, Any] = {
                "name": known.name,
                "colour": known.colour,
                "position": known.position,
                "merged_into": None,
                "present": not added,
            }
            for field in get_args(Field):
                for action_id, after in self._of.get((known.id, field), ()):
                    if action_id not in undone:
                        values[field] = after
            values |= {e.field: e.after for e in coming if e.id == known.id}
            found[known.id] = LabelClass(known.id, **values)
        return found

    def names(self, class_id: int) -> set[str]:
        """Return every name the log ever gave a class."""
        return {str(after) for _, after in self._of.get((class_id, "name"), ())}


def resolve(classes: Mapping[int, LabelClass]) -> dict[int, int]:
    """Return for each class the one it counts as: itself, or where merges lead."""
    found = {}
    for start in classes:
        here, seen = start, {start}
        while (there := classes[here].merged_into) in classes and there not in seen:
            here = int(there)  # type: ignore[arg-type]
            seen.add(here)
        found[start] = here
    return found


def trouble(classes: Mapping[int, LabelClass], used: Container[int]) -> str:
    """Return in a sentence what makes these classes unusable, "" if nothing does.

    Parameters
    ----------
    classes : mapping of int to LabelClass
    used : container of int
        Ids of the classes that cells were given.
    """
    final = resolve(classes)
    for known in classes.values():
        goal = classes[final[known.id]]
        if goal.merged_into is not None:
            return "Two classes would be merged into each other."
        if not goal.present and known.id in used:
            return f"Cells are labelled {known.name}: clear these labels first."
        if not goal.present and known.present:
            return f"{known.name} was merged into {goal.name}: part them first."
    shown = visible(classes)
    names = [known.name for known in shown]
    for name in names:
        if names.count(name) > 1:
            return f"Two classes would be called {name!r}: rename one of them first."
    if sum(known.position is not None for known in shown) < 2:
        return "At least two classes must stay in use for training."
    return ""


def visible(classes: Mapping[int, LabelClass]) -> tuple[LabelClass, ...]:
    """Return the classes one can choose: trained ones in their order, then the others.

    Those merged into another, and those whose adding was undone, are gone.
    """
    shown = [c for c in classes.values() if c.merged_into is None and c.present]
    return tuple(
        sorted(shown, key=lambda c: (c.position is None, c.position or 0, c.id))
    )
