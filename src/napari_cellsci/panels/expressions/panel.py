"""The *Expressions* panel."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_cellsci.panels._base import PanelBase
from napari_cellsci.panels._choice import Choice, ChoiceBox
from napari_cellsci.panels._jobs import JobState
from napari_cellsci.panels._parts import RunLine, Section, WrapLabel, heading, new_form
from napari_cellsci.panels._scroll import keep_scroll_bar
from napari_cellsci.panels.expressions.candidates import Candidate, chosen
from napari_cellsci.panels.expressions.code import as_command, as_python
from napari_cellsci.panels.expressions.facts import FactsBox
from napari_cellsci.panels.expressions.front_view import FrontView
from napari_cellsci.panels.expressions.listing import CandidateView
from napari_cellsci.panels.expressions.more import MoreBox
from napari_cellsci.panels.expressions.output import write_figure, write_table
from napari_cellsci.panels.expressions.saving import SavingService
from napari_cellsci.panels.expressions.search import SearchService
from napari_cellsci.panels.expressions.search_box import SearchBox
from napari_cellsci.panels.expressions.service import ExpressionService
from napari_cellsci.panels.expressions.standing import Standing
from napari_cellsci.panels.expressions.subject import Rows
from napari_cellsci.panels.expressions.writing import WritingBox
from napari_cellsci.panels.score.service import ScoreService

if TYPE_CHECKING:
    import napari.viewer


class ExpressionsPanel(PanelBase):
    """Formulas over latents: written, listed, judged, and shown on the movie."""

    title = "Expressions"
    data_filter = "CSV (*.csv)"
    figure_filter = "SVG (*.svg);;PDF (*.pdf);;PNG (*.png)"

    def __init__(self, viewer: napari.viewer.Viewer) -> None:
        super().__init__(viewer)
        keep_scroll_bar(self)
        self.service = self.session.service(ExpressionService)
        self.searching = self.session.service(SearchService)
        self.saving = self.session.service(SavingService)
        self.bench = self.service.bench
        self.standing = Standing(self.session, self.card)
        self._build()
        self.run_line = RunLine("Open", self.service.job, self.open)
        self.foot.addWidget(self.run_line)
        self._connect()
        self.refresh()

    def _build(self) -> None:
        self.sources = ChoiceBox(
            "Whose latents formulas read, and whose scores they match"
        )
        self.form = new_form()
        self.form.addRow("Classifier", self.sources)
        self.about = ChoiceBox("Which class f ≥ 0 stands for; f < 0 are all others")
        self.form.addRow("Formula for", self.about)
        self.body.addLayout(self.form)
        self.writing = WritingBox(self.bench, self.theme)
        self.facts = FactsBox()
        self.more = MoreBox(self.session, self.service, self.theme)
        self.list_title = heading("Formulas")
        self.front = FrontView(self.theme)
        self.list = CandidateView(self.theme)
        self.list_hint = WrapLabel(name="muted")
        self.agreed = WrapLabel(name="muted")
        self.search = SearchBox(self.searching)
        self.search_section = Section("Search for formulas", self.search)
        for widget in (
            *(self.writing, self.facts, self.more),
            *(self.list_title, self.front, self.list, self.agreed),
            self.list_hint,
            self.search_section,
        ):
            self.body.addWidget(widget)
        self.body.addStretch()

    def _connect(self) -> None:
        session, service = self.session, self.service
        for signal in (
            *(session.project_changed, session.scores_changed),
            *(service.changed, service.names_changed, service.shown_changed),
            session.service(ScoreService).offers_changed,
        ):
            self._on(signal, self.mark_dirty)
        self._on(self.bench.changed, self._on_text)
        self._on(self.bench.judged, self._on_judged)
        self._on(service.candidates_changed, self._on_list)
        self._on(service.job.changed, self._on_job)
        self._on(self.searching.job.changed, self._on_search)
        self._on(self.searching.front_changed, self._on_list)
        self._on(session.current_changed, self._on_cell)
        self.sources.chosen.connect(service.choose)
        self.about.chosen.connect(service.choose_about)
        self.writing.kept.connect(self.keep)
        self.writing.saved.connect(self.save)
        self._on(self.saving.changed, self._tell_saving)
        self.facts.selected.connect(self._select)
        self.list.picked.connect(self.use)
        self.list.dropped.connect(service.drop)
        self.front.picked.connect(self.use)

    def on_show(self) -> None:
        """Open the code when someone wants to see formulas."""
        super().on_show()
        self.service.ensure()

    def open(self) -> None:
        """Open the code that is meant, also after a failure."""
        self.service.ensure(again=True)

    def keep(self) -> None:
        """Put what is written on the list."""
        self.writing.editor.flush()
        if self.bench.written is not None:
            self.service.keep(self.bench.written.expression)

    def save(self) -> None:
        """Make a classifier of what is written."""
        self.writing.editor.flush()
        self.saving.save()

    def _tell_saving(self) -> None:
        self.writing.tell_saving(self.saving.said, self.saving.hindrance)

    def use(self, candidate: Candidate) -> None:
        """Write a formula of the list and show its scores."""
        self.service.use(candidate)

    def refresh(self) -> None:
        """Bring everything up to date."""
        if self.isVisible():
            self.service.ensure()
        self._fill_sources()
        shown = self.service.opened is not None
        for widget in (
            *(self.writing, self.list_title, self.list_hint, self.search_section),
        ):
            widget.setVisible(shown)
        self._show_list()
        self._show_written()
        self._tell()

    def _fill_sources(self) -> None:
        offers = self.service.offers()
        self.sources.offer([[Choice(o.source, o.title, o.tip) for o in offers]], "")
        opened = self.service.opened
        source = self.service.source if opened is None else opened.source
        self.sources.setCurrentIndex(self.sources.findData(source))
        for widget in (self.sources, self.form.labelForField(self.sources)):
            widget.setVisible(bool(offers) and self.session.project is not None)
        classes = () if opened is None else opened.bundle.classes
        if opened is not None:
            choices = [Choice(name, name) for name in classes]
            self.about.offer([choices], opened.about)
        for widget in (self.about, self.form.labelForField(self.about)):
            widget.setVisible(len(classes) > 2)

    def _show_written(self) -> None:
        self.writing.refresh()
        self._tell_saving()
        opened = self.service.opened
        name = "" if opened is None else opened.bundle.name
        self.facts.show_written(self.bench.written, name)
        self.more.show_soon()

    def _show_list(self) -> None:
        # While a search goes on its front is what one wants to see.
        items = self.searching.growing or self.service.candidates
        best, shown = chosen(items), self.service.opened is not None
        self.list.show_items(items, best, self.bench.subject)
        self.list.setVisible(bool(items) and shown)
        self.front.show_items(items, best)
        self.front.setVisible(shown and len(items) > 1)
        said = self.service.agreed() if items is self.service.candidates else ""
        self.agreed.setText(said)
        self.agreed.setVisible(bool(said) and shown)
        self.list_hint.setText(
            "A click writes a formula above and scores the movie with it; Delete takes "
            "it off. ★ is the smallest within one standard error of the best."
            if items
            else "None yet. Add to list keeps the formula above; Search finds others."
        )

    def _on_text(self) -> None:
        if self.is_seen():
            self.writing.refresh()

    def _on_judged(self) -> None:
        self.service.follow()
        self.mark_dirty()

    def _on_list(self) -> None:
        self.search.refresh()
        self.mark_dirty()

    def _on_job(self) -> None:
        self.run_line.refresh()
        self.mark_dirty()

    def _on_search(self) -> None:
        if self.searching.job.state.busy:
            self.search_section.expand()
        self.search.refresh()

    def _on_cell(self) -> None:
        if self.is_seen() and self.more.boundary_section.isExpanded():
            self.more.show_soon()

    def _select(self, rows: Rows) -> None:
        self.session.select_many(rows.tolist(), int(rows[0]))
        self.session.go_requested.emit(int(rows[0]))

    def _tell(self) -> None:
        job = self.service.job
        self.run_line.setVisible(job.state.busy or job.state is JobState.FAILED)
        self.standing.tell()

    def on_theme(self) -> None:
        """Follow the theme."""
        self.writing.set_theme(self.theme)
        self.list.set_theme(self.theme)
        self.front.set_theme(self.theme)
        self.more.set_theme(self.theme)

    def has_data(self) -> bool:
        """Whether there are formulas."""
        return bool(self.service.candidates)

    def save_data(self, path: str) -> None:
        """Write one line per formula of the list as CSV."""
        write_table(self.service.candidates, path)

    def save_figure(self, path: str) -> None:
        """Draw the formula with its parts and boundary; without one, the panel."""
        if self.bench.written is None:
            super().save_figure(path)
        else:
            write_figure(self.bench.written, path)

    def python_code(self) -> str | None:
        """Return the lines that score the project by the formula."""
        opened, written = self.service.opened, self.bench.written
        if opened is None or written is None:
            return None
        return as_python(self.session, opened, written)

    def command_line(self) -> str | None:
        """Return the command that searches with the settings below."""
        opened = self.service.opened
        if opened is None:
            return None
        return as_command(self.session, opened, self.search.asked())
