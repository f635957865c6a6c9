"""How far is far enough: the smallest ε that changes a model's mind, cell by cell."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_cellsci.explain.attacks.sweep import (
    Ends,
    classes_of,
    evaluate,
    outputs_along,
)
from napari_cellsci.explain.attacks.target import Space, Target
from napari_cellsci.tasks import CancelToken, OnEvent, Progress, ignore

Doubles = NDArray[np.float64]
GRID = 16
HALVINGS = 10


@dataclass(frozen=True, eq=False, slots=True)
class Flip:
    """The smallest changes found.

    Parameters
    ----------
    epsilon : array of shape (n,)
        0 for cells that are there already; infinite where nothing up to the limit was
        enough.
    became : int array of shape (n,)
        The class at that ε (that at the limit where nothing was enough); −1 where the
        score is not finite there.
    """

    epsilon: Doubles
    became: NDArray[np.int64]


def smallest_flip(
    target: Target,
    x: Tensor,
    unit: Tensor,
    reference: Tensor,
    most: float,
    space: Space,
    *,
    towards: bool = False,
    clip: Ends | None = None,
    on_event: OnEvent = ignore,
    token: CancelToken | None = None,
) -> Flip:
    """Find the smallest ε at which each cell leaves, or reaches, a class.

    Sixteen steps up to `most` find where the decision first changes, and ten halvings
    of that step say where: to `most` / 16,384. The step is needed because a score need
    not fall evenly along the attack.

    Parameters
    ----------
    target : Target
    x : Tensor of shape (n, …)
    unit : Tensor like x
        From `direction`.
    reference : int Tensor of shape (n,)
        The class to leave, or to reach.
    most : float
        Largest ε that is tried.
    space : {"image", "latent"}
    towards : bool
        Whether `reference` is to be reached.
    clip : (Tensor, Tensor), optional
    on_event, token
    """
    wanted = reference.numpy()
    grid = np.linspace(0, most, GRID + 1)
    outputs = outputs_along(target, x, unit, grid, space, clip=clip, token=token)
    classes = classes_of(outputs)
    done = _there(classes, wanted, towards)
    first = np.where(done.any(0), done.argmax(0), GRID)
    high = grid[first]
    low = grid[np.maximum(first - 1, 0)]
    open_ = done.any(0) & (first > 0)
    rows = np.flatnonzero(open_)
    for number in range(HALVINGS if rows.size else 0):
        middle = (low[rows] + high[rows]) / 2
        now = _classes_at(target, x, unit, rows, middle, space, clip, token)
        flipped = _there(now, wanted[rows], towards)
        high[rows] = np.where(flipped, middle, high[rows])
        low[rows] = np.where(flipped, low[rows], middle)
        on_event(Progress("Looking for the smallest change", number + 1, HALVINGS))
    became = _classes_at(target, x, unit, np.arange(len(x)), high, space, clip, token)
    return Flip(np.where(done.any(0), high, np.inf), became)


def _there(
    classes: NDArray[np.int64], wanted: NDArray[np.int64], towards: bool
) -> NDArray[np.bool_]:
    known = classes >= 0
    return np.asarray(known & ((classes == wanted) == towards))


def _classes_at(
    target: Target,
    x: Tensor,
    unit: Tensor,
    rows: NDArray[np.intp],
    epsilon: Doubles,
    space: Space,
    clip: Ends | None,
    token: CancelToken | None,
) -> NDArray[np.int64]:
    """Return the classes of some cells, each moved by its own ε."""
    steps = torch.from_numpy(epsilon.astype(np.float32))
    chosen = torch.from_numpy(np.asarray(rows, np.int64))
    shape = (-1, *[1] * (x.ndim - 1))
    moved = x[chosen] + steps.view(shape) * unit[chosen].float()
    if clip is not None:
        moved.clamp_(*clip)
    return classes_of(evaluate(target, moved, space, token=token).numpy())
