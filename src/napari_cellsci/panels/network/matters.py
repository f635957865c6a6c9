"""Which latents matter and in which direction, one line for each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from qtpy.QtCore import QEvent, QPoint, QPointF, QRectF, QSize, Qt, Signal
from qtpy.QtGui import (
    QColor,
    QFontMetricsF,
    QHelpEvent,
    QMouseEvent,
    QPainter,
    QPainterPath,
    QPaintEvent,
    QPen,
)
from qtpy.QtWidgets import QSizePolicy, QToolTip, QWidget

from napari_cellsci.explain.effects import Direction
from napari_cellsci.explain.topology import Floats
from napari_cellsci.panels._theme import Theme
from napari_cellsci.panels.latents.naming import draw_label

MOST = 6
_LINE, _BAR, _SPARK, _WIDE = 22, 40, 44, 300


@dataclass(frozen=True, eq=False, slots=True)
class Row:
    """What is said of one input.

    Parameters
    ----------
    index : int
    name, symbol : str
    share : float
        Of all effects.
    direction : Direction
    cause : str
        What moves the score that way: "larger", "both ends".
    effect : str
        The class towards which it is moved, with its sign; "" where that depends.
    color : str
        Of that class.
    curve : array (n,)
        The score along the input.
    """

    index: int
    name: str
    symbol: str
    share: float
    direction: Direction
    cause: str
    effect: str
    color: str
    curve: Floats

    @property
    def label(self) -> str:
        """Name and symbol."""
        return f"{self.name} {self.symbol}" if self.name else self.symbol


class MattersView(QWidget):
    """Inputs in use, the strongest first: share, course of the score, direction.

    Signals
    -------
    picked : int, bool
        Number of the input that was clicked, and whether Ctrl was held.
    """

    picked = Signal(int, bool)

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self._rows: list[Row] = []
        self._rest = ""
        self._label = 0.0
        self._marked: set[int] = set()
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setAccessibleName("Latents that matter")

    def set_theme(self, theme: Theme) -> None:
        """Take over the theme's colours."""
        self._theme = theme
        self.update()

    def show_rows(self, rows: Sequence[Row]) -> None:
        """Show other inputs."""
        self._rows = list(rows[:MOST])
        left = rows[MOST:]
        share = sum(row.share for row in left)
        self._rest = f"and {len(left)} more, {share:.0%} together" if left else ""
        metrics = QFontMetricsF(self.font())
        widths = [metrics.horizontalAdvance(row.label) for row in self._rows]
        self._label = max(widths, default=0.0) + 8
        lines = len(self._rows) + bool(left)
        self.setFixedHeight(max(lines * _LINE, 1))
        self.setAccessibleDescription("; ".join(map(_in_words, self._rows)))
        self.update()

    def mark(self, indices: Sequence[int]) -> None:
        """Mark the inputs that are axes of the response map."""
        self._marked = set(indices)
        self.update()

    @property
    def rows(self) -> list[Row]:
        """What is shown."""
        return self._rows

    @property
    def rest(self) -> str:
        """What is said of the inputs without a line of their own."""
        return self._rest

    def sizeHint(self) -> QSize:
        """Return the height of all lines."""
        return QSize(200, max((len(self._rows) + bool(self._rest)) * _LINE, 1))

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint the lines."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        for number, row in enumerate(self._rows):
            self._paint_row(
                painter, row, QRectF(0, number * _LINE, self.width(), _LINE)
            )
        if self._rest:
            painter.setPen(QColor(self._theme.muted))
            place = QRectF(4, len(self._rows) * _LINE, self.width(), _LINE)
            painter.drawText(
                place, int(Qt.AlignmentFlag.AlignVCenter.value), self._rest
            )

    def _paint_row(self, painter: QPainter, row: Row, place: QRectF) -> None:
        theme = self._theme
        if row.index in self._marked:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(QColor(theme.card))
            painter.drawRoundedRect(place.adjusted(0, 1, 0, -1), 3, 3)
        label, spark = self._columns(place.width())
        left = QRectF(4, place.top(), label, place.height())
        draw_label(painter, left, row.name, row.symbol, theme.text, theme.muted)
        x = left.right() + 4
        self._paint_bar(painter, row, QRectF(x, place.top(), _BAR, place.height()))
        x += _BAR + 4
        if spark:
            curve = QRectF(x, place.top() + 3, spark - 6, place.height() - 6)
            self._paint_curve(painter, row, curve)
            x += spark
        self._paint_direction(
            painter, row, QRectF(x, place.top(), place.width() - x, place.height())
        )

    def _columns(self, width: float) -> tuple[float, float]:
        """Return the widths of the labels and of the curves, which give way to them."""
        metrics = QFontMetricsF(self.font())
        said = [
            metrics.horizontalAdvance(f"{row.cause} → {row.effect[:1]}")
            for row in self._rows
        ]
        room = width - _BAR - 16 - min(max(said, default=0.0), 0.45 * width)
        spark = _SPARK if width >= _WIDE and room - _SPARK >= self._label else 0
        return max(min(self._label, room - spark), 40.0), float(spark)

    def _paint_bar(self, painter: QPainter, row: Row, place: QRectF) -> None:
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(self._theme.line))
        middle = place.center().y()
        full = QRectF(place.left(), middle - 6, place.width(), 12)
        painter.drawRoundedRect(full, 2, 2)
        painter.setBrush(QColor(self._theme.muted))
        full.setWidth(max(full.width() * row.share, 1.5))
        painter.drawRoundedRect(full, 2, 2)
        painter.setPen(QColor(self._theme.text))
        font = painter.font()
        size = font.pointSizeF()
        font.setPointSizeF(7)
        painter.setFont(font)
        side = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
        painter.drawText(place.adjusted(0, 0, -2, 0), int(side.value), _share(row))
        font.setPointSizeF(size)
        painter.setFont(font)

    def _paint_curve(self, painter: QPainter, row: Row, place: QRectF) -> None:
        """Draw the score along the input as a line without axes."""
        low, high = float(row.curve.min()), float(row.curve.max())
        span = (high - low) or 1.0
        path = QPainterPath()
        n = len(row.curve)
        for i, value in enumerate(row.curve.tolist()):
            x = place.left() + i / (n - 1) * place.width()
            y = place.bottom() - (value - low) / span * place.height()
            if i:
                path.lineTo(x, y)
            else:
                path.moveTo(x, y)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        if low < 0 < high:
            zero = place.bottom() - (0 - low) / span * place.height()
            painter.setPen(QPen(QColor(self._theme.line), 1, Qt.PenStyle.DotLine))
            painter.drawLine(QPointF(place.left(), zero), QPointF(place.right(), zero))
        painter.setPen(QPen(QColor(self._theme.text), 1.4))
        painter.drawPath(path)

    def _paint_direction(self, painter: QPainter, row: Row, place: QRectF) -> None:
        metrics = QFontMetricsF(painter.font())
        side = int(Qt.AlignmentFlag.AlignVCenter.value)
        cause, effect = f"{row.cause} → " if row.effect else row.cause, row.effect
        whole = (f"{other.cause} → {other.effect}" for other in self._rows)
        if any(metrics.horizontalAdvance(said) > place.width() for said in whole):
            effect = effect[:1]  # the sign of the class alone, in every line
        room = place.width() - metrics.horizontalAdvance(effect)
        painter.setPen(QColor(self._theme.text if row.effect else self._theme.muted))
        words = metrics.elidedText(cause, Qt.TextElideMode.ElideRight, max(room, 40))
        painter.drawText(place, side, words)
        painter.setPen(QColor(row.color))
        beside = place.adjusted(metrics.horizontalAdvance(words), 0, 0, 0)
        painter.drawText(beside, side, effect)

    def row_at(self, position: QPoint) -> Row | None:
        """Return the row at a place."""
        number = position.y() // _LINE
        return self._rows[number] if 0 <= number < len(self._rows) else None

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Pick the input that was clicked."""
        row = self.row_at(event.position().toPoint())
        if row is not None:
            add = bool(event.modifiers() & Qt.KeyboardModifier.ControlModifier)
            self.picked.emit(row.index, add)

    def event(self, event: QEvent) -> bool:
        """Show in full what a line says in short."""
        if event.type() == QEvent.Type.ToolTip and isinstance(event, QHelpEvent):
            row = self.row_at(event.pos())
            if row is not None:
                QToolTip.showText(event.globalPos(), _in_words(row), self)
                return True
        return bool(super().event(event))


def _share(row: Row) -> str:
    return f"{row.share:.0%}" if row.share >= 0.005 else "<1%"


def _in_words(row: Row) -> str:
    where = f"{row.cause} → {row.effect}" if row.effect else row.cause
    return f"{row.label}: {_share(row)} of all effects; {where}"
