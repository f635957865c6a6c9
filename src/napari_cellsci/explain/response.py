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
from napari_cellsci.explain.activity import activations, before_mish, class_scores
from napari_cellsci.explain.streams import SubNetwork, sub_network
from napari_cellsci.explain.topology import Floats, Node, Topology
from napari_cellsci.heads.batched import mish, mish_with_slope

STEPS = 101
LOW, HIGH = -3.0, 3.0
ARROWS = 11


@dataclass(frozen=True, eq=False)
class Response:
    """What reaches a neuron along the paths from one or two inputs, on a grid.

    Of one output among several it is how far it leads the best other one
    (`activity.class_scores`), since what all have in common decides nothing.

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
        carry at `at` counts as the offset. Not for one output among several.
    held : dict, optional
        Further neurons that are set to one value.

    Raises
    ------
    InputError
        If there are no or more than two inputs, one is not before the target, or
        paths are to be left out for one output among several.
    """
    inputs, target = _checked(topology, inputs, target)
    ranges = [(LOW, HIGH)] * len(inputs) if ranges is None else ranges
    axes = tuple(np.linspace(low, high, steps) for low, high in ranges)
    grid = np.meshgrid(*axes)
    there = activations(topology, _rows(at, 1), held)
    exclude = list(exclude)
    if _is_one_of_many(topology, target):
        if exclude:
            raise InputError(
                "Paths can be left out for one neuron, not for the lead of a class."
            )
        led = _lead(topology, inputs, target, grid, there, set(held or ()))
        return Response(tuple(inputs), target, axes, led, 0.0, True)
    paths = sub_network(topology, inputs, [target])
    pure = sub_network(topology, inputs, [target], exclude) if exclude else paths
    moved = {node: part.ravel() for node, part in zip(inputs, grid, strict=True)}
    layer = target.layer - 1
    numbers, values = _along(topology, paths, moved, there, set(held or ()), layer)
    on_path = np.zeros(topology.sizes[layer], bool)
    on_path[numbers] = pure.masks[layer][target.number][numbers]
    weight = np.where(on_path, topology.weights[layer][target.number], 0.0)
    rest = topology.weights[layer][target.number] - weight
    return Response(
        tuple(inputs),
        target,
        axes,
        (values @ weight[numbers]).reshape(grid[0].shape),
        topology.bias(target) + float(there[layer][0] @ rest),
        target.layer == topology.last,
    )


def _is_one_of_many(topology: Topology, target: Node) -> bool:
    return target.layer == topology.last and topology.sizes[-1] > 1


def _lead(
    topology: Topology,
    inputs: Sequence[Node],
    target: Node,
    grid: Sequence[Floats],
    there: list[Floats],
    held: set[Node],
) -> Floats:
    """Return how far an output leads all others, for every place of a grid."""
    layer = topology.last - 1
    every = [Node(topology.last, index) for index in range(topology.sizes[-1])]
    paths = sub_network(topology, inputs, every)
    moved = {node: part.ravel() for node, part in zip(inputs, grid, strict=True)}
    numbers, values = _along(topology, paths, moved, there, held, layer)
    still = there[layer][0].copy()
    still[numbers] = 0
    weight = topology.weights[layer]
    sums = values @ weight[:, numbers].T + weight @ still + topology.biases[layer]
    return np.asarray(class_scores(sums)[:, target.number].reshape(grid[0].shape))


def _along(
    topology: Topology,
    paths: SubNetwork,
    moved: dict[Node, Floats],
    there: list[Floats],
    held: set[Node],
    last: int,
) -> tuple[NDArray[np.intp], Floats]:
    """Return which neurons of a layer lie on the paths, and their activations.

    Only these are computed for every place of the grid; all others stay as they are.
    """
    numbers, values = _of_layer(moved, 0)
    for layer in range(last):
        found = np.flatnonzero(paths.masks[layer].any(1)).tolist()
        free = [number for number in found if Node(layer + 1, number) not in held]
        into = np.array(free, np.intp)
        weight = topology.weights[layer][into]
        # What comes from neurons that do not move is the same everywhere.
        still = there[layer][0].copy()
        still[numbers] = 0
        usual = weight @ still + topology.biases[layer][into]
        sums = torch.from_numpy(values @ weight[:, numbers].T + usual)
        own, given = _of_layer(moved, layer + 1)
        numbers = np.concatenate([into, own])
        bent = np.asarray(mish(sums).numpy())
        values = np.concatenate([bent, given], axis=1) if len(own) else bent
    return numbers, values


def _of_layer(moved: dict[Node, Floats], layer: int) -> tuple[NDArray[np.intp], Floats]:
    """Return the neurons of a layer that are set, and their values (n, k)."""
    n = len(next(iter(moved.values())))
    here = [
        (node.number, value) for node, value in moved.items() if node.layer == layer
    ]
    numbers = np.array([number for number, _ in here], np.intp)
    values = [value for _, value in here]
    return numbers, np.stack(values, axis=1) if values else np.empty((n, 0))


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

    Of one output among several, how its lead over the best other one does.

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
    weight = topology.weights[target.layer - 1]
    slope = np.tile(weight[target.number], (len(points), 1))
    if _is_one_of_many(topology, target):
        others = found[-1].copy()
        others[:, target.number] = -np.inf
        slope -= weight[others.argmax(1)]
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
