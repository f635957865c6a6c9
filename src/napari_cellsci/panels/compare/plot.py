"""Accuracy against size: a point for every model; hover to see it, click to use it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from qtpy.QtCore import QMarginsF, QPointF, QRectF, Qt
from qtpy.QtGui import QColor, QPainter, QPen, QPolygonF

from napari_cellsci.figures.comparison import (
    ACCURACIES,
    SIZES,
    Accuracy,
    Gathered,
    Model,
    Size,
    shade,
)
from napari_cellsci.panels._size_plot import CENTER, SizePlot
from napari_cellsci.panels._theme import RADIUS, Theme
from napari_cellsci.panels.network.small import paint_small, weight_colors

_POINT, _STAMP = 4.5, 96.0


class ModelPlot(SizePlot):
    """Models as points, with a drawing of the one under the mouse.

    Signals
    -------
    picked : object
        The `Model` that was clicked.
    """

    margins = QMarginsF(42, 20, 10, 34)
    usual_height = 240
    near = 12.0

    def __init__(self, theme: Theme) -> None:
        super().__init__(theme, "Accuracy against size")
        self._gathered: Gathered | None = None
        self._kind: tuple[Size, Accuracy] = ("paper", "balanced")
        self._active: tuple[str, int | None] | None = None

    def show_models(
        self, gathered: Gathered | None, size: Size, accuracy: Accuracy
    ) -> None:
        """Show a comparison by one kind of size and of accuracy."""
        self._gathered, self._kind = gathered, (size, accuracy)
        self._hovered = None
        self.update()

    def show_active(self, active: tuple[str, int | None] | None) -> None:
        """Ring the model whose scores are shown."""
        self._active = active
        self.update()

    @property
    def kind(self) -> tuple[Size, Accuracy]:
        """Which size runs across, and which accuracy upwards."""
        return self._kind

    @property
    def items(self) -> Sequence[Model]:
        """The models that can be placed."""
        found = () if self._gathered is None else self._gathered.models
        return [m for m in found if np.isfinite(m.rate(self._kind[1]))]

    def _ranges(self) -> tuple[tuple[float, float], tuple[float, float]]:
        size, accuracy = self._kind
        sizes = [max(model.size(size), 1) for model in self.items]
        rates = [model.rate(accuracy) for model in self.items]
        low, high = np.log10(min(sizes)), np.log10(max(sizes))
        edge = max(0.08 * (high - low), 0.12)
        bottom, top = min(rates), max(rates)
        rim = max(0.1 * (top - bottom), 0.005)
        return (float(low - edge), float(high + edge)), (bottom - rim, top + rim)

    def place_of(self, item: Model) -> QPointF:
        """Return where a model is drawn."""
        (low, high), (bottom, top) = self._ranges()
        size, accuracy = self._kind
        across = (float(np.log10(max(item.size(size), 1))) - low) / (high - low)
        return self._at(across, (item.rate(accuracy) - bottom) / (top - bottom))

    def _paint(self, painter: QPainter) -> None:
        """Paint axes, points, and the drawing of the model under the mouse."""
        self._paint_axes(painter)
        for model in self.items:
            self._paint_point(painter, model)
        if self._hovered is not None:
            self._paint_drawing(painter, self._hovered)

    def _paint_axes(self, painter: QPainter) -> None:
        (low, high), (bottom, top) = self._ranges()
        self._paint_frame(painter)
        for tick in _log_ticks(low, high):
            foot = self._at((float(np.log10(tick)) - low) / (high - low), 0)
            painter.setPen(QColor(self._theme.line))
            painter.drawLine(foot, foot + QPointF(0, 3))
            painter.setPen(QColor(self._theme.muted))
            place = QRectF(foot.x() - 24, foot.y() + 3, 48, 13)
            painter.drawText(place, CENTER, f"{tick:,}")
        self._paint_rates(painter, _ticks(bottom, top), bottom, top, ".1%")
        size, accuracy = self._kind
        unit = "track" if self._gathered is None else self._gathered.comparison.unit
        said = f"{ACCURACIES[accuracy]}, held out by {unit}"
        self._paint_titles(painter, said, SIZES[size])

    def _paint_point(self, painter: QPainter, model: Model) -> None:
        spot = self.place_of(model)
        color = QColor(shade(model.row))
        color.setAlpha(215)
        chosen = self._active == (model.bundle, model.member)
        if chosen or model is self._hovered:
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.setPen(QPen(QColor(self._theme.text), 2 if chosen else 1))
            painter.drawEllipse(spot, _POINT + 4, _POINT + 4)
        painter.setPen(QPen(QColor(self._theme.background), 0.8))
        painter.setBrush(color)
        paint_marker(painter, spot, model.scheme, _POINT)

    def _paint_drawing(self, painter: QPainter, model: Model) -> None:
        """Paint the drawing and the numbers of a model beside its point."""
        theme, spot = self._theme, self.place_of(model)
        lines = _lines_of(model, self._kind)
        metrics = painter.fontMetrics()
        width = max(_STAMP, *(float(metrics.horizontalAdvance(line)) for line in lines))
        stamp = 66.0 if model.layout is not None else 0.0
        box = QRectF(0, 0, width + 12, stamp + metrics.height() * len(lines) + 10)
        left = spot.x() + 12
        if left + box.width() > self.width():
            left = spot.x() - 12 - box.width()
        top = min(max(spot.y() - box.height() / 2, 0), self.height() - box.height())
        box.moveTo(max(left, 0), top)
        painter.setPen(QColor(theme.line))
        painter.setBrush(QColor(theme.background))
        painter.drawRoundedRect(box, RADIUS, RADIUS)
        if model.layout is not None:
            place = QRectF(box.left() + 4, box.top() + 2, box.width() - 8, stamp)
            paint_small(
                painter, place, model.layout, (), weight_colors(theme), theme.text
            )
        painter.setPen(QColor(theme.text))
        words = box.adjusted(6, stamp + 4, -2, -2)
        painter.drawText(words, 0, "\n".join(lines))


def paint_marker(painter: QPainter, spot: QPointF, scheme: int, radius: float) -> None:
    """Paint the sign of a scheme: a square, a disc, a diamond, a triangle."""
    x, y = spot.x(), spot.y()
    if scheme == 1:
        painter.drawRect(QRectF(x - radius, y - radius, 2 * radius, 2 * radius))
    elif scheme == 3:
        reach = radius * 1.3
        corners = ((0, -reach), (reach, 0), (0, reach), (-reach, 0))
        painter.drawPolygon(QPolygonF([QPointF(x + a, y + b) for a, b in corners]))
    elif scheme == 4:
        reach = radius * 1.2
        corners = ((0, -reach), (reach, reach), (-reach, reach))
        painter.drawPolygon(QPolygonF([QPointF(x + a, y + b) for a, b in corners]))
    else:
        painter.drawEllipse(spot, radius, radius)


def _lines_of(model: Model, kind: tuple[Size, Accuracy]) -> list[str]:
    size, accuracy = kind
    lines = [
        f"{model.bundle}, model {model.member}",
        f"{ACCURACIES[accuracy]} {model.rate(accuracy):.1%}",
        f"{SIZES[size]} {model.size(size):,}",
    ]
    if model.inputs is not None and model.scheme == 3:
        lines.append(f"{len(model.inputs)} latents, {model.weights} weights")
    if model.formula is not None:
        lines.append(model.formula)
    return lines


def _log_ticks(low: float, high: float) -> list[int]:
    every = [base * 10**power for power in range(-1, 9) for base in (1, 2, 5)]
    inside = [int(t) for t in every if t >= 1 and low <= np.log10(t) <= high]
    while len(inside) > 5:
        tens = [t for t in inside if str(t).rstrip("0") == "1"]
        if len(tens) in (len(inside), 0, 1):
            return inside[::2]
        inside = tens
    return inside


def _ticks(low: float, high: float) -> list[float]:
    raw = (high - low) / 4
    power = 10.0 ** np.floor(np.log10(raw))
    step = float(power * min((1, 2, 2.5, 5, 10), key=lambda s: abs(s - raw / power)))
    first = np.ceil(low / step)
    return [float(i * step) for i in np.arange(first, np.floor(high / step) + 1)]
