"""In which order the gallery shows the cells."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from napari_cellsci.viewer.session import Session


@dataclass(frozen=True, slots=True)
class Order:
    """One way of sorting: its key, what to call it, and whether it needs scores."""

    key: str
    title: str
    tip: str
    needs_scores: bool = False


ORDERS = (
    Order("score", "score", "From one class to the other", needs_scores=True),
    Order("doubt", "doubt", "The least certain cells first", needs_scores=True),
    Order("ood", "strangeness", "Out-of-distribution cells first", needs_scores=True),
    Order("time", "time", "By frame, then by track"),
    Order("track", "track", "By track, then by frame"),
)


def usable(session: Session, key: str) -> str:
    """Return `key`, or "time" if it needs scores and there are none."""
    order = next(order for order in ORDERS if order.key == key)
    return "time" if order.needs_scores and session.scores is None else key


def sorted_rows(
    session: Session, key: str, descending: bool = False
) -> NDArray[np.int64]:
    """Return the rows of all cells in an order; cells without a score come last.

    Parameters
    ----------
    session : Session
    key : str
        Key of one of `ORDERS`.
    descending : bool
        The other way round.
    """
    table, scores = session.table, session.scores
    if table is None:
        return np.empty(0, np.int64)
    key = usable(session, key)
    if key == "time" or scores is None:
        rows = np.lexsort((table.track, table.t, table.movie))
    elif key == "track":
        rows = np.lexsort((table.t, table.track, table.movie))
    else:
        sort_by = {
            "score": scores.score,
            "doubt": np.abs(scores.score),
            "ood": -scores.ood,
        }
        values = np.where(scores.scored, sort_by[key], np.nan)
        rows = np.argsort(values, kind="stable")
        known = int(scores.scored.sum())
        if descending:
            rows = np.concatenate([rows[:known][::-1], rows[known:]])
        return rows.astype(np.int64)
    return (rows[::-1] if descending else rows).astype(np.int64)


def places_of(rows: NDArray[np.int64], n: int) -> NDArray[np.int64]:
    """Return for each of n cells its place in an order, −1 where it is left out."""
    places = np.full(n, -1, np.int64)
    places[rows] = np.arange(len(rows))
    return places
