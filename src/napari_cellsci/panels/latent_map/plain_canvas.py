"""The map drawn without OpenGL, by pyqtgraph."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray
from psygnal import Signal
from qtpy.QtCore import Qt
from qtpy.QtGui import QColor
from qtpy.QtWidgets import QGraphicsRectItem, QWidget

from napari_cellsci.panels.latent_map.canvas import Marks
from napari_cellsci.viewer.plane import PlaneView

SYMBOLS = {
    "disc": "o",
    "triangle_up": "t1",
    "diamond": "d",
    "square": "s",
    "cross": "+",
    "ring": "o",
    "x": "x",
}
VEIL = 0.68
_NONE = np.zeros((0, 2))


class PlainCanvas:
    """A `PlotCanvas` on Qt's own painter; slower, but it works everywhere.

    Parameters
    ----------
    parent : QWidget
    """

    lost = Signal()
    is_lost = False

    def __init__(self, parent: QWidget) -> None:
        self._view_box = pg.ViewBox(enableMouse=False, enableMenu=False, border=None)
        self._graphics = pg.GraphicsView(parent, useOpenGL=False)
        self._graphics.setCentralItem(self._view_box)
        self._view_box.setDefaultPadding(0)
        self._points = pg.ScatterPlotItem(pxMode=True)
        self._veil = QGraphicsRectItem()
        self._veil.setPen(pg.mkPen(None))
        self._chosen = pg.ScatterPlotItem(pxMode=True)
        self._rings = pg.ScatterPlotItem(pxMode=True)
        self._path = pg.PlotCurveItem()
        self._stops = pg.ScatterPlotItem(pxMode=True)
        self._halo = pg.ScatterPlotItem(pxMode=True)
        self._now = pg.ScatterPlotItem(pxMode=True)
        self._outline = pg.PlotCurveItem()
        for item in (
            *(self._points, self._veil, self._chosen, self._rings),
            *(self._path, self._stops, self._halo, self._now, self._outline),
        ):
            self._view_box.addItem(item, ignoreBounds=True)
        self.widget: QWidget = self._graphics
        transparent = Qt.WidgetAttribute.WA_TransparentForMouseEvents
        self._graphics.setAttribute(transparent)
        self._graphics.viewport().setAttribute(transparent)
        self._graphics.setFocusPolicy(Qt.FocusPolicy.NoFocus)

    def set_view(self, view: PlaneView) -> None:
        """Show a part of the plane."""
        self._view_box.setRange(
            xRange=(view.left, view.right), yRange=(view.bottom, view.top), padding=0
        )
        wide, high = view.right - view.left, view.top - view.bottom
        self._veil.setRect(view.left, view.bottom, wide, high)

    def set_background(self, color: str) -> None:
        """Fill the canvas."""
        self._graphics.setBackground(color)

    def set_marks(self, marks: Marks) -> None:
        """Draw the points."""
        self._draw(self._points, marks)

    def set_chosen(self, marks: Marks, veil: str) -> None:
        """Draw some points again above a veil over all others; none lifts it."""
        color = QColor(veil)
        color.setAlphaF(VEIL)
        self._veil.setBrush(color)
        self._veil.setVisible(bool(len(marks.xy)))
        self._draw(self._chosen, marks)

    def _draw(self, item: Any, marks: Marks) -> None:
        item.setData(
            pos=marks.xy,
            size=marks.size,
            brush=_brushes(marks.face),
            pen=_pens(marks.edge),
            symbol=[SYMBOLS[name] for name in marks.symbols],
        )

    def set_rings(self, xy: NDArray[np.float32], color: str, size: float) -> None:
        """Ring points."""
        self._rings.setData(
            pos=xy, size=size, brush=None, pen=pg.mkPen(color, width=1.4)
        )

    def set_path(
        self,
        xy: NDArray[np.float32],
        ink: NDArray[np.float32],
        stops: NDArray[np.float32],
        size: float,
    ) -> None:
        """Draw a line through points; `ink` and `stops` are colours."""
        pens = _pens(ink)
        pen = pens[int(np.argmax(ink[:, 3]))] if len(pens) else None
        self._path.setData(xy[:, 0], xy[:, 1], pen=pen)
        self._stops.setData(pos=xy, size=size, brush=_brushes(stops), pen=pens)

    def set_now(
        self, xy: NDArray[np.float32], color: str, halo: str, size: float
    ) -> None:
        """Mark one point above everything."""
        for item, ink, width in ((self._halo, halo, 7), (self._now, color, 3)):
            item.setData(pos=xy, size=size, brush=None, pen=pg.mkPen(ink, width=width))

    def set_outline(self, xy: NDArray[np.float32], color: str) -> None:
        """Draw the lasso's closed line."""
        closed = np.concatenate([xy, xy[:1]]) if len(xy) > 1 else _NONE
        self._outline.setData(
            closed[:, 0], closed[:, 1], pen=pg.mkPen(color, width=1.5)
        )

    def close(self) -> None:
        """Let go of what is drawn."""
        self._graphics.close()


def _brushes(colors: NDArray[np.float32]) -> list[Any]:
    """Return a brush per colour; equal colours share one."""
    return _shared(colors, pg.mkBrush)


def _pens(colors: NDArray[np.float32]) -> list[Any]:
    return _shared(colors, pg.mkPen)


def _shared(colors: NDArray[np.float32], make: Any) -> list[Any]:
    whole = (np.clip(colors, 0, 1) * 255).astype(np.uint8)
    codes = np.ascontiguousarray(whole).view(np.uint32).reshape(-1)
    known, which = np.unique(codes, return_inverse=True)
    parts = known.view(np.uint8).reshape(-1, 4).tolist()
    made = [make(QColor(*part)) for part in parts]
    return [made[i] for i in which.reshape(-1)]
