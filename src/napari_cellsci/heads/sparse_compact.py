"""Compact heads: scouts find inputs and size, and heads on those inputs are trained."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from napari_cellsci.heads.batched import BatchedMLP
from napari_cellsci.heads.elimination import EliminationRule, Schedule, Watch
from napari_cellsci.heads.evaluate import balanced_accuracy
from napari_cellsci.heads.gates import GatedTraining
from napari_cellsci.heads.losses import decide, wanted_outputs
from napari_cellsci.heads.pruning import prune
from napari_cellsci.heads.sizes import used_inputs
from napari_cellsci.heads.sparse_modes import (
    PROBES,
    Bools,
    Found,
    Problem,
    finish,
    members,
    probe,
)
from napari_cellsci.heads.splits import Indices, folds_by_group
from napari_cellsci.heads.training import HeadTraining, model_seed

_UPDATES = 120
"""Eliminations on the way from dense to sparse."""
_PACE = 0.008
"""Share of the steps after which scouts let go of one more weight."""
_DIVIDED = 5
"""Parts of the tracks on which scouts are judged in turn."""
_PENALTY = 1.0
"""Strength of the group lasso that chooses inputs."""


@dataclass(frozen=True, slots=True)
class _Times:
    """When what happens in an elimination, in gradient steps."""

    warmup: int
    end: int
    pace: int
    steps: int

    @classmethod
    def of(cls, problem: Problem) -> _Times:
        config = problem.config
        steps = config.steps(len(problem.known))
        warmup = round(config.warmup * steps)
        end = warmup + round(config.end * (steps - warmup))
        return cls(warmup, end, max(round(_PACE * steps), 1), steps)


def _tried(rows: Sequence[Indices], seeds: Sequence[int]) -> list[Indices]:
    """Return the cells on which each head's weights are tried."""
    return [
        np.sort(
            np.random.default_rng(seed).choice(
                row, min(len(row), PROBES), replace=False
            )
        )
        for row, seed in zip(rows, seeds, strict=True)
    ]


def _shrink(
    problem: Problem,
    network: BatchedMLP,
    rows: Sequence[Indices],
    seeds: Sequence[int],
    first: npt.NDArray[np.int64],
    last: npt.NDArray[np.int64],
    *,
    recorded: int,
    watch: Watch | None = None,
) -> HeadTraining:
    """Train heads that let go of weights: swiftly down to `first`, then one by one."""
    known, times = problem.known, _Times.of(problem)
    wanted = wanted_outputs(known.y, known.n_classes, problem.config.smoothing)
    rule = EliminationRule(
        network,
        Schedule(
            warmup=times.warmup,
            end=times.end,
            every=max((times.end - times.warmup) // _UPDATES, 1),
            first=first,
            last=last,
            pace=times.pace,
        ),
        known.latents[:, 0].contiguous(),
        torch.from_numpy(wanted),
        _tried(rows, seeds),
        recorded=recorded,
        probe=probe(problem),
        watch=watch,
    )
    steps = times.steps + times.pace * int((first - last).max())
    return problem.train(network, rows, seeds, rule, steps)


def _on_inputs(
    problem: Problem,
    weights: Sequence[int],
    inputs: Sequence[Bools] | None,
    notes: dict[str, Any],
) -> Found:
    """Train all heads; each part has its number of weights and its inputs."""
    models = problem.config.models
    rows, seeds = members(problem)
    allowed = None if inputs is None else np.repeat(inputs, models, axis=0)
    network = problem.network(seeds, allowed)
    last = np.repeat(np.array(weights, np.int64), models)
    training = _shrink(problem, network, rows, seeds, last, last, recorded=models)
    return finish(problem, training, notes)


def eliminate(problem: Problem) -> Found:
    """Eliminate down to a given number of weights, on all latents."""
    weights = problem.config.weights
    parts = [weights] * len(problem.known.rows)
    return _on_inputs(problem, parts, None, {"weights": weights})


def _dense_scouts(problem: Problem) -> tuple[list[Indices], list[int]]:
    """Return the training cells and seeds of heads that stay dense, part after part."""
    config, parts = problem.config, problem.known.rows
    seeds = [
        model_seed(config.seed, part, scout, 1)
        for part in range(len(parts))
        for scout in range(config.scouts)
    ]
    return [part for part in parts for _ in range(config.scouts)], seeds


def _on_agreed(problem: Problem, used: Bools) -> Found:
    """Train on the inputs that the scouts of each part (parts · scouts, D) agree on."""
    shares = used.reshape(-1, problem.config.scouts, used.shape[1]).mean(1)
    inputs = [_agreed(own) for own in shares]
    notes = {"inputs": [np.flatnonzero(own).tolist() for own in inputs]}
    return _on_inputs(problem, [problem.config.weights] * len(inputs), inputs, notes)


def lasso_inputs(problem: Problem) -> Found:
    """Let a group lasso choose inputs, and make heads on those sparse."""
    rows, seeds = _dense_scouts(problem)
    network = problem.network(seeds)
    problem.train(network, rows, seeds, None, input_l1=_PENALTY)
    return _on_agreed(problem, used_inputs(network.weights))


def gated_inputs(problem: Problem) -> Found:
    """Let hard-concrete gates choose inputs, and make heads on those sparse."""
    config, known = problem.config, problem.known
    rows, seeds = _dense_scouts(problem)
    training = GatedTraining(
        problem.network(seeds),
        known.latents,
        known.y,
        rows,
        seeds,
        n_classes=known.n_classes,
        steps=config.steps(len(known)),
        batch=config.batch,
        learning_rate=config.learning_rate,
        label_smoothing=config.smoothing,
        balanced=config.balanced,
        compiled=False,
    )
    training.advance(on_event=problem.on_event, token=problem.token)
    return _on_agreed(problem, training.open.numpy())


def _agreed(shares: npt.NDArray[np.float64]) -> Bools:
    """Return the inputs that half of the scouts use, or those most used."""
    return np.asarray(shares >= min(0.5, shares.max()))


@dataclass(frozen=True, slots=True)
class _Choice:
    """What scouts advise for one part: how many weights, and which inputs."""

    weights: int
    inputs: Bools
    notes: dict[str, Any]


class _Lookout:
    """Sees what becomes of scouts: dense, and settled at every number of weights.

    Parameters
    ----------
    problem : Problem
    tests : list of int arrays
        The cells on which each scout is judged; scouts of a part follow each other.

    Attributes
    ----------
    accuracy : list of array of shape (parts,)
        Balanced accuracy of a part's scouts together, at each look.
    shares : list of array of shape (parts, D)
        Share of the scouts that use an input.
    """

    def __init__(self, problem: Problem, tests: list[Indices]) -> None:
        self._known, self._tests = problem.known, tests
        self._latents = problem.known.latents[:, 0]
        self._times, self._scouts = _Times.of(problem), problem.config.scouts
        self.accuracy: list[npt.NDArray[np.float64]] = []
        self.shares: list[npt.NDArray[np.float64]] = []

    def watch(self, step: int, model: BatchedMLP) -> None:
        """Look at scouts before they shrink, if they have settled."""
        on_the_way = self._times.warmup < step <= self._times.end
        if not on_the_way:
            self.look(model)

    def look(self, model: BatchedMLP) -> None:
        """Judge all scouts as they are now."""
        used = used_inputs(prune(model).model.masks)
        self.shares.append(used.reshape(-1, self._scouts, used.shape[1]).mean(1))
        decided = [
            decide(
                model.select([scout]).outputs(self._known.latents[rows, 0])[0].numpy()
            )
            for scout, rows in enumerate(self._tests)
        ]
        accuracy = [
            balanced_accuracy(
                self._known.y[
                    np.concatenate(self._tests[first : first + self._scouts])
                ],
                np.concatenate(decided[first : first + self._scouts]),
            )
            for first in range(0, len(decided), self._scouts)
        ]
        self.accuracy.append(np.array(accuracy))


def _scout(problem: Problem) -> list[_Choice]:
    """Let scouts of every part shrink step by step, and see what that costs them.

    Each scout learns without one part of its training tracks and is judged on that;
    scouts that learn from the same cells are judged together.
    """
    config, known = problem.config, problem.known
    seeds, rows, tests = [], [], []
    for part, cells in enumerate(known.rows):
        groups, y = known.groups[cells], known.y[cells]
        divided = folds_by_group(groups, y, _DIVIDED, model_seed(config.seed, part))
        for scout in range(config.scouts):
            seeds.append(model_seed(config.seed, part, scout, 1))
            fit, test = divided[scout % len(divided)]
            rows.append(cells[fit])
            tests.append(cells[test])
    lookout = _Lookout(problem, tests)
    network = problem.network(seeds)
    first = np.full(len(seeds), config.weights)
    last = np.full(len(seeds), config.least_weights)
    _shrink(problem, network, rows, seeds, first, last, recorded=0, watch=lookout.watch)
    lookout.look(network)
    accuracy, shares = np.stack(lookout.accuracy, 1), np.stack(lookout.shares, 1)
    return [
        _choose(config.keep, config.weights, *seen)
        for seen in zip(accuracy, shares, strict=True)
    ]


def _choose(
    keep: float,
    most: int,
    accuracy: npt.NDArray[np.float64],
    shares: npt.NDArray[np.float64],
) -> _Choice:
    """Take the fewest weights that keep the accuracy, and the inputs most agree on.

    Parameters
    ----------
    keep : float
    most : int
    accuracy : array of shape (1 + T,)
        Dense, with `most` weights, with one less, and so on.
    shares : array of shape (1 + T, D)
    """
    padded = np.pad(accuracy[1:], 1, mode="edge")
    smooth = (padded[:-2] + padded[1:-1] + padded[2:]) / 3
    good = np.flatnonzero(smooth >= keep * max(accuracy[0], smooth.max()))
    place = int(good[-1]) if len(good) else 0
    inputs = _agreed(shares[place + 1])
    notes = {
        "weights": most - place,
        "inputs": np.flatnonzero(inputs).tolist(),
        "accuracy": accuracy.tolist(),
        "shares": shares[place + 1].tolist(),
    }
    return _Choice(most - place, inputs, notes)


def compact(problem: Problem) -> Found:
    """Let scouts choose inputs and size; then train heads on those inputs alone."""
    choices = _scout(problem)
    return _on_inputs(
        problem,
        [choice.weights for choice in choices],
        [choice.inputs for choice in choices],
        {"scouts": [choice.notes for choice in choices]},
    )
