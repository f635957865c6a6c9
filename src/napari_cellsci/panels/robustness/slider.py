"""A slider for ε, with the camera's noise marked on it."""

from __future__ import annotations

from qtpy.QtCore import QPointF, Qt, Signal
from qtpy.QtGui import QColor, QPainter, QPaintEvent, QPen
from qtpy.QtWidgets import (
    QDoubleSpinBox,
    QHBoxLayout,
    QSlider,
    QStyle,
    QStyleOptionSlider,
    QVBoxLayout,
    QWidget,
)

from napari_cellsci.panels._parts import WrapLabel
from napari_cellsci.panels._theme import STEP, Theme

_STEPS = 200


class _Marked(QSlider):
    """A slider with one place marked."""

    def __init__(self) -> None:
        super().__init__(Qt.Orientation.Horizontal)
        self.part: float | None = None
        self.color = "#888888"

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        if self.part is None or not 0 <= self.part <= 1:
            return
        option = QStyleOptionSlider()
        self.initStyleOption(option)
        handle = self.style().subControlRect(
            QStyle.ComplexControl.CC_Slider,
            option,
            QStyle.SubControl.SC_SliderHandle,
            self,
        )
        x = handle.width() / 2 + self.part * (self.width() - handle.width())
        painter = QPainter(self)
        painter.setPen(QPen(QColor(self.color), 2))
        painter.drawLine(QPointF(x, 1), QPointF(x, self.height() - 1))


class EpsilonSlider(QWidget):
    """ε by slider and by number.

    Signals
    -------
    moved : float
        The user, or `sweep`, changed ε.
    """

    moved = Signal(float)

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._largest = 1.0
        self.slider = _Marked()
        self.slider.setRange(0, _STEPS)
        self.slider.setAccessibleName("Epsilon: how far every pixel or latent moves")
        self.slider.setToolTip(
            "ε: how far every pixel (or latent) moves. The mark is the camera's noise"
        )
        self.box = QDoubleSpinBox()
        self.box.setDecimals(3)
        self.box.setMinimumWidth(70)
        self.box.setKeyboardTracking(False)
        self.box.setToolTip("ε in units of the normalised picture, or of each latent")
        self.words = WrapLabel(name="muted")
        row = QHBoxLayout()
        row.setSpacing(STEP)
        row.addWidget(self.slider, 1)
        row.addWidget(self.box)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(STEP // 2)
        layout.addLayout(row)
        layout.addWidget(self.words)
        self.slider.valueChanged.connect(self._on_slider)
        self.box.valueChanged.connect(self._on_box)
        self.set_theme(theme)
        self.set_range(1.0, 0.1)

    def set_theme(self, theme: Theme) -> None:
        """Take over the theme's colours."""
        self.slider.color = theme.accent
        self.slider.update()

    def set_range(self, largest: float, value: float) -> None:
        """Set the largest ε and the present one, without telling of it."""
        self._largest = largest
        for part in (self.slider, self.box):
            part.blockSignals(True)
        self.box.setRange(0, largest)
        self.box.setSingleStep(largest / 50)
        self.box.setValue(value)
        self.slider.setValue(round(value / largest * _STEPS))
        for part in (self.slider, self.box):
            part.blockSignals(False)

    def mark(self, noise: float | None) -> None:
        """Mark the camera's noise; None for no mark."""
        self.slider.part = None if noise is None else noise / self._largest
        self.slider.update()

    @property
    def value(self) -> float:
        """ε."""
        return float(self.box.value())

    @property
    def largest(self) -> float:
        """The largest ε."""
        return self._largest

    def set_value(self, value: float) -> None:
        """Set ε and tell of it."""
        self.box.setValue(min(max(value, 0), self._largest))

    def _on_slider(self, step: int) -> None:
        self.box.setValue(step / _STEPS * self._largest)

    def _on_box(self, value: float) -> None:
        self.slider.blockSignals(True)
        self.slider.setValue(round(value / self._largest * _STEPS))
        self.slider.blockSignals(False)
        self.moved.emit(float(value))
