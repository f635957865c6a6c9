"""Whose score is attacked, and how: the choices at the top of the panel."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QListWidget, QListWidgetItem, QVBoxLayout, QWidget

from napari_cellsci.panels._parts import new_form
from napari_cellsci.panels._theme import STEP
from napari_cellsci.panels.robustness.boxes import enable, fill, narrow_box
from napari_cellsci.panels.robustness.desk import Choice

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_cellsci.panels._source import SourceOffer
    from napari_cellsci.panels.robustness.service import Opened

KINDS = {
    "fgsm": ("One step (FGSM)", 1),
    "pgd": ("Ten steps (PGD)", 10),
}
WHAT = {
    "image": "the picture",
    "latent": "its latents",
    "morphology": "latents of shape only",
    "around": "latents of position and neighbours",
    "chosen": "latents I choose",
}
MASKS = {
    "latent": ("morphology", "position", "neighbourhood"),
    "morphology": ("morphology",),
    "around": ("position", "neighbourhood"),
}
"""Categories of latents that move."""


class LatentPicker(QListWidget):
    """Active latents with ticks: those that may move.

    Signals
    -------
    ticked : ()
        Others may move now.
    """

    ticked = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("plain")
        self.setFixedHeight(104)
        self.setToolTip("Tick the latents that may move")
        self.setAccessibleName("Latents that may move")
        self.itemChanged.connect(self._on_item)

    def offer(self, latents: Sequence[tuple[int, str]]) -> None:
        """Offer latents by number and name; those ticked before stay so."""
        shown = [self.item(i) for i in range(self.count())]
        role = Qt.ItemDataRole.UserRole
        if [(one.data(role), one.text()) for one in shown] == list(latents):
            return
        ticked = set(self.chosen)
        self.blockSignals(True)
        self.clear()
        for number, name in latents:
            item = QListWidgetItem(name)
            item.setData(role, number)
            state = Qt.CheckState
            item.setCheckState(state.Checked if number in ticked else state.Unchecked)
            self.addItem(item)
        self.blockSignals(False)

    @property
    def chosen(self) -> tuple[int, ...]:
        """Numbers of the latents that are ticked."""
        items = [self.item(i) for i in range(self.count())]
        return tuple(
            int(one.data(Qt.ItemDataRole.UserRole))
            for one in items
            if one.checkState() == Qt.CheckState.Checked
        )

    def _on_item(self, item: QListWidgetItem) -> None:
        self.ticked.emit()


class AttackForm(QWidget):
    """Classifier, model, what changes, by which attack, and where to.

    Signals
    -------
    asked : str
        Another classifier is wanted.
    changed : ()
        Another attack is wanted.
    """

    asked = Signal(str)
    changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self._opened: Opened | None = None
        self.model = narrow_box("Whose score is attacked")
        self.member = narrow_box("One of its models, or the mean of all")
        self.what = narrow_box("What is changed", WHAT)
        self.kind = narrow_box(
            "One step along the sign of the gradient, or several: a stronger check",
            {key: words for key, (words, _) in KINDS.items()},
        )
        self.way = narrow_box("Where the cell is led to")
        self.picker = LatentPicker()
        form = new_form()
        for words, box in (
            ("Classifier", self.model),
            ("Model", self.member),
            ("Change", self.what),
            ("Attack", self.kind),
            ("Direction", self.way),
        ):
            form.addRow(words, box)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(STEP)
        column.addLayout(form)
        column.addWidget(self.picker)
        self.picker.hide()
        self.model.activated.connect(self._on_model)
        for box in (self.member, self.what, self.kind, self.way):
            box.activated.connect(self._on_choice)
        self.picker.ticked.connect(self.changed)

    def offer(
        self,
        offers: Sequence[SourceOffer],
        source: str | None,
        opened: Opened | None,
    ) -> None:
        """Offer classifiers, and of the opened one what can be chosen."""
        self._opened = opened
        fill(self.model, [(offer.title, offer.source) for offer in offers])
        for i, offer in enumerate(offers):
            self.model.setItemData(i, offer.tip, Qt.ItemDataRole.ToolTipRole)
        self.model.setCurrentIndex(self.model.findData(source))
        if opened is None:
            return
        n = opened.bundle.n_members
        members = [(f"Mean of {n}", None), *((f"Model {k}", k) for k in range(n))]
        fill(self.member, members if n > 1 else [("The only one", None)])
        ways: list[tuple[str, Any]] = [("Away from what it is", None)]
        ways += [(f"Towards {name}", i) for i, name in enumerate(opened.bundle.classes)]
        fill(self.way, ways)
        for i, key in enumerate(WHAT):
            enable(self.what, i, self._why_not(key))
        if self._why_not(self._key):
            self.what.setCurrentIndex(0)
        self.picker.offer(self._active())
        self.picker.setVisible(self._key == "chosen")

    def _why_not(self, key: str) -> str:
        """Say why something cannot be changed, "" if it can."""
        opened = self._opened
        if key == "image" or opened is None:
            return ""
        if opened.bundle.heads.input == "crops":
            return "These models read pictures, not latents"
        if opened.atlas is None:
            return "What the latents mean is being found out"
        if key == "around" and not self._latents(*MASKS["around"]):
            return "No latent of this encoder tells of position or neighbours"
        if key == "chosen" and not self._active():
            return "No latent of this encoder carries anything"
        if key == "morphology" and not self._latents(*MASKS["morphology"]):
            return "No latent of this encoder tells of shape"
        return ""

    def _latents(self, *categories: str) -> tuple[int, ...]:
        opened = self._opened
        if opened is None or opened.atlas is None or opened.bundle.encoder is None:
            return ()
        atlas, length = opened.atlas, opened.bundle.encoder.config.latent
        return tuple(d for d in range(length) if atlas[d].category in categories)

    def _active(self) -> list[tuple[int, str]]:
        atlas = None if self._opened is None else self._opened.atlas
        if atlas is None:
            return []
        return [(info.index, info.label) for info in atlas if info.active]

    @property
    def _key(self) -> str:
        return str(self.what.currentData() or "image")

    @property
    def several_steps(self) -> bool:
        """Whether the attack takes more than one step."""
        return bool(self.kind.currentData() == "pgd")

    @property
    def choice(self) -> Choice:
        """How a cell is attacked."""
        what = self._key
        chosen = what == "chosen"
        mask = self.picker.chosen if chosen else self._latents(*MASKS.get(what, ()))
        return Choice(
            member=self.member.currentData(),
            space="image" if what == "image" else "latent",
            steps=KINDS[self.kind.currentData() or "fgsm"][1],
            mask=None if what == "image" else mask,
            towards=self.way.currentData(),
        )

    @property
    def missing(self) -> str:
        """What is still to be chosen, "" if nothing."""
        if self._key == "chosen" and not self.picker.chosen:
            return "Tick the latents that may move."
        return ""

    def _on_model(self) -> None:
        source = self.model.currentData()
        if source is not None:
            self.asked.emit(str(source))

    def _on_choice(self) -> None:
        self.picker.setVisible(self._key == "chosen")
        self.changed.emit()
