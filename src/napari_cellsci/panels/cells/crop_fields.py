"""The fields of the Cells panel that say how crops are cut from a movie."""

from __future__ import annotations

from qtpy.QtCore import QObject, Signal
from qtpy.QtWidgets import (
    QComboBox,
    QDoubleSpinBox,
    QHBoxLayout,
    QLineEdit,
    QWidget,
)

from napari_cellsci.cells.spec import PAPER_FOV_UM
from napari_cellsci.panels._parts import advanced_section, new_form
from napari_cellsci.panels._theme import STEP
from napari_cellsci.panels.cells.choice import CropSettings
from napari_cellsci.panels.cells.fields import channel_numbers, exact, number_box


class CropFields(QObject):
    """Scale and field of view, and what few need behind *Advanced*.

    Attributes
    ----------
    scale, advanced : QWidget
        Where the fields are.

    Signals
    -------
    changed :
        Something else was set.
    """

    changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.scale = self._build_scale()
        self.advanced = self._build_advanced()
        for box in (self.pixel_size, self.fov, self.interval):
            box.valueChanged.connect(self._on_change)
        self.fov_unit.currentTextChanged.connect(self._on_unit)
        self.channels.editingFinished.connect(self._on_change)
        self.plane.currentIndexChanged.connect(self._on_change)

    def _build_scale(self) -> QWidget:
        self.pixel_size = number_box(" µm", 4, 0.001, 100, "Edge of a pixel")
        self.fov = number_box("", 2, 0.1, 10_000, "Edge of the square around a cell")
        self.fov.setSpecialValueText("")
        self.fov.setRange(0.1, 10_000)
        self.fov.setValue(PAPER_FOV_UM)
        # Beside its unit there is no room for them in a narrow panel.
        self.fov.setButtonSymbols(QDoubleSpinBox.ButtonSymbols.NoButtons)
        self.fov_unit = QComboBox()
        self.fov_unit.addItems(["µm", "px"])
        self.fov_unit.setToolTip("Unit of the field of view")
        self.fov_unit.setFixedWidth(68)
        row = QHBoxLayout()
        row.setSpacing(STEP)
        row.addWidget(self.fov, 1)
        row.addWidget(self.fov_unit)
        form = new_form()
        form.addRow("Pixel size", self.pixel_size)
        form.addRow("Field of view", row)
        scale = QWidget()
        scale.setLayout(form)
        form.setContentsMargins(0, 0, 0, 0)
        return scale

    def _build_advanced(self) -> QWidget:
        self.extra = QComboBox()
        for words, value in (("as labelled", None), ("channels", "C"), ("planes", "Z")):
            self.extra.addItem(words, value)
        self.extra.setToolTip("Meaning of a fourth axis between time and y")
        self.channels = QLineEdit("0")
        self.channels.setToolTip(
            "Channels that make a crop, counted from 0: 0, or 0, 2 for two of them"
        )
        self.plane = QComboBox()
        self.plane.addItem("maximum of all", "max")
        self.plane.setToolTip("Plane of a stack, or the maximum over its planes")
        self.interval = number_box(" min", 3, 0.001, 100_000, "Time between two frames")
        form = new_form()
        form.addRow("Frame interval", self.interval)
        form.addRow("Fourth axis", self.extra)
        form.addRow("Channels", self.channels)
        form.addRow("Plane", self.plane)
        return advanced_section(form)

    def settings(
        self, known: tuple[float, float], normalise: tuple[str, ...]
    ) -> CropSettings:
        """Return what is set.

        Parameters
        ----------
        known : tuple of float
            Pixel size (µm) and interval (min) of the image, exactly.
        normalise : tuple of str
            A pipeline per channel.

        Raises
        ------
        InputError
            If the channels are not numbers.
        """
        plane = self.plane.currentData()
        return CropSettings(
            pixel_size=exact(self.pixel_size, known[0]) or None,
            frame_interval=exact(self.interval, known[1]) * 60 or None,
            fov=self.fov.value(),
            fov_unit=self.fov_unit.currentText(),  # type: ignore[arg-type]
            channels=channel_numbers(self.channels.text()),
            z="max" if plane is None else plane,
            extra=self.extra.currentData(),
            normalise=normalise,
        )

    def asked(self) -> tuple[object, ...]:
        """Return what is set, for telling whether it has changed."""
        return (
            *(box.value() for box in (self.pixel_size, self.interval, self.fov)),
            self.fov_unit.currentText(),
            self.channels.text(),
            self.plane.currentData(),
            self.extra.currentData(),
        )

    def _on_change(self, *_: object) -> None:
        self.changed.emit()

    def _on_unit(self, unit: str) -> None:
        size = self.pixel_size.value()
        if size:
            factor = 1 / size if unit == "px" else size
            self.fov.setValue(self.fov.value() * factor)
        elif unit == "px":
            self.fov.setValue(64)
        self.changed.emit()
