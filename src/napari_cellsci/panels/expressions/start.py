"""A formula to begin with: the straight line that tells the classes apart best."""

from __future__ import annotations

import numpy as np

from napari_cellsci.formulas.printing import rounded
from napari_cellsci.panels.expressions.subject import NONE, Floats, Rows, Subject

LATENTS = 3
MOST_CELLS = 20_000


def first_formula(subject: Subject, latents: int = LATENTS) -> str:
    """Return a weighted sum of the latents that matter most, as text.

    Logistic regression on all latents chooses them, a second one on the chosen ones
    weighs them. It follows the labels, or the network where there are too few.

    Parameters
    ----------
    subject : Subject
    latents : int
        How many to take.
    """
    rows, y = _examples(subject)
    if len(np.unique(y)) < 2:
        return "z0"
    x = np.asarray(subject.latents[rows], np.float64)
    spread = np.where(x.std(0) > 0, x.std(0), 1.0)
    weight, _ = _line(x / spread, y)
    strongest = np.sort(np.argsort(-np.abs(weight), kind="stable")[:latents])
    weight, bias = _line(x[:, strongest] / spread[strongest], y)
    return _sum(
        zip(weight / spread[strongest], (f"z{i}" for i in strongest), strict=True), bias
    )


def _examples(subject: Subject) -> tuple[Rows, Rows]:
    rows = np.flatnonzero(subject.labels != NONE)
    if len(np.unique(subject.labels[rows])) == 2:
        return rows, subject.labels[rows]
    if subject.network is None:
        return rows, subject.labels[rows]
    known = np.flatnonzero(np.isfinite(subject.network))
    few = np.linspace(0, len(known) - 1, min(len(known), MOST_CELLS)).astype(int)
    rows = known[few]
    return rows, (subject.network[rows] >= 0).astype(np.int64)


def _line(x: Floats, y: Rows) -> tuple[Floats, float]:
    from sklearn.linear_model import LogisticRegression

    # A class among many is rare: a line that never calls it is no beginning.
    how = LogisticRegression(C=1.0, max_iter=200, class_weight="balanced")
    fitted = how.fit(x, y)
    return fitted.coef_[0], float(fitted.intercept_[0])


def _sum(parts: object, bias: float) -> str:
    text = ""
    for weight, symbol in (*parts, (bias, "")):  # type: ignore[misc]
        said = rounded(abs(float(weight)), 2)
        if said == "0":
            continue
        said = f"{said}*{symbol}" if symbol else said
        sign = "-" if weight < 0 else "+"
        text += f" {sign} {said}" if text else ("-" if sign == "-" else "") + said
    return text or "0"
