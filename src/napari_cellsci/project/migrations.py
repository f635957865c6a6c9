"""The tables of a project and how older projects become current ones.

Each migration is frozen once released: it takes a connection inside a transaction from
one schema version to the next and knows nothing of the rest of the package.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable

APPLICATION_ID = 0x43454C4C
"""Marks the file as ours ("CELL"), so that a foreign database is told apart."""

_FIRST_SCHEMA = (
    "CREATE TABLE settings (key TEXT PRIMARY KEY, value TEXT NOT NULL)",
    """CREATE TABLE movies (
        id INTEGER PRIMARY KEY,
        name TEXT NOT NULL UNIQUE,
        path TEXT,
        relative_path TEXT,
        copied INTEGER NOT NULL DEFAULT 0,
        axes TEXT NOT NULL,
        axes_given TEXT,
        n_frames INTEGER NOT NULL,
        n_channels INTEGER NOT NULL,
        n_planes INTEGER NOT NULL,
        height INTEGER NOT NULL,
        width INTEGER NOT NULL,
        dtype TEXT NOT NULL,
        pixel_size REAL,
        frame_interval REAL,
        channel_names TEXT NOT NULL DEFAULT '[]',
        fingerprint TEXT NOT NULL DEFAULT '{}',
        masks_path TEXT,
        masks_relative_path TEXT,
        masks_tracked INTEGER NOT NULL DEFAULT 0,
        graph TEXT NOT NULL DEFAULT '{}',
        first_cell INTEGER NOT NULL,
        n_cells INTEGER NOT NULL,
        added_at TEXT NOT NULL
    )""",
    """CREATE TABLE cells (
        id INTEGER PRIMARY KEY,
        movie_id INTEGER NOT NULL REFERENCES movies(id),
        track_id INTEGER NOT NULL,
        t INTEGER NOT NULL,
        y REAL NOT NULL,
        x REAL NOT NULL,
        z REAL,
        parent INTEGER NOT NULL DEFAULT 0,
        label_id INTEGER NOT NULL DEFAULT 0,
        UNIQUE (movie_id, track_id, t)
    )""",
    """CREATE TABLE properties (
        movie_id INTEGER NOT NULL REFERENCES movies(id),
        name TEXT NOT NULL,
        position INTEGER NOT NULL,
        dtype TEXT NOT NULL,
        data BLOB NOT NULL,
        PRIMARY KEY (movie_id, name)
    )""",
    """CREATE TABLE classes (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        name TEXT NOT NULL UNIQUE,
        colour TEXT,
        position INTEGER,
        merged_into INTEGER REFERENCES classes(id)
    )""",
    """CREATE TABLE label_actions (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        at TEXT NOT NULL,
        who TEXT NOT NULL,
        how TEXT NOT NULL,
        kind TEXT NOT NULL,
        target INTEGER REFERENCES label_actions(id),
        detail TEXT NOT NULL DEFAULT '{}'
    )""",
    """CREATE TABLE label_changes (
        action_id INTEGER NOT NULL REFERENCES label_actions(id),
        cell_id INTEGER NOT NULL REFERENCES cells(id),
        class_id INTEGER REFERENCES classes(id),
        PRIMARY KEY (action_id, cell_id)
    ) WITHOUT ROWID""",
    """CREATE TABLE arrays (
        kind TEXT NOT NULL,
        key TEXT NOT NULL,
        movie_id INTEGER NOT NULL REFERENCES movies(id),
        variant TEXT NOT NULL DEFAULT '',
        path TEXT NOT NULL UNIQUE,
        shape TEXT NOT NULL,
        dtype TEXT NOT NULL,
        made_at TEXT NOT NULL,
        PRIMARY KEY (kind, key, movie_id, variant)
    )""",
    """CREATE TABLE views (
        encoder TEXT NOT NULL,
        cell_id INTEGER NOT NULL REFERENCES cells(id),
        data BLOB NOT NULL,
        PRIMARY KEY (encoder, cell_id)
    ) WITHOUT ROWID""",
    """CREATE TABLE runs (
        id TEXT PRIMARY KEY,
        kind TEXT NOT NULL,
        name TEXT,
        status TEXT NOT NULL,
        message TEXT,
        config TEXT NOT NULL,
        host TEXT,
        pid INTEGER,
        made_at TEXT NOT NULL,
        ended_at TEXT,
        note TEXT NOT NULL DEFAULT '',
        binned INTEGER NOT NULL DEFAULT 0
    )""",
    """CREATE TABLE encoders (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        name TEXT NOT NULL UNIQUE,
        hash TEXT NOT NULL,
        run_id TEXT REFERENCES runs(id),
        summary TEXT NOT NULL DEFAULT '{}',
        made_at TEXT NOT NULL
    )""",
    """CREATE TABLE bundles (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        name TEXT NOT NULL UNIQUE,
        hash TEXT NOT NULL,
        scheme INTEGER NOT NULL,
        run_id TEXT REFERENCES runs(id),
        summary TEXT NOT NULL DEFAULT '{}',
        made_at TEXT NOT NULL
    )""",
)


def _first(connection: sqlite3.Connection) -> None:
    for statement in _FIRST_SCHEMA:
        connection.execute(statement)


_LATENTS = (
    """CREATE TABLE latent_names (
        encoder TEXT NOT NULL,
        latent INTEGER NOT NULL,
        named_by TEXT NOT NULL,
        name TEXT NOT NULL,
        named_at TEXT NOT NULL,
        PRIMARY KEY (encoder, latent, named_by)
    ) WITHOUT ROWID""",
    """CREATE TABLE latent_atlases (
        encoder TEXT PRIMARY KEY,
        data TEXT NOT NULL,
        content TEXT NOT NULL,
        made_at TEXT NOT NULL
    ) WITHOUT ROWID""",
)


def _latents(connection: sqlite3.Connection) -> None:
    """Add what latents are called, and what was found out about them."""
    for statement in _LATENTS:
        connection.execute(statement)


_IMAGES = (
    "ALTER TABLE movies ADD COLUMN kind TEXT NOT NULL DEFAULT 'movie'",
    "ALTER TABLE movies ADD COLUMN reading TEXT NOT NULL DEFAULT '{}'",
    """CREATE TABLE images (
        cell_id INTEGER PRIMARY KEY REFERENCES cells(id),
        name TEXT NOT NULL,
        source TEXT NOT NULL,
        group_name TEXT NOT NULL,
        digest TEXT NOT NULL
    )""",
)


def _images(connection: sqlite3.Connection) -> None:
    """Add sets of images of single cells, beside movies."""
    for statement in _IMAGES:
        connection.execute(statement)


MIGRATIONS: tuple[Callable[[sqlite3.Connection], None], ...] = (
    _first,
    _latents,
    _images,
)
"""Entry n takes a database from schema version n to n + 1."""

SCHEMA_VERSION = len(MIGRATIONS)


def migrate(connection: sqlite3.Connection, version: int) -> None:
    """Bring a database at schema `version` to `SCHEMA_VERSION`, inside a transaction.

    `version` is at most `SCHEMA_VERSION`; the caller refuses newer ones.
    """
    for step in MIGRATIONS[version:]:
        step(connection)
    connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
