"""What latents mean, told from their symmetry and from what is measured of the cells.

A name is evidence twice over. First the *signature*: which component of D4 leads
(`signature`). Second the *properties*: which measured factor of the cells the latent
follows most closely by Spearman's rank correlation. Both are taken anew in 200
resamples of whole tracks. They **agree** in a resample if

* one component holds at least `MIN_SHARE` of the latent's variance over all views,
* one factor leads all others with an absolute correlation of `MIN_RHO` or more,
* and that factor transforms by that component (`vocabulary.FACTORS`).

The latent is named after the factor if they agree on it in at least `CONFIDENCE` of the
resamples. Where two latents carry a property turned against the image axes (`pairs`),
the same is asked of the two directions of their plane (`Witnesses.of_pair`), and each
is named by the angle at which it grows; if the plane does not agree, each is judged by
itself.

Without masks there are no shapes to agree with: then signature and decoder (`motion`)
give a category and a tentative *reading*, but no name. Neighbours are the exception,
since tracks alone tell where the other cells are.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
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
from napari_cellsci.representation.effects import Effects
from napari_cellsci.representation.losses import gaussian_tc
from napari_cellsci.representation.motion import leading_flow
from napari_cellsci.representation.naming import LIKE, MIN_FLOW
from napari_cellsci.representation.pairs import Pair, find_pairs
from napari_cellsci.representation.signature import COMPONENTS
from napari_cellsci.representation.vocabulary import (
    FACTOR_PAIRS,
    FACTORS,
    FLOW_FACTORS,
    READINGS,
    FactorPair,
    factor_of,
)
from napari_cellsci.representation.witnesses import (
    CONFIDENCE,
    MIN_RHO,
    MIN_SHARE,
    Witnesses,
    hear,
)
from napari_cellsci.tasks import CancelToken

MIN_OWN = 0.3
"""With less of its variance left when all but the cell is erased, a latent is the
neighbourhood's."""
SURE_OWN = 0.5
"""With more of it left it is the cell's; in between, its effect map decides."""
MIN_DENSITY = 1.5
"""How much stronger the effect must be on the cell than elsewhere, if it decides."""
MIN_SHIFT = 0.5
"""Part of the effect that must be a shift for a latent to be a position."""


def describe_latents(
    encoder: str,
    views: NDArray[np.float32],
    groups: NDArray[Any],
    effects: Effects,
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
    effects : Effects
        What the networks say (`effects.measure_effects`).
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
    active = np.flatnonzero(effects.active)
    witnesses = hear(views[:, :, active], groups, factors or {}, seed=seed, token=token)
    infos = {}
    for index in by_activity(effects.kl, effects.variance):
        info = _plain(index, effects)
        if info.active:
            place = int(np.searchsorted(active, index))
            info = _judged(info, witnesses, place, effects)
        infos[index] = info
    places = np.stack([effects.own, effects.centre], axis=1)
    for pair in find_pairs(views, active.tolist(), places):
        _join(infos, pair, witnesses, active)
    return LatentAtlas(
        encoder=encoder,
        latents=tuple(infos.values()),
        n_cells=len(views),
        measured=witnesses.factors,
        equivariance=signature.equivariance(views[:, :, active], witnesses.groups),
        total_correlation=_total_correlation(views[:, 0], active, effects),
    ).called({})


def _total_correlation(
    mu: NDArray[np.float32], active: NDArray[np.intp], effects: Effects
) -> float:
    """Return how far active latents vary together (nats); NaN if that is not known."""
    if effects.noise is None or not len(active) or len(mu) <= len(active):
        return math.nan
    return gaussian_tc(mu[:, active], effects.noise[None, active])


def _plain(index: int, effects: Effects) -> LatentInfo:
    return LatentInfo(
        index=index,
        kl=float(effects.kl[index]),
        variance=float(effects.variance[index]),
        active=bool(effects.active[index]),
        category="inactive",
        centre_share=float(effects.centre[index]),
        own_share=float(effects.own[index]),
        motions=effects.motions[index],
        note="It carries no information.",
    )


def _judged(
    info: LatentInfo, witnesses: Witnesses, place: int, effects: Effects
) -> LatentInfo:
    """Say what one active latent is, by itself."""
    component, stability = witnesses.leading(place)
    shares = np.nan_to_num(witnesses.shares[:, place])
    clear = float(shares.max()) >= MIN_SHARE
    info = replace(
        info,
        shares=dict(zip(COMPONENTS, map(float, shares), strict=True)),
        component=component if clear else None,
        stability=stability,
        correlations=_correlations(witnesses, place),
    )
    info = replace(info, category=_category(info, effects.even))
    info = _read(info)
    best = witnesses.best(place)
    if best is None:
        return replace(info, note=_without_masks(info))
    info = _measured(info, witnesses, place, best)
    if info.suggestion is None and not _has_shapes(witnesses):
        return replace(info, note=_without_masks(info))
    return info


def _has_shapes(witnesses: Witnesses) -> bool:
    """Whether anything was measured of the cells themselves."""
    known = map(factor_of, witnesses.factors)
    return any(factor and factor.place != "neighbourhood" for factor in known)


def _without_masks(info: LatentInfo) -> str:
    reading = info.reading or "of no clear symmetry"
    return f"Its symmetry alone says: {reading}; without masks that makes no name."


def _read(info: LatentInfo) -> LatentInfo:
    """Give a tentative reading and words, from symmetry and decoder alone."""
    if info.component is None:
        return info
    flow = leading_flow(info.motions)
    factor = FACTORS.get(FLOW_FACTORS.get(flow or "", ""))
    if (
        factor is None
        or flow is None
        or factor.component != info.component
        or abs(info.motions[flow]) < MIN_FLOW
        or factor.place != info.category
    ):
        return replace(info, reading=READINGS[info.component])
    low, high = factor.words(info.motions[flow])
    return replace(info, reading=f"{LIKE}{factor.name}", low=low, high=high)


def _measured(
    info: LatentInfo, witnesses: Witnesses, place: int, best: str
) -> LatentInfo:
    """Compare signature and properties of one latent."""
    factor = factor_of(best)
    assert factor is not None
    rho = info.correlations[best].spearman
    info = replace(
        info,
        agreement=witnesses.agreement(place, best),
        best=best if abs(rho) >= MIN_RHO else None,
    )
    if info.agreement < CONFIDENCE:
        return replace(info, note=_why_unnamed(info, best, rho))
    low, high = factor.words(rho)
    return replace(
        info,
        suggestion=factor.name,
        category=factor.place,
        low=low,
        high=high,
        note=(
            f"Its symmetry ({factor.component}: {info.shares[factor.component]:.0%} of "
            f"its variance) and {best} (ρ = {rho:+.2f}) agree in "
            f"{info.agreement:.0%} of the resamples."
        ),
    )


def _why_unnamed(info: LatentInfo, best: str, rho: float) -> str:
    factor = factor_of(best)
    assert factor is not None
    said = f"It follows {best} most closely (ρ = {rho:+.2f})"
    if abs(rho) < MIN_RHO:
        return f"{said}, which is too little for a name."
    leading = max(info.shares, key=lambda name: info.shares[name])
    share = f"{info.shares[leading]:.0%}"
    if leading != factor.component:
        return (
            f"{said}, which would be {factor.component}, but by its symmetry it is "
            f"{leading} ({share} of its variance)."
        )
    if info.component is None:
        return f"{said}, but only {share} of its variance is {leading} like that."
    return (
        f"{said} and its symmetry is {leading} ({share}), but they agree in "
        f"{info.agreement:.0%} of the resamples only."
    )


def _category(info: LatentInfo, even: float) -> Category:
    """Say where an active latent belongs, by its effect and its symmetry."""
    within = info.centre_share * (1 - even)
    dense = within >= MIN_DENSITY * (1 - info.centre_share) * even
    own = info.own_share
    if own < MIN_OWN or (not dense and not own >= SURE_OWN):
        return "neighbourhood"
    dipole = info.shares["x"] + info.shares["y"]
    shift = abs(info.motions.get("x", 0)) + abs(info.motions.get("y", 0))
    return "position" if dipole >= 0.5 and shift >= MIN_SHIFT else "morphology"


def _correlations(witnesses: Witnesses, place: int) -> dict[str, Correlation]:
    if not witnesses.factors:
        return {}
    many = witnesses.many_rho[:, place]
    low, high = np.quantile(many, (0.025, 0.975), axis=0)
    columns = (witnesses.rho[place], low, high, witnesses.unique[place])
    return {
        name: Correlation(*(float(column[i]) for column in columns))
        for i, name in enumerate(witnesses.factors)
    }


def _join(
    infos: dict[int, LatentInfo],
    pair: Pair,
    witnesses: Witnesses,
    active: NDArray[np.intp],
) -> None:
    """Write down that two latents are a pair; name them if they must be read as one."""
    first, second = pair.latents
    for index, partner in ((first, second), (second, first)):
        infos[index] = replace(infos[index], partner=partner, turn=pair.turn)
    if not pair.turned:
        return
    places = tuple(int(np.searchsorted(active, index)) for index in pair.latents)
    for known in FACTOR_PAIRS:
        verdict = witnesses.of_pair(pair, (places[0], places[1]), known)
        if verdict is not None and verdict.agreement >= CONFIDENCE:
            for row, index in enumerate(pair.latents):
                follow = verdict.follow[row]
                infos[index] = _named_in_pair(
                    infos[index], known, follow, verdict.agreement
                )
            return
    for index in pair.latents:
        if infos[index].suggestion is None:
            infos[index] = _unnamed_in_pair(infos[index], pair)


def _named_in_pair(
    info: LatentInfo,
    known: FactorPair,
    follow: NDArray[np.float64],
    agreement: float,
) -> LatentInfo:
    factor = FACTORS[known.factors[0]]
    angle = known.angle(float(follow[0]), float(follow[1]))
    low, high = known.words(angle)
    return replace(
        info,
        suggestion=known.name(angle),
        category=factor.place,
        best=known.factors[int(np.abs(follow).argmax())],
        agreement=agreement,
        low=low,
        high=high,
        note=(
            f"With z{info.partner} it carries {known.stem} turned against the image "
            f"axes; symmetry and properties of the pair agree in {agreement:.0%} of "
            "the resamples."
        ),
    )


def _unnamed_in_pair(info: LatentInfo, pair: Pair) -> LatentInfo:
    """Say what one latent of a turned pair is like, together with the other."""
    known = next(known for known in FACTOR_PAIRS if known.family == pair.family)
    flow = [info.motions.get(_flow_of(name), 0.0) for name in known.factors]
    reading, low, high = "turns with the picture", None, None
    place = FACTORS[known.factors[0]].place
    if info.category == place and sum(map(abs, flow)) >= MIN_FLOW:
        # The parts are squares: their roots are how far it moves either way.
        angle = known.angle(*(math.copysign(math.sqrt(abs(f)), f) for f in flow))
        reading = f"{LIKE}{known.name(angle)}"
        low, high = known.words(angle)
    return replace(
        info,
        reading=reading,
        low=low,
        high=high,
        note=(
            f"Symmetry shows it only together with z{info.partner}, turned by "
            f"{abs(pair.turn):.0f}° in their plane ({reading}); no measured property "
            "agrees."
        ),
    )


def _flow_of(factor: str) -> str:
    return next(flow for flow, name in FLOW_FACTORS.items() if name == factor)
