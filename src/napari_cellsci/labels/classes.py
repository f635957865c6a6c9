"""The names a cell can be given; ids stay when names and order change."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from napari_cellsci.errors import InputError
from napari_cellsci.labels.journal import Database

OKABE_ITO = (
    "#0072B2",
    "#D55E00",
    "#009E73",
    "#CC79A7",
    "#E69F00",
    "#56B4E9",
    "#F0E442",
    "#000000",
)
"""Colours of the classes in their fixed order: interphase blue, metaphase vermilion."""


@dataclass(frozen=True, slots=True)
class LabelClass:
    """One class: its stable id, name, colour, and place among the trained classes.

    `position` is None for a class that is kept but not used in training.
    """

    id: int
    name: str
    colour: str
    position: int | None


def checked_names(names: Iterable[str]) -> tuple[str, ...]:
    """Return the names of the trained classes, stripped.

    Raises
    ------
    InputError
        If there are fewer than two, or one is empty, repeated, or "blank".
    """
    if isinstance(names, str):
        names = names.split(",")
    found = tuple(str(name).strip() for name in names)
    if len(found) < 2:
        raise InputError("A project needs at least two classes to tell apart.")
    for name in found:
        _refuse_odd(name)
    if len(set(found)) != len(found):
        raise InputError(f"Each class needs a name of its own, not {', '.join(found)}.")
    return found


def _refuse_odd(name: str) -> None:
    if not name:
        raise InputError("The name of a class is empty: give each class a name.")
    if name == "blank":
        raise InputError(
            'No class can be called "blank": that is what empty crops are predicted.'
        )


def add_classes(
    inside: sqlite3.Connection, names: Sequence[str], *, trained: bool
) -> None:
    """Add classes within the caller's transaction; known names stay as they are."""
    count = inside.execute("SELECT count(*) FROM classes").fetchone()[0]
    for offset, name in enumerate(names):
        _refuse_odd(name)
        inside.execute(
            "INSERT INTO classes (name, colour, position) VALUES (?, ?, ?) "
            "ON CONFLICT (name) DO NOTHING",
            (
                name,
                OKABE_ITO[(count + offset) % len(OKABE_ITO)],
                offset if trained else None,
            ),
        )


def read_classes(database: Database) -> tuple[LabelClass, ...]:
    """Return all classes: the trained ones in their order, then the others."""
    rows = database.rows(
        "SELECT id, name, colour, position FROM classes "
        "ORDER BY position IS NULL, position, id"
    )
    return tuple(LabelClass(*row) for row in rows)
