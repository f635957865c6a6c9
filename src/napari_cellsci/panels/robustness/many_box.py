"""Many cells attacked and put back into the movie."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QCheckBox, QListWidget, QListWidgetItem

from napari_cellsci.panels._parts import RunLine, WrapLabel, new_form
from napari_cellsci.panels.robustness.boxes import Folded, narrow_box
from napari_cellsci.viewer.readout import placed

if TYPE_CHECKING:
    from napari_cellsci.panels.robustness.service import Blended, RobustnessService
    from napari_cellsci.project.attacking import Attacked
    from napari_cellsci.viewer.session import Session

CELLS = {
    "selected": "Selected cells",
    "track": "Its track",
    "labelled": "All labelled cells",
    "all": "All cells",
}
"""Which cells; before the last, one choice for every class that has labels."""
SCORES = {
    "after": "of the attacked crops",
    "recut": "of crops cut from the attacked movie",
    "before": "before the attack",
}
MOST_FLIPS = 2000
_INTRODUCTION = (
    "Attacks cells with the ε above and puts what was added back into the movie, as "
    "layers; the scores follow."
)


class ManyBox(Folded):
    """Which cells, how they were, and who changed their mind.

    Signals
    -------
    asked : ()
        The cells are to be attacked.
    """

    asked = Signal()

    def __init__(self, session: Session, service: RobustnessService) -> None:
        super().__init__("Many cells, back in the movie")
        self._session, self._service = session, service
        self._shown: object = None
        self.missing = ""
        self.cells = narrow_box("Which cells are attacked", CELLS)
        self.cells.setCurrentIndex(self.cells.count() - 1)
        self.enough = QCheckBox("Each by its own smallest ε")
        self.enough.setToolTip(
            "Not by the ε above: by just enough to change the class of each cell"
        )
        self.scores = narrow_box("Which scores colour the movie", SCORES)
        form = new_form()
        form.addRow("Cells", self.cells)
        form.addRow("Scores", self.scores)
        self.column.addLayout(form)
        self.line = RunLine("Attack", service.movie_job, self.asked.emit)
        self.said = WrapLabel(name="muted")
        self.shown_at = WrapLabel(name="muted")
        self.flips = QListWidget()
        self.flips.setObjectName("plain")
        self.flips.setFixedHeight(128)
        self.flips.setUniformItemSizes(True)
        self.flips.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.flips.setToolTip("Cells that changed their class: click to go there")
        for part in (self.enough, self.line, self.said, self.shown_at, self.flips):
            self.column.addWidget(part)
        self.scores.activated.connect(self._on_scores)
        self.cells.activated.connect(self.refresh)
        self.flips.itemClicked.connect(self._go)
        self.flips.itemActivated.connect(self._go)

    @property
    def just_enough(self) -> bool:
        """Whether each cell is attacked by the smallest ε that is enough."""
        return bool(self.enough.isChecked())

    def refresh(self) -> None:
        """Show how many changed their class, and who."""
        self._offer_classes()
        self.line.refresh()
        needs = self.cells.currentData() in ("selected", "track")
        alone = needs and self._session.current is None
        self.line.allow(self.missing or ("Select a cell first." if alone else ""))
        blended = self._service.blended
        self.flips.setVisible(blended is not None)
        self.scores.setEnabled(blended is not None)
        if blended is None:
            self.said.setText(_INTRODUCTION)
            self.shown_at.hide()
        if blended is self._shown:
            return
        self._shown = blended
        self.flips.clear()
        self.scores.setCurrentIndex(0)
        if blended is not None:
            self.shown_at.hide()
            self.said.setText(in_words(blended))
            self._list_flips(blended.attacked)

    def tell_shown(self, epsilon: float) -> None:
        """Say by which ε the movie is shown, where its scores are of another one."""
        blended = self._service.blended
        if blended is None:
            return
        scored = blended.attacked.plan.size
        other = abs(epsilon - scored) > 5e-4
        self.shown_at.setVisible(other)
        self.shown_at.setText(
            f"The movie shows ε = {epsilon:.3g}; scores and list are of {scored:.3g}. "
            "Attack again to bring them along."
        )

    def _offer_classes(self) -> None:
        """Offer every class that some cells are labelled as, before all cells."""
        project = self._session.project
        counts = {} if project is None else project.labels.counts()
        items = list(CELLS.items())
        named = [
            (f"class {name}", f"Labelled {name} ({n:,})")
            for name, n in counts.items()
            if n
        ]
        wanted = [*items[:-1], *named, items[-1]]
        chosen = self.cells.currentData()
        known = [self.cells.itemData(i) for i in range(self.cells.count())]
        if known == [key for key, _ in wanted]:
            for i, (_, words) in enumerate(wanted):
                self.cells.setItemText(i, words)
            return
        self.cells.clear()
        for key, words in wanted:
            self.cells.addItem(words, key)
        place = self.cells.findData(chosen)
        self.cells.setCurrentIndex(place if place >= 0 else len(wanted) - 1)

    def _list_flips(self, attacked: Attacked) -> None:
        table = attacked.flips
        for row, one in table.iloc[:MOST_FLIPS].iterrows():
            before, after = one["prediction_before"], one["prediction_after"]
            where = ", ".join(placed(self._session, int(row)))
            scores = f"{one['score_before']:+.1f} → {one['score_after']:+.1f}"
            reach = f"ε = {one['epsilon']:.2g}"
            first = reach if attacked.plan.minimal else scores
            item = QListWidgetItem(f"{first}: {where}, {after}")
            item.setToolTip(
                f"{where}: {before} becomes {after} at {reach}, score {scores}"
            )
            item.setData(Qt.ItemDataRole.UserRole, int(row))
            self.flips.addItem(item)
        if len(table) > MOST_FLIPS:
            more = QListWidgetItem(f"and {len(table) - MOST_FLIPS:,} more")
            more.setFlags(Qt.ItemFlag.NoItemFlags)
            self.flips.addItem(more)

    def chosen(self) -> Any:
        """Return the cells as `Project.attack` takes them."""
        key, session = self.cells.currentData(), self._session
        table, row = session.table, session.current
        if key == "selected" and row is not None:
            return np.union1d(session.selected, [row]).astype(int).tolist()
        if key == "track" and row is not None and table is not None:
            return [int(one) for one in table.rows_of_track(row)]
        if key == "labelled":
            return "labelled"
        if str(key).startswith("class "):
            return str(key).removeprefix("class ")
        shown = session.shown
        if shown is None or table is None or len(table.movies) == 1:
            return "all"
        return [int(one) for one in shown.rows]

    def _on_scores(self) -> None:
        self._service.show_scores(str(self.scores.currentData()))

    def _go(self, item: QListWidgetItem) -> None:
        row = item.data(Qt.ItemDataRole.UserRole)
        if row is not None:
            self._session.select(int(row), go=True)


def in_words(blended: Blended) -> str:
    """Say how many cells changed, by how much where each had its own ε, and where."""
    attacked = blended.attacked
    table, summary = attacked.table, attacked.summary()
    recut = blended.recut.table.loc[table.index, "prediction"]
    still = int((recut != table["prediction_before"]).sum())
    changed = f"{summary['flipped']:,} of {len(table):,} cells change their class"
    again = "cut again from the attacked movie, where crops overlap and pixels are"
    said = [f"{changed}; {still:,} do when they are {again} those of the camera."]
    said += [f"{group.in_words()}." for group in attacked.smallest()]
    if summary["energy_on_cell"] is not None:
        said.append(
            f"{summary['energy_on_cell']:.0%} of what moves the score lies on the "
            f"cell, which takes up {summary['area_of_cell']:.0%} of the crop (medians)."
        )
    if odd := attacked.oddities_in_words():
        said.append(odd)
    return "\n".join(said)
