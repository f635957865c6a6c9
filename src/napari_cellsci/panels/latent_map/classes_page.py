"""The *Classes* page of the map: how the classes lie along each latent."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from qtpy.QtCore import Qt, QTimer, Signal
from qtpy.QtGui import QShowEvent
from qtpy.QtWidgets import QHBoxLayout, QLabel, QVBoxLayout, QWidget

from napari_cellsci.panels._choice import Choice, ChoiceBox
from napari_cellsci.panels._parts import WrapLabel, whole_number
from napari_cellsci.panels._theme import STEP, Theme
from napari_cellsci.panels.latent_map.classes_view import ClassesList
from napari_cellsci.panels.latent_map.service import MapService
from napari_cellsci.panels.latents.service import Code

if TYPE_CHECKING:
    from napari_cellsci.viewer.session import Session

SETTLE_MS = 250
"""The classes are compared when nothing was labelled for so long."""


class ClassesPage(QWidget):
    """A choice of classes, and the latents ranked by how well they part them.

    Parameters
    ----------
    session : Session

    Signals
    -------
    chosen : (int, str)
        A latent is to be put on the axis "x" or "y".
    """

    chosen = Signal(int, str)

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._session = session
        self._service = session.service(MapService)
        self._code: Code | None = None
        self.by_box = ChoiceBox("Which classes are compared")
        self.note = WrapLabel(name="muted")
        self.note.setTextFormat(Qt.TextFormat.RichText)
        self.list = ClassesList()
        row = QHBoxLayout()
        row.setSpacing(STEP)
        row.addWidget(QLabel("Classes by"))
        row.addWidget(self.by_box, 1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(STEP)
        layout.addLayout(row)
        layout.addWidget(self.note)
        layout.addWidget(self.list, 1)
        self._settle = QTimer(self)
        self._settle.setSingleShot(True)
        self._settle.setInterval(SETTLE_MS)
        self._settle.timeout.connect(self._compare)
        self.by_box.chosen.connect(self._on_by)
        self.list.chosen.connect(self.chosen)

    def set_theme(self, theme: Theme) -> None:
        """Take over the theme's colours."""
        self.list.painter.theme = theme
        self.list.viewport().update()

    def show_code(self, code: Code | None) -> None:
        """Show how the classes lie along the latents of a code."""
        self._code = code
        if code is None:
            self.list.classes.show(None, None)
            return
        scored = self._session.scores is not None
        why_not = "" if scored else "Score the cells first"
        offered = [
            Choice("prediction", "prediction", "The predicted class", why_not),
            Choice("label", "label", "What a person said the cell is"),
            Choice("movie", "movie", "The movie the cell is from"),
        ]
        usual = self._service.choice.classes_by
        by = "label" if usual == "prediction" and not scored else usual
        self.by_box.offer([offered], by)
        self.list.mark_axes(*self._service.axes)
        self.refresh()

    def refresh(self) -> None:
        """Show the statistics there are, and bring them up to date in a moment."""
        if self._code is not None:
            self.list.classes.show(self._code, self._service.statistics)
            self.note.setText(self._in_words())
            self._settle.start()

    def showEvent(self, event: QShowEvent) -> None:
        """Compare the classes when someone looks."""
        super().showEvent(event)
        self._settle.start()

    def stop(self) -> None:
        """Wait for nothing any more."""
        self._settle.stop()

    def _compare(self) -> None:
        if self.isVisible():
            self._service.compare()

    def _on_by(self, key: str) -> None:
        self._service.choose(classes_by=key)
        self._service.forget_classes()

    def _in_words(self) -> str:
        found = self._service.statistics
        if found is None:
            return "Comparing the classes…"
        classes = found.classes
        parts = zip(found.densities.counts, classes.names, classes.colors, strict=True)
        counts = [
            f'<span style="color:{color}">●</span>&nbsp;'
            f"{whole_number(int(n))} {escape(name)}"
            for n, name, color in parts
            if n
        ]
        if len(counts) < 2:
            what = "Label cells of two classes" if not counts else f"Only {counts[0]}"
            return f"{what}: two classes are needed to compare them."
        return f"{', '.join(counts)}. AUROC and density of each latent, best first."
