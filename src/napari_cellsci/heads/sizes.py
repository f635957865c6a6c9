"""How large a head is: active weights, and the size of the expression it stands for.

A neuron ``b + Σ w·x`` over M inputs is a tree of 4M + 1 nodes. Mish reads it twice and
makes 8M + 8 of it, batch normalisation before Mish 8M + 30 (arXiv 2402.03115,
equations 11 and 13). Equation 14 of the paper counts 8M + 1 for the neurons of a sparse
head: both conventions are offered, since neither figure means much beside the other.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

Convention = Literal["paper", "tree"]
Sizes = npt.NDArray[np.int64]


def active_weights(masks: Sequence[Tensor]) -> Sizes:
    """Return the connections of each model (K,), biases not counted.

    Parameters
    ----------
    masks : sequence of Tensor of shape (K, out, in)
        Layer by layer, nonzero where a weight is active.
    """
    counts = sum((mask != 0).sum((1, 2)) for mask in masks)
    return np.asarray(torch.as_tensor(counts), np.int64)


def used_inputs(masks: Sequence[Tensor]) -> npt.NDArray[np.bool_]:
    """Return which inputs each model is connected to (K, D)."""
    return np.asarray((masks[0] != 0).any(1).numpy(), np.bool_)


def expression_size(masks: Sequence[Tensor], convention: Convention = "paper") -> Sizes:
    """Return the expression size of sparse heads without normalisation (K,).

    Only neurons that have inputs count.

    Parameters
    ----------
    masks : sequence of Tensor of shape (K, out, in)
        Layer by layer, nonzero where a weight is active.
    convention : {"paper", "tree"}
        8M + 1 for a hidden neuron of M inputs, as in equation 14; or 8M + 8, the nodes
        of its tree. An output is 4M + 1 in both.
    """
    extra = 1 if convention == "paper" else 8
    total = torch.zeros(len(masks[0]), dtype=torch.int64)
    for layer, mask in enumerate(masks):
        inputs = (mask != 0).sum(2)
        last = layer == len(masks) - 1
        nodes = 4 * inputs + 1 if last else 8 * inputs + extra
        total += torch.where(inputs > 0, nodes, 0).sum(1)
    return np.asarray(total.numpy(), np.int64)


def dense_weights(sizes: Sequence[int]) -> int:
    """Return the weights of a dense head, biases not counted."""
    return sum(n_in * n_out for n_in, n_out in pairwise(sizes))


def dense_expression_size(sizes: Sequence[int], batch_norm: bool = False) -> int:
    """Return the expression size of a dense head (equations 11 and 13).

    Parameters
    ----------
    sizes : sequence of int
        Widths from the input to the output.
    batch_norm : bool
        Whether hidden neurons are normalised before Mish.
    """
    *hidden, last = pairwise(sizes)
    extra = 30 if batch_norm else 8
    nodes = sum(n_out * (8 * n_in + extra) for n_in, n_out in hidden)
    return nodes + last[1] * (4 * last[0] + 1)
