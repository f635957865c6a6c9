"""Whatever happens to a run in the window, and whenever, it is told and can go on."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from napari_cellsci.panels.train.panel import RUNS, TrainPanel
from napari_cellsci.panels.train.service import HERE, TrainService
from napari_cellsci.project.run_pulse import RunToken
from napari_cellsci.project.run_request import RunRequest
from napari_cellsci.project.run_state import RunState
from napari_cellsci.project.worker import perform
from napari_cellsci.tasks import CancelToken, Event, Step
from napari_cellsci.viewer.session import get_session

STEPS = 8
REQUEST = RunRequest(
    "train_encoder",
    {
        "preset": "quick",
        "steps": STEPS,
        "batch": 32,
        "latent": 6,
        "filters": [4, 4, 8, 8],
        "hidden": 16,
        "device": "cpu",
        "log_every": 1,
        "checkpoint_every": 3,
    },
)
WAIT = 120_000


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    """Losses agree to the last bit at one number of threads; `_threads` undoes it."""
    torch.set_num_threads(1)


class Moment:
    """Carries runs out in the window's thread; the first waits, or fails, at a step."""

    def __init__(self, step: int, error: BaseException | None = None) -> None:
        self.step, self.error = step, error
        self.reached, self.over = threading.Event(), threading.Event()
        self.heard = threading.Event()

    def __call__(self, folder: Path, id_: str, *, token: CancelToken) -> None:
        perform(folder, id_, self._listen, token)

    def _listen(self, event: Event) -> None:
        if not isinstance(event, Step) or self.reached.is_set():
            return
        if event.step == self.step:
            self.reached.set()
            if self.error is not None:
                raise self.error
            assert self.over.wait(60)

    def overhear(self, patch: pytest.MonkeyPatch) -> None:
        """Note that the run has heard that it is to stop."""
        cancel = RunToken.cancel

        def tell(token: RunToken) -> None:
            cancel(token)
            self.heard.set()

        patch.setattr(RunToken, "cancel", tell)


def losses(service: TrainService, id_: str) -> dict[str, list[float]]:
    project = service.project
    assert project is not None
    return {k: list(c.y) for k, c in project.run_log(id_).curves.items()}


def settled(qtbot: Any, service: TrainService) -> None:
    qtbot.waitUntil(lambda: not service.job.state.busy, timeout=WAIT)


def opened(dock: Callable[[type], Any]) -> TrainPanel:
    panel: TrainPanel = dock(TrainPanel)
    panel.setup_page.places.setCurrentIndex(panel.setup_page.places.findData(HERE))
    return panel


def closed(viewer: Any, panel: TrainPanel) -> None:
    viewer.window.remove_dock_widget(panel)
    panel.deleteLater()


def cancel(panel: TrainPanel, moment: Moment) -> None:
    panel.tabs.setCurrentIndex(RUNS)
    panel.service.look()
    assert panel.run_bar.button.text() == "Cancel"
    panel.run_bar.button.click()
    assert panel.run_bar.button.text() == "Cancelling…"
    assert moment.heard.wait(60)


def pause_and_cancel(panel: TrainPanel, moment: Moment) -> None:
    panel.tabs.setCurrentIndex(RUNS)
    panel.service.look()
    panel.run_bar.second.click()
    assert panel.chosen[0].state is RunState.PAUSED
    assert panel.run_bar.second.text() == "Go on"
    cancel(panel, moment)


def quit_napari(panel: TrainPanel, moment: Moment) -> None:
    """Do what napari does with its workers when it is closed."""
    panel.service.job._worker.quit()


DEEDS: dict[str, Callable[[TrainPanel, Moment], None] | BaseException | None] = {
    "cancel": cancel,
    "pause": pause_and_cancel,
    "quit": quit_napari,
    "RuntimeError": RuntimeError("CUDA out of memory. Tried to allocate 2 GiB"),
    "KeyboardInterrupt": KeyboardInterrupt(),
    "close panel": None,
}


@pytest.fixture
def straight(viewer: Any, mitosis: Any, qtbot: Any) -> dict[str, list[float]]:
    """What a run tells that nothing disturbs."""
    get_session(viewer).project = mitosis
    service = get_session(viewer).service(TrainService)
    run = service.start(REQUEST, HERE)
    settled(qtbot, service)
    return losses(service, run.id)


@settings(
    deadline=None,
    max_examples=3,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(step=st.integers(1, STEPS - 1), deed=st.sampled_from(sorted(DEEDS)))
@example(step=1, deed="quit")
def test_a_run_is_disturbed_at_any_step_and_goes_on_as_if_it_had_not_been(
    viewer: Any,
    dock: Callable[[type], Any],
    straight: dict[str, list[float]],
    qtbot: Any,
    step: int,
    deed: str,
) -> None:
    how = DEEDS[deed]
    moment = Moment(step, how if isinstance(how, BaseException) else None)
    panel = opened(dock)
    service = panel.service
    known = len(service.project.encoders)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("napari_cellsci.panels.train.service.perform", moment)
        moment.overhear(patch)
        run = service.start(REQUEST, HERE)
        qtbot.waitUntil(moment.reached.is_set, timeout=WAIT)
        if callable(how):
            how(panel, moment)
        closed(viewer, panel)
        panel = opened(dock)
        if how is None:  # it was left alone
            assert panel.page == RUNS
            assert [shown.id for shown in panel.chosen] == [run.id]
        moment.over.set()
        settled(qtbot, service)
    panel.tabs.setCurrentIndex(RUNS)
    panel.list.choose([run.id])
    panel.service.look()
    panel.refresh()
    state = panel.chosen[0].state
    if how is None:
        assert state is RunState.DONE
    else:
        assert len(service.project.encoders) == known
        failed = isinstance(how, RuntimeError)
        assert state is (RunState.FAILED if failed else RunState.CANCELLED)
        said = panel.card.text.text()
        assert ("too little memory" if failed else f"at step {step}") in said
        assert panel.run_bar.button.text() in ("Go on", "Run again")
        panel.run_bar.button.click()
        assert service.job.state.busy
        settled(qtbot, service)
        panel.service.look()
        panel.refresh()
    assert " is done: " in panel.card.text.text()
    assert losses(service, run.id) == straight
    assert len(service.project.encoders) == known + 1
    closed(viewer, panel)
