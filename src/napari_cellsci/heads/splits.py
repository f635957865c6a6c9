"""Dividing labelled cells so that no track is on both sides.

Neighbouring frames of one track are nearly the same picture: a split by cell would
let a head remember its test cells.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from napari_cellsci.errors import InputError

Indices = npt.NDArray[np.int64]
_TRIES = 10


def check_labels(
    y: npt.NDArray[np.int64],
    groups: npt.NDArray[np.generic],
    n_classes: int,
    names: Sequence[str] | None = None,
) -> None:
    """Refuse labels from which no head can be trained and tested.

    Parameters
    ----------
    y : int array of shape (n,)
        Classes from 0.
    groups : array of shape (n,)
        The track (and movie) of each cell.
    n_classes : int
    names : sequence of str, optional
        Names of the classes, for the message.

    Raises
    ------
    InputError
        If a class has fewer than two cells or all its cells are in one track.
    """
    if n_classes < 2:
        raise InputError("A classifier needs at least two classes; name another one.")
    if len(y) != len(groups):
        raise InputError(f"{len(y)} labels came with {len(groups)} tracks.")
    if len(y) and (y.min() < 0 or y.max() >= n_classes):
        raise InputError(f"Class numbers must lie between 0 and {n_classes - 1}.")
    called = list(names) if names else [f"class {c}" for c in range(n_classes)]
    cells = np.bincount(y, minlength=n_classes)
    for c, name in enumerate(called):
        if cells[c] < 2:
            raise InputError(
                f"Only {cells[c]} cell(s) are labelled {name}: label at least two of "
                "each class, in different tracks."
            )
        if len(np.unique(groups[y == c])) < 2:
            raise InputError(
                f"All cells labelled {name} belong to one track: label this class in "
                "at least one more track, so that it can be tested on cells it has "
                "not seen."
            )


def _class_counts(
    y: npt.NDArray[np.int64], groups: npt.NDArray[np.generic]
) -> tuple[Indices, Indices]:
    """Return each cell's group number and the cells per group and class (G, C)."""
    _, number = np.unique(groups, return_inverse=True)
    counts = np.zeros((int(number.max()) + 1, int(y.max()) + 1), np.int64)
    np.add.at(counts, (number, y), 1)
    return number.astype(np.int64), counts


def _tries(counts: Indices) -> int:
    """Return how many random divisions are compared: many groups even out alone."""
    return int(np.clip(2000 // len(counts), 1, _TRIES))


def _rarest_first(counts: Indices) -> Indices:
    return np.argsort((counts > 0).sum(0), kind="stable").astype(np.int64)


def split_by_group(
    groups: npt.NDArray[np.generic],
    y: npt.NDArray[np.int64],
    test: float = 0.1,
    seed: int = 0,
) -> tuple[Indices, Indices]:
    """Divide cells into a training and a test part; no group is on both sides.

    Both sides hold every class that is found in two groups or more, and the test part
    comes as near to its share of each class as whole groups allow.

    Parameters
    ----------
    groups : array of shape (n,)
        The track (and movie) of each cell.
    y : int array of shape (n,)
    test : float
        Share of the cells to hold out.
    seed : int

    Returns
    -------
    train, test : int arrays
        Sorted positions; together they are every cell once.
    """
    number, counts = _class_counts(y, groups)
    rng = np.random.default_rng(seed)
    choices = [_hold_out(counts, test, rng) for _ in range(_tries(counts))]
    wanted = np.array([1 - test, test])
    held = min(
        choices, key=lambda choice: _imbalance(choice.astype(np.int64), counts, wanted)
    )
    return np.flatnonzero(~held[number]), np.flatnonzero(held[number])


def _hold_out(
    counts: Indices, test: float, rng: np.random.Generator
) -> npt.NDArray[np.bool_]:
    held = np.zeros(len(counts), bool)
    for c in _rarest_first(counts):
        candidates = rng.permutation(np.flatnonzero((counts[:, c] > 0) & ~held))
        wanted = test * counts[:, c].sum()
        for group in candidates[:-1]:
            so_far = counts[held, c].sum()
            overshoot = so_far + counts[group, c] - wanted
            if so_far == 0 or overshoot <= wanted - so_far:
                held[group] = True
    return held


def folds_by_group(
    groups: npt.NDArray[np.generic],
    y: npt.NDArray[np.int64],
    n_folds: int = 5,
    seed: int = 0,
) -> list[tuple[Indices, Indices]]:
    """Divide cells into parts, each held out once; no group is in two parts.

    Groups are dealt out class by class, the class found in the fewest groups first,
    each to the part that has the least of that class.

    Parameters
    ----------
    groups : array of shape (n,)
        The track (and movie) of each cell.
    y : int array of shape (n,)
    n_folds : int
        At most as many as there are groups.
    seed : int

    Returns
    -------
    list of (train, test)
        Sorted positions; the test parts together are every cell once.
    """
    number, counts = _class_counts(y, groups)
    n_folds = min(n_folds, len(counts))
    rng = np.random.default_rng(seed)
    deals = [_deal(counts, n_folds, rng) for _ in range(_tries(counts))]
    even = np.full(n_folds, 1 / n_folds)
    fold = min(deals, key=lambda deal: _imbalance(deal, counts, even))[number]
    return [
        (np.flatnonzero(fold != part), np.flatnonzero(fold == part))
        for part in range(n_folds)
    ]


def _deal(counts: Indices, n_folds: int, rng: np.random.Generator) -> Indices:
    fold = np.full(len(counts), -1, np.int64)
    held = np.zeros((n_folds, counts.shape[1]), np.int64)
    for c in _rarest_first(counts):
        waiting = rng.permutation(np.flatnonzero((counts[:, c] > 0) & (fold < 0)))
        for group in waiting[np.argsort(-counts[waiting, c], kind="stable")]:
            least = np.flatnonzero(held[:, c] == held[:, c].min())
            emptiest = least[held[least].sum(1) == held[least].sum(1).min()]
            chosen = rng.choice(emptiest)
            fold[group] = chosen
            held[chosen] += counts[group]
    return fold


def _imbalance(
    part: Indices, counts: Indices, wanted: npt.NDArray[np.float64]
) -> tuple[int, int, float]:
    """Rank a division: empty parts, classes held by one part alone, uneven shares."""
    held = np.stack([counts[part == p].sum(0) for p in range(len(wanted))])
    total = np.maximum(counts.sum(0), 1)
    empty = int((held.sum(1) == 0).sum())
    alone = int(((held == total) & (counts.sum(0) > 0)).sum())
    return empty, alone, float(np.abs(held / total - wanted[:, None]).sum())
