"""The engines that search for formulas, behind one face.

Each works in a process of its own and talks through a folder (`jobs`), so that a window
stays fluid, a search can be stopped at any moment, and torch never meets Julia.
"""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

import numpy as np
import numpy.typing as npt

from napari_cellsci.errors import InputError
from napari_cellsci.formulas import jobs
from napari_cellsci.formulas.jobs import Front, Job
from napari_cellsci.formulas.spec import SearchSpec
from napari_cellsci.tasks import CancelToken, Log, OnEvent, Progress, ignore

State = Literal["ready", "needs_julia", "not_installed"]
OnFront = Callable[[dict[int, Front]], None]
_LOOK_S = 0.1
_GRACE_S = 15.0
"""How long a worker may take to end after it was asked to."""
OFFLINE = "PYTHON_JULIAPKG_OFFLINE"
_OWN_JULIA = ("PYTHON_JULIAPKG_EXE", "PYTHON_JULIACALL_EXE")


@dataclass(frozen=True, slots=True)
class Status:
    """Whether an engine can be used.

    Attributes
    ----------
    state : {"ready", "needs_julia", "not_installed"}
    message : str
        A sentence for the user.
    """

    state: State
    message: str

    @property
    def ready(self) -> bool:
        """Whether it can be used at once."""
        return self.state == "ready"


@dataclass(frozen=True, slots=True)
class Found:
    """What a search found.

    Attributes
    ----------
    fronts : list of list of Candidate
        One front for each task; empty where a search was stopped before.
    stopped : bool
        Whether it was ended before its budget was spent.
    engine : str
        With its version.
    evaluations : int
        0 where the engine does not tell.
    seconds : float
    """

    fronts: list[Front]
    stopped: bool
    engine: str
    evaluations: int
    seconds: float


class Engine(Protocol):
    """Something that searches for formulas."""

    @property
    def name(self) -> str:
        """What it is called."""

    def status(self) -> Status:
        """Return whether it can be used; nothing is fetched, imported or started."""

    def search(
        self,
        x: npt.ArrayLike,
        y: npt.ArrayLike,
        spec: SearchSpec,
        names: Sequence[str],
        *,
        weights: npt.ArrayLike | None = None,
        seeds: Sequence[int] | None = None,
        folder: Path | None = None,
        on_front: OnFront | None = None,
        on_event: OnEvent = ignore,
        token: CancelToken | None = None,
    ) -> Found:
        """Search for formulas; see `Process.search`."""


class Process:
    """An engine in a worker process.

    Parameters
    ----------
    name : {"builtin", "pysr"}
    environment : mapping of str to str, optional
        Of the worker, beside this process's own.
    """

    def __init__(self, name: str, environment: Mapping[str, str] | None = None) -> None:
        self._name = name
        self._environment = dict(environment or {})

    @property
    def name(self) -> str:
        """What it is called."""
        return self._name

    def status(self) -> Status:
        """Return whether it can be used; nothing is fetched, imported or started."""
        return Status("ready", "The built-in engine is always there.")

    def search(
        self,
        x: npt.ArrayLike,
        y: npt.ArrayLike,
        spec: SearchSpec,
        names: Sequence[str],
        *,
        weights: npt.ArrayLike | None = None,
        seeds: Sequence[int] | None = None,
        folder: Path | None = None,
        on_front: OnFront | None = None,
        on_event: OnEvent = ignore,
        token: CancelToken | None = None,
    ) -> Found:
        """Search for formulas, one task after another.

        Parameters
        ----------
        x : array of shape (n, variables)
        y : array of shape (n,) or (tasks, n)
            Targets; ±1 for hinge and logistic loss.
        spec : SearchSpec
            Budgets are those of one task.
        names : sequence of str
            Of the variables.
        weights : array of shape (n,) or (tasks, n), optional
            Rows of weight 0 are left out.
        seeds : sequence of int, optional
            One for each task; by default those from `spec.seed` on.
        folder : Path, optional
            Where the job is kept; by default a temporary folder.
        on_front : callable
            Told the fronts of all tasks so far, by task, whenever they grow.
        on_event : callable
        token : CancelToken, optional
            A search that is cancelled returns what it has.

        Raises
        ------
        InputError
            If the data cannot be used, or the engine fails.
        """
        job = checked(self._name, x, y, spec, names, weights, seeds)
        with _room(folder) as place:
            jobs.write_job(place, job)
            self._watch(place, job, on_front, on_event, token)
            return _found(place, job)

    def _watch(
        self,
        place: Path,
        job: Job,
        on_front: OnFront | None,
        on_event: OnEvent,
        token: CancelToken | None,
    ) -> None:
        command = [sys.executable, "-m", "napari_cellsci.formulas.worker", str(place)]
        seen, asked = (-1, -1), 0.0
        with (
            (place / "errors.txt").open("wb") as errors,
            subprocess.Popen(
                command,
                stdout=subprocess.DEVNULL,
                stderr=errors,
                stdin=subprocess.DEVNULL,
                env={**os.environ, **self._environment},
            ) as child,
        ):
            try:
                while child.poll() is None:
                    seen = _look(place, seen, on_front, on_event)
                    if token is not None and token.cancelled and not asked:
                        jobs.ask_to_stop(place)
                        asked = time.monotonic()
                    if asked and time.monotonic() - asked > _GRACE_S:
                        child.kill()
                    _wait(child)
            finally:
                if child.poll() is None:
                    child.kill()
        _look(place, seen, on_front, on_event)
        self._judge(place, child.returncode, bool(asked))

    def _judge(self, place: Path, code: int, asked: bool) -> None:
        """Raise what went wrong; a search that was stopped went right."""
        result = jobs.read_result(place)
        if result is not None and result.status in ("done", "stopped"):
            return
        if asked:
            return
        if result is not None:
            raise InputError(result.message)
        said = (place / "errors.txt").read_text(encoding="utf-8", errors="replace")
        last = [line for line in said.splitlines() if line.strip()]
        reason = last[-1].strip() if last else f"it ended with code {code}"
        raise InputError(f"The search for formulas failed: {reason}")


class PySR(Process):
    """PySR (arXiv 2305.01582), the paper's engine.

    Parameters
    ----------
    fetch_julia : bool
        Whether Julia may be fetched where it is missing (some 500 MB, once).
    environment : mapping of str to str, optional
        Of the worker.
    """

    def __init__(
        self, fetch_julia: bool = False, environment: Mapping[str, str] | None = None
    ) -> None:
        own = {
            "PYTHON_JULIACALL_HANDLE_SIGNALS": "yes",
            "PYTHON_JULIACALL_THREADS": "auto",
        }
        if not fetch_julia:
            own[OFFLINE] = "yes"
        super().__init__("pysr", {**own, **(environment or {})})

    def status(self) -> Status:
        """Return whether it can be used; nothing is fetched, imported or started."""
        if importlib.util.find_spec("pysr") is None:
            return Status("not_installed", "PySR is not installed: pip install pysr")
        if julia_found():
            return Status("ready", "PySR and its Julia are installed.")
        return Status(
            "needs_julia",
            "PySR needs Julia, which is not on this computer yet: it is fetched once "
            "(some 500 MB) if you agree.",
        )


def julia_found() -> bool:
    """Return whether juliapkg has a Julia with PySR's packages, or is given one."""
    if any(Path(os.environ.get(name) or "?").is_file() for name in _OWN_JULIA):
        return True
    project = os.environ.get("PYTHON_JULIAPKG_PROJECT")
    places = [Path(project)] if project else [Path(sys.prefix, "julia_env")]
    places.append(Path.home() / ".julia" / "environments" / "pyjuliapkg")
    for place in places:
        try:
            meta = json.loads((place / "pyjuliapkg" / "meta.json").read_text("utf-8"))
        except (OSError, json.JSONDecodeError):
            continue
        listed = "SymbolicRegression" in json.dumps(meta)
        if listed and Path(str(meta.get("executable", "?"))).is_file():
            return True
    return False


ENGINES = ("auto", "builtin", "pysr")


def find_engine(
    name: str = "auto", *, fetch_julia: bool = False, on_event: OnEvent = ignore
) -> Engine:
    """Return an engine by its name.

    Parameters
    ----------
    name : {"auto", "builtin", "pysr"}
        "auto" is PySR where its Julia is ready, else the built-in engine.
    fetch_julia : bool
        Whether PySR may fetch Julia.
    on_event : callable
        Told which one "auto" chose.

    Raises
    ------
    InputError
        If there is no such engine, or PySR was asked for and is not ready.
    """
    if name not in ENGINES:
        raise InputError(f"Engines are {', '.join(ENGINES)}, not {name!r}.")
    if name == "builtin":
        return Process("builtin")
    pysr = PySR(fetch_julia)
    status = pysr.status()
    if name == "pysr":
        if status.ready or (fetch_julia and status.state == "needs_julia"):
            return pysr
        raise InputError(
            f"{status.message} Or choose the built-in engine, which needs neither."
        )
    if status.ready:
        on_event(Log("Searching with PySR."))
        return pysr
    on_event(Log(f"Searching with the built-in engine. {status.message}"))
    return Process("builtin")


def checked(
    engine: str,
    x: npt.ArrayLike,
    y: npt.ArrayLike,
    spec: SearchSpec,
    names: Sequence[str],
    weights: npt.ArrayLike | None,
    seeds: Sequence[int] | None,
) -> Job:
    """Return a job, or say why there can be none.

    Raises
    ------
    InputError
    """
    table = np.asarray(x, np.float64)
    target = np.atleast_2d(np.asarray(y, np.float64))
    if table.ndim != 2 or table.shape != (target.shape[1], len(names)):
        raise InputError(
            f"{len(names)} names and {target.shape[1]} targets do not fit values of "
            f"shape {table.shape}."
        )
    weight = np.ones_like(target)
    if weights is not None:
        weight = np.broadcast_to(np.asarray(weights, np.float64), target.shape).copy()
    used: npt.NDArray[np.bool_] = np.asarray(weight > 0)
    if not (used.sum(1) > 1).all():
        raise InputError("A formula needs more than one cell to be found from.")
    rows = np.flatnonzero(used.any(axis=0))
    if not np.isfinite(table[rows]).all() or not np.isfinite(target[used]).all():
        raise InputError(
            "Some latents or targets are not finite numbers: encode the cells again."
        )
    if not np.isfinite(weight).all() or (weight < 0).any():
        raise InputError("Weights are finite and not negative.")
    if spec.loss != "mse":
        if not np.isin(target[used], (-1, 1)).all():
            raise InputError(f"The targets of the {spec.loss} loss are −1 and 1.")
        for own, mine in zip(target, used, strict=True):
            if len(np.unique(own[mine])) < 2:
                raise InputError(
                    "All cells are of one class: label some of the other, so that "
                    "there is something to tell apart."
                )
    if spec.evaluations is None and spec.iterations is None and spec.seconds is None:
        raise InputError(
            "Give the search a budget: evaluations, iterations or seconds."
        )
    known = tuple(seeds) if seeds is not None else _seeds(spec.seed, len(target))
    if len(known) != len(target):
        raise InputError(f"{len(known)} seeds came with {len(target)} targets.")
    seen = np.isin(np.arange(len(table)), rows)[:, None]
    table = np.where(seen, table, 0.0)
    clean = np.where(used, target, 0.0)
    return Job(engine, tuple(names), spec, known, table, clean, weight, os.getpid())


def _seeds(first: int, n: int) -> tuple[int, ...]:
    return tuple(range(first, first + n))


@contextmanager
def _room(folder: Path | None) -> Iterator[Path]:
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        yield folder
        return
    with tempfile.TemporaryDirectory(prefix="cellsci-formulas-") as made:
        yield Path(made)


def _wait(child: subprocess.Popen[bytes]) -> None:
    try:
        child.wait(_LOOK_S)
    except subprocess.TimeoutExpired:
        return


def _look(
    place: Path,
    seen: tuple[int, int],
    on_front: OnFront | None,
    on_event: OnEvent,
) -> tuple[int, int]:
    """Tell what is new in the folder; return the times of its files."""
    times = (_changed(place / jobs.FRONT), _changed(place / jobs.BEAT))
    if times[0] != seen[0] and times[0] >= 0 and on_front is not None:
        on_front(jobs.read_fronts(place))
    if times[1] != seen[1]:
        beat = jobs.read_beat(place)
        if beat is not None:
            what = f"{beat.phase}, {beat.task + 1} of {beat.tasks}"
            on_event(Progress(what, round(1000 * beat.done), 1000))
    return times


def _changed(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return -1


def _found(place: Path, job: Job) -> Found:
    fronts, result = jobs.read_fronts(place), jobs.read_result(place)
    beat = jobs.read_beat(place)
    return Found(
        [fronts.get(task, []) for task in range(len(job.seeds))],
        result is None or result.status == "stopped",
        result.engine if result is not None else job.engine,
        result.evaluations if result else (beat.evaluations if beat else 0),
        result.seconds if result is not None else float("nan"),
    )
