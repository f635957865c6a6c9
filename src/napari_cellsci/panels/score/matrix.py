"""The confusion matrix of labelled cells; click a number to see its cells."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from qtpy.QtCore import QEvent, QPointF, QRectF, QSize, Qt, Signal
from qtpy.QtGui import (
    QColor,
    QFont,
    QFontMetricsF,
    QHelpEvent,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
)
from qtpy.QtWidgets import QSizePolicy, QToolTip, QWidget

from napari_cellsci.panels._parts import whole_number
from napari_cellsci.panels._theme import Theme, mix
from napari_cellsci.panels.score.legend import draw_sign, shapes_of
from napari_cellsci.viewer.asked import OUTSIDE, UNCERTAIN, Asked
from napari_cellsci.viewer.scores import ClassRow

LINE, SIGN, NAMES = 24, 12, 44
"""Height of a row, edge of a sign, and the least width of the names (px)."""
AIR, SMALL = 6, 9
"""What parts numbers, and their height where columns are narrow (px)."""


@dataclass(frozen=True, slots=True)
class Place:
    """One number: its text, the cells behind it, and how strongly it is shaded."""

    text: str
    asked: Asked
    shade: float = 0.0
    right: bool = False


@dataclass(frozen=True, slots=True)
class Matrix:
    """What is shown.

    Parameters
    ----------
    rows : tuple of str
        What people said the cells are.
    columns : tuple of str
        What they are called: classes, uncertain, out-of-distribution; "" for all.
    places : tuple of tuples of Place
    shapes : mapping of str to str
        Sign of every class the classifier knows.
    colors : mapping of str to str
        Colour of every class.
    """

    rows: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    places: tuple[tuple[Place, ...], ...] = ()
    shapes: Mapping[str, str] = field(default_factory=dict)
    colors: Mapping[str, str] = field(default_factory=dict)


def matrix_of(
    rows: Sequence[ClassRow], classes: Sequence[str], palette: Mapping[str, str]
) -> Matrix:
    """Arrange counts of labelled cells.

    Parameters
    ----------
    rows : sequence of ClassRow
        From `viewer.scores.by_label`.
    classes : sequence of str
        Those the classifier knows.
    palette : mapping of str to str
    """
    columns = ("", *classes, UNCERTAIN, OUTSIDE)
    places = []
    for row in rows:
        counts = (row.n, *row.called, row.uncertain, row.outside)
        line = []
        for column, count in zip(columns, counts, strict=True):
            shade = count / row.n if column in classes else 0.0
            asked = Asked(row.label, column)
            text = whole_number(count)
            line.append(Place(text, asked, shade, column == row.label))
        places.append(tuple(line))
    known = {n: shape for n, shape in shapes_of(palette).items() if n in classes}
    return Matrix(
        tuple(row.label for row in rows), columns, tuple(places), known, palette
    )


class MatrixView(QWidget):
    """Counts by label and prediction.

    Signals
    -------
    picked : Asked or None
        The cells whose number was clicked; None where it was clicked again.
    """

    picked = Signal(object)

    def __init__(self) -> None:
        super().__init__()
        self._matrix = Matrix()
        self._theme: Theme | None = None
        self._asked: Asked | None = None
        self._hover: tuple[int, int] | None = None
        self._small = self.font()
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setAccessibleName("How labelled cells are called")

    @property
    def matrix(self) -> Matrix:
        """What is shown."""
        return self._matrix

    def show_matrix(self, matrix: Matrix, theme: Theme, asked: Asked | None) -> None:
        """Show counts, and which of them one looks at."""
        self._matrix, self._theme, self._asked = matrix, theme, asked
        self._hover = None
        self.setFixedHeight(self.sizeHint().height())
        self.update()

    def texts(self) -> list[list[str]]:
        """Return the table as text, names first."""
        matrix = self._matrix
        return [
            [name, *(place.text for place in line)]
            for name, line in zip(matrix.rows, matrix.places, strict=True)
        ]

    def sizeHint(self) -> QSize:
        """Return the height of all rows."""
        return QSize(220, LINE * (len(self._matrix.rows) + 1) + 2)

    def minimumSizeHint(self) -> QSize:
        """Leave the width free."""
        return QSize(1, self.sizeHint().height())

    def _columns(self) -> tuple[float, float]:
        """Return where numbers begin, and how wide a column is."""
        n = max(len(self._matrix.columns), 1)
        measures = self.fontMetrics()
        widest = max(map(measures.horizontalAdvance, self._matrix.rows), default=0)
        wanted = SIGN + 8.0 + widest
        # Rather smaller numbers than names that are cut off.
        small = QFontMetricsF(self._narrow())
        least = max(self._widest(small) + AIR, SIGN + AIR)
        names = min(wanted, max(self.width() - n * least, NAMES))
        return names, max((self.width() - names) / n, 1.0)

    def _narrow(self) -> QFont:
        font = QFont(self.font())
        font.setPixelSize(SMALL)
        return font

    def _widest(self, measures: QFontMetricsF) -> float:
        numbers = [place.text for line in self._matrix.places for place in line]
        return max(map(measures.horizontalAdvance, numbers), default=0.0)

    def rect_of(self, row: int, column: int) -> QRectF:
        """Return where a number stands; row −1 holds the heads of the columns."""
        left, width = self._columns()
        return QRectF(left + column * width, (row + 1) * LINE, width, LINE)

    def place_at(self, where: QPointF) -> tuple[int, int] | None:
        """Return the row and column under a point, None beside them."""
        left, width = self._columns()
        row = int(where.y() // LINE) - 1
        column = int((where.x() - left) // width)
        if 0 <= row < len(self._matrix.rows):
            if where.x() < left:
                return row, 0
            if 0 <= column < len(self._matrix.columns):
                return row, column
        return None

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint heads, names and numbers."""
        theme = self._theme
        if theme is None or not self._matrix.rows:
            return
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        self._paint_heads(painter, theme)
        left, wide = self._columns()
        # Numbers of many classes keep apart in a narrow panel.
        fits = wide >= self._widest(QFontMetricsF(painter.font())) + AIR
        self._small = painter.font() if fits else self._narrow()
        for r, (name, line) in enumerate(
            zip(self._matrix.rows, self._matrix.places, strict=True)
        ):
            self._paint_name(painter, theme, name, r, left)
            for c, place in enumerate(line):
                self._paint_place(painter, theme, place, r, c)

    def _color(self, name: str, theme: Theme) -> str:
        return self._matrix.colors.get(name, theme.muted)

    def _paint_heads(self, painter: QPainter, theme: Theme) -> None:
        painter.setPen(QColor(theme.muted))
        for c, name in enumerate(self._matrix.columns):
            box = self.rect_of(-1, c)
            if name in self._matrix.shapes:
                self._paint_sign(painter, name, theme, box.center(), filled=False)
            else:
                painter.setPen(QColor(theme.muted))
                text = name or "n"
                painter.drawText(box, int(Qt.AlignmentFlag.AlignCenter.value), text)

    def _paint_sign(
        self, painter: QPainter, name: str, theme: Theme, at: QPointF, filled: bool
    ) -> None:
        half = SIGN / 2
        shape = self._matrix.shapes.get(name, "disc")
        box = QRectF(at.x() - half, at.y() - half, SIGN, SIGN)
        draw_sign(painter, box, shape, self._color(name, theme), filled)

    def _paint_name(
        self, painter: QPainter, theme: Theme, name: str, row: int, left: float
    ) -> None:
        middle = (row + 1.5) * LINE
        self._paint_sign(painter, name, theme, QPointF(SIGN / 2, middle), filled=True)
        room = QRectF(SIGN + 4, middle - LINE / 2, left - SIGN - 6, LINE)
        short = self.fontMetrics().elidedText(
            name, Qt.TextElideMode.ElideRight, int(room.width())
        )
        painter.setPen(QColor(theme.text))
        painter.setFont(self.font())
        side = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
        painter.drawText(room, int(side.value), short)

    def _paint_place(
        self, painter: QPainter, theme: Theme, place: Place, row: int, column: int
    ) -> None:
        box = self.rect_of(row, column).adjusted(1, 1, -1, -1)
        if place.shade > 0:
            base = self._color(place.asked.label, theme) if place.right else theme.text
            fill = QColor(base)
            fill.setAlphaF(0.12 + 0.5 * place.shade)
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(fill)
            painter.drawRoundedRect(box, 3, 3)
        chosen = place.asked == self._asked
        if chosen or (row, column) == self._hover:
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.setPen(QPen(QColor(theme.text), 2 if chosen else 1))
            painter.drawRoundedRect(box, 3, 3)
        empty = place.text == "0"
        ink = mix(theme.muted, theme.background, 0.35) if empty else theme.text
        painter.setPen(QColor(ink))
        painter.setFont(self._small)
        painter.drawText(box, int(Qt.AlignmentFlag.AlignCenter.value), place.text)

    def says(self, row: int, column: int) -> str:
        """Return what a number counts, in words."""
        place = self._matrix.places[row][column]
        cells = "cell" if place.text == "1" else "cells"
        said = f"{place.text} {cells} {place.asked.words}"
        if place.text == "0":
            return said
        again = "show all cells again" if place.asked == self._asked else "see them"
        return f"{said}; click to {again}"

    def event(self, event: QEvent) -> bool:
        """Say what the number under the mouse counts."""
        if isinstance(event, QHelpEvent):
            where = self.place_at(QPointF(event.pos()))
            head = self._head_at(QPointF(event.pos()))
            text = self.says(*where) if where else head
            QToolTip.showText(event.globalPos(), text, self)
            return True
        return bool(super().event(event))

    def _head_at(self, where: QPointF) -> str:
        left, width = self._columns()
        column = int((where.x() - left) // width)
        if where.y() >= LINE or not 0 <= column < len(self._matrix.columns):
            return ""
        name = self._matrix.columns[column]
        return Asked("", name).words if name else "Labelled cells with a score"

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Outline the number under the mouse."""
        self._look(self.place_at(event.position()))

    def leaveEvent(self, event: QEvent) -> None:
        """Outline nothing."""
        self._look(None)

    def _look(self, where: tuple[int, int] | None) -> None:
        if where != self._hover:
            self._hover = where
            shape = Qt.CursorShape
            self.setCursor(shape.PointingHandCursor if where else shape.ArrowCursor)
            self.update()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Ask for the cells behind a number."""
        where = self.place_at(event.position())
        if where is not None and event.button() == Qt.MouseButton.LeftButton:
            self.pick(*where)

    def pick(self, row: int, column: int) -> None:
        """Ask for the cells of a number, or for all again if one sees them already."""
        place = self._matrix.places[row][column]
        if place.asked == self._asked:
            self.picked.emit(None)
        elif place.text != "0":
            self.picked.emit(place.asked)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Move by arrows; Enter asks for the cells, Escape for all."""
        moves = {
            Qt.Key.Key_Left: (0, -1),
            Qt.Key.Key_Right: (0, 1),
            Qt.Key.Key_Up: (-1, 0),
            Qt.Key.Key_Down: (1, 0),
        }
        key = Qt.Key(event.key())
        if not self._matrix.rows:
            super().keyPressEvent(event)
        elif key in moves:
            down, right = moves[key]
            row, column = self._hover or (0, 0)
            rows, columns = len(self._matrix.rows), len(self._matrix.columns)
            self._look(((row + down) % rows, (column + right) % columns))
        elif key in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and self._hover:
            self.pick(*self._hover)
        elif key == Qt.Key.Key_Escape and self._asked is not None:
            self.picked.emit(None)
        else:
            super().keyPressEvent(event)
