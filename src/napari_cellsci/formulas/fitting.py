"""Judging formulas, and fitting their numbers, many at a time."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from napari_cellsci.formulas import kernels, kernels_plain
from napari_cellsci.formulas.blocks import Floats, Rows, Work
from napari_cellsci.formulas.compiled import HAVE_NUMBA
from napari_cellsci.formulas.kernels import HINGE
from napari_cellsci.formulas.tokens import CONSTANT, Codes
from napari_cellsci.formulas.variation import Ints

_KERNELS: Any = kernels if HAVE_NUMBA else kernels_plain
_SLOW, _FAST = 5.0, 0.3
_FLAT = 1e-7
_SHARPEST = 0.05


def losses(
    code: Codes, value: Floats, length: Ints, rows: Rows, kind: int, work: Work
) -> Floats:
    """Return the weighted mean losses (N,); see `kernels.losses`."""
    found = np.empty(len(length))
    _KERNELS.losses(code, value, length, rows, kind, work, found)
    return found


def fit(
    code: Codes,
    value: Floats,
    length: Ints,
    loss: Floats,
    rows: Rows,
    kind: int,
    iterations: int,
    work: Work,
) -> int:
    """Fit the numbers of formulas in place, all at once.

    Levenberg–Marquardt with exact gradients. The hinge's corner is rounded, less and
    less; what counts is the loss itself, and a formula never gets worse.

    Parameters
    ----------
    code, value : arrays of shape (N, room)
    length : int array of shape (N,)
    loss : array of shape (N,)
        Losses of the formulas as they are; overwritten.
    rows, kind, work
        As in `kernels.losses`.
    iterations : int
        Steps.

    Returns
    -------
    int
        Evaluations.
    """
    where = _numbers(code, length)
    active = np.flatnonzero((where >= 0).any(1) & np.isfinite(loss))
    damping = np.full(len(length), 1e-2)
    evaluations, width = 0, 0.5
    for _ in range(iterations):
        if not len(active):
            break
        some = (code[active], value[active], length[active])
        pull, curve, known = _pulls(*some, rows, kind, width, work, where.shape[1])
        step = _solved(pull, curve, damping[active], where[active] >= 0)
        trial = _moved(some[1], where[active], step)
        new = losses(some[0], trial, some[2], rows, kind, work)
        evaluations += 2 * len(active)
        before = loss[active]
        better = known & (new < before)
        value[active[better]] = trial[better]
        loss[active[better]] = new[better]
        damping[active] *= np.where(better, _FAST, _SLOW)
        flat = better & (before - new < _FLAT * (before + _FLAT))
        if kind == HINGE and width > _SHARPEST:
            width, flat = max(0.6 * width, _SHARPEST), np.zeros_like(flat)
        active = active[known & ~flat & (damping[active] < 1e8)]
    return evaluations


def _numbers(code: Codes, length: Ints) -> npt.NDArray[np.int64]:
    """Return the places of each formula's numbers from its end; −1 fills up."""
    inside = np.arange(code.shape[1]) < length[:, None]
    is_number = (code == CONSTANT) & inside
    most = max(int(is_number.sum(1).max(initial=0)), 1)
    found = np.full((len(code), most), -1, np.int64)
    rows, places = np.nonzero(is_number[:, ::-1])
    order = np.cumsum(is_number[:, ::-1], axis=1)[rows, places] - 1
    found[rows, order] = code.shape[1] - 1 - places
    return found


def _pulls(
    code: Codes,
    value: Floats,
    length: Ints,
    rows: Rows,
    kind: int,
    width: float,
    work: Work,
    constants: int,
) -> tuple[Floats, Floats, npt.NDArray[np.bool_]]:
    pull = np.zeros((len(length), constants))
    curve = np.zeros((len(length), constants, constants))
    known = np.zeros(len(length), np.bool_)
    _KERNELS.pulls(code, value, length, rows, kind, width, work, pull, curve, known)
    return pull, curve, known


def _solved(
    pull: Floats, curve: Floats, damping: Floats, used: npt.NDArray[np.bool_]
) -> Floats:
    """Return damped Gauss–Newton steps; 0 for numbers a formula does not have."""
    n = np.arange(pull.shape[1])
    scale = np.einsum("pcc->pc", curve)
    ridge = damping[:, None] * scale + 1e-12 + 1e-9 * scale.max(1, keepdims=True)
    matrix = curve.copy()
    matrix[:, n, n] += np.where(used, ridge, 1.0)
    bad = ~(np.isfinite(matrix).all((1, 2)) & np.isfinite(pull).all(1))
    matrix[bad] = np.eye(pull.shape[1])
    with np.errstate(all="ignore"):
        step = np.linalg.solve(matrix, -pull[..., None])[..., 0]
    step[bad] = 0.0
    return np.where(np.isfinite(step) & used, step, 0.0)


def _moved(value: Floats, where: npt.NDArray[np.int64], step: Floats) -> Floats:
    trial = value.copy()
    rows, columns = np.nonzero(where >= 0)
    trial[rows, where[rows, columns]] += step[rows, columns]
    return trial
