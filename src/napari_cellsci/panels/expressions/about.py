"""One class against the others: what a formula is about where there are several."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_cellsci.explain.activity import class_scores
from napari_cellsci.panels.expressions.subject import NONE, Rows

if TYPE_CHECKING:
    from napari_cellsci.heads.headset import HeadSet
    from napari_cellsci.project.scoring import Scores

BLANK = "blank"


def sides_of(classes: Sequence[str], about: str) -> tuple[str, str]:
    """Return what f < 0 and f ≥ 0 mean.

    Parameters
    ----------
    classes : sequence of str
        Of a classifier.
    about : str
        Of several classes the one that f ≥ 0 stands for.
    """
    if len(classes) == 2:
        return classes[0], classes[1]
    return f"not {about}", about


def chosen(classes: Sequence[str], about: str) -> str:
    """Return the class a formula is about: `about` if there is such, else the last."""
    return about if about in classes else classes[-1]


def labels_about(series: Any, classes: Sequence[str], about: str, n: int) -> Rows:
    """Return 1 for cells labelled `about`, 0 for other known classes, else −1.

    Parameters
    ----------
    series : Series
        Class names by row.
    classes : sequence of str
        Of two the second is 1, whatever `about` says.
    about : str
    n : int
        Cells of the project.
    """
    one = classes[1] if len(classes) == 2 else about
    found = np.full(n, NONE, np.int64)
    for name in classes:
        found[series.index[series == name].to_numpy(dtype=np.int64)] = name == one
    return found


def against_the_rest(
    scores: Scores, heads: HeadSet, latents: NDArray[np.floating], about: str
) -> Scores:
    """Return the scores of a classifier of several classes as those of two.

    The score is the lead of one class over the next best (negative where another
    leads), the probability that of the class.
    """
    code = scores.classes.index(about)
    members = np.asarray(heads.scores(latents), np.float64)
    joined = heads.combined(members)
    lead = class_scores(joined)[:, code]
    table, sides = scores.table, sides_of(scores.classes, about)
    blank = table["prediction"].to_numpy(dtype=object) == BLANK
    called = np.array(sides, dtype=object)[(lead >= 0).astype(np.int64)]
    new: Any = table.assign(
        score=np.where(blank, np.nan, lead),
        score_sd=heads.spread(class_scores(members)[..., code]),
        probability=heads.probabilities(joined)[:, code],
        prediction=np.where(blank, BLANK, called),
    )
    return replace(scores, table=new, classes=sides)
