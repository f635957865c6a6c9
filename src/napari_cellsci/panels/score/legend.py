"""The legend: what colours, shapes and fillings of the overlay mean."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from qtpy.QtCore import QPointF, QRectF, QSize, Qt
from qtpy.QtGui import (
    QColor,
    QLinearGradient,
    QPainter,
    QPaintEvent,
    QPen,
    QPolygonF,
    QResizeEvent,
)
from qtpy.QtWidgets import QSizePolicy, QWidget

from napari_cellsci.viewer.colors import NEUTRAL, UNLABELLED, ScoreScale
from napari_cellsci.viewer.readout import significant
from napari_cellsci.viewer.scores import BLANK

BAR = 12
SIGN = 12
GAP = 10
SHAPES = ("disc", "triangle", "diamond", "square", "cross")
"""Signs of the classes in their order."""
_SIGNS = ("labelled", "predicted", "out-of-distribution")


@dataclass(frozen=True, slots=True)
class LegendState:
    """What the legend explains.

    Parameters
    ----------
    scale : ScoreScale or None
        Colours of scores; None where classes are coloured.
    ends : tuple of str
        Names of the classes at the two ends of the scale.
    palette : mapping of str to str
        Colours of the classes by name.
    ink, muted : str
        Colours of text.
    """

    scale: ScoreScale | None
    ends: tuple[str, str]
    palette: Mapping[str, str]
    ink: str
    muted: str


class Legend(QWidget):
    """A colour bar with class names and ticks, and a line of signs."""

    def __init__(self) -> None:
        super().__init__()
        self._state: LegendState | None = None
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setToolTip(
            "Colour: the score, blue below 0 and vermilion above. Shape: ● first "
            "class, ▲ second class, ◌ out-of-distribution: unlike anything the "
            "classifier has learned. Filled: labelled by a person; hollow: predicted."
        )

    def explain(self, state: LegendState) -> None:
        """Show another legend."""
        self._state = state
        self.updateGeometry()
        self.update()

    def sizeHint(self) -> QSize:
        """Return the height of the lines at the present width."""
        return QSize(200, self.heightForWidth(max(self.width(), 200)))

    def hasHeightForWidth(self) -> bool:
        """Say that signs without room take another line."""
        return True

    def heightForWidth(self, width: int) -> int:
        """Return the height at a width."""
        line = self.fontMetrics().height()
        head = 2 * line + 8 + BAR
        if self._state is not None and self._state.scale is None:
            names = list(self._state.palette)
            head = len(self._lines(names, width)) * (line + 4) + 4
        return round(head + len(self._lines(_SIGNS, width)) * (line + 4))

    def _lines(self, words: Sequence[str], width: float) -> list[list[str]]:
        """Break signs with their words into lines."""
        lines: list[list[str]] = []
        x = 0.0
        for word in words:
            wide = SIGN + 6 + self.fontMetrics().horizontalAdvance(word)
            if not lines or x + wide > width:
                lines.append([])
                x = 0.0
            lines[-1].append(word)
            x += wide + GAP
        return lines

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Follow the width with the height."""
        super().resizeEvent(event)
        self.updateGeometry()

    def minimumSizeHint(self) -> QSize:
        """Leave the width free."""
        return QSize(1, self.sizeHint().height())

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint the legend."""
        state = self._state
        if state is None:
            return
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        line = self.fontMetrics().height()
        y = 0.0
        if state.scale is not None:
            y = self._paint_scale(painter, state, state.scale, line)
        else:
            y = self._paint_classes(painter, state, line)
        self._paint_signs(painter, state, y + 4, line)

    def _paint_scale(
        self, painter: QPainter, state: LegendState, scale: ScoreScale, line: int
    ) -> float:
        width = self.width()
        painter.setPen(QColor(state.ink))
        top = QRectF(0, 0, width, line)
        left, right = Qt.AlignmentFlag.AlignLeft, Qt.AlignmentFlag.AlignRight
        painter.drawText(top, int(left.value), f"● {state.ends[0]}")
        painter.drawText(top, int(right.value), f"{state.ends[1]} ▲")
        bar = QRectF(0, line + 2, width, BAR)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(gradient(scale, bar.left(), bar.right()))
        painter.drawRoundedRect(bar, 2, 2)
        painter.setPen(QColor(state.muted))
        y = bar.bottom() + 2
        ticks = scale.ticks()
        for i, tick in enumerate(ticks):
            x = bar.left() + (tick / scale.limit + 1) / 2 * bar.width()
            painter.drawLine(QPointF(x, bar.bottom()), QPointF(x, bar.bottom() + 3))
            words = ("+" if tick > 0 else "") + significant(tick, 2)
            wide = self.fontMetrics().horizontalAdvance(words)
            x = min(max(x - wide / 2, 0), width - wide)
            if len(ticks) * wide * 1.3 < width or i in (0, 2, 4):
                painter.drawText(QPointF(x, y + line - 2), words)
        return y + line

    def _paint_classes(self, painter: QPainter, state: LegendState, line: int) -> float:
        y = 0.0
        shapes = shapes_of(state.palette)
        for names in self._lines(list(state.palette), self.width()):
            x = 0.0
            for name in names:
                place = QRectF(x, y + 2, SIGN, SIGN)
                draw_sign(painter, place, shapes[name], state.palette[name], True)
                painter.setPen(QColor(state.ink))
                painter.drawText(QPointF(x + SIGN + 6, y + line - 3), name)
                x += SIGN + 6 + GAP + self.fontMetrics().horizontalAdvance(name)
            y += line + 4
        return y

    def _paint_signs(
        self, painter: QPainter, state: LegendState, y: float, line: int
    ) -> None:
        blue = state.palette.get(state.ends[0], NEUTRAL)
        looks = dict(
            zip(
                _SIGNS,
                (
                    ("disc", blue, True),
                    ("disc", blue, False),
                    ("outside", UNLABELLED, False),
                ),
                strict=True,
            )
        )
        for signs in self._lines(_SIGNS, self.width()):
            x = 0.0
            for words in signs:
                place = QRectF(x + 1, y + (line - SIGN) / 2, SIGN, SIGN)
                draw_sign(painter, place, *looks[words])
                painter.setPen(QColor(state.muted))
                painter.drawText(QPointF(x + SIGN + 6, y + line - 4), words)
                x += SIGN + 6 + GAP + self.fontMetrics().horizontalAdvance(words)
            y += line + 4


def shapes_of(palette: Mapping[str, str]) -> dict[str, str]:
    """Return the shape of every class, as on the movie."""
    found = {name: SHAPES[i % len(SHAPES)] for i, name in enumerate(palette)}
    if BLANK in found:
        found[BLANK] = "blank"
    return found


def gradient(scale: ScoreScale, left: float, right: float) -> QLinearGradient:
    """Return the colours of the score map from left to right."""
    blend = QLinearGradient(left, 0, right, 0)
    for at, color in ((0, scale.negative), (0.5, NEUTRAL), (1, scale.positive)):
        blend.setColorAt(at, QColor(color))
    return blend


def draw_sign(
    painter: QPainter, place: QRectF, shape: str, color: str, filled: bool
) -> None:
    """Draw the sign of a cell.

    Parameters
    ----------
    painter : QPainter
    place : QRectF
    shape : {"disc", "triangle", "diamond", "square", "cross", "outside", "blank"}
    color : str
    filled : bool
        Filled means labelled by a person, hollow predicted.
    """
    ink = QColor(color)
    pen = QPen(ink, 1.8)
    painter.setBrush(ink if filled else Qt.BrushStyle.NoBrush)
    inner = place.adjusted(1, 1, -1, -1)
    if shape == "outside":
        pen.setDashPattern([1.4, 1.4])
    painter.setPen(pen)
    if shape == "triangle":
        painter.drawPolygon(
            QPolygonF(
                [
                    QPointF(inner.center().x(), inner.top()),
                    QPointF(inner.right(), inner.bottom()),
                    QPointF(inner.left(), inner.bottom()),
                ]
            )
        )
    elif shape == "diamond":
        middle = inner.center()
        painter.drawPolygon(
            QPolygonF(
                [
                    QPointF(middle.x(), inner.top()),
                    QPointF(inner.right(), middle.y()),
                    QPointF(middle.x(), inner.bottom()),
                    QPointF(inner.left(), middle.y()),
                ]
            )
        )
    elif shape == "square":
        painter.drawRect(inner)
    elif shape == "cross":
        painter.drawLine(
            QPointF(inner.center().x(), inner.top()),
            QPointF(inner.center().x(), inner.bottom()),
        )
        painter.drawLine(
            QPointF(inner.left(), inner.center().y()),
            QPointF(inner.right(), inner.center().y()),
        )
    elif shape == "blank":
        painter.drawLine(inner.topLeft(), inner.bottomRight())
        painter.drawLine(inner.topRight(), inner.bottomLeft())
    else:
        painter.drawEllipse(inner)
