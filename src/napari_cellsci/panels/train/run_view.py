"""One run, live: how it stands, its curves, its pictures; or several side by side."""

from __future__ import annotations

from collections.abc import Sequence

from qtpy.QtWidgets import QTabBar, QVBoxLayout, QWidget

from napari_cellsci.panels._parts import Section, WrapLabel
from napari_cellsci.panels._theme import STEP, Theme
from napari_cellsci.panels.score.summary import NumberTable
from napari_cellsci.panels.train.chart_view import ChartView
from napari_cellsci.panels.train.charts import (
    Chart,
    charts_of,
    compared,
    drawn,
)
from napari_cellsci.panels.train.cloud_view import CloudView
from napari_cellsci.panels.train.compared import comparison, rows_of
from napari_cellsci.panels.train.looks_view import LooksView
from napari_cellsci.panels.train.words import is_formula, title_of
from napari_cellsci.project.run_log import RunLog
from napari_cellsci.project.runs import RunInfo


class RunView(QWidget):
    """Curves and pictures of the chosen run, or the curves of several in one plot."""

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self._pairs: list[tuple[RunInfo, RunLog]] = []
        self._charts: tuple[Chart, ...] = ()
        self.tabs = QTabBar()
        self.tabs.setObjectName("sections")
        self.tabs.setExpanding(False)
        self.tabs.setDrawBase(False)
        self.tabs.setUsesScrollButtons(True)
        self.tabs.currentChanged.connect(self._on_tab)
        self.chart = ChartView(theme)
        self.cloud = CloudView(theme)
        self.looks = LooksView(theme)
        self.table = NumberTable()
        self.table_note = WrapLabel(name="muted")
        self.details = WrapLabel(name="muted")
        self.settings = Section("Settings and data", self.details)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(STEP)
        layout.addWidget(self.tabs)
        layout.addWidget(self.chart)
        layout.addWidget(self.cloud)
        layout.addWidget(self.looks)
        layout.addWidget(self.table)
        layout.addWidget(self.table_note)
        layout.addWidget(self.settings)

    def set_theme(self, theme: Theme) -> None:
        """Take over the theme's colours."""
        self._theme = theme
        for view in (self.chart, self.cloud, self.looks):
            view.set_theme(theme)
        if self._pairs:
            self.show_runs(self._pairs)

    @property
    def pairs(self) -> Sequence[tuple[RunInfo, RunLog]]:
        """The runs that are shown, with what they told."""
        return self._pairs

    def show_runs(self, pairs: Sequence[tuple[RunInfo, RunLog]]) -> None:
        """Show one run, or compare several of one kind."""
        self._pairs = list(pairs)
        self.setVisible(bool(pairs))
        if not pairs:
            return
        kinds = {"formulas" if is_formula(run) else run.kind for run, _ in pairs}
        run, log = pairs[0]
        one = len(pairs) == 1
        charts = charts_of(*kinds, log if one else None) if len(kinds) == 1 else ()
        self._offer(charts)
        self._show_chart()
        self.looks.setVisible(one and run.kind == "encoder")
        if one and run.kind == "encoder":
            self.looks.show_looks(log.looks)
        self.table.setVisible(not one)
        self.table_note.setVisible(not one)
        self.settings.setVisible(one)
        if one:
            self.details.setText("\n".join(rows_of(run, log)))
        else:
            self._compare(len(kinds) == 1)

    def _compare(self, alike: bool) -> None:
        found = comparison(self._pairs)
        columns = [(title, title) for title in found.columns]
        self.table.fill(columns, found.rows, [None] * len(found.rows))
        note = "Settings that differ, then the last values."
        self.table_note.setText(
            note if alike else f"{note} Curves are compared between runs of one kind."
        )

    def _offer(self, charts: tuple[Chart, ...]) -> None:
        if [chart.key for chart in charts] == [chart.key for chart in self._charts]:
            self._charts = charts
        else:
            before = self.current.key if self.current is not None else ""
            self._charts = charts
            self.tabs.blockSignals(True)
            while self.tabs.count():
                self.tabs.removeTab(0)
            for chart in charts:
                self.tabs.addTab(chart.title)
            keys = [chart.key for chart in charts]
            self.tabs.setCurrentIndex(keys.index(before) if before in keys else 0)
            self.tabs.blockSignals(False)
        self.tabs.setVisible(len(charts) > 1)

    @property
    def current(self) -> Chart | None:
        """The chart in front."""
        place = self.tabs.currentIndex()
        return self._charts[place] if 0 <= place < len(self._charts) else None

    def choose(self, key: str) -> None:
        """Bring a chart to the front."""
        self.tabs.setCurrentIndex([chart.key for chart in self._charts].index(key))

    def _on_tab(self, place: int) -> None:
        self._show_chart()

    def _show_chart(self) -> None:
        chart = self.current
        search = chart is not None and chart.key == "cloud"
        self.cloud.setVisible(search)
        self.chart.setVisible(chart is not None and not search)
        if chart is None:
            return
        if search:
            trials = [trial for _, log in self._pairs for trial in log.trials]
            self.cloud.show_trials(chart, trials)
        elif len(self._pairs) == 1:
            log = self._pairs[0][1]
            self.chart.show_chart(chart, drawn(chart, log), log.changes, log.stages)
        else:
            named = [(title_of(run), log) for run, log in self._pairs]
            self.chart.show_chart(chart, compared(chart, named))
