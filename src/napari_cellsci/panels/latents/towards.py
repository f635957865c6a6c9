"""What it would take to look like another cell: two cells and the way between."""

from __future__ import annotations

from qtpy.QtCore import QSize, Qt, QTimer, Signal
from qtpy.QtGui import QImage, QMouseEvent
from qtpy.QtWidgets import QHBoxLayout, QSlider, QVBoxLayout, QWidget

from napari_cellsci.panels._icons import IconButton
from napari_cellsci.panels._parts import WrapLabel
from napari_cellsci.panels._theme import STEP, Theme
from napari_cellsci.panels.cell_strip.panel import Picture

FRAMES, FRAME_MS = 50, 40
"""Stops between the cells, and how long each is shown when it plays."""
EDGE = 64


class EndPicture(Picture):
    """One of the two cells; a click takes the selected cell.

    Signals
    -------
    clicked :
        The picture was pressed.
    """

    clicked = Signal()

    def __init__(self, caption: str, tip: str) -> None:
        super().__init__(caption, tip)
        self.setMinimumSize(EDGE, EDGE + 20)
        self.setMaximumSize(EDGE, EDGE + 24)
        self.setCursor(Qt.CursorShape.PointingHandCursor)

    def sizeHint(self) -> QSize:
        """Return a fixed size."""
        return QSize(EDGE, EDGE + 22)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Ask for the selected cell."""
        self.clicked.emit()


class Towards(QWidget):
    """Two cells, a slider between them, and a button that plays the way.

    Signals
    -------
    end_asked : int
        The selected cell is to be the first (0) or the second (1).
    moved : float
        Part of the way, 0 to 1.
    """

    end_asked = Signal(int)
    moved = Signal(float)

    def __init__(self) -> None:
        super().__init__()
        self.first = EndPicture("from", "Click: start from the selected cell")
        self.second = EndPicture("to", "Click: lead to the selected cell")
        self.slider = QSlider(Qt.Orientation.Horizontal)
        self.slider.setRange(0, FRAMES)
        self.slider.setToolTip("How far on the way from the one cell to the other")
        self.play = IconButton("play", "Play the way from the one cell to the other")
        self.words = WrapLabel(name="muted")
        middle = QVBoxLayout()
        middle.setSpacing(STEP)
        row = QHBoxLayout()
        row.setSpacing(STEP)
        row.addWidget(self.play)
        row.addWidget(self.slider, 1)
        middle.addStretch()
        middle.addLayout(row)
        middle.addWidget(self.words)
        middle.addStretch()
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, STEP, 0, 0)
        layout.setSpacing(2 * STEP)
        layout.addWidget(self.first)
        layout.addLayout(middle, 1)
        layout.addWidget(self.second)
        self._timer = QTimer(self)
        self._timer.setInterval(FRAME_MS)
        self._timer.timeout.connect(self._step)
        self.first.clicked.connect(self._ask_first)
        self.second.clicked.connect(self._ask_second)
        self.slider.valueChanged.connect(self._on_slider)
        self.play.clicked.connect(self.toggle)
        self.show_ends(None, None)

    def set_theme(self, theme: Theme) -> None:
        """Take over the theme's colours."""
        self.first.set_ink(theme.muted)
        self.second.set_ink(theme.muted)
        self.play.set_color(theme.text)

    def show_ends(self, first: QImage | None, second: QImage | None) -> None:
        """Show the two cells; without both there is no way."""
        self.first.show_image(first, "click to set")
        self.second.show_image(second, "click to set")
        ready = first is not None and second is not None
        self.slider.setEnabled(ready)
        self.play.setEnabled(ready)
        if not ready:
            self.stop()

    def show_part(self, part: float) -> None:
        """Show how far it is."""
        self.slider.blockSignals(True)
        self.slider.setValue(round(part * FRAMES))
        self.slider.blockSignals(False)

    def toggle(self) -> None:
        """Play, from the start if it is over, or stop."""
        if self._timer.isActive():
            self.stop()
            return
        if self.slider.value() == FRAMES:
            self.slider.setValue(0)
        self.play.set_icon("pause")
        self._timer.start()

    def stop(self) -> None:
        """Stop playing."""
        self._timer.stop()
        self.play.set_icon("play")

    def _step(self) -> None:
        self.slider.setValue(self.slider.value() + 1)
        if self.slider.value() >= FRAMES:
            self.stop()

    def _on_slider(self, value: int) -> None:
        self.moved.emit(value / FRAMES)

    def _ask_first(self) -> None:
        self.end_asked.emit(0)

    def _ask_second(self) -> None:
        self.end_asked.emit(1)
