"""How good the formula is, and the cells about which it is at odds."""

from __future__ import annotations

import numpy as np
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QVBoxLayout, QWidget
from superqt import QFlowLayout

from napari_cellsci.panels._parts import WrapLabel, plain_button, whole_number
from napari_cellsci.panels._theme import STEP
from napari_cellsci.panels.expressions import words
from napari_cellsci.panels.expressions.bench import Written
from napari_cellsci.panels.expressions.subject import Rows

MOST = 200
"""Cells that are selected at once: the surest of a disagreement."""


class FactsBox(QWidget):
    """Numbers of a formula, and buttons that select the cells behind them.

    Signals
    -------
    selected : object
        Rows of cells to look at, the most telling first.
    """

    selected = Signal(object)

    def __init__(self) -> None:
        super().__init__()
        self._written: Written | None = None
        self.labels = WrapLabel()
        self.network = WrapLabel()
        self.cells = WrapLabel(name="muted")
        self.cells.setToolTip(words.SIZE_TIP)
        self.unlike_labels = plain_button("", "Select them, the surest mistakes first")
        self.unlike_network = plain_button("", "Select them, where both are sure first")
        self.undefined = plain_button("", "Select the cells that get no score")
        row = QFlowLayout()
        row.setContentsMargins(0, 0, 0, 0)
        row.setHorizontalSpacing(STEP)
        row.setVerticalSpacing(STEP)
        for button in (self.unlike_labels, self.unlike_network, self.undefined):
            row.addWidget(button)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(STEP)
        for label in (self.labels, self.network, self.cells):
            layout.addWidget(label)
        layout.addLayout(row)
        self.unlike_labels.clicked.connect(self._select_labels)
        self.unlike_network.clicked.connect(self._select_network)
        self.undefined.clicked.connect(self._select_undefined)

    def show_written(self, written: Written | None, network: str) -> None:
        """Show what a formula is worth, beside a network of that name."""
        self._written = written
        self.setVisible(written is not None)
        if written is None:
            return
        self.labels.setText(words.about_labels(written))
        said = words.about_network(written, network)
        self.network.setText(said)
        self.network.setVisible(bool(said))
        self.cells.setText(words.about_cells(written))
        for button, n, what in (
            (self.unlike_labels, len(written.against_labels), "unlike their label"),
            (self.unlike_network, len(written.against_network), f"unlike {network}"),
            (self.undefined, written.verdict.outcomes.undefined, "without a score"),
        ):
            button.setText(f"{whole_number(n)} {what}")
            button.setVisible(n > 0)

    def _select_labels(self) -> None:
        if self._written is not None:
            self._emit(self._written.against_labels)

    def _select_network(self) -> None:
        if self._written is not None:
            self._emit(self._written.against_network)

    def _select_undefined(self) -> None:
        if self._written is not None:
            self._emit(np.flatnonzero(~np.isfinite(self._written.scores)))

    def _emit(self, rows: Rows) -> None:
        if len(rows):
            self.selected.emit(rows[:MOST])
