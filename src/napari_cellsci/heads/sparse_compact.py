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
from napari_cellsci.heads.gates import GatedTraining
from napari_cellsci.heads.losses import wanted_outputs
from napari_cellsci.heads.pruning import prune
from napari_cellsci.heads.scouting import Scouts, agreed
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
from napari_cellsci.heads.splits import Indices
from napari_cellsci.heads.training import HeadTraining, model_seed

_UPDATES = 120
"""Eliminations on the way from dense to sparse."""
_PACE = 0.008
"""Share of the steps after which scouts let go of one more weight."""
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
    return problem.train(network, rows, seeds, rule, steps, kept=watch is None)


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
    weights = problem.budget
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
    inputs = [agreed(own) for own in shares]
    notes = {"inputs": [np.flatnonzero(own).tolist() for own in inputs]}
    return _on_inputs(problem, [problem.budget] * len(inputs), inputs, notes)


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


def compact(problem: Problem) -> Found:
    """Let scouts choose inputs and size; then train heads on those inputs alone."""
    config, scouts = problem.config, Scouts.of(problem)
    network, times = problem.network(scouts.seeds), _Times.of(problem)
    states: list[BatchedMLP] = []

    def watch(step: int, model: BatchedMLP) -> None:
        # As they are before they shrink: dense, and settled at every size.
        if not times.warmup < step <= times.end:
            states.append(prune(model).model)

    first = np.full(network.n_models, problem.budget)
    last = np.full(network.n_models, config.least_weights)
    _shrink(
        problem,
        network,
        scouts.rows,
        scouts.seeds,
        first,
        last,
        recorded=0,
        watch=watch,
    )
    states.append(prune(network).model)
    advice = scouts.advise(states)
    return _on_inputs(
        problem,
        [own.weights for own in advice],
        [own.inputs for own in advice],
        {"scouts": [own.notes for own in advice]},
    )
