"""What stands above an input of a drawn network: two pictures and its name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from qtpy.QtCore import QRectF, Qt
from qtpy.QtGui import QColor, QFont, QFontMetricsF, QImage, QPainter, QPen
from qtpy.QtWidgets import QGraphicsItem, QWidget

from napari_cellsci.explain.topology import Node
from napari_cellsci.panels._theme import Theme
from napari_cellsci.panels.network.geometry import RADIUS, UPRIGHT, Geometry

_LONG, _LONGEST = 70.0, 104.0
"""Lengths (px) of an upright label: from which it is folded, and at most."""
_CENTER = int(Qt.AlignmentFlag.AlignCenter.value)
_WRAP = int(Qt.TextFlag.TextWordWrap.value)


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
        height = g.pictures_height + g.label + RADIUS + 4
        return QRectF(-g.slot / 2, -height, g.slot, height - RADIUS)

    def paint(
        self, painter: QPainter, option: object, widget: QWidget | None = None
    ) -> None:
        """Paint pictures and label."""
        g = self._geometry
        top = self.boundingRect().top()
        if g.picture:
            self._paint_pictures(painter, top)
        below = QRectF(-g.slot / 2, top + g.pictures_height, g.slot, g.label)
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
        """Write the name, over several lines if need be, and the symbol below it."""
        usual, small = self._fonts
        if not self._name:
            painter.setFont(usual)
            painter.setPen(QColor(self._theme.text))
            painter.drawText(place, _CENTER, self._symbol)
            return
        font = usual if is_short(self._name, usual, place.width()) else small
        below = QFontMetricsF(small).height()
        painter.setFont(font)
        painter.setPen(QColor(self._theme.text))
        upper = place.adjusted(3, 0, -3, -below)
        painter.drawText(upper, _CENTER | _WRAP, self._name)
        painter.setFont(small)
        painter.setPen(QColor(self._theme.muted))
        lower = QRectF(place.left(), place.bottom() - below, place.width(), below)
        painter.drawText(lower, _CENTER, self._symbol)

    def _paint_upright(self, painter: QPainter, place: QRectF) -> None:
        label = f"{self._name} {self._symbol}" if self._name else self._symbol
        painter.save()
        painter.translate(place.center().x(), place.bottom() - 2)
        painter.rotate(-90)
        line = QRectF(0, -place.width() / 2, place.height() - 2, place.width())
        font = self._fonts[1]
        painter.setFont(font)
        painter.setPen(QColor(self._theme.text))
        lines = 2 if place.width() >= 2 * QFontMetricsF(font).height() else 1
        middle = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
        if lines == 1:
            label = QFontMetricsF(font).elidedText(
                label, Qt.TextElideMode.ElideMiddle, line.width()
            )
        painter.drawText(line, int(middle.value) | (_WRAP if lines > 1 else 0), label)
        painter.restore()


def is_short(name: str, font: QFont, room: float) -> bool:
    """Return whether a name fits into one line."""
    return QFontMetricsF(font).horizontalAdvance(name) <= room - 2


def label_height(
    labels: Sequence[tuple[str, str]], fonts: tuple[QFont, QFont], slot: float
) -> float:
    """Return the height that names and symbols need above inputs of some width.

    Parameters
    ----------
    labels : sequence of (name, symbol)
    fonts : pair of QFont
        Usual and small.
    slot : float
        Width of each.
    """
    if not labels:
        return 0.0
    usual, small = (QFontMetricsF(font) for font in fonts)
    if slot < UPRIGHT:
        widths = [
            small.horizontalAdvance(f"{name} {symbol}".strip()) + 8
            for name, symbol in labels
        ]
        folded = slot >= 2 * small.height()
        needed = [0.62 * w if folded and w > _LONG else w for w in widths]
        return min(max(needed), _LONGEST)
    heights = []
    for name, _ in labels:
        if not name or is_short(name, fonts[0], slot):
            heights.append(usual.height())
        else:
            room = QRectF(0, 0, slot - 6, 200)
            heights.append(small.boundingRect(room, _CENTER | _WRAP, name).height())
    return max(heights) + small.height() + 2
