"""How fast attacks are: one cell under a slider, a whole movie, and a full curve.

    python benchmarks/attacks.py [--project FOLDER] [--model NAME] [--cells 200]
        [--heads 10] [--repeats 1]

The curve is compared with a loop over models and ε that is batched over cells but takes
a new gradient at every ε, in the same run and on the same thread. Without a project
the movie is left out. Torch works on one core.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from napari_cellsci.explain.attacks.gradient import gradient
from napari_cellsci.explain.attacks.steps import direction, perturbation
from napari_cellsci.explain.attacks.sweep import classes_of, evaluate
from napari_cellsci.explain.attacks.target import Target, push
from napari_cellsci.explain.robustness import IMAGE_STEPS, accuracy_curve
from napari_cellsci.project import Bundle, Project
from napari_cellsci.project.bundles import shipped_bundle
from napari_cellsci.representation.normalise import normalise


def timed(work: Callable[[], Any]) -> tuple[float, float]:
    """Return seconds by the clock and of the processor."""
    clock, cpu = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - clock, time.process_time() - cpu


def one_cell(bundle: Bundle, crop: Any) -> None:
    """Time the first view of a cell, and moves of the slider."""
    from napari_cellsci.panels.robustness.desk import AttackDesk, Choice

    AttackDesk(bundle, crop, Choice()).at(0.1)  # what is loaded once
    first, moves = [], []
    for _ in range(5):
        kept: list[AttackDesk] = []

        def open_desk(kept: list[AttackDesk] = kept) -> None:
            kept.append(AttackDesk(bundle, crop, Choice()))
            kept[0].at(0.1)

        first.append(timed(open_desk))
        for epsilon in np.linspace(0, 1, 40):
            moves.append(timed(lambda d=kept[0], e=epsilon: d.at(float(e))))  # type: ignore[misc]
    told("first view of a cell, mean of ten models", first)
    told("a move of the slider", moves, quantile=0.95)


def told(what: str, times: list[tuple[float, float]], quantile: float = 0.5) -> None:
    """Print a quantile of times."""
    clock, cpu = np.quantile(np.array(times), quantile, axis=0) * 1e3
    name = "median" if quantile == 0.5 else f"p{quantile * 100:.0f}"
    print(f"{what}: {clock:.1f} ms ({name}; {cpu:.1f} ms of processor)")


def loop(targets: list[Target], x: torch.Tensor, y: np.ndarray[Any, Any]) -> None:
    """Attack model by model and ε by ε, with a gradient each."""
    reference = torch.from_numpy(y)
    way = push(1, reference, towards=False)
    for target in targets:
        for epsilon in IMAGE_STEPS:
            found = gradient(target, x, reference, "image")
            delta = perturbation(direction(found.sign, way), epsilon)
            (classes_of(evaluate(target, x + delta, "image").numpy()) == y).mean()


def curve(bundle: Bundle, x: torch.Tensor, heads: int, repeats: int) -> None:
    """Time a curve against the loop."""
    targets = Target.each(bundle.heads, bundle.encoder)[:heads]
    y = np.arange(len(x)) % 2
    ours, theirs = [], []
    for _ in range(repeats):
        ours.append(timed(lambda: accuracy_curve(targets, x, y, IMAGE_STEPS, "image")))
        theirs.append(timed(lambda: loop(targets, x, y)))
    mine, other = (statistics.median(c for _, c in times) for times in (ours, theirs))
    print(
        f"curve of {len(IMAGE_STEPS)} ε, {heads} models, {len(x)} cells: {mine:.1f} s "
        f"of processor against {other:.1f} s of the loop: {other / mine:.2f} ×"
    )


def movie(folder: str, model: str | None, repeats: int) -> None:
    """Time an attack on all cells of a project, put back into the movie."""
    with Project.open(folder) as project:
        bundle = project.bundle(model)
        project.score(bundle)  # crops and latents are there already

        def whole() -> None:
            attacked = project.attack(bundle, member=0, cells="all")
            shown = project.attacked_movie(attacked)
            for t in shown.frames.tolist():
                shown.frame(t)

        times = [timed(whole) for _ in range(repeats)]
        clock, cpu = np.median(np.array(times), axis=0)
        print(
            f"{len(project):,} cells of {project.name}, a model of {bundle.name} "
            f"(scheme {bundle.scheme}), attacked and put back: {clock:.1f} s by the "
            f"clock, {cpu:.1f} s of processor (median of {repeats}; {load()})"
        )


def load() -> str:
    """Say how busy the machine is."""
    if not hasattr(os, "getloadavg"):
        return "load unknown"
    return f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores"


def main() -> None:
    """Run all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--project")
    parser.add_argument("--model", action="append", help="of the project; repeatable")
    parser.add_argument("--cells", type=int, default=200)
    parser.add_argument("--heads", type=int, default=10)
    parser.add_argument("--repeats", type=int, default=1)
    given = parser.parse_args()
    torch.set_num_threads(1)
    bundle = shipped_bundle()
    size = bundle.spec.size
    rng = np.random.default_rng(0)
    raw = rng.integers(100, 4000, (given.cells, 1, size, size)).astype(np.uint16)
    one_cell(bundle, raw[0])
    curve(bundle, normalise(raw, bundle.spec), given.heads, given.repeats)
    if given.project:
        for model in given.model or [None]:
            movie(given.project, model, given.repeats)


if __name__ == "__main__":
    main()
