"""Where the decision falls, over one or two latents, with the others held."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from itertools import combinations

import numpy as np

from napari_cellsci.explain.response import Response
from napari_cellsci.explain.topology import Node
from napari_cellsci.formulas import Expression
from napari_cellsci.panels.expressions.subject import Floats, Subject

STEPS = 101
_COARSE = 25
_TAIL = 0.5
"""Percent of the cells that lie beyond either end of an axis."""
_FAR = 3.0
"""Values are cut off at so many times the usual size of scores: exp grows fast."""
OUTPUT = Node(1, 0)


@dataclass(frozen=True, slots=True)
class Held:
    """The latents that move, and where the others of a formula stay.

    Attributes
    ----------
    axes : tuple of str
        One or two symbols; the first runs along the horizontal axis.
    others : dict of str to float
    """

    axes: tuple[str, ...]
    others: dict[str, float]


def node_of(symbol: str) -> Node:
    """Return a latent as the input of a network that it is."""
    return Node(0, int(symbol[1:]))


def span_of(subject: Subject, symbol: str) -> tuple[float, float]:
    """Return the range of a latent that is looked at."""
    values = subject.latents[:, int(symbol[1:])]
    low, high = np.percentile(values, (_TAIL, 100 - _TAIL))
    margin = max(0.05 * (high - low), 0.05)
    return float(low - margin), float(high + margin)


def axes_of(
    subject: Subject, expression: Expression, wanted: tuple[str, ...] = ()
) -> tuple[str, ...]:
    """Return two latents to move: those wanted that the formula reads, else the best.

    The best are the two over which both classes take most of the map.
    """
    names = expression.names
    kept = tuple(name for name in wanted if name in names)
    if len(kept) == 2 or len(names) < 3:
        rest = tuple(name for name in names if name not in kept)
        return (*kept, *rest)[:2]
    pairs = [pair for pair in combinations(names, 2) if set(kept) <= set(pair)]
    return max(pairs, key=partial(_balance, subject, expression))


def _balance(subject: Subject, expression: Expression, pair: tuple[str, str]) -> float:
    """Return the share of the rarer class over two latents, others at medians."""
    axes = (np.linspace(*span_of(subject, name), _COARSE) for name in pair)
    moved = dict(zip(pair, np.meshgrid(*axes), strict=True))
    above = float((expression({**usual(subject, expression), **moved}) >= 0).mean())
    return min(above, 1 - above)


def usual(subject: Subject, expression: Expression) -> dict[str, float]:
    """Return the medians of the latents a formula reads."""
    columns = subject.columns(expression)
    return {name: float(np.median(column)) for name, column in columns.items()}


def boundary(subject: Subject, expression: Expression, held: Held) -> Response:
    """Return the scores of a formula on a grid over one or two latents.

    Undefined scores are NaN; very large ones are cut off.
    """
    axes = tuple(np.linspace(*span_of(subject, name), STEPS) for name in held.axes)
    grid = np.meshgrid(*axes)
    moved = dict(zip(held.axes, grid, strict=True))
    values = expression({**held.others, **moved})
    values = np.broadcast_to(values, grid[0].shape)
    return Response(
        tuple(node_of(name) for name in held.axes),
        OUTPUT,
        axes,
        _cut(values, subject.scores(expression)),
        0.0,
        True,
    )


def limit_of(scores: Floats) -> float:
    """Return the size of scores at which colours saturate."""
    size = np.abs(scores[np.isfinite(scores)])
    return float(np.quantile(size, 0.9)) or 1.0 if size.size else 1.0


def _cut(values: Floats, scores: Floats) -> Floats:
    most = _FAR * limit_of(scores)
    return np.where(np.isnan(values), np.nan, np.clip(values, -most, most))


def said_of(response: Response, classes: tuple[str, str]) -> str:
    """Say how much of the map lies on which side."""
    total = response.total
    known = np.isfinite(total)
    if not known.any():
        return "The formula has no value anywhere here."
    above = float((total[known] >= 0).mean())
    where = "map" if total.ndim == 2 else "range"
    said = f"{classes[1]} in {above:.0%} of this {where}; the thick line is f = 0."
    if not 0 < above < 1:
        said = f"Everything here is {classes[int(above)]}: f = 0 lies outside."
    if not known.all():
        said += f" No value in {float((~known).mean()):.0%}."
    return said
