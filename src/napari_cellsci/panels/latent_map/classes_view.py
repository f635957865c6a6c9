"""The classes along each latent: their densities, best separating latent first."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import (
    QAbstractListModel,
    QModelIndex,
    QPoint,
    QPointF,
    QRectF,
    QSize,
    Qt,
    Signal,
)
from qtpy.QtGui import QColor, QContextMenuEvent, QPainter, QPen, QPolygonF
from qtpy.QtWidgets import (
    QAbstractItemView,
    QApplication,
    QListView,
    QMenu,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
)

from napari_cellsci.panels._theme import STEP, Theme, mix, readable
from napari_cellsci.panels.latent_map.axes import latent_key
from napari_cellsci.panels.latent_map.service import ClassStatistics
from napari_cellsci.panels.latents.naming import draw_label, name_of
from napari_cellsci.panels.latents.service import Code
from napari_cellsci.viewer.readout import significant

HEIGHT, WORDS = 48, 0.38
"""Height of a row (px), and the part of its width that its words take."""
LatentRole = int(Qt.ItemDataRole.UserRole)
_NOWHERE = QModelIndex()


class ClassesModel(QAbstractListModel):
    """Latents in the order in which they separate the classes, inactive ones last."""

    def __init__(self) -> None:
        super().__init__()
        self.code: Code | None = None
        self.statistics: ClassStatistics | None = None
        self._order: NDArray[np.int64] = np.empty(0, np.int64)

    def show(self, code: Code | None, statistics: ClassStatistics | None) -> None:
        """Show other statistics, or the same under other names."""
        self.beginResetModel()
        self.code, self.statistics = code, statistics
        ranked: list[int] = []
        if code is not None and statistics is not None:
            ranked = statistics.separation.ranked().tolist()
            ranked.sort(key=lambda latent: not code.is_active(latent))
        self._order = np.array(ranked, np.int64)
        self.endResetModel()

    def rowCount(self, parent: QModelIndex = _NOWHERE) -> int:
        """Return the number of latents."""
        return 0 if parent.isValid() else len(self._order)

    def latent(self, row: int) -> int:
        """Return the latent of a row."""
        return int(self._order[row])

    def data(self, index: QModelIndex, role: int = 0) -> Any:
        """Return number, words or tip of a latent."""
        if not index.isValid() or self.code is None or self.statistics is None:
            return None
        latent = self.latent(index.row())
        if role == LatentRole:
            return latent
        if role == Qt.ItemDataRole.SizeHintRole:
            return QSize(100, HEIGHT)
        if role == Qt.ItemDataRole.ToolTipRole:
            return self._tip(latent)
        if role == Qt.ItemDataRole.AccessibleTextRole:
            return f"{self.code.label(latent)}, {self.measure(latent)}"
        return None

    def measure(self, latent: int) -> str:
        """Return how well a latent separates the classes, with its interval."""
        found = self.statistics.separation if self.statistics else None
        if found is None or not np.isfinite(found.auroc[latent]):
            return ""
        values = (found.auroc[latent], found.low[latent], found.high[latent])
        area, low, high = (significant(float(value), 2) for value in values)
        return f"{area} [{low}–{high}]"

    def _tip(self, latent: int) -> str:
        assert self.code is not None
        assert self.statistics is not None
        found, names = self.statistics.separation, self.statistics.classes.names
        lines = [self.code.label(latent)]
        if self.measure(latent):
            lines.append(
                f"AUROC {self.measure(latent)}: take one cell of each class at random; "
                "so often this latent alone tells which is which (0.5 by chance, 1 "
                "always; in brackets the 95 % interval, counting tracks)."
            )
        if found.rising[latent]:
            present = np.flatnonzero(self.statistics.densities.counts)
            higher = names[present[-1] if found.rising[latent] > 0 else present[0]]
            lines.append(f"{higher} has the larger values.")
        lines.append("Click: on the x axis. Shift and click: on the y axis.")
        return "\n".join(lines)


class ClassesDelegate(QStyledItemDelegate):
    """Paints a latent's name, its number, and a density per class."""

    def __init__(self, model: ClassesModel) -> None:
        super().__init__()
        self._model = model
        self.theme: Theme | None = None
        self.axes: tuple[str, str] = ("", "")

    def sizeHint(self, option: QStyleOptionViewItem, index: QModelIndex) -> QSize:
        """Return the size of a row."""
        return QSize(100, HEIGHT)

    def paint(
        self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex
    ) -> None:
        """Paint one latent."""
        theme, code, found = self.theme, self._model.code, self._model.statistics
        if theme is None or code is None or found is None:
            return
        latent = self._model.latent(index.row())
        rect = QRectF(option.rect).adjusted(0, 1, 0, -1)
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        axis = self._axis(latent)
        over = bool(option.state & QStyle.StateFlag.State_MouseOver)
        if axis or over:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(
                QColor(theme.card if axis else mix(theme.card, theme.background, 0.5))
            )
            painter.drawRoundedRect(rect, STEP, STEP)
        words = rect.adjusted(STEP, 0, 0, 0)
        words.setWidth(rect.width() * WORDS - 2 * STEP)
        self._paint_words(painter, words, latent, axis, theme, code)
        curves = rect.adjusted(rect.width() * WORDS, 3, -STEP, -3)
        self._paint_curves(painter, curves, latent, theme, found)
        painter.restore()

    def _axis(self, latent: int) -> str:
        names = [
            n
            for n, key in zip("xy", self.axes, strict=True)
            if key == latent_key(latent)
        ]
        return " ".join(names)

    def _paint_words(
        self,
        painter: QPainter,
        place: QRectF,
        latent: int,
        axis: str,
        theme: Theme,
        code: Code,
    ) -> None:
        line = painter.fontMetrics().height()
        top = QRectF(
            place.left(), place.center().y() - line - 1, place.width(), line + 2
        )
        ink = theme.text if code.is_active(latent) else theme.muted
        draw_label(painter, top, name_of(code, latent), f"z{latent}", ink, theme.muted)
        painter.setPen(QColor(theme.muted))
        words = self._model.measure(latent)
        if axis:
            words = f"{words.partition(' ')[0]} · on {axis}"
        below = top.translated(0, line + 1)
        painter.drawText(below, int(Qt.AlignmentFlag.AlignVCenter.value), words)

    def _paint_curves(
        self,
        painter: QPainter,
        place: QRectF,
        latent: int,
        theme: Theme,
        found: ClassStatistics,
    ) -> None:
        grid, values = found.densities.grid[latent], found.densities.values[:, latent]
        low, high = float(grid[0]), float(grid[-1])
        if high <= low:
            return
        x = place.left() + (grid - low) / (high - low) * place.width()
        painter.setPen(QPen(QColor(theme.line), 1))
        painter.drawLine(place.bottomLeft(), place.bottomRight())
        if low < 0 < high:
            zero = place.left() - low / (high - low) * place.width()
            painter.drawLine(QPointF(zero, place.top()), QPointF(zero, place.bottom()))
        top = max(float(values.max()), 1e-12)
        for k, color in enumerate(found.classes.colors):
            if found.densities.counts[k] < 2:
                continue
            y = place.bottom() - values[k] / top * (place.height() - 2)
            _draw_hill(painter, x, y, place.bottom(), readable(color, theme))


def _draw_hill(
    painter: QPainter,
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    base: float,
    color: str,
) -> None:
    line = [QPointF(float(a), float(b)) for a, b in zip(x, y, strict=True)]
    inside = QColor(color)
    inside.setAlpha(70)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(inside)
    ends = [QPointF(float(x[-1]), base), QPointF(float(x[0]), base)]
    painter.drawPolygon(QPolygonF(line + ends))
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.setPen(QPen(QColor(color), 1.5))
    painter.drawPolyline(QPolygonF(line))


class ClassesList(QListView):
    """The list of latents; a click puts one on an axis.

    Signals
    -------
    chosen : (int, str)
        Latent, and "x" or "y".
    """

    chosen = Signal(int, str)

    def __init__(self) -> None:
        super().__init__()
        self.classes = ClassesModel()
        self.painter = ClassesDelegate(self.classes)
        self.setModel(self.classes)
        self.setItemDelegate(self.painter)
        self.setObjectName("plain")
        self.setUniformItemSizes(True)
        self.setMouseTracking(True)
        self.setFrameShape(QAbstractItemView.Shape.NoFrame)
        self.setSelectionMode(QAbstractItemView.SelectionMode.NoSelection)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setMinimumHeight(2 * HEIGHT)
        self.clicked.connect(self._on_click)
        self.activated.connect(self._on_click)

    def sizeHint(self) -> QSize:
        """Return the least size; the list takes what is left by everything else."""
        return QSize(320, self.minimumHeight())

    def mark_axes(self, x: str, y: str) -> None:
        """Mark the latents that are on the axes."""
        self.painter.axes = (x, y)
        self.viewport().update()

    def _on_click(self, index: QModelIndex) -> None:
        shift = QApplication.keyboardModifiers() & Qt.KeyboardModifier.ShiftModifier
        self.choose(index.row(), "y" if shift else "x")

    def choose(self, row: int, axis: str) -> None:
        """Put the latent of a row on an axis."""
        if 0 <= row < self.classes.rowCount():
            self.chosen.emit(self.classes.latent(row), axis)

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        """Offer both axes."""
        index = self.indexAt(QPoint(event.pos()))
        if not index.isValid():
            return
        menu = QMenu(self)
        on_x, on_y = (
            menu.addAction("Put on the x axis"),
            menu.addAction("Put on the y axis"),
        )
        picked = menu.exec(event.globalPos())
        if picked is on_x or picked is on_y:
            self.choose(index.row(), "x" if picked is on_x else "y")
