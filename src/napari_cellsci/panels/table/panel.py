"""The *Cells table* panel."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import (
    QAbstractTableModel,
    QItemSelection,
    QItemSelectionModel,
    QModelIndex,
    Qt,
    Signal,
)
from qtpy.QtGui import QColor, QKeyEvent, QKeySequence
from qtpy.QtWidgets import (
    QApplication,
    QHeaderView,
    QLabel,
    QLineEdit,
    QTableView,
)

from napari_cellsci.disk import whole_file
from napari_cellsci.errors import InputError
from napari_cellsci.panels._base import PanelBase
from napari_cellsci.panels._parts import plain_button, whole_number
from napari_cellsci.panels.label.service import LabelService
from napari_cellsci.panels.label.strokes import deed_of
from napari_cellsci.panels.table.columns import (
    Column,
    chosen,
    columns_of,
    sorted_by,
)

if TYPE_CHECKING:
    import napari.viewer

_NOWHERE = QModelIndex()
_ROLE = Qt.ItemDataRole
_FLAG = QItemSelectionModel.SelectionFlag
_DISPLAY, _ALIGNMENT = int(_ROLE.DisplayRole), int(_ROLE.TextAlignmentRole)
_ANSWERED = (_DISPLAY, _ALIGNMENT, int(_ROLE.DecorationRole))
_RIGHT = int((Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter).value)
WORDS, NUMBERS = 112, 62
"""Widths of columns (px)."""
FEW = 100
"""So many labels are written one by one."""
MOST_RUNS = 300
"""Qt's selections take seconds beyond some thousand pieces."""


class CellsModel(QAbstractTableModel):
    """Cells in an order; every value is asked for when it is seen."""

    def __init__(self) -> None:
        super().__init__()
        self.columns: list[Column] = []
        self.rows: NDArray[np.int64] = np.empty(0, np.int64)
        self.palette: dict[str, str] = {}
        self.sorted: tuple[str, bool] = ("", False)
        self._places: NDArray[np.int64] = np.empty(0, np.int64)
        self._all: NDArray[np.int64] = np.empty(0, np.int64)

    def rowCount(self, parent: QModelIndex = _NOWHERE) -> int:
        """Return the number of cells shown."""
        return 0 if parent.isValid() else len(self.rows)

    def columnCount(self, parent: QModelIndex = _NOWHERE) -> int:
        """Return the number of columns."""
        return 0 if parent.isValid() else len(self.columns)

    def data(self, index: QModelIndex, role: int = 0) -> Any:
        """Return a value in words, its side, or its colour."""
        # Qt asks seven roles of every value it paints: most are none of ours.
        if role not in _ANSWERED or not index.isValid():
            return None
        place, column = index.row(), self.columns[index.column()]
        if place >= len(self.rows):
            return None
        if role == _DISPLAY:
            return column.text(int(self.rows[place]))
        if role == _ALIGNMENT:
            return None if column.is_words else _RIGHT
        if column.name in ("label", "called"):
            word = column.values[int(self.rows[place])]
            return QColor(self.palette[word]) if word in self.palette else None
        return None

    def headerData(self, section: int, way: Any, role: int = 0) -> Any:
        """Return the name of a column, or what it tells."""
        if way == Qt.Orientation.Horizontal and section < len(self.columns):
            if role == _ROLE.DisplayRole:
                return self.columns[section].name
            if role == _ROLE.ToolTipRole:
                return self.columns[section].tip
        return None

    def show_cells(
        self, columns: list[Column], rows: NDArray[np.int64], palette: dict[str, str]
    ) -> None:
        """Show other columns or cells, in the order chosen before."""
        self.beginResetModel()
        self.columns, self.palette, self._all = columns, palette, rows
        self._order()
        self.endResetModel()

    def sort(self, column: int, order: Any = Qt.SortOrder.AscendingOrder) -> None:
        """Sort by a column."""
        if 0 <= column < len(self.columns):
            self.sorted = (
                self.columns[column].name,
                order == Qt.SortOrder.DescendingOrder,
            )
            self.beginResetModel()
            self._order()
            self.endResetModel()

    def _order(self) -> None:
        name, descending = self.sorted
        column = next((c for c in self.columns if c.name == name), None)
        rows = self._all
        self.rows = rows if column is None else sorted_by(column, rows, descending)
        n = len(self.columns[0].values) if self.columns else 0
        self._places = np.full(n, -1, np.int64)
        self._places[self.rows] = np.arange(len(self.rows))

    def places_of(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return where cells stand, sorted; those left out are not told."""
        places = self._places[rows[rows < len(self._places)]]
        return np.sort(places[places >= 0])


class CellsView(QTableView):
    """A table that hands the keys of labelling on instead of searching for them.

    Signals
    -------
    key_pressed : str
        The deed of a key.
    """

    key_pressed = Signal(str)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Hand on the keys of labelling; leave Copy and Escape to the panel."""
        deed = deed_of(event)
        if deed is not None:
            self.key_pressed.emit(deed)
        elif event.key() == Qt.Key.Key_Escape or event.matches(
            QKeySequence.StandardKey.Copy
        ):
            event.ignore()
        else:
            super().keyPressEvent(event)


class TablePanel(PanelBase):
    """Every cell as a line; sort, filter, select, copy, export."""

    title = "Cells table"
    data_filter = "CSV (*.csv)"

    def __init__(self, viewer: napari.viewer.Viewer) -> None:
        super().__init__(viewer, scrolls=False)
        self._syncing = False
        self.model = CellsModel()
        self.view = CellsView()
        self.view.setModel(self.model)
        self.view.setSelectionBehavior(QTableView.SelectionBehavior.SelectRows)
        self.view.setSortingEnabled(True)
        self.view.setWordWrap(False)
        self.view.setShowGrid(False)
        self.view.verticalHeader().hide()
        self.view.verticalHeader().setDefaultSectionSize(22)
        self.view.horizontalHeader().setSortIndicator(-1, Qt.SortOrder.AscendingOrder)
        self.view.horizontalHeader().setSectionResizeMode(
            QHeaderView.ResizeMode.Interactive
        )
        self.view.horizontalHeader().setDefaultSectionSize(64)
        self.view.setMinimumHeight(80)
        self.filter = QLineEdit()
        self.filter.setPlaceholderText("Filter: metaphase  score>0  track=12")
        self.filter.setClearButtonEnabled(True)
        self.filter.setToolTip(
            "Words and comparisons, all of which must hold: unlabelled P<0.9 frame>=10"
        )
        self.count = QLabel()
        self.count.setObjectName("muted")
        self.copy = plain_button("Copy", "Copy the selected lines (Ctrl+C)")
        for i, widget in enumerate((self.filter, self.count, self.copy)):
            self.header.insertWidget(i, widget, 1 if widget is self.filter else 0)
        self.body.addWidget(self.view, 1)
        self._connect()
        self.refresh()

    def _connect(self) -> None:
        session = self.session
        for signal in (
            session.project_changed,
            session.scores_changed,
            session.classes_changed,
        ):
            self._on(signal, self.mark_dirty)
        self._on(session.labels_changed, self._on_labels)
        self._on(session.current_changed, self._on_selection)
        self._on(session.selection_changed, self._on_selection)
        self.filter.textChanged.connect(self.refresh)
        self.copy.clicked.connect(self.copy_selected)
        self.view.selectionModel().selectionChanged.connect(self._on_picked)
        self.view.clicked.connect(self._go)
        self.model.modelReset.connect(self._on_sorted)
        self.view.key_pressed.connect(self.session.service(LabelService).perform)

    def refresh(self, *_: object) -> None:
        """Show all cells that pass the filter."""
        session = self.session
        has_cells = session.project is not None
        for widget in (self.view, self.filter, self.count, self.copy):
            widget.setVisible(has_cells)
        self.card.setVisible(not has_cells)
        if not has_cells:
            self.card.tell(
                "No cells yet.",
                reason="Make or open a project in Cells: all its cells appear here.",
            )
            self.model.show_cells([], np.empty(0, np.int64), {})
            return
        columns = columns_of(session)
        try:
            keep = chosen(columns, self.filter.text())
        except InputError as error:
            # While a term is being typed it is often wrong.
            self.filter.setToolTip(str(error))
            self.count.setText("?")
            return
        self._syncing = True
        new = [c.name for c in columns] != [c.name for c in self.model.columns]
        self.model.show_cells(columns, np.flatnonzero(keep), session.palette)
        for place, column in enumerate(columns if new else ()):
            self.view.setColumnWidth(place, WORDS if column.is_words else NUMBERS)
        self._syncing = False
        shown, n = len(self.model.rows), session.n_cells
        some = f"{whole_number(shown)} of " if shown < n else ""
        self.count.setText(f"{some}{whole_number(n)} cells")
        self._show_selection()

    def _on_labels(self, rows: NDArray[np.int64]) -> None:
        """Write a few labels anew where that moves no line."""
        moves = self.filter.text().strip() or self.model.sorted[0] == "label"
        if moves or len(rows) > FEW or not self.is_seen() or self._dirty:
            self.mark_dirty()
            return
        names = np.array([*self.session.palette, ""], dtype=object)
        for column in self.model.columns:
            if column.name == "label":
                column.values[rows] = names[self.session.label_codes()[rows]]
        self.view.viewport().update()

    def _on_selection(self) -> None:
        if self._syncing:
            return
        if not self.is_seen():
            self._dirty = True
        elif not self._shows_selection():
            self._show_selection()

    def _on_sorted(self) -> None:
        """Show the selected cells where they are now: Qt forgets them."""
        if not self._syncing:
            self._show_selection()

    def _show_selection(self) -> None:
        """Show the session's selection in the table."""
        session = self.session
        self._note_selection()
        places = self.model.places_of(session.selected)
        cuts = np.flatnonzero(np.diff(places) > 1) + 1
        picked = QItemSelection()
        if len(cuts) < MOST_RUNS:
            last_column = max(len(self.model.columns) - 1, 0)
            for run in np.split(places, cuts) if len(places) else []:
                first, last = int(run[0]), int(run[-1])
                picked.select(
                    self.model.index(first, 0), self.model.index(last, last_column)
                )
        self._syncing = True
        self.view.selectionModel().select(picked, _FLAG.ClearAndSelect)
        if session.current is not None:
            at = self.model.places_of(np.array([session.current]))
            if len(at):
                index = self.model.index(int(at[0]), 0)
                self.view.selectionModel().setCurrentIndex(index, _FLAG.NoUpdate)
                self.view.scrollTo(index)
        self._syncing = False

    def selected_rows(self) -> NDArray[np.int64]:
        """Return the cells selected in the table, in its order."""
        spans = [
            np.arange(span.top(), span.bottom() + 1)
            for span in self.view.selectionModel().selection()
        ]
        if not spans:
            return np.empty(0, np.int64)
        return self.model.rows[np.unique(np.concatenate(spans))]

    def _on_picked(self) -> None:
        if self._syncing:
            return
        rows = self.selected_rows()
        self._syncing = True
        if len(rows) == 1:
            self.session.select(int(rows[0]), go=True)
        else:
            here = self.view.selectionModel().currentIndex().row()
            current = int(self.model.rows[here]) if here >= 0 else None
            self.session.select_many(rows, current if current in rows else None)
        self._syncing = False

    def _go(self, index: QModelIndex) -> None:
        if len(self.session.selected) <= 1:
            self.session.go_requested.emit(int(self.model.rows[index.row()]))

    def copy_selected(self) -> None:
        """Copy the selected lines, or all that are shown, as a table."""
        QApplication.clipboard().setText(self.as_text(self._wanted(), "\t"))

    def _wanted(self) -> NDArray[np.int64]:
        rows = self.selected_rows()
        return rows if len(rows) else self.model.rows

    def as_text(self, rows: NDArray[np.int64], between: str) -> str:
        """Return cells as lines of text under the names of the columns."""
        columns = self.model.columns
        lines = [between.join(column.name for column in columns)]
        for row in rows.tolist():
            values = (
                str(c.values[row]) if c.is_words else _plain(c.values[row])
                for c in columns
            )
            lines.append(between.join(values))
        return "\n".join(lines) + "\n"

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Copy, or clear the selection."""
        if event.matches(QKeySequence.StandardKey.Copy):
            self.copy_selected()
        elif event.key() == Qt.Key.Key_Escape:
            self.session.select(None)
        else:
            super().keyPressEvent(event)

    def full_height(self) -> int:
        """Return the height of the tools and three lines."""
        return self.filter.sizeHint().height() + 130

    def has_data(self) -> bool:
        """Whether there are cells."""
        return self.session.project is not None

    def save_data(self, path: str) -> None:
        """Write the selected cells, or all that are shown, as CSV."""
        import csv

        rows, columns = self._wanted(), self.model.columns
        with (
            whole_file(Path(path)) as temporary,
            temporary.open("w", newline="", encoding="utf-8") as file,
        ):
            writer = csv.writer(file)
            writer.writerow([column.name for column in columns])
            for row in rows.tolist():
                writer.writerow(
                    str(c.values[row]) if c.is_words else _plain(c.values[row])
                    for c in columns
                )

    def command_line(self) -> str | None:
        """Return the command that writes everything known of the cells."""
        project = self.session.project
        return None if project is None else f'cellsci export "{project.path}" cells.csv'

    def python_code(self) -> str | None:
        """Return the lines that write everything known of the cells."""
        project = self.session.project
        if project is None:
            return None
        return (
            "from napari_cellsci import Project\n\n"
            f"with Project.open({str(project.path)!r}) as project:\n"
            "    project.export('cells.csv')\n"
        )


def _plain(value: Any) -> str:
    """Return a number as it is written for programs, "" where it is not known."""
    if isinstance(value, float | np.floating):
        return f"{value:.6g}" if np.isfinite(value) else ""
    return str(value)
