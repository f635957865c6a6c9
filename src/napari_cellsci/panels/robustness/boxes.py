"""Boxes and sections of the Robustness panel."""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QComboBox, QVBoxLayout, QWidget

from napari_cellsci.panels._parts import Section
from napari_cellsci.panels._theme import STEP


def narrow_box(tip: str, items: dict[str, str] | None = None) -> QComboBox:
    """Return a box with choices by key that may be narrow."""
    box = QComboBox()
    box.setMinimumWidth(1)
    box.setSizeAdjustPolicy(
        QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
    )
    box.setMinimumContentsLength(8)
    box.setToolTip(tip)
    box.setAccessibleName(tip)
    for key, words in (items or {}).items():
        box.addItem(words, key)
    return box


def fill(box: QComboBox, items: list[tuple[str, Any]]) -> None:
    """Show choices, and keep the one that is made if it is still there."""
    known = [(box.itemText(i), box.itemData(i)) for i in range(box.count())]
    if known == items:
        return
    chosen = box.currentText()
    box.clear()
    for title, key in items:
        box.addItem(title, key)
    box.setCurrentIndex(max(box.findText(chosen), 0))


def enable(box: QComboBox, place: int, why_not: str) -> None:
    """Let a choice be made, or say why it cannot be."""
    item: Any = box.model().item(place)
    item.setEnabled(not why_not)
    box.setItemData(place, why_not or None, Qt.ItemDataRole.ToolTipRole)


class Folded(Section):
    """A section, closed at first, with a column of widgets inside."""

    def __init__(self, title: str) -> None:
        inside = QWidget()
        self.column = QVBoxLayout(inside)
        self.column.setContentsMargins(0, 0, 0, 0)
        self.column.setSpacing(STEP)
        super().__init__(title, inside)
