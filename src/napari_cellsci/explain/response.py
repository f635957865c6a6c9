"""How a neuron responds when some inputs move: curves, maps and their gradients."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from napari_cellsci.errors import InputError
from napari_cellsci.explain.activity import activations, before_mish
from napari_cellsci.explain.streams import sub_network
from napari_cellsci.explain.topology import Floats, Node, Topology
from napari_cellsci.heads.batched import mish, mish_with_slope

STEPS = 101
LOW, HIGH = -3.0, 3.0
ARROWS = 11


@dataclass(frozen=True, eq=False)
class Response:
    """What reaches a neuron along the paths from one or two inputs, on a grid.

    Parameters
    ----------
    inputs : tuple of Node
        One or two; the first runs along the last axis of `values`.
    target : Node
    axes : tuple of array (steps,)
        The values of the inputs.
    values : array (steps,) or (steps, steps)
        What their paths contribute to the weighted sum of the target: values[j, i] for
        the i-th value of the first input and the j-th of the second.
    offset : float
        The rest of that sum: its bias and all paths from elsewhere, with every other
        input at the given values.
    is_output : bool
    """

    inputs: tuple[Node, ...]
    target: Node
    axes: tuple[Floats, ...]
    values: Floats
    offset: float
    is_output: bool

    @cached_property
    def total(self) -> Floats:
        """The whole weighted sum; of the output, the score."""
        return self.values + self.offset

    @cached_property
    def said(self) -> Floats:
        """What the target says to the next layer: Mish of the sum, or the score."""
        if self.is_output:
            return self.total
        return np.asarray(mish(torch.from_numpy(self.total.copy())).numpy())


def respond(
    topology: Topology,
    inputs: Sequence[Node],
    target: Node,
    *,
    at: NDArray[Any],
    ranges: Sequence[tuple[float, float]] | None = None,
    steps: int = STEPS,
    exclude: Iterable[Node] = (),
    held: dict[Node, float] | None = None,
) -> Response:
    """Move one or two inputs over a grid and watch a neuron.

    Parameters
    ----------
    topology : Topology
    inputs : sequence of one or two Node
        Inputs, or hidden neurons, which are then set instead of computed.
    target : Node
        A neuron of a later layer.
    at : array (D,)
        Where all other inputs stay.
    ranges : sequence of (low, high), optional
        Of each input; −3 to 3 by default.
    steps : int
        Values of each input.
    exclude : iterable of Node
        Paths through neurons that depend on these are left out of `values`; what they
        carry at `at` counts as the offset.
    held : dict, optional
        Further neurons that are set to one value.

    Raises
    ------
    InputError
        If there are no or more than two inputs, or one is not before the target.
    """
    inputs, target = _checked(topology, inputs, target)
    ranges = [(LOW, HIGH)] * len(inputs) if ranges is None else ranges
    axes = tuple(np.linspace(low, high, steps) for low, high in ranges)
    grid = np.meshgrid(*axes)
    held = held or {}
    moving = {node: part.ravel() for node, part in zip(inputs, grid, strict=True)}
    layer = target.layer - 1
    paths = sub_network(topology, inputs, [target], exclude)
    on_path = paths.masks[layer][target.number]
    weight = topology.weights[layer][target.number]
    there = activations(topology, _rows(at, 1), held)[layer][0]
    rest = np.where(on_path, 0.0, weight)
    below = activations(topology, _rows(at, grid[0].size), {**held, **moving})[layer]
    return Response(
        tuple(inputs),
        target,
        axes,
        (below[:, on_path] @ weight[on_path]).reshape(grid[0].shape),
        topology.bias(target) + float(there @ rest),
        target.layer == topology.last,
    )


def gradient(
    topology: Topology,
    inputs: Sequence[Node],
    target: Node,
    points: NDArray[Any],
    *,
    at: NDArray[Any],
    held: dict[Node, float] | None = None,
) -> Floats:
    """Return how the weighted sum of a neuron changes with each of some inputs.

    Parameters
    ----------
    topology : Topology
    inputs : sequence of Node
    target : Node
    points : array (n, inputs)
        Values of the inputs.
    at : array (D,)
        Where all other inputs stay.
    held : dict, optional
        Further neurons that are set to one value.

    Returns
    -------
    array (n, inputs)
    """
    points = np.asarray(points, np.float64)
    moving = {node: points[:, i] for i, node in enumerate(inputs)}
    set_ = {**(held or {}), **moving}
    found = activations(topology, _rows(at, len(points)), set_)
    slope = np.tile(topology.weights[target.layer - 1][target.number], (len(points), 1))
    result = np.zeros_like(points)
    for layer in reversed(range(target.layer)):
        for node in set_:
            if node.layer == layer:
                if node in moving:
                    result[:, list(moving).index(node)] = slope[:, node.number]
                # What lies below a neuron that is set cannot move it.
                slope[:, node.number] = 0
        if layer:
            below = torch.from_numpy(found[layer - 1])
            bend = mish_with_slope(before_mish(topology, layer - 1, below))[1].numpy()
            slope = (slope * bend) @ topology.weights[layer - 1]
    return result


def arrows(
    topology: Topology,
    response: Response,
    *,
    at: NDArray[Any],
    held: dict[Node, float] | None = None,
    count: int = ARROWS,
) -> tuple[Floats, Floats]:
    """Return where to draw gradient arrows on a map, and the gradients there.

    Returns
    -------
    points, gradients : arrays (count², 2)
        In the order of `response.inputs`.
    """
    middles = [
        axis[0] + (axis[-1] - axis[0]) * (np.arange(count) + 0.5) / count
        for axis in response.axes
    ]
    points = np.stack([part.ravel() for part in np.meshgrid(*middles)], axis=1)
    inputs, target = response.inputs, response.target
    return points, gradient(topology, inputs, target, points, at=at, held=held)


def _rows(at: NDArray[Any], n: int) -> Floats:
    return np.tile(np.asarray(at, np.float64), (n, 1))


def _checked(
    topology: Topology, inputs: Sequence[Node], target: Node
) -> tuple[list[Node], Node]:
    target = topology.check(target)
    chosen = [topology.check(node) for node in inputs]
    if not 1 <= len(set(chosen)) == len(chosen) <= 2:
        raise InputError("A response is drawn over one or two different inputs.")
    for node in chosen:
        if node.layer >= target.layer:
            raise InputError(
                "A response is that of a neuron to what comes before it: choose a "
                "target in a later layer."
            )
    return chosen, target
