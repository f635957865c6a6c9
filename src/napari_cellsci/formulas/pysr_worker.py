"""PySR inside the worker process, the only place where it, and Julia, are imported.

Its configuration is the paper's (arXiv 2402.03115, section 3.4): ten operators, sin,
exp and log dearer than others, parsimony 0.001, size 20; the rest is PySR's default.
"""

from __future__ import annotations

import csv
import io
import threading
from contextlib import redirect_stdout
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_cellsci.formulas.expression import Expression, FormulaError
from napari_cellsci.formulas.fetching import Listener
from napari_cellsci.formulas.fronts import front_of
from napari_cellsci.formulas.jobs import STOP
from napari_cellsci.formulas.nodes import Node
from napari_cellsci.formulas.spec import Candidate, SearchSpec

if TYPE_CHECKING:
    from napari_cellsci.formulas.worker import Worker

LOSSES = {
    "hinge": "L1HingeLoss()",
    "logistic": "LogitMarginLoss()",
    "mse": "L2DistLoss()",
}
ITERATIONS = 40
"""Where no budget is given."""
_ENDLESS = 100_000_000
_EVERY_S = 0.5
_RUN = "run"


def settings(spec: SearchSpec, job: Path, output: Path) -> dict[str, Any]:
    """Return the arguments of PySRRegressor.

    Parameters
    ----------
    spec : SearchSpec
    job : Path
        The folder whose STOP file ends the search.
    output : Path
        Where PySR writes.
    """
    stop = (job / STOP).as_posix().replace("\\", "/").replace('"', '\\"')
    iterations = spec.iterations or (_ENDLESS if spec.seconds else ITERATIONS)
    given: dict[str, Any] = {
        "binary_operators": list(spec.binary),
        "unary_operators": list(spec.unary),
        "complexity_of_operators": {
            name: weight
            for name, weight in spec.weights.items()
            if name in (*spec.binary, *spec.unary)
        },
        "parsimony": spec.parsimony,
        "maxsize": spec.maxsize,
        "elementwise_loss": LOSSES[spec.loss],
        # PySR's "auto" takes mini-batches above 1,000 rows; the paper is older.
        "batching": False,
        "deterministic": True,
        "parallelism": "serial",
        "random_state": spec.seed,
        "niterations": iterations,
        "max_evals": spec.evaluations,
        "timeout_in_seconds": spec.seconds,
        "early_stop_condition": f'stop_if(loss, complexity) = isfile("{stop}")',
        "progress": False,
        "verbosity": 0,
        "input_stream": "devnull",
        "output_directory": str(output),
        "run_id": _RUN,
        "model_selection": "best",
        "warm_start": False,
    }
    within = [name for name in ("sin", "exp") if name in spec.unary]
    if within and not spec.nested:
        given["nested_constraints"] = {a: dict.fromkeys(within, 0) for a in within}
    return given


def read_hall(text: str) -> list[Node]:
    """Return the formulas of a hall of fame as PySR writes it.

    Rows that are incomplete, or hold no formula of the grammar, are left out.
    """
    found = []
    for row in csv.DictReader(io.StringIO(text)):
        try:
            found.append(Expression.parse(row["Equation"]).root)
        except (FormulaError, KeyError, TypeError):
            continue
    return found


def run(worker: Worker) -> None:
    """Work a job's tasks off; see `worker.Worker`."""
    worker.tell(0, 0.0, 0, list, "Starting Julia", now=True)

    def tell(phase: str) -> None:
        worker.tell(0, 0.0, 0, list, phase, now=True)

    try:
        with redirect_stdout(Listener(tell)):
            import pysr
    except Exception as error:  # noqa: BLE001 - Julia's troubles have no common class
        worker.finish(*_no_julia(error))
        return
    engine = f"pysr {pysr.__version__}"
    for task in range(len(worker.job.seeds)):
        if worker.stopped():
            break
        _Task(worker, task).run(pysr)
    worker.end(engine)


def _no_julia(error: Exception) -> tuple[str, str, str]:
    """Return status, engine and message for an import that failed."""
    said = str(error).strip().splitlines()
    reason = said[-1] if said else type(error).__name__
    if isinstance(error, ModuleNotFoundError):
        return "not_installed", "pysr", f"PySR is not installed ({reason})."
    if "julia" in reason.lower() or "urlopen" in reason.lower():
        return (
            "needs_julia",
            "pysr",
            f"PySR needs Julia, which is not on this computer yet ({reason}).",
        )
    return "failed", "pysr", f"PySR could not be started: {reason}"


class _Task:
    """One search, watched from another thread."""

    def __init__(self, worker: Worker, task: int) -> None:
        job = worker.job
        used = job.w[task] > 0
        self._worker, self._task = worker, task
        self._spec = replace(job.spec, seed=job.seeds[task])
        self._x, self._y, self._w = job.x[used], job.y[task, used], job.w[task, used]
        self._output = worker.folder / f"pysr-{task}"
        self._over = threading.Event()

    def run(self, pysr: Any) -> None:
        """Search, and tell what was found last."""
        given = settings(self._spec, self._worker.folder, self._output)
        model = pysr.PySRRegressor(**given)
        watcher = threading.Thread(target=self._watch, daemon=True)
        watcher.start()
        even = bool(np.ptp(self._w) == 0)
        try:
            model.fit(
                self._x,
                self._y,
                weights=None if even else self._w,
                variable_names=list(self._worker.job.names),
            )
        finally:
            self._over.set()
            watcher.join()
        self._tell(1.0, now=True)

    def _watch(self) -> None:
        while not self._over.wait(_EVERY_S):
            # Looking for STOP also notices a window that is gone.
            if self._worker.stopped() and self._worker.folder.is_dir():
                (self._worker.folder / STOP).touch()
            self._tell(0.0)

    def _tell(self, fraction: float, *, now: bool = False) -> None:
        self._worker.tell(self._task, fraction, 0, self._front, now=now)

    def _front(self) -> list[Candidate]:
        names = self._worker.job.names
        for name in ("hall_of_fame.csv", "hall_of_fame.csv.bak"):
            try:
                text = (self._output / _RUN / name).read_text(encoding="utf-8")
            except OSError:
                continue
            roots = read_hall(text)
            if roots:
                return front_of(roots, self._x, self._y, self._w, names, self._spec)
        return []
