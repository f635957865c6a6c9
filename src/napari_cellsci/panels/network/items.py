"""What a drawn network consists of: connections and neurons."""

from __future__ import annotations

from dataclasses import dataclass

from qtpy.QtCore import QLineF, QPointF, QRectF, Qt
from qtpy.QtGui import (
    QColor,
    QFont,
    QFontMetricsF,
    QPainter,
    QPainterPath,
    QPainterPathStroker,
    QPen,
)
from qtpy.QtWidgets import QGraphicsItem, QGraphicsLineItem, QWidget

from napari_cellsci.explain.topology import Edge, Node
from napari_cellsci.panels._theme import Theme
from napari_cellsci.panels.network.geometry import RADIUS

FADED = 0.12
"""Opacity of what does not belong to the stream that is shown."""
_GRIP = 8.0
THINNEST, THICKEST = 0.8, 6.0


class EdgeItem(QGraphicsLineItem):
    """A connection; as wide as its weight is strong."""

    def __init__(self, edge: Edge, line: QLineF, color: str, strength: float) -> None:
        super().__init__(line)
        self.edge = edge
        pen = QPen(QColor(color), THINNEST + strength * (THICKEST - THINNEST))
        pen.setCapStyle(Qt.PenCapStyle.RoundCap)
        self.setPen(pen)
        self.setZValue(1)

    def shape(self) -> QPainterPath:
        """Return where it can be hovered: thin lines need a wider grip."""
        path = QPainterPath(self.line().p1())
        path.lineTo(self.line().p2())
        stroker = QPainterPathStroker()
        stroker.setWidth(max(self.pen().widthF(), _GRIP))
        return stroker.createStroke(path)


@dataclass(slots=True)
class NodeLook:
    """How a neuron is painted.

    Parameters
    ----------
    fill : str
        ``#rrggbb``.
    ring : str
        Colour of its outline.
    badge : str
        A letter inside, "" for none: its role in the response map.
    value : str
        Written beside it, "" for nothing.
    focused : bool
        Whether it is the neuron that was clicked.
    """

    fill: str
    ring: str
    badge: str = ""
    value: str = ""
    focused: bool = False


class NodeItem(QGraphicsItem):
    """A neuron."""

    def __init__(self, node: Node, theme: Theme, font: QFont, small: bool) -> None:
        super().__init__()
        self.node = node
        self._theme, self._font = theme, font
        self._radius = RADIUS - 2.5 if small else RADIUS
        self.look = NodeLook(theme.background, theme.text)
        self.setZValue(3)

    def show_look(self, look: NodeLook) -> None:
        """Paint it in another way."""
        if look != self.look:
            self.prepareGeometryChange()
            self.look = look
            self.update()

    def boundingRect(self) -> QRectF:
        """Return what it may paint on."""
        reach = self._radius + 4
        around = QRectF(-reach, -reach, 2 * reach, 2 * reach)
        return around.adjusted(0, 0, 46, 0) if self.look.value else around

    def shape(self) -> QPainterPath:
        """Return where it can be clicked: a little beyond its outline."""
        path = QPainterPath()
        reach = self._radius + 3
        path.addEllipse(QPointF(0, 0), reach, reach)
        return path

    def paint(
        self, painter: QPainter, option: object, widget: QWidget | None = None
    ) -> None:
        """Paint the neuron."""
        look, radius = self.look, self._radius
        if look.focused:
            painter.setPen(QPen(QColor(self._theme.accent), 2.5))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawEllipse(QPointF(0, 0), radius + 3, radius + 3)
        painter.setPen(QPen(QColor(look.ring), 1.5))
        painter.setBrush(QColor(look.fill))
        painter.drawEllipse(QPointF(0, 0), radius, radius)
        painter.setFont(self._font)
        if look.badge:
            dark = QColor(look.fill).lightnessF() < 0.5
            painter.setPen(QColor("#FFFFFF" if dark else "#000000"))
            place = QRectF(-radius, -radius, 2 * radius, 2 * radius)
            center = Qt.AlignmentFlag.AlignCenter
            painter.drawText(place, int(center.value), look.badge)
        if look.value:
            self._paint_value(painter)

    def _paint_value(self, painter: QPainter) -> None:
        look, radius = self.look, self._radius
        width = QFontMetricsF(self._font).horizontalAdvance(look.value)
        place = QRectF(radius + 4, -radius, width, 2 * radius)
        halo = QColor(self._theme.background)
        halo.setAlpha(190)
        painter.fillRect(place.adjusted(-1, 1, 1, -1), halo)
        painter.setPen(QColor(self._theme.text))
        painter.drawText(place, int(Qt.AlignmentFlag.AlignCenter.value), look.value)
