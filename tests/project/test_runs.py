"""The contract of runs: kept alike however they are started, found by whoever looks."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from napari_cellsci.errors import Collapsed, DataChanged, Diverged, InputError
from napari_cellsci.project import Project, worker
from napari_cellsci.project import training as training_module
from napari_cellsci.project.run_estimate import estimate
from napari_cellsci.project.run_files import write_beat
from napari_cellsci.project.run_log import RunLog
from napari_cellsci.project.run_pulse import RunToken
from napari_cellsci.project.run_request import RunRequest
from napari_cellsci.project.run_state import RunState
from napari_cellsci.project.run_trouble import Trouble, advise, sentence_of, trouble_of
from napari_cellsci.project.runs import adopting
from napari_cellsci.project.worker import perform
from napari_cellsci.representation.pictures import Pictures
from napari_cellsci.tasks import Cancelled, CancelToken, Event, Step

SMALL: dict[str, Any] = {
    "preset": "quick",
    "steps": 12,
    "batch": 32,
    "latent": 6,
    "filters": [4, 4, 8, 8],
    "hidden": 16,
    "device": "cpu",
    "log_every": 1,
    "checkpoint_every": 5,
}
REQUEST = RunRequest("train_encoder", SMALL, threads=1)


def at_step(step: int, deed: Callable[[], None]) -> Callable[[Event], None]:
    """Listen to a run and do something once at a step."""

    def listen(event: Event) -> None:
        if isinstance(event, Step) and event.step == step:
            deed()

    return listen


def losses(log: RunLog) -> dict[str, list[float]]:
    return {name: list(curve.y) for name, curve in log.curves.items()}


@pytest.fixture
def heard(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """Set once a run has heard that it is to stop."""
    event, cancel = threading.Event(), RunToken.cancel

    def tell(token: RunToken) -> None:
        cancel(token)
        event.set()

    monkeypatch.setattr(RunToken, "cancel", tell)
    return event


@pytest.fixture
def one_thread() -> Iterator[None]:
    """As many as requests here ask for: losses agree to the last digit."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def finished(project: Project, one_thread: None) -> RunLog:
    """What an uninterrupted run tells."""
    run = project.queue_run(REQUEST)
    perform(project.path, run.id)
    return project.run_log(run.id)


def test_a_run_keeps_everything_it_depends_on(
    project: Project, finished: RunLog
) -> None:
    run = project.run("last")
    assert run.state is RunState.DONE
    assert run.request == REQUEST.changed(seed=0)
    assert run.config["config"]["seed"] == 0
    assert {"torch", "threads", "python"} <= set(run.config["versions"])
    assert run.config["hardware"]["cores"] == os.cpu_count()
    assert run.config["data"]["n_cells"] == len(project)
    assert json.loads((run.folder / "config.json").read_text()) == run.config
    assert project.made_by(run.id) == "quick-1"
    assert finished.step == finished.total == 12
    assert {"loss", "recon", "mi", "tc", "dw", "gaussian_tc", "variety"} <= set(
        finished.curves
    )
    pictures = Pictures.load(finished.looks[-1].path)
    assert pictures.crops.shape == pictures.recon.shape == (7, 1, 64, 64)
    assert pictures.strips.shape == (3, 7, 1, 64, 64)
    assert pictures.crops.std() > 10


def test_a_run_asked_for_again_tells_the_same(
    project: Project, finished: RunLog
) -> None:
    request = project.run("last").request
    assert request is not None
    again = project.queue_run(request.again())
    perform(project.path, again.id)
    assert losses(project.run_log(again.id)) == losses(finished)
    assert project.compare_runs(project.runs[0].id, again.id) == {}
    other = project.queue_run(request.again(beta=3.0))
    assert project.compare_runs(again.id, other.id)["beta"] == [10.0, 3.0]


def test_what_was_cancelled_from_elsewhere_goes_on_where_it_was(
    project: Project, finished: RunLog, heard: threading.Event
) -> None:
    run = project.queue_run(REQUEST)
    with Project.open(project.path) as elsewhere:

        def cancel() -> None:
            elsewhere.cancel_run(run.id)
            assert elsewhere.run(run.id).state is RunState.CANCELLING
            assert heard.wait(60)

        with pytest.raises(Cancelled):
            perform(project.path, run.id, at_step(7, cancel))
        stopped = elsewhere.run(run.id)
        assert stopped.state is RunState.CANCELLED
        assert stopped.can_resume
        assert elsewhere.run_log(run.id).checkpoint == 7
    with pytest.raises(InputError, match="cancelled: it cannot be paused"):
        project.pause_run(run.id)
    project.queue_again(run.id)
    perform(project.path, run.id)
    assert losses(project.run_log(run.id)) == losses(finished)
    assert project.run(run.id).state is RunState.DONE
    with pytest.raises(InputError, match="done: it cannot be gone on with"):
        project.queue_again(run.id)


@settings(
    deadline=None,
    max_examples=6,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    step=st.integers(1, 11),
    error=st.sampled_from(
        [RuntimeError("CUDA out of memory"), KeyboardInterrupt(), OSError("odd")]
    ),
)
def test_whatever_ends_a_run_at_whatever_step_it_is_told_and_can_go_on(
    project: Project, step: int, error: BaseException
) -> None:
    def fail() -> None:
        raise error

    before = {info.name for info in project.encoders}
    run = project.queue_run(REQUEST)
    with pytest.raises(type(error)):
        perform(project.path, run.id, at_step(step, fail))
    stopped = project.run(run.id)
    interrupted = isinstance(error, KeyboardInterrupt)
    assert stopped.state is (RunState.CANCELLED if interrupted else RunState.FAILED)
    assert {info.name for info in project.encoders} == before
    ended = project.run_log(run.id).ended
    assert ended is not None
    assert ended.get("trouble") == (None if interrupted else str(trouble_of(error)))
    project.queue_again(run.id)
    perform(project.path, run.id)
    log = project.run_log(run.id)
    assert log.curves["loss"].x == list(range(1, 13))
    assert project.run(run.id).state is RunState.DONE


def test_a_run_that_cannot_begin_says_why(project: Project) -> None:
    run = project.queue_run(RunRequest("train_encoder", {"preset": "quicker"}))
    with pytest.raises(InputError):
        perform(project.path, run.id)
    failed = project.run(run.id)
    assert failed.state is RunState.FAILED
    assert failed.message is not None
    assert "no preset 'quicker'" in failed.message
    waiting = project.queue_run(REQUEST)
    project.cancel_run(waiting.id)
    assert project.run(waiting.id).state is RunState.CANCELLED
    with pytest.raises(Cancelled):
        perform(project.path, waiting.id)
    assert project.run(waiting.id).state is RunState.CANCELLED
    with adopting(waiting.id), pytest.raises(Cancelled):
        REQUEST.carry_out(project, print, None)
    assert project.run(waiting.id).state is RunState.CANCELLED


def test_nobody_takes_a_run_in_hand_that_another_has(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = project.queue_run(REQUEST)
    seen: list[str] = []

    def try_too() -> None:
        with (
            Project.open(project.path) as elsewhere,
            pytest.raises(InputError, match="running"),
        ):
            elsewhere.train_encoder(resume=run.id)
        seen.append("refused")

    perform(project.path, run.id, at_step(3, try_too))
    assert seen == ["refused"]
    assert project.run(run.id).state is RunState.DONE


def test_a_run_that_was_taken_over_keeps_out_of_the_way(
    project: Project, monkeypatch: pytest.MonkeyPatch, heard: threading.Event
) -> None:
    monkeypatch.setattr("napari_cellsci.project.run_pulse.BEAT_SECONDS", 0.0)
    run = project.queue_run(REQUEST)

    def take_over() -> None:
        for _ in range(60):  # the run's own beat may be on its way to the disk
            write_beat(run.folder, "somebody else")
            if heard.wait(1):
                return

    with pytest.raises(Cancelled):
        perform(project.path, run.id, at_step(4, take_over))
    assert project.run(run.id).state is RunState.RUNNING  # in the other's hands
    assert project.run_log(run.id).ended is None


@pytest.mark.usefixtures("one_thread")
def test_a_run_in_another_process_is_found_killed_and_gone_on_with(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    request = REQUEST.changed(steps=40, log_every=1, checkpoint_every=2)
    run = project.queue_run(request)
    process = project.start_run(run)
    log = RunLog(run.folder)
    while log.step < 6:
        with suppress(subprocess.TimeoutExpired):
            code = process.wait(0.05)
            pytest.fail(f"{code}: {(run.folder / 'output.txt').read_text()}")
        log.update()
    with Project.open(project.path) as reopened:
        assert reopened.run("last").state is RunState.RUNNING
        project.pause_run(run.id)
        assert reopened.run(run.id).state is RunState.PAUSED
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    killed = project.run(run.id)
    assert killed.state is RunState.INTERRUPTED
    assert killed.can_resume
    again = project.start_run(project.queue_again(run.id))
    assert again.wait() == 0, (run.folder / "output.txt").read_text()
    assert project.run(run.id).state is RunState.DONE
    straight = project.queue_run(request)
    perform(project.path, straight.id)
    assert losses(project.run_log(run.id)) == losses(project.run_log(straight.id))


def test_runs_in_one_process_follow_one_another_and_one_that_fails_is_no_hindrance(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(signal, "signal", lambda number, deed: None)
    odd = project.queue_run(RunRequest("train_encoder", {"preset": "quicker"}))
    stopped = project.queue_run(REQUEST)
    project.cancel_run(stopped.id)
    well = project.queue_run(REQUEST.changed(steps=2))
    ids = [odd.id, stopped.id, well.id]
    assert worker.main([str(project.path), *ids]) == 130
    assert [project.run(id_).state for id_ in ids] == [
        RunState.FAILED,
        RunState.CANCELLED,
        RunState.DONE,
    ]


def test_heads_on_latents_work_on_one_core_unless_more_are_asked_for() -> None:
    threads = {
        (verb, scheme): RunRequest(verb, {"scheme": scheme}).usual_threads
        for verb, scheme in [("train_encoder", 0), ("train_head", 1), ("train_head", 3)]
    }
    assert list(threads.values()) == [None, None, 1]
    assert RunRequest("train_head", {"scheme": 3}, 4).usual_threads == 4


def test_a_token_waits_while_paused_and_hears_a_cancel_then() -> None:
    outer = CancelToken()
    token = RunToken(outer)
    assert not token.cancelled
    token.pause()
    assert token.pausing
    answers: list[bool] = []
    thread = threading.Thread(target=lambda: answers.append(token.cancelled))
    thread.start()
    thread.join(0.05)
    assert not answers
    token.go_on()
    thread.join()
    assert answers == [False]
    token.pause()
    outer.cancel()
    assert token.cancelled
    assert not token.pausing


def test_runs_have_names_notes_and_a_bin(project: Project) -> None:
    run = project.queue_run(REQUEST)
    project.rename_run(run.id, "  a first\n look ")
    project.note_run("a first look", "too few cells")
    found = project.run(run.id[-4:])
    assert (found.name, found.note) == ("a first look", "too few cells")
    with pytest.raises(InputError, match="cancel it first"):
        project.delete_run(run.id)
    project.cancel_run(run.id)
    with pytest.raises(Cancelled):
        perform(project.path, run.id)
    project.delete_run(run.id)
    assert project.runs == []
    assert [binned.id for binned in project.binned_runs] == [run.id]
    with pytest.raises(InputError, match="no run"):
        project.run(run.id)
    project.restore_run(run.id)
    assert project.run("last").id == run.id
    with pytest.raises(InputError, match="at least one letter"):
        project.rename_run(run.id, " ")


def test_heads_tell_how_each_model_does(ready: Project) -> None:
    asked = {"scheme": 3, "mode": "paper", "models": 2, "min_steps": 400, "epochs": 1}
    asked |= {"interval": 40, "folds": 2}
    run = ready.queue_run(RunRequest("train_head", asked, 1))
    bundle = perform(ready.path, run.id)
    log = ready.run_log(run.id)
    accuracy, weights = log.each["held_out"], log.each["weights"]
    assert len(accuracy) == len(weights) == 2
    assert all(0 <= value <= 1 for curve in accuracy for value in curve.y)
    assert weights[0].y[0] > weights[0].y[-1]
    assert log.changes
    assert all(change.dropped >= 0 for change in log.changes)
    assert "hardware" not in bundle.record
    assert ready.made_by(run.id) == bundle.name
    assert log.curves["loss"].x[-1] == log.total


def test_stages_of_heads_follow_one_another_and_half_a_line_is_passed_over(
    tmp_path: Path,
) -> None:
    place = tmp_path / "events.jsonl"
    at = "2026-01-01T00:00:0{}+00:00"

    def line(second: int, **values: Any) -> str:
        return json.dumps({"at": at.format(second), **values}) + "\n"

    started = line(0, event="Started", resumed=False)
    steps = [
        line(
            second,
            event="Step",
            step=step,
            total=30,
            metrics={"loss": 1.0},
            each={"held_out": [0.5, None]},
        )
        for second, step in ((1, 1), (2, 30), (3, 1), (5, 21))
    ]
    place.write_text(started + "".join(steps) + '{"at": "2026')
    log = RunLog(tmp_path)
    assert log.update()
    assert log.stages == [30]
    assert log.curves["loss"].x == [1, 30, 31, 51]
    assert log.remaining == pytest.approx(0.1 * 9)
    assert not log.update()


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (
            RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory"),
            "memory",
        ),
        (MemoryError(), "memory"),
        (Diverged("Training diverged"), "diverged"),
        (Collapsed("nothing"), "collapsed"),
        (OSError(errno.ENOSPC, "No space left on device"), "disk"),
        (DataChanged("other data"), "data"),
        (OSError('[WinError 1114] Error loading "torch\\lib\\c10.dll"'), "library"),
        (InputError("no"), "input"),
        (ZeroDivisionError(), "defect"),
    ],
)
def test_trouble_is_told_apart_and_in_words(error: Exception, kind: str) -> None:
    assert trouble_of(error) == kind
    assert sentence_of(error)
    advice = advise(kind, {"batch": 256, "learning_rate": 1e-3, "beta": 10.0})
    assert (advice is None) == (kind in ("input", "defect"))


def test_advice_can_be_taken_with_one_click() -> None:
    memory = advise("memory", {"batch": 256})
    assert memory is not None
    assert (memory.words, memory.changes) == ("Run with batch 128", {"batch": 128})
    least = advise("memory", {"batch": 8})
    assert least is not None
    assert not least.words
    rate = advise("diverged", {"learning_rate": 1e-3})
    assert rate is not None
    assert rate.changes == {"learning_rate": 3e-4}
    beta = advise("collapsed", {"beta": 10.0})
    assert beta is not None
    assert beta.changes == {"beta": 3.3}
    assert advise("collapsed", {"beta": 1.0}).changes == {}  # type: ignore[union-attr]
    assert advise("nonsense", {}) is None
    assert {kind for kind in Trouble if advise(kind, {}) is None} == {"input", "defect"}


def test_a_full_disk_ends_a_run_with_its_own_words(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*args: object, **kwargs: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(training_module, "train", full)
    run = project.queue_run(REQUEST)
    with pytest.raises(OSError, match="No space"):
        perform(project.path, run.id)
    failed = project.run(run.id)
    assert failed.message is not None
    assert "disk is full" in failed.message


@pytest.mark.parametrize(
    ("settings_", "stop"),
    [
        ({"scheme": 2, "models": 2, "min_steps": 400, "epochs": 1}, 201),
        ({"scheme": 3, "mode": "paper", "min_steps": 400, "interval": 40}, 201),
        ({"scheme": 1, "steps": 20, "epochs": 1, "batch": 16, "folds": 2}, 30),
    ],
    ids=["dense", "sparse", "cnn"],
)
def test_heads_go_on_where_they_were(
    ready: Project, settings_: dict[str, Any], stop: int
) -> None:
    asked = {"models": 2, "epochs": 1, **settings_}
    straight = ready.queue_run(RunRequest("train_head", asked, 1))
    expected = perform(ready.path, straight.id)
    run = ready.queue_run(RunRequest("train_head", asked, 1))
    token = CancelToken()
    with pytest.raises(Cancelled):
        perform(ready.path, run.id, at_step(stop, token.cancel), token)
    assert ready.run_log(run.id).checkpoint is not None
    ready.queue_again(run.id)
    bundle = perform(ready.path, run.id)
    own, other = bundle.heads.members.state_dict(), expected.heads.members.state_dict()
    assert all((own[name] == other[name]).all() for name in other)
    told, whole = ready.run_log(run.id), ready.run_log(straight.id)
    assert told.stages == []
    assert told.curves["loss"].x == whole.curves["loss"].x
    assert told.curves["loss"].y == whole.curves["loss"].y


@pytest.mark.parametrize(
    "request_",
    [
        RunRequest("train_encoder", {**SMALL, "steps": 5_000, "name": "never"}),
        RunRequest("train_head", {"scheme": 2, "models": 2, "min_steps": 90_000}),
        RunRequest("search", {"trials": 40, "runs": 2, "steps": 4_000}),
    ],
    ids=["encoder", "heads", "search"],
)
def test_an_estimate_is_made_of_a_short_trial_and_nothing_is_kept(
    ready: Project, request_: RunRequest
) -> None:
    before = [run.id for run in ready.runs]
    found = estimate(ready, request_, seconds=0.2)
    assert found.seconds > 0.2
    assert found.memory > 10_000_000
    assert found.steps > 100
    assert [run.id for run in ready.runs] == before
    with pytest.raises(InputError, match="no preset"):
        estimate(ready, RunRequest("train_encoder", {"preset": "none"}))
