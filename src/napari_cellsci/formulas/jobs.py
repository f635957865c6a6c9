"""The folder through which a search and its worker process talk.

    job.json    engine, names, specification, seeds; written before the worker starts
    data.npz    x (n, variables), y and w (tasks, n); rows of weight 0 are left out
    front.csv   task, complexity, loss, expression; replaced whole whenever it grows
    beat.json   how far the worker is, and its process number; replaced as it goes
    result.json how it ended; the last thing a worker writes
    STOP        asks the worker to end with what it has; its presence is enough

Every file takes its name only when it is complete: whatever happens to the worker, what
was found last can be read.
"""

from __future__ import annotations

import csv
import io
import json
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_cellsci.disk import whole_file
from napari_cellsci.errors import InputError
from napari_cellsci.formulas.expression import Expression, FormulaError
from napari_cellsci.formulas.spec import Candidate, SearchSpec

Array = npt.NDArray[np.float64]
Front = list[Candidate]
SCHEMA = 1
JOB, DATA, FRONT, BEAT, RESULT, STOP = (
    "job.json",
    "data.npz",
    "front.csv",
    "beat.json",
    "result.json",
    "STOP",
)


@dataclass(frozen=True, slots=True)
class Job:
    """What a worker is to do.

    Attributes
    ----------
    engine : {"builtin", "pysr"}
    names : tuple of str
    spec : SearchSpec
    seeds : tuple of int
        One for each task.
    x : array of shape (n, variables)
    y, w : arrays of shape (tasks, n)
        Targets and weights; rows of weight 0 are left out.
    parent : int
        The process that waits for the result; without it the worker stops.
    """

    engine: str
    names: tuple[str, ...]
    spec: SearchSpec
    seeds: tuple[int, ...]
    x: Array
    y: Array
    w: Array
    parent: int


@dataclass(frozen=True, slots=True)
class Beat:
    """How far a worker is.

    Attributes
    ----------
    pid : int
    task, tasks : int
        The task under way, from 0, and how many there are.
    fraction : float
        Of the task's budget.
    evaluations : int
        Of all tasks so far.
    phase : str
        What it is doing, in a few words.
    """

    pid: int
    task: int
    tasks: int
    fraction: float
    evaluations: int
    phase: str

    @property
    def done(self) -> float:
        """Share of all tasks."""
        return (self.task + self.fraction) / max(self.tasks, 1)


@dataclass(frozen=True, slots=True)
class Result:
    """How a worker ended.

    Attributes
    ----------
    status : {"done", "stopped", "failed", "needs_julia", "not_installed"}
    message : str
        A sentence, where it did not simply end.
    engine : str
        With its version.
    evaluations : int
    seconds : float
    """

    status: str
    message: str
    engine: str
    evaluations: int
    seconds: float


def write_job(folder: Path, job: Job) -> None:
    """Write a job into a folder that exists.

    Raises
    ------
    ProjectError
        If the folder cannot be written.
    """
    with whole_file(folder / DATA) as place:
        np.savez(place, x=job.x, y=job.y, w=job.w)
    values = {
        "schema": SCHEMA,
        "engine": job.engine,
        "names": list(job.names),
        "spec": job.spec.to_dict(),
        "seeds": list(job.seeds),
        "parent": job.parent,
    }
    _write_json(folder / JOB, values)


def read_job(folder: Path) -> Job:
    """Read what `write_job` wrote.

    Raises
    ------
    InputError
        If it is not a job, or of a newer version.
    """
    try:
        values = json.loads((folder / JOB).read_text(encoding="utf-8"))
        if values["schema"] != SCHEMA:
            raise InputError(
                f"{folder} is a search of another version of napari-cellsci."
            )
        with np.load(folder / DATA, allow_pickle=False) as data:
            x, y, w = (np.asarray(data[name], np.float64) for name in "xyw")
        return Job(
            str(values["engine"]),
            tuple(values["names"]),
            SearchSpec.from_dict(values["spec"]),
            tuple(values["seeds"]),
            x,
            y,
            w,
            int(values["parent"]),
        )
    except (OSError, KeyError, TypeError, json.JSONDecodeError) as error:
        raise InputError(f"{folder} does not hold a search ({error}).") from error


def write_fronts(folder: Path, fronts: Mapping[int, Sequence[Candidate]]) -> None:
    """Replace the fronts of all tasks, whole or not at all."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["task", "complexity", "loss", "expression"])
    for task, front in sorted(fronts.items()):
        for found in front:
            row = [task, found.complexity, repr(found.loss), str(found.expression)]
            writer.writerow(row)
    with whole_file(folder / FRONT) as place:
        place.write_text(text.getvalue(), encoding="utf-8")


def read_fronts(folder: Path) -> dict[int, Front]:
    """Return the fronts of all tasks so far; empty where nothing was found yet."""
    try:
        text = (folder / FRONT).read_text(encoding="utf-8")
    except OSError:
        return {}
    found: dict[int, Front] = {}
    for row in csv.DictReader(io.StringIO(text)):
        try:
            expression = Expression.parse(row["expression"])
            loss, task = float(row["loss"]), int(row["task"])
            candidate = Candidate(int(row["complexity"]), loss, expression)
        except (FormulaError, KeyError, TypeError, ValueError):
            continue
        if math.isfinite(loss):
            found.setdefault(task, []).append(candidate)
    return found


def write_beat(folder: Path, beat: Beat) -> None:
    """Say how far the worker is."""
    _write_json(folder / BEAT, asdict(beat))


def read_beat(folder: Path) -> Beat | None:
    """Return how far the worker is; None before it began."""
    values = _read_json(folder / BEAT)
    return None if values is None else Beat(**values)


def write_result(folder: Path, result: Result) -> None:
    """Say how it ended."""
    _write_json(folder / RESULT, asdict(result))


def read_result(folder: Path) -> Result | None:
    """Return how it ended; None where the worker did not get that far."""
    values = _read_json(folder / RESULT)
    return None if values is None else Result(**values)


def ask_to_stop(folder: Path) -> None:
    """Ask the worker to end with what it has."""
    (folder / STOP).touch()


def asked_to_stop(folder: Path) -> bool:
    """Whether the worker was asked to end, or its folder is gone."""
    return (folder / STOP).exists() or not folder.is_dir()


def _write_json(path: Path, values: Any) -> None:
    with whole_file(path) as place, place.open("w", encoding="utf-8") as file:
        json.dump(values, file, indent=1)
        file.flush()
        os.fsync(file.fileno())


def _read_json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, json.JSONDecodeError):
        return None
