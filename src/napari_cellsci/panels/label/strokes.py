"""Which deed of labelling a key press on our widgets stands for."""

from __future__ import annotations

from qtpy.QtCore import Qt
from qtpy.QtGui import QKeyEvent, QKeySequence

from napari_cellsci.viewer import keys


def deed_of(event: QKeyEvent) -> str | None:
    """Return what a key press stands for, None if nothing."""
    held = event.modifiers() & ~Qt.KeyboardModifier.KeypadModifier
    text = QKeySequence(event.key()).toString()
    if held == Qt.KeyboardModifier.ControlModifier and text == "Z":
        return "undo"
    both = Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.ShiftModifier
    if (held == both and text == "Z") or (
        held == Qt.KeyboardModifier.ControlModifier and text == "Y"
    ):
        return "redo"
    if held:
        return None
    text = "Enter" if text in ("Return", "Enter") else text
    return keys.keys_now().get(text)
