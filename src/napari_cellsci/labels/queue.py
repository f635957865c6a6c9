"""Which cells are most worth a label: uncertain, varied, from rare regions.

A queue interleaves three wishes. Cells the classifier cannot place move its border;
cells unlike every labelled one, drawn by their distance as in k-means++, find what
nobody has looked at; likely members of the class with the fewest labels keep rare
classes from starving. Each cell that is taken pushes its neighbours back, in latent
space and along its track, so that no two cards show nearly the same picture.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

Wish: TypeAlias = Literal["uncertain", "new", "scarce"]
PATTERN: tuple[Wish, ...] = ("uncertain", "scarce", "uncertain", "new")
"""The wishes a queue fulfils in turn, once there is a classifier."""
STRETCH_MINUTES = 20.0
"""Cells of one track nearer in time than this are one look."""
_POOL = 6000
_ODD = 0.995
"""Of the cells farthest from all others this share is left out: mostly debris."""
_SCARCE = 2.0
"""A class with this much fewer labels than the next is worth a search."""


@dataclass(frozen=True, slots=True)
class Pick:
    """One cell worth a label.

    Parameters
    ----------
    row : int
    wish : {"uncertain", "new", "scarce"}
    reason : str
        Why, in a few words.
    guess : int
        Class the classifier would give, −1 without one.
    """

    row: int
    wish: Wish
    reason: str
    guess: int = -1


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class Pool:
    """All cells of a project and what is known of them.

    Parameters
    ----------
    latents : float array (n, D)
    track, t : int arrays (n,)
        A number per track (of one movie), and the frame.
    labels : int array (n,)
        Class number, −1 where there is no label; other classes than those in `names`
        count on from there.
    names : sequence of str
        Of the classes.
    probabilities : float array (n, C), optional
        What a classifier says; NaN where it says nothing.
    closed : bool array (n,), optional
        Cells not to be asked for: skipped, or blank.
    stretch : int
        Cells of one track less than so many frames apart are one look.
    """

    latents: NDArray[np.floating]
    track: NDArray[np.int64]
    t: NDArray[np.int64]
    labels: NDArray[np.int64]
    names: Sequence[str]
    probabilities: NDArray[np.floating] | None = None
    closed: NDArray[np.bool_] | None = None
    stretch: int = 1


def stretch_frames(
    frame_interval: float | None, minutes: float = STRETCH_MINUTES
) -> int:
    """Return how many frames one look covers, at least 1.

    At 30 min a frame a metaphase is a single frame: then every frame is its own look.

    Parameters
    ----------
    frame_interval : float or None
        Seconds; unknown counts as one look per frame.
    minutes : float
    """
    if not frame_interval:
        return 1
    return max(1, round(minutes * 60 / frame_interval))


def margins(probabilities: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return by how much the best class leads the next (n,), 0 to 1."""
    ordered = np.sort(np.asarray(probabilities, np.float64), axis=1)
    return np.asarray(ordered[:, -1] - ordered[:, -2])


def entropies(probabilities: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return the entropy of each row, 0 (sure) to 1 (all classes alike)."""
    p = np.asarray(probabilities, np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = np.where(p > 0, p * np.log(p), 0.0)
    return np.asarray(-terms.sum(1) / np.log(p.shape[1]))


def suggest(pool: Pool, n: int = 20, seed: int = 0) -> list[Pick]:
    """Return the cells most worth a label, best first.

    Parameters
    ----------
    pool : Pool
    n : int
        How many at most.
    seed : int
        Of the draw among cells that are equally new; the rest is fixed.
    """
    return _Queue(pool, seed).take(n)


class _Queue:
    """Takes cells one by one; remembers how far every cell is from those taken."""

    def __init__(self, pool: Pool, seed: int) -> None:
        self._pool = pool
        self._rng = np.random.default_rng(seed)
        free = pool.labels < 0
        if pool.closed is not None:
            free &= ~pool.closed
        rows = np.flatnonzero(free)
        if len(rows) > _POOL:
            rows = np.sort(self._thinned(rows))
        self._rows = rows
        self._z = np.asarray(pool.latents, np.float32)[rows]
        self._norms = (self._z**2).sum(1)
        self._open = np.ones(len(rows), bool)
        self._distance = np.full(len(rows), np.inf, np.float32)
        self._known = np.flatnonzero(pool.labels >= 0)
        for start in range(0, len(self._known), 64):
            self._push(pool.latents[self._known[start : start + 64]])
        self._scale = self._usual_distance()
        self._p = None
        if pool.probabilities is not None:
            p = np.asarray(pool.probabilities, np.float64)[rows]
            self._p = np.where(np.isfinite(p), p, 1 / p.shape[1])
        counts = np.bincount(pool.labels[self._known], minlength=len(pool.names))
        self._counts = counts[: len(pool.names)].astype(np.float64)

    def _thinned(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return some of very many rows: the least certain, and others by chance."""
        p = self._pool.probabilities
        if p is None:
            return np.asarray(self._rng.choice(rows, _POOL, replace=False))
        unsure = np.nan_to_num(margins(p[rows]), nan=1.0)
        half = _POOL // 2
        first = np.argpartition(unsure, half)[:half]
        rest = np.setdiff1d(np.arange(len(rows)), first)
        chance = self._rng.choice(rest, _POOL - half, replace=False)
        return np.asarray(rows[np.concatenate([first, chance])])

    def _push(self, z: NDArray[np.floating]) -> None:
        """Take in that these latents have been looked at."""
        seen = np.atleast_2d(np.asarray(z, np.float32))
        squared = (seen**2).sum(1) - 2 * self._z @ seen.T + self._norms[:, np.newaxis]
        away = np.sqrt(np.maximum(squared.min(1), 0))
        np.minimum(self._distance, away, out=self._distance)

    def _usual_distance(self) -> float:
        """Return how far two cells of this pool usually are apart."""
        if len(self._z) < 2:
            return 1.0
        some = self._z[self._rng.integers(0, len(self._z), (2, 400))]
        return float(np.median(np.sqrt(((some[0] - some[1]) ** 2).sum(1)))) or 1.0

    def take(self, n: int) -> list[Pick]:
        """Return the next n cells."""
        taken: list[Pick] = []
        wishes = PATTERN if self._p is not None else ("new",)
        while len(taken) < n and self._open.any():
            wish = wishes[len(taken) % len(wishes)]
            if wish == "scarce" and not self._is_scarce():
                wish = "uncertain"
            place = self._best(wish)
            taken.append(self._pick(place, wish))
            self._close(place)
        return taken

    def _is_scarce(self) -> bool:
        counts = np.sort(self._counts)
        return bool(counts[1] >= _SCARCE * max(counts[0], 1) or counts[0] == 0)

    def _rarest(self) -> int:
        """Return the class with the fewest labels; of several the least likely one."""
        assert self._p is not None
        return int(np.lexsort((self._p.mean(0), self._counts))[0])

    def _novelty(self) -> NDArray[np.float64]:
        return np.asarray(np.minimum(self._distance / self._scale, 1.0), np.float64)

    def _best(self, wish: Wish) -> int:
        """Return the place of the cell that fulfils a wish best."""
        if wish == "new" or self._p is None:
            return self._newest()
        worth = self._novelty() + 0.05
        if wish == "uncertain":
            worth *= 1 - margins(self._p)
        else:
            worth *= self._p[:, self._rarest()]
        return int(np.argmax(np.where(self._open, worth, -1.0)))

    def _newest(self) -> int:
        """Return a cell far from all that were looked at, but not the oddest."""
        open_ = np.flatnonzero(self._open)
        if not np.isfinite(self._distance).any():
            middle = np.median(self._z, axis=0)
            away = ((self._z[open_] - middle) ** 2).sum(1)
            return int(open_[np.argmin(away)])
        away = self._distance[open_]
        usual = away <= np.quantile(away, _ODD)
        chance = np.where(usual, away.astype(np.float64) ** 4, 0.0)
        total = chance.sum()
        if total <= 0:
            return int(open_[0])
        return int(self._rng.choice(open_, p=chance / total))

    def _pick(self, place: int, wish: Wish) -> Pick:
        names, row = self._pool.names, int(self._rows[place])
        if self._p is None:
            return Pick(row, "new", "unlike the cells before")
        p = self._p[place]
        guess = int(np.argmax(p))
        if wish == "uncertain":
            second = int(np.argsort(p)[-2])
            lead = p[guess] - p[second]
            word = names[guess] if lead >= 0.1 else f"{names[guess]} or {names[second]}"
            return Pick(row, wish, f"undecided: {word}, margin {lead:.2f}", guess)
        if wish == "scarce":
            rarest = self._rarest()
            few = f"only {int(self._counts[rarest])} labelled"
            said = f"may be {names[rarest]} (P = {p[rarest]:.2f}), {few}"
            return Pick(row, wish, said, guess)
        far = self._distance[place] / self._scale
        return Pick(row, "new", f"rare: {far:.1f}× the usual distance to labels", guess)

    def _close(self, place: int) -> None:
        """Take a cell, and put its track's neighbours in time aside."""
        pool, row = self._pool, self._rows[place]
        self._push(self._z[place])
        near = (pool.track[self._rows] == pool.track[row]) & (
            np.abs(pool.t[self._rows] - pool.t[row]) < pool.stretch
        )
        self._open &= ~near
        self._open[place] = False
