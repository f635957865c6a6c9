"""The parts of a formula, and how cells of each class are spread over their values."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from napari_cellsci.formulas import Expression
from napari_cellsci.panels.expressions.bench import Written
from napari_cellsci.panels.expressions.subject import Floats
from napari_cellsci.panels.expressions.verdict import called

BINS = 60
MOST_PARTS = 6
_TAIL = 0.5
"""Percent of the cells left out at either end, lest a few far ones flatten all."""


@dataclass(frozen=True, eq=False, slots=True)
class Part:
    """A term or factor of a formula, or the formula itself.

    Attributes
    ----------
    title : str
        How it enters: "f", "+", "−", "×".
    expression : Expression
    edges : array (bins + 1,)
    below, above : array (bins,)
        Shares of the cells of either class in each bin.
    labelled : bool
        Whether classes are those of labels; else what the formula calls the cells.
    """

    title: str
    expression: Expression
    edges: Floats
    below: Floats
    above: Floats
    labelled: bool


def parts_of(expression: Expression) -> list[tuple[str, Expression]]:
    """Return the terms of a formula; those that are products also by factors."""
    found: list[tuple[str, Expression]] = []
    for term in expression.terms():
        sign = "−" if term.sign < 0 else "+"
        factors = [factor for factor in term.expression.factors() if factor.names]
        if term.expression.names and term.expression != expression:
            found.append((sign, term.expression))
        if len(factors) > 1:
            found += [("×", factor) for factor in factors]
    return found[:MOST_PARTS]


def spread_of(written: Written) -> list[Part]:
    """Return the formula and its parts with their densities."""
    subject = written.subject
    labelled = len(np.unique(subject.labels[subject.judged])) == 2
    classes = subject.labels if labelled else called(written.scores)
    whole = _part("f", written.expression, written.scores, classes, labelled)
    rest = [
        _part(title, part, subject.scores(part), classes, labelled)
        for title, part in parts_of(written.expression)
    ]
    return [part for part in (whole, *rest) if part is not None]


def _part(
    title: str, part: Expression, values: Floats, classes: Floats, labelled: bool
) -> Part | None:
    defined = np.isfinite(values)
    if not defined.any():
        return None
    known = [values[defined & (classes == code)] for code in (0, 1)]
    seen = np.concatenate(known) if sum(map(len, known)) else values[defined]
    low, high = np.percentile(seen, (_TAIL, 100 - _TAIL))
    if title == "f":  # where the decision falls is always in view
        low, high = min(low, 0.0), max(high, 0.0)
    margin = 0.04 * (high - low) or 0.5
    edges = np.linspace(low - margin, high + margin, BINS + 1)
    counts = [
        np.histogram(np.clip(each, edges[0], edges[-1]), edges)[0].astype(float)
        for each in known
    ]
    below, above = (count / max(count.sum(), 1) for count in counts)
    return Part(title, part, edges, _smooth(below), _smooth(above), labelled)


def _smooth(share: Floats) -> Floats:
    kernel = np.array([1.0, 4.0, 6.0, 4.0, 1.0]) / 16
    return np.convolve(share, kernel, mode="same")
