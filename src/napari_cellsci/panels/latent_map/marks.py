"""How the cells look in the map, and in which order they are drawn."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from napari_cellsci.panels.latent_map.canvas import Marks
from napari_cellsci.viewer import map_colors, painted
from napari_cellsci.viewer.map_colors import MapColor

if TYPE_CHECKING:
    from napari_cellsci.viewer.colors import FloatArray
    from napari_cellsci.viewer.session import Session

SIZES = ((1_500, 9.0), (6_000, 7.0), (20_000, 5.5), (10**9, 4.0))
"""Diameter (px) of a mark up to so many cells."""
MANY = 20_000
"""From here on shapes are too small to be told apart: all are plain discs."""
HOLLOW, DENSE = 0.3, 0.75
"""Opacity of the inside of predicted cells, and of cells among very many."""


def size_of(n: int) -> float:
    """Return the diameter (px) of a mark among n."""
    return next(size for most, size in SIZES if n <= most)


def marks_of(
    session: Session, by: MapColor, xy: NDArray[np.float32], colors: FloatArray
) -> Marks:
    """Return what to draw, those without a meaning of their colour first.

    The others come in an order that has nothing to do with theirs in the project, so
    that no movie or time covers another.

    Parameters
    ----------
    session : Session
    by : str
        Meaning of the colours.
    xy : array (n, 2)
        Cells without a place are left out.
    colors : array (n, 4)
    """
    order = _order(map_colors.has_color(session, by), np.isfinite(xy).all(axis=1))
    edge = colors[order]
    face = edge.copy()
    n = len(order)
    if n > MANY:
        face[:, 3] = DENSE
        symbols = np.full(n, "disc", object)
        return Marks(xy[order], face, face, symbols, size_of(n), order, plain=True)
    by_class = map_colors.usable(session, by) in ("score", "prediction", "label")
    if by_class:
        face[session.label_codes()[order] < 0, 3] *= HOLLOW
        symbols = painted.symbols(session)[order]
        # A ring of nothing but its edge would vanish among the others.
        symbols[symbols == painted.OUTSIDE_SYMBOL] = "disc"
    else:
        face[:, 3] = DENSE
        symbols = np.full(n, "disc", object)
    return Marks(xy[order], face, edge, symbols, size_of(n), order)


def _order(
    has_color: NDArray[np.bool_], has_place: NDArray[np.bool_]
) -> NDArray[np.int64]:
    shuffled = np.random.default_rng(0).permutation(len(has_color))
    grey = shuffled[~has_color[shuffled]]
    order = np.concatenate([grey, shuffled[has_color[shuffled]]])
    return order[has_place[order]]
