"""Long work in a thread: cancellable, reported at most 15 times a second.

Function workers only: a `RuntimeError` inside a generator worker is swallowed, and
torch's out-of-memory error is one.
"""

from __future__ import annotations

import atexit
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from queue import Empty, SimpleQueue
from typing import Any, TypeAlias

from psygnal import Signal
from qtpy.QtCore import QObject, QThreadPool, QTimer
from superqt.utils import FunctionWorker

from napari_cellsci.errors import InputError
from napari_cellsci.tasks import (
    Cancelled,
    CancelToken,
    Event,
    Log,
    OnEvent,
    Progress,
    Step,
)

DRAIN_MS = 67
Work: TypeAlias = Callable[[OnEvent, CancelToken], Any]
_WORDS = "work of a panel of Cellsci"
_UNDER_WAY: set[CancelToken] = set()
"""Tokens of the runs whose threads are at work."""


class JobState(Enum):
    """Where a job stands."""

    IDLE = "idle"
    RUNNING = "running"
    CANCELLING = "cancelling"
    DONE = "done"
    FAILED = "failed"

    @property
    def busy(self) -> bool:
        """Whether a thread is at work."""
        return self in (JobState.RUNNING, JobState.CANCELLING)


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a job failed: one sentence, and the details for a bug report."""

    message: str
    details: str = ""


@dataclass(slots=True)
class _Run:
    """One run: what it was asked, and what its thread leaves behind."""

    number: int
    token: CancelToken
    inputs: Any
    events: SimpleQueue[Event] = field(default_factory=SimpleQueue)
    result: Any = None
    failure: Failure | None = None
    cancelled: bool = False
    over: bool = False


class _TokenWorker(FunctionWorker):
    """A worker that napari can stop: quitting it cancels the token."""

    token: CancelToken | None = None

    def quit(self) -> None:
        if self.token is not None:
            self.token.cancel()
        super().quit()


class _Deed:
    """The work of a run, called once; its name is what napari says when it is closed.

    napari remembers every worker as long as its window lives, but not what it was given
    and what came of it.
    """

    def __init__(self, work: Work, run: _Run, words: str) -> None:
        self._given: tuple[Work, _Run] | None = (work, run)
        self._words = words

    def __call__(self) -> None:
        given, self._given = self._given, None
        if given is not None:
            _do(*given)

    def __str__(self) -> str:
        return self._words


class Job(QObject):
    """One kind of long work, at most one run at a time; outlives its panel.

    Starting it again cancels the run before, whose result is dropped. A result is also
    dropped if what it was computed from has changed meanwhile.

    Attributes
    ----------
    changed : Signal
        State, progress or message changed; in the main thread.
    succeeded : Signal
        Carries the result.
    """

    changed = Signal()
    succeeded = Signal(object)

    def __init__(self) -> None:
        super().__init__()
        self.state = JobState.IDLE
        self.progress: Progress | None = None
        self.message = ""
        self.warnings: list[str] = []
        self.failure: Failure | None = None
        self._run: _Run | None = None
        self._inputs: Callable[[], Any] | None = None
        self._count = 0
        self._started = self._stage_started = 0.0
        self._worker: Any = None
        self._timer = QTimer(self)
        self._timer.setInterval(DRAIN_MS)
        self._timer.timeout.connect(self._drain)

    def start(
        self,
        work: Work,
        inputs: Callable[[], Any] | None = None,
        words: str = _WORDS,
    ) -> int:
        """Run `work(on_event, token)` in a thread; return the number of the run.

        Parameters
        ----------
        work : callable
        inputs : callable, optional
            Returns what the work depends on; if that differs at the end, the result is
            stale and dropped.
        words : str
            What napari calls it when it asks whether to close the window.
        """
        from napari.qt.threading import create_worker

        if self._run is not None:
            self._run.token.cancel()
        self._count += 1
        run = _Run(self._count, CancelToken(), inputs() if inputs else None)
        self._run, self._inputs = run, inputs
        self.failure, self.progress, self.message = None, None, ""
        self.warnings = []
        self._started = self._stage_started = time.monotonic()
        _UNDER_WAY.add(run.token)
        deed = _Deed(work, run, words)
        worker = create_worker(deed, _worker_class=_TokenWorker)
        worker.token = run.token
        worker.finished.connect(self._on_finished)
        self._worker = worker
        self._set_state(JobState.RUNNING)
        self._timer.start()
        worker.start()
        return run.number

    def cancel(self) -> None:
        """Ask the run to stop; it is then "cancelling" until it has stopped."""
        if self._run is not None and self.state is JobState.RUNNING:
            self._run.token.cancel()
            self._set_state(JobState.CANCELLING)

    def reset(self) -> None:
        """Forget how the last run ended."""
        if not self.state.busy:
            self.failure, self.message = None, ""
            self._set_state(JobState.IDLE)

    def abandon(self) -> None:
        """Ask the run to stop; if there is none, forget how the last one ended."""
        self.cancel()
        if self.state is not JobState.CANCELLING:
            self.reset()

    @property
    def cancelling(self) -> bool:
        """Whether the run has been asked to stop and has not stopped yet."""
        return self.state is JobState.CANCELLING

    @property
    def ending(self) -> str:
        """How the last run ended if it came to nothing, else ""."""
        return self.message if self.state is JobState.IDLE else ""

    @property
    def elapsed(self) -> float:
        """Seconds since the start of the run."""
        return time.monotonic() - self._started

    @property
    def remaining(self) -> float | None:
        """Seconds the present stage will still take, None while unknown."""
        progress = self.progress
        spent = time.monotonic() - self._stage_started
        if progress is None or not progress.total or spent < 1 or progress.done <= 0:
            return None
        return spent * (progress.total - progress.done) / progress.done

    def _set_state(self, state: JobState) -> None:
        self.state = state
        self.changed.emit()

    def _drain(self) -> None:
        run = self._run
        if run is None:
            self._timer.stop()
            return
        news = False
        while True:
            try:
                event = run.events.get_nowait()
            except Empty:
                break
            news = True
            self._take(event)
        if news or self.state.busy:
            self.changed.emit()

    def _take(self, event: Event) -> None:
        if isinstance(event, Step):
            event = Progress("Training", event.step, event.total)
        if isinstance(event, Progress):
            if self.progress is None or self.progress.what != event.what:
                self._stage_started = time.monotonic()
            self.progress = event
        elif isinstance(event, Log):
            self.message = event.message
            if event.level == "warning":
                self.warnings.append(event.message)

    def _on_finished(self) -> None:
        run = self._run
        if run is None or not run.over:  # a run that was superseded has finished
            return
        self._drain()
        self._timer.stop()
        self._worker = self._run = None
        if run.cancelled or (run.token.cancelled and run.failure is None):
            self.message = "Cancelled; nothing was changed."
            self._set_state(JobState.IDLE)
        elif run.failure is not None:
            self.failure = run.failure
            self._set_state(JobState.FAILED)
        elif self._inputs is not None and self._inputs() != run.inputs:
            self.message = "The inputs changed meanwhile; this result was dropped."
            self._set_state(JobState.IDLE)
        else:
            self._set_state(JobState.DONE)
            self.succeeded.emit(run.result)


def _do(work: Work, run: _Run) -> None:
    """Do the work in the thread; everything it can end in is left in `run`."""
    try:
        run.result = work(run.events.put, run.token)
    except Cancelled:
        run.cancelled = True
    except InputError as error:
        run.failure = Failure(str(error))
    except BaseException as error:  # noqa: BLE001 - shown on the panel's error card
        run.failure = Failure(_sentence(error), traceback.format_exc())
    finally:
        run.over = True
        _UNDER_WAY.discard(run.token)


def _stop_all() -> None:
    """Cancel all work and wait for it: Python ends, and a thread would outlive Qt."""
    for token in list(_UNDER_WAY):
        token.cancel()
    if _UNDER_WAY:
        QThreadPool.globalInstance().waitForDone(-1)


atexit.register(_stop_all)


def _sentence(error: BaseException) -> str:
    text = str(error).strip().splitlines()
    return f"{type(error).__name__}: {text[0]}" if text else type(error).__name__
