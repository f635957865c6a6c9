"""The *Compare* panel."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtCore import QPointF, QSize, Qt
from qtpy.QtGui import QColor, QIcon, QPainter, QPixmap
from qtpy.QtWidgets import (
    QCheckBox,
    QComboBox,
    QHBoxLayout,
    QLabel,
    QVBoxLayout,
    QWidget,
)

from napari_cellsci.disk import whole_file
from napari_cellsci.figures.comparison import (
    ACCURACIES,
    SIZES,
    Gathered,
    Model,
    consensus,
    save_comparison,
    shade,
    table,
)
from napari_cellsci.panels._base import PanelBase
from napari_cellsci.panels._jobs import JobState
from napari_cellsci.panels._parts import RunLine, WrapLabel, heading, new_form
from napari_cellsci.panels._scroll import keep_scroll_bar
from napari_cellsci.panels._theme import STEP, readable
from napari_cellsci.panels.compare.consensus import ConsensusBars
from napari_cellsci.panels.compare.plot import ModelPlot, paint_marker
from napari_cellsci.panels.compare.service import CompareService
from napari_cellsci.panels.network.multiples import Multiples, Stamp
from napari_cellsci.panels.score.service import ScoreService
from napari_cellsci.panels.score.summary import NumberTable

if TYPE_CHECKING:
    import napari.viewer

TIPS = {
    "classifier": "Its name in the project",
    "scheme": "1: CNN on crops; 2: dense, 3: sparse, 4: formula on latents",
    "encoder": "What makes the latents",
    "head": "What reads them",
    "weights": "Connections that are there; biases not counted",
    "size": "Nodes of the expression it stands for, 8M + 1 a neuron as in the paper",
    "size (tree)": "The same, 8M + 8 a neuron: the nodes of its tree",
    "latents": "Latents a head reads",
    "accuracy %": "Of the single heads on tracks they were not trained on",
    "balanced %": "The same, all classes weighing alike",
}


COLUMNS = (
    *("classifier", "scheme", "model", "accuracy", "balanced_accuracy"),
    *("active_weights", "expression_size", "expression_size_tree", "latents"),
)
"""Of the exported table."""
MOST_FORMULAS = 5
"""Formulas of one classifier that are written out."""


class CompareGroup(QWidget):
    """The drawings of all models of one classifier, under its name."""

    def __init__(self, panel: ComparePanel, models: list[Model], name: str) -> None:
        super().__init__()
        self.models = models
        self._panel = panel
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(STEP)
        row = QHBoxLayout()
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(STEP)
        self.sign = QLabel()
        self.sign.setPixmap(marker_icon(models[0]).pixmap(12, 12))
        row.addWidget(self.sign)
        row.addWidget(WrapLabel(name), 1)
        layout.addLayout(row)
        self.stamps = Multiples(panel.theme)
        drawn = [model for model in models if model.layout is not None]
        if drawn:
            self.stamps.show_stamps(
                [Stamp(m.layout, _tip(m)) for m in drawn if m.layout is not None]
            )
            layout.addWidget(self.stamps)
            self.stamps.picked.connect(self._on_picked)
        else:
            layout.addWidget(WrapLabel(_undrawn(models), "muted"))

    def _on_picked(self, member: int) -> None:
        self._panel.use(self.models[member])

    def show_active(self, active: tuple[str, int | None] | None) -> None:
        """Frame the model whose scores are shown."""
        mine = active is not None and active[0] == self.models[0].bundle
        member = active[1] if mine and active is not None else None
        self.stamps.show_chosen(-1 if member is None else member, member)


def _undrawn(models: list[Model]) -> str:
    """Say what there is to read of models that are not drawn as networks."""
    formulas = [model.formula for model in models if model.formula is not None]
    if not formulas:
        return "Heads on crops have no drawing."
    few = [f"{model.member}: {model.formula}" for model in models[:MOST_FORMULAS]]
    if len(formulas) > MOST_FORMULAS:
        few.append(f"and {len(formulas) - MOST_FORMULAS} more, in Expressions")
    return "\n".join(few)


class ComparePanel(PanelBase):
    """The set of good models: accuracy against size, drawings, table, consensus."""

    title = "Compare"
    data_filter = "CSV (*.csv)"
    figure_filter = "SVG (*.svg);;PDF (*.pdf);;PNG (*.png)"

    def __init__(self, viewer: napari.viewer.Viewer) -> None:
        super().__init__(viewer)
        keep_scroll_bar(self)
        self.service = self.session.service(CompareService)
        self._shown: object = ()
        self.groups: list[CompareGroup] = []
        self._build_plot()
        self._build_rest()
        self.run_line = RunLine("Compare", self.service.job, self.compare)
        self.foot.addWidget(self.run_line)
        session = self.session
        for signal in (session.project_changed, session.scores_changed):
            self._on(signal, self.mark_dirty)
        scoring = session.service(ScoreService)
        self._on(scoring.offers_changed, self.mark_dirty)
        self._on(scoring.job.changed, self._on_scoring)
        self._on(self.service.changed, self.mark_dirty)
        self._on(self.service.job.changed, self._on_job)
        self.refresh()

    def _build_plot(self) -> None:
        self.plot = ModelPlot(self.theme)
        self.body.addWidget(self.plot)
        self.size_box, self.rate_box = QComboBox(), QComboBox()
        for box, words in ((self.size_box, SIZES), (self.rate_box, ACCURACIES)):
            box.setMinimumWidth(1)
            box.setSizeAdjustPolicy(
                QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
            )
            box.setMinimumContentsLength(8)
            for key, text in words.items():
                box.addItem(text, key)
            box.currentIndexChanged.connect(self._show_plot)
        self.rate_box.setCurrentIndex(1)
        self.size_box.setToolTip(
            "What models are spread along: their size, in three ways"
        )
        self.rate_box.setToolTip("Accuracy on tracks that the models had not seen")
        self.form = new_form()
        self.form.addRow("Across", self.size_box)
        self.form.addRow("Upwards", self.rate_box)
        self.body.addLayout(self.form)
        self.every = QCheckBox("All classifiers")
        self.every.setToolTip(
            "Compare all classifiers of the project, not just the newest of every kind"
        )
        self.every.toggled.connect(self._on_every)
        self.body.addWidget(self.every)

    def _build_rest(self) -> None:
        self.models_title = heading("Models")
        self.models_box = QVBoxLayout()
        self.models_box.setContentsMargins(0, 0, 0, 0)
        self.models_box.setSpacing(2 * STEP)
        self.consensus_title = heading("Latents that sparse models read")
        self.consensus_title.setWordWrap(True)
        self.consensus = ConsensusBars(self.theme)
        self.table_title = heading("In numbers")
        self.table = NumberTable()
        self.table.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAsNeeded)
        self.notes = WrapLabel(name="muted")
        self.body.addWidget(self.models_title)
        self.body.addLayout(self.models_box)
        for widget in (
            self.consensus_title,
            self.consensus,
            self.table_title,
            self.table,
            self.notes,
        ):
            self.body.addWidget(widget)
        self.body.addStretch()

    def on_show(self) -> None:
        """Compare when someone wants to see it."""
        super().on_show()
        self.service.ensure()

    def compare(self) -> None:
        """Compare, also after a failure."""
        self.service.ensure(again=True)

    def use(self, model: Model) -> None:
        """Make a model the active one: the movie, gallery and Network follow."""
        self.service.use(model)

    def refresh(self) -> None:
        """Bring everything up to date."""
        if self.isVisible():
            self.service.ensure()
        gathered = self.service.gathered
        if gathered is not self._shown:
            self._shown = gathered
            self._show_all(gathered)
        active = self.service.active
        self.plot.show_active(active)
        for group in self.groups:
            group.show_active(active)
        self._tell()

    def _show_all(self, gathered: Gathered | None) -> None:
        shown = gathered is not None
        for widget in (
            *(self.plot, self.size_box, self.rate_box, self.every, self.models_title),
            *(self.table_title, self.table, self.notes),
        ):
            widget.setVisible(shown)
        for box in (self.size_box, self.rate_box):
            self.form.labelForField(box).setVisible(shown)
        self._show_plot()
        self._show_groups(gathered)
        found = [] if gathered is None else consensus(gathered)
        self.consensus.show_items(found)
        for widget in (self.consensus_title, self.consensus):
            widget.setVisible(bool(found))
        if gathered is None:
            return
        titles, rows = table(gathered)
        colors = [readable(shade(i), self.theme) for i in range(len(rows))]
        self.table.fill([(title, TIPS[title]) for title in titles], rows, colors)
        self.table.setFixedHeight(self.table.height() + 16)
        compared = gathered.comparison
        said = [f"Mean ± sd over heads, held out by {compared.unit}.", *compared.notes]
        self.notes.setText("\n".join(said))

    def _show_plot(self) -> None:
        self.plot.show_models(
            self.service.gathered,
            self.size_box.currentData(),
            self.rate_box.currentData(),
        )

    def _show_groups(self, gathered: Gathered | None) -> None:
        for group in self.groups:
            self.models_box.removeWidget(group)
            group.hide()
            group.deleteLater()
        self.groups = []
        if gathered is None:
            return
        for number, row in enumerate(gathered.comparison.rows):
            name = f"{row.name}: scheme {row.scheme}, {row.head}"
            group = CompareGroup(self, gathered.of(number), name)
            self.groups.append(group)
            self.models_box.addWidget(group)

    def _on_every(self, every: bool) -> None:
        self.service.every = every

    def _on_scoring(self) -> None:
        if self.isVisible():
            self._tell()

    def _on_job(self) -> None:
        self.run_line.refresh()
        self.mark_dirty()

    def _tell(self) -> None:
        job, scoring = self.service.job, self.session.service(ScoreService).job
        gathered, project = self.service.gathered, self.session.project
        self.run_line.setVisible(job.state.busy or job.state is JobState.FAILED)
        failed = next(
            (j.failure for j in (job, scoring) if j.state is JobState.FAILED), None
        )
        if failed is not None:
            self.card.tell(failed.message, "error", details=failed.details)
        elif project is None:
            self.card.tell(
                "No cells yet.",
                reason="Make or open a project in Cells, label some, and train models.",
            )
        elif not self.service.names():
            self.card.tell(
                "No models to compare: this project has no classifier of its own.",
                reason="Label cells, then train: cellsci train-head PROJECT --scheme 2 "
                "(dense) and --scheme 3 (sparse, small enough to read).",
            )
        elif gathered is None:
            self.card.tell("Comparing…" if job.state.busy else "Not compared.")
        elif scoring.state.busy:
            self.card.tell("Scoring with the model that was picked…")
        else:
            self._tell_gathered(gathered)

    def _tell_gathered(self, gathered: Gathered) -> None:
        n, active = len(gathered.comparison.rows), self.service.active
        what = "classifier" if n == 1 else "classifiers"
        reason = "Click a model to use it alone: movie, gallery and Network follow."
        if active is not None and active[1] is not None:
            reason = f"In use: model {active[1]} of {active[0]}."
        elif active is not None:
            reason = f"In use: the mean of {active[0]}. Click a model to use it alone."
        unit = gathered.comparison.unit
        self.card.tell(
            f"{n} {what}, {len(gathered.models)} models, held out by {unit}.",
            "good",
            reason=reason,
        )

    def has_data(self) -> bool:
        """Whether there is a comparison."""
        return self.service.gathered is not None

    def save_data(self, path: str) -> None:
        """Write one line per model as CSV."""
        gathered = self.service.gathered
        assert gathered is not None
        with (
            whole_file(Path(path)) as temporary,
            temporary.open("w", newline="", encoding="utf-8") as file,
        ):
            writer = csv.writer(file)
            writer.writerow(COLUMNS)
            writer.writerows(_line(model) for model in gathered.models)

    def save_figure(self, path: str) -> None:
        """Write the figure as SVG, PDF or PNG; without a comparison, the panel."""
        if self.service.gathered is None:
            super().save_figure(path)
            return
        save_comparison(
            self.service.gathered,
            Path(path),
            size=self.size_box.currentData(),
            accuracy=self.rate_box.currentData(),
        )

    def on_theme(self) -> None:
        """Follow the theme."""
        self.plot.set_theme(self.theme)
        self.consensus.set_theme(self.theme)
        for group in self.groups:
            group.stamps.set_theme(self.theme)

    def python_code(self) -> str | None:
        """Return the lines that compare the classifiers and draw the figure."""
        project = self.session.project
        if project is None or self.service.gathered is None:
            return None
        names = f", {self.service.names()!r}" if self.service.every else ""
        return (
            "from pathlib import Path\n\n"
            "from napari_cellsci import Project\n"
            "from napari_cellsci.figures.comparison import gather, save_comparison\n\n"
            f"with Project.open({str(project.path)!r}) as project:\n"
            f"    gathered = gather(project{names})\n"
            'save_comparison(gathered, Path("comparison.svg"))\n'
        )

    def command_line(self) -> str | None:
        """Return the command that prints the table."""
        project = self.session.project
        if project is None or self.service.gathered is None:
            return None
        names = "".join(f' --model "{n}"' for n in self.service.names())
        return f'cellsci compare "{project.path}"' + (
            names if self.service.every else ""
        )


def _line(model: Model) -> list[object]:
    latents = "" if model.inputs is None else " ".join(map(str, model.inputs))
    first = [model.bundle, model.scheme, model.member, model.accuracy, model.balanced]
    return [*first, model.weights, model.paper, model.tree, latents]


def marker_icon(model: Model, edge: int = 12) -> QIcon:
    """Return the sign of a model's classifier in the plot."""
    picture = QPixmap(QSize(edge, edge))
    picture.fill(Qt.GlobalColor.transparent)
    painter = QPainter(picture)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(QColor(shade(model.row)))
    paint_marker(painter, QPointF(edge / 2, edge / 2), model.scheme, edge * 0.36)
    painter.end()
    return QIcon(picture)


def _tip(model: Model) -> str:
    said = (
        f"model {model.member}: balanced accuracy {model.balanced:.1%}, "
        f"{model.weights:,} weights, expression size {model.paper:,}"
    )
    return f"{said}\nClick to use it alone"
