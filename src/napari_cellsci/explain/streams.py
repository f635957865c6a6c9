"""Parts of a network: the paths between neurons, and the stream through one of them.

After section 3.4 of arXiv 2402.03115: the stream of inputs is every path that starts at
them and reaches the output; a sub-network is every path from inputs to one neuron,
without the neurons that depend on inputs left out of it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from napari_cellsci.explain.topology import Bools, Edge, Node, Topology


@dataclass(frozen=True, eq=False)
class SubNetwork:
    """Some connections of a network.

    Parameters
    ----------
    topology : Topology
    masks : tuple of bool array (out, in)
        Which connections belong to it, layer by layer.
    """

    topology: Topology
    masks: tuple[Bools, ...]

    @cached_property
    def edges(self) -> tuple[Edge, ...]:
        """Its connections."""
        return self.topology.edges(self.masks)

    @cached_property
    def nodes(self) -> frozenset[Node]:
        """The neurons and inputs at their ends."""
        ends = (end for edge in self.edges for end in (edge.source, edge.target))
        return frozenset(ends)

    @property
    def n_edges(self) -> int:
        """Number of its connections."""
        return sum(int(mask.sum()) for mask in self.masks)

    @property
    def inputs(self) -> tuple[int, ...]:
        """Numbers of its inputs."""
        return tuple(np.flatnonzero(self.masks[0].any(0)).tolist())


def sub_network(
    topology: Topology,
    sources: Iterable[Node],
    targets: Iterable[Node],
    exclude: Iterable[Node] = (),
) -> SubNetwork:
    """Return all paths from some neurons or inputs to others.

    Paths end where they meet a source: sources may be any cut through the network.

    Parameters
    ----------
    topology : Topology
    sources, targets : iterable of Node
    exclude : iterable of Node
        Neurons that are these, or depend on them, are left out, unless they are
        sources or targets.
    """
    sources = [topology.check(node) for node in sources]
    start = _marked(topology, sources)
    end = _marked(topology, [topology.check(node) for node in targets])
    tainted = _descendants(topology, _marked(topology, exclude), topology.masks)
    free = [
        ~layer | first | last
        for layer, first, last in zip(tainted, start, end, strict=True)
    ]
    open_ = tuple(
        mask & (free[layer + 1] & ~start[layer + 1])[:, None] & free[layer]
        for layer, mask in enumerate(topology.masks)
    )
    after = _descendants(topology, start, open_)
    before = _ancestors(topology, end, open_)
    return SubNetwork(topology, _between(open_, after, before))


def stream_of(topology: Topology, inputs: Iterable[int]) -> SubNetwork:
    """Return all paths from inputs (by number) to the outputs."""
    outputs = [Node(topology.last, index) for index in range(topology.sizes[-1])]
    return sub_network(topology, [Node(0, index) for index in inputs], outputs)


def stream_through(topology: Topology, node: Node) -> SubNetwork:
    """Return what lies upstream of a neuron and what lies downstream.

    Upstream are all connections on which it depends, downstream those on its paths to
    the outputs.
    """
    here = _marked(topology, [topology.check(node)])
    upstream = _ancestors(topology, here, topology.masks)
    downstream = _descendants(topology, here, topology.masks)
    masks = tuple(
        (mask & upstream[layer + 1][:, None])
        | (mask & downstream[layer] & topology.heard[layer + 1][:, None])
        for layer, mask in enumerate(topology.masks)
    )
    return SubNetwork(topology, masks)


def _marked(topology: Topology, nodes: Iterable[Node]) -> list[Bools]:
    found = [np.zeros(size, bool) for size in topology.sizes]
    for node in nodes:
        found[node.layer][node.number] = True
    return found


def _descendants(
    topology: Topology, start: list[Bools], masks: tuple[Bools, ...]
) -> list[Bools]:
    found = [start[0].copy()]
    for layer, mask in enumerate(masks):
        found.append(start[layer + 1] | (mask & found[-1]).any(1))
    return found


def _ancestors(
    topology: Topology, end: list[Bools], masks: tuple[Bools, ...]
) -> list[Bools]:
    found = [end[-1].copy()]
    for layer in reversed(range(len(masks))):
        found.append(end[layer] | (masks[layer] & found[-1][:, None]).any(0))
    return found[::-1]


def _between(
    masks: tuple[Bools, ...], after: list[Bools], before: list[Bools]
) -> tuple[Bools, ...]:
    return tuple(
        mask & after[layer] & before[layer + 1][:, None]
        for layer, mask in enumerate(masks)
    )
