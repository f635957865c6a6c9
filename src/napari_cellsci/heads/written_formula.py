"""Scheme 4 without a search: a formula that somebody wrote."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from napari_cellsci.errors import InputError
from napari_cellsci.formulas.choosing import agreement
from napari_cellsci.formulas.expression import Expression
from napari_cellsci.heads.calibrate import cross_fitted_error, fit_calibration
from napari_cellsci.heads.evaluate import held_out_report
from napari_cellsci.heads.formula import called
from napari_cellsci.heads.formula_members import FormulaMembers
from napari_cellsci.heads.headset import HeadSet
from napari_cellsci.heads.losses import n_outputs
from napari_cellsci.heads.splits import check_labels, folds_by_group

ENGINE = "hand"
METHOD = "On all labelled cells, which whoever wrote the formula may have looked at."
_FOLDS = 5


def written_formula(
    formulas: Sequence[Expression],
    latents: npt.NDArray[np.floating],
    y: npt.NDArray[np.integer],
    groups: npt.NDArray[np.generic],
    n_classes: int = 2,
    *,
    class_names: Sequence[str] | None = None,
) -> HeadSet:
    """Make one head of formulas that were written by hand.

    Nothing is fitted to the labels but the probability, whose error is told
    out-of-fold, by track. The formulas are judged on all labelled cells; the report
    says that these need not have been unseen.

    Parameters
    ----------
    formulas : sequence of Expression
        One for two classes, else one per class, of which the largest wins.
    latents : array of shape (n, D) or (n, views, D)
        Latent means of the labelled cells; of several views the first.
    y : int array of shape (n,)
        Classes from 0; with two classes, 1 is the one with scores ≥ 0.
    groups : array of shape (n,)
        The track (and movie) of each cell.
    n_classes : int
    class_names : sequence of str, optional
        For messages.

    Returns
    -------
    HeadSet
        Of scheme 4.

    Raises
    ------
    InputError
        If the classes need another number of formulas, these read latents that do not
        exist or are undefined for all cells of a class, or labels cannot be used.
    """
    target, groups = np.asarray(y, np.int64), np.asarray(groups)
    check_labels(target, groups, n_classes, class_names)
    wanted = n_outputs(n_classes)
    if len(formulas) != wanted:
        raise InputError(
            f"{n_classes} classes need {wanted} formula{'s' * (wanted > 1)}, not "
            f"{len(formulas)}."
        )
    table = np.asarray(latents, np.float64)
    table = table[:, 0] if table.ndim == 3 else table
    members = FormulaMembers((tuple(formulas),), table.shape[1])
    scores = members.scores(table)[0]
    known = np.isfinite(scores).all(-1)
    if len(np.unique(target[known])) < n_classes:
        raise InputError(
            "The formula has no finite value for any labelled cell of a class."
        )
    decided = called(scores, target, n_classes)
    report = held_out_report(
        target,
        groups,
        decided,
        [(target, decided)],
        n_classes=n_classes,
        calibration_error=cross_fitted_error(
            scores[known], target[known], _folds(groups, target)[known]
        ),
        method=METHOD,
    )
    return HeadSet(
        scheme=4,
        n_classes=n_classes,
        members=members,
        calibration=fit_calibration(scores[known], target[known]),
        report=report,
        config={
            "runs": 1,
            "labels": len(target),
            "engine": ENGINE,
            "stopped": False,
            "searches": [],
            "forms": [list(form) for form in agreement(list(formulas)).forms],
            "undefined": int((~known).sum()),
        },
    )


def _folds(
    groups: npt.NDArray[np.generic], y: npt.NDArray[np.int64]
) -> npt.NDArray[np.int64]:
    """Return the part of each cell, divided by track."""
    fold = np.zeros(len(y), np.int64)
    for part, (_, unseen) in enumerate(folds_by_group(groups, y, _FOLDS)):
        fold[unseen] = part
    return fold
