"""How good a formula is: right on labelled cells, true to its network, defined."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from napari_cellsci.formulas import Expression, Outcomes
from napari_cellsci.formulas.fronts import loss_on
from napari_cellsci.heads.evaluate import (
    Interval,
    accuracy_of,
    balanced_accuracy_of,
    bootstrap_interval,
    confusion,
)
from napari_cellsci.panels.expressions.subject import NONE, Floats, Rows, Subject

_WRONG = 2
"""What a cell without a defined score is called: neither class."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a formula is worth on a subject.

    Attributes
    ----------
    outcomes : Outcomes
        Cells below 0, from 0 on, and without a defined score.
    labelled : int
        Labelled cells that were judged.
    accuracy, balanced : float
        Share of them that is right; a score that is not defined is wrong. NaN without
        labels.
    loss : float
        Mean hinge loss over them; infinite where a score is.
    agreement : float
        Share of all cells that the network calls the same; NaN without a network.
    size, complexity : int
        Nodes, and nodes weighted by operator as PySR does.
    """

    outcomes: Outcomes
    labelled: int
    accuracy: float
    balanced: float
    loss: float
    agreement: float
    size: int
    complexity: int


def judge(
    subject: Subject, expression: Expression, scores: Floats | None = None
) -> Verdict:
    """Judge a formula.

    Parameters
    ----------
    subject : Subject
    expression : Expression
    scores : array (n,), optional
        Its scores, where they are at hand.
    """
    scores = subject.scores(expression) if scores is None else scores
    rows = subject.judged
    y = subject.labels[rows]
    matrix = confusion(y, called(scores[rows]), _WRONG + 1).astype(float)
    return Verdict(
        Outcomes.of(scores),
        len(rows),
        float(accuracy_of(matrix)),
        float(balanced_accuracy_of(matrix)),
        hinge(y, scores[rows]),
        agreement(subject, scores),
        expression.size,
        expression.complexity(),
    )


def called(scores: Floats) -> Rows:
    """Return the class of each score, 2 where it is not defined."""
    return np.where(np.isfinite(scores), scores >= 0, _WRONG).astype(np.int64)


def hinge(y: Rows, scores: Floats) -> float:
    """Return the mean hinge loss of scores of cells of class 0 or 1."""
    if not len(y):
        return float("nan")
    return loss_on(scores, 2.0 * y - 1.0, np.ones(len(y)), "hinge")


def agreement(subject: Subject, scores: Floats) -> float:
    """Return the share of cells on the same side of 0 as for the network."""
    if subject.network is None or not len(scores):
        return float("nan")
    return float((called(scores) == called(subject.network)).mean())


def interval(subject: Subject, scores: Floats) -> Interval:
    """Return the 95 % interval of the balanced accuracy, resampling tracks."""
    rows = subject.judged
    if not len(rows):
        return float("nan"), float("nan")
    return bootstrap_interval(
        subject.labels[rows],
        called(scores[rows]),
        subject.groups[rows],
        balanced_accuracy_of,
        n_classes=3,
        draws=400,
    )


def against_labels(subject: Subject, scores: Floats) -> Rows:
    """Return the labelled cells that a formula calls otherwise, surest first."""
    rows = np.flatnonzero(subject.labels != NONE)
    rows = rows[called(scores[rows]) != subject.labels[rows]]
    return rows[np.argsort(-_sureness(scores)[rows], kind="stable")]


def against_network(subject: Subject, scores: Floats) -> Rows:
    """Return the cells that formula and network call otherwise, surest first."""
    if subject.network is None:
        return np.empty(0, np.int64)
    rows = np.flatnonzero(called(scores) != called(subject.network))
    sure = np.minimum(_sureness(scores), _sureness(subject.network))
    return rows[np.argsort(-sure[rows], kind="stable")]


def _sureness(scores: Floats) -> Floats:
    """Return |f| in units of its median; cells without a defined score come first."""
    size = np.abs(scores)
    defined = np.isfinite(size)
    middle = float(np.median(size[defined])) if defined.any() else 1.0
    return np.where(defined, size / (middle or 1.0), np.inf)
