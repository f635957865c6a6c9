"""The spectrum strip: how many cells lie where between one class and the other."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QPointF, QRectF, QSize, Qt, Signal
from qtpy.QtGui import (
    QColor,
    QMouseEvent,
    QPainter,
    QPainterPath,
    QPaintEvent,
    QPen,
    QPixmap,
)
from qtpy.QtWidgets import QSizePolicy, QWidget

from napari_cellsci.panels.score.legend import draw_sign, gradient
from napari_cellsci.viewer.colors import ScoreScale

BINS = 120
HEIGHT = 26
_LEAST = 90
"""Width of the histogram (px) that leaves room for the names of the classes."""


@dataclass(frozen=True, slots=True)
class ClassShare:
    """How many cells are called a class, with its colour and sign."""

    name: str
    count: int
    color: str
    shape: str


class SpectrumStrip(QWidget):
    """A histogram of the scores on the score map, with the part in view bracketed.

    Of more than two classes it is a bar divided among them.

    Signals
    -------
    asked : float
        Score at which the strip was pressed or dragged.
    asked_class : str
        Class whose part of the bar was pressed.
    """

    asked = Signal(float)
    asked_class = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        self._scale = ScoreScale()
        self._counts: NDArray[np.float64] = np.zeros(0)
        self._ends = ("", "")
        self._view: tuple[float, float] | None = None
        self._mark: float | None = None
        self._shares: list[ClassShare] = []
        self._drawn: QPixmap | None = None
        self._ink = QColor("#FFFFFF")
        self.setMinimumSize(120, HEIGHT)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setCursor(Qt.CursorShape.PointingHandCursor)

    def sizeHint(self) -> QSize:
        """Return a low, wide size."""
        return QSize(400, HEIGHT)

    def set_ink(self, color: str) -> None:
        """Set the colour of bracket and text."""
        self._ink = QColor(color)
        self._drawn = None
        self.update()

    def show_scores(
        self, scores: NDArray[np.float32], scale: ScoreScale, ends: tuple[str, str]
    ) -> None:
        """Show the histogram of scores; without any it is empty."""
        self._shares = []
        self.setToolTip("How the scores are spread; click to see the cells there")
        finite = scores[np.isfinite(scores)]
        self._scale, self._ends = scale, ends
        clipped = np.clip(finite, -scale.limit, scale.limit)
        edges = np.linspace(-scale.limit, scale.limit, BINS + 1)
        counts = np.histogram(clipped, edges)[0]
        # The root keeps a few rare cells visible beside thousands of common ones.
        self._counts = np.sqrt(counts) if finite.size else np.zeros(0)
        self._drawn = None
        self.update()

    def show_classes(self, shares: list[ClassShare]) -> None:
        """Show how many cells are called each of several classes."""
        self._shares, self._counts = shares, np.zeros(0)
        self._mark = self._view = None
        said = ", ".join(f"{share.count:,} {share.name}" for share in shares)
        self.setToolTip(f"{said}; click a class to see its cells")
        self.update()

    def parts(self) -> list[tuple[float, float]]:
        """Return from where to where the part of each class reaches (px)."""
        # The root keeps rare classes wide enough to be seen and clicked.
        weights = np.sqrt([max(share.count, 0) for share in self._shares]) + 1.0
        edges = np.concatenate([[0], np.cumsum(weights)]) / weights.sum() * self.width()
        return list(zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True))

    def _paint_classes(self, painter: QPainter) -> None:
        measures = self.fontMetrics()
        for share, (left, right) in zip(self._shares, self.parts(), strict=True):
            box = QRectF(left + 1, 3, right - left - 2, self.height() - 6)
            fill = QColor(share.color)
            fill.setAlphaF(0.35)
            painter.setPen(QPen(QColor(share.color), 1))
            painter.setBrush(fill)
            painter.drawRoundedRect(box, 3, 3)
            place = QRectF(box.left() + 4, box.center().y() - 6, 12, 12)
            if box.width() >= 20:
                draw_sign(painter, place, share.shape, share.color, True)
            text = f"{share.name} {share.count:,}"
            short = measures.elidedText(
                text, Qt.TextElideMode.ElideRight, int(box.width() - 26)
            )
            if box.width() >= 60:
                painter.setPen(self._ink)
                left_middle = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
                painter.drawText(
                    box.adjusted(20, 0, -4, 0), int(left_middle.value), short
                )

    def show_view(self, span: tuple[float, float] | None) -> None:
        """Bracket the scores between which the cells in view lie."""
        if span != self._view:
            self._view = span
            self.update()

    def show_mark(self, score: float | None) -> None:
        """Mark the score of the current cell."""
        if score != self._mark:
            self._mark = score
            self.update()

    def x_of(self, score: float) -> float:
        """Return where a score lies (px)."""
        part = np.clip(score / self._scale.limit, -1, 1)
        left, width = self._bar()
        return float(left + (part + 1) / 2 * width)

    def _names(self) -> tuple[str, str]:
        """Return what stands at the ends: signs, and names where there is room."""
        long = f"● {self._ends[0]}", f"{self._ends[1]} ▲"
        wide = sum(self.fontMetrics().horizontalAdvance(name) + 8 for name in long)
        return long if self.width() - wide >= _LEAST else ("●", "▲")

    def _bar(self) -> tuple[float, float]:
        measures = self.fontMetrics()
        left, right = (measures.horizontalAdvance(name) + 8 for name in self._names())
        return left, self.width() - left - right

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint names, histogram, bracket and mark."""
        if not self._counts.size and not self._shares:
            return
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if self._shares:
            self._paint_classes(painter)
            return
        painter.drawPixmap(0, 0, self._background())
        self._paint_view(painter, float(self.height()))

    def _background(self) -> QPixmap:
        """Return names and histogram: while cells are scrolled they stay the same."""
        ratio = self.devicePixelRatioF()
        size = self.size() * ratio
        if self._drawn is None or self._drawn.size() != size:
            self._drawn = QPixmap(size)
            self._drawn.setDevicePixelRatio(ratio)
            self._drawn.fill(Qt.GlobalColor.transparent)
            painter = QPainter(self._drawn)
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            painter.setFont(self.font())
            self._paint_names(painter)
            left, width = self._bar()
            self._paint_histogram(painter, left, width, float(self.height()))
            painter.end()
        return self._drawn

    def _paint_names(self, painter: QPainter) -> None:
        painter.setPen(self._ink)
        whole, flags = QRectF(self.rect()), Qt.AlignmentFlag
        for name, side in zip(
            self._names(), (flags.AlignLeft, flags.AlignRight), strict=True
        ):
            painter.drawText(whole, int((side | flags.AlignVCenter).value), name)

    def _paint_histogram(
        self, painter: QPainter, left: float, width: float, height: float
    ) -> None:
        base = height - 6
        tops = base - self._counts / max(self._counts.max(), 1) * (base - 2)
        step = width / len(tops)
        path = QPainterPath(QPointF(left, base))
        for i, top in enumerate(tops):
            path.lineTo(left + i * step, top)
            path.lineTo(left + (i + 1) * step, top)
        path.lineTo(left + width, base)
        path.closeSubpath()
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(gradient(self._scale, left, left + width))
        painter.drawPath(path)
        painter.drawRoundedRect(QRectF(left, base, width, 4), 1, 1)
        zero = QPen(self._ink, 1)
        zero.setDashPattern([2, 2])
        painter.setPen(zero)
        middle = left + width / 2
        painter.drawLine(QPointF(middle, 1), QPointF(middle, height - 1))

    def _paint_view(self, painter: QPainter, height: float) -> None:
        if self._view is not None:
            start, stop = sorted(self.x_of(score) for score in self._view)
            stop = max(stop, start + 3)
            shade = QColor(self._ink)
            shade.setAlpha(36)
            painter.setBrush(shade)
            painter.setPen(QPen(self._ink, 1))
            painter.drawRoundedRect(QRectF(start, 0.5, stop - start, height - 1), 2, 2)
        if self._mark is not None:
            x = self.x_of(self._mark)
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(self._ink)
            tip = QPainterPath(QPointF(x, height - 7))
            tip.lineTo(x - 4, height)
            tip.lineTo(x + 4, height)
            tip.closeSubpath()
            painter.drawPath(tip)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Ask for the cells at the score, or of the class, under the mouse."""
        for share, (left, right) in zip(self._shares, self.parts(), strict=True):
            if left <= event.position().x() < right:
                self.asked_class.emit(share.name)
        self._ask(event)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Scrub while dragging."""
        if event.buttons():
            self._ask(event)

    def _ask(self, event: QMouseEvent) -> None:
        left, width = self._bar()
        if self._counts.size and width > 0:
            part = np.clip((event.position().x() - left) / width, 0, 1)
            self.asked.emit(float((2 * part - 1) * self._scale.limit))
