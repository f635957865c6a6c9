"""What a threshold on the probability of being usable lets through."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
THRESHOLDS: Array = np.unique(
    np.concatenate(
        [np.linspace(0, 1, 201), 1 / (1 + np.exp(-np.linspace(-16, 16, 97)))]
    )
)
"""Thresholds at which runs are averaged: evenly spread, and closer near 0 and 1, where
the probabilities of sure filters lie."""
NAMED = (0.1, 0.3, 0.5, 0.7, 0.9, 0.94)
"""Thresholds whose false-positive rates are told."""


def rates(
    p: npt.NDArray[np.floating],
    usable: npt.NDArray[np.bool_],
    thresholds: npt.NDArray[np.floating] = THRESHOLDS,
) -> tuple[Array, Array]:
    """Return which share of junk and of usable cells each threshold lets through.

    Parameters
    ----------
    p : array (n,)
        Probability of being usable; a cell passes where ``p ≥ threshold``.
    usable : bool array (n,)
        What the cells are.
    thresholds : array (m,)

    Returns
    -------
    false_positives, true_positives : arrays (m,)
        Junk that passes, of all junk; usable cells that pass, of all usable ones. NaN
        where there are none.
    """
    found = []
    for mine in (~usable, usable):
        ordered = np.sort(np.asarray(p, np.float64)[mine])
        below = np.searchsorted(ordered, thresholds, side="left")
        passed = len(ordered) - below
        share = passed / len(ordered) if len(ordered) else np.full(len(below), np.nan)
        found.append(np.asarray(share, np.float64))
    return found[0], found[1]


def area_under_roc(p: npt.NDArray[np.floating], usable: npt.NDArray[np.bool_]) -> float:
    """Return the chance that a usable cell scores above a junk one; ties count half."""
    values, place = np.unique(np.asarray(p, np.float64), return_inverse=True)
    good = np.bincount(place[usable], minlength=len(values)).astype(float)
    bad = np.bincount(place[~usable], minlength=len(values)).astype(float)
    if not good.sum() or not bad.sum():
        return float("nan")
    below = np.cumsum(bad) - bad / 2
    return float((good * below).sum() / (good.sum() * bad.sum()))


def best_threshold(
    false_positives: npt.NDArray[np.floating],
    true_positives: npt.NDArray[np.floating],
    thresholds: npt.NDArray[np.floating] = THRESHOLDS,
) -> float:
    """Return where the curve is farthest above chance (Youden 1950).

    There usable cells that pass minus junk that passes, both in shares, is largest. Of
    thresholds that do equally well the middle one is taken, as the farthest from where
    it would begin to matter.

    Parameters
    ----------
    false_positives, true_positives, thresholds : arrays (m,)
        From `rates`, possibly averaged over runs.
    """
    gain = np.asarray(true_positives) - np.asarray(false_positives)
    top = np.flatnonzero(gain >= np.nanmax(gain) - 1e-12)
    first = int(top[0])
    run = int(np.argmax(np.diff(np.append(top, top[-1] + 2)) > 1))
    return float((thresholds[first] + thresholds[int(top[run])]) / 2)


@dataclass(frozen=True, eq=False, slots=True)
class Curve:
    """Rates at every threshold, averaged over runs.

    Parameters
    ----------
    false_positives, true_positives : arrays (m,)
        At `THRESHOLDS`.
    false_sd, true_sd : arrays (m,)
        Population standard deviations over runs.
    """

    false_positives: Array
    true_positives: Array
    false_sd: Array
    true_sd: Array

    @classmethod
    def of(cls, runs: list[tuple[Array, Array]]) -> Curve:
        """Average the rates of several runs."""
        false = np.stack([run[0] for run in runs])
        true = np.stack([run[1] for run in runs])
        return cls(false.mean(0), true.mean(0), false.std(0), true.std(0))

    def at(self, threshold: float) -> dict[str, float]:
        """Return the rates at a threshold, between those that are known."""
        columns = {
            "false_positives": self.false_positives,
            "false_positives_sd": self.false_sd,
            "true_positives": self.true_positives,
            "true_positives_sd": self.true_sd,
        }
        return {
            name: float(np.interp(threshold, THRESHOLDS, values))
            for name, values in columns.items()
        }

    @property
    def best(self) -> float:
        """The threshold that is proposed; see `best_threshold`."""
        return best_threshold(self.false_positives, self.true_positives)
