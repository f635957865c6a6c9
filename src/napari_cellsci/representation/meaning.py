"""What latents mean, told from their symmetry and from what is measured of the cells.

A name is evidence twice over. First the *signature*: which component of D4 leads
(`signature`). Second the *properties*: which measured factor of the cells the latent
follows most closely by Spearman's rank correlation. Both are taken anew in 200
resamples of whole tracks. They **agree** in a resample if

* one component holds at least `MIN_SHARE` of the latent's variance over all views,
* one factor leads all others with an absolute correlation of `MIN_RHO` or more,
* and that factor transforms by that component (`FACTORS`).

The latent is named after the factor if they agree on the same factor in at least
`CONFIDENCE` of the resamples. Where two latents carry a property turned against the
image axes (`pairs`), the same is asked of the two directions of their plane.
Without measured properties there is a tentative *reading* but no name.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_cellsci.representation import signature
from napari_cellsci.representation.atlas import (
    Category,
    Correlation,
    LatentAtlas,
    LatentInfo,
    by_activity,
)
from napari_cellsci.representation.evidence import RankSums, unique_parts
from napari_cellsci.representation.pairs import Pair, find_pairs
from napari_cellsci.representation.signature import COMPONENTS
from napari_cellsci.tasks import CancelToken

Doubles = NDArray[np.float64]

MIN_SHARE = 0.6
"""Share of variance from which on one component tells what a latent follows."""
MIN_RHO = 0.5
"""Spearman correlation from which on a latent can be named after a property."""
CONFIDENCE = 0.95
"""Part of the resamples in which both must agree."""
RESAMPLES = 200
MIN_VARIANCE = 0.02
MIN_NATS = 0.05
MIN_CENTRE = 0.5
"""A latent with less of its effect on the cell is the neighbourhood's."""
MIN_CELLS = 30
"""With fewer measured cells, properties say nothing."""


@dataclass(frozen=True, slots=True)
class Factor:
    """A measured property and what follows it.

    Parameters
    ----------
    component : str
        How it transforms when the picture is turned.
    name : str
        What a latent is called that follows it.
    low, high : str
        What little and much of it look like.
    """

    component: str
    name: str
    low: str
    high: str


FACTORS: Mapping[str, Factor] = {
    "area": Factor("invariant", "size", "smaller", "larger"),
    "eccentricity": Factor("invariant", "elongation", "rounder", "longer"),
    "elongation_axes": Factor("axes", "elongation along the axes", "wide", "tall"),
    "elongation_diagonals": Factor(
        "diagonals", "elongation along the diagonals", "along /", "along \\"
    ),
    "offset_x": Factor("x", "offset in x", "left", "right"),
    "offset_y": Factor("y", "offset in y", "up", "down"),
    "solidity": Factor("invariant", "compactness", "ragged", "compact"),
    "brightness": Factor("invariant", "brightness", "dimmer", "brighter"),
    "neighbours": Factor("invariant", "neighbours", "fewer", "more"),
    "neighbours_x": Factor("x", "neighbours in x", "on the left", "on the right"),
    "neighbours_y": Factor("y", "neighbours in y", "above", "below"),
    "neighbours_axes": Factor(
        "axes", "neighbours along the axes", "at the sides", "above and below"
    ),
    "neighbours_diagonals": Factor(
        "diagonals", "neighbours along the diagonals", "along /", "along \\"
    ),
}
"""Measured properties by name; see `cells.factors`."""

READINGS = {
    "invariant": "unchanged by turning, like size",
    "chiral": "changes under mirrors alone, like handedness",
    "axes": "like elongation along the axes",
    "diagonals": "like elongation along the diagonals",
    "x": "like an offset in x",
    "y": "like an offset in y",
}


def factor_of(name: str) -> Factor | None:
    """Return what is known of a measured property, also of further channels."""
    if name in FACTORS:
        return FACTORS[name]
    stem, _, channel = name.rpartition("_")
    if stem == "brightness" and channel.isdigit():
        return replace(FACTORS[stem], name=f"brightness of channel {channel}")
    return None


def describe_latents(
    encoder: str,
    views: NDArray[np.float32],
    groups: NDArray[Any],
    kl: NDArray[Any],
    centre: NDArray[Any],
    factors: Mapping[str, NDArray[Any]] | None = None,
    *,
    seed: int = 0,
    token: CancelToken | None = None,
) -> LatentAtlas:
    """Find out what every latent follows, and name those that two witnesses agree on.

    Parameters
    ----------
    encoder : str
        The encoder's hash.
    views : array (n, 8, D)
        Latents of the eight views of some cells; view 0 is the cell as it is.
    groups : array (n,)
        Track of each cell; tracks are resampled whole.
    kl : array (D,)
        Nats each latent carries.
    centre : array (D,)
        Part of each latent's effect that lies on the cell; NaN where it has none.
    factors : mapping of str to array (n,), optional
        What is measured of the cells (`cells.factors.cell_factors`); NaN if missing.
    seed : int
        Of the resampling.
    token : CancelToken, optional

    Returns
    -------
    LatentAtlas
        Names are the suggestions; `LatentAtlas.called` puts the user's in.
    """
    variance = views[:, 0].astype(np.float64).var(axis=0) if len(views) else kl * 0
    active = (variance >= MIN_VARIANCE) & (np.asarray(kl) >= MIN_NATS)
    chosen = np.flatnonzero(active)
    known = _usable(factors or {}, len(views))
    evidence = _gather(views[:, :, chosen], groups, known, seed, token)
    infos = []
    for index in by_activity(kl, variance):
        info = LatentInfo(
            index=index,
            kl=float(kl[index]),
            variance=float(variance[index]),
            active=bool(active[index]),
            category="inactive",
            centre_share=float(centre[index]),
            note="It carries no information.",
        )
        if active[index]:
            place = int(np.searchsorted(chosen, index))
            info = _judged(info, evidence, place)
        infos.append(info)
    paired = _with_pairs(infos, find_pairs(views, chosen.tolist()))
    atlas = LatentAtlas(
        encoder, tuple(paired), len(views), tuple(known), evidence.equivariance
    )
    return atlas.called({})


@dataclass(frozen=True)
class _Evidence:
    """Both witnesses for k active latents, F factors, B resamples.

    Parameters
    ----------
    shares : array (6, k); B_shares : array (B, 6, k)
    rho : array (k, F); B_rho : array (B, k, F)
    unique : array (k, F)
    names : list of F str
    """

    shares: Doubles
    many_shares: Doubles
    rho: Doubles
    many_rho: Doubles
    unique: Doubles
    names: list[str]
    equivariance: float


def _usable(
    factors: Mapping[str, NDArray[Any]], n: int
) -> dict[str, NDArray[np.float64]]:
    """Keep the factors that are known, measured in half of the cells, and vary."""
    kept = {}
    for name, values in factors.items():
        finite = np.isfinite(values)
        if factor_of(name) is None or finite.sum() < max(MIN_CELLS, n / 2):
            continue
        if np.ptp(values[finite]) > 0:
            kept[name] = np.asarray(values, np.float64)
    return kept


def _gather(
    views: NDArray[np.float32],
    groups: NDArray[Any],
    factors: Mapping[str, Doubles],
    seed: int,
    token: CancelToken | None,
) -> _Evidence:
    token = token or CancelToken()
    _, numbers = np.unique(np.asarray(groups), return_inverse=True)
    sums = signature.energies(views, numbers)
    token.raise_if_cancelled()
    names, k = list(factors), views.shape[2]
    n_groups = len(sums.count)
    rng = np.random.default_rng(seed)
    even = np.full(n_groups, 1 / max(n_groups, 1))
    weights = rng.multinomial(n_groups, even, size=RESAMPLES).astype(np.float64)
    rho, many = np.zeros((k, 0)), np.zeros((RESAMPLES, k, 0))
    unique = np.zeros((k, 0))
    table = np.stack(list(factors.values()), axis=1) if names else np.empty((0, 0))
    whole = np.isfinite(table).all(axis=1) if names else np.zeros(0, bool)
    if whole.sum() >= MIN_CELLS and k:
        ranks = RankSums.of(views[whole, 0], table[whole], numbers[whole], n_groups)
        token.raise_if_cancelled()
        rho, many = ranks.correlations(), ranks.correlations(weights)
        unique = unique_parts(views[whole, 0], table[whole])
    else:
        names = []
    token.raise_if_cancelled()
    return _Evidence(
        sums.shares(),
        sums.shares(weights),
        rho,
        many,
        unique,
        names,
        signature.equivariance(views, numbers),
    )


def _judged(info: LatentInfo, evidence: _Evidence, place: int) -> LatentInfo:
    """Say what one active latent is, by itself."""
    shares = evidence.shares[:, place]
    many = evidence.many_shares[:, :, place]
    leads = int(np.nanargmax(shares)) if np.isfinite(shares).any() else 0
    clear = bool(shares[leads] >= MIN_SHARE)
    always = (many.argmax(axis=1) == leads) & (many[:, leads] >= MIN_SHARE)
    component = COMPONENTS[leads] if clear else None
    info = replace(
        info,
        shares=dict(zip(COMPONENTS, map(float, shares), strict=True)),
        component=component,
        stability=float(always.mean()),
        category=_category(info.centre_share, shares),
        correlations=_correlations(evidence, place),
        reading=None if component is None else READINGS[component],
    )
    if not evidence.names:
        return replace(info, note=_unmeasured(info))
    return _measured(info, evidence, place, many, leads)


def _measured(
    info: LatentInfo, evidence: _Evidence, place: int, many: Doubles, leads: int
) -> LatentInfo:
    """Compare signature and properties of one latent."""
    rho = evidence.rho[place]
    best = int(np.abs(rho).argmax())
    factor = factor_of(evidence.names[best])
    assert factor is not None
    resampled = np.abs(evidence.many_rho[:, place])
    wanted = COMPONENTS.index(factor.component)
    agree = (
        (resampled.argmax(axis=1) == best)
        & (resampled[:, best] >= MIN_RHO)
        & (many.argmax(axis=1) == wanted)
        & (many[:, wanted] >= MIN_SHARE)
    )
    agreement = float(agree.mean())
    close = bool(abs(rho[best]) >= MIN_RHO)
    info = replace(
        info, agreement=agreement, best=evidence.names[best] if close else None
    )
    if agreement >= CONFIDENCE:
        low, high = (factor.low, factor.high)[:: 1 if rho[best] > 0 else -1]
        return replace(
            info,
            suggestion=factor.name,
            low=low,
            high=high,
            note=(
                f"Signature ({info.component}, {info.shares[factor.component]:.0%}) "
                f"and {evidence.names[best]} (ρ = {rho[best]:+.2f}) agree in "
                f"{agreement:.0%} of the resamples."
            ),
        )
    return replace(info, note=_why_unnamed(info, evidence.names[best], rho[best]))


def _why_unnamed(info: LatentInfo, best: str, rho: float) -> str:
    factor = factor_of(best)
    assert factor is not None
    said = f"It follows {best} most closely (ρ = {rho:+.2f})"
    if abs(rho) < MIN_RHO:
        return f"{said}, which is too little for a name."
    if info.component is None:
        leading = max(info.shares, key=lambda name: info.shares[name])
        return (
            f"{said}, but no symmetry leads ({leading} holds "
            f"{info.shares[leading]:.0%} of its variance)."
        )
    if info.component != factor.component:
        return (
            f"{said}, which transforms like {factor.component}, but its own signature "
            f"is {info.component} ({info.shares[info.component]:.0%})."
        )
    return f"{said}, but in {info.agreement:.0%} of the resamples only."


def _unmeasured(info: LatentInfo) -> str:
    reading = "of no clear symmetry" if info.reading is None else info.reading
    return f"By its symmetry it is {reading}; without masks it gets no name."


def _category(centre: float, shares: Doubles) -> Category:
    if centre < MIN_CENTRE:
        return "neighbourhood"
    dipole = float(np.nansum(shares[4:]))
    return "position" if dipole >= 0.5 else "morphology"


def _correlations(evidence: _Evidence, place: int) -> dict[str, Correlation]:
    if not evidence.names:
        return {}
    low, high = np.quantile(evidence.many_rho[:, place], (0.025, 0.975), axis=0)
    return {
        name: Correlation(
            float(evidence.rho[place, i]),
            float(low[i]),
            float(high[i]),
            float(evidence.unique[place, i]),
        )
        for i, name in enumerate(evidence.names)
    }


def _with_pairs(infos: Sequence[LatentInfo], pairs: Sequence[Pair]) -> list[LatentInfo]:
    partner: dict[int, tuple[int, float]] = {}
    for pair in pairs:
        first, second = pair.latents
        partner[first] = (second, pair.turn)
        partner[second] = (first, pair.turn)
    return [
        replace(info, partner=partner[info.index][0], turn=partner[info.index][1])
        if info.index in partner
        else info
        for info in infos
    ]


def nan_centre(n: int) -> Doubles:
    """Return centre shares of an encoder of which none is known."""
    return np.full(n, math.nan)
