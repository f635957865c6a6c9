"""Accuracy against size: a point for every model; hover to see it, click to use it."""

from __future__ import annotations

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
from qtpy.QtWidgets import QSizePolicy, QWidget

from napari_cellsci.figures.comparison import (
    ACCURACIES,
    SIZES,
    Accuracy,
    Gathered,
    Model,
    Size,
    shade,
)
from napari_cellsci.panels._theme import RADIUS, Theme
from napari_cellsci.panels.network.small import paint_small, weight_colors

_LEFT, _BOTTOM, _TOP, _RIGHT = 42.0, 34.0, 20.0, 10.0
_HEIGHT, _NEAR = 240, 12.0
_POINT, _STAMP = 4.5, 96.0


class ModelPlot(QWidget):
    """Models as points, with a drawing of the one under the mouse.

    Signals
    -------
    picked : object
        The `Model` that was clicked.
    """

    picked = Signal(object)

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self._gathered: Gathered | None = None
        self._kind: tuple[Size, Accuracy] = ("paper", "balanced")
        self._active: tuple[str, int | None] | None = None
        self._hovered: Model | None = None
        self.setMouseTracking(True)
        self.setFixedHeight(_HEIGHT)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.setAccessibleName("Accuracy against size")

    def sizeHint(self) -> QSize:
        """Return a usual size."""
        return QSize(320, _HEIGHT)

    def set_theme(self, theme: Theme) -> None:
        """Take over the theme's colours."""
        self._theme = theme
        self.update()

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
    def models(self) -> Sequence[Model]:
        """The models that can be placed."""
        found = () if self._gathered is None else self._gathered.models
        return [m for m in found if np.isfinite(m.rate(self._kind[1]))]

    def _frame(self) -> QRectF:
        width = self.width() - _LEFT - _RIGHT
        return QRectF(_LEFT, _TOP, width, self.height() - _TOP - _BOTTOM)

    def _ranges(self) -> tuple[tuple[float, float], tuple[float, float]]:
        size, accuracy = self._kind
        sizes = [max(model.size(size), 1) for model in self.models]
        rates = [model.rate(accuracy) for model in self.models]
        low, high = np.log10(min(sizes)), np.log10(max(sizes))
        edge = max(0.08 * (high - low), 0.12)
        bottom, top = min(rates), max(rates)
        rim = max(0.1 * (top - bottom), 0.005)
        return (float(low - edge), float(high + edge)), (bottom - rim, top + rim)

    def place_of(self, model: Model) -> QPointF:
        """Return where a model is drawn."""
        (low, high), (bottom, top) = self._ranges()
        frame, (size, accuracy) = self._frame(), self._kind
        x = (np.log10(max(model.size(size), 1)) - low) / (high - low)
        y = (model.rate(accuracy) - bottom) / (top - bottom)
        return QPointF(
            frame.left() + float(x) * frame.width(),
            frame.bottom() - float(y) * frame.height(),
        )

    def model_at(self, place: QPointF) -> Model | None:
        """Return the model nearest to a place, if it is near."""
        best, least = None, _NEAR
        for model in self.models:
            gap = self.place_of(model) - place
            distance = float(np.hypot(gap.x(), gap.y()))
            if distance < least:
                best, least = model, distance
        return best

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint axes, points, and the drawing of the model under the mouse."""
        if not self.models:
            return
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        font = QFont(self.font())
        font.setPointSizeF(max(font.pointSizeF() * 0.82, 6.5))
        painter.setFont(font)
        self._paint_axes(painter)
        for model in self.models:
            self._paint_point(painter, model)
        if self._hovered is not None:
            self._paint_drawing(painter, self._hovered)

    def _paint_axes(self, painter: QPainter) -> None:
        frame, theme = self._frame(), self._theme
        (low, high), (bottom, top) = self._ranges()
        painter.setPen(QColor(theme.line))
        painter.drawLine(frame.bottomLeft(), frame.bottomRight())
        painter.drawLine(frame.bottomLeft(), frame.topLeft())
        center = int(Qt.AlignmentFlag.AlignCenter.value)
        for tick in _log_ticks(low, high):
            x = frame.left() + (np.log10(tick) - low) / (high - low) * frame.width()
            painter.setPen(QColor(theme.line))
            painter.drawLine(QPointF(x, frame.bottom()), QPointF(x, frame.bottom() + 3))
            painter.setPen(QColor(theme.muted))
            place = QRectF(x - 24, frame.bottom() + 3, 48, 13)
            painter.drawText(place, center, f"{tick:,}")
        side = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
        for rate in _ticks(bottom, top):
            y = frame.bottom() - (rate - bottom) / (top - bottom) * frame.height()
            painter.setPen(QPen(QColor(theme.line), 0.6, Qt.PenStyle.DotLine))
            painter.drawLine(QPointF(frame.left(), y), QPointF(frame.right(), y))
            painter.setPen(QColor(theme.muted))
            place = QRectF(0, y - 8, frame.left() - 4, 16)
            painter.drawText(place, int(side.value), f"{rate:.1%}")
        painter.setPen(QColor(theme.text))
        size, accuracy = self._kind
        head = QRectF(4, 0, self.width() - 8, _TOP - 4)
        painter.drawText(head, 0, f"↑ {ACCURACIES[accuracy]}, held out by track")
        foot = QRectF(4, self.height() - 16, self.width() - 12, 16)
        painter.drawText(foot, int(side.value), f"{SIZES[size]} →")

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

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Show the model under the mouse."""
        model = self.model_at(event.position()) if self.models else None
        if model is not self._hovered:
            self._hovered = model
            shape = Qt.CursorShape
            self.setCursor(shape.PointingHandCursor if model else shape.ArrowCursor)
            self.update()

    def leaveEvent(self, event: QEvent) -> None:
        """Show none."""
        self._hovered = None
        self.update()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Pick the model that was clicked."""
        model = self.model_at(event.position()) if self.models else None
        if model is not None:
            self.picked.emit(model)


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
