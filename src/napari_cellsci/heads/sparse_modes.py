"""What every way to find sparse heads is given and returns, and the ways of RigL."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch

from napari_cellsci.heads.batched import BatchedMLP
from napari_cellsci.heads.elimination import EliminationRule
from napari_cellsci.heads.history import MaskHistory
from napari_cellsci.heads.keeping import Keeper
from napari_cellsci.heads.labelled import LabelledLatents
from napari_cellsci.heads.losses import decide
from napari_cellsci.heads.pruning import prune
from napari_cellsci.heads.rigl import RiglConfig, RiglRule
from napari_cellsci.heads.splits import Indices
from napari_cellsci.heads.training import HeadTraining, model_seed
from napari_cellsci.tasks import CancelToken, OnEvent

if TYPE_CHECKING:
    from napari_cellsci.heads.sparse import SparseConfig

Bools = npt.NDArray[np.bool_]
PROBES = 512
"""Cells on which weights are tried, and the accuracy in the history is measured."""


@dataclass(frozen=True, slots=True)
class Problem:
    """What a mode is given.

    Parameters
    ----------
    known : LabelledLatents
    config : SparseConfig
    on_event : callable
    token : CancelToken or None
    keeper : Keeper, optional
        Of the heads that are returned.
    """

    known: LabelledLatents
    config: SparseConfig
    on_event: OnEvent
    token: CancelToken | None
    keeper: Keeper | None = None

    @property
    def budget(self) -> int:
        """Active weights that a head may have, where they are eliminated."""
        return self.config.budget(self.known.sizes_of_ends[1])

    def network(self, seeds: Sequence[int], inputs: Bools | None = None) -> BatchedMLP:
        """Return fresh heads; `inputs` (K, D) says which latents each may read."""
        n_in, n_out = self.known.sizes_of_ends
        network = BatchedMLP((n_in, *self.config.widths, n_out), seeds)
        if inputs is not None:
            network.mask = torch.ones_like(network.parameters)
            network.masks[0].mul_(torch.from_numpy(inputs).unsqueeze(1))
            network.parameters.mul_(network.mask)
        return network

    def train(
        self,
        network: BatchedMLP,
        rows: Sequence[Indices],
        seeds: Sequence[int],
        rule: RiglRule | EliminationRule | None,
        steps: int | None = None,
        *,
        l1: float = 0.0,
        input_l1: float = 0.0,
        kept: bool = False,
    ) -> HeadTraining:
        """Train heads on some of the labelled cells; `kept` if they are the last."""
        config, known = self.config, self.known
        training = HeadTraining(
            network,
            known.latents,
            known.y,
            rows,
            seeds,
            n_classes=known.n_classes,
            steps=steps or config.steps(len(known)),
            batch=config.batch,
            learning_rate=config.learning_rate,
            label_smoothing=config.smoothing,
            balanced=config.balanced,
            rule=rule,
            l1=l1,
            input_l1=input_l1,
        )
        keeper = self.keeper if kept else None
        if keeper is not None:
            keeper.restore(training)
        training.advance(on_event=self.on_event, token=self.token, keeper=keeper)
        return training


@dataclass(frozen=True, slots=True)
class Found:
    """What a mode returns.

    Attributes
    ----------
    network : BatchedMLP
        Pruned: `models` heads trained on all cells, then as many for each part.
    history : MaskHistory
        Of the first `models` heads.
    notes : dict
        What was chosen, as JSON values.
    """

    network: BatchedMLP
    history: MaskHistory
    notes: dict[str, Any]


Mode = Callable[[Problem], Found]


def members(problem: Problem) -> tuple[list[Indices], list[int]]:
    """Return the training cells and seeds of all heads, part after part."""
    models, parts = problem.config.models, problem.known.rows
    rows = [part for part in parts for _ in range(models)]
    seeds = [
        model_seed(problem.config.seed, part, k)
        for part in range(len(parts))
        for k in range(models)
    ]
    return rows, seeds


def probe(problem: Problem) -> tuple[torch.Tensor, npt.NDArray[np.int64]]:
    """Return the cells on which the accuracy in the history is measured."""
    n = len(problem.known)
    some = np.unique(np.linspace(0, n - 1, min(n, PROBES)).astype(np.int64))
    return problem.known.latents[some, 0].contiguous(), problem.known.y[some]


def finish(problem: Problem, training: HeadTraining, notes: dict[str, Any]) -> Found:
    """Prune trained heads and close their history."""
    rule = training.rule
    assert isinstance(rule, RiglRule | EliminationRule)
    pruned = prune(training.model)
    network, models = pruned.model, problem.config.models
    assert network.mask is not None
    x, y = probe(problem)
    first = list(range(models))
    masks = network.mask[:models][:, network.weight_positions].numpy() != 0
    outputs = network.select(first).outputs(x).numpy()
    accuracy = (decide(outputs) == y).mean(1)
    rule.history.record(training.steps, np.array(first), masks, accuracy)
    removed = {
        name: getattr(pruned, name)[:models].tolist()
        for name in ("zero", "leaf", "bias")
    }
    return Found(network, rule.history, {**notes, "pruned": removed})


def rigl(problem: Problem, *, gradual: bool = False, l1_prox: float = 0.0) -> Found:
    """Train by modified RigL: heads are dense, then connections move, then stay."""
    config = problem.config
    rows, seeds = members(problem)
    k, steps = len(seeds), config.steps(len(problem.known))
    warmup = round(config.warmup * steps)
    network = problem.network(seeds)
    rule = RiglRule(
        network,
        RiglConfig(
            sparsity=np.full(k, config.sparsity),
            interval=np.full(k, config.interval),
            alpha=np.full(k, config.alpha),
            warmup=warmup,
            end=round(config.end * (steps - warmup)),
            gradual=gradual,
            zero_regrow=config.zero_regrow,
        ),
        recorded=config.models,
        probe=probe(problem),
    )
    strength = l1_prox if config.l1_prox is None else config.l1_prox
    training = problem.train(network, rows, seeds, rule, l1=strength, kept=True)
    return finish(problem, training, {"budgets": rule.budgets[0].tolist()})


def rigl_gradual(problem: Problem) -> Found:
    """RigL with a sparsity that grows from nothing."""
    return rigl(problem, gradual=True)


def rigl_l1(problem: Problem) -> Found:
    """RigL with a proximal L1 penalty."""
    return rigl(problem, l1_prox=0.3)
