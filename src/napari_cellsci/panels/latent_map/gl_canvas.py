"""The map drawn by vispy: 100,000 points in one call."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from psygnal import Signal
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QWidget
from vispy.color import Color
from vispy.scene import Node, SceneCanvas
from vispy.scene.visuals import Line, Markers, Rectangle
from vispy.visuals.transforms import STTransform

from napari_cellsci.panels.latent_map.canvas import Marks
from napari_cellsci.viewer.plane import PlaneView

EDGE, LINE, VEIL = 1.0, 1.5, 0.68
"""Widths (px) of the marks' edges and of lines; opacity of the veil."""
HALO = (7.0, 3.0)
"""Widths (px) of the halo around the ring of the present moment, and of that ring."""
_CLEAR = (0.0, 0.0, 0.0, 0.0)


class GLCanvas:
    """A `PlotCanvas` on OpenGL.

    A dock that floats becomes another window with another OpenGL context, in which
    nothing that was drawn before is known; vispy cannot follow, so the canvas is lost.

    Parameters
    ----------
    parent : QWidget
    """

    lost = Signal()

    def __init__(self, parent: QWidget) -> None:
        self.is_lost = False
        self._canvas = SceneCanvas(keys=None, show=False, parent=parent)
        self._known: Any = None
        self._canvas.events.draw.connect(self._on_draw)
        # Siblings are drawn in their order, each with all that is below it.
        self._below, self._above = self._plane(0), self._plane(2)
        self._points = self._markers(self._below, 0)
        self._veil = Rectangle(center=(0, 0), border_width=0, parent=self._canvas.scene)
        self._veil.order = 1
        self._veil.set_gl_state("translucent", depth_test=False)
        self._veil.visible = False
        self._chosen = self._markers(self._above, 0)
        self._rings = self._markers(self._above, 1)
        self._path = self._line(self._above, 2)
        self._stops = self._markers(self._above, 3)
        self._halo = self._markers(self._above, 4)
        self._now = self._markers(self._above, 5)
        self._outline = self._line(self._above, 6)
        self.widget: QWidget = self._canvas.native
        self.widget.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.widget.setFocusPolicy(Qt.FocusPolicy.NoFocus)

    def _on_draw(self, event: Any) -> None:
        """Listen to the context, which is there from the first drawing on."""
        if self._known is None:
            self._known = self.widget.context()
            self._known.aboutToBeDestroyed.connect(self._on_lost)

    def _on_lost(self) -> None:
        if not self.is_lost:
            self.is_lost = True
            self._canvas.events.draw.disconnect()
            self.lost.emit()

    def _plane(self, order: int) -> Any:
        plane = Node(parent=self._canvas.scene)
        plane.transform = STTransform()
        plane.order = order
        return plane

    def _markers(self, parent: Any, order: int) -> Any:
        markers = Markers(parent=parent)
        markers.order = order
        # Overlapping discs are blended in the order in which they come.
        markers.set_gl_state("translucent", depth_test=False)
        markers.visible = False
        return markers

    def _line(self, parent: Any, order: int) -> Any:
        line = Line(pos=np.zeros((2, 2)), parent=parent, width=LINE, antialias=True)
        line.order = order
        line.set_gl_state("translucent", depth_test=False)
        line.visible = False
        return line

    def set_view(self, view: PlaneView) -> None:
        """Show a part of the plane."""
        for plane in (self._below, self._above):
            plane.transform.scale = view.scale
            plane.transform.translate = view.offset
        self._veil.center = (view.width / 2, view.height / 2)
        self._veil.width, self._veil.height = view.width, view.height
        self._canvas.update()

    def set_background(self, color: str) -> None:
        """Fill the canvas."""
        self._canvas.bgcolor = color

    def set_marks(self, marks: Marks) -> None:
        """Draw the points."""
        self._draw(self._points, marks)

    def _draw(self, visual: Any, marks: Marks) -> None:
        # Without a graphics card smooth edges of 100,000 marks take half a second.
        visual.antialias = 0 if marks.plain else 1
        self._mark(
            visual,
            marks.xy,
            size=marks.size,
            edge_width=0 if marks.plain else EDGE,
            edge_color=marks.edge,
            face_color=marks.face,
            symbol=marks.symbols,
        )

    def set_chosen(self, marks: Marks, veil: str) -> None:
        """Draw some points again above a veil over all others; none lifts it."""
        self._veil.visible = bool(len(marks.xy))
        self._veil.color = Color(veil, VEIL)
        self._draw(self._chosen, marks)

    def _mark(self, visual: Any, xy: NDArray[Any], **looks: Any) -> None:
        visual.visible = bool(len(xy))
        if len(xy):
            visual.set_data(xy, **looks)

    def set_rings(self, xy: NDArray[np.float32], color: str, size: float) -> None:
        """Ring points."""
        looks = {"face_color": _CLEAR, "edge_color": color, "edge_width": 1.4}
        self._mark(self._rings, xy, size=size, symbol="disc", **looks)

    def set_path(
        self,
        xy: NDArray[np.float32],
        ink: NDArray[np.float32],
        stops: NDArray[np.float32],
        size: float,
    ) -> None:
        """Draw a line through points; `ink` and `stops` are colours."""
        self._path.visible = len(xy) > 1
        if len(xy) > 1:
            self._path.set_data(xy, color=ink)
        looks = {"face_color": stops, "edge_color": ink, "edge_width": 1.0}
        self._mark(self._stops, xy, size=size, symbol="disc", **looks)

    def set_now(
        self, xy: NDArray[np.float32], color: str, halo: str, size: float
    ) -> None:
        """Mark one point above everything."""
        looks = {"face_color": _CLEAR, "symbol": "disc"}
        around, ring = HALO
        self._mark(
            self._halo, xy, size=size, edge_color=halo, edge_width=around, **looks
        )
        inner = size - (around - ring)
        self._mark(
            self._now, xy, size=inner, edge_color=color, edge_width=ring, **looks
        )

    def set_outline(self, xy: NDArray[np.float32], color: str) -> None:
        """Draw the lasso's closed line."""
        self._outline.visible = len(xy) > 1
        if len(xy) > 1:
            self._outline.set_data(np.concatenate([xy, xy[:1]]), color=color)

    def close(self) -> None:
        """Let go of the OpenGL context."""
        self._canvas.close()
