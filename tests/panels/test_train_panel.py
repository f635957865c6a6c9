from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from napari_cellsci.errors import ProjectError
from napari_cellsci.panels.score.service import ScoreService
from napari_cellsci.panels.train.goals import EACH, GOALS, Setup
from napari_cellsci.panels.train.panel import NEW, RUNS, TrainPanel
from napari_cellsci.panels.train.service import HERE, TrainService
from napari_cellsci.panels.train.setup_page import ALL
from napari_cellsci.panels.train.words import kind_of
from napari_cellsci.project.run_estimate import Estimate
from napari_cellsci.project.run_request import RunRequest
from napari_cellsci.project.run_state import RunState
from napari_cellsci.project.runs import Run, finish, running
from napari_cellsci.tasks import Cancelled, Checkpoint, Look, Step, Trial, ignore
from napari_cellsci.viewer.session import get_session

SMALL: dict[str, Any] = {
    "preset": "quick",
    "steps": 12,
    "batch": 32,
    "latent": 6,
    "filters": [4, 4, 8, 8],
    "hidden": 16,
    "device": "cpu",
    "checkpoint_every": 5,
}
METRICS = {
    "loss": 9.0,
    "recon": 8.0,
    "mse": 0.3,
    "mi": 4.0,
    "tc": 0.5,
    "dw": 2.0,
    "kl": 6.0,
    "val_mse": 0.2,
    "val_kl": 6.0,
    "gaussian_tc": 0.2,
    "active": 5.0,
    "variety": 0.6,
    "beta": 10.0,
}
Begin = Callable[..., Run]


@pytest.fixture
def panel(viewer: Any, dock: Callable[[type], Any], mitosis: Any) -> TrainPanel:
    get_session(viewer).project = mitosis
    opened: TrainPanel = dock(TrainPanel)
    return opened


@pytest.fixture
def begin(mitosis: Any) -> Iterator[Begin]:
    """Begin runs that do nothing but keep their record; all end with the test."""
    with ExitStack() as stack:
        stack.enter_context(pytest.MonkeyPatch.context())

        def start(kind: str = "encoder", name: str = "slow", **config: Any) -> Run:
            request = RunRequest("train_encoder", {**SMALL, "batch": 256})
            values = {"request": request.to_dict(), **config}
            bench = mitosis._bench
            context = running(bench.store, bench.folder, kind, name, values, ignore)
            run = context.__enter__()
            stack.callback(_leave, context, bench, run)
            return run

        yield start


def _leave(context: Any, bench: Any, run: Run) -> None:
    with suppress(ProjectError):  # the window may have closed the project
        finish(bench.store, run.id)
    context.__exit__(None, None, None)


def tell(run: Run, steps: int, total: int = 100, every: int = 10) -> None:
    for step in range(every, steps + 1, every):
        run.on_event(Step(step, total, {**METRICS, "loss": 90.0 / step}))


def show_runs(panel: TrainPanel) -> None:
    panel.tabs.setCurrentIndex(RUNS)
    panel.service.look()


def test_without_a_project_it_says_what_to_do(
    viewer: Any, dock: Callable[[type], Any]
) -> None:
    panel = dock(TrainPanel)
    assert "No cells" in panel.card.text.text()
    assert not panel.run_bar.button.isEnabled()
    assert "Cells" in panel.run_bar.words.text()
    assert panel.python_code() is None
    panel.tabs.setCurrentIndex(RUNS)
    assert not panel.empty.isHidden()


def test_goals_that_cannot_be_trained_say_why(panel: TrainPanel) -> None:
    model = panel.setup_page.goals.model()
    for place, goal in enumerate(GOALS):
        assert model.item(place).isEnabled() != goal.labels
    heads = [goal.key for goal in GOALS].index("heads1")
    assert "Label at least two cells" in model.item(heads).toolTip()
    assert panel.run_bar.button.text() == "Train"
    assert panel.run_bar.button.isEnabled()


@pytest.mark.parametrize("goal", GOALS, ids=[goal.key for goal in GOALS])
def test_the_form_offers_every_setting_and_edits_change_the_request(
    panel: TrainPanel, qtbot: Any, goal: Any
) -> None:
    page = panel.setup_page
    page.take(Setup(goal.key))
    page.advanced.expand()
    qtbot.waitUntil(lambda: set(page.settings.names()) == _asked(goal), timeout=20_000)
    qtbot.waitUntil(lambda: not page.settings.isHidden())
    assert page.settings.values == {}
    assert all(page.settings.widget(n).tooltip for n in page.settings.names())
    name = "batch" if goal.key != "search" else "trials"
    page.settings.widget(name).value = 48
    assert page.setup.settings == {name: 48}
    assert panel._request().arguments[name] == 48
    assert f"{name}=48" in (panel.python_code() or "")
    assert "48" in (panel.command_line() or "")


def _asked(goal: Any) -> set[str]:
    return set(goal.config_class.__dataclass_fields__) - set(goal.hidden)


def test_a_setting_that_cannot_be_used_is_told_at_once(
    panel: TrainPanel, qtbot: Any
) -> None:
    page = panel.setup_page
    page.advanced.expand()
    qtbot.waitUntil(lambda: not page.settings.isHidden(), timeout=20_000)
    page.settings.widget("sigma_x").value = "-1"
    assert "sigma_x must be positive" in page.problem
    assert not panel.run_bar.button.isEnabled()
    page.settings.widget("sigma_x").value = "many"
    assert "takes a number" in page.problem
    page.settings.widget("sigma_x").value = "0.5"
    assert page.problem == ""
    assert page.setup.settings == {"sigma_x": 0.5}
    page.settings.widget("filters").value = "4, 4, 8, 8"
    assert page.setup.settings["filters"] == [4, 4, 8, 8]


def test_a_run_from_elsewhere_is_shown_live(
    panel: TrainPanel, begin: Begin, qtbot: Any
) -> None:
    run = begin()
    tell(run, 50)
    show_runs(panel)
    assert panel.tabs.tabText(RUNS) == "Runs (1 running)"
    assert [shown.id for shown in panel.chosen] == [run.id]
    assert "step 50 of 100" in panel.card.text.text()
    assert panel.run_bar.button.text() == "Cancel"
    assert panel.view.current is not None
    titles = [panel.view.tabs.tabText(i) for i in range(panel.view.tabs.count())]
    assert titles == ["Picture", "Information", "Latents", "Variety", "Objective"]
    panel.view.choose("terms")
    assert "total&nbsp;correlation" in panel.view.chart.legend_words().text()
    assert panel.view.chart.hint.text().startswith("Good: ")
    assert "mutual information 4" in panel.view.chart.words_at(21.0)
    assert panel.view.chart.words_at(21.0).startswith("Step 20: ")
    tell(run, 60)
    panel.service.look()
    assert "step 60 of 100" in panel.card.text.text()


def test_pause_go_on_and_cancel_reach_the_run(
    panel: TrainPanel, begin: Begin, qtbot: Any
) -> None:
    run = begin()
    tell(run, 20)
    show_runs(panel)
    panel.run_bar.second.click()
    qtbot.waitUntil(lambda: run.token.pausing)
    assert panel.chosen[0].state is RunState.PAUSED
    assert panel.run_bar.second.text() == "Go on"
    panel.run_bar.second.click()
    qtbot.waitUntil(lambda: not run.token.pausing)
    panel.run_bar.button.click()
    assert panel.run_bar.button.text() == "Cancelling…"
    assert not panel.run_bar.button.isEnabled()
    qtbot.waitUntil(lambda: run.token.cancelled)


def test_what_was_learnt_sharpens_and_one_can_go_back(
    panel: TrainPanel, begin: Begin
) -> None:
    run = begin()
    for step in (10, 20):
        path = run.folder / "looks" / f"{step:08d}.npz"
        path.parent.mkdir(exist_ok=True)
        np.savez(
            path,
            crops=np.full((7, 1, 64, 64), 200, np.uint8),
            recon=np.full((7, 1, 64, 64), step, np.uint8),
            strips=np.zeros((3, 7, 1, 64, 64), np.uint8),
            latents=np.array([4, 1, 0]),
        )
        run.on_event(Step(step, 100, METRICS))
        run.on_event(Look(step, str(path)))
    show_runs(panel)
    looks = panel.view.looks
    assert looks.grid.titles == ["cells", "learnt", "z4", "z1", "z0"]
    assert looks.words.text() == "step 20"
    looks.slider.setValue(0)
    assert looks.words.text() == "step 10"
    panel.service.look()
    panel.refresh()
    assert looks.words.text() == "step 10"


def test_trouble_is_told_and_answered_with_one_click(
    panel: TrainPanel, mitosis: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = mitosis._bench
    request = RunRequest("train_encoder", {**SMALL, "batch": 256, "name": "big"})
    values = {"request": request.to_dict(), "config": {"batch": 256}}
    error = RuntimeError("CUDA out of memory. Tried to allocate 2 GiB")
    with (
        suppress(RuntimeError),
        running(bench.store, bench.folder, "encoder", "big", values, ignore) as run,
    ):
        tell(run, 20)
        raise error
    show_runs(panel)
    assert "too little memory" in panel.card.text.text()
    assert panel.card.property("kind") == "error"
    assert panel.card.button.text() == "Run with batch 128"
    assert not panel.card.details.isHidden()
    started: list[RunRequest] = []

    def start(asked: RunRequest, place: str) -> Any:
        started.append(asked)
        return mitosis.queue_run(asked)

    monkeypatch.setattr(panel.service, "start", start)
    panel.card.button.click()
    assert started[0].arguments["batch"] == 128
    assert "name" not in started[0].arguments
    assert mitosis.runs[0].state is RunState.FAILED


def test_two_runs_are_compared(panel: TrainPanel, begin: Begin) -> None:
    one = begin(name="one", config={"beta": 1.0, "batch": 32})
    two = begin(name="two", config={"beta": 9.0, "batch": 32})
    tell(one, 40)
    tell(two, 60)
    show_runs(panel)
    panel.list.choose([one.id, two.id])
    assert len(panel.chosen) == 2
    table = panel.view.table
    titles = [table.item(row, 0).text() for row in range(table.rowCount())]
    assert "beta" in titles
    assert "batch" not in titles
    assert "two" in panel.view.chart.legend_words().text()
    assert panel.view.looks.isHidden()


def test_trials_of_a_search_are_a_cloud(panel: TrainPanel, begin: Begin) -> None:
    run = begin("search", "study")
    for n, (weights, accuracy) in enumerate([(30, 0.9), (20, 0.8), (40, 0.7)]):
        metrics = {"weights": weights, "accuracy": accuracy, "value": 1.0, "stopped": 0}
        run.on_event(Trial(n, 20, {**metrics, "sparsity": 0.96}))
    show_runs(panel)
    assert not panel.view.cloud.isHidden()
    assert panel.view.chart.isHidden()
    edge = panel.view.cloud._front.getData()
    assert edge[0].tolist() == [20, 30]


def test_actions_name_note_delete_and_restore(
    panel: TrainPanel, mitosis: Any, qtbot: Any, tmp_path: Path
) -> None:
    bench = mitosis._bench
    request = RunRequest("train_encoder", SMALL)
    values = {"request": request.to_dict()}
    with (
        suppress(Cancelled),
        running(bench.store, bench.folder, "encoder", "short", values, ignore) as run,
    ):
        tell(run, 20)
        (run.folder / "checkpoint.json").write_text("{}")
        run.on_event(Checkpoint(20, ""))
        raise Cancelled
    show_runs(panel)
    assert "Cancelled at step 20, checkpoint kept" in panel.card.text.text()
    assert panel.run_bar.button.text() == "Go on"
    panel.actions_.rename("better")
    panel.actions_.note("too dim")
    assert (panel.chosen[0].name, panel.chosen[0].note) == ("better", "too dim")
    words = [action.text() for action in panel.actions_.menu().actions()]
    assert "Duplicate with changes…" in words
    panel.save_data(str(tmp_path / "curves.csv"))
    assert (tmp_path / "curves.csv").read_text().startswith("step,metric")
    panel.save_figure(str(tmp_path / "curves.png"))
    assert (tmp_path / "curves.png").stat().st_size > 1000
    panel.actions_.duplicate()
    assert panel.page == NEW
    assert panel._request().arguments["batch"] == 32
    show_runs(panel)
    panel.actions_.delete()
    assert panel.service.runs == []
    panel.actions_.restore()
    assert [shown.id for shown in panel.service.runs] == [run.id]


def test_heads_are_used_only_when_the_user_says_so(
    viewer: Any,
    dock: Callable[[type], Any],
    trained: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    session = get_session(viewer)
    session.project = trained
    panel = dock(TrainPanel)
    used: list[Any] = []
    monkeypatch.setattr(session.service(ScoreService), "run", used.append)
    show_runs(panel)
    assert "tiny is done" in panel.card.text.text()
    assert used == []
    assert panel.card.button.text() == "Use for scoring"
    panel.card.button.click()
    assert used == ["tiny"]


class _EndlessTraining:
    """Takes a few steps, then none until it is cancelled."""

    def __init__(self) -> None:
        self.closing = threading.Event()

    def __call__(self, *given: Any, run_dir: Path, **options: Any) -> None:
        on_event, token = options["on_event"], options["token"]
        for step in range(1, 6):
            on_event(Step(step, 100, METRICS))
        assert self.closing.wait(60)
        while not token.cancelled:
            pass
        (run_dir / "checkpoint.json").write_text("{}")
        on_event(Checkpoint(step + 1, ""))
        raise Cancelled


def test_a_run_in_the_window_is_cancelled_with_it_and_goes_on_later(
    panel: TrainPanel, mitosis: Any, qtbot: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    training = _EndlessTraining()
    monkeypatch.setattr("napari_cellsci.project.training.train", training)
    service = panel.service
    run = service.start(RunRequest("train_encoder", SMALL), HERE)
    log = service.log(run)
    qtbot.waitUntil(lambda: log.step > 3, timeout=60_000)
    panel.dispose()  # a closed panel leaves its run alone
    assert service.fresh(run).state is RunState.RUNNING
    training.closing.set()
    service.job._worker.quit()  # as napari does when it is closed
    qtbot.waitUntil(lambda: not service.job.state.busy, timeout=60_000)
    stopped = service.fresh(run)
    assert stopped.state is RunState.CANCELLED
    assert stopped.can_resume
    log.update()
    assert log.checkpoint == log.step + 1


@pytest.fixture
def started(mitosis: Any, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The runs that were to have a process of their own, and have none."""
    found: list[Any] = []

    class Process:
        def poll(self) -> None:
            return None

    def spawn(*runs: Any) -> Any:
        found.extend(runs)
        return Process()

    monkeypatch.setattr(mitosis, "start_run", spawn)
    return found


def test_a_run_in_its_own_process_is_started_and_watched(
    panel: TrainPanel, started: list[Any]
) -> None:
    panel.run_bar.button.click()
    assert panel.page == RUNS
    assert [run.id for run in started] == [panel.chosen[0].id]
    assert panel.chosen[0].state is RunState.QUEUED
    assert "Waiting to start" in panel.card.text.text()
    assert panel.chosen[0].request == panel._request()


def test_an_encoder_for_each_class_is_a_choice_once_enough_cells_are_labelled(
    panel: TrainPanel, mitosis: Any, started: list[Any]
) -> None:
    page = panel.setup_page
    assert page.cells.isHidden()
    mitosis.labels.set_many(range(10), "interphase")
    mitosis.labels.set_many(range(10, 18), "metaphase")
    panel.refresh()
    assert not page.cells.isHidden()
    keys = [page.cells.itemData(k) for k in range(page.cells.count())]
    assert keys == [ALL, None, "interphase", "metaphase", EACH]
    page.cells.chosen.emit("metaphase")
    assert panel._request().arguments["of_class"] == "metaphase"
    assert "--class metaphase" in (panel.command_line() or "")
    page.cells.chosen.emit(EACH)
    assert (panel.command_line() or "").endswith("--seed 0 --per-class")
    assert "project.train_encoder_per_class(preset='good'" in (
        panel.python_code() or ""
    )
    panel.run_bar.button.click()
    names = ["tcvae-good-interphase", "tcvae-good-metaphase"]
    assert [run.name for run in started] == names
    assert [run.id for run in panel.chosen] == [started[0].id]
    assert kind_of(started[1]) == "encoder of metaphase"
    panel.set_up_like(started[1])
    assert page.setup.of_class == "metaphase"
    page.goals.chosen.emit("heads2")
    assert page.cells.isHidden()


def test_an_estimate_is_shown_for_what_is_set_up_and_only_for_that(
    panel: TrainPanel, qtbot: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = Estimate(120.0, 0.1, 2**30, 4 * 2**30, 100)
    monkeypatch.setattr(
        "napari_cellsci.panels.train.service.estimate_apart",
        lambda folder, request, token: found,
    )
    panel.setup_page.measure.click()
    qtbot.waitUntil(lambda: panel.service.estimate is not None)
    assert "1.0 GB of 4.0 GB free" in panel.setup_page.cost.text()
    panel.setup_page.seed.setValue(3)
    assert "short trial" in panel.setup_page.cost.text()


def test_reopened_it_shows_what_is_under_way(
    viewer: Any, dock: Callable[[type], Any], mitosis: Any, begin: Begin
) -> None:
    run = begin()
    tell(run, 30)
    get_session(viewer).project = mitosis
    panel = dock(TrainPanel)
    assert panel.page == RUNS
    assert [shown.id for shown in panel.chosen] == [run.id]
    assert get_session(viewer).service(TrainService).busy
    get_session(viewer).project = None
    assert panel.service.runs == []


def test_reopened_it_looks_anew(
    viewer: Any, dock: Callable[[type], Any], mitosis: Any, begin: Begin
) -> None:
    get_session(viewer).project = mitosis
    assert get_session(viewer).service(TrainService).runs == []
    run = begin()  # of which no look of the service has told
    panel = dock(TrainPanel)
    assert panel.page == RUNS
    assert [shown.id for shown in panel.chosen] == [run.id]
    get_session(viewer).project = None


def test_classes_and_usable_cells_are_chosen_for_a_run(
    panel: TrainPanel, mitosis: Any
) -> None:
    page = panel.setup_page
    page.take(Setup("heads2"))
    assert page.classes.isHidden()
    assert page.usable.isHidden()
    for name in ("prometaphase", "debris"):
        mitosis.labels.add_class(name)
    mitosis.labels.leave_out([0, 4, 7])
    panel.refresh()
    assert not page.classes.isHidden()
    assert page.classes.classes == ("interphase", "metaphase")
    assert "3 filtered out" in page.usable.text()
    request = panel._request()
    assert not {"classes", "usable_only"} & set(request.arguments)
    ticks = {action.text(): action for action in page.classes.menu_.actions()}
    ticks["prometaphase"].trigger()
    page.usable.click()
    request = panel._request()
    chosen = ["interphase", "metaphase", "prometaphase"]
    assert request.arguments["classes"] == chosen
    assert request.arguments["usable_only"] is True
    assert "--classes interphase,metaphase,prometaphase" in request.command(
        mitosis.path
    )
    assert "--usable-only" in (panel.command_line() or "")
    assert Setup.of(request) == page.setup
    assert "prometaphase" in panel._why_not()["heads2"]
    assert "prometaphase" not in panel._why_not()["search"]
    panel.refresh()
    ticks = {action.text(): action for action in page.classes.menu_.actions()}
    ticks["prometaphase"].trigger()
    assert page.setup.classes is None
    page.take(Setup("encoder", usable_only=False))
    assert page.classes.isHidden()
    assert panel._request().arguments["usable_only"] is False
