"""How a cell is named: by its row, or by movie, track and time."""

from __future__ import annotations

from collections.abc import Iterable
from numbers import Integral
from typing import Literal, TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from napari_cellsci.errors import InputError
from napari_cellsci.io.image_names import ImageNames

_SIDES: tuple[Literal["left"], Literal["right"]] = ("left", "right")
CellName: TypeAlias = int | tuple[int, int] | tuple[str, int, int]
"""A row, ``(track_id, t)`` in a project of one movie, or ``(movie, track_id, t)``.

An image of a single cell is ``(image, 0, 0)`` too, by its name.
"""


class CellIndex:
    """Finds the row id of a cell.

    Parameters
    ----------
    cells : DataFrame
        Index 0…n−1 with columns movie, track_id, t, y, x, and image where some cells
        are images of their own.
    """

    def __init__(self, cells: pd.DataFrame) -> None:
        self.cells = cells
        self.movies = tuple(str(name) for name in pd.unique(cells["movie"]))
        self._codes = {name: code for code, name in enumerate(self.movies)}
        movie = cells["movie"].map(self._codes).to_numpy(dtype=np.int64)
        track = cells["track_id"].to_numpy(dtype=np.int64)
        t = cells["t"].to_numpy(dtype=np.int64)
        order = np.lexsort((t, track, movie))
        self._sorted = (movie[order], track[order], t[order])
        self._row_ids = cells.index.to_numpy(dtype=np.int64)[order]
        self._images = _images_of(cells)

    def find(self, movie: str, track_id: int, t: int) -> int | None:
        """Return the row id of a cell, or None if there is no such cell."""
        low, high = 0, len(self._row_ids)
        wanted = (self._codes.get(movie, -1), track_id, t)
        for column, value in zip(self._sorted, wanted, strict=True):
            inside = column[low:high]
            left, right = (np.searchsorted(inside, value, side) for side in _SIDES)
            low, high = low + int(left), low + int(right)
        return int(self._row_ids[low]) if low < high else None

    @property
    def image_sets(self) -> tuple[str, ...]:
        """Names of the sets of images among the movies."""
        return tuple(self._images)

    def find_image(self, name: str, movie: str = "") -> int | None:
        """Return the row id of an image, by its name in its set or in any set.

        None if there is no such image, or several sets have one.
        """
        sets = [movie] if movie else list(self._images)
        found = []
        for each in sets:
            names, rows = self._images.get(each, (ImageNames(()), []))
            place = names.find(name)
            if place is not None:
                found.append(rows[place])
        return found[0] if len(found) == 1 else None

    def row(self, cell: object) -> int:
        """Return the row id of `cell`.

        Raises
        ------
        InputError
            If there is no such cell, or its name leaves the movie open.
        """
        if isinstance(cell, Integral):
            if 0 <= int(cell) < len(self.cells):
                return int(cell)
            raise InputError(
                f"There is no cell {cell}: the project has cells 0 to "
                f"{len(self.cells) - 1}."
            )
        if isinstance(cell, tuple) and len(cell) in (2, 3):
            return self._named(*cell)
        raise InputError(
            f"{cell!r} does not name a cell: give its row, (track_id, t) or "
            "(movie, track_id, t)."
        )

    def rows(self, cells: Iterable[object]) -> NDArray[np.int64]:
        """Return the row ids of several cells, without repeats, in their order."""
        found = dict.fromkeys(self.row(cell) for cell in cells)
        return np.fromiter(found, dtype=np.int64, count=len(found))

    def _named(self, *name: object) -> int:
        *movie, track_id, t = name
        if movie and movie[0] not in self._codes and (track_id, t) == (0, 0):
            image = self.find_image(str(movie[0]))
            if image is not None:
                return image
        if not movie and len(self.movies) != 1:
            raise InputError(
                "This project has several movies: name a cell as (movie, track_id, t)."
            )
        where = str(movie[0]) if movie else self.movies[0]
        if not (isinstance(track_id, Integral) and isinstance(t, Integral)):
            raise InputError(f"Track and time are whole numbers, not {name!r}.")
        row = self.find(where, int(track_id), int(t))
        if row is None:
            raise InputError(
                f"There is no cell of track {track_id} at time {t} in movie {where!r}."
            )
        return row


def _images_of(cells: pd.DataFrame) -> dict[str, tuple[ImageNames, list[int]]]:
    """Return, for each set of images, the names and rows of its cells."""
    if "image" not in cells:
        return {}
    images = cells[cells["image"] != ""]
    return {
        str(name): (ImageNames(mine["image"]), mine.index.tolist())
        for name, mine in images.groupby("movie", sort=False)
    }
