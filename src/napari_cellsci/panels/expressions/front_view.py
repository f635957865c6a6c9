"""Accuracy against size: a point for every formula, a line through the best ones."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from qtpy.QtCore import QEvent, QPointF, QRectF, QSize, Qt, Signal
from qtpy.QtGui import (
    QColor,
    QFont,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QPolygonF,
)
from qtpy.QtWidgets import QSizePolicy, QToolTip, QWidget

from napari_cellsci.panels._theme import Theme
from napari_cellsci.panels.expressions.candidates import Candidate, front
from napari_cellsci.panels.expressions.words import percent, sizes

_LEFT, _TOP, _RIGHT, _BOTTOM = 44.0, 20.0, 14.0, 34.0
_HEIGHT, _NEAR, _POINT = 190, 14.0, 4.0


class FrontView(QWidget):
    """Formulas by size and balanced accuracy; a click picks one.

    Signals
    -------
    picked : object
        The `Candidate` that was clicked.
    """

    picked = Signal(object)

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self._items: list[Candidate] = []
        self._best: Candidate | None = None
        self._hovered: Candidate | None = None
        self.setMouseTracking(True)
        self.setFixedHeight(_HEIGHT)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.setAccessibleName("Accuracy against size of formulas")

    def sizeHint(self) -> QSize:
        """Return a usual size."""
        return QSize(320, _HEIGHT)

    def set_theme(self, theme: Theme) -> None:
        """Take over the theme's colours."""
        self._theme = theme
        self.update()

    def show_items(self, items: Sequence[Candidate], best: Candidate | None) -> None:
        """Show formulas, and which one the rule chooses."""
        self._items = [one for one in items if math.isfinite(one.rate)]
        self._best, self._hovered = best, None
        self.update()

    def _frame(self) -> QRectF:
        width = self.width() - _LEFT - _RIGHT
        return QRectF(_LEFT, _TOP, width, self.height() - _TOP - _BOTTOM)

    def _ranges(self) -> tuple[float, float, float, float]:
        sizes_ = [one.verdict.size for one in self._items]
        rates = [one.rate for one in self._items]
        low, high = min(min(rates), 0.5), max(max(rates), 0.6)
        return 0.0, max(sizes_) + 1.0, low - 0.02, min(high + 0.03, 1.02)

    def place_of(self, one: Candidate) -> QPointF:
        """Return where a formula is drawn."""
        left, right, low, high = self._ranges()
        frame = self._frame()
        x = (one.verdict.size - left) / (right - left)
        y = (one.rate - low) / (high - low)
        return QPointF(
            frame.left() + x * frame.width(), frame.bottom() - y * frame.height()
        )

    def item_at(self, place: QPointF) -> Candidate | None:
        """Return the formula nearest to a place, if it is near."""
        best, least = None, _NEAR
        for one in self._items:
            gap = self.place_of(one) - place
            distance = math.hypot(gap.x(), gap.y())
            if distance < least:
                best, least = one, distance
        return best

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint axes, the front, and the points."""
        if not self._items:
            return
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        font = QFont(self.font())
        font.setPointSizeF(max(font.pointSizeF() * 0.82, 6.5))
        painter.setFont(font)
        self._paint_axes(painter)
        accent = QColor(self._theme.accent)
        painter.setPen(QPen(accent, 1.6))
        spots = [self.place_of(one) for one in front(self._items)]
        painter.drawPolyline(QPolygonF(spots))
        for one in self._items:
            self._paint_point(painter, one)

    def _paint_point(self, painter: QPainter, one: Candidate) -> None:
        spot, theme = self.place_of(one), self._theme
        if math.isfinite(one.error):
            _, _, low, high = self._ranges()
            reach = one.error / (high - low) * self._frame().height()
            painter.setPen(QPen(QColor(theme.muted), 1))
            painter.drawLine(spot - QPointF(0, reach), spot + QPointF(0, reach))
        chosen = one is self._best
        painter.setPen(QPen(QColor(theme.text), 2 if chosen else 0.8))
        painter.setBrush(QColor(theme.accent))
        radius = _POINT + (2 if chosen or one is self._hovered else 0)
        painter.drawEllipse(spot, radius, radius)
        if chosen:
            place = QRectF(spot.x() - 8, spot.y() - 24, 16, 16)
            painter.drawText(place, int(_CENTER.value), "★")

    def _paint_axes(self, painter: QPainter) -> None:
        frame, theme = self._frame(), self._theme
        left, right, low, high = self._ranges()
        painter.setPen(QColor(theme.line))
        painter.drawLine(frame.bottomLeft(), frame.bottomRight())
        painter.drawLine(frame.bottomLeft(), frame.topLeft())
        step = 0.1 if high - low > 0.25 else 0.05 if high - low > 0.1 else 0.02
        for rate in (
            np.arange(math.ceil(low / step), math.floor(high / step) + 1) * step
        ):
            y = frame.bottom() - (rate - low) / (high - low) * frame.height()
            painter.setPen(QPen(QColor(theme.line), 0.6, Qt.PenStyle.DotLine))
            painter.drawLine(QPointF(frame.left(), y), QPointF(frame.right(), y))
            painter.setPen(QColor(theme.muted))
            place = QRectF(0, y - 8, frame.left() - 4, 16)
            painter.drawText(place, int(_SIDE.value), f"{rate:.0%}")
        every = max(1, round((right - left) / 6))
        for size in range(every, int(right) + 1, every):
            x = frame.left() + (size - left) / (right - left) * frame.width()
            place = QRectF(x - 16, frame.bottom() + 3, 32, 13)
            painter.drawText(place, int(_CENTER.value), str(size))
        painter.setPen(QColor(theme.text))
        painter.drawText(QRectF(4, 0, self.width(), 16), 0, "↑ balanced accuracy")
        foot = QRectF(4, self.height() - 16, self.width() - 12, 16)
        painter.drawText(foot, int(_SIDE.value), "size →")

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Tell of the formula under the mouse."""
        one = self.item_at(event.position())
        if one is not self._hovered:
            self._hovered = one
            shape = Qt.CursorShape
            self.setCursor(shape.PointingHandCursor if one else shape.ArrowCursor)
            self.update()
        if one is not None:
            rate = percent(one.rate)
            said = f"{one.expression.pretty()}\nsize {sizes(one.verdict)}, {rate}"
            QToolTip.showText(event.globalPosition().toPoint(), said, self)

    def leaveEvent(self, event: QEvent) -> None:
        """Forget the formula under the mouse."""
        self._hovered = None
        self.update()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Pick the formula that was clicked."""
        one = self.item_at(event.position())
        if one is not None:
            self.picked.emit(one)


_CENTER = Qt.AlignmentFlag.AlignCenter
_SIDE = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
