"""What a network's neurons do for cells: activations, contributions, drivers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray

from napari_cellsci.errors import InputError
from napari_cellsci.explain.topology import Floats, Node, Topology
from napari_cellsci.heads.batched import mish

Held: TypeAlias = Mapping[Node, Any]
"""Activations that are given instead of computed: one number, or one per row."""
_ROWS_AT_ONCE = 65536


def activations(
    topology: Topology, latents: NDArray[Any], held: Held | None = None
) -> list[Floats]:
    """Return what every neuron says to the next layer.

    Parameters
    ----------
    topology : Topology
    latents : array (n, D)
    held : mapping from Node to number or array (n,), optional
        Neurons or inputs whose activation is set.

    Returns
    -------
    list of array (n, width)
        The inputs, the hidden neurons after Mish, and the outputs as they are.

    Raises
    ------
    InputError
        If the latents have another width than the network.
    """
    z = np.asarray(latents, np.float64)
    if z.ndim != 2 or z.shape[1] != topology.sizes[0]:
        raise InputError(
            f"This network reads {topology.sizes[0]} latents per cell, but an array of "
            f"shape {z.shape} was given."
        )
    held = held or {}
    current = _holding(torch.tensor(z), held, 0)
    found = [current]
    for layer in range(topology.last):
        current = before_mish(topology, layer, current)
        if layer + 1 < topology.last:
            current = mish(current)
        current = _holding(current, held, layer + 1)
        found.append(current)
    return [np.asarray(tensor.numpy()) for tensor in found]


def before_mish(topology: Topology, layer: int, below: torch.Tensor) -> torch.Tensor:
    """Return the weighted sums (n, out) of a layer of weights, biases included."""
    weight = torch.from_numpy(topology.weights[layer].copy())
    bias = torch.from_numpy(topology.biases[layer].copy())
    return torch.addmm(bias, below, weight.T)


def _holding(values: torch.Tensor, held: Held, layer: int) -> torch.Tensor:
    here = {node.number: value for node, value in held.items() if node.layer == layer}
    if not here:
        return values
    values = values.clone()
    for index, value in here.items():
        values[:, index] = torch.as_tensor(np.asarray(value, np.float64))
    return values


def outputs(
    topology: Topology, latents: NDArray[Any], held: Held | None = None
) -> Floats:
    """Return the outputs (n, outputs) of cells."""
    parts = [
        activations(topology, latents[i : i + _ROWS_AT_ONCE], held)[-1]
        for i in range(0, max(len(latents), 1), _ROWS_AT_ONCE)
    ]
    return np.concatenate(parts)


def class_scores(outputs: Floats) -> Floats:
    """Return a score per output whose sign decides.

    Parameters
    ----------
    outputs : array (..., outputs)

    Returns
    -------
    array (..., outputs)
        A single output as it is. Of several, whose common part says nothing, how far
        each leads the best other one: 0 or more where its class is called.
    """
    if outputs.shape[-1] == 1:
        return outputs
    ranked = np.sort(outputs, axis=-1)
    best, second = ranked[..., -1:], ranked[..., -2:-1]
    leads = np.arange(outputs.shape[-1]) == outputs.argmax(-1)[..., None]
    return np.asarray(outputs - np.where(leads, second, best))


def contribution(
    topology: Topology, latents: NDArray[Any], node: Node, output: int = 0
) -> Floats:
    """Return how much of each cell's output is due to a neuron or input.

    The output as it is, less the output with the neuron held at its median over these
    cells: what would be lost if it told nothing about the cell.

    Parameters
    ----------
    topology : Topology
    latents : array (n, D)
    node : Node
    output : int

    Returns
    -------
    array (n,)
    """
    found = activations(topology, latents)
    usual = float(np.median(found[node.layer][:, node.number]))
    without = activations(topology, latents, {node: usual})
    lost: Floats = found[-1][:, output] - without[-1][:, output]
    return lost


def drivers(
    topology: Topology,
    latents: NDArray[Any],
    node: Node,
    count: int = 24,
    *,
    least: bool = False,
) -> NDArray[np.int64]:
    """Return the rows of the cells that drive a neuron most, the strongest first.

    Parameters
    ----------
    topology : Topology
    latents : array (n, D)
        Rows that are not finite are passed over.
    node : Node
        An input's drivers are the cells with its highest values, those of an output
        the cells with its highest score (`class_scores`).
    count : int
    least : bool
        Those that drive it least, the weakest first.
    """
    values = activations(topology, latents)[node.layer]
    if node.layer == topology.last:
        values = class_scores(values)
    value = values[:, node.number]
    rank = np.where(np.isfinite(value), value if least else -value, np.inf)
    order = np.argsort(rank, kind="stable")[:count]
    return np.asarray(order[np.isfinite(rank[order])], np.int64)
