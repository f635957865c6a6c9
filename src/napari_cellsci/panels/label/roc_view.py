"""The ROC curves of cell filters; a threshold is chosen on the curve."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from qtpy.QtCore import QPointF, QRectF, QSize, Qt, Signal
from qtpy.QtGui import QColor, QMouseEvent, QPainter, QPainterPath, QPaintEvent, QPen
from qtpy.QtWidgets import QSizePolicy, QWidget

from napari_cellsci.panels._theme import Theme

if TYPE_CHECKING:
    from napari_cellsci.heads.usable.cell_filter import CellFilter
    from napari_cellsci.heads.usable.compare import MethodReport

HEIGHT = 168
_LEFT, _BOTTOM, _TOP, _RIGHT = 34, 34, 8, 10
SHADES = {"cnn": "#56B4E9", "logistic": "#E69F00", "size": "#009E73"}


class RocView(QWidget):
    """Usable cells kept against junk let through, by threshold.

    Signals
    -------
    chosen : float
        Threshold of the point of the curve that was pressed or dragged to.
    """

    chosen = Signal(float)

    def __init__(self) -> None:
        super().__init__()
        self._made: CellFilter | None = None
        self._threshold = 0.5
        self._theme: Theme | None = None
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setFixedHeight(HEIGHT)
        self.setCursor(Qt.CursorShape.CrossCursor)
        self.setToolTip(
            "On tracks that were held out: the share of usable cells that is kept "
            "against the share of junk that is let through. Drag along the curve to "
            "choose the threshold"
        )

    def sizeHint(self) -> QSize:
        """Return a square-like size."""
        return QSize(240, HEIGHT)

    def show_filter(
        self, made: CellFilter | None, threshold: float, theme: Theme
    ) -> None:
        """Show the curves of a filter and of those it was compared to."""
        self._made, self._threshold, self._theme = made, threshold, theme
        self.setVisible(made is not None and bool(made.reports))
        self.update()

    def _area(self) -> QRectF:
        return QRectF(
            _LEFT, _TOP, self.width() - _LEFT - _RIGHT, self.height() - _TOP - _BOTTOM
        )

    def point_at(self, junk: float, usable: float) -> QPointF:
        """Return where a pair of shares lies (px)."""
        area = self._area()
        return QPointF(
            area.left() + junk * area.width(), area.bottom() - usable * area.height()
        )

    def threshold_near(self, where: QPointF) -> float | None:
        """Return the threshold whose point of the curve is nearest."""
        from napari_cellsci.heads.usable.curve import THRESHOLDS

        report = None if self._made is None else self._made.report
        if report is None or report.method == "size":
            return None
        area, curve = self._area(), report.curve
        x = area.left() + curve.false_positives * area.width()
        y = area.bottom() - curve.true_positives * area.height()
        far = (x - where.x()) ** 2 + (y - where.y()) ** 2
        near = np.flatnonzero(far <= far.min() + 1e-9)
        # Many thresholds can share a point; the middle one is farthest from others.
        return float(THRESHOLDS[near[len(near) // 2]])

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint axes, curves and the chosen point."""
        theme, made = self._theme, self._made
        if theme is None or made is None:
            return
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        self._axes(painter, theme)
        for report in made.reports:
            self._curve(painter, report, report.method == made.method)
        report = made.report
        if report is not None:
            here = report.curve.at(self._threshold)
            place = self.point_at(here["false_positives"], here["true_positives"])
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.setPen(QPen(QColor(theme.text), 2))
            painter.drawEllipse(place, 5, 5)

    def _axes(self, painter: QPainter, theme: Theme) -> None:
        area = self._area()
        painter.setPen(QColor(theme.line))
        painter.drawRect(area)
        diagonal = QPen(QColor(theme.line))
        diagonal.setDashPattern([2, 3])
        painter.setPen(diagonal)
        painter.drawLine(area.bottomLeft(), area.topRight())
        painter.setPen(QColor(theme.muted))
        right = int((Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter).value)
        for value in (0.0, 0.5, 1.0):
            y = area.bottom() - value * area.height()
            painter.drawText(QRectF(0, y - 8, _LEFT - 6, 16), right, f"{value:g}")
        center = int(Qt.AlignmentFlag.AlignCenter.value)
        below = QRectF(area.left(), area.bottom() + 14, area.width(), 16)
        painter.drawText(below, center, "junk let through")
        for value in (0.0, 0.5, 1.0):
            x = area.left() + value * area.width()
            painter.drawText(
                QRectF(x - 14, area.bottom() + 1, 28, 14), center, f"{value:g}"
            )
        # Curves rise to the upper left; the lower right stays free.
        inside = QRectF(area.left() + 4, area.bottom() - 18, area.width() - 8, 16)
        said = "↑ usable kept"
        painter.drawText(inside, int(Qt.AlignmentFlag.AlignRight.value), said)

    def _curve(self, painter: QPainter, report: MethodReport, mine: bool) -> None:
        color = QColor(SHADES[report.method])
        if report.method == "size":
            here = report.curve.at(0.5)
            place = self.point_at(here["false_positives"], here["true_positives"])
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(color)
            painter.drawRect(QRectF(place.x() - 4, place.y() - 4, 8, 8))
            return
        curve = report.curve
        path = QPainterPath(self.point_at(1.0, 1.0))
        for junk, usable in zip(
            curve.false_positives, curve.true_positives, strict=True
        ):
            path.lineTo(self.point_at(float(junk), float(usable)))
        path.lineTo(self.point_at(0.0, 0.0))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.setPen(QPen(color, 2.2 if mine else 1.2))
        painter.drawPath(path)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Choose the threshold of the nearest point."""
        self._choose(event.position())

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Choose while dragging."""
        if event.buttons():
            self._choose(event.position())

    def _choose(self, where: QPointF) -> None:
        threshold = self.threshold_near(where)
        if threshold is not None:
            self.chosen.emit(threshold)
