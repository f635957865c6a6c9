"""The learning curve: held-out accuracy with fewer and with all labels."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from qtpy.QtCore import QPointF, QRectF, QSize, Qt
from qtpy.QtGui import QColor, QPainter, QPainterPath, QPaintEvent, QPen
from qtpy.QtWidgets import QSizePolicy, QWidget

from napari_cellsci.panels._theme import Theme

if TYPE_CHECKING:
    from napari_cellsci.labels.checks import CurvePoint

HEIGHT = 84
_LEFT, _BOTTOM, _TOP, _RIGHT = 34, 18, 8, 14


class CurveView(QWidget):
    """Balanced accuracy on unseen tracks against the number of labels."""

    def __init__(self) -> None:
        super().__init__()
        self._points: tuple[CurvePoint, ...] = ()
        self._theme: Theme | None = None
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setFixedHeight(HEIGHT)
        self.setToolTip(
            "Balanced accuracy on tracks that were not trained on, with a quarter, "
            "half and all of the labels; the band is the 95% interval"
        )

    def sizeHint(self) -> QSize:
        """Return a low size."""
        return QSize(240, HEIGHT)

    def set_theme(self, theme: Theme) -> None:
        """Follow the theme."""
        self._theme = theme
        self.update()

    def show_points(self, points: tuple[CurvePoint, ...]) -> None:
        """Show a curve."""
        self._points = points
        self.setVisible(bool(points))
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint axes, band, line and points."""
        theme, points = self._theme, self._points
        if theme is None or not points:
            return
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        floor = min(0.5, *(point.low for point in points))
        most = points[-1].labels
        area = QRectF(
            _LEFT, _TOP, self.width() - _LEFT - _RIGHT, self.height() - _TOP - _BOTTOM
        )

        def at(labels: int, accuracy: float) -> QPointF:
            x = area.left() + labels / most * area.width()
            part = (accuracy - floor) / max(1 - floor, 1e-6)
            return QPointF(x, area.bottom() - part * area.height())

        self._axes(painter, area, floor, most, theme)
        accent = QColor(theme.accent)
        band = QPainterPath(at(points[0].labels, points[0].low))
        for point in points[1:]:
            band.lineTo(at(point.labels, point.low))
        for point in reversed(points):
            band.lineTo(at(point.labels, point.high))
        shade = QColor(accent)
        shade.setAlpha(60)
        painter.fillPath(band, shade)
        painter.setPen(QPen(accent, 2))
        places = [at(point.labels, point.accuracy) for point in points]
        for one, other in pairwise(places):
            painter.drawLine(one, other)
        painter.setBrush(accent)
        for place in places:
            painter.drawEllipse(place, 2.5, 2.5)

    def _axes(
        self, painter: QPainter, area: QRectF, floor: float, most: int, theme: Theme
    ) -> None:
        painter.setPen(QColor(theme.line))
        painter.drawLine(area.bottomLeft(), area.bottomRight())
        painter.drawLine(area.topLeft(), area.topRight())
        painter.setPen(QColor(theme.muted))
        right = int((Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter).value)
        for value, y in ((1.0, area.top()), (floor, area.bottom())):
            painter.drawText(QRectF(0, y - 8, _LEFT - 6, 16), right, f"{value:.2g}")
        line = QRectF(area.left(), area.bottom() + 2, area.width(), _BOTTOM - 2)
        painter.drawText(line, right, f"{most:,} labels")
