"""What a name says of a latent, so that name, category and words never contradict.

A name may have come with the encoder or from a person, and be read on cells that alone
would tell something else: without masks, a latent of the neighbours may look like one
of the cell. Where a name is a word of the vocabulary, it says what the latent belongs
to and what its ends look like; what was found here instead is kept beside it (`Found`).
A name in a person's own words says nothing of that kind, and what was found stays.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from napari_cellsci.representation.vocabulary import (
    FLOW_FACTORS,
    factor_called,
    factor_of,
    pair_called,
    place_called,
)

if TYPE_CHECKING:
    from napari_cellsci.representation.atlas import Category, LatentInfo, NamedBy

LEAST_RHO = 0.2
"""Correlations below are not worth a word."""
MIN_FLOW = 0.2
"""Part of the effect from which on a flow tells what a latent does."""
LIKE = "like "
"""A reading that begins so goes on with a name."""


@dataclass(frozen=True, slots=True)
class Found:
    """What the cells alone say of a latent whose name says otherwise.

    Parameters
    ----------
    category : str
    low, high : str, optional
    """

    category: Category
    low: str | None = None
    high: str | None = None


def as_called(info: LatentInfo, name: str | None, by: NamedBy | None) -> LatentInfo:
    """Return a latent with this name, and with what the name says of it."""
    if info.found is not None:
        old = info.found
        info = replace(
            info, category=old.category, low=old.low, high=old.high, found=None
        )
    info = replace(info, name=name, named_by=by)
    place = place_called(name) if name and info.active else None
    if place is None or name is None:
        return info
    low, high = words_of_name(info, name)
    if (place, low, high) == (info.category, info.low, info.high):
        return info
    found = Found(info.category, info.low, info.high)
    return replace(info, category=place, low=low, high=high, found=found)


def words_of_name(info: LatentInfo, name: str) -> tuple[str | None, str | None]:
    """Return what the ends of a latent look like if it is what its name says.

    None where the cells do not tell which end is which.
    """
    said = info.suggestion or read_name(info) or ""
    if said.casefold() == name.casefold():
        return info.low, info.high
    pair = pair_called(name)
    if pair is not None and pair[0].folds == 2:
        return pair[0].words(pair[1])
    factor = factor_of(factor_called(name) or "")
    sign = _direction(info, factor_called(name) or "")
    return factor.words(sign) if factor is not None and sign else (None, None)


def read_name(info: LatentInfo) -> str | None:
    """Return the name that a tentative reading speaks of, if any."""
    reading = info.reading or ""
    return reading.removeprefix(LIKE) if reading.startswith(LIKE) else None


def _direction(info: LatentInfo, key: str) -> float:
    """Return with which sign a latent follows a property; 0 where that is not told."""
    known = info.correlations.get(key)
    sure = known is not None and known.low * known.high > 0
    if known is not None and sure and abs(known.spearman) >= LEAST_RHO:
        return known.spearman
    flows = [flow for flow, factor in FLOW_FACTORS.items() if factor == key]
    moved = sum(info.motions.get(flow, 0.0) for flow in flows)
    return moved if abs(moved) >= MIN_FLOW else 0.0
