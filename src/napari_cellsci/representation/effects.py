"""What the networks themselves say of each latent: where it acts, and how it moves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_cellsci.representation.activity import nats_and_noise
from napari_cellsci.representation.motion import motions
from napari_cellsci.representation.surroundings import (
    cell_region,
    kept_share,
    objects_in,
    without_surroundings,
)
from napari_cellsci.representation.traversals import (
    centre_disc,
    centre_share,
    effect_map,
)
from napari_cellsci.tasks import CancelToken, OnEvent, Progress, ignore

if TYPE_CHECKING:
    from napari_cellsci.representation.encoder import Encoder

Doubles = NDArray[np.float64]

MIN_VARIANCE = 0.02
MIN_NATS = 0.05
ANCHORS = 16
"""Cells whose pictures are changed."""


@dataclass(frozen=True)
class Effects:
    """What the networks say of D latents.

    Parameters
    ----------
    kl, variance : array (D,)
        Nats each carries, and the variance of its mean over cells.
    centre : array (D,)
        Part of its effect on the picture that lies on the cell; NaN if inactive.
    even : float
        What `centre` would be for an effect that is the same everywhere.
    own : array (D,)
        Part of its variance that is left when all but the cell is erased; NaN if
        inactive, or where no object can be told.
    motions : tuple of D dict
        Signed parts of its effect by flow (`motion.FLOWS`); empty if inactive.
    noise : array (D,), optional
        Variance of its posterior, mean over cells.
    """

    kl: Doubles
    variance: Doubles
    centre: Doubles
    even: float
    own: Doubles
    motions: tuple[dict[str, float], ...]
    noise: Doubles | None = None

    @property
    def active(self) -> NDArray[np.bool_]:
        """Which latents (D,) carry information."""
        return np.asarray((self.variance >= MIN_VARIANCE) & (self.kl >= MIN_NATS))


def measure_effects(
    encoder: Encoder,
    crops: NDArray[Any],
    mu: NDArray[np.float32],
    objects: tuple[NDArray[np.bool_], NDArray[np.bool_]] | None = None,
    *,
    variance: Doubles | None = None,
    on_event: OnEvent = ignore,
    token: CancelToken | None = None,
) -> Effects:
    """Ask encoder and decoder about every latent.

    Parameters
    ----------
    encoder : Encoder
    crops : array (k, C, S, S)
        Raw crops of some hundred cells.
    mu : array (k, D)
        Their latents.
    objects : tuple of two bool arrays (k, S, S), optional
        The cell's own object and all others, from label images; told from the pixels
        if not given.
    variance : array (D,), optional
        Of the latents over more cells than these.
    on_event, token

    Raises
    ------
    Cancelled
        If the token asks for it.
    """
    token = token or CancelToken()
    kl, noise = nats_and_noise(encoder, crops, np.arange(len(crops)), token)
    if variance is None:
        variance = mu.astype(np.float64).var(axis=0)
    found = objects or objects_in(encoder.normalise(crops).cpu().numpy())
    own = np.full(len(kl), np.nan)
    region = None
    if found is not None:
        token.raise_if_cancelled()
        alone = without_surroundings(crops, *found)
        own = kept_share(mu, encoder.encode(alone, token=token))
        region = cell_region(found[0])
    if region is None:
        region = centre_disc(encoder.spec.size).astype(np.float64)
    active = (variance >= MIN_VARIANCE) & (kl >= MIN_NATS)
    anchors = mu[_spread(len(mu), ANCHORS)]
    centre, parts = np.full(len(kl), np.nan), [dict[str, float]() for _ in kl]
    for done, index in enumerate(np.flatnonzero(active).tolist(), start=1):
        token.raise_if_cancelled()
        centre[index] = centre_share(effect_map(encoder, index, anchors), region)
        parts[index] = motions(encoder, index, anchors, region)
        on_event(Progress("Mapping effects", done, int(active.sum())))
    own[~active] = np.nan
    even = float(region.mean())
    return Effects(kl, np.asarray(variance), centre, even, own, tuple(parts), noise)


def _spread(n: int, most: int) -> NDArray[np.int64]:
    return np.unique(np.linspace(0, n - 1, min(n, most)).astype(np.int64))
