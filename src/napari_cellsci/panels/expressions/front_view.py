"""Accuracy against size: a point for every formula, a line through the best ones."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from qtpy.QtCore import QMarginsF, QPointF, QRectF
from qtpy.QtGui import QColor, QMouseEvent, QPainter, QPen, QPolygonF
from qtpy.QtWidgets import QToolTip

from napari_cellsci.panels._size_plot import CENTER, SizePlot
from napari_cellsci.panels._theme import Theme
from napari_cellsci.panels.expressions.candidates import Candidate, front
from napari_cellsci.panels.expressions.words import percent, sizes

_POINT = 4.0


class FrontView(SizePlot):
    """Formulas by size and balanced accuracy; a click picks one.

    Signals
    -------
    picked : object
        The `Candidate` that was clicked.
    """

    margins = QMarginsF(44, 20, 14, 34)
    usual_height = 190
    near = 14.0

    def __init__(self, theme: Theme) -> None:
        super().__init__(theme, "Accuracy against size of formulas")
        self._items: list[Candidate] = []
        self._best: Candidate | None = None

    @property
    def items(self) -> list[Candidate]:
        """The formulas with an accuracy."""
        return self._items

    def show_items(self, items: Sequence[Candidate], best: Candidate | None) -> None:
        """Show formulas, and which one the rule chooses."""
        self._items = [one for one in items if math.isfinite(one.rate)]
        self._best, self._hovered = best, None
        self.update()

    def _ranges(self) -> tuple[float, float, float, float]:
        sizes_ = [one.verdict.size for one in self._items]
        rates = [one.rate for one in self._items]
        low, high = min(min(rates), 0.5), max(max(rates), 0.6)
        return 0.0, max(sizes_) + 1.0, low - 0.02, min(high + 0.03, 1.02)

    def place_of(self, item: Candidate) -> QPointF:
        """Return where a formula is drawn."""
        left, right, low, high = self._ranges()
        across = (item.verdict.size - left) / (right - left)
        return self._at(across, (item.rate - low) / (high - low))

    def _paint(self, painter: QPainter) -> None:
        """Paint axes, the front, and the points."""
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
            painter.drawText(place, CENTER, "★")

    def _paint_axes(self, painter: QPainter) -> None:
        left, right, low, high = self._ranges()
        self._paint_frame(painter)
        step = 0.1 if high - low > 0.25 else 0.05 if high - low > 0.1 else 0.02
        rates = np.arange(math.ceil(low / step), math.floor(high / step) + 1) * step
        self._paint_rates(painter, rates, low, high, ".0%")
        every = max(1, round((right - left) / 6))
        for size in range(every, int(right) + 1, every):
            foot = self._at((size - left) / (right - left), 0)
            place = QRectF(foot.x() - 16, foot.y() + 3, 32, 13)
            painter.drawText(place, CENTER, str(size))
        self._paint_titles(painter, "balanced accuracy", "size")

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Tell of the formula under the mouse."""
        super().mouseMoveEvent(event)
        one = self._hovered
        if one is not None:
            rate = percent(one.rate)
            said = f"{one.expression.pretty()}\nsize {sizes(one.verdict)}, {rate}"
            QToolTip.showText(event.globalPosition().toPoint(), said, self)
