"""A list of formulas to choose from, and which one the rule chooses."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from napari_cellsci.formulas import Expression
from napari_cellsci.formulas.choosing import balanced_accuracy
from napari_cellsci.panels.expressions.subject import Floats, Subject
from napari_cellsci.panels.expressions.verdict import Verdict, called, judge


@dataclass(frozen=True, eq=False, slots=True)
class Candidate:
    """A formula of the list.

    Attributes
    ----------
    expression : Expression
    origin : str
        Where it comes from, for people.
    verdict : Verdict
    error : float
        Standard error of its balanced accuracy over tracks.
    held : float, optional
        Balanced accuracy on tracks it was not found from, where that is known.
    """

    expression: Expression
    origin: str
    verdict: Verdict
    error: float
    held: float | None = None

    @property
    def rate(self) -> float:
        """Balanced accuracy by which it is compared: held out where that is known."""
        return self.verdict.balanced if self.held is None else self.held


def judged(
    subject: Subject, expression: Expression, origin: str, held: float | None = None
) -> Candidate:
    """Return a formula with what it is worth."""
    scores = subject.scores(expression)
    verdict = judge(subject, expression, scores)
    error = standard_error(subject, scores)
    return Candidate(expression, origin, verdict, error, held)


def standard_error(subject: Subject, scores: Floats) -> float:
    """Return the standard error of the balanced accuracy over tracks.

    Not known where there is but one: cells of one track resemble each other.
    """
    rows = subject.judged
    y, groups = subject.labels[rows], subject.groups[rows]
    if len(np.unique(groups)) < 2:
        return math.nan
    return balanced_accuracy(called(scores[rows]) == y, y, groups, 0.0)[1]


def merged(found: Iterable[Candidate]) -> list[Candidate]:
    """Return candidates by size, the better ones first; twins are listed once."""
    kept: dict[str, Candidate] = {}
    for one in found:
        known = kept.setdefault(one.expression.twin_key(), one)
        if one.verdict.size < known.verdict.size:
            kept[one.expression.twin_key()] = one
    return sorted(kept.values(), key=_order)


def _order(one: Candidate) -> tuple[int, float]:
    return one.verdict.size, -one.rate if math.isfinite(one.rate) else 1.0


def chosen(found: Iterable[Candidate]) -> Candidate | None:
    """Return the smallest formula within one standard error of the best one."""
    known = [one for one in found if math.isfinite(one.rate)]
    if not known:
        return None
    best = max(known, key=lambda one: one.rate)
    error = best.error if math.isfinite(best.error) else 0.0
    enough = best.rate - error
    near = [one for one in known if one.rate >= enough]
    return min(near, key=_order)


def front(found: Iterable[Candidate]) -> list[Candidate]:
    """Return those that no smaller or equally small one is as good as."""
    kept: list[Candidate] = []
    for one in sorted(found, key=_order):
        if math.isfinite(one.rate) and (not kept or one.rate > kept[-1].rate):
            kept.append(one)
    return kept
