"""The two witnesses of a latent's meaning, heard in many resamples of the tracks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_cellsci.representation import signature
from napari_cellsci.representation.evidence import RankSums, unique_parts
from napari_cellsci.representation.pairs import Pair, PlaneSums
from napari_cellsci.representation.signature import COMPONENTS
from napari_cellsci.representation.vocabulary import FactorPair, factor_of
from napari_cellsci.tasks import CancelToken

Doubles = NDArray[np.float64]

MIN_SHARE = 0.6
"""Share of variance from which on one component tells what a latent follows."""
MIN_RHO = 0.5
"""Correlation from which on a latent can be named after a property."""
CONFIDENCE = 0.95
"""Part of the resamples in which both must agree."""
RESAMPLES = 200
MIN_CELLS = 30
"""With fewer measured cells, properties say nothing."""


@dataclass(frozen=True)
class Witnesses:
    """What signature and properties say of k active latents in B resamples.

    Parameters
    ----------
    shares, many_shares : array (6, k), (B, 6, k)
        Variance by component, of all cells and of the resamples.
    rho, many_rho : array (k, F), (B, k, F)
        Spearman's correlations with the properties.
    unique : array (k, F)
        Parts of the latents' variance that one property alone explains.
    factors : tuple of F str
        The properties that were measured in enough cells.
    views, groups, values, weights
        What they were taken from, for the pairs: (n, 8, k), (n,), (n, F), (B, G).
    """

    shares: Doubles
    many_shares: Doubles
    rho: Doubles
    many_rho: Doubles
    unique: Doubles
    factors: tuple[str, ...]
    views: NDArray[np.float32]
    groups: NDArray[np.int64]
    values: Doubles
    weights: Doubles

    def leading(self, place: int) -> tuple[str, float]:
        """Return the leading component, and in how many resamples it leads clearly."""
        shares = self.shares[:, place]
        leads = int(np.argmax(np.nan_to_num(shares)))
        return COMPONENTS[leads], float(self._follows(leads, place).mean())

    def best(self, place: int) -> str | None:
        """Return the property that a latent follows most closely."""
        if not self.factors:
            return None
        return self.factors[int(np.abs(self.rho[place]).argmax())]

    def agreement(self, place: int, factor: str) -> float:
        """Return in how many resamples both say that a latent follows this property."""
        known = factor_of(factor)
        assert known is not None
        column = self.factors.index(factor)
        rho = np.abs(self.many_rho[:, place])
        measured = (rho.argmax(axis=1) == column) & (rho[:, column] >= MIN_RHO)
        follows = self._follows(COMPONENTS.index(known.component), place)
        return float((measured & follows).mean())

    def _follows(self, component: int, place: int) -> NDArray[np.bool_]:
        shares = np.nan_to_num(self.many_shares[:, :, place])
        leads = shares.argmax(axis=1) == component
        return np.asarray(leads & (shares[:, component] >= MIN_SHARE))

    def of_pair(
        self, pair: Pair, places: tuple[int, int], known: FactorPair
    ) -> PairVerdict | None:
        """Hear both on two latents that carry two properties together.

        In a resample they agree if each of the two directions of the plane that follow
        the components most purely has a share of `MIN_SHARE` in its component and a
        correlation of `MIN_RHO` or more with its property. Over all cells that
        property must be the one that the direction follows most closely.
        """
        if known.family != pair.family or not set(known.factors) <= set(self.factors):
            return None
        columns = [self.factors.index(name) for name in known.factors]
        sums = PlaneSums.of(self.views[:, :, places], self.values, self.groups)
        members = [COMPONENTS.index(name) for name in pair.family]
        reached, rho = sums.directions(members, columns, self.weights)
        agree = (reached.min(axis=-1) >= MIN_SHARE) & (
            np.abs(rho).min(axis=-1) >= MIN_RHO
        )
        if not sums.leads(members, columns):
            agree[:] = False
        return PairVerdict(float(agree.mean()), sums.follow(columns))


@dataclass(frozen=True)
class PairVerdict:
    """What was found of a pair.

    Parameters
    ----------
    agreement : float
        Part of the resamples in which both witnesses agree.
    follow : array (2, 2)
        Correlation of each latent (rows) with each property (columns).
    """

    agreement: float
    follow: Doubles


def hear(
    views: NDArray[np.float32],
    groups: NDArray[Any],
    factors: Mapping[str, NDArray[Any]],
    *,
    seed: int = 0,
    token: CancelToken | None = None,
) -> Witnesses:
    """Hear signature and properties on some latents.

    Parameters
    ----------
    views : array (n, 8, k)
        The active latents of the eight views of each cell.
    groups : array (n,)
        Track of each cell.
    factors : mapping of str to array (n,)
        Properties; those that are unknown, constant, or missing in more than half of
        the cells are left out.
    seed : int
        Of the resampling.
    token : CancelToken, optional
    """
    token = token or CancelToken()
    n, k = len(views), views.shape[2]
    _, numbers = np.unique(np.asarray(groups), return_inverse=True)
    numbers = numbers.astype(np.int64)
    known = usable(factors, n)
    values = np.stack(list(known.values()), axis=1) if known else np.empty((n, 0))
    whole = np.isfinite(values).all(axis=1)
    if whole.sum() < MIN_CELLS:
        known, values = {}, np.empty((n, 0))
    sums = signature.energies(views, numbers)
    n_groups = len(sums.count)
    even = np.full(n_groups, 1 / max(n_groups, 1))
    rng = np.random.default_rng(seed)
    weights = rng.multinomial(n_groups, even, size=RESAMPLES).astype(np.float64)
    token.raise_if_cancelled()
    rho, many = np.zeros((k, 0)), np.zeros((RESAMPLES, k, 0))
    unique = np.zeros((k, 0))
    if known:
        mu = views[whole, 0]
        ranks = RankSums.of(mu, values[whole], numbers[whole], n_groups)
        token.raise_if_cancelled()
        rho, many = ranks.correlations(), ranks.correlations(weights)
        unique = unique_parts(mu, values[whole])
    token.raise_if_cancelled()
    return Witnesses(
        shares=sums.shares(),
        many_shares=sums.shares(weights),
        rho=rho,
        many_rho=many,
        unique=unique,
        factors=tuple(known),
        views=views,
        groups=numbers,
        values=values,
        weights=weights,
    )


def usable(factors: Mapping[str, NDArray[Any]], n: int) -> dict[str, Doubles]:
    """Keep the factors that are known, measured in half of the cells, and vary."""
    kept = {}
    for name, values in factors.items():
        finite = np.isfinite(values)
        if factor_of(name) is None or finite.sum() < max(MIN_CELLS, n / 2):
            continue
        if np.ptp(values[finite]) > 0:
            kept[name] = np.asarray(values, np.float64)
    return kept
