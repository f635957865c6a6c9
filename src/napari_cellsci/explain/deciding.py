"""Through what a head comes to another score: the path of a network, or a term."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from napari_cellsci.explain.activity import activations
from napari_cellsci.explain.topology import Node, Topology
from napari_cellsci.formulas.expression import Expression


class DecidingTerm(NamedTuple):
    """A term of a formula, with its sign, and by how much it changed the value."""

    text: str
    change: float


def deciding_term(
    formula: Expression,
    before: NDArray[np.floating],
    after: NDArray[np.floating],
    names: Mapping[str, str] | None = None,
) -> DecidingTerm | None:
    """Return the term of the outermost sum that changed most between two codes.

    Parameters
    ----------
    formula : Expression
        Over z0, z1, ….
    before, after : array (D,)
        Latents.
    names : mapping of str to str, optional
        What latents are called, by symbol.

    Returns
    -------
    DecidingTerm or None
        None if the formula has one term only, or none that is defined changed.
    """
    terms = formula.terms()
    if len(terms) < 2:
        return None
    both = {f"z{d}": np.stack([before, after])[:, d] for d in range(len(before))}
    found = []
    for term in terms:
        was, became = np.broadcast_to(term.expression(both), 2).tolist()
        change = term.sign * (became - was)
        if np.isfinite(change) and change:
            sign = "−" if term.sign < 0 else ""
            text = sign + term.expression.pretty(names=names)
            found.append(DecidingTerm(text, change))
    return max(found, key=lambda one: abs(one.change), default=None)


def deciding_path(
    topology: Topology,
    before: NDArray[np.floating],
    after: NDArray[np.floating],
    output: int = 0,
) -> tuple[Node, ...]:
    """Return the path along which an output changed most between two codes.

    From the output backwards, the neuron (in the end the latent) whose weighted change
    moves the one above it farthest in the direction in which that one moved.

    Parameters
    ----------
    topology : Topology
    before, after : array (D,)
        Latents.
    output : int
        Number of the output.

    Returns
    -------
    tuple of Node
        From a latent to the output; empty if the output did not change.
    """
    said = activations(topology, np.stack([before, after]))
    changes = [layer[1] - layer[0] for layer in said]
    node = Node(topology.last, output)
    if not changes[node.layer][output]:
        return ()
    path = [node]
    while node.layer:
        weights = topology.weights[node.layer - 1][node.number]
        moved = topology.weights[node.layer - 1][node.number] @ changes[node.layer - 1]
        push = weights * changes[node.layer - 1] * np.sign(moved)
        node = Node(node.layer - 1, int(np.argmax(push)))
        path.append(node)
    return tuple(reversed(path))
