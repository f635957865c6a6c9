"""Usable by size alone: a window for the sides of a cell and a bound for their ratio.

The rule of Isaksson 2018: the shorter side at least a, the longer at most b, the longer
at most c times the shorter; the three are found by trying all of a grid.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
MOST = 64
"""Candidates for each of the three bounds."""


@dataclass(frozen=True, slots=True)
class SizeRule:
    """Bounds of the sides of a cell.

    Parameters
    ----------
    shortest, longest : float
        Least shorter side and largest longer side (px of the original image).
    ratio : float
        Largest longer side over shorter side.
    """

    shortest: float
    longest: float
    ratio: float

    def passes(self, sizes: npt.ArrayLike) -> npt.NDArray[np.bool_]:
        """Return which cells are usable, by their height and width (n, 2) in px."""
        low, high, ratio = _measures(sizes)
        return (low >= self.shortest) & (high <= self.longest) & (ratio <= self.ratio)

    @property
    def words(self) -> str:
        """The rule in words."""
        return (
            f"sides from {self.shortest:.4g} to {self.longest:.4g} px, the longer at "
            f"most {self.ratio:.3g} times the shorter"
        )

    def to_dict(self) -> dict[str, float]:
        """Return plain JSON values."""
        return {
            "shortest": self.shortest,
            "longest": self.longest,
            "ratio": self.ratio,
        }


def _measures(sizes: npt.ArrayLike) -> tuple[Array, Array, Array]:
    sides = np.asarray(sizes, np.float64)
    low, high = sides.min(1), sides.max(1)
    return low, high, high / np.maximum(low, 1e-9)


def _candidates(values: Array) -> Array:
    """Return the values between which a bound can lie: all, or evenly spread ones."""
    known = np.unique(values)
    if len(known) > MOST:
        places = np.linspace(0, len(known) - 1, MOST).round().astype(np.int64)
        known = known[places]
    return known


def find_rule(
    sizes: npt.ArrayLike,
    usable: npt.NDArray[np.bool_],
    *,
    balanced: bool = True,
) -> SizeRule:
    """Return the rule that is right most often.

    Every combination of bounds is counted, at once: cells are binned by the three
    measures, and cumulative sums along the three axes give what passes.

    Parameters
    ----------
    sizes : array (n, 2)
        Height and width of every cell (px of the original image).
    usable : bool array (n,)
    balanced : bool
        Whether both classes weigh the same, however many cells they have.

    Returns
    -------
    SizeRule
        Of rules that do equally well the one that lets most through.
    """
    measures = _measures(sizes)
    grids = [_candidates(values) for values in measures]
    shape = tuple(len(grid) for grid in grids)
    # The last candidate of `low` a cell satisfies, the first of `high` and of `ratio`.
    low = np.searchsorted(grids[0], measures[0], side="right") - 1
    high = np.searchsorted(grids[1], measures[1], side="left")
    ratio = np.searchsorted(grids[2], measures[2], side="left")
    passed: list[npt.NDArray[Any]] = []
    for mine in (usable, ~usable):
        counts = np.zeros(shape, np.int64)
        inside = mine & (low >= 0) & (high < shape[1]) & (ratio < shape[2])
        np.add.at(counts, (low[inside], high[inside], ratio[inside]), 1)
        counts = counts[::-1].cumsum(0)[::-1].cumsum(1).cumsum(2)
        passed.append(counts)
    good, bad = int(usable.sum()), int((~usable).sum())
    weight = (1 / max(good, 1), 1 / max(bad, 1)) if balanced else (1.0, 1.0)
    gain = passed[0] * weight[0] - passed[1] * weight[1]
    best = np.argwhere(gain >= gain.max() - 1e-12)
    lets = passed[0] + passed[1]
    order = [lets[tuple(place)] for place in best]
    i, j, k = best[int(np.argmax(order))]
    return SizeRule(float(grids[0][i]), float(grids[1][j]), float(grids[2][k]))
