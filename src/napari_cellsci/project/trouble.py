"""Disk and database trouble, told in one sentence."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from napari_cellsci.disk import disk_in_words, full_sentence, read_only_sentence
from napari_cellsci.errors import ProjectError


@contextmanager
def in_words(place: Path) -> Iterator[None]:
    """Turn trouble of the disk or the database at `place` into a `ProjectError`.

    Errors that are not about them pass through unchanged.
    """
    with disk_in_words(place):
        try:
            yield
        except sqlite3.Error as error:
            raise ProjectError(_database_sentence(error, place)) from error


def _database_sentence(error: sqlite3.Error, place: Path) -> str:
    name = getattr(error, "sqlite_errorname", "") or ""
    if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
        return (
            f"Another window or command is writing to the project {place}: wait until "
            "it has finished, then try again; nothing was changed."
        )
    if name.startswith(("SQLITE_FULL", "SQLITE_IOERR_WRITE")):
        return full_sentence(place)
    if name.startswith(("SQLITE_READONLY", "SQLITE_PERM", "SQLITE_CANTOPEN")):
        return read_only_sentence(place)
    if name.startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB")):
        return (
            f"{place} is damaged or is not a cellsci project: restore it from a copy."
        )
    return f"The project {place} could not be read or written ({error}): try again."
