"""The drawing of a network: click a neuron, an input, or the empty ground."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from qtpy.QtCore import QLineF, QPoint, QSize, QSizeF, Qt, Signal
from qtpy.QtGui import (
    QColor,
    QFont,
    QFontMetricsF,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QResizeEvent,
)
from qtpy.QtWidgets import (
    QFrame,
    QGraphicsScene,
    QGraphicsTextItem,
    QGraphicsView,
    QSizePolicy,
)

from napari_cellsci.explain.streams import SubNetwork
from napari_cellsci.explain.topology import Floats, Node
from napari_cellsci.figures.network import in_short
from napari_cellsci.panels._theme import Theme, mix, readable
from napari_cellsci.panels.network.drawn import (
    ClassLook,
    Drawn,
    in_one_digit,
    number,
    tip_of,
)
from napari_cellsci.panels.network.foot_item import FootItem, foot_height
from napari_cellsci.panels.network.geometry import (
    FOOT,
    MARGIN,
    RADIUS,
    Geometry,
    slot_of,
)
from napari_cellsci.panels.network.head_item import End, HeadItem, label_height
from napari_cellsci.panels.network.items import (
    FADED,
    EdgeItem,
    NodeItem,
    NodeLook,
)
from napari_cellsci.panels.network.small import weight_colors

LEAST_HEIGHT = 250
_ROOM = 44
"""Distance (px) to what is right of a neuron from which a number fits beside it."""


class NetworkView(QGraphicsView):
    """A network as in figure 5 of arXiv 2402.03115.

    Signals
    -------
    clicked : object, bool
        A neuron or input, and whether Ctrl was held.
    asked : object, QPoint
        A neuron for which a menu is wanted, and where on the screen.
    cleared
        The empty ground was clicked, or Escape pressed.
    """

    clicked = Signal(object, bool)
    asked = Signal(object, QPoint)
    cleared = Signal()

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self._drawn: Drawn | None = None
        self._stream: SubNetwork | None = None
        self._badges: dict[Node, str] = {}
        self._focus: Node | None = None
        self._activity: list[Floats] | None = None
        self._spreads: dict[Node, float] = {}
        self._edges: list[EdgeItem] = []
        self._nodes: dict[Node, NodeItem] = {}
        self._heads: dict[Node, HeadItem] = {}
        self._roomy: set[Node] = set()
        scene = QGraphicsScene(self)
        # Some hundred items that all move at once: an index would only cost.
        scene.setItemIndexMethod(QGraphicsScene.ItemIndexMethod.NoIndex)
        self.setScene(scene)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setRenderHint(QPainter.RenderHint.Antialiasing)
        self.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setViewportUpdateMode(
            QGraphicsView.ViewportUpdateMode.MinimalViewportUpdate
        )
        self.setMinimumSize(120, LEAST_HEIGHT)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Expanding)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAccessibleName("Network")
        self.set_theme(theme)

    def sizeHint(self) -> QSize:
        """Return a usual size."""
        return QSize(340, LEAST_HEIGHT)

    def set_theme(self, theme: Theme) -> None:
        """Take over the theme's colours."""
        self._theme = theme
        self.setStyleSheet("background: transparent;")
        self.rebuild()

    def show_drawn(self, drawn: Drawn | None) -> None:
        """Draw another network, or none."""
        self._drawn, self._stream, self._focus = drawn, None, None
        self._badges, self._activity, self._spreads = {}, None, {}
        self.rebuild()

    @property
    def drawn(self) -> Drawn | None:
        """What is drawn."""
        return self._drawn

    def node_items(self) -> Mapping[Node, NodeItem]:
        """Return the neurons of the drawing."""
        return self._nodes

    def edge_items(self) -> list[EdgeItem]:
        """Return the connections of the drawing."""
        return self._edges

    def _fonts(self) -> tuple[QFont, QFont]:
        usual = QFont(self.font())
        small = QFont(usual)
        small.setPointSizeF(max(usual.pointSizeF() * 0.82, 6.5))
        return usual, small

    def _geometry(self) -> Geometry:
        assert self._drawn is not None
        reading, book = self._drawn.reading, self._drawn.book
        fonts = self._fonts()
        inputs = [node.number for node in reading.layout.layer(0)]
        labels = [(book.names[number], f"z{number}") for number in inputs]
        size = self.viewport().size()
        slot = slot_of(float(size.width()), len(inputs))
        return Geometry(
            float(size.width()),
            float(size.height()),
            len(inputs),
            reading.topology.last,
            QFontMetricsF(fonts[0]).height(),
            label_height(labels, fonts, slot),
            self._foot(float(size.width())),
        )

    def _foot(self, width: float) -> float:
        """Return the height of what is written below the outputs."""
        assert self._drawn is not None
        if not self._drawn.many:
            return FOOT
        usual, small = self._fonts()
        label = foot_height(self._outputs(), small, width)
        return RADIUS + 4 + label + QFontMetricsF(usual).height() + 10

    def _outputs(self) -> list[ClassLook]:
        """Return the classes of the outputs from left to right."""
        assert self._drawn is not None
        layout = self._drawn.reading.layout
        row = layout.layer(layout.topology.last)
        return [self._drawn.classes[node.number] for node in row]

    def rebuild(self) -> None:
        """Draw everything anew, for another size, theme or network."""
        usable = self._drawn is not None and self.viewport().width() >= 40
        if usable:
            # This may come back here at once, through a resize: nothing is begun yet.
            least = max(int(self._geometry().least_height), LEAST_HEIGHT)
            if self.minimumHeight() != least:
                self.setMinimumHeight(least)
        self.scene().clear()
        self._edges, self._nodes, self._heads = [], {}, {}
        self._roomy = set()
        if not usable:
            return
        geometry = self._geometry()
        self.setSceneRect(0, 0, geometry.width, geometry.height)
        self._add_edges(geometry)
        self._add_nodes(geometry)
        self._add_heads(geometry)
        self._add_words(geometry)
        self._paint_state()

    def _add_edges(self, geometry: Geometry) -> None:
        assert self._drawn is not None
        layout = self._drawn.reading.layout
        colors = weight_colors(self._theme)
        for edge in layout.edges:
            ends = [
                geometry.place(layout.places, n) for n in (edge.source, edge.target)
            ]
            item = EdgeItem(
                edge,
                QLineF(*ends[0], *ends[1]),
                colors[int(edge.weight > 0)],
                abs(edge.weight) / layout.strongest,
            )
            names = " → ".join(self._drawn.name(n) for n in (edge.source, edge.target))
            item.setToolTip(f"{names}: weight {number(edge.weight)}")
            self.scene().addItem(item)
            self._edges.append(item)

    def _add_nodes(self, geometry: Geometry) -> None:
        assert self._drawn is not None
        places = self._drawn.reading.layout.places
        small = self._drawn.reading.layout.widest > geometry.width / 22
        for node in places:
            item = NodeItem(node, self._theme, self._fonts()[1], small)
            item.setPos(*geometry.place(places, node))
            item.setCursor(Qt.CursorShape.PointingHandCursor)
            self.scene().addItem(item)
            self._nodes[node] = item

        for layer in range(self._drawn.topology.last + 1):
            row = self._drawn.reading.layout.layer(layer)
            ends = [self._nodes[node].x() for node in row[1:]]
            ends += [geometry.width] * bool(row)
            self._roomy |= {
                node
                for node, end in zip(row, ends, strict=True)
                if end - self._nodes[node].x() >= _ROOM
            }

    def _add_heads(self, geometry: Geometry) -> None:
        assert self._drawn is not None
        layout, book = self._drawn.reading.layout, self._drawn.book
        for node in layout.layer(0):
            item = HeadItem(
                node,
                book.names[node.number],
                f"z{node.number}",
                self._ends(node.number),
                geometry,
                self._theme,
                self._fonts(),
            )
            item.setPos(*geometry.place(layout.places, node))
            item.setToolTip(tip_of(self._drawn, node, self._activity))
            item.setCursor(Qt.CursorShape.PointingHandCursor)
            self.scene().addItem(item)
            self._heads[node] = item

    def _ends(self, index: int) -> tuple[End, End]:
        assert self._drawn is not None
        pictures = self._drawn.pictures[index]
        ends = [
            End(pictures[place] if pictures else None, look.color, look.sign, mark)
            for mark, place, look in zip(
                "−+", (0, -1), self._drawn.end_looks(index), strict=True
            )
        ]
        return ends[0], ends[1]

    def _add_words(self, geometry: Geometry) -> None:
        assert self._drawn is not None
        reading, theme = self._drawn.reading, self._theme
        small = self._fonts()[1]
        self._say(in_short(reading), MARGIN, 0, small, theme.muted)
        negative, positive = weight_colors(theme)
        self._say(
            f'<span style="color:{positive}">━</span> positive weight &nbsp; '
            f'<span style="color:{negative}">━</span> negative &nbsp; wide: strong',
            *(MARGIN, geometry.height - geometry.line - 6, small, theme.muted),
        )
        if self._drawn.many:
            self._add_classes(geometry)
        else:
            self._add_sides(geometry)

    def _add_classes(self, geometry: Geometry) -> None:
        """Name every output below it."""
        assert self._drawn is not None
        layout, looks = self._drawn.reading.layout, self._outputs()
        font = self._fonts()[1]
        height = foot_height(looks, font, geometry.width)
        row = layout.layer(layout.topology.last)
        for node, look in zip(row, looks, strict=True):
            chosen = node == self._drawn.output
            item = FootItem(
                node,
                look,
                QSizeF(slot_of(geometry.width, len(row)), height),
                self._theme,
                font,
                chosen,
            )
            item.setPos(*geometry.place(layout.places, node))
            item.setToolTip(tip_of(self._drawn, node, self._activity))
            item.setCursor(Qt.CursorShape.PointingHandCursor)
            self.scene().addItem(item)

    def _add_sides(self, geometry: Geometry) -> None:
        """Name both sides of the output below it."""
        assert self._drawn is not None
        layout = self._drawn.reading.layout
        x, y = geometry.place(layout.places, self._drawn.output)
        low, high = self._drawn.looks
        colors = [readable(look.color, self._theme) for look in (low, high)]
        sides = [
            f'<span style="color:{colors[0]}">{low.sign} {low.name} f &lt; 0</span>',
            f'<span style="color:{colors[1]}">f ≥ 0 {high.name} {high.sign}</span>',
        ]
        usual, small = self._fonts()
        for font, between in ((usual, "&nbsp; "), (small, "&nbsp; "), (small, "<br>")):
            item = self._say(between.join(sides), 0, y + 8, font, self._theme.text)
            width = item.boundingRect().width()
            if width <= geometry.width:
                break
            self.scene().removeItem(item)
        left = min(max(x - width / 2, 0), max(geometry.width - width, 0))
        item.setPos(left, y + 8)

    def _say(
        self, html: str, x: float, y: float, font: QFont, color: str
    ) -> QGraphicsTextItem:
        item = QGraphicsTextItem()
        item.document().setDocumentMargin(0)
        item.setFont(font)
        item.setDefaultTextColor(QColor(color))
        item.setHtml(html)
        item.setPos(x, y)
        item.setZValue(2)
        self.scene().addItem(item)
        return item

    def show_stream(self, stream: SubNetwork | None, focus: Node | None) -> None:
        """Let a part of the network stand out and the rest fade."""
        self._stream, self._focus = stream, focus
        self._paint_state()

    def show_badges(self, badges: Mapping[Node, str]) -> None:
        """Mark neurons with a letter: the axes and the target of the response map."""
        self._badges = dict(badges)
        self._paint_state()

    def show_activity(
        self, activity: list[Floats] | None, spreads: Mapping[Node, float]
    ) -> None:
        """Fill every neuron with its activation for one cell.

        Parameters
        ----------
        activity : list of array (1, width), or None for no cell
        spreads : mapping from Node to float
            Activation at which the colour of a neuron saturates.
        """
        self._activity, self._spreads = activity, dict(spreads)
        self._paint_state()

    def _paint_state(self) -> None:
        """Bring opacity, badges and fills up to date; nothing is made anew."""
        if self._drawn is None:
            return
        stream = self._stream
        chosen = None
        if stream is not None:
            chosen = {(e.source, e.target) for e in stream.edges}
        for item in self._edges:
            mine = chosen is None or (item.edge.source, item.edge.target) in chosen
            item.setOpacity(1.0 if mine else FADED)
        nodes = None if stream is None else {*stream.nodes, self._focus}
        for node, spot in self._nodes.items():
            lit = nodes is None or node in nodes
            spot.setOpacity(1.0 if lit else 0.3)
            spot.show_look(self._look(node))
            spot.setToolTip(tip_of(self._drawn, node, self._activity))
            if node in self._heads:
                self._heads[node].setOpacity(1.0 if lit else 0.35)

    def _look(self, node: Node) -> NodeLook:
        assert self._drawn is not None
        theme, topology = self._theme, self._drawn.topology
        fill, value = theme.background, ""
        if node in self._badges:
            fill = theme.button
        if self._activity is not None:
            activity = float(self._activity[node.layer][0, node.number])
            fill = self._fill(node, activity)
            value = in_one_digit(activity) if node in self._roomy else ""
        ring = theme.text if topology.role(node) != "constant" else theme.muted
        if self._drawn.many and node.layer == topology.last:
            ring = readable(self._drawn.classes[node.number].color, theme)
        return NodeLook(
            fill,
            ring,
            self._badges.get(node, ""),
            value,
            focused=node == self._focus,
        )

    def _fill(self, node: Node, activity: float) -> str:
        assert self._drawn is not None
        if node.layer == self._drawn.topology.last:
            scale = self._drawn.scales[node.number]
            r, g, b = scale.colors(np.array([activity], np.float32))[0, :3]
            return QColor.fromRgbF(float(r), float(g), float(b)).name()
        part = min(abs(activity) / (self._spreads.get(node) or 1.0), 1.0)
        negative, positive = weight_colors(self._theme)
        color = positive if activity > 0 else negative
        return mix(self._theme.background, color, part)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Draw anew for the new size."""
        super().resizeEvent(event)
        self.rebuild()

    def node_at(self, position: QPoint) -> Node | None:
        """Return the neuron at a place of the view; its head counts as the input."""
        for item in self.items(position):
            if isinstance(item, NodeItem | HeadItem | FootItem):
                return item.node
        return None

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Choose what was clicked."""
        position = event.position().toPoint()
        node = self.node_at(position)
        if event.button() == Qt.MouseButton.RightButton:
            if node is not None:
                self.asked.emit(node, event.globalPosition().toPoint())
            return
        self.setFocus()
        if node is None:
            self.cleared.emit()
        else:
            add = bool(event.modifiers() & Qt.KeyboardModifier.ControlModifier)
            self.clicked.emit(node, add)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Move over the neurons by the arrow keys; Escape clears."""
        if event.key() == Qt.Key.Key_Escape:
            self.cleared.emit()
            return
        steps = {
            Qt.Key.Key_Left: (0, -1),
            Qt.Key.Key_Right: (0, 1),
            Qt.Key.Key_Up: (-1, 0),
            Qt.Key.Key_Down: (1, 0),
        }
        step = steps.get(Qt.Key(event.key()))
        if step is None or self._drawn is None:
            super().keyPressEvent(event)
            return
        node = self._neighbour(*step)
        if node is not None:
            self.clicked.emit(node, False)

    def _neighbour(self, down: int, right: int) -> Node | None:
        assert self._drawn is not None
        layout = self._drawn.reading.layout
        here = self._focus
        if here is None or here not in layout.places:
            return self._drawn.output
        if right:
            row = layout.layer(here.layer)
            place = row.index(here) + right
            return row[place] if 0 <= place < len(row) else None
        row = layout.layer(here.layer + down) if here.layer + down >= 0 else []
        x = layout.places[here][0]
        return min(row, key=lambda n: abs(layout.places[n][0] - x), default=None)
