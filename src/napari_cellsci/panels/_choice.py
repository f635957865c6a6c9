"""A box with choices, some of which say why they cannot be made."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from qtpy.QtCore import Qt, Signal
from qtpy.QtGui import QPaintEvent
from qtpy.QtWidgets import QComboBox, QStyle, QStyleOptionComboBox, QStylePainter

_ITEM = Qt.ItemDataRole


@dataclass(frozen=True, slots=True)
class Choice:
    """One choice: its key, words, a tip, and why it cannot be made, if so."""

    key: str
    title: str
    tip: str = ""
    why_not: str = ""


class ChoiceBox(QComboBox):
    """A box that may be narrow; some of its choices may say why they cannot be made.

    Signals
    -------
    chosen : str
        Key of what the user chose.
    """

    chosen = Signal(str)

    def __init__(self, tip: str) -> None:
        super().__init__()
        self._shown: Sequence[Sequence[Choice]] = ()
        self.setToolTip(tip)
        self.setAccessibleName(tip)
        self.setMinimumWidth(1)
        self.setMinimumContentsLength(7)
        self.setMaxVisibleItems(24)
        policy = QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
        self.setSizeAdjustPolicy(policy)
        self.activated.connect(self._on_activated)

    def offer(self, groups: Sequence[Sequence[Choice]], key: str) -> None:
        """Show choices in groups, and which one is made."""
        if groups != self._shown:
            self._shown = groups
            self.clear()
            for i, group in enumerate(groups):
                if i:
                    self.insertSeparator(self.count())
                for choice in group:
                    self._add(choice)
        self.setCurrentIndex(self.findData(key))

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint the choice; what does not fit ends with an ellipsis."""
        painter, option = QStylePainter(self), QStyleOptionComboBox()
        self.initStyleOption(option)
        style, combo = self.style(), QStyle.ComplexControl.CC_ComboBox
        field = QStyle.SubControl.SC_ComboBoxEditField
        room = style.subControlRect(combo, option, field, self).width()
        option.currentText = self.fontMetrics().elidedText(
            option.currentText, Qt.TextElideMode.ElideRight, room
        )
        painter.drawComplexControl(combo, option)
        painter.drawControl(QStyle.ControlElement.CE_ComboBoxLabel, option)

    def _add(self, choice: Choice) -> None:
        self.addItem(choice.title, choice.key)
        place = self.count() - 1
        self.setItemData(place, choice.why_not or choice.tip, _ITEM.ToolTipRole)
        if choice.why_not:
            item: Any = self.model().item(place)
            item.setEnabled(False)

    def _on_activated(self, place: int) -> None:
        key = self.itemData(place)
        if key is not None:
            self.chosen.emit(str(key))
