"""Counts of the predictions, and how labelled cells are called."""

from __future__ import annotations

from collections.abc import Sequence

from qtpy.QtCore import Qt
from qtpy.QtGui import QColor
from qtpy.QtWidgets import (
    QAbstractItemView,
    QHeaderView,
    QSizePolicy,
    QTableWidget,
    QTableWidgetItem,
)

from napari_cellsci.panels._parts import whole_number
from napari_cellsci.viewer.scores import ClassRow, ScoreColumns

_MOST_ROWS = 10


class NumberTable(QTableWidget):
    """A small read-only table, as high as its rows."""

    def __init__(self) -> None:
        super().__init__()
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setSelectionMode(QAbstractItemView.SelectionMode.NoSelection)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setShowGrid(False)
        self.setAlternatingRowColors(False)
        self.verticalHeader().hide()
        self.verticalHeader().setDefaultSectionSize(22)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def fill(
        self,
        columns: Sequence[tuple[str, str]],
        rows: Sequence[Sequence[str]],
        colors: Sequence[str | None] = (),
    ) -> None:
        """Show a table.

        Parameters
        ----------
        columns : sequence of (title, tip)
        rows : sequence of rows of text
            The first column is text, the others numbers.
        colors : sequence of str or None
            Colour of the first word of each row.
        """
        self.setColumnCount(len(columns))
        self.setRowCount(len(rows))
        for i, (title, tip) in enumerate(columns):
            item = QTableWidgetItem(title)
            item.setToolTip(tip)
            self.setHorizontalHeaderItem(i, item)
        for r, row in enumerate(rows):
            for c, text in enumerate(row):
                self.setItem(r, c, self._item(text, c, r, colors))
        header = self.horizontalHeader()
        header.setMinimumSectionSize(24)
        header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        if columns:
            header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        height = 22 * min(len(rows), _MOST_ROWS) + header.sizeHint().height() + 4
        self.setFixedHeight(height)

    @staticmethod
    def _item(
        text: str, column: int, row: int, colors: Sequence[str | None]
    ) -> QTableWidgetItem:
        item = QTableWidgetItem(text)
        side = (
            Qt.AlignmentFlag.AlignLeft if column == 0 else Qt.AlignmentFlag.AlignRight
        )
        item.setTextAlignment(side | Qt.AlignmentFlag.AlignVCenter)
        color = colors[row] if column == 0 and row < len(colors) else None
        if color is not None:
            item.setForeground(QColor(color))
        item.setToolTip(text)
        return item


_UNCERTAIN = (
    "Uncertain: probability below 0.9, or the models disagree on the side, or the cell "
    "has just been born by a division"
)


def in_words(scores: ScoreColumns) -> list[tuple[str, str]]:
    """Return what was found, as lines of words and a number."""
    found = [
        (name, whole_number(int((scores.prediction == code).sum())))
        for code, name in enumerate(scores.names[:-1])
    ]
    found.append(("uncertain", whole_number(int(scores.uncertain.sum()))))
    found.append(("out-of-distribution", whole_number(int(scores.outside.sum()))))
    if scores.blank.any():
        found.append(("blank", whole_number(int(scores.blank.sum()))))
    return found


def called_columns(names: Sequence[str]) -> list[tuple[str, str]]:
    """Return the titles and tips of the table of labelled cells."""
    signs = ("●", "▲", "◆", "■", "✚")
    called = [
        (signs[i % len(signs)], f"Called {name}, whether sure or not")
        for i, name in enumerate(names)
    ]
    return [
        ("label", "What a person said the cell is"),
        ("n", "Labelled cells with a score"),
        *called,
        ("?", _UNCERTAIN),
        ("◌", "Out-of-distribution: unlike anything the classifier has learned"),
    ]


def called_rows(rows: Sequence[ClassRow]) -> list[list[str]]:
    """Return the table of labelled cells as text."""
    return [
        [
            row.label,
            whole_number(row.n),
            *(whole_number(n) for n in row.called),
            whole_number(row.uncertain),
            whole_number(row.outside),
        ]
        for row in rows
    ]
