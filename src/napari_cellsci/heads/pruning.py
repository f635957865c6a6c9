"""Removing what a trained sparse head does not need, without changing its function.

Three kinds of weights do nothing that could not be done without them: those that are
exactly zero, those that lead into a neuron nobody listens to (leaf weights), and those
that come from a neuron nobody speaks to, whose constant ``Mish(b)`` moves into the
biases behind it (bias weights; arXiv 2402.03115, appendix B.3).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from napari_cellsci.heads.batched import BatchedMLP, mish
from napari_cellsci.heads.sizes import active_weights

Counts = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Pruned:
    """Heads after pruning and what was removed from each.

    Attributes
    ----------
    model : BatchedMLP
        With a mask.
    zero, leaf, bias : int arrays of shape (K,)
        Weights removed since they were zero, led nowhere, or came from a constant.
    """

    model: BatchedMLP
    zero: Counts
    leaf: Counts
    bias: Counts


def prune(model: BatchedMLP) -> Pruned:
    """Remove the weights that do not matter from a copy of some heads.

    Outputs stay the same up to rounding. Pruning what was pruned changes nothing.

    Parameters
    ----------
    model : BatchedMLP
        Without normalisation between layers; its mask may be None.

    Returns
    -------
    Pruned
    """
    copy = model.select(range(model.n_models))
    if copy.mask is None:
        copy.mask = torch.ones_like(copy.parameters)
    copy.parameters.mul_(copy.mask)
    masks, _ = copy.views(copy.mask)
    before = active_weights(masks)
    for mask, weight in zip(masks, copy.weights, strict=True):
        mask.mul_(weight != 0)
    nonzero = active_weights(masks)
    _drop_leaves(masks)
    without_leaves = active_weights(masks)
    _fold_constants(copy, masks)
    copy.parameters.mul_(copy.mask)
    _silence_strangers(copy, masks)
    after = active_weights(masks)
    return Pruned(
        copy, before - nonzero, nonzero - without_leaves, without_leaves - after
    )


def _drop_leaves(masks: list[Tensor]) -> None:
    """Drop the inputs of hidden neurons without outputs; from the top one pass does."""
    for below, above in zip(masks[-2::-1], masks[:0:-1], strict=True):
        heard = (above != 0).any(1)
        below.mul_(heard.unsqueeze(-1))


def _fold_constants(model: BatchedMLP, masks: list[Tensor]) -> None:
    """Move the constant of neurons without inputs into the biases behind them.

    A neuron that loses its last input that way is met when its own layer is reached.
    """
    for layer in range(1, len(masks)):
        constant = ~(masks[layer - 1] != 0).any(2)
        value = mish(model.biases[layer - 1][:, 0].double()) * constant
        weight = (model.weights[layer] * masks[layer]).double()
        bias = model.biases[layer]
        added = torch.bmm(weight, value.unsqueeze(-1)).squeeze(-1)
        bias.copy_(bias.double().add_(added.unsqueeze(1)))
        masks[layer].mul_(~constant.unsqueeze(1))


def _silence_strangers(model: BatchedMLP, masks: list[Tensor]) -> None:
    """Zero the biases of hidden neurons that are connected to nothing."""
    for bias, above in zip(model.biases[:-1], masks[1:], strict=True):
        bias.mul_((above != 0).any(1).unsqueeze(1))
