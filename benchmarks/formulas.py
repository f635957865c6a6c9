"""The built-in search for formulas on two problems with a known answer.

    OMP_NUM_THREADS=1 python benchmarks/formulas.py --seconds 20 --seeds 5
    OMP_NUM_THREADS=1 python benchmarks/formulas.py --problem P2 --seconds 30

P1 is sign(z29·(z17² + z21²) − exp(exp(z3))), P2 sign((z29 − 0.44·z3)·(z17² + z21²)
− 2.56), both from arXiv 2402.03115; z ~ N(0, I), 4,000 cells of which 2% have the wrong
label, 1,000 test cells with the right one, about 10% positive. Every engine sees the
same 3,200 cells; of its front that formula is taken which is the smallest within one
standard error of the best on the other 800. Complexity is at most 20, as PySR counts.
pyoperon and gplearn take part where they are installed; neither knows the hinge loss
with gradients, per-operator complexity or a size limit of this kind: they follow labels
of ±1 (pyoperon, squared error) or Python's hinge (gplearn), at a length of 20 where one
can be set. Seconds are those of the processor: on an idle machine those of a clock.
"""

from __future__ import annotations

import argparse
import importlib.util
import time
import warnings
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from napari_cellsci.formulas.choosing import balanced_accuracy, choose, judge
from napari_cellsci.formulas.compiled import HAVE_NUMBA
from napari_cellsci.formulas.islands import IslandSearch
from napari_cellsci.formulas.published import PUBLISHED
from napari_cellsci.formulas.spec import SearchSpec

NAMES = ("z3", "z17", "z21", "z29")
TRUTH = {p.name: p.expression for p in PUBLISHED}
PROBLEMS = {"P1": TRUTH["H1"], "P2": TRUTH["H10"]}
FIT, CHOOSE, TEST = slice(0, 3200), slice(3200, 4000), slice(4000, 5000)


class Cells(NamedTuple):
    """Latents, labels as they were given (±1), and as they are."""

    x: np.ndarray
    given: np.ndarray
    true: np.ndarray

    def columns(self, part: slice) -> dict[str, np.ndarray]:
        """Return the latents of some cells by name."""
        return dict(zip(NAMES, self.x[part].T, strict=True))


class Row(NamedTuple):
    """What one run came to."""

    accuracy: float
    balanced: float
    size: float
    form: bool
    rate: float
    found: str


def make(problem: str, seed: int) -> Cells:
    """Return the cells of a problem."""
    rng = np.random.default_rng(1000 + seed)
    x = rng.normal(size=(5000, 4))
    true = np.where(PROBLEMS[problem](dict(zip(NAMES, x.T, strict=True))) >= 0, 1.0, -1)
    wrong = rng.random(5000) < 0.02
    return Cells(x, np.where(wrong, -true, true), true)


def tested(cells: Cells, scores: np.ndarray) -> tuple[float, float]:
    """Return accuracy and balanced accuracy on the test cells."""
    right = (scores >= 0) == (cells.true[TEST] > 0)
    y = (cells.true[TEST] > 0).astype(np.int64)
    return float(right.mean()), balanced_accuracy(right, y, np.arange(len(y)))[0]


def builtin(problem: str, seed: int, seconds: float, nested: bool) -> Row:
    """Run the built-in engine."""
    cells = make(problem, seed)
    spec = SearchSpec(seconds=seconds, seed=seed, nested=nested)
    search = IslandSearch(cells.x[FIT], cells.given[FIT], np.ones(3200), NAMES, spec)
    begun = time.process_time()
    front = search.search(clock=time.process_time)
    rate = search.evaluations / (time.process_time() - begun)
    y = (cells.given[CHOOSE] > 0).astype(np.int64)
    judged = judge(front, cells.columns(CHOOSE), y, np.arange(len(y)))
    best = front[choose(judged)].expression
    found = tested(cells, best(cells.columns(TEST)))
    same = best.form() == PROBLEMS[problem].form()
    return Row(*found, best.complexity(), same, rate, best.pretty())


def pyoperon(problem: str, seed: int, seconds: float, nested: bool) -> Row:
    """Run pyoperon's regressor on labels of ±1."""
    from pyoperon.sklearn import SymbolicRegressor

    cells = make(problem, seed)
    model = SymbolicRegressor(
        allowed_symbols="add,sub,mul,div,square,exp,log,sin,sqrt,abs,constant,variable",
        max_length=20,
        objectives=["mse", "length"],
        optimizer_iterations=1,
        generations=10**9,
        max_evaluations=10**9,
        max_time=int(seconds),
        random_state=seed,
        n_threads=1,
    )
    model.fit(cells.x[FIT], cells.given[FIT])
    found = tested(cells, model.predict(cells.x[TEST]))
    text = model.get_model_string(model.model_, 3)
    return Row(*found, float("nan"), False, float("nan"), text)


def gplearn(problem: str, seed: int, seconds: float, nested: bool) -> Row:
    """Run gplearn with the hinge loss until the time is over."""
    from gplearn.fitness import make_fitness
    from gplearn.genetic import SymbolicRegressor

    cells = make(problem, seed)
    hinge = make_fitness(
        function=lambda y, f, w: float(np.maximum(0, 1 - y * f).mean()),
        greater_is_better=False,
    )
    names = ("add", "sub", "mul", "div", "log", "sin", "sqrt", "abs")
    model = SymbolicRegressor(
        population_size=1000,
        generations=1,
        function_set=names,
        metric=hinge,
        parsimony_coefficient=1e-3,
        random_state=seed,
        warm_start=True,
    )
    begun, generations = time.process_time(), 0
    while time.process_time() - begun < seconds:
        generations += 1
        model.set_params(generations=generations)
        model.fit(cells.x[FIT], cells.given[FIT])
    found = tested(cells, model.predict(cells.x[TEST]))
    program = model._program
    rate = 1000 * generations / (time.process_time() - begun)
    return Row(*found, program.length_, False, rate, str(program))


ENGINES: dict[str, Callable[[str, int, float, bool], Row]] = {
    "builtin": builtin,
    "pyoperon": pyoperon,
    "gplearn": gplearn,
}


def report(engine: str, problem: str, rows: list[Row]) -> None:
    """Print what an engine's runs came to."""
    accuracy, balanced, size, form, rate, _ = zip(*rows, strict=True)
    said = (
        f"{problem} {engine:9s} accuracy {np.mean(accuracy):.4f} "
        f"({min(accuracy):.3f} to {max(accuracy):.3f}), "
        f"balanced {np.mean(balanced):.3f}"
    )
    if np.isfinite(size).all():
        said += f", size {np.mean(size):.1f}"
    if engine == "builtin":
        said += (
            f", form found {sum(form)}/{len(form)}, {np.median(rate):,.0f} evaluations "
            "a second"
        )
    print(said, flush=True)


def main() -> None:
    """Run all engines on the problems, in turns."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--problem", choices=PROBLEMS, action="append")
    parser.add_argument("--engine", choices=ENGINES, action="append")
    parser.add_argument("--nested", action="store_true", help="allow exp(exp(z))")
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    print("compiled" if HAVE_NUMBA else "plain NumPy: numba is not installed")
    builtin("P2", 99, 0.1, False)  # compiles
    for problem in given.problem or PROBLEMS:
        for engine in given.engine or ENGINES:
            if engine != "builtin" and importlib.util.find_spec(engine) is None:
                print(f"{problem} {engine:9s} skipped: it is not installed")
                continue
            rows = []
            for seed in range(given.first, given.first + given.seeds):
                row = ENGINES[engine](problem, seed, given.seconds, given.nested)
                rows.append(row)
                print(f"  {seed}: {row.accuracy:.3f} {row.balanced:.3f} {row.found}")
            report(engine, problem, rows)


if __name__ == "__main__":
    main()
