"""The gallery's list: one scrolling row where it is low, rows where it is high."""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import QSize, Qt, Signal
from qtpy.QtGui import QKeyEvent, QResizeEvent, QWheelEvent
from qtpy.QtWidgets import QAbstractItemView, QListView, QSizePolicy

from napari_cellsci.panels.gallery.delegate import GAP


class GalleryView(QListView):
    """A virtual list of thumbnails of one size.

    Signals
    -------
    scrolled :
        Other cells came into view.
    cleared :
        Escape was pressed.
    """

    scrolled = Signal()
    cleared = Signal()

    def __init__(self) -> None:
        super().__init__()
        self._edge = 64
        self.setObjectName("plain")
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setViewMode(QListView.ViewMode.IconMode)
        self.setMovement(QListView.Movement.Static)
        self.setResizeMode(QListView.ResizeMode.Adjust)
        self.setUniformItemSizes(True)
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.setSelectionRectVisible(True)
        self.setSpacing(0)
        self.setFlow(QListView.Flow.LeftToRight)
        self.setHorizontalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setFrameShape(QListView.Shape.NoFrame)
        self.setMouseTracking(True)
        self.horizontalScrollBar().valueChanged.connect(self._on_scroll)
        self.verticalScrollBar().valueChanged.connect(self._on_scroll)
        self.set_edge(64)

    @property
    def one_row(self) -> bool:
        """Whether there is room for one row only."""
        return not self.isWrapping()

    def set_edge(self, edge: int) -> None:
        """Set the size of the thumbnails (px)."""
        self._edge = edge
        pitch = edge + 2 * GAP
        self.setGridSize(QSize(pitch, pitch))
        # One row and the bar below it always fit.
        bar = self.horizontalScrollBar().sizeHint().height()
        self.setMinimumHeight(pitch + bar + 2)
        self._fit()

    def sizeHint(self) -> QSize:
        """Return the size of one row."""
        pitch = self._edge + 2 * GAP
        return QSize(8 * pitch, pitch + 2)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Choose between one row and many."""
        super().resizeEvent(event)
        self._fit()
        self._on_scroll()

    def _fit(self) -> None:
        pitch = self._edge + 2 * GAP
        many = self.height() >= 2 * pitch
        if many != self.isWrapping():
            self.setWrapping(many)
        never, when = (
            Qt.ScrollBarPolicy.ScrollBarAlwaysOff,
            Qt.ScrollBarPolicy.ScrollBarAsNeeded,
        )
        self.setVerticalScrollBarPolicy(when if many else never)
        self.setHorizontalScrollBarPolicy(never if many else when)
        self.horizontalScrollBar().setSingleStep(pitch)
        self.verticalScrollBar().setSingleStep(pitch // 2)

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Let the wheel move a single row sideways."""
        delta = event.angleDelta()
        if self.one_row and delta.y() and not delta.x():
            bar = self.horizontalScrollBar()
            bar.setValue(bar.value() - delta.y())
            event.accept()
            return
        super().wheelEvent(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Escape clears the selection."""
        if event.key() == Qt.Key.Key_Escape:
            self.cleared.emit()
            return
        super().keyPressEvent(event)

    def visible_span(self) -> tuple[int, int]:
        """Return the first and last place in view, (0, -1) if there is none."""
        model = self.model()
        n = model.rowCount() if model is not None else 0
        if n == 0:
            return 0, -1
        rect = self.viewport().rect().adjusted(GAP, GAP, -GAP, -GAP)
        pitch = self._edge + 2 * GAP
        if self.one_row:
            first = self.horizontalScrollBar().value() // pitch
            last = (self.horizontalScrollBar().value() + rect.width()) // pitch
        else:
            columns = max(1, self.viewport().width() // pitch)
            first = self.verticalScrollBar().value() // pitch * columns
            last = (self.verticalScrollBar().value() + rect.height()) // pitch * columns
            last += columns - 1
        return min(first, n - 1), min(last, n - 1)

    def show_place(self, place: int, middle: bool = True) -> None:
        """Scroll so that a place of the list is in view."""
        model: Any = self.model()
        if model is None or not 0 <= place < model.rowCount():
            return
        self.scrollTo(model.index(place, 0))  # lays out what is not yet laid out
        if not middle:
            return
        pitch = self._edge + 2 * GAP
        if self.one_row:
            bar, room, line = self.horizontalScrollBar(), self.viewport().width(), place
        else:
            columns = max(1, self.viewport().width() // pitch)
            bar, room = self.verticalScrollBar(), self.viewport().height()
            line = place // columns
        bar.setValue(round((line + 0.5) * pitch - room / 2))

    def _on_scroll(self) -> None:
        self.scrolled.emit()
