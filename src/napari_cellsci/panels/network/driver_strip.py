"""The cells that drive a neuron most, as a row of crops."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QPoint, QRectF, QSize, Qt, Signal
from qtpy.QtGui import QColor, QMouseEvent, QPainter, QPaintEvent, QPen
from qtpy.QtWidgets import QSizePolicy, QWidget

from napari_cellsci.panels._theme import Theme
from napari_cellsci.panels.gallery.thumbnails import Thumbnails

if TYPE_CHECKING:
    from napari_cellsci.viewer.session import Session

_EDGE, _GAP = 36, 3


class DriverStrip(QWidget):
    """As many crops as fit, the strongest driver first; click one to go there.

    Parameters
    ----------
    session : Session
    theme : Theme

    Signals
    -------
    picked : int
        Row of the cell that was clicked.
    """

    picked = Signal(int)

    def __init__(self, session: Session, theme: Theme) -> None:
        super().__init__()
        self._session, self._theme = session, theme
        self._thumbnails = Thumbnails(session)
        self._rows: NDArray[np.int64] = np.empty(0, np.int64)
        self.setFixedHeight(_EDGE + 2)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setToolTip("The cells that drive it most; click one to go to it")
        self.setAccessibleName("Cells that drive the neuron most")

    def set_theme(self, theme: Theme) -> None:
        """Take over the theme's colours."""
        self._theme = theme
        self.update()

    def forget(self) -> None:
        """Let go of all pictures, when the crops have changed."""
        self._thumbnails.clear()
        self.show_rows(np.empty(0, np.int64))

    def show_rows(self, rows: NDArray[np.int64]) -> None:
        """Show other cells; without any the strip is hidden."""
        self._rows = rows
        self.setVisible(bool(len(rows)))
        self.update()

    @property
    def rows(self) -> NDArray[np.int64]:
        """The cells that are shown, as far as there is room."""
        return self._rows[: max(self.width() // (_EDGE + _GAP), 1)]

    def sizeHint(self) -> QSize:
        """Return the size of a few crops."""
        return QSize(200, _EDGE + 2)

    def row_at(self, position: QPoint) -> int | None:
        """Return the row of the cell at a place."""
        number = position.x() // (_EDGE + _GAP)
        return int(self.rows[number]) if 0 <= number < len(self.rows) else None

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint the crops, framed in the colours of the gallery."""
        if self._session.project is None or not len(self.rows):
            return
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        self._thumbnails.prepare(self.rows)
        for number, row in enumerate(self.rows.tolist()):
            place = QRectF(number * (_EDGE + _GAP) + 1, 1, _EDGE, _EDGE)
            picture = self._thumbnails.pixmap(row)
            painter.drawPixmap(place, picture, QRectF(picture.rect()))
            if row == self._session.current:
                painter.setPen(QPen(QColor(self._theme.text), 2))
                painter.drawRect(place)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Go to the cell that was clicked."""
        row = self.row_at(event.position().toPoint())
        if row is not None:
            self.picked.emit(row)
