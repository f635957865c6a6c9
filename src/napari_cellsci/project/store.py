"""The project's database: one connection, short transactions, clear words."""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_cellsci.errors import ProjectError
from napari_cellsci.project.migrations import APPLICATION_ID, SCHEMA_VERSION, migrate
from napari_cellsci.project.trouble import in_words

FILE_NAME = "project.sqlite"
BUSY_SECONDS = 5.0
"""How long a write waits for another window or command before it gives up."""


class Store:
    """The database of one project, usable from every thread of this process.

    The journal mode is DELETE because WAL needs shared memory, which network drives
    lack; commits are flushed to disk (synchronous FULL), because labels are precious.

    Parameters
    ----------
    path : Path
        The file ``project.sqlite``.
    connection : sqlite3.Connection
        In autocommit mode; `create` and `open` make it.
    """

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self.path = path
        self._connection = connection
        self._lock = threading.RLock()
        self._closed = False

    @classmethod
    def create(cls, path: Path) -> Store:
        """Make a new database at `path`, which does not exist yet.

        Raises
        ------
        ProjectError
            If the place cannot be written.
        """
        with in_words(path.parent):
            connection = _connect(path)
            store = cls(path, connection)
            with store.transaction() as inside:
                inside.execute(f"PRAGMA application_id = {APPLICATION_ID}")
                migrate(inside, 0)
        return store

    @classmethod
    def open(cls, path: Path) -> Store:
        """Open the database at `path` and migrate it if it is older.

        Raises
        ------
        ProjectError
            If it is missing, foreign, damaged, or of a newer schema.
        """
        if not path.is_file():
            raise ProjectError(
                f"{path.parent} is not a cellsci project (it has no {FILE_NAME}): "
                "give the folder that `cellsci new` made."
            )
        with in_words(path.parent):
            store = cls(path, _connect(path))
            try:
                store._bring_up_to_date()
            except BaseException:
                store.close()
                raise
        return store

    def _bring_up_to_date(self) -> None:
        if self._pragma("application_id") != APPLICATION_ID:
            raise ProjectError(
                f"{self.path} is a database of another program, not a cellsci project."
            )
        version = self._pragma("user_version")
        if version > SCHEMA_VERSION:
            raise ProjectError(
                f"{self.path.parent} was made by a newer napari-cellsci (schema "
                f"{version}, this one reads up to {SCHEMA_VERSION}): update "
                "napari-cellsci to open it."
            )
        if version < SCHEMA_VERSION:
            with self.transaction() as inside:
                migrate(inside, self._pragma("user_version"))

    def _pragma(self, name: str) -> int:
        return int(self._connection.execute(f"PRAGMA {name}").fetchone()[0])

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Hold the write lock; commit at the end, roll back on any exception.

        A transaction opened inside another one of the same thread joins it.

        Raises
        ------
        ProjectError
            If another process holds the lock, the disk is full or read-only.
        """
        with self._lock, in_words(self.path.parent):
            self._refuse_closed()
            if self._connection.in_transaction:
                yield self._connection
                return
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
                self._connection.execute("COMMIT")
            except BaseException:
                self._roll_back()
                raise

    def _roll_back(self) -> None:
        # SQLite may already have rolled back by itself (disk full).
        if self._connection.in_transaction:
            self._connection.execute("ROLLBACK")

    @contextmanager
    def impatient(self) -> Iterator[None]:
        """Do not wait for others meanwhile; for housekeeping that can be put off."""
        with self._lock:
            self._connection.execute("PRAGMA busy_timeout = 0")
            try:
                yield
            finally:
                milliseconds = int(BUSY_SECONDS * 1000)
                self._connection.execute(f"PRAGMA busy_timeout = {milliseconds}")

    def rows(self, sql: str, values: Sequence[object] = ()) -> list[sqlite3.Row]:
        """Return all rows of a query."""
        with self._lock, in_words(self.path.parent):
            self._refuse_closed()
            rows: list[sqlite3.Row] = self._connection.execute(sql, values).fetchall()
            return rows

    def records(
        self, sql: str, dtype: list[tuple[str, str]], count: int
    ) -> NDArray[np.void]:
        """Return all rows of a query of numbers as a structured array (count,)."""
        with self._lock, in_words(self.path.parent):
            self._refuse_closed()
            cursor = self._connection.cursor()
            cursor.row_factory = None  # plain tuples: a million rows take seconds
            return np.fromiter(cursor.execute(sql), np.dtype(dtype), count)

    def scalar(self, sql: str, values: Sequence[object] = ()) -> Any:
        """Return the first value of the first row of a query, or None."""
        rows = self.rows(sql, values)
        return rows[0][0] if rows else None

    def data_version(self) -> int:
        """Return a number that changes when another connection commits."""
        return int(self.scalar("PRAGMA data_version"))

    def setting(self, key: str, default: Any = None) -> Any:
        """Return the JSON value kept under `key`."""
        text = self.scalar("SELECT value FROM settings WHERE key = ?", (key,))
        return default if text is None else json.loads(text)

    def set_setting(self, key: str, value: Any) -> None:
        """Keep a JSON value under `key`."""
        with self.transaction() as inside:
            inside.execute(
                "INSERT INTO settings VALUES (?, ?) "
                "ON CONFLICT (key) DO UPDATE SET value = excluded.value",
                (key, json.dumps(value)),
            )

    def _refuse_closed(self) -> None:
        if self._closed:
            raise ProjectError(
                f"The project {self.path.parent} has been closed: open it again."
            )

    def close(self) -> None:
        """Close the database; further use raises `ProjectError`."""
        with self._lock:
            if not self._closed:
                self._closed = True
                self._connection.close()


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(
        path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False
    )
    try:
        connection.row_factory = sqlite3.Row
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA journal_mode = DELETE")
        connection.execute("PRAGMA synchronous = FULL")
    except BaseException:
        connection.close()
        raise
    return connection
