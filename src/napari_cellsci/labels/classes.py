"""The names a cell can be given; ids stay when names and order change."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterable, Sequence

from napari_cellsci.errors import InputError
from napari_cellsci.labels.class_state import LabelClass
from napari_cellsci.labels.journal import Database

__all__ = ["OKABE_ITO", "LabelClass", "add_classes", "checked_names", "insert_class"]

OKABE_ITO = (
    "#0072B2",
    "#D55E00",
    "#009E73",
    "#CC79A7",
    "#E69F00",
    "#56B4E9",
    "#F0E442",
    "#A0643C",
)
"""Colours of the classes in their fixed order: interphase blue, metaphase vermilion.

Okabe and Ito's eighth, black, cannot be seen on a movie: a brown stands for it.
"""
_COLOUR = re.compile(r"#[0-9A-Fa-f]{6}")


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
        checked_name(name)
    if len(set(found)) != len(found):
        raise InputError(f"Each class needs a name of its own, not {', '.join(found)}.")
    return found


def checked_name(name: str) -> str:
    """Return the name of a class, stripped.

    Raises
    ------
    InputError
        If it is empty or "blank".
    """
    name = name.strip()
    if not name:
        raise InputError("The name of a class is empty: give each class a name.")
    if name == "blank":
        raise InputError(
            'No class can be called "blank": that is what empty crops are predicted.'
        )
    return name


def checked_colour(colour: str) -> str:
    """Return a colour as ``#RRGGBB``.

    Raises
    ------
    InputError
        If it is none.
    """
    if not _COLOUR.fullmatch(colour):
        raise InputError(f"A colour is written #RRGGBB, not {colour!r}.")
    return colour.upper()


def add_classes(
    inside: sqlite3.Connection, names: Sequence[str], *, trained: bool
) -> None:
    """Add the first classes of a project within the caller's transaction.

    Known names stay as they are. Classes added later are actions of the log.
    """
    for offset, name in enumerate(names):
        checked_name(name)
        inside.execute(
            "INSERT INTO classes (name, colour, position) VALUES (?, ?, ?) "
            "ON CONFLICT (name) DO NOTHING",
            (name, _next_colour(inside), offset if trained else None),
        )


def insert_class(inside: sqlite3.Connection, name: str, colour: str | None) -> int:
    """Add the row of a class that an action brings; return its id.

    The row's own name only has to be unique: another class may have had this one
    once. What the class is called stands in the log.
    """
    taken = {row[0] for row in inside.execute("SELECT name FROM classes")}
    own, turn = name, 2
    while own in taken:
        own, turn = f"{name} ({turn})", turn + 1
    cursor = inside.execute(
        "INSERT INTO classes (name, colour, position) VALUES (?, ?, NULL)",
        (own, colour or _next_colour(inside)),
    )
    return int(cursor.lastrowid or 0)


def _next_colour(inside: sqlite3.Connection) -> str:
    count = inside.execute("SELECT count(*) FROM classes").fetchone()[0]
    return OKABE_ITO[count % len(OKABE_ITO)]


def read_rows(database: Database) -> tuple[LabelClass, ...]:
    """Return the rows of all classes as they were made, by id."""
    rows = database.rows("SELECT id, name, colour, position FROM classes ORDER BY id")
    return tuple(LabelClass(*row) for row in rows)
