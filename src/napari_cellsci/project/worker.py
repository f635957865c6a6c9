"""Carrying queued runs out: in this thread, or as a process of their own.

``python -m napari_cellsci.project.worker PROJECT RUN…`` is what the window starts. It
says nothing but what it writes into the run's folder, and ends at the next safe point
when it is asked to terminate. Exit codes are those of ``cellsci``.
"""

from __future__ import annotations

import os
import signal
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

from napari_cellsci.errors import InputError
from napari_cellsci.tasks import Cancelled, CancelToken, OnEvent, ignore

if TYPE_CHECKING:
    from napari_cellsci.project.facade import Project


def perform(
    folder: Path,
    run_id: str,
    on_event: OnEvent = ignore,
    token: CancelToken | None = None,
) -> Any:
    """Open a project, carry out the run that was queued in it, and close it.

    Raises
    ------
    InputError, Cancelled
        As the verb does; how the run ended is kept in any case.
    """
    from napari_cellsci.project.facade import Project

    with Project.open(folder) as project:
        return carry_out(project, run_id, on_event, token)


def carry_out(
    project: Project, run_id: str, on_event: OnEvent, token: CancelToken | None
) -> Any:
    """Carry out a queued run of an open project."""
    from napari_cellsci.project.run_admin import one_run, request_of
    from napari_cellsci.project.run_state import RunState
    from napari_cellsci.project.runs import adopting, give_up

    bench = project._bench
    run = one_run(bench, run_id)
    try:
        if run.state in (RunState.CANCELLING, RunState.CANCELLED):
            raise Cancelled
        with adopting(run.id):
            return request_of(run).carry_out(project, on_event, token)
    except BaseException as error:
        status = bench.store.scalar("SELECT status FROM runs WHERE id = ?", (run.id,))
        if status == RunState.QUEUED:  # it never came to begin
            give_up(bench.store, bench.folder, run.id, error)
        raise


def choose_threads(count: int | None) -> None:
    """Choose how many cores torch works on; OMP_NUM_THREADS wins if nothing is said.

    By default half of them, up to 4: threads that wait for a core another program
    holds made training ten times slower on a busy machine of two cores.
    """
    import torch

    if count is not None:
        torch.set_num_threads(max(1, count))
    elif "OMP_NUM_THREADS" not in os.environ:
        torch.set_num_threads(max(1, min((os.cpu_count() or 1) // 2, 4)))


def main(arguments: Sequence[str]) -> int:
    """Carry runs out one after another; return the last exit code that is not 0."""
    folder, token = Path(arguments[0]), CancelToken()

    def stop(number: int, frame: FrameType | None) -> None:
        token.cancel()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    codes = [_perform_one(folder, run_id, token) for run_id in arguments[1:]]
    return next((code for code in reversed(codes) if code), 0)


def _perform_one(folder: Path, run_id: str, token: CancelToken) -> int:
    try:
        _prepare(folder, run_id)
        perform(folder, run_id, token=token)
    except Cancelled:
        return 130
    except InputError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    except Exception:  # noqa: BLE001 - told by the exit code and in the run
        traceback.print_exc()
        return 1
    return 0


def _prepare(folder: Path, run_id: str) -> None:
    """Load torch before anything else (Windows minds the order), choose its cores."""
    try:
        import torch  # noqa: F401
    except (OSError, ImportError) as error:
        from napari_cellsci.project.facade import Project
        from napari_cellsci.project.runs import give_up

        with Project.open(folder) as project:
            bench = project._bench
            give_up(bench.store, bench.folder, run_id, error)
        raise
    from napari_cellsci.project.facade import Project

    with Project.open(folder) as project:
        request = project.run(run_id).request
    choose_threads(None if request is None else request.usual_threads)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
