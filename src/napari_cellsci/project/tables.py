"""The cells of a project between the database and a DataFrame."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from napari_cellsci.project.movies import MovieInfo
from napari_cellsci.project.store import Store

CORE = ["movie", "track_id", "t", "y", "x", "z", "parent", "label_id"]
"""Columns every cell has; z only where some movie has it."""


def insert_cells(
    inside: sqlite3.Connection, movie_id: int, first: int, cells: pd.DataFrame
) -> None:
    """Add the cells of a movie within the caller's transaction.

    `cells` has track_id, t, y, x, optionally z, parent, label_id; further columns are
    its properties and are kept as one blob each.
    """
    n = len(cells)
    z = cells["z"].tolist() if "z" in cells else [None] * n
    rows = zip(
        range(first, first + n),
        [movie_id] * n,
        cells["track_id"].tolist(),
        cells["t"].tolist(),
        cells["y"].tolist(),
        cells["x"].tolist(),
        z,
        _whole(cells, "parent"),
        _whole(cells, "label_id"),
        strict=True,
    )
    inside.executemany("INSERT INTO cells VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", rows)
    extra = [name for name in cells.columns if name not in CORE]
    for position, name in enumerate(extra):
        values = cells[name].to_numpy(dtype=np.float64)
        inside.execute(
            "INSERT INTO properties VALUES (?, ?, ?, ?, ?)",
            (movie_id, str(name), position, "<f8", values.astype("<f8").tobytes()),
        )


def _whole(cells: pd.DataFrame, name: str) -> list[Any]:
    if name not in cells:
        return [0] * len(cells)
    return cells[name].astype(np.int64).tolist()


def read_cells(store: Store, movies: Sequence[MovieInfo]) -> pd.DataFrame:
    """Return all cells by row id: `CORE` columns, then properties (NaN = none)."""
    names = {info.id: info.name for info in movies}
    rows = store.rows(
        "SELECT movie_id, track_id, t, y, x, z, parent, label_id FROM cells ORDER BY id"
    )
    columns = list(zip(*map(tuple, rows), strict=True)) or [()] * 8
    whole = {name: np.asarray(columns[i], np.int64) for i, name in _WHOLE.items()}
    z = np.array(columns[5], dtype=np.float64)
    table: dict[str, Any] = {
        "movie": np.array([names[i] for i in columns[0]], dtype=object),
        "track_id": whole["track_id"],
        "t": whole["t"],
        "y": np.asarray(columns[3], np.float64),
        "x": np.asarray(columns[4], np.float64),
    }
    if not np.isnan(z).all():
        table["z"] = z
    table |= {"parent": whole["parent"], "label_id": whole["label_id"]}
    table |= _read_properties(store, movies, len(rows))
    index = pd.RangeIndex(len(rows), name="cell")
    return pd.DataFrame(table, index=index)


_WHOLE = {1: "track_id", 2: "t", 6: "parent", 7: "label_id"}


def _read_properties(
    store: Store, movies: Sequence[MovieInfo], n_cells: int
) -> dict[str, Any]:
    place = {info.id: info.rows for info in movies}
    found: dict[str, Any] = {}
    for movie_id, name, dtype, data in store.rows(
        "SELECT movie_id, name, dtype, data FROM properties ORDER BY movie_id, position"
    ):
        column = found.setdefault(name, np.full(n_cells, np.nan))
        column[place[movie_id]] = np.frombuffer(data, dtype=dtype)
    return found
