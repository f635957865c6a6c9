"""In which order the gallery shows the cells."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from napari_cellsci.panels.label import walk
from napari_cellsci.panels.latents.service import LatentService

if TYPE_CHECKING:
    from napari_cellsci.panels.latents.service import Code
    from napari_cellsci.viewer.scores import ScoreColumns
    from napari_cellsci.viewer.session import Session

LATENT = "latent:"
"""Before the number of a latent, in the key of an order."""
RESIDUAL = "residual_"
"""Before the numbers of two channels, in the key of an order and of its column."""
_SEEN, _FIRST = 1500, 60
"""Cells looked at for variety, and how many of them come first."""


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
    Order(
        "dispute",
        "disagreement",
        "Labels the classifier contradicts first",
        needs_scores=True,
    ),
    Order("ood", "strangeness", "Out-of-distribution cells first", needs_scores=True),
    Order("variety", "variety", "Cells that look different first"),
    Order("time", "time", "By frame, then by track"),
    Order("track", "track", "By track, then by frame"),
)


def code_of(session: Session) -> Code | None:
    """Return the latents of all cells, None where none were computed."""
    code = session.service(LatentService).code
    fits = code is not None and len(code.latents) == session.n_cells
    return code if fits else None


def latent_orders(session: Session) -> tuple[Order, ...]:
    """Return an order per active latent, the most active first, then residuals."""
    code = code_of(session)
    if code is None:
        return residual_orders(session)
    found = tuple(
        Order(f"{LATENT}{i}", code.label(i), "Along this latent")
        for i in code.order()
        if code.is_active(i)
    )
    return (*found, *residual_orders(session))


def residual_orders(session: Session) -> tuple[Order, ...]:
    """Return an order per channel that was predicted from another."""
    project = session.project
    if project is None:
        return ()
    tip = "What this channel shows that the other does not tell, the least first"
    return tuple(
        Order(name, "residual {} from {}".format(*name.split("_")[:0:-1]), tip)
        for name in project.residual_columns
    )


def usable(session: Session, key: str) -> str:
    """Return `key`, or "variety" if what it needs is not there."""
    if key.startswith(LATENT):
        return key if code_of(session) is not None else "variety"
    if key.startswith(RESIDUAL):
        known = [order.key for order in residual_orders(session)]
        return key if key in known else "variety"
    order = next(order for order in ORDERS if order.key == key)
    return "variety" if order.needs_scores and session.scores is None else key


def sorted_rows(
    session: Session, key: str, descending: bool = False
) -> NDArray[np.int64]:
    """Return the rows of all cells in an order; cells without a value come last.

    Parameters
    ----------
    session : Session
    key : str
        Key of one of `ORDERS` or `latent_orders`.
    descending : bool
        The other way round.
    """
    if session.table is None:
        return np.empty(0, np.int64)
    key = usable(session, key)
    values = _values(session, key)
    if values is not None:
        rows = np.argsort(values, kind="stable")
        known = int(np.isfinite(values).sum())
        if descending:
            rows = np.concatenate([rows[:known][::-1], rows[known:]])
        return rows.astype(np.int64)
    rows = _by_place(session, key)
    return (rows[::-1] if descending else rows).astype(np.int64)


def _values(session: Session, key: str) -> NDArray[np.floating] | None:
    """Return what the cells are sorted by, NaN where it is not known."""
    if key.startswith(LATENT):
        code = code_of(session)
        return None if code is None else code.latents[:, int(key[len(LATENT) :])]
    if key.startswith(RESIDUAL):
        assert session.project is not None
        return session.project.cells[key].to_numpy(dtype=np.float64)
    scores = session.scores
    if scores is None or key in ("time", "track", "variety"):
        return None
    if key == "dispute":
        values = np.full(session.n_cells, np.nan)
        disputed = walk.disputed(session)
        values[disputed] = np.arange(len(disputed))
        return values
    sort_by = {
        "score": _class_by_class(scores) if scores.n_classes > 2 else scores.score,
        "doubt": np.abs(scores.score),
        "ood": -scores.ood,
    }
    return np.where(scores.scored, sort_by[key], np.nan)


def _class_by_class(scores: ScoreColumns) -> NDArray[np.floating]:
    """Return values that sort cells by what they are called, the surest first."""
    return scores.prediction + np.clip(1 - scores.certainty, 0, 0.999)


def _by_place(session: Session, key: str) -> NDArray[np.int64]:
    table = session.table
    assert table is not None
    if key == "track":
        return np.lexsort((table.t, table.track, table.movie))
    rows = np.lexsort((table.track, table.t, table.movie))
    if key == "time":
        return rows
    first = varied(session)
    return np.concatenate([first, rows[~np.isin(rows, first)]])


def varied(session: Session) -> NDArray[np.int64]:
    """Return some cells that look different from each other, without any model.

    Of cells spread over the project, the next is always the one farthest from those
    before in brightness, contrast and how bright pixels lie about the middle.
    """
    n = session.n_cells
    rows = np.unique(np.linspace(0, n - 1, min(n, _SEEN)).astype(np.int64))
    crops = np.asarray(session.crops[rows], dtype=np.float32)
    looks = _looks(crops.reshape(len(rows), -1, *crops.shape[-2:]).mean(1))
    spread = np.maximum(looks.std(0), 1e-6)
    looks = np.clip((looks - np.median(looks, 0)) / spread, -3, 3)
    chosen = [int(np.argmin((looks**2).sum(1)))]
    away = ((looks - looks[chosen[0]]) ** 2).sum(1)
    for _ in range(min(_FIRST, len(rows)) - 1):
        chosen.append(int(np.argmax(away)))
        away = np.minimum(away, ((looks - looks[chosen[-1]]) ** 2).sum(1))
    return rows[chosen]


def _looks(pictures: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return some plain numbers of pictures (n, S, S)."""
    n, size = pictures.shape[:2]
    flat = pictures.reshape(n, -1)
    middle = size // 4
    inner = pictures[:, middle:-middle, middle:-middle].reshape(n, -1)
    bright = np.partition(flat, -flat.shape[1] // 50, axis=1)[:, -flat.shape[1] // 50]
    return np.stack(
        [
            flat.mean(1),
            flat.std(1),
            inner.mean(1) - flat.mean(1),
            inner.std(1),
            bright - flat.mean(1),
        ],
        axis=1,
    )


def places_of(rows: NDArray[np.int64], n: int) -> NDArray[np.int64]:
    """Return for each of n cells its place in an order, −1 where it is left out."""
    places = np.full(n, -1, np.int64)
    places[rows] = np.arange(len(rows))
    return places
