"""Painting a response to two inputs: colours, contours, arrows, cells."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QPointF, QRectF, Qt
from qtpy.QtGui import QColor, QPainter, QPen, QPolygonF

from napari_cellsci.explain.topology import Floats
from napari_cellsci.panels._pictures import to_image
from napari_cellsci.panels._theme import Theme
from napari_cellsci.panels.network.response_picture import ResponsePicture, short

_LEVELS = 7


class MapPaint:
    """A map that is computed once and painted often.

    Parameters
    ----------
    picture : ResponsePicture
        Of two inputs.
    """

    def __init__(self, picture: ResponsePicture) -> None:
        self._picture = picture
        total = picture.response.total
        colors = picture.scale.colors(total.astype(np.float32).ravel())[:, :3]
        pixels = (colors.reshape(*total.shape, 3) * 255).astype(np.uint8)
        # The second input grows upwards.
        self._image = to_image(np.ascontiguousarray(pixels[::-1]))
        n = total.shape[0] - 1
        self._lines = [
            (
                level,
                [
                    QPolygonF([QPointF(x / n, 1 - y / n) for x, y in line])
                    for line in lines
                ],
            )
            for level, lines in contours(total)
        ]

    def paint(self, painter: QPainter, frame: QRectF, theme: Theme) -> None:
        """Paint the map into a square."""
        painter.drawImage(frame, self._image)
        painter.save()
        painter.setClipRect(frame)
        self._paint_cells(painter, frame)
        for level, shapes in self._lines:
            zero = abs(level) < 1e-9
            ink = QColor("#000000")
            ink.setAlpha(230 if zero else 90)
            painter.setPen(QPen(ink, 2.2 if zero else 0.8))
            for shape in shapes:
                places = [self._at(frame, p.x(), p.y()) for p in shape]
                painter.drawPolyline(QPolygonF(places))
        self._paint_arrows(painter, frame)
        self._paint_here(painter, frame)
        painter.restore()
        self._paint_scale(painter, frame, theme)

    def _at(self, frame: QRectF, x: float, y: float) -> QPointF:
        return QPointF(
            frame.left() + x * frame.width(), frame.top() + y * frame.height()
        )

    def _spots(self, frame: QRectF, points: NDArray[np.floating]) -> list[QPointF]:
        (x_low, x_high), (y_low, y_high) = (
            (float(axis[0]), float(axis[-1])) for axis in self._picture.response.axes
        )
        x = (points[:, 0] - x_low) / (x_high - x_low)
        y = 1 - (points[:, 1] - y_low) / (y_high - y_low)
        return [
            self._at(frame, a, b) for a, b in zip(x.tolist(), y.tolist(), strict=True)
        ]

    def _paint_cells(self, painter: QPainter, frame: QRectF) -> None:
        if self._picture.cells is None:
            return
        ink = QColor("#000000")
        ink.setAlpha(70)
        painter.setPen(QPen(ink, 2.4, cap=Qt.PenCapStyle.RoundCap))
        painter.drawPoints(QPolygonF(self._spots(frame, self._picture.cells)))

    def _paint_arrows(self, painter: QPainter, frame: QRectF) -> None:
        if self._picture.arrows is None:
            return
        points, slopes = self._picture.arrows
        size = np.hypot(slopes[:, 0], slopes[:, 1])
        largest = float(size.max()) or 1.0
        longest = 0.7 * frame.width() / max(np.sqrt(len(points)), 1)
        ink = QColor("#FFFFFF")
        ink.setAlpha(190)
        painter.setPen(QPen(ink, 1.1))
        spots = self._spots(frame, points)
        for spot, slope, length in zip(spots, slopes, size, strict=True):
            if length < 0.04 * largest:
                continue
            reach = longest * float(np.sqrt(length / largest)) / float(length)
            # Pixels grow downwards.
            step = QPointF(float(slope[0]) * reach, -float(slope[1]) * reach)
            tail, tip = spot - step / 2, spot + step / 2
            side = QPointF(-step.y(), step.x()) * 0.18
            painter.drawLine(tail, tip)
            painter.drawLine(tip, tip - step * 0.3 + side)
            painter.drawLine(tip, tip - step * 0.3 - side)

    def _paint_here(self, painter: QPainter, frame: QRectF) -> None:
        if self._picture.here is None:
            return
        spot = self._spots(frame, self._picture.here[None])[0]
        for color, width in (("#000000", 4.0), ("#FFFFFF", 2.0)):
            painter.setPen(QPen(QColor(color), width))
            painter.drawEllipse(spot, 5, 5)

    def _paint_scale(self, painter: QPainter, frame: QRectF, theme: Theme) -> None:
        """Paint the colour bar: which colour is which value."""
        total = self._picture.response.total
        low, high = float(total.min()), float(total.max())
        bar = QRectF(frame.right() + 6, frame.top(), 8, frame.height())
        values = np.linspace(high, low, 64, dtype=np.float32)
        colors = (self._picture.scale.colors(values)[:, None, :3] * 255).astype(
            np.uint8
        )
        painter.drawImage(bar, to_image(np.ascontiguousarray(colors)))
        painter.setPen(QColor(theme.muted))
        ticks = {low, high}
        if low < 0 < high and min(-low, high) > 0.12 * (high - low):
            ticks.add(0.0)
        side = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
        for tick in ticks:
            y = bar.top() + (high - tick) / ((high - low) or 1) * bar.height()
            y = min(max(y, bar.top() + 6), bar.bottom() - 6)
            place = QRectF(bar.right() + 2, y - 8, 28, 16)
            painter.drawText(place, int(side.value), short(tick))


def contours(
    values: Floats, levels: int = _LEVELS
) -> list[tuple[float, list[NDArray[np.float64]]]]:
    """Return lines of equal value as (level, list of (n, 2) grid places x, y).

    Levels are round numbers; 0 is among them wherever it occurs.
    """
    from skimage.measure import find_contours

    low, high = float(values.min()), float(values.max())
    if high - low < 1e-9:
        return []
    step = _round((high - low) / levels)
    ticks = np.arange(np.ceil(low / step), np.floor(high / step) + 1) * step
    return [
        (float(level), [line[:, ::-1] for line in find_contours(values, level)])
        for level in ticks
    ]


def _round(value: float) -> float:
    power = 10.0 ** np.floor(np.log10(value))
    return float(power * min((1, 2, 2.5, 5, 10), key=lambda s: abs(s - value / power)))
