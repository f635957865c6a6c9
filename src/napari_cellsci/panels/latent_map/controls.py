"""What the mouse does in the map."""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QButtonGroup, QHBoxLayout, QWidget

from napari_cellsci.panels._icons import IconButton
from napari_cellsci.panels._theme import STEP
from napari_cellsci.panels.latent_map.plot import Tool

TOOLS: tuple[tuple[Tool, str], ...] = (
    ("lasso", "Draw around cells to select them (Shift adds, Alt removes)"),
    ("rectangle", "Select cells in a rectangle (Shift adds, Alt removes)"),
    ("move", "Drag the map; the right mouse button always does"),
)


class ToolBar(QWidget):
    """Lasso, rectangle or move; show everything; change the axes.

    Signals
    -------
    chosen : str
        The tool.
    """

    chosen = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(STEP // 2)
        self.group = QButtonGroup(self)
        self.buttons: dict[str, IconButton] = {}
        for tool, tip in TOOLS:
            button = IconButton(tool, tip, checkable=True)
            self.group.addButton(button)
            self.buttons[tool] = button
            layout.addWidget(button)
        self.fit = IconButton("fit", "Show all cells (double-click, or Home)")
        self.swap = IconButton("swap", "Change the axes with each other")
        layout.addWidget(self.fit)
        layout.addWidget(self.swap)
        self.group.buttonClicked.connect(self._on_tool)

    def show_tool(self, tool: str) -> None:
        """Show which tool is used."""
        self.buttons[tool].setChecked(True)

    def set_color(self, color: str) -> None:
        """Take over the theme's colour."""
        for button in (*self.buttons.values(), self.fit, self.swap):
            button.set_color(color)

    def _on_tool(self, pressed: Any) -> None:
        for tool, button in self.buttons.items():
            if button is pressed:
                self.chosen.emit(tool)
