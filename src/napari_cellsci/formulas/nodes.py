"""The tree a formula is: numbers, names, and ten operators."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

BINARY = ("+", "-", "*", "/")
UNARY = ("square", "exp", "log", "sin", "sqrt", "abs")
NEGATE = "neg"
"""The minus sign before a term; engines do not use it, people write it."""
NUMBER, NAME = "number", "name"
PAPER_WEIGHTS: Mapping[str, int] = {"sin": 3, "exp": 2, "log": 2}
"""Complexity of an operator where it is not 1 (arXiv 2402.03115, section 3.4)."""


@dataclass(frozen=True, slots=True)
class Node:
    """A number, a name, or an operator with its arguments.

    Parameters
    ----------
    op : str
        "number", "name", "neg", or one of `BINARY` and `UNARY`.
    args : tuple of Node
    value : float
        Of a number; always finite.
    name : str
        Of a name.
    """

    op: str
    args: tuple[Node, ...] = ()
    value: float = 0.0
    name: str = ""

    @property
    def is_number(self) -> bool:
        """Whether this is a number."""
        return self.op == NUMBER

    def walk(self) -> Iterator[Node]:
        """Yield the node and all below it; arguments follow their operator."""
        waiting = [self]
        while waiting:
            node = waiting.pop()
            yield node
            waiting.extend(reversed(node.args))


def number(value: float) -> Node:
    """Return a number."""
    return Node(NUMBER, value=float(value))


def variable(name: str) -> Node:
    """Return a name."""
    return Node(NAME, name=name)


def apply(op: str, *args: Node) -> Node:
    """Return an operator with its arguments."""
    return Node(op, args)


def complexity(root: Node, weights: Mapping[str, int] = PAPER_WEIGHTS) -> int:
    """Return the weighted number of nodes, as PySR counts them."""
    return sum(weights.get(node.op, 1) for node in root.walk())


def size(root: Node) -> int:
    """Return the number of nodes, the paper's expression size."""
    return sum(1 for _ in root.walk())


def names_of(root: Node) -> tuple[str, ...]:
    """Return the names in a tree, once each, z3 before z17."""
    found = {node.name for node in root.walk() if node.op == NAME}
    return tuple(sorted(found, key=natural))


def natural(name: str) -> tuple[str, int, str]:
    """Return what sorts z3 before z17."""
    match = re.fullmatch(r"(.*?)(\d+)", name)
    return (match[1], int(match[2]), name) if match else (name, -1, name)


def numbers_of(root: Node) -> tuple[float, ...]:
    """Return the numbers of a tree from left to right."""
    return tuple(node.value for node in root.walk() if node.is_number)


def with_numbers(root: Node, values: Iterator[float]) -> Node:
    """Return the tree with other numbers, given from left to right."""
    if root.is_number:
        return number(next(values))
    if not root.args:
        return root
    return Node(root.op, tuple(with_numbers(arg, values) for arg in root.args))


def renamed(root: Node, names: Mapping[str, str]) -> Node:
    """Return the tree with other names; those that are not given stay."""
    if root.op == NAME:
        return variable(names.get(root.name, root.name))
    return Node(root.op, tuple(renamed(arg, names) for arg in root.args), root.value)
