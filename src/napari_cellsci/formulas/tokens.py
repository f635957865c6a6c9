"""Formulas as rows of integers: prefix order, constants beside them.

Operators are 0 to 9, 10 is a constant, and from 11 on the variables follow.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from napari_cellsci.formulas.nodes import (
    BINARY,
    NAME,
    UNARY,
    Node,
    apply,
    number,
    variable,
)

OPERATORS = (*BINARY, *UNARY)
ADD, SUBTRACT, MULTIPLY, DIVIDE, SQUARE, EXP, LOG, SIN, SQRT, ABS = range(10)
FIRST_UNARY = 4
CONSTANT = 10
FIRST_VARIABLE = 11

Codes = npt.NDArray[np.int64]
Values = npt.NDArray[np.float64]


def encode(root: Node, names: Sequence[str], room: int) -> tuple[Codes, Values, int]:
    """Return a tree as codes and values of length `room`, and its length.

    A minus sign before a term becomes a product with −1.
    """
    code, value = np.zeros(room, np.int64), np.zeros(room)
    place = 0
    waiting = [root]
    while waiting:
        node = waiting.pop()
        if node.op == "neg":
            waiting += [node.args[0], number(-1.0), Node("*")]
            continue
        if node.is_number:
            code[place], value[place] = CONSTANT, node.value
        elif node.op == NAME:
            code[place] = FIRST_VARIABLE + names.index(node.name)
        else:
            code[place] = OPERATORS.index(node.op)
        place += 1
        waiting += reversed(node.args)
    return code, value, place


def decode(code: Codes, value: Values, length: int, names: Sequence[str]) -> Node:
    """Return the tree of codes and values."""
    stack: list[Node] = []
    for place in range(length - 1, -1, -1):
        token = int(code[place])
        if token == CONSTANT:
            stack.append(number(float(value[place])))
        elif token >= FIRST_VARIABLE:
            stack.append(variable(names[token - FIRST_VARIABLE]))
        elif token < FIRST_UNARY:
            first = stack.pop()
            stack.append(apply(OPERATORS[token], first, stack.pop()))
        else:
            stack.append(apply(OPERATORS[token], stack.pop()))
    return stack[0]
