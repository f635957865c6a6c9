"""How much of a known factor the latents tell: all of them, the best one, the best two.

Every R² is that of cells the regressor has not seen, whole groups (tracks, movies) held
out together. All latents together are read by boosted trees, which also say how
important each of them is; one or two latents by cubic splines, fine enough for any
smooth relation, monotone or not, and in pairs for any interaction.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from napari_cellsci.errors import InputError

Floats = NDArray[np.float64]

FOLDS = 3
CONSTANT = 1e-6
"""Latents whose standard deviation is not above this carry nothing and are left out."""
_TREES: dict[str, Any] = {
    "early_stopping": False,
    "learning_rate": 0.15,
    "max_leaf_nodes": 12,
}
_PERMUTED_ROWS = 1_000
_LIKELY = 4
"""Pairs are formed of the latents that matter most to a factor, and of those that tell
most of it alone: this many of each."""
_SINGLE_KNOTS, _PAIR_KNOTS = 8, 5
_RIDGE = 1e-5


class One(NamedTuple):
    """The latent that tells most of a factor, and how much."""

    latent: int
    r2: float


class Two(NamedTuple):
    """The pair of latents that tells most of a factor, and how much."""

    latents: tuple[int, int]
    r2: float


@dataclass(frozen=True, slots=True)
class Explained:
    """How well latents tell known factors; all R² are cross-validated by group.

    Parameters
    ----------
    all : dict of float
        Per factor, R² from all latents (boosted trees).
    single : dict of One
        Per factor, the best latent and R² from it alone (splines).
    pair : dict of Two
        Per factor, the best pair and R² from it alone (splines with interactions).
    importance : dict of array (D,)
        Per factor, each latent's share of what is told: the loss of R² on unseen cells
        when that latent is shuffled, divided by the sum over latents. Zeros if nothing
        is told.
    """

    all: dict[str, float]
    single: dict[str, One]
    pair: dict[str, Two]
    importance: dict[str, Floats]

    @property
    def sparsity(self) -> dict[str, float]:
        """Per factor, 1 if one latent has all the importance, 0 if all share it."""
        return {name: concentration(p) for name, p in self.importance.items()}

    @property
    def beyond(self) -> dict[str, float]:
        """Per factor, the share of the importance outside the best pair."""
        return {
            name: float(p.sum() - p[list(self.pair[name].latents)].sum())
            for name, p in self.importance.items()
        }

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values, factor by factor."""
        sparsity, beyond = self.sparsity, self.beyond
        return {
            name: {
                "all": self.all[name],
                "latent": self.single[name].latent,
                "single": self.single[name].r2,
                "latents": list(self.pair[name].latents),
                "pair": self.pair[name].r2,
                "sparsity": sparsity[name],
                "beyond_pair": beyond[name],
                "importance": self.importance[name].round(6).tolist(),
            }
            for name in self.all
        }


def explained(
    z: NDArray[Any],
    factors: Mapping[str, NDArray[Any]],
    groups: NDArray[Any] | None = None,
    seed: int = 0,
) -> Explained:
    """Measure how much of each factor all latents, one and two of them tell.

    20,000 cells with 32 latents and seven factors take some twenty seconds on one core.

    Parameters
    ----------
    z : array (n, D)
        Latents.
    factors : mapping of str to array (n,)
        Known factors, finite. Give an orientation as the two numbers
        eccentricity × cos 2θ and eccentricity × sin 2θ, which have no jump.
    groups : array (n,), optional
        Cells of equal value (a track, a movie) are held out together.
    seed : int
        Of the folds, the trees and the shuffling.

    Raises
    ------
    InputError
        If shapes do not fit, values are not finite, a factor is constant, or there are
        fewer than three groups.
    """
    codes = checked_latents(z)
    truth = checked_factors(factors, len(codes))
    folds = make_folds(len(codes), groups, seed)
    varying = varying_latents(codes)
    live = codes[:, varying]
    trees = [_read_by_trees(live, y, folds, seed) for y in truth.values()]
    target = np.stack(list(truth.values()), 1)
    alone = _alone(live, target, folds)
    likely = [
        np.union1d(_top(importance, _LIKELY), _top(alone[:, k], _LIKELY))
        for k, (_, importance) in enumerate(trees)
    ]
    pairs = _in_pairs(live, target, folds, likely)
    found = Explained({}, {}, {}, {})
    for k, (name, (r2, importance)) in enumerate(zip(truth, trees, strict=True)):
        best = int(np.argmax(alone[:, k]))
        i, j = max(pairs, key=lambda pair: float(pairs[pair][k]))
        found.all[name] = r2
        found.single[name] = One(int(varying[best]), float(alone[best, k]))
        two = (int(varying[i]), int(varying[j]))
        found.pair[name] = Two(two, float(pairs[i, j][k]))
        found.importance[name] = np.zeros(codes.shape[1])
        found.importance[name][varying] = importance
    return found


def importances(
    z: NDArray[Any],
    factors: Mapping[str, NDArray[Any]],
    groups: NDArray[Any] | None = None,
    seed: int = 0,
) -> tuple[Floats, Floats]:
    """Return each latent's importance to each factor and how well all latents tell it.

    Returns
    -------
    tuple of array
        Importance (D, K), whose columns sum to 1 or are zero, and R² (K,); see
        `Explained`.

    Raises
    ------
    InputError
        As `explained`.
    """
    codes = checked_latents(z)
    truth = checked_factors(factors, len(codes))
    folds = make_folds(len(codes), groups, seed)
    varying = varying_latents(codes)
    matrix = np.zeros((codes.shape[1], len(truth)))
    r2 = np.zeros(len(truth))
    for k, y in enumerate(truth.values()):
        r2[k], matrix[varying, k] = _read_by_trees(codes[:, varying], y, folds, seed)
    return matrix, r2


def concentration(weights: NDArray[Any]) -> float:
    """Return 1 − entropy/log n of shares: 1 if one has all, 0 if all have the same.

    Shares that sum to zero have concentration 0; a single share has 1.
    """
    total = float(np.sum(weights))
    if total <= 0:
        return 0.0
    if len(weights) == 1:
        return 1.0
    p = np.asarray(weights, np.float64) / total
    p = p[p > 0]
    return float(1 + (p * np.log(p)).sum() / np.log(len(weights)))


def checked_latents(z: NDArray[Any]) -> Floats:
    """Return latents (n, D) in float64.

    Raises
    ------
    InputError
        If they are no matrix, not finite, or all constant.
    """
    codes = np.asarray(z, np.float64)
    if codes.ndim != 2 or not codes.size:
        raise InputError(f"Latents of shape (n, D) are expected, not {codes.shape}.")
    if not np.isfinite(codes).all():
        raise InputError("Some latents are NaN or infinite; leave out those cells.")
    if not len(varying_latents(codes)):
        raise InputError("All latents are constant: they tell nothing.")
    return codes


def checked_factors(
    factors: Mapping[str, NDArray[Any]], n: int
) -> dict[str, NDArray[np.float64]]:
    """Return factors (n,) in float64.

    Raises
    ------
    InputError
        If there is none, or one has another length, is not finite, or is constant.
    """
    if not factors:
        raise InputError("Give at least one factor.")
    out = {name: np.asarray(y, np.float64) for name, y in factors.items()}
    for name, y in out.items():
        if y.shape != (n,):
            raise InputError(f"There are {n} cells but {y.shape} values of {name!r}.")
        if not np.isfinite(y).all():
            raise InputError(
                f"The factor {name!r} is not known for every cell; leave the others "
                "out."
            )
        if np.ptp(y) == 0:
            raise InputError(f"The factor {name!r} is constant: nothing can tell it.")
    return out


def varying_latents(z: Floats) -> NDArray[np.intp]:
    """Return the columns that vary."""
    return np.flatnonzero(z.std(0) > CONSTANT)


def make_folds(
    n: int, groups: NDArray[Any] | None, seed: int
) -> list[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    """Return `FOLDS` pairs of (training, held-out) rows that part no group.

    Raises
    ------
    InputError
        If there are too few groups, or `groups` has another length.
    """
    labels = np.arange(n) if groups is None else np.asarray(groups)
    if len(labels) != n:
        raise InputError(f"There are {n} cells but {len(labels)} groups.")
    number = np.unique(labels, return_inverse=True)[1].ravel()
    sizes = np.bincount(number)
    if len(sizes) < FOLDS:
        raise InputError(
            f"At least {FOLDS} groups of cells are needed to hold some out, not "
            f"{len(sizes)}."
        )
    order = np.random.default_rng(seed).permutation(len(sizes))
    fold = np.empty(len(sizes), np.intp)
    filled = np.zeros(FOLDS)
    # Largest first into the emptiest fold; equal groups fall as the shuffle has them.
    for group in order[np.argsort(-sizes[order], kind="stable")]:
        fold[group] = np.argmin(filled)
        filled[fold[group]] += sizes[group]
    of_row = fold[number]
    return [
        (np.flatnonzero(of_row != f), np.flatnonzero(of_row == f)) for f in range(FOLDS)
    ]


Folds = list[tuple[NDArray[np.intp], NDArray[np.intp]]]


def _read_by_trees(
    z: Floats, y: Floats, folds: Folds, seed: int
) -> tuple[float, Floats]:
    """Return R² of unseen cells and each latent's share of it (D,)."""
    from sklearn.ensemble import HistGradientBoostingRegressor

    rng = np.random.default_rng(seed)
    residual, lost = 0.0, np.zeros(z.shape[1])
    for train, held in folds:
        trees = HistGradientBoostingRegressor(**_TREES, random_state=seed)
        trees.fit(z[train], y[train])
        residual += float(np.square(y[held] - trees.predict(z[held])).sum())
        some = (
            held
            if len(held) <= _PERMUTED_ROWS
            else rng.choice(held, _PERMUTED_ROWS, False)
        )
        whole = np.square(y[some] - trees.predict(z[some])).mean()
        for d in range(z.shape[1]):
            shuffled = z[some].copy()
            shuffled[:, d] = rng.permutation(shuffled[:, d])
            lost[d] += np.square(y[some] - trees.predict(shuffled)).mean() - whole
    lost = np.maximum(lost, 0)
    r2 = 1 - residual / float(np.square(y - y.mean()).sum())
    # What a model that predicts nothing leans on means nothing.
    told = lost.sum() > 0 and r2 > 0
    return r2, lost / lost.sum() if told else np.zeros_like(lost)


def _alone(z: Floats, target: Floats, folds: Folds) -> Floats:
    """Return R² (D, K) of every factor from every latent alone."""
    basis = (_splines(z[:, [d]], _SINGLE_KNOTS) for d in range(z.shape[1]))
    return np.stack([_held_out_r2(x, target, folds) for x in basis])


def _in_pairs(
    z: Floats, target: Floats, folds: Folds, likely: list[NDArray[np.intp]]
) -> dict[tuple[int, int], Floats]:
    """Return R² (K,) of every factor from each pair of the latents likely for one."""
    if z.shape[1] == 1:
        return {(0, 0): _alone(z, target, folds)[0]}
    pairs = dict.fromkeys(p for some in likely for p in _pairs_of(some))
    basis = {
        int(d): _splines(z[:, [d]], _PAIR_KNOTS) for d in {i for p in pairs for i in p}
    }
    found = {}
    for i, j in pairs:
        both = (basis[i][:, :, None] * basis[j][:, None, :]).reshape(len(z), -1)
        found[i, j] = _held_out_r2(both, target, folds)
    return found


def _pairs_of(latents: NDArray[np.intp]) -> Iterator[tuple[int, int]]:
    yield from combinations(sorted(int(d) for d in latents), 2)


def _splines(z: Floats, knots: int) -> Floats:
    """Return cubic B-splines of a latent (n, 1), which sum to one everywhere."""
    from sklearn.preprocessing import SplineTransformer

    # Knots by rank would coincide for latents of few levels.
    low, high = np.quantile(z, [0.002, 0.998])
    if high - low <= CONSTANT:
        low, high = z.min(), z.max()
    spline = SplineTransformer(knots, 3, extrapolation="constant")
    spline.fit(np.array([[low], [high]]))
    return np.asarray(spline.transform(z), np.float64)


def _held_out_r2(x: Floats, target: Floats, folds: Folds) -> Floats:
    """Return R² (K,) on unseen rows of ridge regressions; features sum to one."""
    residual = np.zeros(target.shape[1])
    for train, held in folds:
        mean = target[train].mean(0)
        gram = x[train].T @ x[train] + _RIDGE * len(train) * np.eye(x.shape[1])
        weights = np.linalg.solve(gram, x[train].T @ (target[train] - mean))
        residual += np.square(target[held] - mean - x[held] @ weights).sum(0)
    return np.asarray(1 - residual / np.square(target - target.mean(0)).sum(0))


def _top(values: Floats, n: int) -> NDArray[np.intp]:
    return np.argsort(-values, kind="stable")[:n]
