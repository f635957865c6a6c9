"""How many cells are called what, as lines of words and a number."""

from __future__ import annotations

from collections.abc import Sequence

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QGridLayout, QLabel, QWidget

from napari_cellsci.panels._theme import STEP


class CountGrid(QWidget):
    """Lines of words and a number, some of the words in a colour."""

    def __init__(self) -> None:
        super().__init__()
        self.grid = QGridLayout(self)
        self.grid.setContentsMargins(0, 0, 0, 0)
        self.grid.setHorizontalSpacing(3 * STEP)
        self.grid.setVerticalSpacing(STEP // 2)
        self.grid.setColumnStretch(0, 1)
        self._lines: list[tuple[QLabel, QLabel]] = []

    def fill(self, lines: Sequence[tuple[str, str, str | None]]) -> None:
        """Show lines of words, number and colour; labels are made once and kept."""
        while len(self._lines) < len(lines):
            words, number = QLabel(), QLabel()
            number.setAlignment(Qt.AlignmentFlag.AlignRight)
            row = len(self._lines)
            self.grid.addWidget(words, row, 0)
            self.grid.addWidget(number, row, 1)
            self._lines.append((words, number))
        for row, (words, number) in enumerate(self._lines):
            shown = row < len(lines)
            words.setVisible(shown)
            number.setVisible(shown)
            if shown:
                text, count, color = lines[row]
                words.setText(text)
                number.setText(count)
                words.setStyleSheet("" if color is None else f"color: {color};")
        self.setVisible(bool(lines))
        self.updateGeometry()
