"""What can be done with classes, as edits for the log."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from napari_cellsci.errors import InputError
from napari_cellsci.labels.class_state import ClassEdit, LabelClass
from napari_cellsci.labels.classes import checked_colour, checked_name


def find(classes: Sequence[LabelClass], name: str) -> LabelClass:
    """Return the class of a name.

    Raises
    ------
    InputError
        If there is none.
    """
    for known in classes:
        if known.name == name:
            return known
    raise InputError(
        f"{name!r} is not a class of this project: choose one of "
        f"{', '.join(known.name for known in classes)}."
    )


def free_name(classes: Sequence[LabelClass], name: str) -> str:
    """Return a name no class has yet.

    Raises
    ------
    InputError
        If it is empty or taken.
    """
    name = checked_name(name)
    if any(known.name == name for known in classes):
        raise InputError(f"There is a class {name!r} already: choose another name.")
    return name


def adding(
    class_id: int, name: str, classes: Sequence[LabelClass], trained: bool
) -> list[ClassEdit]:
    """Return the edits that bring a class whose row was just made."""
    edits = [ClassEdit(class_id, "present", True), ClassEdit(class_id, "name", name)]
    if trained:
        edits.append(ClassEdit(class_id, "position", _next_position(classes)))
    return edits


def renaming(
    classes: Sequence[LabelClass], old: str, new: str
) -> tuple[list[ClassEdit], str]:
    """Return the edits that give a class another name, and what they do in words."""
    known = find(classes, old)
    name = free_name([c for c in classes if c.id != known.id], new)
    return [ClassEdit(known.id, "name", name)], f"class {old} renamed to {name}"


def recolouring(
    classes: Sequence[LabelClass], name: str, colour: str
) -> tuple[list[ClassEdit], str]:
    """Return the edit that gives a class another colour."""
    colour = checked_colour(colour)
    edit = ClassEdit(find(classes, name).id, "colour", colour)
    return [edit], f"class {name} coloured {colour}"


def merging(
    classes: Sequence[LabelClass], name: str, into: str
) -> tuple[list[ClassEdit], str]:
    """Return the edit after which cells of one class count as another."""
    if name == into:
        raise InputError(f"{name!r} cannot be merged into itself.")
    gone, stays = find(classes, name), find(classes, into)
    edit = ClassEdit(gone.id, "merged_into", stays.id)
    return [edit], f"class {name} merged into {into}"


def using(
    classes: Sequence[LabelClass], name: str, trained: bool
) -> tuple[list[ClassEdit], str]:
    """Return the edit that takes a class into training or leaves it out."""
    known = find(classes, name)
    if (known.position is not None) == trained:
        return [], ""
    position = _next_position(classes) if trained else None
    words = "used in training" if trained else "kept out of training"
    return [ClassEdit(known.id, "position", position)], f"class {name} {words}"


def _next_position(classes: Sequence[LabelClass]) -> int:
    return 1 + max((c.position for c in classes if c.position is not None), default=-1)


def present_name(
    name: str,
    classes: Mapping[int, LabelClass],
    counts_as: Mapping[int, int],
    names_of: Mapping[int, set[str]],
) -> str:
    """Return what a class is called now that had a name when a classifier learned it.

    A merged class is called what it counts as. A name that two classes had is left as
    it is.

    Parameters
    ----------
    name : str
    classes : mapping of int to LabelClass
    counts_as : mapping of int to int
        Where merges lead, see `class_state.resolve`.
    names_of : mapping of int to set of str
        Every name a class ever had.
    """
    now = [c for c in classes.values() if c.name == name]
    had = [classes[i] for i, names in names_of.items() if name in names]
    meant = now or had
    if len(meant) != 1:
        return name
    return classes[counts_as[meant[0].id]].name
