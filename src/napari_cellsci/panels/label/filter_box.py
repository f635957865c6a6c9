"""The cell filter in the Label panel: learn it, choose the threshold, apply it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtWidgets import QCheckBox, QDoubleSpinBox, QHBoxLayout, QVBoxLayout, QWidget
from superqt import QFlowLayout

from napari_cellsci.panels._choice import Choice, ChoiceBox
from napari_cellsci.panels._jobs import JobState
from napari_cellsci.panels._parts import (
    RunLine,
    WrapLabel,
    new_form,
    plain_button,
    whole_number,
)
from napari_cellsci.panels._theme import STEP, Theme
from napari_cellsci.panels.label.filter_service import FilterService
from napari_cellsci.panels.label.roc_view import SHADES, RocView
from napari_cellsci.panels.score.summary import NumberTable

if TYPE_CHECKING:
    from napari_cellsci.heads.usable.compare import MethodReport
    from napari_cellsci.viewer.session import Session

METHODS = (
    Choice("cnn", "CNN", "Two convolutions on the crops (Isaksson 2018)"),
    Choice("logistic", "logistic regression", "A weight for every pixel of a crop"),
    Choice("size", "size rule", "Sides and their ratio, of images or masks"),
)
COLUMNS = (
    ("filter", "How usable cells are told from junk"),
    (
        "right %",
        "Unseen tracks' cells told right at 0.5, mean ± sd of runs",
    ),
    ("junk %", "Junk let through at a threshold of 0.5, mean ± sd of the runs"),
)


class FilterBox(QWidget):
    """Which labelled class is junk, how well junk is told, and what is left out.

    Parameters
    ----------
    session : Session
    """

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._session = session
        self.service = session.service(FilterService)
        self._theme: Theme | None = None
        self._filling = False
        self.intro = WrapLabel(name="muted")
        self.junk = ChoiceBox("Class whose labelled cells are junk")
        self.method = ChoiceBox("The filter that is used; all are compared")
        self.method.offer([list(METHODS)], "cnn")
        form = new_form()
        form.addRow("Junk is", self.junk)
        form.addRow("Filter", self.method)
        self.run_line = RunLine("Compare", self.service.job, self.learn)
        self.table = NumberTable()
        self.curve = RocView()
        self.threshold = QDoubleSpinBox()
        self.threshold.setRange(0, 1)
        self.threshold.setSingleStep(0.01)
        self.threshold.setToolTip(
            "Cells with a smaller probability of being usable are filtered out. It "
            "begins where usable cells kept exceed junk let through by most"
        )
        self.said = WrapLabel()
        self.apply = plain_button("Filter out", "")
        self.back = plain_button("Take all back", "")
        self.only = QCheckBox("Train on usable cells only")
        self.only.setToolTip(
            "Encoders and heads pass over what is filtered out; their records say so"
        )
        self._lay_out(form)
        self.junk.chosen.connect(self._on_choice)
        self.method.chosen.connect(self._on_choice)
        self.threshold.valueChanged.connect(self._on_threshold)
        self.curve.chosen.connect(self.service.set_threshold)
        self.apply.clicked.connect(self.service.apply)
        self.back.clicked.connect(self.service.take_back)
        self.only.toggled.connect(self._on_only)

    def _lay_out(self, form: object) -> None:
        buttons = QFlowLayout()
        buttons.setHorizontalSpacing(STEP)
        buttons.setVerticalSpacing(STEP)
        buttons.addWidget(self.apply)
        buttons.addWidget(self.back)
        row = QHBoxLayout()
        row.setSpacing(STEP)
        self.threshold_words = WrapLabel("Threshold")
        row.addWidget(self.threshold_words, 1)
        row.addWidget(self.threshold)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(STEP)
        layout.addWidget(self.intro)
        layout.addLayout(form)  # type: ignore[arg-type]
        layout.addWidget(self.run_line)
        layout.addWidget(self.table)
        layout.addWidget(self.curve)
        layout.addLayout(row)
        layout.addWidget(self.said)
        layout.addLayout(buttons)
        layout.addWidget(self.only)

    def learn(self) -> None:
        """Compare filters and learn the chosen one."""
        self.service.learn(self.junk.currentData(), self.method.currentData())

    def refresh(self, theme: Theme) -> None:
        """Show how the filter stands."""
        self._theme = theme
        service, project = self.service, self._session.project
        if project is None:
            return
        self._filling = True
        self._fill_choices()
        learnt = service.learnt
        made = None if learnt is None else learnt.made
        self.curve.show_filter(made, service.threshold, theme)
        self.table.setVisible(made is not None)
        if made is not None:
            colors = [SHADES[report.method] for report in made.reports]
            self.table.fill(COLUMNS, [_row(r) for r in made.reports], colors)
        choosable = made is not None and made.method != "size"
        for widget in (self.threshold, self.threshold_words):
            widget.setVisible(choosable)
        self.threshold.setValue(service.threshold)
        self.only.setChecked(project.usable_only)
        self._tell()
        self._filling = False

    def _fill_choices(self) -> None:
        classes = self.service.classes
        why = "" if len(classes) > 1 else "Label some usable cells and some junk first"
        guess = self.junk.currentData() or (classes[-1] if classes else "")
        self.junk.offer([[Choice(name, name) for name in classes]], guess)
        self.run_line.allow(why)
        self.intro.setVisible(self.service.learnt is None)
        self.intro.setText(
            "Label some debris, dead or cut cells with a class of their own; the "
            "filter learns to tell them from the others."
        )

    def _tell(self) -> None:
        service, session = self.service, self._session
        out = int(session.left_out.sum())
        job, learnt = service.job, service.learnt
        parts = []
        if job.state is JobState.FAILED and job.failure is not None:
            parts.append(job.failure.message)
        if service.trouble:
            parts.append(service.trouble)
        if learnt is not None:
            report = learnt.made.report
            if report is not None:
                at = report.curve.at(service.threshold)
                parts.append(
                    f"Lets {at['false_positives']:.0%} of junk and "
                    f"{at['true_positives']:.0%} of usable cells through."
                )
            parts.append(
                f"{whole_number(service.would_leave_out)} of "
                f"{whole_number(session.n_cells)} cells are below it."
            )
        parts.append(
            f"{whole_number(out)} cells are filtered out now: see them in the gallery "
            "(▽, filtered out)."
            if out
            else "No cell is filtered out."
        )
        self.said.setText(" ".join(parts))
        self.apply.setEnabled(learnt is not None)
        tip = "Filter out the cells below the threshold; undo takes it back"
        self.apply.setToolTip(tip if learnt is not None else "Compare filters first")
        self.back.setEnabled(bool(out))
        self.back.setToolTip(
            "Let all cells count again" if out else "No cell is filtered out"
        )

    def on_job(self) -> None:
        """Follow the work."""
        self.run_line.refresh()
        if not self.service.job.state.busy and self._theme is not None:
            self.refresh(self._theme)

    def _on_choice(self, _: str) -> None:
        if self._theme is not None:
            self.refresh(self._theme)

    def _on_threshold(self, value: float) -> None:
        if not self._filling:
            self.service.set_threshold(value)

    def _on_only(self, wanted: bool) -> None:
        if not self._filling:
            self.service.train_on_usable(wanted)


def _row(report: MethodReport) -> list[str]:
    title = next(c.title for c in METHODS if c.key == report.method)
    at = report.curve.at(0.5)
    accuracy, sd = report.accuracy.mean(), report.accuracy.std()
    return [
        title,
        f"{100 * accuracy:.1f} ± {100 * sd:.1f}",
        f"{100 * at['false_positives']:.0f} ± {100 * at['false_positives_sd']:.0f}",
    ]
