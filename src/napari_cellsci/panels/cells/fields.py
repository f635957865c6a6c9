"""What the fields of the Cells panel hold, and how it is read."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Signal
from qtpy.QtWidgets import (
    QComboBox,
    QDoubleSpinBox,
    QFileDialog,
    QHBoxLayout,
    QLineEdit,
    QWidget,
)

from napari_cellsci.errors import InputError
from napari_cellsci.panels._parts import plain_button
from napari_cellsci.panels._theme import STEP
from napari_cellsci.viewer import adapters, tags

if TYPE_CHECKING:
    from napari.layers import Layer

    from napari_cellsci.viewer.session import Session

UNKNOWN = "not known"
"""What a number box shows at 0."""


def number_box(
    unit: str, digits: int, low: float, high: float, tip: str
) -> QDoubleSpinBox:
    """Return a number box whose 0 means that the value is not known."""
    box = QDoubleSpinBox()
    box.setDecimals(digits)
    box.setRange(0, high)
    box.setSingleStep(max(low, 10.0**-digits))
    box.setSpecialValueText(UNKNOWN)
    box.setSuffix(unit)
    box.setToolTip(tip)
    box.setMinimumWidth(1)
    box.setKeyboardTracking(False)
    return box


class FolderLine(QWidget):
    """Where a project folder is made: a line to type it, and a button to choose it.

    Signals
    -------
    chosen :
        The user has named another folder.
    """

    chosen = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.path = QLineEdit()
        self.path.setMinimumWidth(1)
        self.path.setToolTip("Folder to make for crops, labels, models and scores")
        self.path.textEdited.connect(self.chosen)
        self.browse = plain_button("…", "Choose where the project folder is made")
        self.browse.clicked.connect(self._browse)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(STEP)
        row.addWidget(self.path, 1)
        row.addWidget(self.browse)

    def _browse(self) -> None:
        path, _ = QFileDialog.getSaveFileName(
            self, "Make the project folder", self.path.text()
        )
        if path:
            self.path.setText(path)
            self.chosen.emit()


def fill_planes(box: QComboBox, image: Any, extra: adapters.Extra | None) -> None:
    """Offer the planes of an image layer beside the maximum of all.

    Parameters
    ----------
    box : QComboBox
        Its first item is the maximum.
    image : Image or None
    extra : {"C", "Z"} or None
        Meaning of a fourth axis.
    """
    planes = 0
    if image is not None:
        try:
            axes = adapters.axes_of(image, extra) or ""
        except InputError:
            axes = ""
        shape = adapters.level_zero(image).shape
        planes = shape[axes.index("Z")] if "Z" in axes else 0
    while box.count() > planes + 1:
        box.removeItem(box.count() - 1)
    for z in range(box.count() - 1, planes):
        box.addItem(f"plane {z}", z)
    box.setEnabled(planes > 1)


def exact(box: QDoubleSpinBox, known: float) -> float:
    """Return what a box holds: the known number where it only shows that one rounded.

    Parameters
    ----------
    box : QDoubleSpinBox
    known : float
        What the box was filled with.
    """
    shown, half = box.value(), 0.5001 * 10.0 ** -box.decimals()
    return known if abs(shown - known) <= half else shown


class LayerChoices:
    """The layers of one kind that a user may choose, as a magicgui choice function.

    The outlines that we paint are a labels layer but no masks.

    Parameters
    ----------
    session : Session
    kind : type
        The layers' class.
    """

    def __init__(self, session: Session, kind: type[Layer]) -> None:
        self._session, self._kind = session, kind

    def __call__(self, widget: object) -> list[Layer]:
        """Return the layers of the session's viewer."""
        viewer = self._session.viewer
        return [
            layer
            for layer in (() if viewer is None else viewer.layers)
            if isinstance(layer, self._kind) and tags.role_of(layer) != "outlines"
        ]


def leave_layers(viewer: Any, slot: Callable[..., None]) -> None:
    """Disconnect what napari connects to the layers' coming and going."""
    events = viewer.layers.events
    for signal in (events.inserted, events.removed, events.reordered, events.renamed):
        with suppress(ValueError):
            signal.disconnect(slot)


def channel_numbers(text: str) -> tuple[int, ...]:
    """Return the channels a user typed, counted from 0."""
    parts = [part for part in re.split(r"[,;\s]+", text.strip()) if part]
    if not parts or not all(part.isdecimal() for part in parts):
        raise InputError("Name the channels by numbers counted from 0, such as 0, 2.")
    return tuple(int(part) for part in parts)


def free_folder(name: str) -> Path:
    """Return a folder under the home folder that is not taken yet."""
    stem = re.sub(r"[^\w.-]+", "-", name).strip("-") or "cells"
    base = Path.home() / "cellsci"
    tried = (base / (stem if i == 1 else f"{stem}-{i}") for i in range(1, 1000))
    return next(path for path in tried if not is_taken(path))


def is_taken(path: Path) -> bool:
    """Say whether a new project cannot be made there."""
    return path.is_file() or (path.is_dir() and any(path.iterdir()))


def named(layer: Any) -> str:
    """Return the Python expression for what a layer shows."""
    path = adapters.file_of(layer)
    return repr(str(path)) if path else f"viewer.layers[{layer.name!r}].data"
