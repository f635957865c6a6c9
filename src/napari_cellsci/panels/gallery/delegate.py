"""How one cell of the gallery is painted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QModelIndex, QPoint, QRect, QRectF, Qt
from qtpy.QtGui import QColor, QPainter, QPen, QPixmap
from qtpy.QtWidgets import QStyle, QStyledItemDelegate, QStyleOptionViewItem

from napari_cellsci.panels.gallery.model import RowRole
from napari_cellsci.panels.score.legend import draw_sign
from napari_cellsci.viewer import painted

if TYPE_CHECKING:
    from napari_cellsci.viewer.session import Session

FRAME, GAP, BADGE = 3, 3, 15
"""Frame, gap around it, and sign (px)."""
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
        self._colors: NDArray[np.uint8] = np.empty((0, 3), np.uint8)
        self._signs: NDArray[np.object_] = np.empty(0, object)
        self._labelled: NDArray[np.bool_] = np.empty(0, bool)

    def forget(self) -> None:
        """Compute anew when next asked."""
        self._stale = True

    def look_again(self, rows: NDArray[np.int64]) -> None:
        """Compute a few cells anew, after their labels changed."""
        if not self._stale and len(rows) <= len(self._signs) // 10:
            self._compute(rows)
        else:
            self._stale = True

    def of(self, row: int) -> tuple[QColor, str, bool]:
        """Return frame colour, sign, and whether a person labelled the cell.

        The sign of a cell that is neither labelled nor scored is "".
        """
        if self._stale:
            self._compute()
        red, green, blue = self._colors[row].tolist()
        shape = _SHAPES.get(self._signs[row], self._signs[row])
        return QColor(red, green, blue), shape, bool(self._labelled[row])

    def is_out(self, row: int) -> bool:
        """Return whether a cell is filtered out."""
        return bool(self._session.left_out[row])

    def _compute(self, rows: Any = slice(None)) -> None:
        session = self._session
        labelled = session.label_codes()[rows] >= 0
        colors = painted.paint(session, rows)
        colors = np.where(labelled[:, np.newaxis], painted.fill(session, rows), colors)
        signs = painted.symbols(session, rows)
        if session.scores is None:
            signs[~labelled] = ""
        pixels = (colors[:, :3] * 255).astype(np.uint8)
        if self._stale:
            self._labelled, self._colors, self._signs = labelled, pixels, signs
        else:
            self._labelled[rows], self._colors[rows] = labelled, pixels
            self._signs[rows] = signs
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
        self._signs: dict[tuple[str, int, bool], QPixmap] = {}
        self.current = -1
        self.accent = QColor("#FFFFFF")

    def paint(
        self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex
    ) -> None:
        """Paint the cell of an index, for whoever goes by Qt's own way."""
        row = index.data(RowRole)
        pixmap: QPixmap | None = index.data(Qt.ItemDataRole.DecorationRole)
        if row is not None and pixmap is not None:
            selected = bool(option.state & QStyle.StateFlag.State_Selected)
            self.paint_cell(painter, option.rect, row, pixmap, selected)

    def paint_cell(
        self, painter: QPainter, rect: QRect, row: int, pixmap: QPixmap, selected: bool
    ) -> None:
        """Paint one cell; dozens are painted at every step of scrolling."""
        color, sign, labelled = self._looks.of(row)
        if selected or row == self.current:
            painter.fillRect(rect, self.accent)
        painter.fillRect(rect.adjusted(GAP, GAP, -GAP, -GAP), color)
        inner = rect.adjusted(GAP + FRAME, GAP + FRAME, -GAP - FRAME, -GAP - FRAME)
        if self._looks.is_out(row):
            self._paint_out(painter, inner, pixmap)
        else:
            painter.drawPixmap(inner, pixmap)
        if not sign:
            return
        badge = self._badge(sign, color, labelled)
        place = inner.bottomLeft() - QPoint(-1, badge.height())
        painter.drawPixmap(place, badge)

    def _paint_out(self, painter: QPainter, inner: QRect, pixmap: QPixmap) -> None:
        """Paint a cell that is filtered out: faint and struck through."""
        painter.fillRect(inner, QColor(0, 0, 0))
        painter.setOpacity(0.3)
        painter.drawPixmap(inner, pixmap)
        painter.setOpacity(1.0)
        painter.setPen(QPen(QColor(230, 230, 230, 170), 1.5))
        painter.drawLine(inner.topRight(), inner.bottomLeft())

    def _badge(self, sign: str, color: QColor, labelled: bool) -> QPixmap:
        """Return the picture of a sign; there are few different ones."""
        key = (sign, color.rgb(), labelled)
        if key not in self._signs:
            picture = QPixmap(BADGE, BADGE)
            picture.fill(Qt.GlobalColor.transparent)
            painter = QPainter(picture)
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(QColor(0, 0, 0, 150))
            painter.drawRoundedRect(QRectF(0, 0, BADGE, BADGE), 3, 3)
            place = QRectF(2, 2, BADGE - 4, BADGE - 4)
            draw_sign(painter, place, sign, color.lighter(135).name(), labelled)
            painter.end()
            self._signs[key] = picture
        return self._signs[key]
