"""Rows in blocks that fit a processor's nearest cache, for the kernels."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

LANES = 128
"""Rows that are worked on together; a constant, so that loops over them unroll."""

Floats = npt.NDArray[np.float64]


class Rows(NamedTuple):
    """What formulas are judged on.

    Attributes
    ----------
    x : array of shape (blocks, variables, 128)
    y : array of shape (blocks, 128)
        Targets; ±1 for hinge and logistic loss.
    w : array of shape (blocks, 128)
        Weights; they sum to 1, and rows that only fill a block have 0.
    """

    x: Floats
    y: Floats
    w: Floats


def rows_in_blocks(x: Floats, y: Floats, w: Floats) -> Rows:
    """Return rows (n, variables) in blocks; the last is filled with the first row."""
    n = len(y)
    blocks = -(-n // LANES)
    which = np.zeros(blocks * LANES, np.int64)
    which[:n] = np.arange(n)
    weight = np.zeros(blocks * LANES)
    weight[:n] = w / w.sum()
    columns = x[which].reshape(blocks, LANES, x.shape[1]).transpose(0, 2, 1)
    return Rows(
        np.ascontiguousarray(columns, np.float64),
        np.ascontiguousarray(y[which].reshape(blocks, LANES), np.float64),
        weight.reshape(blocks, LANES),
    )


class Work(NamedTuple):
    """Room for the kernels; each thread needs its own.

    Attributes
    ----------
    stack : array of shape (depth, 128)
        Values under way.
    slopes : array of shape (constants, 128)
        Derivatives of the value a constant is part of.
    low, high : int array of shape (depth,)
        Which constants a value on the stack depends on.
    bits, floats : arrays of shape (128,)
        One piece of memory, as integers and as numbers.
    spare, bend : arrays of shape (128,)
    """

    stack: Floats
    slopes: Floats
    low: npt.NDArray[np.int64]
    high: npt.NDArray[np.int64]
    bits: npt.NDArray[np.int64]
    floats: Floats
    spare: Floats
    bend: Floats


def workspace(room: int) -> Work:
    """Return room for formulas of so many nodes."""
    depth, constants = room // 2 + 2, room // 2 + 2
    bits = np.zeros(LANES, np.int64)
    return Work(
        stack=np.zeros((depth, LANES)),
        slopes=np.zeros((constants, LANES)),
        low=np.zeros(depth, np.int64),
        high=np.zeros(depth, np.int64),
        bits=bits,
        floats=bits.view(np.float64),
        spare=np.zeros(LANES),
        bend=np.zeros(LANES),
    )
