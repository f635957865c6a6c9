"""Turning scores of cells that heads have not seen into a report and a calibration."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from napari_cellsci.heads.calibrate import (
    Calibration,
    cross_fitted_error,
    fit_calibration,
)
from napari_cellsci.heads.evaluate import HeldOut, held_out_report
from napari_cellsci.heads.losses import decide
from napari_cellsci.heads.splits import Indices, folds_by_group, split_by_group


def partition(
    groups: npt.NDArray[np.generic],
    y: npt.NDArray[np.int64],
    folds: int,
    test: float,
    seed: int,
) -> list[tuple[Indices, Indices]]:
    """Return (train, test) parts by group: `folds` of them, or one split for 1."""
    if folds > 1:
        return folds_by_group(groups, y, folds, seed)
    return [split_by_group(groups, y, test, seed)]


def describe(
    parts: list[tuple[Indices, Indices]], groups: npt.NDArray[np.generic]
) -> str:
    """Say in a sentence how cells were held out."""
    if len(parts) > 1:
        return f"Cross-validated in {len(parts)} parts, divided by track."
    train, test = parts[0]
    seen, held = len(np.unique(groups[train])), len(np.unique(groups[test]))
    return f"One split by track: trained on {seen} tracks, tested on {held}."


@dataclass(slots=True)
class UnseenScores:
    """Collects every member's scores of the cells it was not trained on.

    Attributes
    ----------
    scores : float array of shape (K, n, outputs)
        NaN where a member has seen the cell or never looked at it.
    fold : int array of shape (n,)
        The part in which a cell was held out; −1 if in none.
    """

    scores: npt.NDArray[np.float64]
    fold: npt.NDArray[np.int64]

    @classmethod
    def empty(cls, n_members: int, n_cells: int, n_outputs: int) -> UnseenScores:
        """Return a table to be filled."""
        return cls(
            np.full((n_members, n_cells, n_outputs), np.nan),
            np.full(n_cells, -1, np.int64),
        )

    def judge(
        self,
        y: npt.NDArray[np.int64],
        groups: npt.NDArray[np.generic],
        n_classes: int,
        method: str,
    ) -> tuple[HeldOut, Calibration]:
        """Report on the cells that were held out and calibrate on them."""
        seen = np.isnan(self.scores[..., 0])
        rows = np.flatnonzero(~seen.all(0))
        mean = np.nanmean(self.scores[:, rows], axis=0)
        members = [
            (y[~unseen], decide(member[~unseen]))
            for member, unseen in zip(self.scores, seen, strict=True)
            if not unseen.all()
        ]
        report = held_out_report(
            y[rows],
            groups[rows],
            decide(mean),
            members,
            n_classes=n_classes,
            calibration_error=cross_fitted_error(mean, y[rows], self.fold[rows]),
            method=method,
        )
        return report, fit_calibration(mean, y[rows])
