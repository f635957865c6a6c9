"""Searching for formulas: what to look for, by which engine, and how far it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtWidgets import QCheckBox, QLineEdit, QSpinBox, QVBoxLayout, QWidget

from napari_cellsci.panels._choice import Choice, ChoiceBox
from napari_cellsci.panels._parts import RunLine, WrapLabel, new_form
from napari_cellsci.panels._theme import STEP
from napari_cellsci.panels.expressions.search import Asked, SearchService

if TYPE_CHECKING:
    from napari_cellsci.formulas.engines import Status

NESTED = "nested"
ENGINES = (
    Choice("auto", "automatic", "PySR where its Julia is ready, else the built-in one"),
    Choice("builtin", "built-in", "Always there; repeats exactly for a seed"),
    Choice("pysr", "PySR", "The paper's engine; needs Julia"),
)
OPERATORS = (
    Choice("plain", "plain: + − × ÷ x² |x|", "Easier to read"),
    Choice("paper", "all ten of the paper", "Also exp, log, sin and √"),
    Choice(
        NESTED, "all ten, nested", "Also sin and exp within sin and exp: hard to read"
    ),
)
LOSSES = (
    Choice("hinge", "labels (hinge)", "Tell the labelled classes apart"),
    Choice("logistic", "labels (logistic)", "The same, gentler on doubtful labels"),
    Choice("mse", "scores of the network", "Follow the classifier chosen above"),
)


class SearchBox(QWidget):
    """Settings of a search and its run line."""

    def __init__(self, service: SearchService) -> None:
        super().__init__()
        self._service = service
        self.engine = ChoiceBox("Who searches")
        self.operators = ChoiceBox("What formulas may be made of")
        self.loss = ChoiceBox("What formulas are to fit")
        for box, offers in (
            (self.engine, ENGINES),
            (self.operators, OPERATORS),
            (self.loss, LOSSES),
        ):
            box.offer([offers], offers[0].key)
        self.inputs = QLineEdit()
        self.inputs.setPlaceholderText("those the sparse heads read")
        self.inputs.setToolTip(
            "Latents formulas may read, for example z3, z17; empty for those that half "
            "of the sparse heads read"
        )
        self.runs, self.size = QSpinBox(), QSpinBox()
        self.runs.setRange(1, 50)
        self.runs.setValue(5)
        self.runs.setToolTip("Searches; each leaves other tracks out and finds one")
        self.size.setRange(7, 60)
        self.size.setValue(20)
        self.size.setToolTip("Largest size; sin counts 3, exp and log 2")
        self.status = WrapLabel(name="muted")
        self.julia = QCheckBox("Fetch Julia now (some 500 MB, once)")
        self.run_line = RunLine("Search", service.job, self.search)
        self._lay_out()
        self.engine.chosen.connect(self._on_engine)
        self.julia.toggled.connect(self._on_engine)
        self._on_engine()

    def _lay_out(self) -> None:
        form = new_form()
        form.addRow("Fit", self.loss)
        form.addRow("Operators", self.operators)
        form.addRow("Latents", self.inputs)
        form.addRow("Runs", self.runs)
        form.addRow("Largest size", self.size)
        form.addRow("Engine", self.engine)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(STEP)
        layout.addLayout(form)
        for widget in (self.status, self.julia, self.run_line):
            layout.addWidget(widget)

    def _on_engine(self, *_: object) -> None:
        status = self._service.pysr()
        engine = self.engine.currentData()
        self.status.setText(_said(engine, status))
        self.status.setVisible(bool(self.status.text()))
        needs = engine == "pysr" and status.state == "needs_julia"
        self.julia.setVisible(needs)
        missing = engine == "pysr" and not status.ready
        agreed = needs and self.julia.isChecked()
        self.run_line.allow("PySR is not ready." if missing and not agreed else "")

    def asked(self) -> Asked:
        """Return what is set."""
        operators = self.operators.currentData()
        words = self.inputs.text().replace(",", " ").split()
        return Asked(
            engine=self.engine.currentData(),
            operators="paper" if operators == NESTED else operators,
            nested=operators == NESTED,
            loss=self.loss.currentData(),
            inputs=tuple(words),
            runs=self.runs.value(),
            maxsize=self.size.value(),
            fetch_julia=self.julia.isVisible() and self.julia.isChecked(),
        )

    def search(self) -> None:
        """Search with these settings."""
        self._service.search(self.asked())

    def refresh(self) -> None:
        """Show how the search stands."""
        self.run_line.refresh()
        job = self._service.job
        if job.failure is not None:
            self.status.setText(job.failure.message)
            self.status.show()
        elif self._service.said:
            self.status.setText(self._service.said)
            self.status.show()


def _said(engine: str, status: Status) -> str:
    if engine == "builtin":
        return ""
    if engine == "auto" and not status.ready:
        return "The built-in engine will search: PySR's Julia is not installed."
    return status.message
