"""The list of latents: drag on a strip to change the cell, click ✓ to accept a name."""

from __future__ import annotations

from qtpy.QtCore import QModelIndex, QPoint, QPointF, QSize, Qt, Signal
from qtpy.QtGui import (
    QContextMenuEvent,
    QKeyEvent,
    QMouseEvent,
    QResizeEvent,
)
from qtpy.QtWidgets import QAbstractItemView, QListView, QMenu

from napari_cellsci.panels.latents.delegate import LatentDelegate
from napari_cellsci.panels.latents.model import FOLD, LatentRole, LatentsModel

NUDGE = 0.25
"""By how much the arrow keys change a latent."""
_DEEDS = (
    ("rename", "Rename…"),
    ("accept", "Accept the name"),
    ("none", "No name"),
    ("found", "Back to what was found"),
    ("x", "Put on the x axis of the map"),
    ("y", "Put on the y axis of the map"),
    ("layer", "Open the strip as a layer"),
)


class LatentsView(QListView):
    """Rows of latents, as wide as the panel.

    Signals
    -------
    moved : (int, float)
        Value that a latent was dragged to.
    nudged : (int, float)
        By how much a key changes a latent.
    restored : int
        A latent is to go back to its start.
    asked : (int, str)
        "accept", "none", "found", "x", "y" or "layer", for a latent.
    seen :
        Other rows may be in view.
    cleared :
        Escape was pressed.

    Parameters
    ----------
    model : LatentsModel
    delegate : LatentDelegate
    """

    moved = Signal(int, float)
    nudged = Signal(int, float)
    restored = Signal(int)
    asked = Signal(int, str)
    seen = Signal()
    cleared = Signal()

    def __init__(self, model: LatentsModel, delegate: LatentDelegate) -> None:
        super().__init__()
        self._dragged: QModelIndex | None = None
        self._latents, self._delegate = model, delegate
        self.setModel(model)
        self.setItemDelegate(delegate)
        self.setObjectName("plain")
        self.setFrameShape(QAbstractItemView.Shape.NoFrame)
        self.setResizeMode(QListView.ResizeMode.Adjust)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOn)
        self.setEditTriggers(QAbstractItemView.EditTrigger.EditKeyPressed)
        self.setMinimumHeight(120)
        self.setAccessibleName("Latents, most active first")
        self.verticalScrollBar().valueChanged.connect(self._on_scrolled)

    def sizeHint(self) -> QSize:
        """Return the least size; the list takes what is left by everything else."""
        return QSize(320, self.minimumHeight())

    def in_view(self) -> list[int]:
        """Return the latents in view and a few beyond, in their order."""
        n = self._latents.rowCount()
        if n == 0:
            return []
        height = self.viewport().height()
        first = self.indexAt(QPoint(4, 1)).row()
        last = self.indexAt(QPoint(4, max(height - 1, 1))).row()
        first, last = max(first, 0), (n - 1 if last < 0 else last)
        rows = self._latents.latents[max(first - 1, 0) : last + 3]
        return [latent for latent in rows if latent != FOLD]

    def _on_scrolled(self) -> None:
        self.seen.emit()

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Follow the width with the height of the rows."""
        super().resizeEvent(event)
        if event.oldSize().width() != event.size().width():
            self.scheduleDelayedItemsLayout()
        self.seen.emit()

    def _slider_value(self, index: QModelIndex, at: QPointF) -> float | None:
        """Return the value at a place, if it lies on the strip or its slider."""
        zones = self._delegate.zones(self.visualRect(index), index)
        if zones.strip.contains(at) or zones.slider.adjusted(-6, 0, 6, 4).contains(at):
            return zones.value_at(at.x())
        return None

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Begin to drag a slider, accept a name, or fold."""
        at = event.position()
        index = self.indexAt(at.toPoint())
        if event.button() != Qt.MouseButton.LeftButton or not index.isValid():
            super().mousePressEvent(event)
            return
        latent = index.data(LatentRole)
        self.setCurrentIndex(index)
        if latent == FOLD:
            self._latents.toggle_fold()
            self.seen.emit()
            return
        accept = self._delegate.zones(self.visualRect(index), index).accept
        if self._latents.waiting(index) and accept.contains(at):
            self.asked.emit(latent, "accept")
            return
        value = self._slider_value(index, at)
        if value is not None:
            self._dragged = index
            self.moved.emit(latent, value)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Drag the slider on."""
        if self._dragged is None or not self._dragged.isValid():
            super().mouseMoveEvent(event)
            return
        zones = self._delegate.zones(self.visualRect(self._dragged), self._dragged)
        value = zones.value_at(event.position().x())
        self.moved.emit(self._dragged.data(LatentRole), value)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """Let go of the slider."""
        self._dragged = None
        super().mouseReleaseEvent(event)

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        """Take a value back, or change a name."""
        at = event.position()
        index = self.indexAt(at.toPoint())
        if not index.isValid() or index.data(LatentRole) == FOLD:
            return
        self._dragged = None
        if self._slider_value(index, at) is not None:
            self.restored.emit(index.data(LatentRole))
        else:
            self.edit(index)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Left and right change the latent; Return accepts its name."""
        index = self.currentIndex()
        latent = index.data(LatentRole) if index.isValid() else None
        steps = {Qt.Key.Key_Left: -NUDGE, Qt.Key.Key_Right: NUDGE}
        enter = (Qt.Key.Key_Return, Qt.Key.Key_Enter)
        if event.key() == Qt.Key.Key_Escape:
            self.cleared.emit()
        elif latent is None:
            super().keyPressEvent(event)
        elif latent == FOLD and event.key() in (*enter, Qt.Key.Key_Space):
            self._latents.toggle_fold()
        elif latent != FOLD and event.key() in steps:
            self.nudged.emit(latent, steps[event.key()])
        elif latent != FOLD and event.key() in enter:
            self.asked.emit(latent, "accept")
        else:
            super().keyPressEvent(event)

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        """Offer what can be done with a latent."""
        index = self.indexAt(event.pos())
        latent = index.data(LatentRole) if index.isValid() else None
        if latent is None or latent == FOLD:
            return
        menu, info = QMenu(self), self._latents.info(index)
        deeds = {}
        for key, title in _DEEDS:
            action = menu.addAction(title)
            deeds[action] = key
            if key == "accept":
                action.setEnabled(self._latents.waiting(index) is not None)
            elif key in ("rename", "none", "found"):
                action.setEnabled(info is not None)
        key = deeds.get(menu.exec(event.globalPos()))
        if key == "rename":
            self.edit(index)
        elif key is not None:
            self.asked.emit(latent, key)
