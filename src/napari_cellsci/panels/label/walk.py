"""Where "next" leads: to uncertain, unlabelled, or disputed cells, one after another.

Each walk has an order of its own and goes on after the current cell, so that pressing
the key again never returns to where one was.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from napari_cellsci.viewer.session import Session

Rows = NDArray[np.int64]


def uncertain(session: Session) -> int | None:
    """Return the next unlabelled cell the classifier cannot place, least sure first."""
    scores = session.scores
    if scores is None:
        return None
    open_ = (session.label_codes() < 0) & scores.scored & ~scores.blank
    rows = np.flatnonzero(open_)
    order = rows[np.argsort(sureness(session)[rows], kind="stable")]
    return _after(order, session.current)


def unlabelled(session: Session) -> int | None:
    """Return the next unlabelled cell along the track, then of the next track."""
    table = session.table
    if table is None:
        return None
    order = np.lexsort((table.t, table.track, table.movie))
    free = session.label_codes()[order] < 0
    if session.current is not None:
        here = int(np.flatnonzero(order == session.current)[0])
        order, free = np.roll(order, -here - 1), np.roll(free, -here - 1)
    found = order[free]
    found = found[found != session.current] if len(found) else found
    return int(found[0]) if len(found) else None


def disagreement(session: Session) -> int | None:
    """Return the next cell whose label the classifier contradicts, surest first."""
    return _after(disputed(session), session.current)


def disputed(session: Session) -> Rows:
    """Return the cells whose label is not the prediction, the surest one first."""
    scores = session.scores
    if scores is None:
        return np.empty(0, np.int64)
    labels, said = session.label_codes(), session.predicted_codes()
    names = tuple(session.palette)
    taught = np.array([*(name in scores.names[:-1] for name in names), False])
    rows = np.flatnonzero((labels >= 0) & (said >= 0) & (said != labels))
    rows = rows[taught[labels[rows]] & ~scores.blank[rows]]
    return rows[np.argsort(-sureness(session)[rows], kind="stable")]


def sureness(session: Session) -> NDArray[np.float64]:
    """Return how sure the classifier is of each cell: small where it is not."""
    scores = session.scores
    assert scores is not None
    return np.abs(np.nan_to_num(scores.score.astype(np.float64)))


def _after(order: Rows, current: int | None) -> int | None:
    """Return the row after the current one in an order, around its end."""
    if not len(order):
        return None
    here = np.flatnonzero(order == current) if current is not None else []
    row = int(order[(int(here[0]) + 1) % len(order)] if len(here) else order[0])
    return None if row == current else row
