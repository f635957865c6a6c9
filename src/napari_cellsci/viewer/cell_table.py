"""The cells of a project arranged for drawing: by row, by frame, and by track."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import pandas as pd

Rows = NDArray[np.int64]


class CellTable:
    """Fast answers about where the cells are.

    Parameters
    ----------
    cells : DataFrame
        Index 0…n−1 with columns movie, track_id, t, y, x and, where known, z,
        label_id (0 = none), parent (0 = none) and image ("" = none).

    Attributes
    ----------
    movies : tuple of str
        Names of the movies in the order of their first cell.
    movie, track, t, label : array (n,) of int
        `movie` is a position in `movies`.
    since_division : array (n,) of int
        Frames since its track began by a division; -1 if it did not, or so it seems.
    y, x : array (n,) of float
    z : array (n,) of float or None
    image : array (n,) of str or None
        Names of cells that are images of their own; None where there are none.
    """

    def __init__(self, cells: pd.DataFrame) -> None:
        names = cells["movie"].astype(str)
        self.movies: tuple[str, ...] = tuple(names.unique())
        codes = {name: code for code, name in enumerate(self.movies)}
        self.movie = names.map(codes).to_numpy(dtype=np.int64)
        self.track = cells["track_id"].to_numpy(dtype=np.int64)
        self.t = cells["t"].to_numpy(dtype=np.int64)
        self.y = cells["y"].to_numpy(dtype=np.float64)
        self.x = cells["x"].to_numpy(dtype=np.float64)
        self.z = _optional(cells, "z", np.float64)
        named = "image" in cells
        self.image = cells["image"].to_numpy(dtype=object) if named else None
        label = _optional(cells, "label_id", np.int64)
        self.label = np.zeros(len(cells), np.int64) if label is None else label
        self.since_division = _since_division(cells, self.movie, self.track, self.t)
        self._by_frame, self._frame_of = _grouped(self.movie, self.t)
        self._by_track, self._track_of = _grouped(self.movie, self.track, self.t)

    def __len__(self) -> int:
        return len(self.t)

    def image_of(self, row: int) -> str:
        """Return the name of the image that a cell is, "" for cells of a movie."""
        return "" if self.image is None else str(self.image[row])

    def has_times(self, rows: Rows) -> bool:
        """Whether some of these cells are the same at several times."""
        pairs = np.column_stack([self.movie[rows], self.track[rows]])
        return len(np.unique(pairs, axis=0)) < len(rows)

    def code(self, movie: str) -> int:
        """Return the position of a movie, -1 if it has no cells."""
        return self.movies.index(movie) if movie in self.movies else -1

    def rows_in(self, movie: str) -> Rows:
        """Return the rows of a movie, ascending."""
        return np.flatnonzero(self.movie == self.code(movie))

    def rows_at(self, movie: str, t: int) -> Rows:
        """Return the rows of one frame."""
        start, stop = _span(self._frame_of, (self.code(movie), t))
        return self._by_frame[start:stop]

    def rows_of_track(self, row: int) -> Rows:
        """Return the rows of the track of the cell `row`, in the order of time."""
        key = (int(self.movie[row]), int(self.track[row]))
        start, stop = _span(self._track_of[:2], key)
        return self._by_track[start:stop]

    def find(self, movie: str, track: int, t: int) -> int | None:
        """Return the row of a cell, or None if there is none."""
        start, stop = _span(self._track_of, (self.code(movie), track, t))
        return int(self._by_track[start]) if stop > start else None

    def nearest(
        self, movie: str, t: int, yx: tuple[float, float], radius: float
    ) -> int | None:
        """Return the cell nearest to a place of one frame.

        Parameters
        ----------
        movie : str
        t : int
            Frame.
        yx : tuple of float
            Place (px).
        radius : float
            How far its centroid may be (px).
        """
        rows = self.rows_at(movie, t)
        if not rows.size:
            return None
        distance = np.hypot(self.y[rows] - yx[0], self.x[rows] - yx[1])
        best = int(np.argmin(distance))
        return int(rows[best]) if distance[best] <= radius else None

    def at_time(self, row: int, t: int) -> int | None:
        """Return the cell of the same track as `row` at time `t`, or None."""
        rows = self.rows_of_track(row)
        at = int(np.searchsorted(self.t[rows], t))
        found = at < len(rows) and self.t[rows[at]] == t
        return int(rows[at]) if found else None


def _since_division(cells: pd.DataFrame, movie: Rows, track: Rows, t: Rows) -> Rows:
    parent = _optional(cells, "parent", np.int64)
    if parent is None:
        return np.full(len(t), -1, np.int64)
    number = np.unique(np.column_stack([movie, track]), axis=0, return_inverse=True)[1]
    number = number.ravel()
    first = np.full(number.max(initial=-1) + 1, np.iinfo(np.int64).max)
    np.minimum.at(first, number, t)
    # Some files call a track without a parent its own parent.
    born = (parent > 0) & (parent != track)
    return np.where(born, t - first[number], -1)


def _optional(cells: pd.DataFrame, name: str, dtype: Any) -> NDArray[Any] | None:
    if name not in cells:
        return None
    values = cells[name].to_numpy(dtype=np.float64, na_value=np.nan)
    if np.issubdtype(dtype, np.integer):
        return np.nan_to_num(values, nan=0).astype(dtype)
    return None if np.isnan(values).all() else values.astype(dtype)


def _grouped(*keys: NDArray[np.int64]) -> tuple[Rows, tuple[NDArray[np.int64], ...]]:
    """Return the rows ordered by the keys, first key first, and the ordered keys."""
    order = np.lexsort(keys[::-1]).astype(np.int64)
    return order, tuple(key[order] for key in keys)


def _span(
    ordered: tuple[NDArray[np.int64], ...], wanted: tuple[int, ...]
) -> tuple[int, int]:
    """Return where the rows with the keys `wanted` start and stop."""
    low, high = 0, len(ordered[0])
    for column, value in zip(ordered, wanted, strict=True):
        inside = column[low:high]
        right = int(np.searchsorted(inside, value, side="right"))
        low, high = low + int(np.searchsorted(inside, value, side="left")), low + right
    return low, high
