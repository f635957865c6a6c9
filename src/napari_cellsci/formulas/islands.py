"""The built-in search: islands that evolve apart and share what they found.

Islands meet after every round, in one order, and draw from their own chance, so that
the same budget finds the same formulas however many threads carry them. Half of the
islands follow the logistic loss where the hinge is asked for: with few cells of one
class the hinge has a wide plateau at f = −1, on which it would end.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from napari_cellsci.formulas import evolution as ev
from napari_cellsci.formulas import fitting, tokens
from napari_cellsci.formulas.blocks import Rows, Work, rows_in_blocks, workspace
from napari_cellsci.formulas.fronts import front_of
from napari_cellsci.formulas.kernels import HINGE, LOGISTIC, SQUARED
from napari_cellsci.formulas.spec import Candidate, SearchSpec
from napari_cellsci.formulas.variation import MOVES, Dice, Rules

KINDS = {"hinge": HINGE, "logistic": LOGISTIC, "mse": SQUARED}
Array = npt.NDArray[np.float64]
_LEAST_BASELINE = 0.01
"""PySR's: a loss of the constant 0 that is smaller would make any cost enormous."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """How the built-in engine searches; found by trial on the benchmark's problems.

    Parameters
    ----------
    islands, population : int
        Islands, and formulas on each.
    steps, brood : int
        Children of an island between two meetings, and how many are born together.
    batch : int
        Rows on which formulas are judged between meetings.
    tournament, first, crossover, heat, adaptive
        See `evolution.Knobs`.
    surrogate : float
        Share of the islands that follow the logistic loss where the hinge is asked for.
    tuned : float
        Share of an island whose numbers are fitted at every meeting.
    polished : float
        Share of an island's finds that are fitted on all rows without improving.
    from_hall, from_others : float
        Share of an island that is replaced by the best of all, and by its neighbours'.
    patience : int
        Meetings without any improvement after which half of the islands begin anew.
    """

    islands: int = 6
    population: int = 128
    steps: int = 2560
    brood: int = 64
    batch: int = 512
    tournament: int = 12
    first: float = 0.95
    crossover: float = 0.2
    heat: float = 0.3
    adaptive: float = 20.0
    surrogate: float = 0.5
    tuned: float = 0.14
    polished: float = 0.08
    from_hall: float = 0.05
    from_others: float = 0.03
    patience: int = 100


@dataclass(slots=True)
class Island:
    """One island with its own chance, room and hall."""

    rng: np.random.Generator
    knobs: ev.Knobs
    pop: ev.Population
    found: ev.Shelf
    hall: ev.Shelf
    work: Work
    brood: ev.Brood
    counts: Array
    clock: npt.NDArray[np.int64]
    shut: int = 0
    """Meetings for which nobody may come in."""


class IslandSearch:
    """A search for formulas; see `search`.

    Parameters
    ----------
    x : array of shape (n, variables)
    y : array of shape (n,)
        Targets; ±1 for hinge and logistic loss.
    w : array of shape (n,)
        Weights of the rows.
    names : sequence of str
    spec : SearchSpec
    recipe : Recipe, optional
    """

    def __init__(
        self,
        x: Array,
        y: Array,
        w: Array,
        names: Sequence[str],
        spec: SearchSpec,
        recipe: Recipe | None = None,
    ) -> None:
        self.spec, self.names = spec, tuple(names)
        self._recipe = recipe or Recipe()
        self._x, self._y, self._w = x, y, w
        self._rows = rows_in_blocks(x, y, w)
        self._kind = KINDS[spec.loss]
        self._room = spec.maxsize
        self._rules = _rules(spec, len(names))
        self._hall = ev.empty_shelf(spec.maxsize, self._room)
        self._islands = [self._island(k) for k in range(self._recipe.islands)]
        self._rng = np.random.default_rng([spec.seed, len(self._islands)])
        self._still = 0
        self.evaluations = 0
        self.meetings = 0

    def _island(self, k: int) -> Island:
        recipe, spec = self._recipe, self.spec
        followers = recipe.surrogate * recipe.islands
        kind = self._kind
        if kind == HINGE and k < followers:
            kind = LOGISTIC
        work = workspace(self._room)
        zero = np.full((1, self._room), tokens.CONSTANT)
        baseline = fitting.losses(
            zero,
            np.zeros((1, self._room)),
            np.ones(1, np.int64),
            self._rows,
            kind,
            work,
        )[0]
        knobs = ev.Knobs(
            kind,
            max(float(baseline), _LEAST_BASELINE),
            spec.parsimony,
            recipe.adaptive,
            recipe.tournament,
            recipe.first,
            recipe.crossover,
            recipe.heat,
        )
        return Island(
            np.random.default_rng([spec.seed, k]),
            knobs,
            ev.empty_population(recipe.population, self._room),
            ev.empty_shelf(spec.maxsize, self._room),
            ev.empty_shelf(spec.maxsize, self._room),
            work,
            ev.empty_brood(recipe.brood, self._room),
            np.ones(spec.maxsize + 1),
            np.zeros(1, np.int64),
        )

    # One round of an island

    def _begin(self, island: Island) -> int:
        pop = island.pop
        brood = ev.empty_brood(len(pop.length), self._room)
        ev.settlers(brood, 5, self._rules, self._dice(island))
        pop.code[:], pop.value[:] = brood.code, brood.value
        pop.length[:], pop.size[:] = brood.length, brood.size
        island.clock[0] += len(pop.length)
        pop.birth[:] = np.arange(len(pop.length)) + island.clock[0]
        island.clock[0] += len(pop.length)
        island.counts[:] = 1.0
        return 0

    def _round(self, island: Island) -> int:
        recipe, pop, knobs = self._recipe, island.pop, island.knobs
        batch, dice = self._batch(island), self._dice(island)
        island.found.length[:] = 0
        island.found.loss[:] = np.inf
        self._reassess(island, batch)
        used = len(pop.length)
        brood = island.brood
        broods = max(recipe.steps // len(brood.length), 1)
        for turn in range(broods):
            warmth = 1 - turn / broods
            ev.breed(pop, brood, self._rules, knobs, island.counts, dice)
            brood.loss[:] = fitting.losses(
                brood.code, brood.value, brood.length, batch, knobs.kind, island.work
            )
            used += len(brood.length)
            ev.admit(
                pop,
                brood,
                island.found,
                knobs,
                island.counts,
                warmth,
                dice,
                island.clock,
            )
        used += self._tune(island, batch) + self._polish(island)
        if island.counts.sum() > 50_000:
            island.counts[:] = np.maximum(island.counts / 2, 1.0)
        return used

    def _reassess(self, island: Island, batch: Rows) -> None:
        pop, knobs = island.pop, island.knobs
        pop.loss[:] = fitting.losses(
            pop.code, pop.value, pop.length, batch, knobs.kind, island.work
        )
        pop.cost[:] = pop.loss / knobs.baseline + knobs.parsimony * pop.size

    def _tune(self, island: Island, batch: Rows) -> int:
        """Fit the numbers of some of an island's formulas on its batch."""
        pop = island.pop
        some = np.flatnonzero(island.rng.random(len(pop.length)) < self._recipe.tuned)
        value, loss = pop.value[some], pop.loss[some]
        used = fitting.fit(
            pop.code[some],
            value,
            pop.length[some],
            loss,
            batch,
            island.knobs.kind,
            6,
            island.work,
        )
        pop.value[some], pop.loss[some] = value, loss
        knobs = island.knobs
        pop.cost[some] = loss / knobs.baseline + knobs.parsimony * pop.size[some]
        return used

    def _polish(self, island: Island) -> int:
        """Offer what an island found to its hall, judged on all rows.

        What improves on the hall is fitted, and a share of the rest; of islands that
        follow another loss more, since their numbers mean little to this one.
        """
        found, hall = island.found, island.hall
        own = island.knobs.kind == self._kind
        sizes = np.flatnonzero(found.length)
        code, value, length = (
            found.code[sizes],
            found.value[sizes].copy(),
            found.length[sizes],
        )
        rest = (self._rows, self._kind)
        loss = fitting.losses(code, value, length, *rest, island.work)
        used = len(sizes)
        self._shelve(hall, sizes, code, value, length, loss)
        share = self._recipe.polished * (1 if own else 3)
        worth = (loss <= hall.loss[sizes]) | (island.rng.random(len(sizes)) < share)
        some = np.flatnonzero(worth)
        fitted, better = value[some], loss[some]
        used += fitting.fit(
            code[some], fitted, length[some], better, *rest, 8, island.work
        )
        self._shelve(hall, sizes[some], code[some], fitted, length[some], better)
        return used

    @staticmethod
    def _shelve(
        hall: ev.Shelf,
        sizes: npt.NDArray[np.int64],
        code: tokens.Codes,
        value: Array,
        length: npt.NDArray[np.int64],
        loss: Array,
    ) -> None:
        better = loss < hall.loss[sizes]
        to = sizes[better]
        hall.code[to], hall.value[to] = code[better], value[better]
        hall.length[to], hall.loss[to] = length[better], loss[better]

    def _batch(self, island: Island) -> Rows:
        n, size = len(self._y), self._recipe.batch
        if n <= size:
            return self._rows
        some = island.rng.choice(n, size, replace=False, shuffle=False)
        return rows_in_blocks(self._x[some], self._y[some], self._w[some])

    def _dice(self, island: Island) -> Dice:
        drawn = island.rng.random(40 * self._recipe.steps)
        return Dice(drawn, np.zeros(1, np.int64))

    # The meeting

    def _meet(self) -> None:
        better = False
        for island in self._islands:
            for size in np.flatnonzero(island.hall.loss < self._hall.loss):
                before = self._hall.loss[size]
                _copy(island.hall, int(size), self._hall, int(size))
                better = better or self._hall.loss[size] < before * (1 - 1e-4)
        for island in self._islands:
            for own, best in zip(island.hall, self._hall, strict=True):
                own[:] = best
        self._still = 0 if better else self._still + 1
        self.meetings += 1

    def _travel(self) -> None:
        """Let the best of all, and some of each other's, come to the islands."""
        recipe, front = self._recipe, self._front()
        for k, island in enumerate(self._islands):
            chance = island.rng.random((recipe.population, 2))
            if island.shut > 0:
                island.shut -= 1
                continue
            other = self._islands[(k + 1) % len(self._islands)].pop
            for place in range(recipe.population):
                if front and chance[place, 0] < recipe.from_hall:
                    size = front[int(chance[place, 1] * len(front))]
                    _settle_in(island, place, self._hall, size, size)
                elif chance[place, 0] > 1 - recipe.from_others:
                    guest = int(chance[place, 1] * recipe.population)
                    size = int(other.size[guest])
                    _settle_in(island, place, other, guest, size)

    def _renew(self) -> int:
        """Begin anew on half of the islands after a long standstill."""
        if self._still < self._recipe.patience:
            return 0
        self._still, used = 0, 0
        chosen = self._rng.permutation(len(self._islands))[: len(self._islands) // 2]
        for k in sorted(int(k) for k in chosen):
            used += self._begin(self._islands[k])
            self._islands[k].shut = self._recipe.patience // 2
        return used

    def _front(self) -> list[int]:
        """Return the complexities at which the loss is lower than at any smaller."""
        found, best = [], math.inf
        for size in range(len(self._hall.loss)):
            if self._hall.loss[size] < best:
                best = float(self._hall.loss[size])
                found.append(size)
        return found

    # From outside

    def front(self) -> list[Candidate]:
        """Return the best formulas so far, from the smallest on."""
        return front_of(
            [
                tokens.decode(
                    self._hall.code[size],
                    self._hall.value[size],
                    int(self._hall.length[size]),
                    self.names,
                )
                for size in self._front()
            ],
            self._x,
            self._y,
            self._w,
            self.names,
            self.spec,
        )

    def search(
        self,
        on_round: Callable[[float], None] = lambda fraction: None,
        stop: Callable[[], bool] = lambda: False,
        clock: Callable[[], float] = time.monotonic,
    ) -> list[Candidate]:
        """Search until a budget is spent or `stop` says so; return the front.

        Parameters
        ----------
        on_round : callable
            Told the share of the budget that is spent, after every meeting.
        stop : callable
        clock : callable
            Seconds, for the time limit.
        """
        begun = clock()
        with _threads(self.spec.cores) as every:
            self.evaluations += sum(every(self._begin, self._islands))
            while True:
                self.evaluations += sum(every(self._round, self._islands))
                self._meet()
                spent = self._spent(clock() - begun)
                on_round(min(spent, 1.0))
                if spent >= 1 or stop():
                    break
                self._travel()
                self.evaluations += self._renew()
        self._finish()
        return self.front()

    def _spent(self, seconds: float) -> float:
        spec = self.spec
        shares = [0.0]
        if spec.evaluations is not None:
            shares.append(self.evaluations / spec.evaluations)
        if spec.seconds is not None:
            shares.append(seconds / spec.seconds)
        return max(shares)

    def _finish(self) -> None:
        """Fit the numbers of the front once more, from several starts."""
        sizes = np.array(self._front(), np.int64)
        if not len(sizes):
            return
        hall, work = self._hall, self._islands[0].work
        code, length = hall.code[sizes], hall.length[sizes]
        for start in range(3):
            value = hall.value[sizes].copy()
            if start:
                value *= 1 + 0.3 * self._rng.normal(size=value.shape)
            loss = fitting.losses(code, value, length, self._rows, self._kind, work)
            self.evaluations += fitting.fit(
                code, value, length, loss, self._rows, self._kind, 40, work
            )
            self._shelve(hall, sizes, code, value, length, loss)


@contextmanager
def _threads(cores: int) -> Iterator[Callable[..., Iterator[int]]]:
    """Give a `map` that keeps the order, on so many threads."""
    if cores == 1:
        yield map
        return
    with ThreadPoolExecutor(cores, thread_name_prefix="cellsci-formulas") as pool:
        yield pool.map


def _rules(spec: SearchSpec, variables: int) -> Rules:
    number = {name: place for place, name in enumerate(tokens.OPERATORS)}
    weights = [spec.weights.get(name, 1) for name in tokens.OPERATORS]
    return Rules(
        np.array([number[name] for name in spec.binary], np.int64),
        np.array([number[name] for name in spec.unary], np.int64),
        np.array([*weights, 1], np.int64),
        variables,
        spec.maxsize,
        spec.nested,
        MOVES,
    )


def _copy(source: ev.Shelf, place: int, target: ev.Shelf, to: int) -> None:
    for given, taken in zip(source, target, strict=True):
        taken[to] = given[place]


def _settle_in(
    island: Island, place: int, source: ev.Shelf | ev.Population, guest: int, size: int
) -> None:
    """Let a formula from elsewhere take a place; the next round judges it."""
    pop = island.pop
    pop.code[place], pop.value[place] = source.code[guest], source.value[guest]
    pop.length[place], pop.size[place] = source.length[guest], size
    island.clock[0] += 1
    pop.birth[place] = island.clock[0]
