"""Thumbnails made when they are first seen, the most recent ones kept."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np
from qtpy.QtGui import QPixmap

from napari_cellsci.panels._pictures import (
    Limits,
    limits_of,
    sample_rows,
    to_image,
    to_pixels,
)

if TYPE_CHECKING:
    from napari_cellsci.viewer.session import Session

Contrast: TypeAlias = Literal["movie", "crop"]
KEPT = 4000
"""Thumbnails kept; at 64 × 64 grey px these are 16 MB."""
_SAMPLED = 200


class Thumbnails:
    """Pictures of cells by row.

    Parameters
    ----------
    session : Session
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._contrast: Contrast = "movie"
        self._kept: OrderedDict[int, QPixmap] = OrderedDict()
        self._limits: dict[int, Limits] = {}

    @property
    def contrast(self) -> Contrast:
        """Whether display limits are those of the movie or of each crop."""
        return self._contrast

    @contrast.setter
    def contrast(self, contrast: Contrast) -> None:
        if contrast != self._contrast:
            self._contrast = contrast
            self._kept.clear()

    def clear(self) -> None:
        """Forget everything, when the crops have changed."""
        self._kept.clear()
        self._limits.clear()

    def pixmap(self, row: int) -> QPixmap:
        """Return the picture of a cell."""
        found = self._kept.get(row)
        if found is None:
            found = self._make(row)
            self._kept[row] = found
            if len(self._kept) > KEPT:
                self._kept.popitem(last=False)
        else:
            self._kept.move_to_end(row)
        return found

    def _make(self, row: int) -> QPixmap:
        crop = np.asarray(self._session.crops[row])[np.newaxis]
        limits = self.limits(row) if self._contrast == "movie" else None
        return QPixmap.fromImage(to_image(to_pixels(crop, limits)[0]))

    def limits(self, row: int) -> Limits:
        """Return the display limits of the movie of a cell."""
        table = self._session.table
        movie = 0 if table is None else int(table.movie[row])
        if movie not in self._limits and table is not None:
            rows = np.flatnonzero(table.movie == movie)
            picked = rows[np.asarray(sample_rows(len(rows), _SAMPLED), dtype=np.int64)]
            self._limits[movie] = limits_of(np.asarray(self._session.crops[picked]))
        return self._limits[movie]
