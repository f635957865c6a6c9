"""The list of cells behind the gallery: nothing is made before it is seen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QAbstractListModel, QModelIndex, Qt
from qtpy.QtGui import QPixmap

from napari_cellsci.panels.gallery.order import places_of
from napari_cellsci.panels.gallery.thumbnails import Thumbnails
from napari_cellsci.viewer import readout

if TYPE_CHECKING:
    from napari_cellsci.viewer.session import Session

RowRole = int(Qt.ItemDataRole.UserRole)
_NOWHERE = QModelIndex()


class GalleryModel(QAbstractListModel):
    """Cells in an order, a thumbnail each.

    Parameters
    ----------
    session : Session
    thumbnails : Thumbnails
    """

    def __init__(self, session: Session, thumbnails: Thumbnails) -> None:
        super().__init__()
        self._session = session
        self._thumbnails = thumbnails
        self._rows: NDArray[np.int64] = np.empty(0, np.int64)
        self._places: NDArray[np.int64] = np.empty(0, np.int64)

    def rowCount(self, parent: QModelIndex = _NOWHERE) -> int:
        """Return the number of cells shown."""
        return 0 if parent.isValid() else len(self._rows)

    def data(self, index: QModelIndex, role: int = 0) -> Any:
        """Return the picture, row id or words of a cell."""
        if not index.isValid() or index.row() >= len(self._rows):
            return None
        row = int(self._rows[index.row()])
        if role == RowRole:
            return row
        if role == Qt.ItemDataRole.DecorationRole:
            return self.picture(row)
        if role in (Qt.ItemDataRole.ToolTipRole, Qt.ItemDataRole.AccessibleTextRole):
            return "\n".join(readout.describe(self._session, row))
        return None

    def picture(self, row: int) -> QPixmap:
        """Return the thumbnail of a cell."""
        return self._thumbnails.pixmap(row)

    def prepare(self, first: int, last: int) -> None:
        """Make the pictures of a span of places at once."""
        self._thumbnails.prepare(self._rows[first : last + 1])

    @property
    def rows(self) -> NDArray[np.int64]:
        """Rows in the order shown."""
        return self._rows

    def set_rows(self, rows: NDArray[np.int64]) -> None:
        """Show other cells, or the same in another order."""
        self.beginResetModel()
        self._rows = rows
        self._places = places_of(rows, self._session.n_cells)
        self.endResetModel()

    def place_of(self, row: int) -> int:
        """Return the place of a cell in the list, −1 if it is not in it."""
        return int(self._places[row]) if 0 <= row < len(self._places) else -1

    def places_of(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the places of those of some cells that are in the list, sorted."""
        rows = rows[rows < len(self._places)]
        places = self._places[rows]
        return np.sort(places[places >= 0])
