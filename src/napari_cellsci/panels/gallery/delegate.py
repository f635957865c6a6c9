"""How one cell of the gallery is painted."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QModelIndex, QRectF, QSize, Qt
from qtpy.QtGui import QColor, QPainter, QPixmap
from qtpy.QtWidgets import QStyle, QStyledItemDelegate, QStyleOptionViewItem

from napari_cellsci.panels.gallery.model import RowRole
from napari_cellsci.panels.score.legend import draw_sign
from napari_cellsci.viewer import painted

if TYPE_CHECKING:
    from napari_cellsci.viewer.session import Session

FRAME = 2.5
GAP = 3
_SHAPES = {"triangle_up": "triangle", "ring": "outside", "x": "blank"}
"""Signs whose name differs from that of napari's symbol."""


class Looks:
    """Colours and signs of all cells, computed once per change.

    Parameters
    ----------
    session : Session
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._stale = True
        self._colors: NDArray[np.uint8] = np.empty((0, 4), np.uint8)
        self._signs: NDArray[np.object_] = np.empty(0, object)
        self._labelled: NDArray[np.bool_] = np.empty(0, bool)

    def forget(self) -> None:
        """Compute anew when next asked."""
        self._stale = True

    def of(self, row: int) -> tuple[QColor, str, bool]:
        """Return frame colour, sign, and whether a person labelled the cell."""
        if self._stale:
            self._compute()
        red, green, blue, alpha = (int(v) for v in self._colors[row])
        shape = _SHAPES.get(self._signs[row], self._signs[row])
        return QColor(red, green, blue, alpha), shape, bool(self._labelled[row])

    def _compute(self) -> None:
        session = self._session
        labels = session.label_codes()
        self._labelled = labels >= 0
        colors = painted.paint(session)
        filled = painted.fill(session)
        colors = np.where(self._labelled[:, np.newaxis], filled, colors)
        colors[:, 3] = 1
        self._colors = (colors * 255).astype(np.uint8)
        self._signs = painted.symbols(session)
        self._stale = False


class GalleryDelegate(QStyledItemDelegate):
    """Paints a thumbnail in a frame of its class's colour, with its sign.

    Parameters
    ----------
    looks : Looks
    """

    def __init__(self, looks: Looks) -> None:
        super().__init__()
        self._looks = looks
        self.edge = 64
        self.current = -1
        self.accent = QColor("#FFFFFF")

    def sizeHint(self, option: QStyleOptionViewItem, index: QModelIndex) -> QSize:
        """Return the size of every thumbnail."""
        return QSize(self.edge + 2 * GAP, self.edge + 2 * GAP)

    def paint(
        self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex
    ) -> None:
        """Paint one cell."""
        row = index.data(RowRole)
        pixmap: QPixmap = index.data(Qt.ItemDataRole.DecorationRole)
        if row is None or pixmap is None:
            return
        color, sign, labelled = self._looks.of(row)
        outer = QRectF(option.rect).adjusted(GAP, GAP, -GAP, -GAP)
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        selected = bool(option.state & QStyle.StateFlag.State_Selected)
        if selected or row == self.current:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(self.accent)
            painter.drawRoundedRect(outer.adjusted(-GAP, -GAP, GAP, GAP), 4, 4)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(color)
        painter.drawRoundedRect(outer, 3, 3)
        inner = outer.adjusted(FRAME, FRAME, -FRAME, -FRAME)
        painter.drawPixmap(inner, pixmap, QRectF(pixmap.rect()))
        self._paint_sign(painter, inner, sign, color, labelled)
        painter.restore()

    def _paint_sign(
        self, painter: QPainter, inner: QRectF, sign: str, color: QColor, labelled: bool
    ) -> None:
        side = max(10.0, min(14.0, self.edge / 5))
        place = QRectF(inner.left() + 2, inner.bottom() - side - 2, side, side)
        shade = QColor(0, 0, 0, 150)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(shade)
        painter.drawRoundedRect(place.adjusted(-1, -1, 1, 1), 3, 3)
        light = color.lighter(135).name()
        draw_sign(painter, place.adjusted(1, 1, -1, -1), sign, light, labelled)
