"""What draws the map's points: OpenGL where it works, else pyqtgraph.

A canvas only draws. The mouse is read by the plot that holds it.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from functools import cache
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from psygnal import SignalInstance
from qtpy.QtWidgets import QWidget

from napari_cellsci.viewer.plane import PlaneView

Floats = NDArray[np.float32]
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False, slots=True)
class Marks:
    """Points in the order in which they are drawn.

    Parameters
    ----------
    xy : array (n, 2)
    face, edge : array (n, 4)
    symbols : array (n,) of str
        Names as vispy and napari know them.
    size : float
        Diameter (px).
    rows : array (n,) of int
        Which cells they are.
    plain : bool
        Whether they are too many for edges and smooth borders.
    """

    xy: Floats
    face: Floats
    edge: Floats
    symbols: NDArray[np.object_]
    size: float
    rows: NDArray[np.int64]
    plain: bool = False

    def taken(self, places: NDArray[np.int64]) -> Marks:
        """Return some of the points, opaque."""
        face = self.face[places].copy()
        face[:, 3] = np.maximum(face[:, 3], 0.6)
        xy, edge, symbols = self.xy[places], self.edge[places], self.symbols[places]
        size = self.size + (not self.plain)
        return Marks(xy, face, edge, symbols, size, self.rows[places], self.plain)

    @classmethod
    def none(cls) -> Marks:
        """Return no points."""
        empty = np.zeros((0, 4), np.float32)
        rows, names = np.empty(0, np.int64), np.empty(0, object)
        return cls(empty[:, :2], empty, empty, names, 1.0, rows)


class PlotCanvas(Protocol):
    """What the plot asks of whatever draws."""

    lost: SignalInstance
    """Emitted when what was drawn is lost: another canvas has to be made."""

    @property
    def is_lost(self) -> bool:
        """Whether what was drawn is lost."""

    @property
    def widget(self) -> QWidget:
        """The widget to put into a layout."""

    def set_view(self, view: PlaneView) -> None:
        """Show a part of the plane."""

    def set_background(self, color: str) -> None:
        """Fill the canvas."""

    def set_marks(self, marks: Marks) -> None:
        """Draw the points."""

    def set_chosen(self, marks: Marks, veil: str) -> None:
        """Draw some points again above a veil over all others; none lifts it."""

    def set_rings(self, xy: Floats, color: str, size: float) -> None:
        """Ring points."""

    def set_path(self, xy: Floats, ink: Floats, stops: Floats, size: float) -> None:
        """Draw a line through points (k, 2); `ink` and `stops` are colours (k, 4)."""

    def set_now(self, xy: Floats, color: str, halo: str, size: float) -> None:
        """Mark one point (1, 2), or none (0, 2), above everything."""

    def set_outline(self, xy: Floats, color: str) -> None:
        """Draw the lasso's closed line."""

    def close(self) -> None:
        """Let go of what the canvas holds."""


@cache
def gl_works() -> bool:
    """Return whether an OpenGL context can be made here."""
    from qtpy.QtGui import QOffscreenSurface, QOpenGLContext

    context, surface = QOpenGLContext(), QOffscreenSurface()
    surface.create()
    return bool(context.create() and context.makeCurrent(surface))


def new_canvas(parent: QWidget, *, gl: bool | None = None) -> PlotCanvas:
    """Return a canvas that works here.

    Parameters
    ----------
    parent : QWidget
    gl : bool, optional
        Whether to draw with OpenGL; by default if it works.
    """
    if gl_works() if gl is None else gl:
        try:
            from napari_cellsci.panels.latent_map.gl_canvas import GLCanvas

            return GLCanvas(parent)
        except Exception:  # noqa: BLE001 - drivers fail in their own ways
            _LOG.warning("OpenGL failed; the map is drawn without it.", exc_info=True)
    from napari_cellsci.panels.latent_map.plain_canvas import PlainCanvas

    return PlainCanvas(parent)
