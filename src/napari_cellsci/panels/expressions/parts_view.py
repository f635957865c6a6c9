"""The parts of a formula painted: each with the cells of both classes along it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from qtpy.QtCore import QPointF, QRectF, QSize, Qt
from qtpy.QtGui import QColor, QFont, QImage, QPainter, QPaintEvent, QPen, QPolygonF
from qtpy.QtWidgets import QSizePolicy, QWidget

from napari_cellsci.panels._theme import STEP, Theme
from napari_cellsci.panels.expressions.formula_label import fitted, tinted
from napari_cellsci.panels.expressions.parts import Part
from napari_cellsci.panels.network.response_picture import short
from napari_cellsci.viewer.colors import NEGATIVE, POSITIVE

_CURVE, _AXIS = 46.0, 14.0
_POINTS = 11.0


class PartsView(QWidget):
    """Rows of mathematics with the densities of both classes below."""

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self._parts: Sequence[Part] = ()
        self._names: Mapping[str, str] = {}
        self._images: list[QImage | None] = []
        self._colors = (NEGATIVE, POSITIVE)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.setAccessibleName("Parts of the formula")

    def set_theme(self, theme: Theme) -> None:
        """Take over the theme's colours."""
        self._theme = theme
        self._fit()

    def show_parts(
        self, parts: Sequence[Part], names: Mapping[str, str], colors: tuple[str, str]
    ) -> None:
        """Show parts, with names of latents and colours of the classes."""
        self._parts, self._names, self._colors = parts, names, colors
        self._fit()

    def sizeHint(self) -> QSize:
        """Return the height; the width is free."""
        return QSize(300, self.height())

    def resizeEvent(self, event: object) -> None:
        """Set the formulas anew at another width."""
        super().resizeEvent(event)  # type: ignore[arg-type]
        self._fit()

    def _fit(self) -> None:
        ratio = self.devicePixelRatioF()
        self._images = []
        for part in self._parts:
            found = None
            if part.title != "f":
                names = {
                    name: self._names[name]
                    for name in part.expression.names
                    if name in self._names
                }
                room = max(self.width() - 6 * STEP, 60)
                found = fitted(part.expression, names, room, ratio, _POINTS)
            image = None if found is None else tinted(found, self._theme.text)
            if image is not None:
                image.setDevicePixelRatio(ratio)
            self._images.append(image)
        high = sum(self._row_height(i) for i in range(len(self._parts)))
        self.setFixedHeight(max(round(high), 1))
        self.update()

    def _head(self, i: int) -> float:
        image = self._images[i]
        return (
            18.0 if image is None else max(image.deviceIndependentSize().height(), 18)
        )

    def _row_height(self, i: int) -> float:
        return self._head(i) + _CURVE + _AXIS + 2 * STEP

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint all rows."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        top = 0.0
        for i, part in enumerate(self._parts):
            self._paint_head(painter, i, part, top)
            frame = QRectF(STEP, top + self._head(i), self.width() - 2 * STEP, _CURVE)
            self._paint_density(painter, frame, part)
            top += self._row_height(i)

    def _paint_head(self, painter: QPainter, i: int, part: Part, top: float) -> None:
        painter.setPen(QColor(self._theme.text))
        painter.setFont(self.font())
        image, left = self._images[i], float(STEP)
        if image is None:
            words = "score f" if part.title == "f" else part.expression.pretty()
            painter.drawText(QRectF(left, top, self.width(), 18), 0, words)
            return
        painter.drawText(
            QRectF(left, top, 4 * STEP, self._head(i)), _MIDDLE, part.title
        )
        size = image.deviceIndependentSize()
        scale = min(1.0, (self.width() - 6 * STEP) / size.width())
        place = QRectF(
            left + 4 * STEP, top, size.width() * scale, size.height() * scale
        )
        painter.drawImage(place, image)

    def _paint_density(self, painter: QPainter, frame: QRectF, part: Part) -> None:
        low, high = float(part.edges[0]), float(part.edges[-1])
        largest = max(float(part.below.max()), float(part.above.max())) or 1.0
        for share, color in zip((part.below, part.above), self._colors, strict=True):
            n = len(share)
            points = [frame.bottomLeft()]
            points += [
                QPointF(
                    frame.left() + (k + 0.5) / n * frame.width(),
                    frame.bottom() - float(share[k]) / largest * (frame.height() - 4),
                )
                for k in range(n)
            ]
            points.append(frame.bottomRight())
            fill = QColor(color)
            painter.setPen(QPen(fill, 1.4))
            fill.setAlpha(80)
            painter.setBrush(fill)
            painter.drawPolygon(QPolygonF(points))
        painter.setPen(QColor(self._theme.line))
        painter.drawLine(frame.bottomLeft(), frame.bottomRight())
        self._paint_ticks(painter, frame, low, high)

    def _paint_ticks(
        self, painter: QPainter, frame: QRectF, low: float, high: float
    ) -> None:
        font = QFont(self.font())
        font.setPointSizeF(max(font.pointSizeF() * 0.82, 6.5))
        painter.setFont(font)
        ticks = [low, high]
        if low < 0 < high:
            x = frame.left() - low / (high - low) * frame.width()
            painter.setPen(QPen(QColor(self._theme.text), 1, Qt.PenStyle.DotLine))
            painter.drawLine(QPointF(x, frame.top()), QPointF(x, frame.bottom()))
            if min(x - frame.left(), frame.right() - x) > 40:
                ticks.append(0.0)
        painter.setPen(QColor(self._theme.muted))
        for tick in ticks:
            x = frame.left() + (tick - low) / (high - low) * frame.width()
            x = min(max(x, frame.left() + 20), frame.right() - 20)
            place = QRectF(x - 24, frame.bottom() + 1, 48, _AXIS - 1)
            painter.drawText(place, _MIDDLE, short(tick))


_MIDDLE = int(Qt.AlignmentFlag.AlignCenter.value)
