"""The classes: a button with key, name and count for each, and what can be changed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import QRectF, QSize, Qt, Signal
from qtpy.QtGui import QColor, QIcon, QPainter, QPixmap
from qtpy.QtWidgets import (
    QColorDialog,
    QHBoxLayout,
    QInputDialog,
    QLabel,
    QLineEdit,
    QMenu,
    QPushButton,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from napari_cellsci.panels._parts import whole_number
from napari_cellsci.panels._theme import STEP, Theme
from napari_cellsci.panels.score.legend import draw_sign
from napari_cellsci.viewer import keys
from napari_cellsci.viewer.painted import CLASS_SYMBOLS

if TYPE_CHECKING:
    from napari_cellsci.labels import LabelClass

_SHAPES = {"triangle_up": "triangle"}
_EDGE, _KEY = 16, 14
"""Of a class's icon, and the least width of its key (px)."""


class ClassRow(QWidget):
    """One class.

    Signals
    -------
    chosen : str
        Its button was pressed.
    asked : (str, str)
        Something of its menu was chosen: what, and the class.
    """

    chosen = Signal(str)
    asked = Signal(str, str)

    def __init__(self, known: LabelClass, number: int) -> None:
        super().__init__()
        self.known = known
        self.key = QLabel()
        self.key.setObjectName("muted")
        self.button = QPushButton(known.name)
        self.button.setObjectName("plain")
        self.button.setStyleSheet("text-align: left;")
        self.button.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.button.setMinimumWidth(1)
        self.button.setIconSize(QSize(_EDGE, _EDGE))
        self.button.setIcon(_icon(known.colour, number))
        self.count = QLabel()
        self.count.setAlignment(
            Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
        )
        self.count.setMinimumWidth(40)
        self.more = QToolButton()
        self.more.setObjectName("menu")
        self.more.setText("⋮")
        self.more.setToolTip(f"Rename, recolour or merge {known.name}")
        self.more.setAccessibleName(f"Change the class {known.name}")
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(STEP)
        for widget, part in (
            (self.key, 0),
            (self.button, 1),
            (self.count, 0),
            (self.more, 0),
        ):
            row.addWidget(widget, part)
        self._number = number
        self.show_key()
        self.button.clicked.connect(self._on_clicked)
        self.more.clicked.connect(self._offer)

    def show_key(self) -> None:
        """Show the key of the class, as it is set now."""
        known = self._number < keys.N_CLASS_KEYS
        key = keys.key_of(keys.CLASS_DEEDS[self._number].id) if known else ""
        self.key.setText(key)
        trained = "" if self.known.position is not None else ", kept but not trained"
        said = f"Label the selected cells as {self.known.name}{trained}"
        self.button.setToolTip(f"{said} ({key})" if key else said)

    def show_count(self, count: int, muted: bool) -> None:
        """Show how many cells have this label."""
        self.count.setText(whole_number(count))
        self.count.setEnabled(not muted)

    def _on_clicked(self) -> None:
        self.chosen.emit(self.known.name)

    def _offer(self) -> None:
        menu = QMenu(self)
        trained = self.known.position is not None
        use = "Keep out of training" if trained else "Use in training"
        deeds = {
            menu.addAction("Rename…"): "rename",
            menu.addAction("Other colour…"): "recolour",
            menu.addAction("Merge into…"): "merge",
            menu.addAction(use): "leave" if trained else "use",
            menu.addAction("Select its cells"): "select",
        }
        picked = menu.exec(self.more.mapToGlobal(self.more.rect().bottomLeft()))
        menu.deleteLater()
        if picked is not None:
            self.asked.emit(deeds[picked], self.known.name)


class ClassesBox(QWidget):
    """All classes and a line to add one.

    Signals
    -------
    chosen : str
        A class is to be given to the selected cells.
    asked : (str, str, str)
        What is to be done ("add", "rename", "recolour", "merge", "use", "leave",
        "select"), with which class, and the new name, colour or class.
    """

    chosen = Signal(str)
    asked = Signal(str, str, str)

    def __init__(self) -> None:
        super().__init__()
        self.rows: list[ClassRow] = []
        self._shown: tuple[LabelClass, ...] = ()
        self._box = QVBoxLayout()
        self._box.setSpacing(STEP // 2)
        self.new = QLineEdit()
        self.new.setPlaceholderText("New class")
        self.new.setToolTip("Type a name and press Enter: classifiers learn it too")
        self.new.setAccessibleName("Name of a new class")
        self.new.returnPressed.connect(self._add)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(STEP)
        layout.addLayout(self._box)
        layout.addWidget(self.new)

    def show_classes(
        self, classes: tuple[LabelClass, ...], counts: dict[str, int], theme: Theme
    ) -> None:
        """Show classes and how many cells have each."""
        if classes != self._shown:
            self._shown = classes
            for old in self.rows:
                old.hide()
                old.deleteLater()
            self.rows = [ClassRow(known, i) for i, known in enumerate(classes)]
            for row in self.rows:
                self._box.addWidget(row)
                row.chosen.connect(self.chosen)
                row.asked.connect(self._ask)
            self._align_keys()
        for row in self.rows:
            name = row.known.name
            row.show_count(counts.get(name, 0), row.known.position is None)

    def show_keys(self) -> None:
        """Show the keys as they are set now."""
        for row in self.rows:
            row.show_key()
        self._align_keys()

    def _align_keys(self) -> None:
        """Give all keys the width of the widest; they may be set to any key."""
        width = max((row.key.sizeHint().width() for row in self.rows), default=0)
        for row in self.rows:
            row.key.setFixedWidth(max(width, _KEY))

    def _add(self) -> None:
        name = self.new.text().strip()
        if name:
            self.asked.emit("add", name, "")
            self.new.clear()

    def _ask(self, deed: str, name: str) -> None:
        value, sure = "", True
        if deed == "rename":
            value, sure = QInputDialog.getText(
                self, "Rename", f"Name of {name}", text=name
            )
        elif deed == "recolour":
            now = next(c.colour for c in self._shown if c.name == name)
            color = QColorDialog.getColor(QColor(now), self, f"Colour of {name}")
            value, sure = color.name(), color.isValid()
        elif deed == "merge":
            others = [c.name for c in self._shown if c.name != name]
            value, sure = QInputDialog.getItem(
                self, "Merge", f"Count {name} as", others, 0, False
            )
        if sure:
            self.asked.emit(deed, name, value)


def _icon(color: str, number: int) -> QIcon:
    sign = CLASS_SYMBOLS[number % len(CLASS_SYMBOLS)]
    picture = QPixmap(2 * _EDGE, 2 * _EDGE)
    picture.fill(Qt.GlobalColor.transparent)
    painter = QPainter(picture)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    place = QRectF(4, 4, 2 * _EDGE - 8, 2 * _EDGE - 8)
    draw_sign(painter, place, _SHAPES.get(sign, sign), color, True)
    painter.end()
    return QIcon(picture)
