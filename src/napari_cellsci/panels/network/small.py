"""A network in the size of a stamp: to be told apart, not to be read."""

from __future__ import annotations

from collections.abc import Sequence

from qtpy.QtCore import QPointF, QRectF, Qt
from qtpy.QtGui import QColor, QPainter, QPen

from napari_cellsci.explain.layout import Layout
from napari_cellsci.explain.topology import Node
from napari_cellsci.figures.network import (
    NEGATIVE,
    NEGATIVE_DARK,
    POSITIVE,
    POSITIVE_DARK,
)
from napari_cellsci.panels._theme import Theme

_DOT = 1.6
_MOST_COLUMNS = 16
"""Inputs of a whole classifier up to which each keeps its own column in every stamp."""


def weight_colors(theme: Theme) -> tuple[str, str]:
    """Return the colours of negative and positive weights."""
    return (NEGATIVE_DARK, POSITIVE_DARK) if theme.dark else (NEGATIVE, POSITIVE)


def columns_of(layouts: Sequence[Layout]) -> tuple[int, ...]:
    """Return the inputs that any of some networks draws, in the order of the first.

    Inputs in the same column are the same input; "()" where there are too many.
    """
    order = [node.number for node in layouts[0].layer(0)] if layouts else []
    found = list(dict.fromkeys(order))
    for layout in layouts[1:]:
        for node in layout.layer(0):
            if node.number not in found:
                found.append(node.number)
    return tuple(found) if len(found) <= _MOST_COLUMNS else ()


def paint_small(
    painter: QPainter,
    place: QRectF,
    layout: Layout,
    columns: Sequence[int],
    colors: tuple[str, str],
    ink: str,
) -> None:
    """Paint a network.

    Parameters
    ----------
    painter : QPainter
    place : QRectF
    layout : Layout
    columns : sequence of int
        Inputs that have a column of their own; see `columns_of`.
    colors : tuple of str
        Of negative and positive weights.
    ink : str
        Of neurons.
    """
    inner = place.adjusted(3, 4, -3, -4)
    last = layout.topology.last

    def spot(node: Node) -> QPointF:
        x = layout.places[node][0]
        if node.layer == 0 and node.number in columns:
            x = (list(columns).index(node.number) + 0.5) / len(columns)
        return QPointF(
            inner.left() + x * inner.width(),
            inner.top() + node.layer / last * inner.height(),
        )

    for edge in layout.edges:
        strength = abs(edge.weight) / layout.strongest
        color = QColor(colors[int(edge.weight > 0)])
        color.setAlphaF(0.35 + 0.65 * strength)
        painter.setPen(QPen(color, 0.5 + 1.7 * strength))
        painter.drawLine(spot(edge.source), spot(edge.target))
    painter.setPen(Qt.PenStyle.NoPen)
    faint = QColor(ink)
    faint.setAlpha(60)
    painter.setBrush(faint)
    for number, index in enumerate(columns):
        if Node(0, index) not in layout.places:
            x = inner.left() + (number + 0.5) / len(columns) * inner.width()
            painter.drawEllipse(QPointF(x, inner.top()), 0.9, 0.9)
    painter.setBrush(QColor(ink))
    for node in layout.places:
        painter.drawEllipse(spot(node), _DOT, _DOT)
