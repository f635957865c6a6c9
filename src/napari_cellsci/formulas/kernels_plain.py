"""The same kernels as NumPy calls, for where numba is missing."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from napari_cellsci.formulas.blocks import Rows, Work
from napari_cellsci.formulas.kernels import HINGE, SQUARED
from napari_cellsci.formulas.tokens import (
    ADD,
    CONSTANT,
    FIRST_UNARY,
    FIRST_VARIABLE,
    MULTIPLY,
    SUBTRACT,
    Codes,
    Values,
)

Ints = npt.NDArray[np.int64]
_TWO = (np.add, np.subtract, np.multiply, np.divide)
_ONE = (np.square, np.exp, np.log, np.sin, np.sqrt, np.abs)


def _values(code: Codes, value: Values, length: int, x: Any) -> Any:
    stack: list[Any] = []
    for place in range(length - 1, -1, -1):
        token = code[place]
        if token >= FIRST_VARIABLE:
            stack.append(x[:, token - FIRST_VARIABLE])
        elif token == CONSTANT:
            stack.append(value[place])
        elif token < FIRST_UNARY:
            first = stack.pop()
            stack.append(_TWO[token](first, stack.pop()))
        else:
            stack.append(_ONE[token - FIRST_UNARY](stack.pop()))
    return np.broadcast_to(stack[0], (len(x), x.shape[2]))


def losses(
    code: Codes,
    value: Values,
    length: Ints,
    rows: Rows,
    kind: int,
    work: Work,
    out: Values,
) -> None:
    """Write the weighted mean losses of formulas; see `kernels.losses`."""
    for p, nodes in enumerate(length):
        out[p] = np.inf if nodes == 0 else _loss(code[p], value[p], nodes, rows, kind)


def _loss(code: Codes, value: Values, length: int, rows: Rows, kind: int) -> float:
    with np.errstate(all="ignore"):
        f = _values(code, value, length, rows.x)
        if kind == HINGE:
            each = np.maximum(0.0, 1.0 - f * rows.y)
        elif kind == SQUARED:
            each = np.square(f - rows.y)
        else:
            each = np.logaddexp(0.0, -f * rows.y)
        total = float(np.vdot(each, rows.w))
    return total if np.isfinite(f).all() and np.isfinite(total) else np.inf


def _slopes(token: int, a: Any, made: Any) -> Any:
    name = _ONE[token - FIRST_UNARY]
    if name is np.square:
        return 2 * a
    if name is np.exp:
        return made
    if name is np.log:
        return 1 / a
    if name is np.sin:
        return np.cos(a)
    return 0.5 / made if name is np.sqrt else np.sign(a)


def _joined(token: int, a: Any, b: Any, da: list[Any], db: list[Any]) -> list[Any]:
    """Return derivatives of an operator, those of the second argument first."""
    if token == ADD:
        return [*db, *da]
    if token == SUBTRACT:
        return [*(-d for d in db), *da]
    if token == MULTIPLY:
        return [*(d * a for d in db), *(d * b for d in da)]
    return [*(-d * a / (b * b) for d in db), *(d / b for d in da)]


def _with_slopes(
    code: Codes, value: Values, length: int, x: Any
) -> tuple[Any, list[Any]]:
    stack: list[tuple[Any, list[Any]]] = []
    for place in range(length - 1, -1, -1):
        token = code[place]
        if token >= FIRST_VARIABLE:
            stack.append((x[:, token - FIRST_VARIABLE], []))
        elif token == CONSTANT:
            stack.append((value[place], [np.float64(1)]))
        elif token < FIRST_UNARY:
            a, da = stack.pop()
            b, db = stack.pop()
            stack.append((_TWO[token](a, b), _joined(token, a, b, da, db)))
        else:
            a, da = stack.pop()
            made = _ONE[token - FIRST_UNARY](a)
            factor = _slopes(token, a, made) if da else None
            stack.append((made, [d * factor for d in da]))
    return stack[0]


def _loss_slopes(f: Any, rows: Rows, kind: int, width: float) -> tuple[Any, Any]:
    y, w = rows.y, rows.w
    if kind == SQUARED:
        return 2 * w * (f - y), 2 * w
    if kind == HINGE:
        over = np.clip((1 + width - f * y) / (2 * width), 0, 1)
        return -w * y * over, w * (((over > 0) & (over < 1)) / (2 * width) + 0.05)
    p = np.exp(-np.logaddexp(0.0, f * y))
    return -w * y * p, w * p * (1 - p)


def pulls(
    code: Codes,
    value: Values,
    length: Ints,
    rows: Rows,
    kind: int,
    width: float,
    work: Work,
    pull: Values,
    curve: Values,
    known: npt.NDArray[np.bool_],
) -> None:
    """Write gradients and Gauss–Newton matrices; see `kernels.pulls`."""
    pull[:] = 0.0
    curve[:] = 0.0
    shape = rows.y.shape
    for p, nodes in enumerate(length):
        with np.errstate(all="ignore"):
            f, slopes = _with_slopes(code[p], value[p], nodes, rows.x)
            known[p] = bool(np.isfinite(f).all())
            known[p] &= all(np.isfinite(d).all() for d in slopes)
            if not known[p] or not slopes:
                continue
            f = np.broadcast_to(f, shape)
            first, second = _loss_slopes(f, rows, kind, width)
        table = np.array([np.broadcast_to(d, shape).ravel() for d in slopes])
        count = len(slopes)
        pull[p, :count] = table @ first.ravel()
        curve[p, :count, :count] = (table * second.ravel()) @ table.T
