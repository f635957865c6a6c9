"""The kinds of encoders: what each is called, and how its prior looks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_cellsci.representation.config import TITLES, EncoderConfig, Kind
from napari_cellsci.representation.infogan import REACH

GAUSSIAN_REACH = 3.0
"""How far latents with a Gaussian prior are moved (sd)."""


@dataclass(frozen=True, slots=True)
class KindInfo:
    """A kind of encoder.

    Attributes
    ----------
    title : str
        As it is written for people.
    reach : float
        How far latents may be moved from 0 (sd of the prior).
    uniform : bool
        Whether the prior is uniform within ± reach; else a unit Gaussian.
    """

    title: str
    reach: float = GAUSSIAN_REACH
    uniform: bool = False


KINDS: Mapping[Kind, KindInfo] = {
    "tcvae": KindInfo(TITLES["tcvae"]),
    "bvae": KindInfo(TITLES["bvae"]),
    "infogan": KindInfo(TITLES["infogan"], REACH, uniform=True),
}


def sample_latents(config: EncoderConfig, n: int, seed: int) -> NDArray[np.float32]:
    """Draw latents (n, D) from the prior of this kind."""
    rng = np.random.default_rng(seed)
    info, shape = KINDS[config.kind], (n, config.latent)
    if info.uniform:
        return rng.uniform(-info.reach, info.reach, shape).astype(np.float32)
    return rng.standard_normal(shape).astype(np.float32)
