"""Formulas as torch computations with gradients."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from napari_cellsci.formulas.nodes import NAME, NEGATE, NUMBER, Node

_LARGEST_EXPONENT = 80.0
_TINY = 1e-12


def _plain_division(a: Tensor, b: Tensor) -> Tensor:
    return a / b


def _guarded_division(a: Tensor, b: Tensor) -> Tensor:
    away = torch.where(b < 0, -_TINY, _TINY).to(b.dtype)
    return a / torch.where(b.abs() < _TINY, away, b)


_TWO: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "+": torch.add,
    "-": torch.sub,
    "*": torch.mul,
    "/": _plain_division,
}
_ONE: dict[str, Callable[[Tensor], Tensor]] = {
    NEGATE: torch.neg,
    "square": torch.square,
    "exp": torch.exp,
    "log": torch.log,
    "sin": torch.sin,
    "sqrt": torch.sqrt,
    "abs": torch.abs,
}
_GUARDED: dict[str, Callable[[Tensor], Tensor]] = {
    "exp": lambda x: torch.exp(x.clamp(max=_LARGEST_EXPONENT)),
    "log": lambda x: torch.log(x.clamp(min=_TINY)),
    "sqrt": lambda x: torch.sqrt(x.clamp(min=_TINY)),
}


def evaluate(
    root: Node, columns: Mapping[str, Tensor], like: Tensor, *, guarded: bool = False
) -> Tensor:
    """Return the values of a formula, differentiably.

    Parameters
    ----------
    root : Node
    columns : mapping of str to Tensor of shape (n,)
    like : Tensor of shape (n,)
        Gives numbers their type and device, and a constant its length.
    guarded : bool
        Stay finite outside a formula's domain: exp of at most 80, log and sqrt of at
        least 1e-12, no division by less than that. Gradients need this; where the
        formula is well inside its domain nothing changes.

    Returns
    -------
    Tensor of shape (n,)
    """
    if node_is_leaf(root):
        if root.op == NAME:
            return columns[root.name]
        return torch.full_like(like, root.value)
    args = [evaluate(arg, columns, like, guarded=guarded) for arg in root.args]
    if len(args) == 2:
        if guarded and root.op == "/":
            return _guarded_division(args[0], args[1])
        return _TWO[root.op](args[0], args[1])
    function = _GUARDED.get(root.op, _ONE[root.op]) if guarded else _ONE[root.op]
    return function(args[0])


def node_is_leaf(node: Node) -> bool:
    """Return whether a node is a number or a name."""
    return node.op in (NAME, NUMBER)
