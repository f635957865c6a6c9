"""What a drawn network consists of: connections, neurons, and heads of inputs."""

from __future__ import annotations

from dataclasses import dataclass

from qtpy.QtCore import QLineF, QPointF, QRectF, Qt
from qtpy.QtGui import (
    QColor,
    QFont,
    QFontMetricsF,
    QImage,
    QPainter,
    QPainterPath,
    QPainterPathStroker,
    QPen,
)
from qtpy.QtWidgets import QGraphicsItem, QGraphicsLineItem, QWidget

from napari_cellsci.explain.topology import Edge, Node
from napari_cellsci.panels._theme import Theme
from napari_cellsci.panels.network.geometry import RADIUS, Geometry

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
    above : bool
        Whether that stands above it instead, for want of room.
    focused : bool
        Whether it is the neuron that was clicked.
    """

    fill: str
    ring: str
    badge: str = ""
    value: str = ""
    above: bool = False
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
        return around.adjusted(-14, -14, 46, 0) if self.look.value else around

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
        if look.above:
            place.moveTo(-width / 2 - 4, -3 * radius - 1)
        halo = QColor(self._theme.background)
        halo.setAlpha(190)
        painter.fillRect(place.adjusted(-1, 1, 1, -1), halo)
        painter.setPen(QColor(self._theme.text))
        painter.drawText(place, int(Qt.AlignmentFlag.AlignCenter.value), look.value)


@dataclass(frozen=True, slots=True)
class End:
    """The picture at one end of a latent, and which side of the score it is on.

    Parameters
    ----------
    image : QImage or None
    color : str
        Of the class towards which it moves the score.
    sign : str
        Of that class: ▲ or ●.
    mark : str
        "−" or "+".
    """

    image: QImage | None
    color: str
    sign: str
    mark: str


class HeadItem(QGraphicsItem):
    """What stands above an input: two pictures, its name, its symbol.

    Parameters
    ----------
    node : Node
    name, symbol : str
        The name may be "".
    ends : pair of End
        Low and high.
    geometry : Geometry
    theme : Theme
    fonts : pair of QFont
        Usual and small.
    """

    def __init__(
        self,
        node: Node,
        name: str,
        symbol: str,
        ends: tuple[End, End],
        geometry: Geometry,
        theme: Theme,
        fonts: tuple[QFont, QFont],
    ) -> None:
        super().__init__()
        self.node = node
        self._name, self._symbol, self._ends = name, symbol, ends
        self._geometry, self._theme, self._fonts = geometry, theme, fonts
        self.setZValue(2)

    def boundingRect(self) -> QRectF:
        """Return what it paints on: upwards from its neuron."""
        g = self._geometry
        height = g.pictures_height + g.label_height + RADIUS + 4
        return QRectF(-g.slot / 2, -height, g.slot, height - RADIUS)

    def paint(
        self, painter: QPainter, option: object, widget: QWidget | None = None
    ) -> None:
        """Paint pictures and label."""
        g = self._geometry
        top = self.boundingRect().top()
        if g.picture:
            self._paint_pictures(painter, top)
        below = QRectF(-g.slot / 2, top + g.pictures_height, g.slot, g.label_height)
        if g.upright:
            self._paint_upright(painter, below)
        else:
            self._paint_label(painter, below)

    def _paint_pictures(self, painter: QPainter, top: float) -> None:
        edge = self._geometry.picture
        if self._geometry.stacked:
            corners = [(-edge / 2, top), (-edge / 2, top + edge + 2)]
        else:
            corners = [(-edge - 1, top), (1.0, top)]
        for (left, upper), end in zip(corners, self._ends, strict=True):
            place = QRectF(left, upper, edge, edge)
            if end.image is not None:
                painter.drawImage(place, end.image)
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.setPen(QPen(QColor(end.color), 2))
            painter.drawRect(place.adjusted(1, 1, -1, -1))
            self._paint_sign(painter, place, end)

    def _paint_sign(self, painter: QPainter, place: QRectF, end: End) -> None:
        """Write − or + and the sign of the class into the corners of a picture."""
        small = self._fonts[1]
        painter.setFont(small)
        metrics = QFontMetricsF(small)
        height = metrics.height() - 2
        if place.width() < 2 * height:
            return
        flags = int(Qt.AlignmentFlag.AlignCenter.value)
        box = QRectF(place.left(), place.top(), height, height)
        painter.fillRect(box, QColor(0, 0, 0, 150))
        painter.setPen(QColor("#FFFFFF"))
        painter.drawText(box, flags, end.mark)
        box = QRectF(place.right() - height, place.bottom() - height, height, height)
        painter.fillRect(box, QColor(end.color))
        painter.drawText(box, flags, end.sign)

    def _paint_label(self, painter: QPainter, place: QRectF) -> None:
        usual, small = self._fonts
        center = int(Qt.AlignmentFlag.AlignCenter.value)
        half = place.height() / 2
        if not self._name:
            painter.setFont(usual)
            painter.setPen(QColor(self._theme.text))
            painter.drawText(place, center, self._symbol)
            return
        painter.setFont(usual)
        painter.setPen(QColor(self._theme.text))
        words = QFontMetricsF(usual).elidedText(
            self._name, Qt.TextElideMode.ElideRight, place.width() - 2
        )
        painter.drawText(place.adjusted(0, 0, 0, -half), center, words)
        painter.setFont(small)
        painter.setPen(QColor(self._theme.muted))
        painter.drawText(place.adjusted(0, half - 2, 0, -2), center, self._symbol)

    def _paint_upright(self, painter: QPainter, place: QRectF) -> None:
        usual = self._fonts[0]
        painter.save()
        painter.translate(place.center().x(), place.bottom() - 2)
        painter.rotate(-90)
        painter.setFont(usual)
        painter.setPen(QColor(self._theme.text))
        label = f"{self._name} {self._symbol}" if self._name else self._symbol
        words = QFontMetricsF(usual).elidedText(
            label, Qt.TextElideMode.ElideMiddle, place.height() - 2
        )
        line = QRectF(0, -place.width() / 2, place.height(), place.width())
        side = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
        painter.drawText(line, int(side.value), words)
        painter.restore()
