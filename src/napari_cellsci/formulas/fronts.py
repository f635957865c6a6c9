"""Fronts: the best formula of every size, judged in one way for every engine."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from napari_cellsci.formulas.expression import Expression
from napari_cellsci.formulas.nodes import Node
from napari_cellsci.formulas.scale import tempered
from napari_cellsci.formulas.spec import Candidate, SearchSpec

Array = npt.NDArray[np.float64]


def front_of(
    roots: Sequence[Node],
    x: Array,
    y: Array,
    w: Array,
    names: Sequence[str],
    spec: SearchSpec,
) -> list[Candidate]:
    """Judge formulas in float64 and keep those that no smaller one equals.

    Complexity and loss are counted here for every engine alike. Of algebraic twins the
    smaller stays. A formula that tells all rows apart has the smallest scale at which
    the hinge does not rise.
    """
    columns = dict(zip(names, np.asarray(x, np.float64).T, strict=True))
    judged = []
    for root in roots:
        expression = Expression(root)
        short = expression.simplified()
        for form in {expression, short}:
            f = form(columns)
            loss = loss_on(f, y, w, spec.loss)
            if loss == 0 and spec.loss == "hinge":
                form = Expression(tempered(form.root, f, y))
                loss = loss_on(form(columns), y, w, spec.loss)
            size = form.complexity(spec.weights)
            if math.isfinite(loss) and size <= spec.maxsize:
                judged.append(Candidate(size, loss, form))
    judged.sort(key=lambda found: (found.complexity, found.loss, str(found.expression)))
    front: list[Candidate] = []
    twins: set[str] = set()
    for found in judged:
        key = found.expression.twin_key()
        if key in twins or (front and not found.loss < front[-1].loss):
            continue
        twins.add(key)
        if front and front[-1].complexity == found.complexity:
            front.pop()
        front.append(found)
    return front


def loss_on(f: Array, y: Array, w: Array, loss: str) -> float:
    """Return the weighted mean loss of scores; infinite where one is not finite."""
    if not np.isfinite(f).all():
        return math.inf
    with np.errstate(all="ignore"):
        if loss == "hinge":
            each = np.maximum(0.0, 1 - f * y)
        elif loss == "logistic":
            each = np.logaddexp(0.0, -f * y)
        else:
            each = np.square(f - y)
        return float(np.average(each, weights=w))
