"""Which formula of a front to take, and what several runs agree on."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from napari_cellsci.formulas.expression import Expression
from napari_cellsci.formulas.spec import Candidate

Array = npt.NDArray[np.float64]
Classes = npt.NDArray[np.int64]
_TINY = 1e-9
_NEAR = 1.5
"""PySR considers formulas whose loss is at most this much the lowest."""


@dataclass(frozen=True, slots=True)
class Judged:
    """How a formula does on cells it was not found from.

    Attributes
    ----------
    candidate : Candidate
    score : float
        Balanced accuracy; a value that is not finite counts as wrong.
    error : float
        Standard error of `score`, over tracks.
    undefined : int
        Cells without a finite value.
    behind, behind_error : float
        How much better the best formula of the front is on the same cells, and the
        standard error of that: what all formulas get wrong cancels out.
    """

    candidate: Candidate
    score: float
    error: float
    undefined: int
    behind: float
    behind_error: float


def judge(
    front: Sequence[Candidate],
    columns: Mapping[str, npt.ArrayLike],
    y: Classes,
    groups: npt.NDArray[np.generic],
) -> list[Judged]:
    """Judge every formula of a front on cells that were held out.

    Parameters
    ----------
    front : sequence of Candidate
    columns : mapping of str to array of shape (n,)
    y : int array of shape (n,)
        1 for cells that should have a value ≥ 0, else 0.
    groups : array of shape (n,)
        The track of each cell.
    """
    values = [candidate.expression(columns) for candidate in front]
    hits = [np.isfinite(f) & ((f >= 0) == (y == 1)) for f in values]
    own = [balanced_accuracy(right, y, groups) for right in hits]
    best = max(range(len(front)), key=lambda k: (own[k][0], -front[k].complexity))
    return [
        Judged(
            candidate,
            *own[k],
            int((~np.isfinite(values[k])).sum()),
            *balanced_accuracy(hits[best].astype(float) - hits[k], y, groups, 0.0),
        )
        for k, candidate in enumerate(front)
    ]


def balanced_accuracy(
    right: npt.NDArray[np.bool_] | Array,
    y: Classes,
    groups: npt.NDArray[np.generic],
    least: float = 0.5,
) -> tuple[float, float]:
    """Return the mean recall over the classes in `y`, and its standard error.

    Cells of one track resemble each other: the error is that of a ratio of sums over
    tracks.

    Parameters
    ----------
    right : array of shape (n,)
        1 for cells that are right; or any other number to be averaged, such as the
        difference of two formulas.
    y : int array of shape (n,)
    groups : array of shape (n,)
    least : float
        Cells of each class that might be wrong although none is.
    """
    _, number = np.unique(groups, return_inverse=True)
    recalls, variances = [], []
    for c in np.unique(y):
        mine = y == c
        cells = np.bincount(number[mine], minlength=1).astype(float)
        hits = np.bincount(number[mine], right[mine], minlength=len(cells))
        n, tracks = cells.sum(), max(int((cells > 0).sum()), 2)
        recall = hits.sum() / n
        spread = float(np.square(hits - recall * cells).sum())
        recalls.append(recall)
        variances.append(max(spread / n**2 * tracks / (tracks - 1), (least / n) ** 2))
    score = float(np.mean(recalls))
    return score, math.sqrt(sum(variances)) / len(recalls)


def choose(judged: Sequence[Judged]) -> int:
    """Return the smallest formula within one standard error of the best.

    The error is that of the difference of the two on the same cells.

    Raises
    ------
    ValueError
        If there is none.
    """
    good = [k for k, one in enumerate(judged) if one.behind <= one.behind_error + _TINY]
    return min(good, key=lambda k: (judged[k].candidate.complexity, -judged[k].score))


def pysr_choice(front: Sequence[Candidate]) -> int:
    """Return the formula PySR would take ("best", arXiv 2305.01582, section 2.3).

    Of the formulas whose loss is at most 1.5 times the lowest, the one at which the
    logarithm of the loss fell most per complexity.
    """
    lowest = min(one.loss for one in front)
    gains = [0.0]
    for before, after in pairwise(front):
        steps = after.complexity - before.complexity
        fall = math.log(max(before.loss, 1e-300) / max(after.loss, 1e-300))
        gains.append(fall / steps)
    near = [k for k, one in enumerate(front) if one.loss <= _NEAR * lowest]
    return max(near, key=lambda k: gains[k])


@dataclass(frozen=True, slots=True)
class Agreement:
    """What several runs agree on.

    Attributes
    ----------
    runs : int
    forms : tuple of (str, int)
        Forms, numbers written as c, and in how many runs; the most frequent first.
    inputs : dict of str to float
        Share of the runs whose formula reads a name; the most used first.
    size, size_sd : float
        Mean and population standard deviation of the expression size.
    """

    runs: int
    forms: tuple[tuple[str, int], ...]
    inputs: Mapping[str, float]
    size: float
    size_sd: float


def agreement(formulas: Sequence[Expression]) -> Agreement:
    """Summarise the formulas several runs chose."""
    forms = Counter(formula.form() for formula in formulas)
    used = Counter(name for formula in formulas for name in formula.names)
    sizes = [formula.size for formula in formulas]
    return Agreement(
        len(formulas),
        tuple(forms.most_common()),
        {name: count / len(formulas) for name, count in used.most_common()},
        float(np.mean(sizes)),
        float(np.std(sizes)),
    )
