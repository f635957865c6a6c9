"""The face of `Project` towards its training runs."""

from __future__ import annotations

import subprocess
from typing import Any

from napari_cellsci.labels import Labels
from napari_cellsci.project import run_admin
from napari_cellsci.project.bench import Bench
from napari_cellsci.project.run_log import RunLog
from napari_cellsci.project.run_request import RunRequest
from napari_cellsci.project.run_state import Happening
from napari_cellsci.project.runs import RunInfo, read_runs


class RunsFace:
    """What a `Project` can do with its training runs; mixed into it.

    Runs are named by their id, its beginning or end, their name, or "last".
    """

    _bench: Bench
    _labels: Labels

    @property
    def runs(self) -> list[RunInfo]:
        """The training runs, oldest first, finished or not."""
        return read_runs(self._bench.store, self._bench.folder)

    def runs_now(self) -> list[RunInfo]:
        """Return the training runs without waiting for others, for frequent looks.

        Raises
        ------
        ProjectError
            If another process writes just now.
        """
        with self._bench.store.impatient():
            return self.runs

    @property
    def binned_runs(self) -> list[RunInfo]:
        """The training runs in the bin."""
        return read_runs(self._bench.store, self._bench.folder, binned=True)

    def run(self, run: str, *, binned: bool = False) -> RunInfo:
        """Return how a run stands, or one in the bin.

        Raises
        ------
        InputError
            If there is none of that name, or several.
        """
        return run_admin.one_run(self._bench, run, binned=binned)

    def run_log(self, run: str) -> RunLog:
        """Return everything a run has told so far: curves, looks, trials."""
        log = RunLog(self.run(run).folder)
        log.update()
        return log

    def queue_run(self, request: RunRequest) -> RunInfo:
        """Keep a request as a run, for `worker.perform` or `start_run`."""
        return run_admin.queue_run(self._bench, request)

    def queue_again(self, run: str) -> RunInfo:
        """Queue a run that was stopped; it goes on from its checkpoint."""
        return run_admin.queue_again(self._bench, self.run(run))

    def requests_per_class(self, request: RunRequest) -> list[RunRequest]:
        """Return requests of one encoder for each class with labelled cells enough.

        Raises
        ------
        InputError
            If there are not two such classes.
        """
        from napari_cellsci.project.class_encoders import requests_per_class

        return requests_per_class(self._bench, self._labels, request)

    def start_run(self, *runs: RunInfo) -> subprocess.Popen[bytes]:
        """Carry queued runs out in a process of their own, which outlives this one.

        Several follow one another; one that fails or is cancelled does not keep the
        next from its turn.
        """
        return run_admin.spawn(self._bench, runs)

    def pause_run(self, run: str) -> None:
        """Let a run wait at its next safe point, with its checkpoint written."""
        run_admin.wish(self._bench, self.run(run), Happening.PAUSE)

    def unpause_run(self, run: str) -> None:
        """Let a run that waits go on."""
        run_admin.wish(self._bench, self.run(run), Happening.GO_ON)

    def cancel_run(self, run: str) -> None:
        """Ask a run to stop, whichever process it is in; its checkpoint is kept."""
        run_admin.wish(self._bench, self.run(run), Happening.CANCEL)

    def rename_run(self, run: str, name: str) -> None:
        """Give a run another name; a model it has made keeps its own."""
        run_admin.rename_run(self._bench, self.run(run), name)

    def note_run(self, run: str, note: str) -> None:
        """Write a note beside a run."""
        run_admin.note_run(self._bench, self.run(run), note)

    def delete_run(self, run: str) -> None:
        """Put a run in the bin; models it made stay."""
        run_admin.bin_run(self._bench, self.run(run))

    def restore_run(self, run: str) -> None:
        """Take a run out of the bin."""
        run_admin.restore_run(self._bench, self.run(run, binned=True))

    def made_by(self, run: str) -> str | None:
        """Return the name of the encoder or bundle that a run has made."""
        return run_admin.made_by(self._bench, self.run(run))

    def compare_runs(self, *runs: str) -> dict[str, list[Any]]:
        """Return the settings in which runs differ, a value for each run."""
        return run_admin.differences([self.run(run) for run in runs])
