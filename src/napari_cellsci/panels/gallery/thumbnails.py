"""Thumbnails made when they are first seen, the most recent ones kept."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import Qt
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
        self._edge: int | None = None
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

    @property
    def edge(self) -> int | None:
        """Edge the pictures are scaled to (px); None leaves them as cut."""
        return self._edge

    @edge.setter
    def edge(self, edge: int | None) -> None:
        if edge != self._edge:
            self._edge = edge
            self._kept.clear()

    def clear(self) -> None:
        """Forget everything, when the crops have changed."""
        self._kept.clear()
        self._limits.clear()

    def pixmap(self, row: int) -> QPixmap:
        """Return the picture of a cell."""
        if row not in self._kept:
            self.prepare(np.array([row]))
        self._kept.move_to_end(row)
        return self._kept[row]

    def prepare(self, rows: NDArray[np.int64]) -> None:
        """Make the pictures of cells that have none yet, read in one go."""
        new = np.array([row for row in rows.tolist() if row not in self._kept])
        if not new.size:
            return
        table = self._session.table
        movies = np.zeros(len(new), int) if table is None else table.movie[new]
        crops = np.asarray(self._session.crops[new])
        for movie in np.unique(movies):
            mine = np.flatnonzero(movies == movie)
            common = self._contrast == "movie"
            limits = self.limits(int(new[mine[0]])) if common else None
            pictures = to_pixels(crops[mine], limits)
            for row, picture in zip(new[mine].tolist(), pictures, strict=True):
                self._kept[row] = self._pixmap_of(picture)
        while len(self._kept) > KEPT:
            self._kept.popitem(last=False)

    def _pixmap_of(self, picture: NDArray[np.uint8]) -> QPixmap:
        image = to_image(picture)
        if self._edge is not None and self._edge != image.width():
            aspect, smooth = (
                Qt.AspectRatioMode.IgnoreAspectRatio,
                Qt.TransformationMode.SmoothTransformation,
            )
            image = image.scaled(self._edge, self._edge, aspect, smooth)
        return QPixmap.fromImage(image)

    def limits(self, row: int) -> Limits:
        """Return the display limits of the movie of a cell."""
        table = self._session.table
        movie = 0 if table is None else int(table.movie[row])
        if movie not in self._limits and table is not None:
            rows = np.flatnonzero(table.movie == movie)
            picked = rows[np.asarray(sample_rows(len(rows), _SAMPLED), dtype=np.int64)]
            self._limits[movie] = limits_of(np.asarray(self._session.crops[picked]))
        return self._limits[movie]
