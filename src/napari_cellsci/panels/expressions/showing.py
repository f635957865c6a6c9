"""A formula's scores on the movie, in the gallery, and everywhere else."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_cellsci.heads.calibrate import Calibration, fit_calibration
from napari_cellsci.panels.score.service import FORMULA, Scored, ScoreService

if TYPE_CHECKING:
    from napari_cellsci.panels.expressions.bench import Written
    from napari_cellsci.panels.expressions.service import Opened
    from napari_cellsci.project.scoring import Scores
    from napari_cellsci.viewer.session import Session

BLANK = "blank"
LARGEST = 1e30
"""Scores are shown in single precision, which ends at 3e38."""


class Shower:
    """Hands the scores of formulas to the session.

    Parameters
    ----------
    session : Session
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._mine: object = None
        self._busy = False

    @property
    def is_shown(self) -> bool:
        """Whether the session shows the scores of a formula."""
        shown = self._session.scores
        return self._busy or (shown is not None and shown is self._mine)

    def forget(self) -> None:
        """Know of no scores any more."""
        self._mine = None

    def show(self, opened: Opened, written: Written) -> None:
        """Show what a formula says of all cells."""
        self._set(scores_of(opened, written), opened)
        self._mine = self._session.scores

    def show_network(self, opened: Opened) -> None:
        """Show what the network says."""
        self._mine = None
        self._set(opened.scores, opened)
        self._mine = None

    def _set(self, scores: Scores, opened: Opened) -> None:
        session = self._session
        scored = Scored(scores, opened.bundle, opened.source)
        self._busy = True
        try:
            session.service(ScoreService).scored = scored
            session.set_scores(scores, opened.bundle)
        finally:
            self._busy = False


def scores_of(opened: Opened, written: Written) -> Scores:
    """Return the scores of a formula as if a classifier had given them.

    The probability is calibrated on the labelled cells. Cells for which the formula is
    not defined have no score and no prediction; blank crops stay blank.
    """
    table, classes = opened.scores.table, opened.scores.classes
    scores, subject = written.scores, written.subject
    defined = np.isfinite(scores)
    names = np.array([*classes, None], dtype=object)
    called = names[np.where(defined, scores >= 0, 2).astype(np.int64)]
    blank = table["prediction"].to_numpy(dtype=object) == BLANK
    rows = subject.judged[defined[subject.judged]]
    fitted = fit_calibration(scores[rows, None], subject.labels[rows])
    new: Any = table.assign(
        score=np.where(defined, np.clip(scores, -LARGEST, LARGEST), np.nan),
        score_sd=0.0,
        probability=_probability(fitted, scores),
        prediction=np.where(blank, BLANK, called),
    )
    return replace(opened.scores, table=new, bundle=FORMULA, member=None)


def _probability(fitted: Calibration, scores: Any) -> Any:
    with np.errstate(over="ignore", invalid="ignore"):
        found = fitted.probabilities(scores[:, None])[:, 1]
    return np.where(np.isfinite(scores), found, np.nan)
