"""The gallery's view: one scrolling row where it is low, rows where it is high.

Where a cell lies follows from its place by arithmetic. Qt's own list view lays out
every item, at every change of order or size, which takes too long for 50,000.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import (
    QItemSelection,
    QItemSelectionModel,
    QModelIndex,
    QPoint,
    QRect,
    QSize,
    Qt,
    Signal,
)
from qtpy.QtGui import (
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QRegion,
    QResizeEvent,
    QWheelEvent,
)
from qtpy.QtWidgets import (
    QAbstractItemView,
    QSizePolicy,
)

from napari_cellsci.panels.gallery.delegate import GAP
from napari_cellsci.panels.label.strokes import deed_of

MOST_RUNS = 200
"""Qt's selections take seconds beyond some thousand pieces; ours are plain flags."""
_FLAG = QItemSelectionModel.SelectionFlag
_SHIFT = Qt.KeyboardModifier.ShiftModifier
_CONTROL = Qt.KeyboardModifier.ControlModifier


class GalleryView(QAbstractItemView):
    """A virtual grid of thumbnails of one size.

    Signals
    -------
    scrolled :
        Other cells came into view.
    cleared :
        Escape was pressed.
    toggled : int
        A cell is to join or leave a selection in many pieces.
    key_pressed : str
        What a key of labelling stands for.
    """

    scrolled = Signal()
    cleared = Signal()
    toggled = Signal(int)
    key_pressed = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        self._edge = 64
        self._anchor = 0
        self._middle = 0
        self._still = False
        self._band = QRect()
        self._scattered: NDArray[np.bool_] | None = None
        self.setObjectName("plain")
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.setFrameShape(QAbstractItemView.Shape.NoFrame)
        self.setMouseTracking(True)
        self.set_edge(64)

    @property
    def pitch(self) -> int:
        """Distance from thumbnail to thumbnail (px)."""
        return self._edge + 2 * GAP

    @property
    def one_row(self) -> bool:
        """Whether there is room for one row only; it then scrolls sideways."""
        return self.height() < 2 * self.pitch

    @property
    def columns(self) -> int:
        """Thumbnails beside each other."""
        if self.one_row:
            return max(1, self._count())
        return max(1, self.viewport().width() // self.pitch)

    def _count(self) -> int:
        model = self.model()
        return 0 if model is None else model.rowCount()

    def set_edge(self, edge: int) -> None:
        """Set the size of the thumbnails (px)."""
        self._edge = edge
        # One row and the bar below it always fit.
        bar = self.horizontalScrollBar().sizeHint().height()
        self.setMinimumHeight(self.pitch + bar + 2)
        self.updateGeometries()
        self.viewport().update()

    def sizeHint(self) -> QSize:
        """Return the size of one row."""
        return QSize(8 * self.pitch, self.pitch + 2)

    def updateGeometries(self) -> None:
        """Give the scroll bars their ranges."""
        super().updateGeometries()
        never, when = (
            Qt.ScrollBarPolicy.ScrollBarAlwaysOff,
            Qt.ScrollBarPolicy.ScrollBarAsNeeded,
        )
        row = self.one_row
        self.setHorizontalScrollBarPolicy(when if row else never)
        self.setVerticalScrollBarPolicy(never if row else when)
        lines = -(-self._count() // self.columns)
        extents = (
            (self.horizontalScrollBar(), self._count() if row else 0, 0),
            (self.verticalScrollBar(), 0 if row else lines, 1),
        )
        size = self.viewport().size()
        for bar, items, axis in extents:
            room = size.width() if axis == 0 else size.height()
            bar.setRange(0, max(0, items * self.pitch - room))
            bar.setPageStep(max(self.pitch, room // self.pitch * self.pitch))
            bar.setSingleStep(self.pitch if axis == 0 else self.pitch // 2)

    def horizontalOffset(self) -> int:
        """Return how far the content is scrolled sideways."""
        return int(self.horizontalScrollBar().value())

    def verticalOffset(self) -> int:
        """Return how far the content is scrolled down."""
        return int(self.verticalScrollBar().value())

    def _rect(self, place: int) -> QRect:
        line, column = divmod(place, self.columns)
        x = column * self.pitch - self.horizontalOffset()
        y = line * self.pitch - self.verticalOffset()
        return QRect(x, y, self.pitch, self.pitch)

    def visualRect(self, index: QModelIndex) -> QRect:
        """Return where a cell is drawn."""
        return self._rect(index.row()) if index.isValid() else QRect()

    def indexAt(self, point: QPoint) -> QModelIndex:
        """Return the cell at a place of the view."""
        column = (point.x() + self.horizontalOffset()) // self.pitch
        line = (point.y() + self.verticalOffset()) // self.pitch
        place = line * self.columns + column
        inside = 0 <= column < self.columns and 0 <= place < self._count()
        return self.model().index(place, 0) if inside else QModelIndex()

    def isIndexHidden(self, index: QModelIndex) -> bool:
        """Hide nothing."""
        return False

    def visible_span(self) -> tuple[int, int]:
        """Return the first and last place in view, (0, -1) if there is none."""
        n = self._count()
        if n == 0:
            return 0, -1
        size = self.viewport().size()
        if self.one_row:
            first = self.horizontalOffset() // self.pitch
            last = (self.horizontalOffset() + size.width() - 1) // self.pitch
        else:
            first = self.verticalOffset() // self.pitch * self.columns
            line = (self.verticalOffset() + size.height() - 1) // self.pitch
            last = (line + 1) * self.columns - 1
        return min(first, n - 1), min(last, n - 1)

    def show_place(self, place: int, middle: bool = True) -> None:
        """Scroll so that a place of the list is in view, or in its middle."""
        if not 0 <= place < self._count():
            return
        self.updateGeometries()
        size = self.viewport().size()
        line = place if self.one_row else place // self.columns
        bar = self.horizontalScrollBar() if self.one_row else self.verticalScrollBar()
        room = size.width() if self.one_row else size.height()
        start = line * self.pitch
        if middle:
            bar.setValue(start + self.pitch // 2 - room // 2)
            self._middle = place
        else:
            low = start + self.pitch - room
            bar.setValue(min(max(bar.value(), low), start))

    def scrollTo(self, index: QModelIndex, hint: Any = None) -> None:
        """Bring a cell into view."""
        if self._still:
            return
        middle = hint == QAbstractItemView.ScrollHint.PositionAtCenter
        self.show_place(index.row(), middle)

    def mark_current(self, place: int) -> None:
        """Make a place that of the keyboard, without scrolling there."""
        self._still = True
        index = self.model().index(place, 0)
        self.selectionModel().setCurrentIndex(index, _FLAG.NoUpdate)
        self._still = False

    def moveCursor(self, action: Any, modifiers: Any) -> QModelIndex:
        """Return the cell that a key leads to."""
        kind = QAbstractItemView.CursorAction
        page = max(1, self.viewport().height() // self.pitch) * self.columns
        if self.one_row:
            page = max(1, self.viewport().width() // self.pitch)
        line = 0 if self.one_row else self.columns
        here, last = self.currentIndex().row(), self._count() - 1
        steps = {
            kind.MoveLeft: here - 1,
            kind.MovePrevious: here - 1,
            kind.MoveRight: here + 1,
            kind.MoveNext: here + 1,
            kind.MoveUp: here - line,
            kind.MoveDown: here + line,
            kind.MovePageUp: here - page,
            kind.MovePageDown: here + page,
            kind.MoveHome: 0,
            kind.MoveEnd: last,
        }
        if last < 0:
            return QModelIndex()
        place = min(max(steps.get(action, here), 0), last)
        return self.model().index(place, 0)

    def setSelection(self, rect: QRect, command: Any) -> None:
        """Select the cells that a rectangle touches."""
        self._band = rect.normalized()
        picked = QItemSelection()
        for first, last in self._runs_in(self._band):
            picked.select(self.model().index(first, 0), self.model().index(last, 0))
        self.selectionModel().select(picked, command)
        self.viewport().update()

    def _runs_in(self, rect: QRect) -> list[tuple[int, int]]:
        """Return the first and last place of each line that a rectangle touches."""
        pitch, columns = self.pitch, self.columns
        x, y = self.horizontalOffset(), self.verticalOffset()
        left = max((rect.left() + x) // pitch, 0)
        right = min((rect.right() + x) // pitch, columns - 1)
        lines = range(
            max((rect.top() + y) // pitch, 0), (rect.bottom() + y) // pitch + 1
        )
        runs = []
        for line in lines:
            first = line * columns + left
            last = min(line * columns + right, self._count() - 1)
            if first <= last:
                runs.append((first, last))
        return runs

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """Let go of the rubber band."""
        super().mouseReleaseEvent(event)
        self._band = QRect()
        self.viewport().update()

    def visualRegionForSelection(self, selection: QItemSelection) -> QRegion:
        """Draw everything in view again."""
        return QRegion(self.viewport().rect())

    def _select_to(self, place: int) -> None:
        """Select from the anchor to a place, in the order of the list."""
        model = self.model()
        low, high = sorted((self._anchor, place))
        low = min(low, self._count() - 1)
        picked = QItemSelection(model.index(low, 0), model.index(high, 0))
        index = model.index(place, 0)
        self.selectionModel().setCurrentIndex(index, _FLAG.NoUpdate)
        self.selectionModel().select(picked, _FLAG.ClearAndSelect)
        self.show_place(place, middle=False)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Select a cell, or with Shift the range up to it."""
        index = self.indexAt(event.position().toPoint())
        if self._scattered is not None and event.modifiers() & _CONTROL:
            if index.isValid():
                self.toggled.emit(index.row())
            return
        self._scattered = None
        if index.isValid() and event.modifiers() & _SHIFT:
            self._select_to(index.row())
            return
        if index.isValid():
            self._anchor = index.row()
        super().mousePressEvent(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Escape clears the selection; Shift and a movement key extend it."""
        kind = QAbstractItemView.CursorAction
        moves = {
            Qt.Key.Key_Left: kind.MoveLeft,
            Qt.Key.Key_Right: kind.MoveRight,
            Qt.Key.Key_Up: kind.MoveUp,
            Qt.Key.Key_Down: kind.MoveDown,
            Qt.Key.Key_Home: kind.MoveHome,
            Qt.Key.Key_End: kind.MoveEnd,
            Qt.Key.Key_PageUp: kind.MovePageUp,
            Qt.Key.Key_PageDown: kind.MovePageDown,
        }
        move = moves.get(event.key())
        deed = deed_of(event)
        if deed is not None:
            self.key_pressed.emit(deed)
        elif event.key() == Qt.Key.Key_Escape:
            self.cleared.emit()
        elif move is not None and self._count():
            target = self.moveCursor(move, event.modifiers())
            self._scattered = None
            if event.modifiers() & _SHIFT:
                self._select_to(target.row())
            else:
                self._anchor = target.row()
                self.selectionModel().setCurrentIndex(target, _FLAG.ClearAndSelect)
                self.show_place(target.row(), middle=False)
        else:
            super().keyPressEvent(event)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Keep the middle of the view where it is at another size."""
        middle = self._middle
        super().resizeEvent(event)
        self.show_place(middle)
        self.scrolled.emit()

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Let the wheel move a single row sideways."""
        delta = event.angleDelta()
        if self.one_row and delta.y() and not delta.x():
            bar = self.horizontalScrollBar()
            bar.setValue(bar.value() - delta.y())
            event.accept()
            return
        super().wheelEvent(event)

    def scrollContentsBy(self, dx: int, dy: int) -> None:
        """Draw the cells that came into view."""
        first, last = self.visible_span()
        self._middle = (first + last) // 2
        self.viewport().update()
        self.scrolled.emit()

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint the cells in view."""
        first, last = self.visible_span()
        model: Any = self.model()
        if last < first:
            return
        model.prepare(first, last)
        painter = QPainter(self.viewport())
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        delegate: Any = self.itemDelegate()
        seen, chosen = event.rect(), self.chosen_in(first, last)
        for place in range(first, last + 1):
            rect = self._rect(place)
            if rect.intersects(seen):
                row = int(model.rows[place])
                picture = model.picture(row)
                delegate.paint_cell(painter, rect, row, picture, chosen[place - first])
        if self.state() == QAbstractItemView.State.DragSelectingState:
            self._paint_band(painter)

    def _paint_band(self, painter: QPainter) -> None:
        """Show which rectangle is being dragged."""
        color = self.palette().highlight().color()
        painter.setPen(color)
        color.setAlpha(50)
        painter.setBrush(color)
        painter.drawRect(self._band.adjusted(0, 0, -1, -1))

    def show_selected(self, places: NDArray[np.int64]) -> None:
        """Select the cells at some places, sorted; whoever listens is told.

        Parameters
        ----------
        places : array of int
        """
        cuts = np.flatnonzero(np.diff(places) > 1) + 1
        self._scattered = None
        picked = QItemSelection()
        if len(cuts) < MOST_RUNS:
            for run in np.split(places, cuts) if len(places) else []:
                first, last = int(run[0]), int(run[-1])
                model = self.model()
                picked.select(model.index(first, 0), model.index(last, 0))
        self.selectionModel().select(picked, _FLAG.ClearAndSelect)
        if len(cuts) >= MOST_RUNS:
            self._scattered = np.zeros(self._count(), bool)
            self._scattered[places] = True

    def chosen_in(self, first: int, last: int) -> list[bool]:
        """Return whether the cells of a span of places are selected."""
        if self._scattered is not None:
            found: list[bool] = self._scattered[first : last + 1].tolist()
            return found
        found = [False] * (last + 1 - first)
        for span in self.selectionModel().selection():
            start, stop = max(span.top(), first), min(span.bottom(), last)
            for place in range(start, stop + 1):
                found[place - first] = True
        return found

    def selected_places(self) -> NDArray[np.int64]:
        """Return the places of the selected cells, sorted."""
        if self._scattered is not None:
            return np.flatnonzero(self._scattered)
        ranges = self.selectionModel().selection()
        spans = [np.arange(span.top(), span.bottom() + 1) for span in ranges]
        found = np.concatenate(spans) if spans else np.empty(0, np.int64)
        return np.unique(found)
