"""Scores of disentanglement: with known factors (MIG, SAP, DCI), or without (UDR).

Constant latents are dropped before anything is ranked. Give an orientation θ as the
two factors eccentricity × cos 2θ and eccentricity × sin 2θ: as an angle it has a jump,
and of a round cell it is not defined.

Sources: MIG, Chen et al. 2018, arXiv 1802.04942, eq. 6; SAP, Kumar et al. 2018, arXiv
1711.00848, section 3; DCI, Eastwood and Williams 2018 (ICLR); UDR, Duan et al. 2020,
arXiv 1905.12614, eq. 2.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from napari_cellsci.errors import InputError
from napari_cellsci.representation.explained import (
    Explained,
    Floats,
    checked_factors,
    checked_latents,
    concentration,
    explained,
    importances,
    varying_latents,
)

__all__ = [
    "Dci",
    "Disentanglement",
    "Explained",
    "Gap",
    "dci",
    "disentanglement",
    "explained",
    "mig",
    "sap",
    "udr",
]

Binning: TypeAlias = Literal["count", "width"]
Factors: TypeAlias = Mapping[str, NDArray[Any]]

BINS = 20


@dataclass(frozen=True, slots=True)
class Gap:
    """By how much the best latent of each factor beats the second best.

    Parameters
    ----------
    score : float
        Mean over factors, 0 to 1.
    per_factor : dict of float
    """

    score: float
    per_factor: dict[str, float]

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {"score": self.score, "per_factor": dict(self.per_factor)}


@dataclass(frozen=True, slots=True)
class Dci:
    """Whether each latent tells one factor, each factor is told by one latent, and how.

    Parameters
    ----------
    disentanglement : float
        1 if every latent that matters matters to one factor only. Factors that nothing
        tells (R² ≤ 0) have no part in it: read it together with informativeness.
    completeness : float
        1 if only one latent matters to each factor.
    informativeness : float
        R² of the factors on unseen cells from all latents, mean over factors; a
        negative R² counts as 0.
    importance : array (D, K)
        What the first two are computed from; see `explained.Explained`.
    """

    disentanglement: float
    completeness: float
    informativeness: float
    importance: Floats

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {
            "disentanglement": self.disentanglement,
            "completeness": self.completeness,
            "informativeness": self.informativeness,
            "importance": self.importance.round(6).tolist(),
        }


@dataclass(frozen=True, slots=True)
class Disentanglement:
    """All scores that need known factors.

    Parameters
    ----------
    mig, sap : Gap
        Gaps of mutual information and of R².
    dci : Dci
    explained : Explained
        What single latents and pairs tell.
    """

    mig: Gap
    sap: Gap
    dci: Dci
    explained: Explained

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {
            "mig": self.mig.to_dict(),
            "sap": self.sap.to_dict(),
            "dci": self.dci.to_dict(),
            "explained": self.explained.to_dict(),
        }


def disentanglement(
    z: NDArray[Any],
    factors: Factors,
    groups: NDArray[Any] | None = None,
    seed: int = 0,
) -> Disentanglement:
    """Return MIG, SAP, DCI and what single latents and pairs tell of known factors.

    Parameters
    ----------
    z : array (n, D)
        Latents.
    factors : mapping of str to array (n,)
        Known factors, finite.
    groups : array (n,), optional
        Cells of equal value are held out together where something is learnt.
    seed : int
        Of the folds, the trees and the shuffling.

    Raises
    ------
    InputError
        As `explained`.
    """
    told = explained(z, factors, groups, seed)
    matrix = np.stack(list(told.importance.values()), 1)
    r2 = np.array(list(told.all.values()))
    alive = varying_latents(checked_latents(z))
    return Disentanglement(
        mig(z, factors), sap(z, factors), _dci(matrix, r2, alive), told
    )


def mig(
    z: NDArray[Any], factors: Factors, *, bins: int = BINS, binning: Binning = "count"
) -> Gap:
    """Return the mutual information gap.

    Per factor (I₁ − I₂) / H, where I₁ and I₂ are the largest mutual informations
    between the factor and a latent, and H its entropy, all of binned values.

    Parameters
    ----------
    z : array (n, D)
        Latents.
    factors : mapping of str to array (n,)
        Known factors; those with at most `bins` different values are taken as they are.
    bins : int
        Bins of latents and factors.
    binning : {"count", "width"}
        Bins of equal count do not depend on the scale of a latent; bins of equal width
        are those of disentanglement_lib.

    Raises
    ------
    InputError
        If shapes do not fit, values are not finite or all latents are constant.
    """
    codes = checked_latents(z)
    truth = checked_factors(factors, len(codes))
    levels = [
        _binned(codes[:, d], bins, binning, as_they_are=False)
        for d in varying_latents(codes)
    ]
    gaps = {}
    for name, y in truth.items():
        v = _binned(y, bins, binning)
        entropy = _mutual_information(v, v)
        found = np.array([_mutual_information(level, v) for level in levels])
        gaps[name] = _gap(found) / entropy
    return _mean_gap(gaps)


def sap(z: NDArray[Any], factors: Factors) -> Gap:
    """Return the separated attribute predictability of continuous factors.

    Per factor the gap between the two largest squared correlations with a latent.

    Raises
    ------
    InputError
        If shapes do not fit, values are not finite or all latents are constant.
    """
    codes = checked_latents(z)
    truth = checked_factors(factors, len(codes))
    live = codes[:, varying_latents(codes)]
    centred = (live - live.mean(0)) / live.std(0)
    gaps = {}
    for name, y in truth.items():
        correlation = centred.T @ ((y - y.mean()) / y.std()) / len(y)
        gaps[name] = _gap(correlation**2)
    return _mean_gap(gaps)


def dci(
    z: NDArray[Any],
    factors: Factors,
    groups: NDArray[Any] | None = None,
    seed: int = 0,
) -> Dci:
    """Return disentanglement, completeness and informativeness.

    The importance of a latent to a factor is what boosted trees
    (``HistGradientBoostingRegressor``) lose on unseen cells when it is shuffled; see
    `explained.Explained`.

    Raises
    ------
    InputError
        As `explained`.
    """
    matrix, r2 = importances(z, factors, groups, seed)
    return _dci(matrix, r2, varying_latents(checked_latents(z)))


def udr(
    codes: Sequence[NDArray[Any]], active: Sequence[NDArray[np.bool_]] | None = None
) -> Floats:
    """Return how alike the latents of each encoder are to those of the others.

    Encoders that differ in their seed alone find the same latents, up to order and
    sign, if these are disentangled. For two encoders R holds the absolute rank
    correlations of their active latents; each should have one partner that stands out::

        UDR = (Σ_b max_a R_ab² / Σ_a R_ab + Σ_a max_b R_ab² / Σ_b R_ab) / (d_a + d_b)

    Parameters
    ----------
    codes : sequence of array (n, D)
        Latents of the same cells from each encoder.
    active : sequence of array (D,) of bool, optional
        Which latents carry information; by default those that vary.

    Returns
    -------
    array (encoders,)
        Median over the other encoders, 0 to 1.

    Raises
    ------
    InputError
        If there are fewer than two encoders, or their cells differ in number.
    """
    if len(codes) < 2:
        raise InputError("Likeness over seeds needs at least two encoders.")
    checked = [checked_latents(z) for z in codes]
    if len({len(z) for z in checked}) != 1:
        raise InputError("All encoders must have encoded the same cells.")
    chosen = [
        varying_latents(z) if use is None else np.intersect1d(varying_latents(z), use)
        for z, use in zip(
            checked,
            [None] * len(checked) if active is None else map(np.flatnonzero, active),
            strict=True,
        )
    ]
    ranks = [_ranks(z[:, use]) for z, use in zip(checked, chosen, strict=True)]
    likeness = np.full((len(ranks), len(ranks)), np.nan)
    for a in range(len(ranks)):
        for b in range(a):
            likeness[a, b] = likeness[b, a] = _likeness(
                np.abs(ranks[a].T @ ranks[b]) / len(ranks[a])
            )
    return np.asarray(np.nanmedian(likeness, axis=1))


def _dci(matrix: Floats, r2: Floats, alive: NDArray[np.intp]) -> Dci:
    live = matrix[alive]
    per_latent = np.array([concentration(row) for row in live])
    weights = live.sum(1)
    total = float(weights.sum())
    return Dci(
        disentanglement=float(per_latent @ weights / total) if total else 0.0,
        completeness=float(np.mean([concentration(column) for column in live.T])),
        informativeness=float(np.maximum(r2, 0).mean()),
        importance=matrix,
    )


def _gap(values: Floats) -> float:
    """Return the largest minus the second largest; a single value stands alone."""
    top = np.sort(values)[::-1]
    return float(top[0] - top[1]) if len(top) > 1 else float(top[0])


def _mean_gap(gaps: dict[str, float]) -> Gap:
    return Gap(float(np.mean(list(gaps.values()))), gaps)


def _binned(
    values: Floats, bins: int, binning: Binning, *, as_they_are: bool = True
) -> NDArray[np.intp]:
    """Return bin numbers 0 … of values; few different values may keep their own."""
    distinct, number = np.unique(values, return_inverse=True)
    if as_they_are and len(distinct) <= bins:
        return number.ravel()
    if binning == "width":
        edges = np.linspace(values.min(), values.max(), bins + 1)[1:-1]
    else:
        edges = np.unique(np.quantile(values, np.arange(1, bins) / bins))
    return np.searchsorted(edges, values, side="right")


def _mutual_information(a: NDArray[np.intp], b: NDArray[np.intp]) -> float:
    """Return the mutual information of two discrete variables (nats)."""
    joint = np.zeros((a.max() + 1, b.max() + 1))
    np.add.at(joint, (a, b), 1 / len(a))
    product = joint.sum(1, keepdims=True) * joint.sum(0, keepdims=True)
    some = joint > 0
    return float((joint[some] * np.log(joint[some] / product[some])).sum())


def _ranks(z: Floats) -> Floats:
    """Return standardised ranks, whose products are Spearman correlations."""
    from scipy.stats import rankdata

    ranks = np.asarray(rankdata(z, axis=0), np.float64)
    return np.asarray((ranks - ranks.mean(0)) / ranks.std(0))


def _likeness(r: Floats) -> float:
    """Return the UDR of absolute correlations (d_a, d_b)."""
    if not r.size:
        return 0.0
    best = [r.max(axis) ** 2 / np.maximum(r.sum(axis), 1e-12) for axis in (0, 1)]
    return float(sum(b.sum() for b in best) / sum(r.shape))
