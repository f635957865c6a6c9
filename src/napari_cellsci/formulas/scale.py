"""The scale of a formula, which its sign does not depend on.

The hinge asks for values of 1 and more on the right side. Where a formula tells all
cells apart, any larger scale is as good, and a search ends wherever it happened to be:
at −3720 / z14 where −z14 decides the same. The smallest scale that costs nothing is
that of the canonical separating plane of support vector machines, whose nearest cell
has the value ±1.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from napari_cellsci.formulas.nodes import NEGATE, Node, apply, complexity, number

Array = npt.NDArray[np.float64]
Term = tuple[float, Node | None]
"""A number times a tree; without a tree the number alone."""
_SLACK = 1e-9
"""Rounding must not bring the nearest cell below 1."""
_SCALES: dict[str, Callable[[float], float]] = {
    "square": lambda c: c * c,
    "sqrt": math.sqrt,
    "abs": abs,
}
_NEVER_NEGATIVE = (*_SCALES, "exp")


def tempered(root: Node, f: Array, y: Array) -> Node:
    """Return a formula at the smallest scale at which it costs no hinge loss.

    Parameters
    ----------
    root : Node
    f : array of shape (n,)
        Its values.
    y : array of shape (n,)
        Targets, ±1.

    Returns
    -------
    Node
        The same where a cell has a margin of 1 or less, or where another scale would
        take more nodes.
    """
    margin = float(np.min(f * y)) if len(y) else math.nan
    if not 1 < margin < math.inf:
        return root
    scaled = _joined(_divided(_terms(root), margin * (1 - _SLACK)))
    return scaled if complexity(scaled) <= complexity(root) else root


def unscaled(root: Node) -> Node:
    """Return a shorter formula of the same sign, or the same.

    A positive factor is left out (2.1 z3 − 1.2 is 0 where z3 − 0.571 is), and what
    stands alone below a fraction line moves up, where it has no pole: the sign of c / z
    is that of c z. Signs agree wherever the original is defined.
    """
    terms = _terms(root)
    options = [root, *_scales(terms)]
    times, rest = terms[0]
    if len(terms) == 1 and rest is not None:
        options += _scales(_divided(_terms(_upright(rest)), math.copysign(1.0, times)))
    return min(options, key=_length)


def _length(node: Node) -> tuple[int, int]:
    """Return the complexity, and how often one divides by more than a number."""
    poles = sum(1 for n in node.walk() if n.op == "/" and not n.args[1].is_number)
    return complexity(node), poles


def _scales(terms: list[Term]) -> list[Node]:
    """Return a sum divided by the size of each of its numbers in turn."""
    sizes = [abs(times) for times, _ in terms]
    return [_joined(_divided(terms, size)) for size in sizes if size]


def _terms(node: Node) -> list[Term]:
    """Return a tree as a sum of numbers times trees."""
    if node.op in ("+", "-"):
        sign = 1.0 if node.op == "+" else -1.0
        return _terms(node.args[0]) + _divided(_terms(node.args[1]), sign)
    if node.op == NEGATE:
        return _divided(_terms(node.args[0]), -1.0)
    times, rest = _split(node)
    if rest is not None and rest.op in ("+", "-") and abs(times) == 1:
        return _divided(_terms(rest), times)
    return [(times, rest)]


def _split(node: Node) -> Term:
    """Take the number out of a product."""
    if node.is_number:
        return node.value, None
    if node.op == NEGATE:
        times, rest = _split(node.args[0])
        return -times, rest
    if node.op in ("*", "/"):
        (a, left), (b, right) = _split(node.args[0]), _split(node.args[1])
        times = a * b if node.op == "*" else a / b if b else math.nan
        if right is None:
            return _kept(times, left, node)
        if left is None:
            return _kept(times, right if node.op == "*" else _below(right), node)
        return _kept(times, apply(node.op, left, right), node)
    if node.op in _SCALES:
        times, rest = _split(node.args[0])
        if rest is not None and (times > 0 or node.op != "sqrt"):
            return _kept(_SCALES[node.op](times), apply(node.op, rest), node)
    return 1.0, node


def _kept(times: float, rest: Node | None, node: Node) -> Term:
    """Return a term, or the whole tree where its number leaves the range of numbers."""
    return (times, rest) if math.isfinite(times) and times else (1.0, node)


def _below(node: Node) -> Node:
    return apply("/", number(1.0), node)


def _divided(terms: list[Term], by: float) -> list[Term]:
    return [(times / by, rest) for times, rest in terms]


def _upright(node: Node) -> Node:
    """Return a product of the same sign without a fraction line."""
    if node.op == "*":
        return apply("*", _upright(node.args[0]), _upright(node.args[1]))
    if node.op == "/":
        above, below = node.args
        if below.op in _NEVER_NEGATIVE:
            return _upright(above)
        if above.is_number and above.value == 1:
            return _upright(below)
        return apply("*", _upright(above), _upright(below))
    return node


def _joined(terms: list[Term]) -> Node:
    """Return a sum as a tree that begins with a plus where it can."""
    lead = next((k for k, (times, _) in enumerate(terms) if times > 0), 0)
    times, rest = terms[lead]
    root = _product(times, rest)
    for times, rest in (*terms[:lead], *terms[lead + 1 :]):
        op = "+" if times > 0 else "-"
        root = apply(op, root, _product(abs(times), rest))
    return root


def _product(times: float, rest: Node | None) -> Node:
    if rest is None:
        return number(times)
    if times == 1:
        return rest
    if times == -1:
        return apply(NEGATE, rest)
    if rest.op == "/" and rest.args[0] == number(1.0):
        return apply("/", number(times), rest.args[1])
    return apply("*", number(times), rest)
