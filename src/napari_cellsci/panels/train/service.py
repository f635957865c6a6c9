"""Runs of the open project: started and watched, with the panel or without it."""

from __future__ import annotations

import sqlite3
import subprocess
import time
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from psygnal import Signal
from qtpy.QtCore import QObject, QTimer

from napari_cellsci.errors import InputError, ProjectError
from napari_cellsci.panels._jobs import Job, JobState
from napari_cellsci.project.run_estimate import Estimate, estimate_apart
from napari_cellsci.project.run_log import RunLog
from napari_cellsci.project.run_request import RunRequest
from napari_cellsci.project.run_state import RunState
from napari_cellsci.project.runs import RunInfo
from napari_cellsci.project.worker import perform
from napari_cellsci.tasks import CancelToken, OnEvent

if TYPE_CHECKING:
    from napari_cellsci.project import Project
    from napari_cellsci.viewer.session import Session

WATCH_MS = 250
_IDLE_SECONDS = 2.0
"""How often somebody else's runs are looked for while none is under way."""
OWN, HERE = "process", "window"
"""Where a run goes on: in a process of its own, or in a thread of the window."""


class TrainService:
    """Starts runs and follows all runs of the project, whoever started them.

    Everything is read from the folders of the runs, so that a run in a thread, in a
    process of its own, on the command line or in another window look alike.

    Parameters
    ----------
    session : Session

    Attributes
    ----------
    runs : list of RunInfo
        Newest first.
    job : Job
        The run in a thread of this window.
    estimating : Job
    estimate : Estimate, optional
        Of what was last asked about.
    changed : Signal
        A run, or the list of them, has changed.
    finished : Signal
        A run that was under way is done; carries it.
    """

    changed = Signal()
    finished = Signal(object)

    def __init__(self, session: Session) -> None:
        self._session = session
        self.runs: list[RunInfo] = []
        self.job, self.estimating = Job(), Job()
        self.estimate: Estimate | None = None
        self._logs: dict[str, RunLog] = {}
        self._children: list[subprocess.Popen[bytes]] = []
        self._bars: dict[str, Any] = {}
        self._looked = 0.0
        self._owner = QObject()
        self._timer = QTimer(self._owner)
        self._timer.setInterval(WATCH_MS)
        self._timer.timeout.connect(self.watch)
        self.estimating.succeeded.connect(self._on_estimate)
        self.job.changed.connect(self._on_job)
        session.project_changed.connect(self._on_project)
        self._on_project()

    @property
    def project(self) -> Project | None:
        """The open project."""
        return self._session.project

    def log(self, run: RunInfo) -> RunLog:
        """Return what a run has told so far."""
        if run.id not in self._logs:
            self._logs[run.id] = RunLog(run.folder)
            self._logs[run.id].update()
        return self._logs[run.id]

    def find(self, id_: str | None) -> RunInfo | None:
        """Return a run by its id, None if it is gone."""
        return next((run for run in self.runs if run.id == id_), None)

    @property
    def busy(self) -> list[RunInfo]:
        """The runs that are under way."""
        return [run for run in self.runs if run.state.busy]

    def start(self, request: RunRequest, place: str = OWN) -> RunInfo:
        """Start a run.

        Parameters
        ----------
        request : RunRequest
        place : {"process", "window"}

        Raises
        ------
        InputError
            If the window is busy with another one, or the project cannot be written.
        """
        project = self._open(place)
        return self._carry_out(project, [project.queue_run(request)], place)[0]

    def start_each(self, request: RunRequest, place: str = OWN) -> list[RunInfo]:
        """Start a run for each class, one after another; newest first.

        Raises
        ------
        InputError
            As `start`; or if too few cells are labelled.
        """
        project = self._open(place)
        requests = project.requests_per_class(request)
        runs = [project.queue_run(own) for own in requests]
        return self._carry_out(project, runs, place)[::-1]

    def resume(self, run: RunInfo, place: str = OWN) -> RunInfo:
        """Go on with a run that was stopped.

        Raises
        ------
        InputError
            As `start`; or if it cannot be gone on with.
        """
        project = self._open(place)
        return self._carry_out(project, [project.queue_again(run.id)], place)[0]

    def _open(self, place: str) -> Project:
        project = self.project
        if project is None:
            raise InputError("Make or open a project in Cells first.")
        if place == HERE and self.job.state.busy:
            raise InputError(
                "This window is training already: cancel that run, or let this one "
                "have its own process."
            )
        return project

    def _carry_out(
        self, project: Project, runs: list[RunInfo], place: str
    ) -> list[RunInfo]:
        if place == HERE:
            names = ", ".join(run.name or run.id for run in runs)
            words = f"the training of {names}, which keeps its checkpoint"
            ids = [run.id for run in runs]
            self.job.start(partial(_perform, project.path, ids), words=words)
        else:
            self._children.append(project.start_run(*runs))
        self.look()
        return runs

    def cancel(self, run: RunInfo) -> None:
        """Ask a run to stop at its next safe point."""
        self._ask(run, "cancel_run")

    def pause(self, run: RunInfo) -> None:
        """Let a run wait."""
        self._ask(run, "pause_run")

    def unpause(self, run: RunInfo) -> None:
        """Let a run that waits go on."""
        self._ask(run, "unpause_run")

    def rename(self, run: RunInfo, name: str) -> None:
        """Give a run another name."""
        self._ask(run, "rename_run", name)

    def note(self, run: RunInfo, text: str) -> None:
        """Write a note beside a run."""
        self._ask(run, "note_run", text)

    def delete(self, run: RunInfo) -> None:
        """Put a run in the bin."""
        self._ask(run, "delete_run")

    def restore(self, run: RunInfo) -> None:
        """Take a run out of the bin."""
        self._ask(run, "restore_run")

    def _ask(self, run: RunInfo, verb: str, *values: str) -> None:
        if self.project is not None:
            getattr(self.project, verb)(run.id, *values)
            self.look()

    def measure(self, request: RunRequest) -> None:
        """Estimate what a request will cost, in a process of its own."""
        project = self.project
        if project is not None:
            self.estimate = None
            self.estimating.start(partial(_estimate, project.path, request))

    def watch(self) -> None:
        """Take in what is new; called by a timer."""
        # Unless asked, a process that has ended would seem to live. One that was
        # cancelled may take a moment to end, when its run already goes on in another.
        self._children = [child for child in self._children if child.poll() is None]
        if self.busy or time.monotonic() - self._looked > _IDLE_SECONDS:
            self.look()

    def look(self) -> None:
        """Read how all runs stand, and what those under way have told."""
        project = self.project
        self._looked = time.monotonic()
        before = {run.id: run.state for run in self.runs}
        if project is None:
            fresh: list[RunInfo] = []
        else:
            try:
                fresh = project.runs_now()[::-1]
            except (ProjectError, sqlite3.Error):
                return  # somebody writes just now; the next look will tell
        news = fresh != self.runs
        self.runs = fresh
        for run in fresh:
            was = before.get(run.id)
            if run.state.busy or (was is not None and was.busy):
                news = self.log(run).update() or news
        self._show_progress()
        if news:
            self.changed.emit()
        for run in fresh:
            was = before.get(run.id)
            if was is not None and was.busy and run.state is RunState.DONE:
                self.finished.emit(run)

    def _show_progress(self) -> None:
        """Show what is under way in napari's activity dock as well."""
        from napari.utils import progress

        busy = {run.id: run for run in self.busy}
        for id_ in [id_ for id_ in self._bars if id_ not in busy]:
            self._bars.pop(id_).close()
        for id_, run in busy.items():
            log = self.log(run)
            if id_ not in self._bars and log.total:
                name = run.name or run.kind
                self._bars[id_] = progress(total=log.total, desc=f"Training {name}")
            bar = self._bars.get(id_)
            if bar is not None and log.step > bar.n:
                bar.update(log.step - bar.n)

    def _on_job(self) -> None:
        if not self.job.state.busy:
            self.look()

    def _on_estimate(self, found: Estimate) -> None:
        self.estimate = found
        self.changed.emit()

    def _on_project(self) -> None:
        for bar in self._bars.values():
            bar.close()
        self._bars.clear()
        self._logs.clear()
        self.runs = []
        self.estimate = None
        self.estimating.cancel()
        if self.project is None:
            self._timer.stop()
            if self.job.state is JobState.RUNNING:
                self.job.cancel()
            self.changed.emit()
        else:
            self.look()
            self._timer.start()
            self.changed.emit()

    def bin(self) -> list[RunInfo]:
        """Return the runs in the bin, newest first."""
        return [] if self.project is None else self.project.binned_runs[::-1]

    def made_by(self, run: RunInfo) -> str | None:
        """Return the name of what a run has made."""
        if self.project is None:
            return None
        with suppress(InputError):
            return self.project.made_by(run.id)
        return None

    def fresh(self, run: RunInfo) -> RunInfo:
        """Return how a run stands at this moment."""
        assert self.project is not None
        return self.project.run(run.id)


def _perform(
    folder: Path, ids: list[str], on_event: OnEvent, token: CancelToken
) -> None:
    """Carry runs out in turn; a failure does not keep the next from its turn."""
    failures: list[Exception] = []
    for id_ in ids:
        try:
            perform(folder, id_, token=token)
        except Exception as failure:  # noqa: BLE001 - kept by the run, raised below
            failures.append(failure)
    if failures:
        raise failures[0]


def _estimate(
    folder: Path, request: RunRequest, on_event: OnEvent, token: CancelToken
) -> Estimate:
    return estimate_apart(folder, request, token)
