"""The map's plot: a canvas of points with ticks around it, read by the mouse."""

from __future__ import annotations

from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QEvent, QPointF, QRect, QRectF, QSize, Qt, QTimer, Signal
from qtpy.QtGui import (
    QColor,
    QFontMetricsF,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QResizeEvent,
    QTextOption,
    QWheelEvent,
)
from qtpy.QtWidgets import QSizePolicy, QWidget

from napari_cellsci.panels._theme import STEP, Theme
from napari_cellsci.panels.latent_map.canvas import Marks, PlotCanvas, new_canvas
from napari_cellsci.panels.latent_map.guests import GuestMarks, Guests
from napari_cellsci.viewer.colors import rgba
from napari_cellsci.viewer.lasso import PlanePoints
from napari_cellsci.viewer.plane import PlaneView, ticks

Tool: TypeAlias = Literal["lasso", "rectangle", "move"]
Joining: TypeAlias = Literal["replace", "add", "remove"]

DRAG_PX = 4
"""A press that moved less than this is a click."""
STRIDE_PX = 2.0
"""Corners of a lasso are at least this far apart."""
REACH_PX = 9.0
"""A cell is hit from this far."""
ZOOM = 1.2
HOVER_MS = 20
TICK_PX = 52
MOST_RINGS = 100
"""More selected cells than these are not ringed: the rings would hide them."""
NEAR, FAINTEST = 5.0, 0.12
"""How many frames of a track are plain to see, and how faint the others become."""
_NOWHERE = np.zeros((0, 2), np.float32)
_BUTTON = Qt.MouseButton
_KEY = Qt.KeyboardModifier


class MapPlot(QWidget):
    """Points of a plane; lasso, rectangle, click, hover, zoom and drag.

    Signals
    -------
    picked : (int, str)
        A point was clicked; "replace", "add" or "remove".
    opened : int
        A point was double-clicked.
    enclosed : (array, str)
        Points within a lasso or rectangle; "replace", "add" or "remove".
    hovered : object
        The point under the mouse, or None.
    stepped : int
        An arrow key asks for the next or the previous cell.
    cleared :
        Escape was pressed.
    """

    picked = Signal(int, str)
    opened = Signal(int)
    enclosed = Signal(object, str)
    hovered = Signal(object)
    stepped = Signal(int)
    cleared = Signal()

    def __init__(self, *, gl: bool | None = None) -> None:
        super().__init__()
        self._gl = gl
        self.canvas: PlotCanvas | None = None
        self._making = False
        self.tool: Tool = "lasso"
        self.view = PlaneView()
        self.points = PlanePoints(np.zeros((0, 2)))
        self.guests = GuestMarks(self)
        self._words = ""
        self._marks = Marks.none()
        self._path = self._now = _NOWHERE
        self._selected = self._places = np.empty(0, np.int64)
        self._stops = np.zeros((0, 4), np.float32)
        self._fading = np.zeros(0, np.float32)
        self._theme: Theme | None = None
        self._start: QPointF | None = None
        self._last: QPointF | None = None
        self._trail: list[tuple[float, float]] = []
        self._panning = False
        self._hovered: int | None = None
        self._mouse: QPointF | None = None
        self._renew = QTimer(self)
        self._renew.setSingleShot(True)
        self._renew.timeout.connect(self.open_canvas)
        self._wait = QTimer(self)
        self._wait.setSingleShot(True)
        self._wait.setInterval(HOVER_MS)
        self._wait.timeout.connect(self._look_under_mouse)
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setMinimumSize(200, 180)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setAccessibleName("Map of all cells")

    def sizeHint(self) -> QSize:
        """Return the least size; the plot takes what is left by everything else."""
        return QSize(320, self.minimumHeight())

    def open_canvas(self) -> None:
        """Make the canvas when the plot is first seen, or when it was lost."""
        lost = self.canvas is not None and self.canvas.is_lost
        # vispy lets the window work while it makes or closes a canvas.
        if (self.canvas is None or lost) and not self._making:
            self._making = True
            try:
                self._drop_canvas()
                self.canvas = new_canvas(self, gl=self._gl)
            finally:
                self._making = False
            self.canvas.lost.connect(self._on_lost)
            self.canvas.widget.setGeometry(self._inside())
            self.canvas.widget.lower()
            self._redraw()
        if self.canvas is not None:
            self.canvas.widget.setVisible(not self._words)

    def _on_lost(self) -> None:
        # The window is about to change: wait until it has.
        self._renew.start(0)

    def close_canvas(self) -> None:
        """Let go of the canvas."""
        self._wait.stop()
        self._renew.stop()
        self._drop_canvas()

    def _drop_canvas(self) -> None:
        canvas, self.canvas = self.canvas, None
        if canvas is not None:
            canvas.widget.hide()
            canvas.widget.setParent(None)
            canvas.close()

    def say(self, words: str) -> None:
        """Show a sentence instead of points; "" shows the points again."""
        self._words = words
        if self.canvas is not None:
            self.canvas.widget.setVisible(not words)
        self.update()

    def set_theme(self, theme: Theme) -> None:
        """Take over the theme's colours."""
        self._theme = theme
        self.guests.set_theme(theme)
        self._redraw()
        self.update()

    def show_points(self, marks: Marks, points: PlanePoints, *, fit: bool) -> None:
        """Draw points.

        Parameters
        ----------
        marks : Marks
            In the order in which they are drawn.
        points : PlanePoints
            The same in the order of the cells.
        fit : bool
            Whether to show all of them.
        """
        self._marks, self.points = marks, points
        self._places = np.full(len(points), -1, np.int64)
        self._places[marks.rows] = np.arange(len(marks.rows))
        self._selected = self._selected[self._selected < len(points)]
        if fit:
            self.view = self.view.fitted(points.xy)
        self._redraw()
        self.update()

    def show_selected(self, rows: NDArray[np.int64]) -> None:
        """Bring several selected cells forward; ring them if they are few.

        The present cell has a mark of its own: alone it is not ringed.
        """
        self._selected = rows if len(rows) > 1 else rows[:0]
        canvas, theme, marks = self.canvas, self._theme, self._marks
        if canvas is None or theme is None:
            return
        places = self._places[self._selected]
        chosen = marks.taken(places[places >= 0])
        canvas.set_chosen(chosen, theme.background)
        ringed = chosen.xy if len(chosen.xy) <= MOST_RINGS else chosen.xy[:0]
        canvas.set_rings(ringed, theme.text, marks.size + 4)

    def show_path(
        self, xy: NDArray[np.float32], colors: NDArray[np.float32], now: int | None
    ) -> None:
        """Draw the way of a track through the map.

        Parameters
        ----------
        xy : array (k, 2)
            In the order of time.
        colors : array (k, 4)
        now : int or None
            Which of them is the present one; the way fades away from it.
        """
        known = np.isfinite(xy).all(axis=1)
        fading = _fading(len(xy), now)[known]
        self._path, self._stops, self._fading = xy[known], colors[known], fading
        self._now = xy[now : now + 1] if now is not None and known[now] else _NOWHERE
        self._draw_path()

    def _draw_path(self) -> None:
        canvas, theme = self.canvas, self._theme
        if canvas is None or theme is None:
            return
        ink = np.tile(rgba(theme.text), (len(self._path), 1))
        stops = self._stops.copy()
        ink[:, 3] = self._fading
        stops[:, 3] = np.maximum(self._fading, 0.3)
        size = self._marks.size
        canvas.set_path(self._path, ink, stops, size)
        canvas.set_now(self._now, theme.accent, theme.background, size + 14)

    def show_guests(self, guests: Guests) -> None:
        """Mark and name points that are no cells, above everything."""
        self.guests.show_guests(guests, self.view)

    def _redraw(self) -> None:
        theme = self._theme
        if self.canvas is None or theme is None:
            return
        self.canvas.set_background(theme.background)
        self.canvas.set_view(self.view)
        self.canvas.set_marks(self._marks)
        self.show_selected(self._selected)
        self._draw_path()

    def fit(self) -> None:
        """Show all points."""
        self._look_at(self.view.fitted(self.points.xy))

    def _look_at(self, view: PlaneView) -> None:
        self.view = view
        self.guests.show_guests(self.guests.guests, view)
        if self.canvas is not None:
            self.canvas.set_view(view)
        self.update()

    def _inside(self) -> QRect:
        """Return where the canvas lies, within the ticks."""
        metrics = QFontMetricsF(self.font())
        left = round(metrics.horizontalAdvance("−0.00")) + STEP
        bottom = round(metrics.height()) + STEP
        return QRect(left, 1, self.width() - left - 1, self.height() - bottom - 1)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Keep the same part of the plane in view."""
        super().resizeEvent(event)
        inside = self._inside()
        self.guests.setGeometry(inside)
        if self.canvas is not None:
            self.canvas.widget.setGeometry(inside)
        self._look_at(self.view.resized(inside.width(), inside.height()))

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint frame, ticks and numbers around the canvas."""
        theme = self._theme
        if theme is None:
            return
        painter = QPainter(self)
        inside = self._inside()
        painter.setPen(QPen(QColor(theme.line), 1))
        painter.drawRect(inside.adjusted(-1, -1, 0, 0))
        if self._words:
            painter.setPen(QColor(theme.muted))
            place = QRectF(inside.adjusted(16, 8, -16, -8))
            option = QTextOption(Qt.AlignmentFlag.AlignCenter)
            option.setWrapMode(QTextOption.WrapMode.WordWrap)
            painter.drawText(place, self._words, option)
            return
        painter.setPen(QColor(theme.muted))
        self._paint_x(painter, inside)
        self._paint_y(painter, inside)

    def _paint_x(self, painter: QPainter, inside: QRect) -> None:
        view, line = self.view, self.fontMetrics().height()
        values, decimals = ticks(view.left, view.right, inside.width() // TICK_PX)
        bottom = inside.bottom() + 1
        for value in values:
            x = inside.left() + view.to_pixels(np.array([[value, view.bottom]]))[0, 0]
            painter.drawLine(QPointF(x, bottom), QPointF(x, bottom + 3))
            words = _number(value, decimals)
            wide = self.fontMetrics().horizontalAdvance(words)
            left = min(max(x - wide / 2, 0), self.width() - wide)
            painter.drawText(QPointF(left, bottom + line), words)

    def _paint_y(self, painter: QPainter, inside: QRect) -> None:
        view, metrics = self.view, self.fontMetrics()
        values, decimals = ticks(view.bottom, view.top, inside.height() // TICK_PX)
        left, line = inside.left() - 1, metrics.height()
        right = int((Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter).value)
        for value in values:
            y = inside.top() + view.to_pixels(np.array([[view.left, value]]))[0, 1]
            painter.drawLine(QPointF(left - 3, y), QPointF(left, y))
            top = min(max(y - line / 2, 0), self.height() - line)
            place = QRectF(0, top, left - 5, line)
            painter.drawText(place, right, _number(value, decimals))

    def _pixel(self, at: QPointF) -> tuple[float, float]:
        inside = self._inside()
        return at.x() - inside.left(), at.y() - inside.top()

    def cell_at(self, at: QPointF) -> int | None:
        """Return the point at a place of the widget."""
        if self._words or not len(self.points):
            return None
        x, y = self.view.to_plane(self._pixel(at))[0]
        return self.points.nearest((x, y), self.view.unit, REACH_PX)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Begin a click, a lasso, or a drag of the view."""
        self._start = self._last = event.position()
        self._panning = event.button() != _BUTTON.LeftButton or self.tool == "move"
        self._trail = []

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Draw the lasso, drag the view, or look what is under the mouse."""
        at = event.position()
        if self._start is None or not event.buttons():
            self._mouse = at
            if not self._wait.isActive():
                self._wait.start()
            return
        far = (at - self._start).manhattanLength() >= DRAG_PX
        if not self._trail and not far:
            return
        self._hover(None)
        if self._panning and self._last is not None:
            moved = at - self._last
            self._trail = [self._pixel(at)]
            self._look_at(self.view.moved(moved.x(), moved.y()))
        elif self.tool == "rectangle":
            self._trail = _corners(self._pixel(self._start), self._pixel(at))
            self._draw_trail()
        else:
            self._extend(self._pixel(at))
        self._last = at

    def _extend(self, pixel: tuple[float, float]) -> None:
        """Lead the lasso on to a place."""
        if not self._trail and self._start is not None:
            self._trail = [self._pixel(self._start)]
        last = self._trail[-1]
        if np.hypot(pixel[0] - last[0], pixel[1] - last[1]) >= STRIDE_PX:
            self._trail.append(pixel)
            self._draw_trail()

    def _draw_trail(self) -> None:
        if self.canvas is not None and self._theme is not None:
            corners = self.view.to_plane(self._trail).astype(np.float32)
            self.canvas.set_outline(corners, self._theme.text)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """Select what was clicked or enclosed."""
        start, trail, panning = self._start, self._trail, self._panning
        self._start, self._trail = None, []
        if start is None:
            return
        joining = _joining(event.modifiers())
        if not trail:
            if event.button() == _BUTTON.LeftButton:
                row = self.cell_at(event.position())
                if row is not None:
                    self.picked.emit(row, joining)
        elif not panning:
            if self.canvas is not None and self._theme is not None:
                self.canvas.set_outline(_NOWHERE, self._theme.text)
            self.enclosed.emit(self.points.inside(self.view.to_plane(trail)), joining)

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        """Open a cell, or show everything."""
        self._start = None
        row = self.cell_at(event.position())
        if row is None:
            self.fit()
        else:
            self.opened.emit(row)

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Zoom about the mouse."""
        turns = event.angleDelta().y() / 120
        if turns and not self._words:
            self._look_at(self.view.zoomed(self._pixel(event.position()), ZOOM**turns))
        event.accept()

    def leaveEvent(self, event: QEvent) -> None:
        """Forget what was under the mouse."""
        self._mouse = None
        self._hover(None)
        super().leaveEvent(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Step along the track, clear the selection, or show everything."""
        steps = {Qt.Key.Key_Left: -1, Qt.Key.Key_Right: 1}
        if event.key() in steps:
            self.stepped.emit(steps[event.key()])
        elif event.key() == Qt.Key.Key_Escape:
            self.cleared.emit()
        elif event.key() == Qt.Key.Key_Home:
            self.fit()
        else:
            super().keyPressEvent(event)

    def _look_under_mouse(self) -> None:
        self._hover(None if self._mouse is None else self.cell_at(self._mouse))

    def _hover(self, row: int | None) -> None:
        if row != self._hovered:
            self._hovered = row
            self.hovered.emit(row)

    def place_of(self, row: int) -> QPointF:
        """Return where a point lies in the widget."""
        x, y = self.view.to_pixels(self.points.xy[row])[0]
        inside = self._inside()
        return QPointF(x + inside.left(), y + inside.top())


def _fading(n: int, now: int | None) -> NDArray[np.float32]:
    """Return the opacity of each of n cells of a track, 1 at the present one."""
    if now is None:
        return np.full(n, 0.5, np.float32)
    away = (np.arange(n) - now) / NEAR
    return (FAINTEST + (1 - FAINTEST) * np.exp(-(away**2))).astype(np.float32)


def _joining(keys: Qt.KeyboardModifier) -> Joining:
    if keys & (_KEY.ShiftModifier | _KEY.ControlModifier):
        return "add"
    return "remove" if keys & _KEY.AltModifier else "replace"


def _corners(
    a: tuple[float, float], b: tuple[float, float]
) -> list[tuple[float, float]]:
    return [a, (b[0], a[1]), b, (a[0], b[1])]


def _number(value: float, decimals: int) -> str:
    words = f"{value:.{decimals}f}".replace("-", "\N{MINUS SIGN}")
    return words.lstrip("\N{MINUS SIGN}") if value == 0 else words
