"""The training loop of batched heads."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from napari_cellsci.heads.batched import BatchedAdam, BatchedMLP
from napari_cellsci.heads.losses import (
    class_weights,
    loss,
    loss_gradient,
    wanted_outputs,
)
from napari_cellsci.heads.streams import batches
from napari_cellsci.tasks import CancelToken, OnEvent, Step, ignore

_REPORT_EVERY = 50


class TopologyRule(Protocol):
    """Decides which connections exist while the heads learn."""

    def before_step(
        self, step: int, model: BatchedMLP, optimiser: BatchedAdam
    ) -> Tensor | None:
        """Read the dense gradient of this batch and change masks if it is time.

        Returns
        -------
        bool Tensor of shape (K,), or None
            Models that change topology instead of taking this gradient step.
        """

    def after_step(self, step: int, model: BatchedMLP, optimiser: BatchedAdam) -> None:
        """Act on the parameters the optimiser has just moved."""


def model_seed(seed: int, *path: int) -> int:
    """Return the seed of one model, independent of its neighbours' seeds."""
    return int(np.random.SeedSequence([seed, *path]).generate_state(1)[0])


def train_batched(
    model: BatchedMLP,
    latents: Tensor,
    y: npt.NDArray[np.int64],
    rows: Sequence[npt.NDArray[np.int64]],
    seeds: Sequence[int],
    *,
    n_classes: int,
    steps: int,
    batch: int = 64,
    dropout: float = 0.0,
    learning_rate: float = 1e-3,
    label_smoothing: float = 0.0,
    balanced: bool = True,
    rule: TopologyRule | None = None,
    on_event: OnEvent = ignore,
    token: CancelToken | None = None,
) -> BatchedAdam:
    """Train K heads at once, each on its own cells and from its own random streams.

    Parameters
    ----------
    model : BatchedMLP
        Changed in place.
    latents : Tensor of shape (n, views, D)
        Each view is drawn as often as any other.
    y : int array of shape (n,)
        Classes from 0.
    rows : sequence of K int arrays
        Which cells each model sees.
    seeds : sequence of K ints
    n_classes, steps, batch : int
    dropout : float
        Probability that a hidden neuron is silenced in a step.
    learning_rate : float
    label_smoothing : float
        See `losses.wanted_outputs`.
    balanced : bool
        Weight the classes by the inverse of their frequency.
    rule : TopologyRule, optional
        Grows and drops connections as training goes.
    on_event : callable
        Receives a `Step` with the mean loss of the heads now and then.
    token : CancelToken, optional

    Returns
    -------
    BatchedAdam
        The optimiser in its last state.
    """
    n, n_views, width = latents.shape
    k = model.n_models
    table = latents.reshape(n * n_views, width).to(model.parameters.dtype)
    weight_of = np.stack([class_weights(y[r], n_classes, balanced)[y] for r in rows])
    weight_table = torch.from_numpy(weight_of).to(table.dtype)
    offsets = (torch.arange(k) * n).repeat_interleave(batch)
    wanted_table = torch.from_numpy(wanted_outputs(y, n_classes, label_smoothing))
    wanted_table = wanted_table.to(table.dtype)
    optimiser = BatchedAdam(model, learning_rate)
    sequence = batches(
        seeds,
        rows,
        n_views=n_views,
        batch=batch,
        steps=steps,
        widths=model.widths,
        dropout=dropout,
    )
    with torch.no_grad():
        for step, drawn in enumerate(sequence):
            if token is not None:
                token.raise_if_cancelled()
            cell = drawn.index.div(n_views, rounding_mode="floor")
            x = table.index_select(0, drawn.index).view(k, batch, width)
            wanted = wanted_table.index_select(0, cell).view(k, batch, -1)
            weight = weight_table.view(-1).index_select(0, cell + offsets)
            weight = weight.view(k, batch)
            outputs = model.forward(x, drawn.keep)
            model.backward(loss_gradient(outputs, wanted, weight))
            skip = None if rule is None else rule.before_step(step, model, optimiser)
            optimiser.step(skip)
            if rule is not None:
                rule.after_step(step, model, optimiser)
            if step % _REPORT_EVERY == 0 or step == steps - 1:
                mean = float(loss(outputs, wanted, weight).mean())
                on_event(Step(step + 1, steps, {"loss": mean}))
    return optimiser
