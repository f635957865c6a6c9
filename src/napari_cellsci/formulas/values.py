"""Values of formulas in float64, and their exact derivatives."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_cellsci.errors import InputError
from napari_cellsci.formulas.nodes import NAME, NEGATE, NUMBER, Node

Array = npt.NDArray[np.float64]
_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "+": np.add,
    "-": np.subtract,
    "*": np.multiply,
    "/": np.divide,
    "square": np.square,
    "exp": np.exp,
    "log": np.log,
    "sin": np.sin,
    "sqrt": np.sqrt,
    "abs": np.abs,
    NEGATE: np.negative,
}


def columns_of(root: Node, columns: Mapping[str, npt.ArrayLike]) -> dict[str, Array]:
    """Return the columns a tree reads as float64.

    Raises
    ------
    InputError
        If one is missing.
    """
    from napari_cellsci.formulas.nodes import names_of

    missing = [name for name in names_of(root) if name not in columns]
    if missing:
        raise InputError(
            f"The formula reads {', '.join(missing)}, but only "
            f"{', '.join(map(str, columns)) or 'nothing'} is given."
        )
    return {name: np.asarray(columns[name], np.float64) for name in names_of(root)}


def evaluate(root: Node, columns: Mapping[str, Array]) -> Array:
    """Return the values of a tree; NaN or infinite where it is not defined.

    A constant gives a single value, whatever the columns.
    """
    with np.errstate(all="ignore"):
        return np.asarray(_value(root, columns), np.float64)


def _value(node: Node, columns: Mapping[str, Array]) -> Any:
    if node.op == NUMBER:
        return np.float64(node.value)
    if node.op == NAME:
        return columns[node.name]
    return _FUNCTIONS[node.op](*(_value(arg, columns) for arg in node.args))


def derivatives(
    root: Node, columns: Mapping[str, Array]
) -> tuple[Array, dict[str, Array], list[Array]]:
    """Return values, and derivatives by every name and by every number.

    Reverse mode, exact. Where a value is not defined neither are its derivatives; the
    derivative of abs at 0 is 0.

    Returns
    -------
    values : array
    by_name : dict of str to array
    by_number : list of array
        From left to right, as `nodes.numbers_of` lists them.
    """
    with np.errstate(all="ignore"):
        tape: list[tuple[Node, Any, tuple[int, ...]]] = []
        top = _record(root, columns, tape)
        slopes: list[Any] = [np.float64(0)] * len(tape)
        slopes[top] = np.float64(1)
        for place in range(top, -1, -1):
            node, value, below = tape[place]
            inputs = [tape[index][1] for index in below]
            for index, by in zip(below, _slopes(node.op, value, *inputs), strict=True):
                slopes[index] = slopes[index] + slopes[place] * by
        values = np.asarray(tape[top][1], np.float64)
        by_name: dict[str, Array] = {}
        by_number: list[Array] = []
        for (node, _, _), slope in zip(tape, slopes, strict=True):
            each = np.broadcast_to(np.asarray(slope, np.float64), values.shape)
            if node.op == NUMBER:
                by_number.append(each)
            elif node.op == NAME:
                by_name[node.name] = by_name.get(node.name, 0.0) + each
        return values, by_name, by_number


def _record(node: Node, columns: Mapping[str, Array], tape: list[Any]) -> int:
    """Write a tree's values on the tape, arguments first; return its place."""
    below = tuple(_record(arg, columns, tape) for arg in node.args)
    if node.op == NUMBER:
        value: Any = np.float64(node.value)
    elif node.op == NAME:
        value = columns[node.name]
    else:
        value = _FUNCTIONS[node.op](*(tape[index][1] for index in below))
    tape.append((node, value, below))
    return len(tape) - 1


def _slopes(op: str, value: Any, *inputs: Any) -> tuple[Any, ...]:
    """Return the derivatives of an operator by its arguments."""
    if op in (NUMBER, NAME):
        return ()
    if len(inputs) == 2:
        return _slopes_of_two(op, value, *inputs)
    slope: dict[str, Callable[[Any], Any]] = {
        NEGATE: lambda x: -1.0,
        "square": lambda x: 2 * x,
        "exp": lambda x: value,
        "log": lambda x: 1 / x,
        "sin": np.cos,
        "sqrt": lambda x: 0.5 / value,
        "abs": np.sign,
    }
    return (slope[op](inputs[0]),)


def _slopes_of_two(op: str, value: Any, a: Any, b: Any) -> tuple[Any, Any]:
    if op == "*":
        return b, a
    if op == "/":
        return 1 / b, -value / b
    return 1.0, 1.0 if op == "+" else -1.0
