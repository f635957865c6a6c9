"""The scores of a project as columns by row, and what they say in numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import pandas as pd

BLANK = "blank"
SURE = 0.9
"""Share of the two likeliest classes' probability from which the first is certain."""
LIKELY = 0.5
"""Probability that it must have besides: more than all other classes together."""
DIVIDED = 20 * 60.0
"""Seconds after a division in which no cell is in mitosis again; one frame at least."""


@dataclass(frozen=True, eq=False)
class ScoreColumns:
    """Scores of all cells of a project; NaN where a cell was not scored.

    What follows from them is worked out once, when it is first asked for: views ask
    for single cells of it at every selection.

    Parameters
    ----------
    score, score_sd, probability, ood : array (n,) of float32
        `probability` is that of the second of two classes, `ood` runs from 0 to 1.
    prediction : array (n,) of int
        Position in `names`, -1 where a cell was not scored.
    names : tuple of str
        Classes, and "blank" after them.
    threshold : float
        `ood` from which a cell is called out-of-distribution.
    newborn : array (n,) of bool
        Cells whose track has only just begun by a division.
    runner_up : array (n,) of float32
        Probability of the next likely of several classes. NaN where that is not known,
        and of two classes, where it is what is left.
    """

    score: NDArray[np.float32]
    score_sd: NDArray[np.float32]
    probability: NDArray[np.float32]
    ood: NDArray[np.float32]
    prediction: NDArray[np.int64]
    names: tuple[str, ...]
    threshold: float
    newborn: NDArray[np.bool_]
    runner_up: NDArray[np.float32]

    @classmethod
    def from_table(
        cls,
        table: pd.DataFrame,
        n: int,
        classes: Sequence[str],
        threshold: float,
        newborn: NDArray[np.bool_] | None = None,
    ) -> ScoreColumns:
        """Read a table of scores indexed by row id.

        Parameters
        ----------
        table : DataFrame
            Columns score, score_sd, probability, prediction, ood, and perhaps
            runner_up.
        n : int
            Cells in the project.
        classes : sequence of str
            The classes, in the classifier's order.
        threshold : float
            See above.
        newborn : array (n,) of bool, optional
            See above; by default none is.
        """
        rows = table.index.to_numpy(dtype=np.int64)
        names = (*classes, BLANK)
        codes = {name: code for code, name in enumerate(names)}
        found = table["prediction"].astype(object).map(codes)
        prediction = np.full(n, -1, np.int64)
        prediction[rows] = found.fillna(-1).to_numpy(dtype=np.int64)
        columns = []
        for name in ("score", "score_sd", "probability", "ood", "runner_up"):
            values = np.full(n, np.nan, np.float32)
            if name in table:
                values[rows] = table[name].to_numpy(dtype=np.float32)
            columns.append(values)
        score, score_sd, probability, ood, runner_up = columns
        if newborn is None:
            newborn = np.zeros(n, bool)
        return cls(
            score,
            score_sd,
            probability,
            ood,
            prediction,
            names,
            threshold,
            newborn,
            runner_up,
        )

    @property
    def n_classes(self) -> int:
        """Number of classes, blank not counted."""
        return len(self.names) - 1

    @cached_property
    def scored(self) -> NDArray[np.bool_]:
        """Which cells have a score."""
        return np.isfinite(self.score)

    @cached_property
    def outside(self) -> NDArray[np.bool_]:
        """Which cells look unlike anything the classifier has learned."""
        return self.scored & (np.nan_to_num(self.ood) >= self.threshold)

    @cached_property
    def blank(self) -> NDArray[np.bool_]:
        """Which crops show nothing at all."""
        return self.prediction == self.n_classes

    @cached_property
    def uncertain(self) -> NDArray[np.bool_]:
        """Which cells the classifier cannot place.

        Either the predicted class is not nine times as likely as the next one, and at
        least as likely as all others together; or, of two classes, the spread of the
        heads reaches across the border between them, or its track says otherwise
        (`just_divided`). With two classes the first means a probability below 0.9. With
        more of them a limit on the probability alone would call nearly all cells
        uncertain, also those with but one class in question. (The score's sign decides
        what is predicted; where one class was rare among the labels, the probability of
        that class may be small although the score is above 0.)
        """
        known = self.scored & ~self.blank
        sure = (self.lead >= SURE) & (self.certainty >= LIKELY) & ~self.just_divided
        if self.n_classes == 2:
            sure &= np.abs(self.score) >= np.nan_to_num(self.score_sd)
        return known & ~sure

    @cached_property
    def just_divided(self) -> NDArray[np.bool_]:
        """Which cells are called the second of two classes right after a division.

        A daughter seen alone looks like a short metaphase plate; its track knows.
        """
        if self.n_classes != 2:
            return np.zeros(len(self.score), bool)
        return self.scored & self.newborn & (self.prediction == 1)

    @cached_property
    def certainty(self) -> NDArray[np.float32]:
        """Probability of the class that is predicted, ½ where it is not known."""
        p = np.nan_to_num(self.probability, nan=0.5)
        if self.n_classes == 2:
            p = np.where(self.prediction == 0, 1 - p, p)
        return p

    @cached_property
    def lead(self) -> NDArray[np.float32]:
        """Share of the predicted class in its probability and that of the next one.

        Of two classes the `certainty`; so of more where the next one's is not known:
        all that is left could then be that of a single class.
        """
        first = self.certainty
        if self.n_classes == 2:
            return first
        next_ = np.where(np.isfinite(self.runner_up), self.runner_up, 1 - first)
        return np.asarray(first / np.maximum(first + next_, 1e-12), np.float32)

    def verdict(self, row: int) -> str:
        """Return the predicted class of a cell in words, "" if it has none."""
        code = int(self.prediction[row])
        return self.names[code] if code >= 0 else ""


@dataclass(frozen=True, slots=True)
class ClassRow:
    """How the cells with one human label are called by the classifier.

    Parameters
    ----------
    label : str
        The human's word.
    n : int
        Cells with this label and a score.
    called : tuple of int
        How many of them are called each class, out-of-distribution ones included.
    uncertain, outside, sure : int
        Uncertain or out-of-distribution ones; `sure` counts the confident and familiar
        cells called the second class.
    """

    label: str
    n: int
    called: tuple[int, ...]
    uncertain: int
    outside: int
    sure: int


def by_label(scores: ScoreColumns, labels: pd.Series[Any]) -> list[ClassRow]:
    """Count how labelled cells are called, for every label there is.

    Parameters
    ----------
    scores : ScoreColumns
    labels : Series
        Class name by row id; classes the classifier does not know are counted too.
    """
    rows = labels.index.to_numpy(dtype=np.int64)
    known = scores.scored[rows]
    rows, words = rows[known], labels.to_numpy(dtype=object)[known]
    uncertain, outside = scores.uncertain[rows], scores.outside[rows]
    prediction = scores.prediction[rows]
    names = list(scores.names[:-1])
    names += sorted({str(word) for word in words} - set(names))
    table = []
    for name in names:
        mine = words == name
        called = tuple(
            int((prediction[mine] == code).sum()) for code in range(scores.n_classes)
        )
        plain = mine & ~uncertain & ~outside & (prediction == 1)
        counts = [int((mine & flag).sum()) for flag in (uncertain, outside)]
        table.append(ClassRow(name, int(mine.sum()), called, *counts, int(plain.sum())))
    return [row for row in table if row.n]
