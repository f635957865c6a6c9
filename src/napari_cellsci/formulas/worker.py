"""The process that searches: ``python -m napari_cellsci.formulas.worker JOB``.

It loads neither torch nor a window, and PySR's Julia only where PySR is asked for.
"""

from __future__ import annotations

import math
import os
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from napari_cellsci.disk import process_lives
from napari_cellsci.errors import InputError
from napari_cellsci.formulas import jobs
from napari_cellsci.formulas.spec import Candidate

if TYPE_CHECKING:
    from napari_cellsci.formulas.islands import IslandSearch

_EVERY_S = 0.5


class Worker:
    """Works a job's tasks off one after another and tells how far it is.

    Parameters
    ----------
    folder : Path
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.job = jobs.read_job(folder)
        self._fronts: dict[int, list[Candidate]] = {}
        self._told = 0.0
        self._looked = 0.0
        self._stop = False
        self._before = 0
        self.begun = time.monotonic()

    def stopped(self) -> bool:
        """Whether somebody asked to stop, or nobody waits any more."""
        now = time.monotonic()
        if not self._stop and now - self._looked > 0.1:
            self._looked = now
            gone = not process_lives(self.job.parent)
            self._stop = gone or jobs.asked_to_stop(self.folder)
        return self._stop

    def tell(
        self,
        task: int,
        fraction: float,
        evaluations: int,
        front: Callable[[], list[Candidate]],
        phase: str = "Searching",
        *,
        now: bool = False,
    ) -> None:
        """Write front and beat, at most twice a second unless it has to be now."""
        if not now and time.monotonic() - self._told < _EVERY_S:
            return
        self._told = time.monotonic()
        found = front()
        if found and found != self._fronts.get(task):
            self._fronts[task] = found
            jobs.write_fronts(self.folder, self._fronts)
        beat = jobs.Beat(
            os.getpid(),
            task,
            len(self.job.seeds),
            fraction,
            self._before + evaluations,
            phase,
        )
        jobs.write_beat(self.folder, beat)

    def finish(self, status: str, engine: str, message: str = "") -> None:
        """Write the result."""
        seconds = time.monotonic() - self.begun
        jobs.write_result(
            self.folder,
            jobs.Result(status, message, engine, self._before, seconds),
        )

    def end(self, engine: str) -> None:
        """Write the result of a search whose budget is spent or that was stopped."""
        # PySR sees the stop file itself, perhaps since we last looked.
        self._looked = -math.inf
        self.finish("stopped" if self.stopped() else "done", engine)

    def builtin(self) -> None:
        """Work all tasks off by the built-in engine."""
        from napari_cellsci.formulas.islands import IslandSearch

        job = self.job
        for task, seed in enumerate(job.seeds):
            if self.stopped():
                break
            used = job.w[task] > 0
            search = IslandSearch(
                job.x[used],
                job.y[task, used],
                job.w[task, used],
                job.names,
                replace(job.spec, seed=seed),
            )
            self.tell(task, 0.0, 0, list, "Preparing", now=True)

            search.search(partial(self._round, task, search), self.stopped)
            self.tell(task, 1.0, search.evaluations, search.front, now=True)
            self._before += search.evaluations
        self.end(f"builtin {version('napari-cellsci')}")

    def _round(self, task: int, search: IslandSearch, fraction: float) -> None:
        self.tell(task, fraction, search.evaluations, search.front)

    def pysr(self) -> None:
        """Work all tasks off by PySR."""
        from napari_cellsci.formulas.pysr_worker import run

        run(self)


def main(folder: str) -> int:
    """Work a job off; return the exit code."""
    place = Path(folder)
    try:
        worker = Worker(place)
        if worker.job.engine == "pysr":
            worker.pysr()
        else:
            worker.builtin()
    except InputError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
