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
IMAGE = ["image", "group"]
"""Words cells have in projects with images of single cells: the image, its group."""
_NUMBERS = [
    *(("track_id", "i8"), ("t", "i8"), ("y", "f8"), ("x", "f8"), ("z", "f8")),
    *(("parent", "i8"), ("label_id", "i8")),
]


def naming(cells: pd.DataFrame, *more: str) -> list[str]:
    """Return the columns that say which cell a row is, and `more` of them."""
    image = ["image"] if "image" in cells else []
    return ["movie", *image, "track_id", "t", *more]


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


def insert_images(inside: sqlite3.Connection, first: int, table: pd.DataFrame) -> None:
    """Add what is known of the images of a set, whose first cell has the row `first`.

    `table` has name, source, group and digest.
    """
    columns = (table[name].tolist() for name in ("name", "source", "group", "digest"))
    rows = zip(range(first, first + len(table)), *columns, strict=True)
    inside.executemany("INSERT INTO images VALUES (?, ?, ?, ?, ?)", rows)


def read_images(store: Store, info: MovieInfo, cells: pd.DataFrame) -> pd.DataFrame:
    """Return the table of an `io.images.ImageSet` that was added.

    `cells` are those of the set.
    """
    found = store.rows(
        "SELECT name, source, group_name, digest FROM images "
        "WHERE cell_id >= ? AND cell_id < ? ORDER BY cell_id",
        (info.rows.start, info.rows.stop),
    )
    table = pd.DataFrame(
        [tuple(row) for row in found], columns=["name", "source", "group", "digest"]
    )
    table["number"] = cells["track_id"].to_numpy()
    for edge in ("height", "width"):
        table[edge] = cells[f"original_{edge}"].to_numpy(dtype=np.int64)
    return table


def _whole(cells: pd.DataFrame, name: str) -> list[Any]:
    if name not in cells:
        return [0] * len(cells)
    return cells[name].astype(np.int64).tolist()


def read_cells(store: Store, movies: Sequence[MovieInfo]) -> pd.DataFrame:
    """Return all cells by row id: `CORE` columns, then properties (NaN = none).

    `IMAGE` columns stand between them where the project has images of single cells.
    """
    # 9e999 is SQLite's infinity; None has no place among numbers.
    found = store.records(
        "SELECT track_id, t, y, x, ifnull(z, 9e999), parent, label_id FROM cells "
        "ORDER BY id",
        _NUMBERS,
        sum(info.n_cells for info in movies),
    )
    table: dict[str, Any] = {
        "movie": np.concatenate(
            [np.full(info.n_cells, info.name, dtype=object) for info in movies]
        )
    }
    table |= {name: found[name].copy() for name, _ in _NUMBERS}
    table["z"][np.isinf(table["z"])] = np.nan
    if np.isnan(table["z"]).all():
        del table["z"]
    if any(info.is_images for info in movies):
        table |= _read_words(store, len(found))
    table |= _read_properties(store, movies, len(found))
    return pd.DataFrame(table, index=pd.RangeIndex(len(found), name="cell"))


def _read_words(store: Store, n_cells: int) -> dict[str, Any]:
    found = {name: np.full(n_cells, "", dtype=object) for name in IMAGE}
    for cell, image, group in store.rows(
        "SELECT cell_id, name, group_name FROM images"
    ):
        found["image"][cell], found["group"][cell] = image, group
    return found


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
