"""Labels that deserve a second look, and whether more labels would help."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

SURE = 0.8
"""Probability from which a disagreement counts as confident."""
_FEW = 20
"""With fewer labels of a class no curve says anything about it."""


@dataclass(frozen=True, slots=True)
class Doubt:
    """A label that heads disagree with that never saw its track.

    Parameters
    ----------
    row : int
    label, says : int
        Class it was given, and class the heads say.
    probability : float
        Of `says`.
    """

    row: int
    label: int
    says: int
    probability: float


def doubtful_labels(
    rows: NDArray[np.int64],
    y: NDArray[np.int64],
    probabilities: NDArray[np.floating],
    sure: float = SURE,
) -> list[Doubt]:
    """Return labels contradicted with confidence, the surest contradiction first.

    A class counts as contradicting where its probability reaches both `sure` and what
    it has on average among the cells labelled with it (confident learning, arXiv
    1911.00068), so that a class the heads always favour does not flood the list.

    Parameters
    ----------
    rows, y : int arrays (n,)
        Cells and their classes.
    probabilities : float array (n, C)
        Of heads that have not seen the cell's track; NaN rows are left out.
    sure : float
    """
    p = np.asarray(probabilities, np.float64)
    known = np.isfinite(p).all(1)
    usual = np.array(
        [
            p[known & (y == c), c].mean() if (known & (y == c)).any() else 1.0
            for c in range(p.shape[1])
        ]
    )
    says = np.where(known, np.argmax(np.nan_to_num(p), 1), y)
    strength = p[np.arange(len(p)), says]
    wrong = known & (says != y) & (strength >= np.maximum(sure, 0.9 * usual[says]))
    order = np.flatnonzero(wrong)[np.argsort(-strength[wrong], kind="stable")]
    return [
        Doubt(int(rows[i]), int(y[i]), int(says[i]), float(strength[i])) for i in order
    ]


@dataclass(frozen=True, slots=True)
class CurvePoint:
    """Held-out balanced accuracy after so many labels, with its 95% interval."""

    labels: int
    accuracy: float
    low: float
    high: float


def would_more_help(
    points: Sequence[CurvePoint], counts: dict[str, int], unsure: int
) -> str:
    """Return a plain sentence on whether more labels would help.

    Parameters
    ----------
    points : sequence of CurvePoint
        From few labels to all.
    counts : dict of str to int
        Labels per class.
    unsure : int
        Cells of the project the classifier cannot place.
    """
    rarest = min(counts, key=lambda name: counts[name])
    if not points:
        return "Too few labels for an estimate: label some more of each class."
    last = points[-1]
    now = f"{last.accuracy:.2f} [{last.low:.2f}–{last.high:.2f}]"
    if counts[rarest] < _FEW:
        return (
            f"Balanced accuracy {now} on cells not trained on; with {counts[rarest]} "
            f"labels of {rarest} that is a rough estimate: more of {rarest} would help "
            "most."
        )
    before = points[-2] if len(points) > 1 else last
    gain = last.accuracy - before.accuracy
    step = f"from {before.labels} to {last.labels} labels"
    if gain > 0.01:
        return (
            f"More labels would help: {step} balanced accuracy rose from "
            f"{before.accuracy:.2f} to {now}."
        )
    rest = (
        f" {unsure:,} cells are still uncertain: label some of those." if unsure else ""
    )
    return (
        f"More labels of this kind would hardly help: {step} balanced accuracy stayed "
        f"at {now}.{rest}"
    )
