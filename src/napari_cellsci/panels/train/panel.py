"""The *Train* panel."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtWidgets import QTabBar, QVBoxLayout, QWidget

from napari_cellsci.panels._base import PanelBase
from napari_cellsci.panels._choice import Choice
from napari_cellsci.panels._jobs import Job, JobState
from napari_cellsci.panels._parts import WrapLabel
from napari_cellsci.panels._scroll import keep_scroll_bar
from napari_cellsci.panels._theme import STEP
from napari_cellsci.panels.score.service import ScoreService
from napari_cellsci.panels.train import run_bar, standing
from napari_cellsci.panels.train.actions import RunActions
from napari_cellsci.panels.train.charts import write_curves
from napari_cellsci.panels.train.goals import GOALS, Setup, goal_of, per_class_python
from napari_cellsci.panels.train.run_bar import RunBar
from napari_cellsci.panels.train.run_list import RunList
from napari_cellsci.panels.train.run_view import RunView
from napari_cellsci.panels.train.service import HERE, OWN, TrainService
from napari_cellsci.panels.train.setup_page import SetupPage
from napari_cellsci.panels.train.words import estimate_words
from napari_cellsci.project.run_request import RunRequest
from napari_cellsci.project.runs import RunInfo
from napari_cellsci.tasks import CancelToken, OnEvent

if TYPE_CHECKING:
    import napari.viewer

NEW, RUNS = 0, 1


class TrainPanel(PanelBase):
    """Set up training runs, watch them live, stop them, go on, compare."""

    title = "Train"
    data_filter = "CSV (*.csv)"
    figure_filter = "PNG (*.png);;SVG (*.svg)"

    def __init__(self, viewer: napari.viewer.Viewer) -> None:
        super().__init__(viewer)
        keep_scroll_bar(self)
        self.service = self.session.service(TrainService)
        self._loader = Job()
        self._said = standing.Said("")
        self._asked: RunRequest | None = None
        self._build()
        # The last look may have met a store that somebody was writing to.
        self.service.look()
        self._connect()
        if self.service.busy:
            self.tabs.setCurrentIndex(RUNS)
            self.list.choose([self.service.busy[0].id])
        self.refresh()

    def _build(self) -> None:
        self.tabs = QTabBar()
        self.tabs.setObjectName("sections")
        self.tabs.setExpanding(False)
        self.tabs.setDrawBase(False)
        self.tabs.setTabToolTip(self.tabs.addTab("New run"), "Set up and start a run")
        self.tabs.setTabToolTip(
            self.tabs.addTab("Runs"),
            "All runs of this project, also those started on the command line",
        )
        self.setup_page = SetupPage()
        self.list = RunList(self.theme, self.service.log)
        self.view = RunView(self.theme)
        self.empty = WrapLabel(
            "No runs yet. Set one up under New run, or give the command "
            "`cellsci train-encoder`: it shows up here.",
            "muted",
        )
        self.runs_page = QWidget()
        layout = QVBoxLayout(self.runs_page)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2 * STEP)
        layout.addWidget(self.empty)
        layout.addWidget(self.list)
        layout.addWidget(self.view)
        layout.addStretch(1)
        self.body.addWidget(self.tabs)
        self.body.addWidget(self.setup_page)
        self.body.addWidget(self.runs_page)
        self.run_bar = RunBar()
        self.foot.addWidget(self.run_bar)
        self.actions_ = RunActions(self)

    def _connect(self) -> None:
        self.tabs.currentChanged.connect(self._on_tab)
        self.setup_page.changed.connect(self._on_setup)
        self.setup_page.estimate.connect(self.measure)
        self.setup_page.form_wanted.connect(self._load_form)
        self.list.chosen.connect(self._on_chosen)
        self.list.asked.connect(self.actions_.show)
        self.run_bar.pressed.connect(self._on_pressed)
        self._loader.succeeded.connect(self._on_loaded)
        session, service = self.session, self.service
        for signal in (session.project_changed, session.labels_changed):
            self._on(signal, self.mark_dirty)
        self._on(service.changed, self._on_service)
        self._on(service.finished, self._on_finished)
        self._on(service.estimating.changed, self._on_estimating)

    @property
    def chosen(self) -> list[RunInfo]:
        """The runs that are chosen in the list, newest first."""
        found = [self.service.find(id_) for id_ in self.list.ids]
        return [run for run in found if run is not None]

    @property
    def page(self) -> int:
        """Which page is in front."""
        return int(self.tabs.currentIndex())

    def refresh(self) -> None:
        """Bring everything up to date."""
        new = self.page == NEW
        self.setup_page.setVisible(new)
        self.runs_page.setVisible(not new)
        n = len(self.service.busy)
        self.tabs.setTabText(RUNS, f"Runs ({n} running)" if n else "Runs")
        if new:
            self._fill_setup()
        else:
            self._fill_runs()
        self._tell()

    def _fill_setup(self) -> None:
        session, page = self.session, self.setup_page
        page.offer(self._why_not(), self._encoders(), _devices())
        project = session.project
        if project is None:
            page.offer_cells({}, (), 0, False)
            page.offer_classes({})
        else:
            palette = {item.name: item.colour for item in project.labels.classes}
            filtered = int(session.left_out.sum())
            page.offer_cells(palette, project.classes, filtered, project.usable_only)
            counts = project.labels.counts()
            page.offer_classes({name: counts.get(name, 0) for name in palette})
        self._show_cost()

    def _why_not(self) -> dict[str, str]:
        """Return, by goal, why it cannot be trained yet."""
        project = self.session.project
        if project is None:
            return {}
        found: dict[str, str] = {}
        counts = project.labels.counts()
        chosen = self.setup_page.setup.classes
        for goal in GOALS:
            own = chosen if goal.takes_classes and chosen is not None else None
            names = project.classes if own is None else own
            few = [name for name in names if counts.get(name, 0) < 2]
            if goal.labels and few:
                found[goal.key] = f"Label at least two cells of {' and '.join(few)}"
            elif goal.labels and len(names) < 2:
                found[goal.key] = "Choose at least two classes to tell apart"
        return found

    def _encoders(self) -> list[Choice]:
        project = self.session.project
        own = [] if project is None else list(reversed(project.encoders))
        found = [
            Choice(info.name, info.name, f"Made {info.made_at[:10]}") for info in own
        ]
        tip = "Comes with the plugin: trained on simulated nuclei"
        return [*found, Choice("shipped", "shipped", tip)]

    def _fill_runs(self) -> None:
        runs = self.service.runs
        self.list.show_runs(runs)
        self.list.setVisible(bool(runs))
        self.empty.setVisible(not runs)
        if runs and not self.chosen:
            self.list.choose([runs[0].id])
        self.view.show_runs([(run, self.service.log(run)) for run in self.chosen])

    def _show_cost(self) -> None:
        job, page = self.service.estimating, self.setup_page
        page.measure.setText("Cancel" if job.state.busy else "Estimate")
        page.measure.setEnabled(self.session.project is not None)
        if job.state.busy:
            page.cost.setText("Trying it for a few seconds…")
        elif job.state is JobState.FAILED and job.failure is not None:
            page.cost.setText(job.failure.message)
        elif self.service.estimate is not None and self._asked == self._request():
            said = estimate_words(self.service.estimate)
            each = page.setup.each_class
            page.cost.setText(f"Every encoder: {said}" if each else said)
        else:
            page.cost.setText("Time and memory, from a short trial.")

    def _request(self) -> RunRequest:
        return self.setup_page.setup.request()

    def measure(self) -> None:
        """Estimate what the run that is set up will cost; again to stop."""
        if self.service.estimating.state.busy:
            self.service.estimating.cancel()
        else:
            self._asked = self._request()
            self.service.measure(self._asked)

    def start(self) -> None:
        """Start the run that is set up, or one for each class."""
        page = self.setup_page
        self._begin(self._request(), page.place, each=page.setup.each_class)

    def _begin(self, request: RunRequest, place: str, each: bool = False) -> None:
        if self.attempt(partial(self._start, request, place, each)):
            self.tabs.setCurrentIndex(RUNS)
            self.mark_dirty()

    def _start(self, request: RunRequest, place: str, each: bool) -> None:
        service = self.service
        begin = service.start_each if each else service.start
        run = begin(request, place)
        first = run[-1] if isinstance(run, list) else run
        self.list.show_runs(service.runs)
        self.list.choose([first.id])

    def set_up_like(self, run: RunInfo, **changes: Any) -> None:
        """Set up a new run like another one, with some settings changed."""
        if run.request is not None:
            self.setup_page.take(Setup.of(run.request.again(**changes)))
            self.tabs.setCurrentIndex(NEW)
            self.setup_page.advanced.expand()

    def _on_pressed(self, what: str) -> None:
        if what == run_bar.TRAIN:
            self.start()
            return
        for run in self.chosen[:1]:
            deed = {
                run_bar.CANCEL: self.service.cancel,
                run_bar.PAUSE: self.service.pause,
                run_bar.GO_ON: self.service.unpause,
                run_bar.RESUME: self._resume,
            }[what]
            self.attempt(partial(deed, run))
        self.mark_dirty()

    def _resume(self, run: RunInfo) -> None:
        self.service.resume(run, self.setup_page.place)

    def _act(self) -> None:
        """Do what the button on the card says."""
        said = self._said
        run = self.chosen[0] if self.chosen else None
        if run is None:
            return
        if said.deed == "use":
            self.session.service(ScoreService).run(self.service.made_by(run))
        elif said.deed == "heads":
            self._set_up_heads(run)
        elif said.deed == "own process":
            self.attempt(partial(self.service.resume, run, OWN))
        elif run.request is not None:
            changed = run.request.again(**said.changes)
            self._begin(changed, self.setup_page.place)

    def _set_up_heads(self, run: RunInfo) -> None:
        made = self.service.made_by(run)
        if run.kind == "search":
            setup = Setup("heads3", "good", {"from_search": run.id})
        else:
            setup = Setup("heads2", "good", encoder=made)
        self.setup_page.take(setup)
        self.tabs.setCurrentIndex(NEW)

    def _tell(self) -> None:
        run = self.chosen[0] if self.chosen and self.page == RUNS else None
        if run is not None:
            log = self.service.log(run)
            self._said = standing.of_run(run, log, self.service.made_by(run))
            self.run_bar.show_run(run, log)
        else:
            self._said = self._of_setup()
            self.run_bar.offer_start(self._no_start())
        said = self._said
        self.card.tell(
            said.text,
            said.kind,  # type: ignore[arg-type]
            reason=said.reason,
            action=(said.words, self._act) if said.deed else None,
            details=said.details,
        )

    def _of_setup(self) -> standing.Said:
        project = self.session.project
        if project is None:
            return standing.of_setup(0, {}, 0, None, "")
        counts = project.labels.counts()
        labelled = {name: counts.get(name, 0) for name in project.classes}
        estimate = self.service.estimate if self._asked == self._request() else None
        return standing.of_setup(
            self.session.n_cells,
            labelled,
            len(project.encoders),
            estimate,
            self.setup_page.problem,
        )

    def _no_start(self) -> str:
        if self.session.project is None:
            return "Make or open a project in Cells first."
        why_not = self._why_not().get(self.setup_page.setup.goal, "")
        if (
            not why_not
            and self.setup_page.place == HERE
            and self.service.job.state.busy
        ):
            return "This window is training already; give the run its own process."
        return why_not or self.setup_page.problem

    def _on_tab(self, page: int) -> None:
        self.mark_dirty()

    def _on_setup(self) -> None:
        self.mark_dirty()

    def _on_chosen(self) -> None:
        if self.page == RUNS:
            self.view.show_runs([(run, self.service.log(run)) for run in self.chosen])
            self._tell()

    def _on_service(self) -> None:
        self.mark_dirty()

    def _on_finished(self, run: RunInfo) -> None:
        if run.kind == "heads":
            self.session.service(ScoreService).offers_changed.emit()
        self.mark_dirty()

    def _on_estimating(self) -> None:
        if self.page == NEW:
            self._show_cost()
            self._tell()

    def _load_form(self) -> None:
        """Load the dataclass of the settings, which brings torch, in a thread."""
        self._loader.start(partial(_load, self.setup_page.goal.key))

    def _on_loaded(self, key: str) -> None:
        if not self._disposed and key == self.setup_page.goal.key:
            self.setup_page.show_form()
            self._tell()

    def dispose(self) -> None:
        """Let go of everything outside the panel; runs go on."""
        self._loader.cancel()
        super().dispose()

    def on_theme(self) -> None:
        """Follow the theme."""
        self.list.set_theme(self.theme)
        self.view.set_theme(self.theme)
        self.mark_dirty()

    def has_data(self) -> bool:
        """Whether there are curves to export."""
        return self.page == RUNS and bool(self.chosen)

    def save_data(self, path: str) -> None:
        """Write the curves of the chosen run as CSV."""
        for run in self.chosen[:1]:
            write_curves(Path(path), self.service.log(run))

    def save_figure(self, path: str) -> None:
        """Write the chart in front, or the panel where there is none."""
        chart = self.view.current if self.page == RUNS and self.chosen else None
        if chart is None:
            super().save_figure(path)
            return
        plot = (self.view.cloud if chart.key == "cloud" else self.view.chart).plot
        _export(plot, path)

    def _shown_request(self) -> RunRequest | None:
        if self.session.project is None:
            return None
        if self.page == RUNS and self.chosen:
            return self.chosen[0].request
        return self._request()

    def python_code(self) -> str | None:
        """Return the lines that repeat the chosen run, or start the one set up."""
        request, project = self._shown_request(), self.session.project
        if request is None or project is None:
            return None
        code = request.again(name=request.arguments.get("name")).python(project.path)
        return per_class_python(code) if self._shows_each else code

    def command_line(self) -> str | None:
        """Return the command that repeats the chosen run, or starts the one set up."""
        request, project = self._shown_request(), self.session.project
        if request is None or project is None:
            return None
        words = request.again(name=request.arguments.get("name")).command(project.path)
        return f"{words} --per-class" if self._shows_each else words

    @property
    def _shows_each(self) -> bool:
        return self.page == NEW and self.setup_page.setup.each_class


def _load(key: str, on_event: OnEvent, token: CancelToken) -> str:
    assert goal_of(key).config_class is not None
    return key


def _devices() -> tuple[Choice, ...]:
    """Return the devices; what this computer has is known once torch is loaded."""
    import sys

    torch = sys.modules.get("torch")
    cuda = mps = ""
    if torch is not None:
        cuda = "" if torch.cuda.is_available() else "This computer has no CUDA device"
        known = torch.backends.mps.is_available()
        mps = "" if known else "This computer has no Apple GPU"
    return (
        Choice("auto", "best there is", "A GPU if there is one, else the processor"),
        Choice("cpu", "processor (CPU)", "Slower, and exactly repeatable"),
        Choice("cuda", "NVIDIA GPU", "By CUDA", cuda),
        Choice("mps", "Apple GPU", "By Metal", mps),
    )


def _export(plot: Any, path: str) -> None:
    from pyqtgraph.exporters import ImageExporter, SVGExporter

    if path.lower().endswith(".svg"):
        SVGExporter(plot.getPlotItem()).export(path)
        return
    exporter = ImageExporter(plot.getPlotItem())
    exporter.parameters()["width"] = 2 * plot.width()
    exporter.export(path)
