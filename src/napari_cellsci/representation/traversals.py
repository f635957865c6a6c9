"""What a latent does to the picture: strips, ways between cells, and effect maps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_cellsci.errors import InputError

if TYPE_CHECKING:
    from napari_cellsci.representation.encoder import Encoder

Floats = NDArray[np.float32]

STEPS = 7
"""Pictures of a strip, which goes as far as `Encoder.reach` either way."""
DELTA = 2.0
"""How far a latent is moved either way for its effect map."""
CENTRE = 12 / 64
"""Radius of the centre as a part of the crop's width."""


def traverse(
    encoder: Encoder,
    latent: int,
    *,
    anchor: NDArray[Any] | None = None,
    low: float | None = None,
    high: float | None = None,
    steps: int = STEPS,
) -> Floats:
    """Decode a strip along one latent.

    Parameters
    ----------
    encoder : Encoder
    latent : int
        Number of the latent, from 0.
    anchor : array (D,), optional
        Latents of the cell to start from; all 0 by default.
    low, high : float, optional
        First and last value of the latent; by default the reach of the encoder either
        way.
    steps : int
        Pictures, at least 1.

    Returns
    -------
    array (steps, C, S, S)
        Normalised pixels.

    Raises
    ------
    InputError
        If there is no such latent, or the anchor has another length.
    """
    strips = traverse_many(
        encoder, [latent], anchor=anchor, low=low, high=high, steps=steps
    )
    return np.asarray(strips[0])


def traverse_many(
    encoder: Encoder,
    latents: Sequence[int],
    *,
    anchor: NDArray[Any] | None = None,
    low: float | None = None,
    high: float | None = None,
    steps: int = STEPS,
) -> Floats:
    """Decode a strip along each of several latents (k, steps, C, S, S)."""
    if steps < 1:
        raise InputError(f"A strip needs at least one picture, not {steps}.")
    low = -encoder.reach if low is None else low
    high = encoder.reach if high is None else high
    start = _anchor(encoder, anchor)
    z = np.tile(start, (len(latents), steps, 1))
    for row, latent in enumerate(latents):
        z[row, :, check_latent(encoder, latent)] = np.linspace(low, high, steps)
    return _decoded(encoder, z)


def interpolate(
    encoder: Encoder, z_from: NDArray[Any], z_to: NDArray[Any], steps: int = STEPS
) -> Floats:
    """Decode the straight way between the latents of two cells.

    Returns
    -------
    array (steps, C, S, S)
        Normalised pixels, both ends included.

    Raises
    ------
    InputError
        If the latents have another length than the encoder's.
    """
    if steps < 2:
        raise InputError(f"A way between two cells needs 2 pictures, not {steps}.")
    first, last = _anchor(encoder, z_from), _anchor(encoder, z_to)
    share = np.linspace(0, 1, steps, dtype=np.float32)[:, None]
    return _decoded(encoder, first * (1 - share) + last * share)


def effect_map(
    encoder: Encoder,
    latent: int,
    anchors: NDArray[Any] | None = None,
    delta: float = DELTA,
) -> Floats:
    """Measure where in the picture a latent acts.

    The mean over anchors of ``|dec(z + δ·e_d) − dec(z − δ·e_d)|``.

    Parameters
    ----------
    encoder : Encoder
    latent : int
        Number of the latent, from 0.
    anchors : array (k, D), optional
        Latents of the cells that are moved; by default one at 0.
    delta : float
        How far either way.

    Returns
    -------
    array (C, S, S)
        Change of normalised pixels, 0 or more.
    """
    check_latent(encoder, latent)
    if anchors is None:
        anchors = np.zeros((1, encoder.config.latent), np.float32)
    anchors = np.asarray(anchors, np.float32)
    step = np.zeros(encoder.config.latent, np.float32)
    step[latent] = delta
    pictures = encoder.decode(np.concatenate([anchors + step, anchors - step]))
    above, below = np.split(pictures, 2)
    effect: Floats = np.abs(above - below).mean(axis=0)
    return effect


def centre_disc(size: int, radius: float | None = None) -> NDArray[np.bool_]:
    """Return the pixels (S, S) of a disc around the middle, radius 12 of 64 px."""
    reach = CENTRE * size if radius is None else radius
    place = np.arange(size) - (size - 1) / 2
    return np.asarray(np.hypot(*np.meshgrid(place, place)) <= reach)


def centre_share(effect: NDArray[Any], region: NDArray[Any] | None = None) -> float:
    """Return the part of an effect (C, S, S) that lies in the centre.

    Parameters
    ----------
    effect : array (C, S, S)
        From `effect_map`.
    region : array (S, S), optional
        Weights from 0 to 1, for example where cells lie; by default the disc of 12 px
        in 64.

    Returns
    -------
    float
        0 to 1; NaN if the latent has no effect at all.
    """
    weights = centre_disc(effect.shape[-1]) if region is None else region
    total = float(effect.sum())
    return float((effect * weights).sum()) / total if total > 0 else float("nan")


def check_latent(encoder: Encoder, latent: int) -> int:
    """Return `latent` if the encoder has it.

    Raises
    ------
    InputError
        If there is no such latent.
    """
    if not 0 <= latent < encoder.config.latent:
        raise InputError(
            f"There is no latent z{latent}: this encoder has z0 to "
            f"z{encoder.config.latent - 1}."
        )
    return latent


def _anchor(encoder: Encoder, anchor: NDArray[Any] | None) -> Floats:
    length = encoder.config.latent
    if anchor is None:
        return np.zeros(length, np.float32)
    anchor = np.asarray(anchor, np.float32)
    if anchor.shape != (length,):
        raise InputError(
            f"A cell has {length} latents in this encoder, not an array of shape "
            f"{anchor.shape}."
        )
    return anchor


def _decoded(encoder: Encoder, z: Floats) -> Floats:
    """Decode latents (…, D) to pictures (…, C, S, S)."""
    pictures = encoder.decode(z.reshape(-1, z.shape[-1]))
    return pictures.reshape(*z.shape[:-1], *pictures.shape[1:])
