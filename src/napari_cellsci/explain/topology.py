"""A head as a graph: which inputs it uses, through which neurons, with what weights."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from napari_cellsci.disk import whole_file
from napari_cellsci.errors import InputError
from napari_cellsci.heads.headset import HeadSet, LatentMembers

if TYPE_CHECKING:
    from napari_cellsci.heads.sizes import Convention

Floats: TypeAlias = NDArray[np.float64]
Bools: TypeAlias = NDArray[np.bool_]
Role: TypeAlias = Literal["input", "unused", "hidden", "constant", "dead", "output"]

FORMAT = "napari-cellsci network"
VERSION = 1


class Node(NamedTuple):
    """A neuron or input by its layer (0: the inputs) and its number there."""

    layer: int
    number: int


class Edge(NamedTuple):
    """A connection to `target` from `source` in the layer before."""

    source: Node
    target: Node
    weight: float


@dataclass(frozen=True, eq=False)
class Topology:
    """One head as a layered graph with Mish between the layers; it never changes.

    Parameters
    ----------
    weights : tuple of array (out, in)
        Layer by layer; zero where there is no connection.
    masks : tuple of bool array (out, in)
        Which connections exist.
    biases : tuple of array (out,)

    Raises
    ------
    InputError
        If the arrays do not fit together, or hold something that is no number.
    """

    weights: tuple[Floats, ...]
    masks: tuple[Bools, ...]
    biases: tuple[Floats, ...]

    def __post_init__(self) -> None:
        parts = list(zip(self.weights, self.masks, self.biases, strict=True))
        if not parts:
            raise InputError("A network needs at least one layer of weights.")
        width = self.weights[0].shape[1]
        for weight, mask, bias in parts:
            if weight.shape != mask.shape or weight.shape != (len(bias), width):
                raise InputError("The layers of this network do not fit together.")
            if not (np.isfinite(weight).all() and np.isfinite(bias).all()):
                raise InputError("A weight or bias of this network is not finite.")
            width = len(bias)
            for array in (weight, mask, bias):
                array.setflags(write=False)

    @classmethod
    def of(cls, heads: HeadSet, member: int = 0) -> Topology:
        """Return the network of one head of a set.

        Raises
        ------
        InputError
            If the heads read crops (scheme 1), or there is no such head.
        """
        members = heads.members
        if not isinstance(members, LatentMembers):
            formulas = heads.scheme == 4
            kind = "Formulas (scheme 4)" if formulas else "Heads on crops (scheme 1)"
            raise InputError(
                f"{kind} are no network of latents: choose a classifier of scheme 2 "
                "or 3."
            )
        network = members.network
        if not 0 <= member < network.n_models:
            raise InputError(
                f"There is no head {member}: they are numbered 0 to "
                f"{network.n_models - 1}."
            )
        masks = tuple(mask[member].numpy() != 0 for mask in network.masks)
        return cls(
            tuple(
                weight[member].double().numpy() * mask
                for weight, mask in zip(network.weights, masks, strict=True)
            ),
            masks,
            tuple(bias[member, 0].double().numpy().copy() for bias in network.biases),
        )

    @property
    def sizes(self) -> tuple[int, ...]:
        """Widths from the inputs to the outputs."""
        return (self.weights[0].shape[1], *(len(bias) for bias in self.biases))

    @property
    def last(self) -> int:
        """Number of the output layer."""
        return len(self.weights)

    @property
    def output(self) -> Node:
        """The first output; the only one where two classes are told apart."""
        return Node(self.last, 0)

    @property
    def n_places(self) -> int:
        """Weights the network would have if it were dense."""
        return sum(mask.size for mask in self.masks)

    @cached_property
    def n_active(self) -> int:
        """Connections, biases not counted."""
        return sum(int(mask.sum()) for mask in self.masks)

    @cached_property
    def reached(self) -> tuple[Bools, ...]:
        """For every layer, which neurons depend on any input."""
        found: list[Bools] = [np.ones(self.sizes[0], bool)]
        for mask in self.masks:
            found.append(np.asarray((mask & found[-1]).any(1)))
        return tuple(found)

    @cached_property
    def heard(self) -> tuple[Bools, ...]:
        """For every layer, which neurons have a path to an output."""
        found: list[Bools] = [np.ones(self.sizes[-1], bool)]
        for mask in reversed(self.masks):
            found.append(np.asarray((mask & found[-1][:, None]).any(0)))
        return tuple(reversed(found))

    @cached_property
    def inputs(self) -> tuple[int, ...]:
        """Numbers of the inputs with a path to an output."""
        return tuple(np.flatnonzero(self.heard[0]).tolist())

    @property
    def is_constant(self) -> bool:
        """Whether no input matters: the outputs are the same for every cell."""
        return not self.inputs

    def role(self, node: Node) -> Role:
        """Say what a neuron is.

        "unused" inputs and "dead" neurons have no path to an output; a "constant"
        neuron has one, but depends on no input.
        """
        layer, number = node
        heard = bool(self.heard[layer][number])
        if layer == 0:
            return "input" if heard else "unused"
        if layer == self.last:
            return "output"
        if not heard:
            return "dead"
        return "hidden" if self.reached[layer][number] else "constant"

    def passes_through(self, node: Node) -> bool:
        """Whether a hidden neuron has one input and one listener: it only bends."""
        if self.role(node) != "hidden":
            return False
        layer, number = node
        below = self.masks[layer - 1][number] & self.reached[layer - 1]
        above = self.masks[layer][:, number] & self.heard[layer + 1]
        return int(below.sum()) == 1 and int(above.sum()) == 1

    def nodes(self, *roles: Role) -> tuple[Node, ...]:
        """Return the neurons of these roles (all without any), layer by layer."""
        every = (
            Node(layer, number)
            for layer, size in enumerate(self.sizes)
            for number in range(size)
        )
        return tuple(node for node in every if not roles or self.role(node) in roles)

    def edges(self, masks: Sequence[Bools] | None = None) -> tuple[Edge, ...]:
        """Return the connections, or those of a part of the network."""
        found = []
        chosen = self.masks if masks is None else masks
        for layer, (mask, own) in enumerate(zip(chosen, self.masks, strict=True)):
            for target, source in np.argwhere(mask & own).tolist():
                weight = float(self.weights[layer][target, source])
                found.append(Edge(Node(layer, source), Node(layer + 1, target), weight))
        return tuple(found)

    def bias(self, node: Node) -> float:
        """Return the bias of a neuron; inputs have none."""
        return (
            0.0 if node.layer == 0 else float(self.biases[node.layer - 1][node.number])
        )

    def expression_size(self, convention: Convention = "paper") -> int:
        """Return the size of the expression it stands for; see `heads.sizes`."""
        import torch

        from napari_cellsci.heads.sizes import expression_size

        masks = [torch.from_numpy(mask.copy())[None] for mask in self.masks]
        return int(expression_size(masks, convention)[0])

    def check(self, node: Node) -> Node:
        """Return `node` if the network has it.

        Raises
        ------
        InputError
            If it has no such layer or neuron.
        """
        if not 0 <= node.layer <= self.last or not (
            0 <= node.number < self.sizes[node.layer]
        ):
            raise InputError(
                f"There is no neuron {node.number} in layer {node.layer}: the layers "
                f"hold {', '.join(map(str, self.sizes))}."
            )
        return node

    def to_json(self) -> dict[str, Any]:
        """Return JSON values from which the function can be rebuilt exactly."""
        return {
            "format": FORMAT,
            "version": VERSION,
            "activation": "mish",
            "sizes": list(self.sizes),
            "inputs_used": list(self.inputs),
            "active_weights": self.n_active,
            "biases": [bias.tolist() for bias in self.biases],
            "edges": [
                [edge.target.layer, edge.source.number, edge.target.number, edge.weight]
                for edge in self.edges()
            ],
        }

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Topology:
        """Rebuild a network from `to_json`.

        Raises
        ------
        InputError
            If it cannot be read.
        """
        try:
            if values["format"] != FORMAT or values["version"] != VERSION:
                raise InputError(
                    "This is no network of this version of napari-cellsci."
                )
            sizes = [int(size) for size in values["sizes"]]
            shapes = list(zip(sizes[1:], sizes[:-1], strict=True))
            weights = [np.zeros(shape) for shape in shapes]
            masks = [np.zeros(shape, bool) for shape in shapes]
            for layer, source, target, weight in values["edges"]:
                if min(layer - 1, source, target) < 0:
                    raise IndexError("negative place")
                weights[layer - 1][target, source] = weight
                masks[layer - 1][target, source] = True
            biases = [np.array(bias, float) for bias in values["biases"]]
            return cls(tuple(weights), tuple(masks), tuple(biases))
        except (KeyError, TypeError, ValueError, IndexError) as error:
            if isinstance(error, InputError):
                raise
            raise InputError(
                f"This is no description of a network: {error}."
            ) from error

    def save_json(
        self, path: str | os.PathLike[str], about: Mapping[str, Any] | None = None
    ) -> None:
        """Write `to_json` to a file, with what else is known `about` it.

        Raises
        ------
        ProjectError
            If the place cannot be written.
        """
        values = {**self.to_json(), **(about or {})}
        with whole_file(Path(path)) as temporary:
            text = json.dumps(values, indent=1, ensure_ascii=False)
            temporary.write_text(text + "\n", encoding="utf-8")


def neuron_name(node: Node, last: int) -> str:
    """Return what a neuron is called: ``z29``, ``h2.5`` (layer 2, number 5), ``f``."""
    if node.layer == 0:
        return f"z{node.number}"
    return "f" if node.layer == last else f"h{node.layer}.{node.number}"
