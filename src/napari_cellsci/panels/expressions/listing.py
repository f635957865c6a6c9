"""The list of formulas: mathematics above, numbers below; the chosen one starred."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from qtpy.QtCore import (
    QAbstractListModel,
    QModelIndex,
    QPersistentModelIndex,
    QPoint,
    QRect,
    QSize,
    Qt,
    Signal,
)
from qtpy.QtGui import QColor, QFont, QImage, QPainter
from qtpy.QtWidgets import (
    QAbstractItemView,
    QListView,
    QSizePolicy,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
)

from napari_cellsci.panels._theme import RADIUS, STEP, Theme, mix
from napari_cellsci.panels.expressions import words
from napari_cellsci.panels.expressions.candidates import Candidate
from napari_cellsci.panels.expressions.formula_label import fitted, tinted
from napari_cellsci.panels.expressions.subject import Subject

POINTS = 12.0
MOST_HEIGHT = 320
_STAR = 18
_WIDE = 560
"""Width (px) from which the numbers stand beside the formula."""
_COLUMN = 104
_ROLE = Qt.ItemDataRole.UserRole
Index = QModelIndex | QPersistentModelIndex


class CandidateModel(QAbstractListModel):
    """The formulas of the list."""

    def __init__(self) -> None:
        super().__init__()
        self.items: list[Candidate] = []
        self.best: Candidate | None = None
        self.subject: Subject | None = None

    def show(
        self,
        items: Sequence[Candidate],
        best: Candidate | None,
        subject: Subject | None,
    ) -> None:
        """Show other formulas."""
        self.beginResetModel()
        self.items, self.best, self.subject = list(items), best, subject
        self.endResetModel()

    def rowCount(self, parent: Index | None = None) -> int:
        """Return how many there are."""
        return 0 if parent is not None and parent.isValid() else len(self.items)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Return a formula in words; itself for the view."""
        if not index.isValid() or index.row() >= len(self.items):
            return None
        one = self.items[index.row()]
        if role == _ROLE:
            return one
        if role == Qt.ItemDataRole.DisplayRole:
            return one.expression.pretty()
        if role == Qt.ItemDataRole.ToolTipRole and self.subject is not None:
            return words.told(one, self.subject, one is self.best)
        return None


class _Delegate(QStyledItemDelegate):
    def __init__(self, view: CandidateView) -> None:
        super().__init__(view)
        self._view = view
        self._images: dict[tuple[object, ...], QImage | None] = {}

    def forget(self) -> None:
        """Set all formulas anew."""
        self._images.clear()

    def _room(self, width: int) -> int:
        beside = 3 * _COLUMN if width >= _WIDE else 0
        return max(width - beside - _STAR - 4 * STEP, 60)

    def picture(self, one: Candidate, width: int) -> QImage | None:
        """Return a formula set for a row of a width."""
        view, subject = self._view, self._view.shown.subject
        names = {} if subject is None else subject.written(one.expression)
        key = (one.expression, tuple(names.items()), width, view.theme.text)
        if key not in self._images:
            if len(self._images) > 300:
                self._images.clear()
            ratio = view.devicePixelRatioF()
            found = fitted(one.expression, names, self._room(width), ratio, POINTS)
            image = None if found is None else tinted(found, view.theme.text)
            if image is not None:
                image.setDevicePixelRatio(ratio)
            self._images[key] = image
        return self._images[key]

    def _shape(self, one: Candidate, width: int) -> QSize:
        """Return the size of a formula in its row, made smaller where it must be."""
        image = self.picture(one, width)
        if image is None:
            return QSize(self._room(width), 16)
        size = image.deviceIndependentSize().toSize()
        if size.width() > self._room(width):
            size.scale(self._room(width), size.height(), _KEEP)
        return size

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        """Return the height of a row."""
        width = self._view.room
        below = 0 if width >= _WIDE else option.fontMetrics.height() + STEP // 2
        shape = self._shape(index.data(_ROLE), width)
        return QSize(60, max(shape.height(), 16) + below + 3 * STEP)

    def paint(
        self, painter: QPainter, option: QStyleOptionViewItem, index: Index
    ) -> None:
        """Paint a row."""
        one: Candidate = index.data(_ROLE)
        theme, place = self._view.theme, option.rect.adjusted(0, 1, 0, -1)
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        state = option.state
        if state & QStyle.StateFlag.State_Selected:
            painter.setPen(QColor(theme.accent))
            painter.setBrush(QColor(mix(theme.background, theme.accent, 0.14)))
            painter.drawRoundedRect(place.adjusted(0, 0, -1, -1), RADIUS, RADIUS)
        elif state & QStyle.StateFlag.State_MouseOver:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(QColor(theme.foreground))
            painter.drawRoundedRect(place, RADIUS, RADIUS)
        self._paint_formula(painter, place, one)
        self._paint_numbers(painter, place, one)
        painter.restore()

    def _paint_formula(self, painter: QPainter, place: QRect, one: Candidate) -> None:
        view, left = self._view, place.left() + 2 * STEP
        size = self._shape(one, view.room)
        top = place.top() + STEP
        if view.room >= _WIDE:
            top = place.center().y() - size.height() // 2
        spot = QRect(QPoint(left, top), size)
        image = self.picture(one, view.room)
        if image is None:
            painter.setPen(QColor(view.theme.text))
            painter.drawText(spot, 0, one.expression.pretty())
        else:
            painter.drawImage(spot, image)
        if one is view.shown.best:
            painter.setPen(QColor(STAR_DARK if view.theme.dark else STAR_LIGHT))
            font = QFont(painter.font())
            font.setPointSizeF(font.pointSizeF() * 1.25)
            painter.setFont(font)
            star = QRect(place.right() - _STAR, place.top() + STEP, _STAR, _STAR)
            painter.drawText(star, int(_CENTER.value), "★")

    def _paint_numbers(self, painter: QPainter, place: QRect, one: Candidate) -> None:
        view = self._view
        painter.setFont(view.font())
        painter.setPen(QColor(view.theme.muted))
        told = words.numbers(one)
        if view.room < _WIDE:
            line = place.adjusted(2 * STEP, 0, -STEP, -STEP)
            size, accuracy, loss = (value for _, value in told)
            held = " held out" if one.held is not None else ""
            text = f"size {size} · {accuracy}{held} · hinge {loss}"
            if painter.fontMetrics().horizontalAdvance(text) > line.width():
                text = f"size {size} · {accuracy}{held}"
            painter.drawText(line, int(Qt.AlignmentFlag.AlignBottom.value), text)
            return
        right = place.right() - _STAR
        for i, (title, value) in enumerate(told):
            x = right - (3 - i) * _COLUMN
            cell = QRect(x, place.top(), _COLUMN - STEP, place.height())
            flags = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
            painter.drawText(cell, int(flags.value), f"{title}\n{value}")


_CENTER = Qt.AlignmentFlag.AlignCenter
_KEEP = Qt.AspectRatioMode.KeepAspectRatio
STAR_DARK, STAR_LIGHT = "#F0E442", "#B38600"


class CandidateView(QListView):
    """Formulas to choose from, as high as they need up to a limit.

    Signals
    -------
    picked : object
        The `Candidate` that was clicked or gone to by keys.
    dropped : object
        The `Candidate` that is to leave the list (Delete).
    """

    picked = Signal(object)
    dropped = Signal(object)

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self.theme = theme
        self.shown = CandidateModel()
        self._rows = _Delegate(self)
        self.setObjectName("plain")
        self.setModel(self.shown)
        self.setItemDelegate(self._rows)
        self.setMouseTracking(True)
        self.setUniformItemSizes(False)
        self.setResizeMode(QListView.ResizeMode.Adjust)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.setAccessibleName("Formulas")
        self.clicked.connect(self._on_index)
        self.activated.connect(self._on_index)
        self._fit()

    @property
    def room(self) -> int:
        """Width of a row, the same with and without a scroll bar."""
        bar = self.style().pixelMetric(QStyle.PixelMetric.PM_ScrollBarExtent)
        return int(self.width()) - bar - STEP

    def set_theme(self, theme: Theme) -> None:
        """Take over the theme's colours."""
        self.theme = theme
        self._rows.forget()
        self.viewport().update()

    def show_items(
        self,
        items: Sequence[Candidate],
        best: Candidate | None,
        subject: Subject | None,
    ) -> None:
        """Show formulas, and which one the rule chooses."""
        current = self.currentIndex().data(_ROLE)
        self.shown.show(items, best, subject)
        for row, one in enumerate(self.shown.items):
            if current is not None and one.expression == current.expression:
                self.setCurrentIndex(self.shown.index(row))
        self._fit()

    def _fit(self) -> None:
        self.doItemsLayout()
        high = sum(self.sizeHintForRow(i) for i in range(self.shown.rowCount()))
        self.setFixedHeight(min(high + 4, MOST_HEIGHT))

    def resizeEvent(self, event: Any) -> None:
        """Set the formulas anew at another width."""
        super().resizeEvent(event)
        if event.oldSize().width() != event.size().width():
            self._fit()

    def keyPressEvent(self, event: Any) -> None:
        """Delete takes a formula off the list."""
        one = self.currentIndex().data(_ROLE)
        if event.key() == Qt.Key.Key_Delete and one is not None:
            self.dropped.emit(one)
            return
        super().keyPressEvent(event)
        after = self.currentIndex().data(_ROLE)
        if after is not None and after is not one:
            self.picked.emit(after)

    def _on_index(self, index: QModelIndex) -> None:
        one = index.data(_ROLE)
        if one is not None:
            self.picked.emit(one)
