"""A response painted: a curve over one input, a map over two."""

from __future__ import annotations

import numpy as np
from qtpy.QtCore import QEvent, QPointF, QRectF, QSize, Qt, Signal
from qtpy.QtGui import (
    QColor,
    QFont,
    QFontMetricsF,
    QImage,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QResizeEvent,
)
from qtpy.QtWidgets import QSizePolicy, QWidget

from napari_cellsci.explain.topology import Floats
from napari_cellsci.panels._theme import Theme
from napari_cellsci.panels.network.response_curve import CurvePaint
from napari_cellsci.panels.network.response_map import MapPaint
from napari_cellsci.panels.network.response_picture import ResponsePicture, short

CROP, TICKS, TOP, EDGE = 30, 16, 18, 8
_CURVE_HEIGHT = 150
_LARGEST = 320


class ResponseView(QWidget):
    """A curve or a map with decoded pictures along its axes.

    Signals
    -------
    hovered : object
        Values of the inputs under the mouse, or None.
    """

    hovered = Signal(object)

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self._picture: ResponsePicture | None = None
        self._paint: MapPaint | CurvePaint | None = None
        self._hover: tuple[QPointF, QImage | None, str] | None = None
        self.setMouseTracking(True)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.setAccessibleName("Response")

    def set_theme(self, theme: Theme) -> None:
        """Take over the theme's colours."""
        self._theme = theme
        self.update()

    def show_picture(self, picture: ResponsePicture | None) -> None:
        """Paint another response, or none."""
        self._picture = picture
        self._hover = None
        self._paint = None
        if picture is not None:
            kind = MapPaint if picture.response.total.ndim == 2 else CurvePaint
            self._paint = kind(picture)
        self._fit()
        self.update()

    @property
    def picture(self) -> ResponsePicture | None:
        """What is painted."""
        return self._picture

    def _fit(self) -> None:
        if self._picture is None:
            self.setFixedHeight(1)
            return
        rows = CROP + 4 if self._picture.strips[0] else 0
        if self._picture.response.total.ndim == 1:
            self.setFixedHeight(TOP + _CURVE_HEIGHT + TICKS + rows + 18)
        else:
            side = min(self.width() - self._left() - self._right(), _LARGEST)
            self.setFixedHeight(int(TOP + max(side, 60) + TICKS + rows + 18))

    def sizeHint(self) -> QSize:
        """Return the size that is asked for."""
        return QSize(300, self.height())

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Keep maps square."""
        super().resizeEvent(event)
        if event.oldSize().width() != event.size().width():
            self._fit()

    def _left(self) -> float:
        picture = self._picture
        two = picture is not None and picture.response.total.ndim == 2
        crops = two and picture is not None and picture.strips[1]
        return 26.0 + (CROP + 4 if crops else 0)

    def _right(self) -> float:
        two = self._picture is not None and self._picture.response.total.ndim == 2
        return 44.0 if two else float(EDGE)

    def frame(self) -> QRectF:
        """Return where the curve or map lies."""
        left, right = self._left(), self._right()
        width = self.width() - left - right
        if self._picture is not None and self._picture.response.total.ndim == 2:
            width = min(width, _LARGEST)
            return QRectF(left, TOP, width, width)
        return QRectF(left, TOP, width, _CURVE_HEIGHT)

    def _small(self) -> QFont:
        font = QFont(self.font())
        font.setPointSizeF(max(font.pointSizeF() * 0.82, 6.5))
        return font

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint the response."""
        if self._paint is None:
            return
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        painter.setFont(self._small())
        frame = self.frame()
        self._paint.paint(painter, frame, self._theme)
        self._paint_axes(painter, frame)
        self._paint_hover(painter)

    def _paint_axes(self, painter: QPainter, frame: QRectF) -> None:
        assert self._picture is not None
        theme, picture = self._theme, self._picture
        painter.setPen(QColor(theme.line))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.drawRect(frame)
        self._paint_x(painter, frame)
        two = picture.response.total.ndim == 2
        if two:
            self._paint_y(painter, frame)
        words = f"↑ {picture.names[1]}" if two else f"↑ {picture.target}"
        painter.setPen(QColor(theme.text))
        painter.setFont(self.font())
        top = QRectF(4, 0, self.width() - 8, TOP - 2)
        painter.drawText(top, int(Qt.AlignmentFlag.AlignVCenter.value), words)
        right = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
        if two:
            painter.setPen(QColor(theme.muted))
            painter.drawText(top, int(right.value), picture.target)
        painter.setPen(QColor(theme.text))
        bottom = QRectF(4, self.height() - 18, frame.right() - 4, 18)
        painter.drawText(bottom, int(right.value), f"{picture.names[0]} →")
        painter.setFont(self._small())

    def _paint_x(self, painter: QPainter, frame: QRectF) -> None:
        assert self._picture is not None
        axis, strip = self._picture.response.axes[0], self._picture.strips[0]
        painter.setPen(QColor(self._theme.muted))
        center = int(Qt.AlignmentFlag.AlignCenter.value)
        for part in (0.0, 0.5, 1.0):
            value = float(axis[0] + part * (axis[-1] - axis[0]))
            x = frame.left() + part * frame.width()
            x = min(max(x, frame.left() + 12), frame.right() - 10)
            place = QRectF(x - 20, frame.bottom() + 1, 40, TICKS - 2)
            painter.drawText(place, center, short(value))
        if not strip:
            return
        slot = frame.width() / len(strip)
        edge = min(CROP, slot - 2)
        for i, image in enumerate(strip):
            x = frame.left() + (i + 0.5) * slot - edge / 2
            painter.drawImage(QRectF(x, frame.bottom() + TICKS, edge, edge), image)

    def _paint_y(self, painter: QPainter, frame: QRectF) -> None:
        assert self._picture is not None
        axis, strip = self._picture.response.axes[1], self._picture.strips[1]
        painter.setPen(QColor(self._theme.muted))
        side = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
        for part in (0.0, 0.5, 1.0):
            value = float(axis[0] + part * (axis[-1] - axis[0]))
            y = frame.bottom() - part * frame.height()
            y = min(max(y, frame.top() + 6), frame.bottom() - 6)
            place = QRectF(frame.left() - 26, y - 8, 23, 16)
            painter.drawText(place, int(side.value), short(value))
        if not strip:
            return
        slot = frame.height() / len(strip)
        edge = min(CROP, slot - 2)
        for i, image in enumerate(strip):
            y = frame.bottom() - (i + 0.5) * slot - edge / 2
            painter.drawImage(QRectF(0, y, edge, edge), image)

    def values_at(self, x: float, y: float) -> Floats | None:
        """Return the values of the inputs at a place of the widget."""
        frame = self.frame()
        if self._picture is None or not frame.contains(x, y):
            return None
        axes = self._picture.response.axes
        parts = [
            (x - frame.left()) / frame.width(),
            1 - (y - frame.top()) / frame.height(),
        ]
        return np.array(
            [a[0] + p * (a[-1] - a[0]) for a, p in zip(axes, parts, strict=False)]
        )

    def show_hover(self, image: QImage | None, words: str) -> None:
        """Show a picture and words beside the mouse, until it moves on."""
        if self._hover is not None:
            self._hover = self._hover[0], image, words
            self.update()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Tell where the mouse is."""
        place = event.position()
        values = self.values_at(place.x(), place.y())
        self._hover = None if values is None else (place, None, "")
        self.hovered.emit(values)
        self.update()

    def leaveEvent(self, event: QEvent) -> None:
        """Forget where the mouse was."""
        self._hover = None
        self.update()

    def _paint_hover(self, painter: QPainter) -> None:
        if self._hover is None or not self._hover[2]:
            return
        spot, image, words = self._hover
        lines = words.split("\n")
        metrics = QFontMetricsF(self._small())
        width = max(metrics.horizontalAdvance(line) for line in lines) + 8
        height = metrics.height() * len(lines) + 6
        side = 56.0 if image is not None else 0.0
        box = QRectF(0, 0, max(width, side + 8), height + side + (4 if side else 0))
        x = (
            spot.x() + 12
            if spot.x() + 16 + box.width() < self.width()
            else (spot.x() - box.width() - 12)
        )
        y = min(max(spot.y() - box.height() / 2, 0), self.height() - box.height())
        box.moveTo(max(x, 0), y)
        painter.setPen(QColor(self._theme.line))
        painter.setBrush(QColor(self._theme.background))
        painter.drawRoundedRect(box, 4, 4)
        if image is not None:
            left = box.left() + (box.width() - side) / 2
            painter.drawImage(QRectF(left, box.top() + 4, side, side), image)
        painter.setPen(QColor(self._theme.text))
        text = box.adjusted(4, side + (6 if side else 3), -2, -2)
        painter.drawText(text, 0, words)
