"""How one works: going on, learning, what is shown, and in whose name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QCheckBox, QLineEdit, QVBoxLayout, QWidget

from napari_cellsci.labels.who import remember_annotator
from napari_cellsci.panels._parts import WrapLabel, new_form
from napari_cellsci.panels.label.service import HANDFUL, LabelService
from napari_cellsci.viewer.label_layer import LabelLayer

if TYPE_CHECKING:
    from napari_cellsci.viewer.session import Session


class WaysBox(QWidget):
    """Switches that stay as they are until they are changed.

    Parameters
    ----------
    session : Session
    """

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._session = session
        self._service = session.service(LabelService)
        self._layer = session.service(LabelLayer)
        self.advances = _check("Go on after a label", "To the next cell in the queue")
        self.learns = _check(
            f"Learn after every {HANDFUL} labels",
            "Heads are trained in the background; scores and queue follow",
        )
        self.follow = _check(
            "Show what was learnt as scores",
            "Otherwise the scores stay those of the classifier chosen in Score",
        )
        self.as_layer = _check(
            "Labels as a layer", "A layer of its own with who labelled, when and how"
        )
        self.smoothing = _check(
            "Smoothed scores in Cell, dotted",
            "An average in time, for show: labels and scores stay, and no metaphase of "
            "a single frame is smoothed away",
        )
        self.camera = _check("Camera follows", "Move the view when a cell is off it")
        self.who = QLineEdit()
        self.who.setToolTip(
            "In whose name you label, here and in other projects; undo takes back only "
            "these"
        )
        self.agreement = WrapLabel(name="muted")
        form = new_form()
        for box in self.boxes:
            form.addRow(box)
            box.toggled.connect(self._take)
        form.addRow("Annotator", self.who)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addLayout(form)
        layout.addWidget(self.agreement)
        self.who.editingFinished.connect(self._take_name)

    @property
    def boxes(self) -> tuple[QCheckBox, ...]:
        """All switches."""
        return (
            *(self.advances, self.learns, self.follow),
            *(self.as_layer, self.smoothing, self.camera),
        )

    def refresh(self, *_: object) -> None:
        """Show how things are set now, and how far annotators agree."""
        session, service = self._session, self._service
        now = (
            *(service.advances, service.learns, service.scores_follow),
            *(self._layer.shown, session.display.smoothed, session.follow_camera),
        )
        for box, value in zip(self.boxes, now, strict=True):
            box.blockSignals(True)
            box.setChecked(value)
            box.blockSignals(False)
        if session.project is None:
            return
        labels = session.project.labels
        if not self.who.hasFocus():
            self.who.setText(labels.who)
        # Every label brings this up to date: what is folded away can wait.
        said = self._agreements() if self.isVisible() else []
        self.agreement.setText("\n".join(said))
        self.agreement.setVisible(bool(said))

    def _agreements(self) -> list[str]:
        """Return how far this annotator agrees with others, a sentence each."""
        project = self._session.project
        people = () if project is None else project.labels.annotators
        if project is None or project.labels.who not in people:
            return []
        labels = project.labels
        others = [who for who in people if who != labels.who]
        return [labels.agreement(labels.who, other).sentence for other in others[:3]]

    def _take(self, _: bool) -> None:
        session, service = self._session, self._service
        service.advances = self.advances.isChecked()
        service.learns = self.learns.isChecked()
        service.scores_follow = self.follow.isChecked()
        session.follow_camera = self.camera.isChecked()
        session.show(smoothed=self.smoothing.isChecked())
        if self.as_layer.isChecked() != self._layer.shown:
            self._layer.show(self.as_layer.isChecked())

    def _take_name(self) -> None:
        project, name = self._session.project, self.who.text().strip()
        if project is not None and name and name != project.labels.who:
            project.labels.who = name
            self._service.edit(remember_annotator, name)
            self._service.changed.emit()


def _check(words: str, tip: str) -> QCheckBox:
    box = QCheckBox(words)
    box.setToolTip(tip)
    box.setFocusPolicy(Qt.FocusPolicy.NoFocus)
    return box
