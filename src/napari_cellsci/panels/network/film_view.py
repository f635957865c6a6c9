"""All neurons of a network and the connections it had at one moment of its training."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from qtpy.QtCore import QLineF, QPointF, QRectF, QSize, Qt
from qtpy.QtGui import QColor, QFont, QPainter, QPaintEvent, QPen
from qtpy.QtWidgets import QSizePolicy, QWidget

from napari_cellsci.explain.codebook import CodeBook
from napari_cellsci.explain.layout import Layout, every_place
from napari_cellsci.explain.topology import Bools, Node, Topology
from napari_cellsci.panels._theme import Theme
from napari_cellsci.panels.network.small import weight_colors
from napari_cellsci.panels.network.view import LEAST_HEIGHT

_LABELLED = 16
"""Inputs in use up to which each is named."""
_HEAD, _FOOT, _MARGIN = 70.0, 26.0, 8.0
_CROWD = 300
"""Connections from which they are drawn without smoothing."""


def split_masks(topology: Topology, flat: Bools) -> tuple[Bools, ...]:
    """Return the masks of the layers from all weights in a row."""
    parts, start = [], 0
    for mask in topology.masks:
        parts.append(flat[start : start + mask.size].reshape(mask.shape))
        start += mask.size
    return tuple(parts)


class FilmView(QWidget):
    """One frame of the history of a network's connections.

    Connections that are still there in the end have the colour of their final weight,
    those that were dropped later are grey.
    """

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self._topology: Topology | None = None
        self._book: CodeBook | None = None
        self._places: Mapping[Node, tuple[float, float]] = {}
        self._masks: tuple[Bools, ...] = ()
        self._shifts: list[np.ndarray] = []
        self.setMinimumSize(120, LEAST_HEIGHT)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Expanding)
        self.setAccessibleName("Network while it learned")

    def sizeHint(self) -> QSize:
        """Return a usual size."""
        return QSize(340, LEAST_HEIGHT)

    def set_theme(self, theme: Theme) -> None:
        """Take over the theme's colours."""
        self._theme = theme
        self.update()

    def show_network(self, layout: Layout | None, book: CodeBook | None) -> None:
        """Take another network, as it is in the end."""
        self._book = book
        self._topology = None if layout is None else layout.topology
        self._places = {} if layout is None else every_place(layout.topology, layout)
        self._shifts = []
        if self._topology is not None:
            self._shifts = [
                np.array([self._places[Node(layer, i)][0] for i in range(size)])
                for layer, size in enumerate(self._topology.sizes)
            ]

    def show_masks(self, masks: tuple[Bools, ...]) -> None:
        """Show the connections of another moment."""
        self._masks = masks
        self.update()

    def _y(self, layer: int) -> float:
        assert self._topology is not None
        span = self.height() - _HEAD - _FOOT
        return _HEAD + layer * span / self._topology.last

    def _x(self, part: float) -> float:
        return _MARGIN + part * (self.width() - 2 * _MARGIN)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint connections, neurons and the names of inputs in use."""
        if self._topology is None or not self._masks:
            return
        painter = QPainter(self)
        crowd = sum(int(mask.sum()) for mask in self._masks) > _CROWD
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, not crowd)
        negative, positive = weight_colors(self._theme)
        faint = QColor(self._theme.muted)
        faint.setAlpha(60 if crowd else 130)
        final, weights = self._topology.masks, self._topology.weights
        for color, width, chosen in (
            (faint, 1.0, [m & ~f for m, f in zip(self._masks, final, strict=True)]),
            (
                QColor(negative),
                1.6,
                [m & f & (w <= 0) for m, f, w in _zip(self._masks, final, weights)],
            ),
            (
                QColor(positive),
                1.6,
                [m & f & (w > 0) for m, f, w in _zip(self._masks, final, weights)],
            ),
        ):
            painter.setPen(QPen(color, width))
            painter.drawLines(self._lines(chosen))
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        self._paint_neurons(painter)
        self._paint_names(painter)

    def _lines(self, masks: list[Bools]) -> list[QLineF]:
        lines = []
        for layer, mask in enumerate(masks):
            top, bottom = self._y(layer), self._y(layer + 1)
            targets, sources = np.nonzero(mask)
            above = self._shifts[layer][sources].tolist()
            below = self._shifts[layer + 1][targets].tolist()
            lines += [
                QLineF(self._x(a), top, self._x(b), bottom)
                for a, b in zip(above, below, strict=True)
            ]
        return lines

    def _joined(self, node: Node) -> bool:
        layer, number = node
        into = layer > 0 and bool(self._masks[layer - 1][number].any())
        out = layer < len(self._masks) and bool(self._masks[layer][:, number].any())
        return into or out

    def _paint_neurons(self, painter: QPainter) -> None:
        faint = QColor(self._theme.muted)
        faint.setAlpha(90)
        for node, (x, layer) in self._places.items():
            joined = self._joined(node)
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(QColor(self._theme.text) if joined else faint)
            radius = 3.0 if joined else 1.5
            painter.drawEllipse(
                QPointF(self._x(x), self._y(int(layer))), radius, radius
            )

    def _paint_names(self, painter: QPainter) -> None:
        assert self._topology is not None
        assert self._book is not None
        used = np.flatnonzero(self._masks[0].any(0)).tolist()
        font = QFont(self.font())
        font.setPointSizeF(max(font.pointSizeF() * 0.82, 6.5))
        painter.setFont(font)
        painter.setPen(QColor(self._theme.muted))
        total = self._topology.sizes[0]
        words = f"{len(used)} of {total} latents connected"
        painter.drawText(QRectF(_MARGIN, 0, self.width(), 18), 0, words)
        if len(used) > _LABELLED:
            return
        painter.setPen(QColor(self._theme.text))
        for index in used:
            x = self._x(self._places[Node(0, index)][0])
            painter.save()
            painter.translate(x, _HEAD - 6)
            painter.rotate(-90)
            place = QRectF(0, -8, _HEAD - 22, 16)
            side = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
            label = self._book.label(index)
            room = painter.fontMetrics().elidedText(
                label, Qt.TextElideMode.ElideMiddle, int(place.width())
            )
            painter.drawText(place, int(side.value), room)
            painter.restore()


def _zip(*parts: tuple[np.ndarray, ...]) -> zip[tuple[np.ndarray, ...]]:
    return zip(*parts, strict=True)
