from __future__ import annotations

import gc
import os
import subprocess
import sys
import threading
import weakref
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import tifffile

from napari_cellsci.errors import InputError
from napari_cellsci.panels._jobs import Job, JobState
from napari_cellsci.tasks import Cancelled, CancelToken, Log, OnEvent, Progress, Step

pytestmark = pytest.mark.gui


@pytest.fixture
def job(qtbot: Any) -> Job:
    return Job()


def settled(qtbot: Any, job: Job) -> None:
    def check() -> None:
        assert not job.state.busy

    qtbot.waitUntil(check, timeout=10_000)


def patient(on_event: OnEvent, token: CancelToken) -> str:
    """Work until cancelled."""
    waiting = threading.Event()
    while not token.cancelled:
        waiting.wait(0.002)
    token.raise_if_cancelled()
    return "never"


def test_a_result_arrives_in_the_main_thread(qtbot: Any, job: Job) -> None:
    seen: list[Any] = []

    def note(result: Any) -> None:
        seen.append((result, threading.current_thread() is threading.main_thread()))

    def work(on_event: OnEvent, token: CancelToken) -> int:
        assert threading.current_thread() is not threading.main_thread()
        on_event(Progress("Counting", 1, 2))
        on_event(Log("careful", "warning"))
        return 42

    job.succeeded.connect(note)
    job.start(work)
    settled(qtbot, job)
    assert seen == [(42, True)]
    assert job.state is JobState.DONE
    assert job.progress == Progress("Counting", 1, 2)
    assert job.warnings == ["careful"]


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("CUDA out of memory"),
        ValueError("odd"),
        KeyboardInterrupt(),
        OSError(28, "No space left on device"),
    ],
)
def test_every_error_is_shown_with_details(
    qtbot: Any, job: Job, error: BaseException
) -> None:
    def work(on_event: OnEvent, token: CancelToken) -> None:
        raise error

    job.start(work)
    settled(qtbot, job)
    assert job.state is JobState.FAILED
    assert job.failure is not None
    assert str(error).splitlines()[:1] == [] or str(error) in job.failure.message
    assert "Traceback" in job.failure.details
    job.reset()
    assert job.state is JobState.IDLE


def test_an_error_of_the_users_input_is_one_sentence(qtbot: Any, job: Job) -> None:
    def work(on_event: OnEvent, token: CancelToken) -> None:
        raise InputError("There are no tracks: give tracks.")

    job.start(work)
    settled(qtbot, job)
    assert job.failure is not None
    assert job.failure.message == "There are no tracks: give tracks."
    assert job.failure.details == ""


def test_cancelling_goes_through_its_state_and_keeps_no_result(
    qtbot: Any, job: Job
) -> None:
    states: list[JobState] = []

    def note() -> None:
        states.append(job.state)

    job.changed.connect(note)
    job.start(patient)
    job.cancel()
    settled(qtbot, job)
    kinds = list(dict.fromkeys(states))
    assert kinds == [JobState.RUNNING, JobState.CANCELLING, JobState.IDLE]
    assert "Cancelled" in job.message


def test_work_that_ignores_the_token_is_still_cancelled(qtbot: Any, job: Job) -> None:
    release, seen = threading.Event(), []

    def work(on_event: OnEvent, token: CancelToken) -> int:
        release.wait(10)
        return 1

    job.succeeded.connect(seen.append)
    job.start(work)
    job.cancel()
    release.set()
    settled(qtbot, job)
    assert seen == []
    assert job.state is JobState.IDLE


def test_only_the_latest_run_counts(qtbot: Any, job: Job) -> None:
    seen: list[Any] = []
    job.succeeded.connect(seen.append)
    job.start(patient)

    def second(on_event: OnEvent, token: CancelToken) -> str:
        return "second"

    job.start(second)
    settled(qtbot, job)
    assert seen == ["second"]


def test_a_result_of_changed_inputs_is_dropped(qtbot: Any, job: Job) -> None:
    inputs, go, seen = [1], threading.Event(), []
    job.succeeded.connect(seen.append)

    def work(on_event: OnEvent, token: CancelToken) -> int:
        go.wait(10)
        return 1

    def snapshot() -> tuple[int, ...]:
        return tuple(inputs)

    job.start(work, inputs=snapshot)
    inputs.append(2)
    go.set()
    settled(qtbot, job)
    assert seen == []
    assert "changed" in job.message


def test_floods_of_events_are_drained_and_training_steps_are_progress(
    qtbot: Any, job: Job
) -> None:
    told: list[int] = []

    def note() -> None:
        told.append(1)

    def work(on_event: OnEvent, token: CancelToken) -> None:
        for step in range(20_000):
            on_event(Step(step, 20_000))

    job.changed.connect(note)
    job.start(work)
    settled(qtbot, job)
    assert job.progress == Progress("Training", 19_999, 20_000)
    assert len(told) < 200


def test_closing_the_viewer_cancels_and_ends_the_thread(
    make_napari_viewer: Callable[..., Any], qtbot: Any
) -> None:
    from superqt.utils import FunctionWorker

    viewer = make_napari_viewer()
    job, ended = Job(), threading.Event()

    def work(on_event: OnEvent, token: CancelToken) -> None:
        try:
            patient(on_event, token)
        finally:
            ended.set()

    job.start(work)
    viewer.close()
    FunctionWorker.await_workers(10_000)
    assert ended.is_set()
    settled(qtbot, job)
    assert job.state is JobState.IDLE


def test_napari_is_told_what_is_under_way_and_keeps_nothing_of_it(
    make_napari_viewer: Callable[..., Any], qtbot: Any
) -> None:
    class Big:
        pass

    made: list[weakref.ref[Big]] = []

    def work(on_event: OnEvent, token: CancelToken) -> Big:
        with suppress(Cancelled):
            patient(on_event, token)
        result = Big()
        made.append(weakref.ref(result))
        return result

    viewer, job = make_napari_viewer(), Job()
    manager = viewer.window._task_status_manager
    job.start(work, words="the training of good-1")

    def told() -> bool:
        return manager.get_status() == [
            "napari-worker: Executing the training of good-1"
        ]

    qtbot.waitUntil(told)
    job.cancel()
    settled(qtbot, job)
    assert manager.get_status() == []
    gc.collect()
    assert made
    assert made[0]() is None


_ENDS = """
from qtpy.QtWidgets import QApplication
from napari_cellsci.panels._jobs import Job

def patient(on_event, token):
    print("begun", flush=True)
    while not token.cancelled:
        pass
    print("stopped", flush=True)

app = QApplication([])
job = Job()
job.start(patient)
"""


def test_a_script_that_ends_while_a_job_is_at_work_stops_it_first() -> None:
    ended = subprocess.run(
        [sys.executable, "-c", _ENDS],
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, "QT_QPA_PLATFORM": "offscreen"},
        check=True,
    )
    assert ended.stdout.split() == ["begun", "stopped"]
    assert ended.stderr == ""


def test_closing_the_viewer_while_cropping_leaves_no_half_made_project(
    make_napari_viewer: Callable[..., Any],
    mitosis_files: Path,
    tmp_path: Path,
    qtbot: Any,
) -> None:
    from superqt.utils import FunctionWorker

    from napari_cellsci.panels.cells.panel import CellsPanel
    from napari_cellsci.project import Project

    viewer = make_napari_viewer()
    panel = CellsPanel(viewer)
    viewer.window.add_dock_widget(panel)
    viewer.add_image(tifffile.imread(mitosis_files / "movie.tif"))
    viewer.add_labels(tifffile.imread(mitosis_files / "labels.tif"))
    panel.pixel_size.setValue(0.333)
    panel.path.setText(str(tmp_path / "made"))
    panel._on_path()
    panel.run()
    job = panel.service.job
    assert job.state.busy
    viewer.close()
    FunctionWorker.await_workers(30_000)
    settled(qtbot, job)
    left = os.listdir(tmp_path)
    assert left in ([], ["made"])
    if left:  # it was whole before it could be cancelled
        Project.open(tmp_path / "made").close()
