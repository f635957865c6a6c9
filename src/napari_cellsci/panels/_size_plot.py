"""Accuracy against size: a plot of points of which one can be hovered and picked."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any, ClassVar

from qtpy.QtCore import QEvent, QMarginsF, QPointF, QRectF, QSize, Qt, Signal
from qtpy.QtGui import QColor, QFont, QMouseEvent, QPainter, QPaintEvent, QPen
from qtpy.QtWidgets import QSizePolicy, QWidget

from napari_cellsci.panels._theme import Theme

CENTER = int(Qt.AlignmentFlag.AlignCenter.value)
SIDE = int((Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter).value)


class SizePlot(QWidget):
    """Things as points by their size and accuracy; a click picks one.

    Whoever derives from it says which things there are (`items`), where they lie
    (`place_of`), and how all of it is painted (`_paint`).

    Signals
    -------
    picked : object
        The thing that was clicked.
    """

    picked = Signal(object)
    margins: ClassVar[QMarginsF]
    usual_height: ClassVar[int]
    near: ClassVar[float]
    """How far from a point, in pixels, it still counts as hovered."""

    def __init__(self, theme: Theme, name: str) -> None:
        super().__init__()
        self._theme = theme
        self._hovered: Any = None
        self.setMouseTracking(True)
        self.setFixedHeight(self.usual_height)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.setAccessibleName(name)

    def sizeHint(self) -> QSize:
        """Return a usual size."""
        return QSize(320, self.usual_height)

    def set_theme(self, theme: Theme) -> None:
        """Take over the theme's colours."""
        self._theme = theme
        self.update()

    @property
    def items(self) -> Sequence[Any]:
        """The things that can be placed."""
        raise NotImplementedError

    def place_of(self, item: Any) -> QPointF:
        """Return where a thing is drawn."""
        raise NotImplementedError

    def _paint(self, painter: QPainter) -> None:
        raise NotImplementedError

    def item_at(self, place: QPointF) -> Any:
        """Return the thing nearest to a place, None if none is near."""
        best, least = None, self.near
        for item in self.items:
            gap = self.place_of(item) - place
            distance = math.hypot(gap.x(), gap.y())
            if distance < least:
                best, least = item, distance
        return best

    def _frame(self) -> QRectF:
        return QRectF(0, 0, self.width(), self.height()).marginsRemoved(self.margins)

    def _at(self, across: float, up: float) -> QPointF:
        """Return the place at fractions of the frame's width and height."""
        frame = self._frame()
        return QPointF(
            frame.left() + across * frame.width(), frame.bottom() - up * frame.height()
        )

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint everything, if there is anything."""
        if not self.items:
            return
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        font = QFont(self.font())
        font.setPointSizeF(max(font.pointSizeF() * 0.82, 6.5))
        painter.setFont(font)
        self._paint(painter)

    def _paint_frame(self, painter: QPainter) -> None:
        """Paint the line below and the line at the left."""
        frame = self._frame()
        painter.setPen(QColor(self._theme.line))
        painter.drawLine(frame.bottomLeft(), frame.bottomRight())
        painter.drawLine(frame.bottomLeft(), frame.topLeft())

    def _paint_rates(
        self,
        painter: QPainter,
        rates: Iterable[float],
        low: float,
        high: float,
        form: str,
    ) -> None:
        """Paint dotted lines at accuracies, of a plot from `low` up to `high`."""
        frame, theme = self._frame(), self._theme
        for rate in rates:
            y = self._at(0, (rate - low) / (high - low)).y()
            painter.setPen(QPen(QColor(theme.line), 0.6, Qt.PenStyle.DotLine))
            painter.drawLine(QPointF(frame.left(), y), QPointF(frame.right(), y))
            painter.setPen(QColor(theme.muted))
            place = QRectF(0, y - 8, frame.left() - 4, 16)
            painter.drawText(place, SIDE, format(rate, form))

    def _paint_titles(self, painter: QPainter, up: str, across: str) -> None:
        """Paint what runs upwards and what runs across."""
        painter.setPen(QColor(self._theme.text))
        painter.drawText(QRectF(4, 0, self.width() - 8, 16), 0, f"↑ {up}")
        foot = QRectF(4, self.height() - 16, self.width() - 12, 16)
        painter.drawText(foot, SIDE, f"{across} →")

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Mark the thing under the mouse."""
        item = self.item_at(event.position())
        if item is not self._hovered:
            self._hovered = item
            shape = Qt.CursorShape
            self.setCursor(shape.PointingHandCursor if item else shape.ArrowCursor)
            self.update()

    def leaveEvent(self, event: QEvent) -> None:
        """Mark none."""
        self._hovered = None
        self.update()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Pick the thing that was clicked."""
        item = self.item_at(event.position())
        if item is not None:
            self.picked.emit(item)
