"""Where to draw the neurons of a network: layers top to bottom, few crossings.

Nothing here knows how a drawing is made. Positions are x from 0 to 1 within the width
of the drawing and the number of the layer downwards.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from napari_cellsci.explain.topology import Bools, Edge, Floats, Node, Topology

SWEEPS = 12
MOST_EDGES = 60
"""Connections drawn at most, unless asked otherwise: more cannot be told apart."""
MOST_INPUTS = 8
"""Inputs drawn at most of a network that is not drawn whole."""
SPREAD = 0.6
"""Part of the width over which a row spreads at least."""
_PULLS = 8


@dataclass(frozen=True, eq=False)
class Layout:
    """A drawing of (a part of) a network, before anything is drawn.

    Parameters
    ----------
    topology : Topology
    edges : tuple of Edge
        Connections to draw, weak ones first so that strong ones lie on top.
    places : mapping from Node to (x, layer)
        Neurons to draw; x from 0 to 1.
    folded : int
        Inputs without a path to an output, which are not drawn.
    hidden_inputs : int
        Inputs in use of which no connection is drawn.
    output : int, optional
        The output to which all paths lead that are drawn; all outputs by default.
    """

    topology: Topology
    edges: tuple[Edge, ...]
    places: Mapping[Node, tuple[float, float]]
    folded: int
    hidden_inputs: int
    output: int | None = None

    @property
    def whole(self) -> bool:
        """Whether every connection is drawn."""
        return len(self.edges) == self.topology.n_active

    @cached_property
    def strongest(self) -> float:
        """Largest |w| of all connections; 1 without any."""
        return max((abs(edge.weight) for edge in self.edges), default=0.0) or 1.0

    def layer(self, number: int) -> list[Node]:
        """Return the neurons of a layer that are drawn, from left to right."""
        here = [node for node in self.places if node.layer == number]
        return sorted(here, key=lambda node: self.places[node][0])

    @cached_property
    def widest(self) -> int:
        """Neurons in the widest row of the drawing."""
        return max(
            len(self.layer(number)) for number in range(len(self.topology.sizes))
        )


def lay_out(
    topology: Topology,
    *,
    most: int = MOST_EDGES,
    lean: Mapping[int, float] | None = None,
    matter: Mapping[int, float] | None = None,
    output: int | None = None,
) -> Layout:
    """Choose what to draw of a network and where.

    Neurons without a path to an output and unused inputs are left out. Of a network
    with more than `most` connections the strongest paths from the inputs that matter
    most are drawn.

    Parameters
    ----------
    topology : Topology
    most : int
        Connections drawn at most.
    lean : mapping from input number to float, optional
        Which inputs belong to the right (positive) or left: of a drawing and its
        mirror image, which cross equally often, the one that fits is taken.
    matter : mapping from input number to float, optional
        How much each input matters, where not all can be drawn; by default as much as
        its strongest path.
    output : int, optional
        Where not all can be drawn, the output to which the paths lead; by default any.
    """
    masks = _live(topology)
    if sum(int(mask.sum()) for mask in masks) <= most:
        output = None
    else:
        if output is not None:
            others = np.arange(topology.sizes[-1]) != output
            masks[-1] = masks[-1] & ~others[:, None]
        masks = _strongest(topology, masks, most, matter)
    edges = sorted(topology.edges(masks), key=lambda edge: abs(edge.weight))
    rows = _rows(topology, edges)
    rows = _fewest_crossings(rows, edges)
    if _leans_left(rows, lean or {}):
        rows = [row[::-1] for row in rows]
    drawn = sum(node.layer == 0 for row in rows for node in row)
    return Layout(
        topology,
        tuple(edges),
        _positions(rows, edges),
        topology.sizes[0] - len(topology.inputs),
        len(topology.inputs) - drawn,
        output,
    )


def _live(topology: Topology) -> list[Bools]:
    """Leave out connections that lead nowhere."""
    return [
        mask & topology.heard[layer + 1][:, None]
        for layer, mask in enumerate(topology.masks)
    ]


def _strongest(
    topology: Topology,
    masks: Sequence[Bools],
    most: int,
    matter: Mapping[int, float] | None,
) -> list[Bools]:
    """Keep the strongest paths; the strength of a path is the product of its |w|.

    First the strongest path from each of the inputs that matter most, then the
    connections on the strongest of all paths from these inputs. A connection counts as
    much as the strongest path through it, and no part of that path counts less: what is
    kept consists of whole paths.
    """
    strengths = [
        np.abs(weight) * mask
        for weight, mask in zip(topology.weights, masks, strict=True)
    ]
    after = [np.ones(topology.sizes[-1])]
    for strength in reversed(strengths):
        after.append((strength * after[-1][:, None]).max(0))
    after.reverse()
    rank = after[0] if matter is None else _ranks(matter, topology.sizes[0])
    room = max(min(MOST_INPUTS, most // len(masks)), 1)
    inputs = [i for i in np.argsort(-rank, kind="stable")[:room] if after[0][i] > 0]
    keep = [np.zeros_like(mask) for mask in masks]
    for start in inputs:
        here = int(start)
        for layer, strength in enumerate(strengths):
            there = int(np.argmax(strength[:, here] * after[layer + 1]))
            keep[layer][there, here] = True
            here = there
    before = [np.isin(np.arange(topology.sizes[0]), inputs).astype(float)]
    for strength in strengths:
        before.append((strength * before[-1]).max(1))
    scores = [
        before[layer] * strength * after[layer + 1][:, None]
        for layer, strength in enumerate(strengths)
    ]
    least = _cut(scores, keep, most)
    return [
        have | (score >= least) & (score > 0)
        for have, score in zip(keep, scores, strict=True)
    ]


def _ranks(matter: Mapping[int, float], size: int) -> Floats:
    return np.array([matter.get(i, 0.0) for i in range(size)])


def _cut(scores: Sequence[Floats], keep: Sequence[Bools], most: int) -> float:
    """Return the lowest score with which a connection is still drawn."""
    left = most - sum(int(mask.sum()) for mask in keep)
    free = np.concatenate([s[~k] for s, k in zip(scores, keep, strict=True)])
    ranked = np.sort(free)[::-1]
    if left >= len(ranked):
        return 0.0
    # Rounding must not part a connection from its path, nor a tie exceed the limit.
    above = ranked[: max(left, 0)]
    above = above[above > ranked[max(left, 0)] * (1 + 1e-9)]
    return float(above[-1] * (1 - 1e-9)) if len(above) else np.inf


def _rows(topology: Topology, edges: Sequence[Edge]) -> list[list[Node]]:
    ends = {end for edge in edges for end in (edge.source, edge.target)}
    ends |= set(topology.nodes("output"))
    return [
        sorted(node for node in ends if node.layer == layer)
        for layer in range(len(topology.sizes))
    ]


def _fewest_crossings(
    rows: list[list[Node]], edges: Sequence[Edge]
) -> list[list[Node]]:
    """Order each row by the mean place of its neighbours, down and up in turns.

    The best order seen is kept (Sugiyama, Tagawa and Toda 1981).
    """
    best, fewest = rows, count_crossings(rows, edges)
    for sweep in range(SWEEPS):
        if not fewest:
            break
        downwards = sweep % 2 == 0
        rows = _sweep(rows, edges, downwards)
        crossings = count_crossings(rows, edges)
        if crossings < fewest:
            best, fewest = rows, crossings
    return best


def _sweep(
    rows: list[list[Node]], edges: Sequence[Edge], downwards: bool
) -> list[list[Node]]:
    rows = [list(row) for row in rows]
    order = range(1, len(rows)) if downwards else range(len(rows) - 2, -1, -1)
    for layer in order:
        other = rows[layer - 1 if downwards else layer + 1]
        place = {node: i / max(len(other) - 1, 1) for i, node in enumerate(other)}
        near: dict[Node, list[float]] = {node: [] for node in rows[layer]}
        for edge in edges:
            here, there = (
                (edge.target, edge.source) if downwards else (edge.source, edge.target)
            )
            if here.layer == layer:
                near[here].append(place[there])
        own = {n: i / max(len(rows[layer]) - 1, 1) for i, n in enumerate(rows[layer])}
        middle = {n: float(np.mean(p)) if p else own[n] for n, p in near.items()}
        rows[layer].sort(key=middle.__getitem__)
    return rows


def count_crossings(rows: Sequence[Sequence[Node]], edges: Sequence[Edge]) -> int:
    """Return how many pairs of connections between neighbouring layers cross."""
    place = {node: i for row in rows for i, node in enumerate(row)}
    total = 0
    for layer in range(len(rows) - 1):
        ends = np.array(
            sorted(
                (place[edge.source], place[edge.target])
                for edge in edges
                if edge.source.layer == layer
            )
        ).reshape(-1, 2)
        below = ends[:, 1]
        apart = ends[:, None, 0] < ends[None, :, 0]
        total += int((apart & (below[:, None] > below[None, :])).sum())
    return total


def _leans_left(rows: Sequence[Sequence[Node]], lean: Mapping[int, float]) -> bool:
    row = rows[0]
    middle = (len(row) - 1) / 2
    pull = sum((i - middle) * lean.get(node.number, 0.0) for i, node in enumerate(row))
    return pull < 0


def _positions(
    rows: Sequence[Sequence[Node]], edges: Sequence[Edge]
) -> dict[Node, tuple[float, float]]:
    """Place rows: inputs evenly, others near their neighbours without touching."""
    x = {node: _even(i, len(row)) for row in rows for i, node in enumerate(row)}
    near: dict[Node, list[tuple[Node, float]]] = {node: [] for node in x}
    for edge in edges:
        strength = abs(edge.weight) + 1e-9
        near[edge.target].append((edge.source, strength))
        near[edge.source].append((edge.target, strength))
    widest = max(max(map(len, rows)), 2)
    gaps = [max(1 / widest, SPREAD / max(len(row), 1)) for row in rows]
    # Several outputs are classes: each needs room for its name.
    gaps[-1] = 1 / max(len(rows[-1]), 1)
    for _ in range(_PULLS):
        for row, gap in list(zip(rows, gaps, strict=True))[1:]:
            wanted = np.array([_pulled(node, near[node], x) for node in row])
            for node, place in zip(row, _apart(wanted, gap), strict=True):
                x[node] = float(place)
    return {node: (place, float(node.layer)) for node, place in x.items()}


def _even(i: int, n: int) -> float:
    return (i + 0.5) / n


def _pulled(
    node: Node, near: Sequence[tuple[Node, float]], x: Mapping[Node, float]
) -> float:
    if not near:
        return x[node]
    whole = sum(strength for _, strength in near)
    return sum(x[other] * strength for other, strength in near) / whole


def _apart(wanted: Floats, gap: float) -> Floats:
    """Return the increasing places nearest to the wanted ones, `gap` apart, in 0…1.

    Least squares under an order: after subtracting i·gap, pooling of neighbours that
    are out of order.
    """
    n = len(wanted)
    gap = min(gap, 1 / max(n, 1))
    blocks: list[tuple[float, int]] = []
    for value in wanted - gap * np.arange(n):
        mean, size = float(value), 1
        while blocks and blocks[-1][0] > mean:
            other, others = blocks.pop()
            mean = (mean * size + other * others) / (size + others)
            size += others
        blocks.append((mean, size))
    pooled = np.concatenate([np.full(size, mean) for mean, size in blocks] or [wanted])
    low, high = gap / 2, 1 - gap / 2 - gap * (n - 1)
    return np.asarray(np.clip(pooled, low, max(high, low)) + gap * np.arange(n))


def every_place(topology: Topology, drawn: Layout) -> dict[Node, tuple[float, float]]:
    """Return places of all neurons, live or not, for playing how masks changed.

    Evenly spaced; neurons of the finished drawing keep their order and spread among
    the others.
    """
    places = {}
    for layer, size in enumerate(topology.sizes):
        live = drawn.layer(layer)
        slots = [
            round((i + 0.5) * size / max(len(live), 1) - 0.5) for i in range(len(live))
        ]
        others = iter(sorted(set(range(size)) - {node.number for node in live}))
        taken = dict(zip(slots, live, strict=True))
        for slot in range(size):
            node = taken.get(slot) or Node(layer, next(others))
            places[node] = (_even(slot, size), float(layer))
    return places
