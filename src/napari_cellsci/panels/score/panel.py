"""The *Score* panel."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QCheckBox,
    QComboBox,
    QFileDialog,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QSlider,
)

from napari_cellsci.panels._base import PanelBase
from napari_cellsci.panels._jobs import JobState
from napari_cellsci.panels._parts import (
    RunLine,
    WrapLabel,
    advanced_section,
    heading,
    new_form,
    plain_button,
    whole_number,
)
from napari_cellsci.panels._scroll import keep_scroll_bar
from napari_cellsci.panels._source import SHIPPED
from napari_cellsci.panels._theme import STEP, readable
from napari_cellsci.panels.score.counts import CountGrid
from napari_cellsci.panels.score.legend import Legend, LegendState
from napari_cellsci.panels.score.matrix import MatrixView, matrix_of
from napari_cellsci.panels.score.service import FORMULA, Offer, ScoreService
from napari_cellsci.panels.score.summary import (
    NumberTable,
    class_columns,
    class_rows,
    in_words,
    sign_of,
)
from napari_cellsci.viewer.overlay import Overlay
from napari_cellsci.viewer.scores import by_label

if TYPE_CHECKING:
    import napari.viewer

COLOR_BY = (("score", "score"), ("prediction", "prediction"), ("label", "label"))
SHOWN = (
    ("markers", "Markers", "One marker per cell at every frame"),
    ("outlines", "Outlines", "Outlines of the masks, where the movie has masks"),
    ("tracks", "Tracks", "Tails of the tracks"),
    ("text", "Score in numbers", "The score beside every marker"),
)


class ScorePanel(PanelBase):
    """Choose a classifier, score every cell, choose what the overlay shows."""

    title = "Score"
    data_filter = "CSV (*.csv)"
    figure_filter = "PNG (*.png);;PDF (*.pdf);;SVG (*.svg)"

    def __init__(self, viewer: napari.viewer.Viewer) -> None:
        super().__init__(viewer)
        keep_scroll_bar(self)
        self.service = self.session.service(ScoreService)
        self._offers: list[Offer] = []
        self._filling = False
        self._build_choice()
        self._build_view()
        self._build_overlay()
        self.run_line = RunLine("Score", self.service.job, self.run)
        self.foot.addWidget(self.run_line)
        session = self.session
        for signal in (
            session.project_changed,
            session.movie_changed,
            session.scores_changed,
            session.labels_changed,
            session.classes_changed,
            session.display_changed,
            session.asked_changed,
        ):
            self._on(signal, self.mark_dirty)
        self._on(self.service.offers_changed, self.mark_dirty)
        self._on(self.session.scores_changed, self._choose_used)
        self._on(self.service.job.changed, self._on_job)
        self.refresh()

    def _build_choice(self) -> None:
        self.bundles = QComboBox()
        self.bundles.setMinimumWidth(1)
        self.bundles.setSizeAdjustPolicy(
            QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
        )
        self.bundles.setMinimumContentsLength(10)
        self.bundles.setToolTip("The classifier: an encoder and its trained models")
        self.browse = plain_button("…", "Use a classifier saved in a folder")
        self.browse.clicked.connect(self._browse)
        self.members = QComboBox()
        self.members.setToolTip(
            "A classifier holds several models trained from other starting points; "
            "their mean decides, their spread is the uncertainty"
        )
        row = QHBoxLayout()
        row.setSpacing(STEP)
        row.addWidget(self.bundles, 1)
        row.addWidget(self.browse)
        form = new_form()
        form.addRow("Classifier", row)
        form.addRow("Models", self.members)
        self.body.addLayout(form)
        self.members.currentIndexChanged.connect(self._on_member)

    def _build_view(self) -> None:
        self.legend = Legend()
        self.body.addWidget(self.legend)
        self.count_grid = CountGrid()
        self.counts = self.count_grid.grid
        self.counts_title = heading("Cells")
        self.body.addWidget(self.counts_title)
        self.body.addWidget(self.count_grid)
        self.called_title = heading("How labelled cells are called")
        self.called = MatrixView()
        self.called.picked.connect(self.session.ask)
        self.called_note = WrapLabel(name="muted")
        self.body.addWidget(self.called_title)
        self.body.addWidget(self.called)
        self.body.addWidget(self.called_note)
        self.rates_title = heading("On cells it had not seen")
        self.rates = NumberTable()
        self.rates_note = WrapLabel(name="muted")
        self.body.addWidget(self.rates_title)
        self.body.addWidget(self.rates)
        self.body.addWidget(self.rates_note)

    def _build_overlay(self) -> None:
        self.color_by = QComboBox()
        for words, value in COLOR_BY:
            self.color_by.addItem(words, value)
        self.color_by.setToolTip("Meaning of the colours on the movie")
        self.color_by.currentIndexChanged.connect(self._on_color_by)
        form = new_form()
        self.movies = QComboBox()
        self.movies.setMinimumWidth(1)
        self.movies.setToolTip("Which movie of the project is shown")
        self.movies.currentTextChanged.connect(self._on_movie)
        self.movies_label = QLabel("Movie")
        form.addRow(self.movies_label, self.movies)
        form.addRow("Colour by", self.color_by)
        self.body.addWidget(heading("On the movie"))
        self.body.addLayout(form)
        grid = QGridLayout()
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setSpacing(STEP)
        self.checks: dict[str, QCheckBox] = {}
        for i, (name, words, tip) in enumerate(SHOWN):
            box = QCheckBox(words)
            box.setToolTip(tip)
            box.toggled.connect(self._on_shown)
            self.checks[name] = box
            grid.addWidget(box, i // 2, i % 2)
        self.body.addLayout(grid)
        self.size = QSlider(Qt.Orientation.Horizontal)
        self.size.setRange(4, 60)
        self.size.setToolTip("Diameter of the markers (px of the movie)")
        self.size.valueChanged.connect(self._on_size)
        advanced = new_form()
        advanced.addRow("Marker size", self.size)
        self.body.addWidget(advanced_section(advanced))
        self.body.addStretch()

    def on_show(self) -> None:
        """Take in what a command said of the labels meanwhile."""
        super().on_show()
        self.service.refresh_labels()

    def run(self) -> None:
        """Score all cells with the chosen classifier."""
        offer = self._offers[self.bundles.currentIndex()]
        self.service.run(offer.source, self.members.currentData())

    def save_data(self, path: str) -> None:
        """Write the scores as CSV."""
        if self.service.scored is not None:
            self.service.scored.scores.save_csv(path)

    def save_figure(self, path: str) -> None:
        """Draw the held-out confusion matrix; of formulas being written the panel."""
        report = self._report()
        if report is None:
            super().save_figure(path)
            return
        from napari_cellsci.figures.confusion import draw_confusion

        draw_confusion(report, self.session.bundle.classes, Path(path))

    def has_data(self) -> bool:
        """Whether there are scores."""
        return self.service.scored is not None

    def _browse(self) -> None:
        path = QFileDialog.getExistingDirectory(self, "Folder of a classifier")
        if path:
            self.use_folder(Path(path))

    def use_folder(self, folder: Path) -> None:
        """Offer and choose the classifier saved in a folder."""
        self.service.add_folder(folder)
        self._fill_bundles()
        sources = [offer.source for offer in self._offers]
        self.bundles.setCurrentIndex(sources.index(folder))

    def _on_member(self) -> None:
        # Other models of the classifier that is shown are there at once.
        scored = self.service.scored
        if self._filling or scored is None or self.service.job.state.busy:
            return
        self.service.run(
            self._offers[self.bundles.currentIndex()].source,
            self.members.currentData(),
        )

    def _on_color_by(self) -> None:
        if not self._filling:
            self.session.show(color_by=self.color_by.currentData())

    def _on_shown(self) -> None:
        if not self._filling:
            self.session.show(**{n: box.isChecked() for n, box in self.checks.items()})

    def _on_movie(self, name: str) -> None:
        if not self._filling and name:
            self.session.movie = name

    def _on_size(self, size: int) -> None:
        if not self._filling:
            self.session.show(marker_size=float(size))

    def _on_job(self) -> None:
        self.run_line.refresh()
        if self.service.job.state.busy:
            self._tell()
        else:
            self.mark_dirty()

    def refresh(self) -> None:
        """Bring everything up to date."""
        self._filling = True
        self._fill_bundles()
        self._fill_members()
        self._fill_display()
        self._filling = False
        self._fill_counts()
        self._fill_called()
        self._fill_rates()
        self._tell()

    def _fill_bundles(self) -> None:
        offers = self.service.offers()
        if offers == self._offers:
            return
        self._offers = offers
        self.bundles.clear()
        for i, offer in enumerate(offers):
            self.bundles.addItem(offer.title)
            self.bundles.setItemData(i, offer.tip, Qt.ItemDataRole.ToolTipRole)
        self._choose_used()

    def _choose_used(self) -> None:
        """Choose the classifier in use, or the newest."""
        scored = self.service.scored
        used = None if scored is None else scored.source
        sources = [offer.source for offer in self._offers]
        self.bundles.setCurrentIndex(sources.index(used) if used in sources else 0)

    def _fill_members(self) -> None:
        bundle = self.session.bundle
        n = bundle.n_members if bundle is not None else 0
        words = f"mean of {n}" if n else "mean of all"
        if self.members.count() == n + 1 and self.members.itemText(0) == words:
            return
        chosen = self.members.currentData()
        self.members.clear()
        self.members.addItem(words, None)
        for k in range(n):
            self.members.addItem(f"model {k}", k)
        self.members.setCurrentIndex(max(0, self.members.findData(chosen)))
        self.members.setEnabled(n > 1)
        if n <= 1:
            self.members.setToolTip("Score once to see the models of this classifier")

    def _fill_display(self) -> None:
        self._fill_movies()
        display = self.session.display
        self.color_by.setCurrentIndex(self.color_by.findData(display.color_by))
        for name, box in self.checks.items():
            box.setChecked(getattr(display, name))
        self.size.setValue(round(display.marker_size))
        outlines = self.session.service(Overlay).has_outlines
        self.checks["outlines"].setEnabled(outlines)
        self.checks["outlines"].setToolTip(
            "Outlines of the masks"
            if outlines
            else "This movie has no masks to outline"
        )
        names = self.session.scores.names[:-1] if self.session.scores else ()
        project = self.session.project
        ends = names or (project.classes if project is not None else ())
        by_score = display.color_by == "score" and self.session.scores is not None
        self.legend.explain(
            LegendState(
                self.session.scale if by_score else None,
                (ends[0], ends[1]) if len(ends) > 1 else ("f < 0", "f ≥ 0"),
                self.session.palette,
                self.theme.text,
                self.theme.muted,
            )
        )
        self.legend.setVisible(project is not None)

    def _fill_movies(self) -> None:
        table = self.session.table
        names = list(table.movies) if table is not None else []
        if names != [self.movies.itemText(i) for i in range(self.movies.count())]:
            self.movies.clear()
            self.movies.addItems(names)
        self.movies.setCurrentText(self.session.movie or "")
        for widget in (self.movies, self.movies_label):
            widget.setVisible(len(names) > 1)

    def _fill_counts(self) -> None:
        scores, palette = self.session.scores, self.session.palette
        self.counts_title.setVisible(scores is not None)
        lines: list[tuple[str, str, str | None]] = []
        for r, (words, number) in enumerate([] if scores is None else in_words(scores)):
            known = scores is not None and r < scores.n_classes
            sign = f"{sign_of(words, palette)} " if known else ""
            sign = sign or {"out-of-distribution": "◌ "}.get(words, "   ")
            color = palette.get(words) if words != "blank" else None
            shade = None if color is None else readable(color, self.theme)
            lines.append((sign + words, number, shade))
        self.count_grid.fill(lines)

    def _fill_called(self) -> None:
        scores, project = self.session.scores, self.session.project
        rows = []
        if scores is not None and project is not None and len(project.labels):
            rows = by_label(scores, project.labels.as_series())
        for widget in (self.called_title, self.called, self.called_note):
            widget.setVisible(bool(rows))
        if not rows or scores is None:
            return
        palette = self.session.palette
        shown = matrix_of(rows, scores.names[:-1], palette)
        self.called.show_matrix(shown, self.theme, self.session.asked)
        strangers = [row for row in rows if row.label not in scores.names]
        if strangers and scores.n_classes == 2:
            n, sure = sum(r.n for r in strangers), sum(r.sure for r in strangers)
            self.called_note.setText(
                f"{sure} of {n} cells of classes the classifier was never taught are "
                f"called {scores.names[1]} without doubt."
            )
        else:
            self.called_note.setText(
                "Rows: what people say; columns: what the classifier says, which has "
                "learned from many of these. Click a number to see its cells."
            )

    def _fill_rates(self) -> None:
        """Show precision and recall of every class on tracks that were held out."""
        report = self._report()
        names = getattr(self.session.bundle, "classes", ())
        shown = report is not None and len(report.classes) == len(names)
        for widget in (self.rates_title, self.rates, self.rates_note):
            widget.setVisible(shown)
        if report is None or not shown:
            return
        project = self.session.project
        if project is not None:
            names = [project.labels.called_now(name) for name in names]
        colors: list[str | None] = [
            readable(self.session.palette.get(name, self.theme.text), self.theme)
            for name in names
        ]
        rows = class_rows(report, names, self.session.palette)
        self.rates.fill(class_columns(), rows, colors)
        self.rates_note.setText(
            f"{report.n_cells:,} cells of {report.n_tracks:,} {report.unit}s; 95% "
            f"intervals over {report.unit}s. Probabilities are off by "
            f"{report.calibration_error:.2f} on average."
        )

    def _report(self) -> Any:
        """Return the held-out report of the classifier that is shown, if any."""
        shown = self.service.scored
        if shown is not None and shown.scores.bundle == FORMULA:
            return None
        return getattr(getattr(self.session.bundle, "heads", None), "report", None)

    def _tell(self) -> None:
        job, session = self.service.job, self.session
        project, scores = session.project, session.scores
        self.run_line.allow("" if project is not None else "Make a project first.")
        if job.state.busy:
            # What is being done stands beside the Cancel button.
            self.card.tell("Cancelling…" if job.cancelling else "Working…")
        elif job.state is JobState.FAILED and job.failure is not None:
            self.card.tell(job.failure.message, "error", details=job.failure.details)
        elif project is None:
            self.card.tell(
                "No cells yet.",
                reason="Make or open a project in Cells; then score its cells.",
            )
        elif scores is None:
            self.card.tell(
                f"{whole_number(session.n_cells)} cells, none scored yet.",
                reason=job.ending or "Next: press Score.",
            )
        else:
            trouble = session.service(Overlay).trouble or job.ending
            notes = [trouble] if trouble else [*job.warnings, self._how_good()]
            scored, bundle = self.service.scored, session.bundle
            name = bundle.name if bundle is not None else "?"
            if scored is not None and scored.scores.bundle == FORMULA:
                name = FORMULA
            self.card.tell(
                f"{whole_number(int(scores.scored.sum()))} cells scored by {name}.",
                "warning" if trouble else "good",
                reason=" ".join(notes),
            )

    def _how_good(self) -> str:
        """Return what the classifier got right on cells it had not seen."""
        report = self._report()
        if report is None:
            return ""
        low, high = report.balanced_accuracy_interval
        accuracy = f"{report.balanced_accuracy:.2f} [{low:.2f}–{high:.2f}]"
        scored = self.service.scored
        if scored is not None and scored.source == SHIPPED:
            return (
                f"It knows simulated nuclei only (balanced accuracy {accuracy} on "
                "unseen ones): label some cells of yours to see how it does on them."
            )
        return f"Balanced accuracy on held-out {report.unit}s {accuracy}."

    def on_theme(self) -> None:
        """Follow the theme."""
        self.mark_dirty()

    def python_code(self) -> str | None:
        """Return the lines that score the project."""
        project = self.session.project
        if project is None:
            return None
        arguments = f"{self._source()!r}{self._member(', member=')}"
        return (
            "from napari_cellsci import Project\n\n"
            f"with Project.open({str(project.path)!r}) as project:\n"
            f"    scores = project.score({arguments})\n"
        )

    def command_line(self) -> str | None:
        """Return the command that scores the project."""
        project = self.session.project
        if project is None:
            return None
        source: Any = self._offers[self.bundles.currentIndex()].source
        option = "--bundle" if isinstance(source, Path) else "--model"
        member = self._member(" --member ")
        return (
            f'cellsci score "{project.path}" {option} "{source}"{member} -o scores.csv'
        )

    def _source(self) -> str:
        return str(self._offers[self.bundles.currentIndex()].source)

    def _member(self, before: str) -> str:
        member = self.members.currentData()
        return "" if member is None else f"{before}{member}"
