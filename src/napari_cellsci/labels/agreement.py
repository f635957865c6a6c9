"""How far two annotators agree: Cohen's κ, the table of both, the cells in dispute."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

_Z95 = 1.959964
_FEW = 10
"""With fewer cells in common κ means nothing."""


@dataclass(frozen=True, eq=False, slots=True)
class Agreement:
    """What two annotators said of the same cells.

    Parameters
    ----------
    one, other : str
        The annotators.
    classes : tuple of str
    table : int array (C, C)
        Cells by what `one` (rows) and `other` (columns) called them.
    disputed : DataFrame
        Index = row id of the cell; a column for each annotator.
    """

    one: str
    other: str
    classes: tuple[str, ...]
    table: NDArray[np.int64]
    disputed: pd.DataFrame

    @property
    def n(self) -> int:
        """Cells that both labelled."""
        return int(self.table.sum())

    @property
    def kappa(self) -> float:
        """Cohen's κ; NaN where both gave one and the same class only."""
        return cohen_kappa(self.table)[0]

    @property
    def interval(self) -> tuple[float, float]:
        """95% interval of κ."""
        kappa, error = cohen_kappa(self.table)
        return max(-1.0, kappa - _Z95 * error), min(1.0, kappa + _Z95 * error)

    @property
    def sentence(self) -> str:
        """The agreement in words."""
        if not self.n:
            return f"{self.one} and {self.other} have labelled no cell in common."
        agreed = self.n - len(self.disputed)
        said = (
            f"{self.one} and {self.other} agree on {agreed:,} of {self.n:,} cells "
            "that both labelled"
        )
        if self.n < _FEW:
            return f"{said}; too few for Cohen's κ."
        if not np.isfinite(self.kappa):
            return f"{said}; all have one class, so κ says nothing."
        low, high = self.interval
        return f"{said}: Cohen's κ {self.kappa:.2f} [{low:.2f}–{high:.2f}]."


def cohen_kappa(table: NDArray[np.integer]) -> tuple[float, float]:
    """Return Cohen's κ of a table of two raters and its standard error.

    The error is that of Fleiss, Cohen and Everitt (1969), for large samples.

    Parameters
    ----------
    table : int array (C, C)

    Returns
    -------
    kappa, error : float
        NaN where chance alone would explain full agreement.
    """
    n = table.sum()
    if n == 0:
        return float("nan"), float("nan")
    p = np.asarray(table, np.float64) / n
    row, column = p.sum(1), p.sum(0)
    agreed, chance = float(np.trace(p)), float(row @ column)
    if chance >= 1:
        return float("nan"), float("nan")
    kappa = (agreed - chance) / (1 - chance)
    both = row[np.newaxis, :] + column[:, np.newaxis]
    on = float((np.diag(p) * (1 - np.diag(both) * (1 - kappa)) ** 2).sum())
    off = p * both**2
    beside = float((1 - kappa) ** 2 * (off.sum() - np.trace(off)))
    spread = on + beside - (kappa - chance * (1 - kappa)) ** 2
    return kappa, float(np.sqrt(max(spread, 0.0) / n) / (1 - chance))


def agreement_of(
    first: pd.Series[str], second: pd.Series[str], one: str, other: str
) -> Agreement:
    """Compare the labels of two annotators, given by row id of the cell."""
    both = pd.DataFrame({one: first, other: second}).dropna()
    classes = tuple(sorted(set(first) | set(second)))
    codes = [pd.Categorical(both[who], classes).codes for who in (one, other)]
    table = np.zeros((len(classes), len(classes)), np.int64)
    np.add.at(table, (codes[0], codes[1]), 1)
    disputed = both[codes[0] != codes[1]]
    return Agreement(one, other, classes, table, disputed)
