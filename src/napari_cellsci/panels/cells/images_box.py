"""The part of the Cells panel for images of single cells, without a movie."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from napari.layers import Image
from qtpy.QtCore import Signal
from qtpy.QtGui import QAction
from qtpy.QtWidgets import (
    QCheckBox,
    QFileDialog,
    QHBoxLayout,
    QLineEdit,
    QMenu,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from napari_cellsci.panels._parts import new_form
from napari_cellsci.panels._theme import STEP
from napari_cellsci.panels.cells.images_source import ImagesSource, tile_of
from napari_cellsci.panels.cells.normalise_box import NormaliseBox
from napari_cellsci.viewer import adapters, tags

if TYPE_CHECKING:
    from napari_cellsci.viewer.session import Session

_FILES = (
    "Images (*.tif *.tiff *.npy *.npz *.zip *.png *.jpg *.jpeg *.bmp);;All files (*)"
)


class ImagesBox(QWidget):
    """A tick for images of single cells, where they are, and their labels.

    Parameters
    ----------
    session : Session
    preparing : NormaliseBox
        Where size and pixels of the crops are chosen.

    Signals
    -------
    changed :
        Something else was chosen.
    """

    changed = Signal()

    def __init__(self, session: Session, preparing: NormaliseBox) -> None:
        super().__init__()
        self._session, self._preparing = session, preparing
        self._layer: Image | None = None
        self.tick = QCheckBox("Each image is one cell")
        self.tick.setToolTip(
            "No movie and no tracks: a folder of images (subfolders are classes), or "
            "a stack whose pages are cells"
        )
        self.source, self.labels, self.group = QLineEdit(), QLineEdit(), QLineEdit()
        self.source.setToolTip("Folder or file of the images, or a layer's pages")
        self.labels.setToolTip(
            "CSV with the columns image (name) or index (from 0) and class"
        )
        self.labels.setPlaceholderText("none")
        self.group.setToolTip(
            "Column of the labels: images with the same value are held out together"
        )
        self.group.setPlaceholderText("each image by itself")
        self.tile = QLineEdit()
        self.tile.setToolTip(
            "Of montages: height and width of a tile, and of the lines between tiles "
            "if there are any (px), such as 40 40 2"
        )
        self.tile.setPlaceholderText("no montage")
        self.fields = QWidget()
        form = new_form()
        self.open = _more_button("Open images from a folder, a file or a layer")
        self.open.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self.menu = QMenu(self.open)
        self.menu.aboutToShow.connect(self._fill_menu)
        self.open.setMenu(self.menu)
        self.open_labels = _more_button("Open labels from a CSV file")
        self.open_labels.clicked.connect(self._ask_labels)
        form.addRow("Images", _line(self.source, self.open))
        form.addRow("Labels", _line(self.labels, self.open_labels))
        form.addRow("Group by", self.group)
        form.addRow("Tiles", self.tile)
        self.fields.setLayout(form)
        form.setContentsMargins(0, 0, 0, 0)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(STEP)
        layout.addWidget(self.tick)
        layout.addWidget(self.fields)
        self.fields.hide()
        self.tick.toggled.connect(self._on_tick)
        self.source.textEdited.connect(self._on_typed)
        for field in (self.source, self.labels, self.group, self.tile):
            field.setMinimumWidth(1)
            field.editingFinished.connect(self.changed)

    @property
    def wanted(self) -> bool:
        """Whether images of single cells are to be made cells."""
        return self.tick.isChecked()

    @property
    def missing(self) -> str:
        """What has to be chosen yet; "" if nothing."""
        if self.source.text().strip():
            return self._trouble()
        return "Choose the images with the … beside them: a folder, a file or a layer."

    def _trouble(self) -> str:
        try:
            tile_of(self.tile.text())
        except ValueError as error:
            return str(error)
        return ""

    def choose(self, path: str) -> None:
        """Take the images of a file or folder."""
        self._layer = None
        self.source.setText(path)
        self.changed.emit()

    def choose_layer(self, layer: Image) -> None:
        """Take the pages of a layer as images."""
        path = adapters.file_of(layer)
        self._layer = layer if path is None else None
        self.source.setText(layer.name if path is None else str(path))
        self.changed.emit()

    def given(self) -> ImagesSource:
        """Return what is chosen."""
        labels, group = self.labels.text().strip(), self.group.text().strip()
        layer, tile = self._layer, tile_of(self.tile.text())
        options = {"tile": tile, **self._preparing.arguments()}
        if layer is not None:
            said = f"viewer.layers[{layer.name!r}].data"
            data = adapters.level_zero(layer)
            return ImagesSource(data, labels, group, layer.name, said, **options)
        path = str(Path(self.source.text().strip()).expanduser())
        return ImagesSource(path, labels, group, **options)

    def python_code(self, path: str, adds: bool) -> str | None:
        """Return the call that makes the project at `path`, or adds to it."""
        return None if self.missing or not path else self.given().as_python(path, adds)

    def command_line(self, path: str, adds: bool) -> str | None:
        """Return the command that makes the project at `path`, or adds to it."""
        return None if self.missing or not path else self.given().as_command(path, adds)

    def asked(self) -> tuple[object, ...]:
        """Return what is chosen, for telling whether it has changed."""
        fields = (self.source, self.labels, self.group, self.tile)
        return self.wanted, *(field.text() for field in fields)

    def _on_tick(self, on: bool) -> None:
        self.fields.setVisible(on)
        self.changed.emit()

    def _on_typed(self) -> None:
        self._layer = None

    def _fill_menu(self) -> None:
        menu = self.menu
        menu.clear()
        for words, slot in (
            ("Open a folder…", self._ask_folder),
            ("Open a file…", self._ask_file),
        ):
            action = QAction(words, menu)
            action.triggered.connect(slot)
            menu.addAction(action)
        for layer in self._stacks():
            action = QAction(f"Every page of {layer.name}", menu)
            action.setData(layer.name)
            action.triggered.connect(self._on_layer)
            menu.addAction(action)

    def _stacks(self) -> list[Image]:
        viewer = self._session.viewer
        layers = () if viewer is None else viewer.layers
        return [
            layer
            for layer in layers
            if isinstance(layer, Image)
            and tags.role_of(layer) is None
            and adapters.level_zero(layer).ndim in (3, 4)
            and len(adapters.level_zero(layer)) > 1
        ]

    def _on_layer(self) -> None:
        action, viewer = self.sender(), self._session.viewer
        if isinstance(action, QAction) and viewer is not None:
            self.choose_layer(viewer.layers[action.data()])

    def _ask_folder(self) -> None:
        path = QFileDialog.getExistingDirectory(self, "Open a folder of images")
        if path:
            self.choose(path)

    def _ask_file(self) -> None:
        path, _ = QFileDialog.getOpenFileName(self, "Open images", "", _FILES)
        if path:
            self.choose(path)

    def _ask_labels(self) -> None:
        path, _ = QFileDialog.getOpenFileName(
            self, "Open labels", "", "Labels (*.csv *.tsv *.txt);;All files (*)"
        )
        if path:
            self.labels.setText(path)
            self.changed.emit()


def _more_button(tip: str) -> QToolButton:
    button = QToolButton()
    button.setObjectName("menu")
    button.setText("\N{HORIZONTAL ELLIPSIS}")
    button.setToolTip(tip)
    button.setAccessibleName(tip)
    return button


def _line(field: QLineEdit, button: QToolButton) -> QHBoxLayout:
    line = QHBoxLayout()
    line.setSpacing(STEP)
    line.addWidget(field, 1)
    line.addWidget(button)
    return line
