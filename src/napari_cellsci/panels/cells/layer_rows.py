"""The rows of the Cells panel where image, tracks and labels are chosen or opened."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from magicgui.widgets import ComboBox
from napari.layers import Image, Labels, Tracks
from qtpy.QtCore import Signal
from qtpy.QtGui import QAction
from qtpy.QtWidgets import (
    QFileDialog,
    QHBoxLayout,
    QMenu,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from napari_cellsci.panels._parts import new_form
from napari_cellsci.panels._theme import STEP
from napari_cellsci.panels.cells.fields import LayerChoices

if TYPE_CHECKING:
    from napari.layers import Layer

    from napari_cellsci.viewer.session import Session

_TIFF = "*.tif *.tiff *.btf *.tf8 *.tf2 *.lsm"


@dataclass(frozen=True, slots=True)
class Row:
    """One kind of layer: its class, what it is, and the files it can be opened from."""

    kind: type[Layer]
    tip: str
    files: str
    names: str

    @property
    def filter(self) -> str:
        """Filter of the file dialog."""
        return f"{self.kind.__name__} ({self.names});;All files (*)"


ROWS = {
    "Image": Row(
        Image,
        "The movie: time, y and x, possibly channels and planes",
        "TIFF, OME-TIFF, zarr, OME-Zarr, or what a napari reader opens",
        f"{_TIFF} *.zip",
    ),
    "Tracks": Row(
        Tracks,
        "Where each cell is in each frame",
        "CSV, btrack .h5, TrackMate, Cell Tracking Challenge, GEFF, or label images",
        f"*.csv *.tsv *.txt *.h5 *.hdf5 *.hdf *.xml {_TIFF} *.zip",
    ),
    "Labels": Row(
        Labels,
        "Masks of the cells: to measure and outline them, and to link without tracks",
        "label images as TIFF, zarr or OME-Zarr",
        f"{_TIFF} *.zip",
    ),
}


class LayerRows(QWidget):
    """A combo box for each kind of layer, and a button that opens one from a file.

    Signals
    -------
    chosen :
        Another layer is chosen, by the user or because layers came or went.
    asked : str, str
        A kind of layer and the file or folder it should be opened from.
    """

    chosen = Signal()
    asked = Signal(str, str)

    def __init__(self, session: Session) -> None:
        super().__init__()
        self.combos: dict[str, Any] = {}
        self.buttons: dict[str, OpenButton] = {}
        self._by_hand = False
        form = new_form()
        for name, row in ROWS.items():
            combo = ComboBox(
                choices=LayerChoices(session, row.kind), nullable=True, name=name
            )
            combo.native.setToolTip(row.tip)
            combo.native.setMinimumWidth(1)
            combo.changed.connect(self._on_changed)
            combo.native.activated.connect(self._on_activated)
            button = OpenButton(name)
            button.asked.connect(self.asked)
            line = QHBoxLayout()
            line.setSpacing(STEP)
            line.addWidget(combo.native, 1)
            line.addWidget(button)
            form.addRow(name, line)
            self.combos[name], self.buttons[name] = combo, button
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addLayout(form)

    def layers(self) -> tuple[Any, Any, Any]:
        """Return the chosen image, tracks and labels layers."""
        return tuple(combo.value for combo in self.combos.values())  # type: ignore[return-value]

    def reset_choices(self, event: object = None) -> None:
        """Follow layers that were added, removed, renamed or moved."""
        for combo in self.combos.values():
            combo.reset_choices(event)
        self._prefer_something()

    def choose(self, layers: list[Layer]) -> None:
        """Choose some layers, each as what it is."""
        for layer in layers:
            for name, row in ROWS.items():
                if isinstance(layer, row.kind):
                    self.combos[name].value = layer

    def _prefer_something(self) -> None:
        """Choose the first layer of each kind, until the user has chosen one."""
        for name in ("Image",) if self._by_hand else tuple(self.combos):
            combo = self.combos[name]
            free = [layer for layer in combo.choices if layer is not None]
            if combo.value is None and free:
                combo.value = free[0]

    def _on_changed(self) -> None:
        self.chosen.emit()

    def _on_activated(self) -> None:
        self._by_hand = True


class OpenButton(QToolButton):
    """Asks for a file or folder to open as one kind of layer.

    Parameters
    ----------
    name : str
        Of the kind of layer.
    """

    asked = Signal(str, str)

    def __init__(self, name: str) -> None:
        super().__init__()
        self._name = name
        self.setObjectName("menu")
        self.setText("\N{HORIZONTAL ELLIPSIS}")
        self.setToolTip(
            f"Open {name.lower()} from a file or folder: {ROWS[name].files}"
        )
        self.setAccessibleName(f"Open {name.lower()}")
        self.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        menu = QMenu(self)
        for words, slot in (
            ("Open a file…", self._ask_file),
            ("Open a folder…", self._ask_folder),
        ):
            action = QAction(words, menu)
            action.triggered.connect(slot)
            menu.addAction(action)
        self.setMenu(menu)

    def _ask_file(self) -> None:
        title = f"Open {self._name.lower()}"
        path, _ = QFileDialog.getOpenFileName(self, title, "", ROWS[self._name].filter)
        self._emit(path)

    def _ask_folder(self) -> None:
        title = f"Open {self._name.lower()} from a folder"
        self._emit(QFileDialog.getExistingDirectory(self, title))

    def _emit(self, path: str) -> None:
        if path:
            self.asked.emit(self._name, str(Path(path)))
