"""What stands below an output of a network with several: the name of its class."""

from __future__ import annotations

from collections.abc import Sequence

from qtpy.QtCore import QRectF, QSizeF, Qt
from qtpy.QtGui import QColor, QFont, QFontMetricsF, QPainter, QPen
from qtpy.QtWidgets import QGraphicsItem, QWidget

from napari_cellsci.explain.topology import Node
from napari_cellsci.panels._theme import Theme, readable
from napari_cellsci.panels.network.drawn import ClassLook
from napari_cellsci.panels.network.geometry import RADIUS, slot_of

_LONGEST = 104.0
"""Length (px) of an upright name at most."""
_CENTER = int(Qt.AlignmentFlag.AlignCenter.value)


class FootItem(QGraphicsItem):
    """The sign and name of a class, upright where there is no room beside others.

    Parameters
    ----------
    node : Node
    look : ClassLook
    room : QSizeF
        Width that each output has, and height of all names.
    theme : Theme
    font : QFont
    chosen : bool
        Whether it is the class that is looked at: its name is underlined.
    """

    def __init__(
        self,
        node: Node,
        look: ClassLook,
        room: QSizeF,
        theme: Theme,
        font: QFont,
        chosen: bool,
    ) -> None:
        super().__init__()
        self.node = node
        self._name, self._sign = look.name, look.sign
        self._color = readable(look.color, theme)
        self._room, self._font, self._chosen = room, font, chosen
        self.setZValue(2)

    def boundingRect(self) -> QRectF:
        """Return what it paints on: downwards from its neuron."""
        width, height = self._room.width(), self._room.height()
        return QRectF(-width / 2, RADIUS + 4, width, height)

    def paint(
        self, painter: QPainter, option: object, widget: QWidget | None = None
    ) -> None:
        """Paint sign and name, in two lines or upright in one."""
        place, metrics = self.boundingRect(), QFontMetricsF(self._font)
        painter.setFont(self._font)
        painter.setPen(QPen(QColor(self._color), 1.5))
        painter.save()
        if place.height() > _flat(metrics):
            painter.translate(0, place.top())
            painter.rotate(90)
            self._paint_line(painter, f"{self._sign} {self._name}", 0, place.height())
        else:
            top = QRectF(place.left(), place.top(), place.width(), metrics.height())
            painter.drawText(top, _CENTER, self._sign)
            width = min(metrics.horizontalAdvance(self._name), place.width() - 2)
            painter.translate(0, top.bottom() + metrics.height() / 2)
            self._paint_line(painter, self._name, -width / 2, place.width())
        painter.restore()

    def _paint_line(
        self, painter: QPainter, words: str, left: float, room: float
    ) -> None:
        """Write words about y = 0, underlined for the class that is looked at."""
        metrics = QFontMetricsF(self._font)
        shown = metrics.elidedText(words, Qt.TextElideMode.ElideRight, room - 2)
        width, height = metrics.horizontalAdvance(shown), metrics.height()
        line = QRectF(left, -height / 2, width, height)
        painter.drawText(line.adjusted(-2, 0, 2, 0), _CENTER, shown)
        if self._chosen:
            painter.drawLine(line.bottomLeft(), line.bottomRight())


def _flat(metrics: QFontMetricsF) -> float:
    return 2 * metrics.height() + 2


def foot_height(looks: Sequence[ClassLook], font: QFont, width: float) -> float:
    """Return the height that the names of classes need in a view of some width."""
    metrics = QFontMetricsF(font)
    widest = max((metrics.horizontalAdvance(look.name) for look in looks), default=0.0)
    if widest + 4 <= slot_of(width, len(looks)):
        return _flat(metrics)
    return min(widest + 2 * metrics.height(), _LONGEST)
