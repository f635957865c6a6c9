"""Painting a response to one input: a curve, its sides, and where cells lie."""

from __future__ import annotations

import numpy as np
from qtpy.QtCore import QPointF, QRectF, Qt
from qtpy.QtGui import QColor, QPainter, QPen, QPolygonF

from napari_cellsci.panels._theme import Theme, mix
from napari_cellsci.panels.network.response_picture import ResponsePicture, short

_BINS = 40


class CurvePaint:
    """A curve over one input.

    Parameters
    ----------
    picture : ResponsePicture
        Of one input.
    """

    def __init__(self, picture: ResponsePicture) -> None:
        self._picture = picture

    def paint(self, painter: QPainter, frame: QRectF, theme: Theme) -> None:
        """Paint the curve into a frame."""
        low, high = self._span()
        zero = min(max(self._y(frame, 0.0), frame.top()), frame.bottom())
        scale = self._picture.scale
        for color, top, bottom in (
            (scale.positive, frame.top(), zero),
            (scale.negative, zero, frame.bottom()),
        ):
            tint = QColor(mix(theme.background, color, 0.18))
            side = QRectF(frame.left(), top, frame.width(), bottom - top)
            painter.fillRect(side, tint)
        painter.setPen(QPen(QColor(theme.muted), 1, Qt.PenStyle.DashLine))
        painter.drawLine(QPointF(frame.left(), zero), QPointF(frame.right(), zero))
        self._paint_histogram(painter, frame, theme)
        self._paint_line(painter, frame, theme)
        self._paint_here(painter, frame, theme)
        painter.setPen(QColor(theme.muted))
        middle = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
        for value in (low, 0.0, high):
            y = min(max(self._y(frame, value), frame.top() + 6), frame.bottom() - 6)
            box = QRectF(0, y - 8, frame.left() - 4, 16)
            painter.drawText(box, int(middle.value), short(value))

    def _y(self, frame: QRectF, value: float) -> float:
        low, high = self._span()
        return frame.bottom() - (value - low) / (high - low) * frame.height()

    def _paint_line(self, painter: QPainter, frame: QRectF, theme: Theme) -> None:
        total = self._picture.response.total
        xs = np.linspace(frame.left(), frame.right(), len(total)).tolist()
        line = [
            QPointF(x, self._y(frame, value))
            for x, value in zip(xs, total.tolist(), strict=True)
        ]
        painter.setPen(QPen(QColor(theme.text), 2))
        painter.drawPolyline(QPolygonF(line))

    def _paint_here(self, painter: QPainter, frame: QRectF, theme: Theme) -> None:
        """Mark the selected cell."""
        if self._picture.here is None:
            return
        axis, total = self._picture.response.axes[0], self._picture.response.total
        x = float(self._picture.here[0])
        part = min(max((x - axis[0]) / (axis[-1] - axis[0]), 0.0), 1.0)
        y = self._y(frame, float(np.interp(x, axis, total)))
        painter.setBrush(QColor(theme.accent))
        painter.setPen(QPen(QColor(theme.background), 1.5))
        painter.drawEllipse(QPointF(frame.left() + part * frame.width(), y), 5, 5)

    def _span(self) -> tuple[float, float]:
        """Return the values between which the curve is drawn; 0 is among them."""
        total = self._picture.response.total
        low, high = min(float(total.min()), 0.0), max(float(total.max()), 0.0)
        edge = 0.08 * ((high - low) or 1.0)
        return low - edge, high + edge

    def _paint_histogram(self, painter: QPainter, frame: QRectF, theme: Theme) -> None:
        """Show where cells lie along the input."""
        if self._picture.cells is None:
            return
        axis = self._picture.response.axes[0]
        counts, _ = np.histogram(
            self._picture.cells[:, 0], bins=_BINS, range=(axis[0], axis[-1])
        )
        highest = counts.max() or 1
        ink = QColor(theme.text)
        ink.setAlpha(50)
        width = frame.width() / _BINS
        for i, count in enumerate(counts.tolist()):
            height = 26 * count / highest
            painter.fillRect(
                QRectF(
                    frame.left() + i * width, frame.bottom() - height, width, height
                ),
                ink,
            )
