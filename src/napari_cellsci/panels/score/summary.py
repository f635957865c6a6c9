"""Counts of the predictions, and how labelled cells are called."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

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
from napari_cellsci.viewer.scores import ScoreColumns

if TYPE_CHECKING:
    from napari_cellsci.heads.evaluate import HeldOut

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


SIGNS = ("●", "▲", "◆", "■", "✚")
"""Signs of the classes in their order, as on the movie."""


def sign_of(name: str, palette: Mapping[str, str]) -> str:
    """Return the sign of a class, as it is on the movie."""
    names = list(palette)
    return SIGNS[names.index(name) % len(SIGNS)] if name in names else " "


def class_columns() -> list[tuple[str, str]]:
    """Return the titles and tips of the table of held-out classes."""
    return [
        ("class", "What a person said the cell is"),
        ("n", "Cells of this class that were held out"),
        ("recall %", "Share of the class that is called so [95% interval]"),
        ("precision %", "Share of the cells called so that are [95% interval]"),
    ]


def class_rows(
    report: HeldOut, names: Sequence[str], palette: Mapping[str, str]
) -> list[list[str]]:
    """Return recall and precision of every class as text."""
    return [
        [
            f"{sign_of(name, palette)} {name}",
            whole_number(result.cells),
            _with_interval(result.recall, result.interval),
            _with_interval(_precision(report, c), result.precision_interval),
        ]
        for c, (name, result) in enumerate(zip(names, report.classes, strict=True))
    ]


def _precision(report: HeldOut, c: int) -> float:
    """Return the precision of a class, which old classifiers tell by counts alone."""
    called = sum(row[c] for row in report.confusion)
    return report.confusion[c][c] / called if called else math.nan


def _with_interval(value: float, interval: tuple[float, float]) -> str:
    if not math.isfinite(value):
        return "–"
    low, high = interval
    if not math.isfinite(low):
        return f"{100 * value:.0f}"
    return f"{100 * value:.0f} [{100 * low:.0f}–{100 * high:.0f}]"
