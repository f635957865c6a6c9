"""All networks of a classifier side by side; click one to look at it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from qtpy.QtCore import QEvent, QPoint, QRectF, QSize, Qt, Signal
from qtpy.QtGui import (
    QColor,
    QHelpEvent,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QPixmap,
    QResizeEvent,
)
from qtpy.QtWidgets import QSizePolicy, QToolTip, QWidget

from napari_cellsci.explain.layout import Layout
from napari_cellsci.panels._theme import RADIUS, Theme
from napari_cellsci.panels.network.small import columns_of, paint_small, weight_colors

_WIDE, _NARROW, _HIGH, _GAP = 62, 44, 46, 4


@dataclass(frozen=True, eq=False, slots=True)
class Stamp:
    """A network of the strip: its layout and what the tip says of it."""

    layout: Layout
    tip: str


class Multiples(QWidget):
    """Small drawings in a grid.

    Signals
    -------
    picked : int
        Number of the network that was clicked.
    """

    picked = Signal(int)

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self._stamps: list[Stamp] = []
        self._columns: tuple[int, ...] = ()
        self._painted: dict[int, QPixmap] = {}
        self._chosen, self._hovered = 0, -1
        self._active: int | None = None
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAccessibleName("Models of this classifier")
        policy = QSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        policy.setHeightForWidth(True)
        self.setSizePolicy(policy)

    def show_stamps(self, stamps: Sequence[Stamp]) -> None:
        """Show other networks."""
        self._stamps = list(stamps)
        self._columns = columns_of([stamp.layout for stamp in stamps])
        self._painted.clear()
        self._fit()
        self.update()

    def show_chosen(self, chosen: int, active: int | None) -> None:
        """Frame the network that is looked at; mark the one whose scores are shown."""
        self._chosen, self._active = chosen, active
        self.update()

    def set_theme(self, theme: Theme) -> None:
        """Take over the theme's colours."""
        self._theme = theme
        self._painted.clear()
        self.update()

    def __len__(self) -> int:
        return len(self._stamps)

    def _across(self, width: int) -> int:
        n = max(len(self._stamps), 1)
        most = max((width + _GAP) // (_NARROW + _GAP), 1)
        # Full lines of equal length: ten are five and five rather than seven and three.
        lines = -(-n // most)
        return -(-n // lines)

    def _edge(self, width: int) -> float:
        across = self._across(width)
        return min((width - (across - 1) * _GAP) / across, _WIDE)

    def heightForWidth(self, width: int) -> int:
        """Return the height of all lines."""
        if not self._stamps:
            return 0
        lines = -(-len(self._stamps) // self._across(width))
        return lines * (_HIGH + _GAP) - _GAP

    def sizeHint(self) -> QSize:
        """Return the height that the present width needs."""
        return QSize(200, self.heightForWidth(max(self.width(), 200)))

    def _fit(self) -> None:
        self.setFixedHeight(max(self.heightForWidth(max(self.width(), 200)), 1))

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Arrange the drawings anew."""
        super().resizeEvent(event)
        if event.oldSize().width() != event.size().width():
            self._painted.clear()
            self._fit()

    def place_of(self, number: int) -> QRectF:
        """Return where a drawing lies."""
        across, edge = self._across(self.width()), self._edge(self.width())
        line, place = divmod(number, across)
        return QRectF(place * (edge + _GAP), line * (_HIGH + _GAP), edge, _HIGH)

    def number_at(self, position: QPoint) -> int:
        """Return the number of the drawing at a place, −1 where there is none."""
        for number in range(len(self._stamps)):
            if self.place_of(number).contains(position.x(), position.y()):
                return number
        return -1

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint the drawings and their frames."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        for number in range(len(self._stamps)):
            place = self.place_of(number)
            if number not in self._painted:
                self._painted[number] = self._paint_one(number, place)
            painter.drawPixmap(place.topLeft(), self._painted[number])
            self._paint_frame(painter, number, place)

    def _paint_one(self, number: int, place: QRectF) -> QPixmap:
        ratio = self.devicePixelRatioF()
        size = QSize(round(place.width() * ratio), round(place.height() * ratio))
        picture = QPixmap(size)
        picture.setDevicePixelRatio(ratio)
        picture.fill(Qt.GlobalColor.transparent)
        painter = QPainter(picture)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        inside = QRectF(0, 0, place.width(), place.height())
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(self._theme.card))
        painter.drawRoundedRect(inside, RADIUS, RADIUS)
        colors = weight_colors(self._theme)
        layout = self._stamps[number].layout
        paint_small(painter, inside, layout, self._columns, colors, self._theme.text)
        painter.end()
        return picture

    def _paint_frame(self, painter: QPainter, number: int, place: QRectF) -> None:
        color, width = None, 1.0
        if number == self._chosen:
            color, width = self._theme.accent, 2.0
        elif number == self._hovered:
            color = self._theme.muted
        if color is not None:
            painter.setPen(QPen(QColor(color), width))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            half = width / 2
            painter.drawRoundedRect(
                place.adjusted(half, half, -half, -half), RADIUS, RADIUS
            )
        painter.setPen(QColor(self._theme.text if color else self._theme.muted))
        font = painter.font()
        font.setPointSizeF(7)
        painter.setFont(font)
        words = f"{number} ◉" if number == self._active else str(number)
        corner = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignBottom
        painter.drawText(place.adjusted(4, 2, -3, -2), int(corner.value), words)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Pick the drawing that was clicked."""
        number = self.number_at(event.position().toPoint())
        if number >= 0 and event.button() == Qt.MouseButton.LeftButton:
            self.picked.emit(number)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Mark the drawing under the mouse."""
        number = self.number_at(event.position().toPoint())
        if number != self._hovered:
            self._hovered = number
            self.update()

    def leaveEvent(self, event: QEvent) -> None:
        """Mark none."""
        self._hovered = -1
        self.update()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Go through the drawings by the arrow keys."""
        step = {Qt.Key.Key_Left: -1, Qt.Key.Key_Right: 1}.get(Qt.Key(event.key()))
        if step is None:
            super().keyPressEvent(event)
        elif 0 <= self._chosen + step < len(self._stamps):
            self.picked.emit(self._chosen + step)

    def event(self, event: QEvent) -> bool:
        """Show the tip of the drawing under the mouse."""
        if event.type() == QEvent.Type.ToolTip and isinstance(event, QHelpEvent):
            number = self.number_at(event.pos())
            if number >= 0:
                QToolTip.showText(event.globalPos(), self._stamps[number].tip, self)
                return True
        return bool(super().event(event))
