"""Many cells attacked and put back into the movie."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QListWidget, QListWidgetItem

from napari_cellsci.panels._parts import RunLine, WrapLabel, new_form
from napari_cellsci.panels.robustness.boxes import Folded, narrow_box
from napari_cellsci.viewer.readout import placed

if TYPE_CHECKING:
    from napari_cellsci.panels.robustness.service import RobustnessService
    from napari_cellsci.viewer.session import Session

CELLS = {
    "selected": "Selected cells",
    "track": "Its track",
    "labelled": "All labelled cells",
    "all": "All cells",
}
SCORES = {
    "after": "of the attacked crops",
    "recut": "of crops cut from the attacked movie",
    "before": "before the attack",
}
MOST_FLIPS = 200
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
        self.cells = narrow_box("Which cells are attacked", CELLS)
        self.cells.setCurrentIndex(3)
        self.scores = narrow_box("Which scores colour the movie", SCORES)
        form = new_form()
        form.addRow("Cells", self.cells)
        form.addRow("Scores", self.scores)
        self.column.addLayout(form)
        self.line = RunLine("Attack", service.movie_job, self.asked.emit)
        self.said = WrapLabel(name="muted")
        self.flips = QListWidget()
        self.flips.setObjectName("plain")
        self.flips.setFixedHeight(128)
        self.flips.setToolTip("Cells that changed their class: click to go there")
        for part in (self.line, self.said, self.flips):
            self.column.addWidget(part)
        self.scores.activated.connect(self._on_scores)
        self.cells.activated.connect(self.refresh)
        self.flips.itemClicked.connect(self._go)
        self.flips.itemActivated.connect(self._go)

    def refresh(self) -> None:
        """Show how many changed their class, and who."""
        self.line.refresh()
        needs = self.cells.currentData() in ("selected", "track")
        missing = needs and self._session.current is None
        self.line.allow("Select a cell first." if missing else "")
        blended = self._service.blended
        self.flips.setVisible(blended is not None)
        self.scores.setEnabled(blended is not None)
        if blended is None:
            self.said.setText(_INTRODUCTION)
        if blended is self._shown:
            return
        self._shown = blended
        self.flips.clear()
        self.scores.setCurrentIndex(0)
        if blended is None:
            return
        table, summary = blended.attacked.table, blended.attacked.summary()
        recut = blended.recut.table.loc[table.index, "prediction"]
        still = int((recut != table["prediction_before"]).sum())
        self.said.setText(
            f"{summary['flipped']} of {len(table)} cells change their class; {still} "
            "do when they are cut again from the attacked movie, where crops overlap "
            "and pixels are those of the camera." + _odd(summary["gradients"])
        )
        for row, one in blended.attacked.flips.iloc[:MOST_FLIPS].iterrows():
            before, after = one["prediction_before"], one["prediction_after"]
            item = QListWidgetItem(
                f"{', '.join(placed(self._session, int(row)))}: {before} "
                f"{one['score_before']:+.1f} → {after} {one['score_after']:+.1f}"
            )
            item.setData(Qt.ItemDataRole.UserRole, int(row))
            self.flips.addItem(item)

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
        shown = session.shown
        if shown is None or table is None or len(table.movies) == 1:
            return "all"
        return [int(one) for one in shown.rows]

    def _on_scores(self) -> None:
        self._service.show_scores(str(self.scores.currentData()))

    def _go(self, item: QListWidgetItem) -> None:
        self._session.select(int(item.data(Qt.ItemDataRole.UserRole)), go=True)


def _odd(gradients: dict[str, int]) -> str:
    told = [f"{n} {name}" for name, n in gradients.items() if name != "ok" and n]
    return f" Gradients: {', '.join(told)}." if told else ""
