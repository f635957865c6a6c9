"""One training after another, each kept on the disk when it is complete."""

from __future__ import annotations

import itertools
import json
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_cellsci.disk import disk_in_words, refuse_taken
from napari_cellsci.errors import InputError, TrainingError
from napari_cellsci.representation.benchmark.cells import KnownCells, simulate_cells
from napari_cellsci.representation.benchmark.judge import judge
from napari_cellsci.representation.benchmark.methods import Method, method_named
from napari_cellsci.representation.benchmark.plan import (
    TRAINING_SEEDS,
    UNSEEN_SEEDS,
    Plan,
)
from napari_cellsci.representation.data import UNKNOWN
from napari_cellsci.representation.disentangle import udr
from napari_cellsci.representation.encoder import Encoder
from napari_cellsci.representation.storage import write_atomically
from napari_cellsci.representation.train import train_encoder
from napari_cellsci.tasks import CancelToken, Done, Event, Log, OnEvent, ignore

PLAN = "plan.json"
Record = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Results:
    """What a benchmark found.

    Parameters
    ----------
    plan : Plan
    screening, finals : list of dict
        One record per run: ``method``, ``route``, ``seed``, ``steps``, ``seconds`` and
        ``scores`` (see `judge.judge`), or ``failed``, a sentence.
    likeness : dict of float
        Per finalist, the mean UDR of its encoders over seeds.
    """

    plan: Plan
    screening: list[Record]
    finals: list[Record]
    likeness: dict[str, float]

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {
            "plan": self.plan.to_dict(),
            "screening": self.screening,
            "finals": self.finals,
            "likeness": self.likeness,
        }


def run_benchmark(
    out: Path,
    plan: Plan | None = None,
    *,
    resume: bool = False,
    on_event: OnEvent = ignore,
    token: CancelToken | None = None,
) -> Results:
    """Screen all methods at one seed, then run the best three routes at several.

    Every run writes one JSON file into `out`, and checkpoints while it lasts: after a
    kill, `resume` continues within the run that was interrupted.

    Parameters
    ----------
    out : Path
        A new folder, or with `resume` that of a benchmark.
    plan : Plan, optional
        By default the default plan, or with `resume` the one it was started with;
        only its methods may then be more. Who was a finalist stays one.
    resume : bool
        Whether to continue.
    on_event, token
        Progress and cancellation.

    Raises
    ------
    InputError
        If the folder is taken, holds no benchmark to resume, or one with another plan.
    Cancelled
        If the token asks for it; what is complete is kept.
    """
    plan = _start(out, plan, resume)
    train, unseen = _cells(out, plan, on_event, token)
    bench = _Bench(out, train, unseen, on_event, token)
    methods = plan.competitors
    before = _finalists_before(out)
    routes = min(plan.finalists, len({m.route for m in methods}))
    total = len(methods) + max(routes, len(before)) * plan.seeds
    count = itertools.count(1)
    screening = [
        bench.run("screening", method, 0, plan.steps, next(count), total)
        for method in methods
    ]
    chosen = [method.name for method in choose_finalists(screening, plan.finalists)]
    finalists = list(dict.fromkeys([*chosen, *before]))
    total = len(methods) + len(finalists) * plan.seeds
    finals = [
        bench.run(
            "finals", method_named(name), seed, plan.final_steps, next(count), total
        )
        for name in finalists
        for seed in range(plan.seeds)
    ]
    on_event(Done("benchmark"))
    return Results(plan, screening, finals, likeness_of(out, finals, unseen))


def read_results(out: Path) -> Results:
    """Read the runs of a benchmark that are complete.

    Raises
    ------
    InputError
        If the folder holds no benchmark.
    """
    plan = stored_plan(out)
    screening, finals = (
        [json.loads(path.read_text()) for path in sorted((out / stage).glob("*.json"))]
        for stage in ("screening", "finals")
    )
    unseen = KnownCells.load(out / "cells" / "unseen")
    return Results(plan, screening, finals, likeness_of(out, finals, unseen))


def choose_finalists(screening: list[Record], count: int) -> list[Method]:
    """Return the best method of each of the best routes.

    Best is the highest ``named`` score (`judge.named_score`); methods whose training
    failed are left out.
    """
    finished = [record for record in screening if "scores" in record]
    ranked = sorted(finished, key=lambda r: -r["scores"]["named"])
    best = {record["route"]: record["method"] for record in reversed(ranked)}
    order = dict.fromkeys(record["route"] for record in ranked)
    return [method_named(best[route]) for route in list(order)[:count]]


def _finalists_before(out: Path) -> list[str]:
    """Return the methods that finals were run of, when there were fewer methods."""
    files = sorted((out / "finals").glob("*.json"))
    records = [json.loads(file.read_text()) for file in files]
    return list(dict.fromkeys(record["method"] for record in records))


def some_labels(cells: KnownCells, share: float) -> NDArray[np.int64] | None:
    """Return the labels of a share of the tracks, −1 elsewhere; None of none."""
    if not share:
        return None
    tracks, number = np.unique(cells.groups, return_inverse=True)
    told = np.random.default_rng(0).random(len(tracks)) < share
    return np.where(told[number.ravel()], cells.labels, UNKNOWN)


def likeness_of(
    out: Path, finals: list[Record], unseen: KnownCells
) -> dict[str, float]:
    """Return the mean UDR over the seeds of each finalist that has several."""
    found = {}
    for method in dict.fromkeys(record["method"] for record in finals):
        encoders = [
            Encoder.load(out / "encoders" / f"{method}-{record['seed']}")
            for record in finals
            if record["method"] == method and "scores" in record
        ]
        if len(encoders) > 1:
            codes = [encoder.encode(unseen.crops) for encoder in encoders]
            alike = udr(codes, [encoder.active for encoder in encoders])
            found[method] = float(alike.mean())
    return found


@dataclass(frozen=True)
class _Bench:
    """What all runs share."""

    out: Path
    train: KnownCells
    unseen: KnownCells
    on_event: OnEvent
    token: CancelToken | None

    def run(
        self, stage: str, method: Method, seed: int, steps: int, number: int, total: int
    ) -> Record:
        """Return the record of a run, from the disk if it is there."""
        name = f"{method.name}-{seed}"
        file = self.out / stage / f"{name}.json"
        if file.is_file():
            return dict(json.loads(file.read_text()))
        self.on_event(
            Log(f"Run {number} of {total}: {method.name}, seed {seed}, {steps} steps.")
        )
        record = {
            "method": method.name,
            "route": method.route,
            "stage": stage,
            "seed": seed,
            "steps": steps,
            "n_train": len(self.train),
            "n_unseen": len(self.unseen),
        }
        running = self.out / "running" / f"{stage}-{name}"
        started = time.monotonic()
        try:
            encoder = self._train(method, seed, steps, running)
            scores = judge(encoder, self.unseen)
        except TrainingError as error:
            # An objective that collapses is a result too.
            record["failed"] = str(error)
        else:
            record |= {
                "config": encoder.config.to_dict(),
                "encoder": encoder.hash,
                "training_seconds": encoder.record["seconds"],
                "versions": encoder.record["versions"],
                "scores": scores,
            }
            if stage == "finals":
                encoder.save(self.out / "encoders" / name)
        record["seconds"] = round(time.monotonic() - started, 1)
        with disk_in_words(file):
            file.parent.mkdir(exist_ok=True)
            write_atomically(file, json.dumps(record, indent=1).encode())
        shutil.rmtree(running, ignore_errors=True)
        return record

    def _train(self, method: Method, seed: int, steps: int, running: Path) -> Encoder:
        return train_encoder(
            self.train.crops,
            self.train.spec,
            method.config(self.train.spec.size, steps, seed),
            groups=self.train.groups,
            labels=some_labels(self.train, method.labelled),
            run_dir=running,
            resume=(running / "checkpoint.json").is_file(),
            on_event=self._pass_on,
            token=self.token,
        )

    def _pass_on(self, event: Event) -> None:
        """Pass on how training goes, but not its own sentences and end."""
        if not isinstance(event, Log | Done):
            self.on_event(event)


def _start(out: Path, plan: Plan | None, resume: bool) -> Plan:
    """Return the plan, written down or read."""
    if resume:
        stored = stored_plan(out)
        if plan is None or plan == stored:
            return stored
        _require_more(out, stored, plan)
    else:
        plan = plan or Plan()
        refuse_taken(out)
    with disk_in_words(out):
        out.mkdir(parents=True, exist_ok=True)
        write_atomically(out / PLAN, json.dumps(plan.to_dict(), indent=1).encode())
    return plan


def _require_more(out: Path, stored: Plan, plan: Plan) -> None:
    """Refuse a plan that differs in anything but methods that are added."""
    wanted = plan.to_dict()
    for name, value in stored.to_dict().items():
        added = name == "methods" and set(value) <= set(wanted[name])
        if wanted[name] != value and not added:
            raise InputError(
                f"The benchmark in {out} was started with {name} {value}, not "
                f"{wanted[name]}; resume it without that, or choose another folder."
            )


def stored_plan(out: Path) -> Plan:
    """Return the plan a benchmark was started with.

    Raises
    ------
    InputError
        If the folder holds no benchmark.
    """
    try:
        return Plan.from_dict(json.loads((out / PLAN).read_text()))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"There is no benchmark in {out}.") from error


def _cells(
    out: Path, plan: Plan, on_event: OnEvent, token: CancelToken | None
) -> Iterator[KnownCells]:
    """Yield the cells to train on and those to judge by, simulated once."""
    for name, seed, movies in (
        ("train", TRAINING_SEEDS, plan.movies),
        ("unseen", UNSEEN_SEEDS, plan.unseen),
    ):
        folder = out / "cells" / name
        if not folder.is_dir():
            cells = simulate_cells(
                seed,
                movies,
                plan.size,
                frames=plan.frames,
                cells=plan.cells,
                on_event=on_event,
                token=token,
            )
            cells.save(folder)
        yield KnownCells.load(folder)
