"""The runs of a project as a list: how each stands, at a glance."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from qtpy.QtCore import (
    QAbstractListModel,
    QItemSelectionModel,
    QModelIndex,
    QPersistentModelIndex,
    QPoint,
    QRectF,
    QSize,
    Qt,
    Signal,
)
from qtpy.QtGui import QColor, QFont, QFontMetrics, QPainter
from qtpy.QtWidgets import (
    QAbstractItemView,
    QListView,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
)

from napari_cellsci.panels._theme import RADIUS, STEP, Theme, mix
from napari_cellsci.panels.train.words import (
    SIGNS,
    kind_of,
    short_state,
    state_sentence,
    title_of,
    when,
)
from napari_cellsci.project.run_log import RunLog
from napari_cellsci.project.run_state import RunState
from napari_cellsci.project.runs import RunInfo

Index = QModelIndex | QPersistentModelIndex
LogOf = Callable[[RunInfo], RunLog]
RUN = int(Qt.ItemDataRole.UserRole.value)
_VISIBLE = 4
_COLORS = {
    RunState.RUNNING: "#56B4E9",
    RunState.QUEUED: "#56B4E9",
    RunState.PAUSED: "#E69F00",
    RunState.CANCELLING: "#E69F00",
    RunState.DONE: "#009E73",
    RunState.FAILED: "#D55E00",
    RunState.INTERRUPTED: "#D55E00",
}


class RunModel(QAbstractListModel):
    """Runs, newest first.

    Parameters
    ----------
    log_of : callable
        Returns what a run has told.
    """

    def __init__(self, log_of: LogOf) -> None:
        super().__init__()
        self._log_of = log_of
        self.runs: list[RunInfo] = []

    def rowCount(self, parent: Index | None = None) -> int:
        """Return how many runs there are."""
        return 0 if parent is not None and parent.isValid() else len(self.runs)

    def data(self, index: Index, role: int = 0) -> Any:
        """Return a run, its words, or its tip."""
        if not index.isValid() or index.row() >= len(self.runs):
            return None
        run = self.runs[index.row()]
        if role == RUN:
            return run
        log = self._log_of(run)
        words = f"{title_of(run)} ({kind_of(run)}): {state_sentence(run, log)}"
        shown = (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.AccessibleTextRole)
        if role in shown:
            return words
        if role == Qt.ItemDataRole.ToolTipRole:
            return f"{words}\n{run.note}" if run.note else words
        return None

    def take(self, runs: Sequence[RunInfo]) -> None:
        """Take over the list of runs."""
        same = [run.id for run in runs] == [run.id for run in self.runs]
        if same:
            self.runs = list(runs)
            if runs:
                self.dataChanged.emit(self.index(0), self.index(len(runs) - 1))
            return
        self.beginResetModel()
        self.runs = list(runs)
        self.endResetModel()


class RunDelegate(QStyledItemDelegate):
    """Paints a run: sign, name and result; below, its kind and when it was begun."""

    def __init__(self, theme: Theme, log_of: LogOf) -> None:
        super().__init__()
        self.theme = theme
        self._log_of = log_of

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        """Return the size of two lines."""
        return QSize(120, 2 * option.fontMetrics.height() + 3 * STEP)

    def paint(
        self, painter: QPainter, option: QStyleOptionViewItem, index: Index
    ) -> None:
        """Paint one run."""
        run: RunInfo = index.data(RUN)
        log, theme = self._log_of(run), self.theme
        box = QRectF(option.rect).adjusted(1, 1, -1, -1)
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if option.state & QStyle.StateFlag.State_Selected:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(QColor(theme.primary))
            painter.drawRoundedRect(box, RADIUS, RADIUS)
        elif option.state & QStyle.StateFlag.State_MouseOver:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(QColor(mix(theme.primary, theme.background, 0.5)))
            painter.drawRoundedRect(box, RADIUS, RADIUS)
        if run.state is RunState.RUNNING and log.total:
            self._paint_progress(painter, box, log.step / log.total)
        self._paint_words(painter, option, box, run, log)
        painter.restore()

    def _paint_progress(self, painter: QPainter, box: QRectF, part: float) -> None:
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(self.theme.accent))
        height = 2.0
        painter.drawRect(
            QRectF(box.left(), box.bottom() - height, box.width() * part, height)
        )

    def _paint_words(
        self,
        painter: QPainter,
        option: QStyleOptionViewItem,
        box: QRectF,
        run: RunInfo,
        log: RunLog,
    ) -> None:
        theme, line = self.theme, float(option.fontMetrics.height())
        inside = box.adjusted(2 * STEP, STEP, -2 * STEP, -STEP)
        left = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
        right = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
        color = mix(
            _COLORS.get(run.state, theme.muted),
            "#FFFFFF" if theme.dark else "#000000",
            0.2,
        )
        sign = QRectF(inside.left(), inside.top(), 16, line)
        painter.setPen(QColor(color))
        painter.drawText(sign, int(left.value), SIGNS[run.state])
        bold = QFont(option.font)
        bold.setBold(True)
        metrics = QFontMetrics(bold)
        first = QRectF(inside.left() + 18, inside.top(), inside.width() - 18, line)
        result = short_state(run, log)
        wide = min(
            float(option.fontMetrics.horizontalAdvance(result)) + 4, first.width() * 0.6
        )
        painter.drawText(
            QRectF(first.right() - wide, first.top(), wide, line),
            int(right.value),
            option.fontMetrics.elidedText(
                result, Qt.TextElideMode.ElideRight, int(wide)
            ),
        )
        room = int(first.width() - wide - STEP)
        painter.setFont(bold)
        painter.setPen(QColor(theme.text))
        name = metrics.elidedText(title_of(run), Qt.TextElideMode.ElideRight, room)
        painter.drawText(first, int(left.value), name)
        painter.setFont(option.font)
        painter.setPen(QColor(theme.muted))
        second = first.translated(0, line)
        words = f"{kind_of(run)} · {when(run)}" + (f" · {run.note}" if run.note else "")
        elided = option.fontMetrics.elidedText(
            words, Qt.TextElideMode.ElideRight, int(second.width())
        )
        painter.drawText(second, int(left.value), elided)


class RunList(QListView):
    """Choose a run to look at; choose several to compare them.

    Signals
    -------
    chosen : no arguments
        Other runs are chosen.
    asked : QPoint
        Actions are asked for at a place of the screen.
    """

    chosen = Signal()
    asked = Signal(QPoint)

    def __init__(self, theme: Theme, log_of: LogOf) -> None:
        super().__init__()
        self.setObjectName("plain")
        self.setAccessibleName("Training runs")
        self.setToolTip("Ctrl-click several runs to compare them; right click for more")
        self._model = RunModel(log_of)
        self._delegate = RunDelegate(theme, log_of)
        self.setModel(self._model)
        self.setItemDelegate(self._delegate)
        mode = QAbstractItemView.SelectionMode.ExtendedSelection
        self.setSelectionMode(mode)
        self.setMouseTracking(True)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.customContextMenuRequested.connect(self._ask)
        self.selectionModel().selectionChanged.connect(self._on_selection)
        self._filling = False

    def set_theme(self, theme: Theme) -> None:
        """Take over the theme's colours."""
        self._delegate.theme = theme
        self.viewport().update()

    def show_runs(self, runs: Sequence[RunInfo]) -> None:
        """Show runs; those that were chosen stay chosen."""
        before = self.ids
        self._filling = True
        self._model.take(runs)
        self._filling = False
        self.choose(before)
        line = self.sizeHintForRow(0) if runs else 0
        rows = min(max(len(runs), 1), _VISIBLE)
        self.setFixedHeight(rows * max(line, 36) + 2 * STEP)

    def choose(self, ids: Sequence[str]) -> None:
        """Choose runs by their ids."""
        if list(ids) == self.ids:
            return
        self._filling = True
        model = self.selectionModel()
        model.clearSelection()
        flag = QItemSelectionModel.SelectionFlag.Select
        for row, run in enumerate(self._model.runs):
            if run.id in ids:
                model.select(self._model.index(row), flag)
                self.scrollTo(self._model.index(row))
        self._filling = False
        self.chosen.emit()

    @property
    def ids(self) -> list[str]:
        """The chosen runs, newest first."""
        rows = sorted(index.row() for index in self.selectionModel().selectedIndexes())
        return [self._model.runs[row].id for row in rows if row < len(self._model.runs)]

    def _on_selection(self) -> None:
        if not self._filling:
            self.chosen.emit()

    def _ask(self, place: QPoint) -> None:
        if self.indexAt(place).isValid():
            self.asked.emit(self.viewport().mapToGlobal(place))
