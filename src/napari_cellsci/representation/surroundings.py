"""The cell and what lies around it: which of the two a latent speaks of.

Everything but the cell is erased from the crop, and the latents that barely change are
about the cell itself. That is an experiment on the encoder, so it needs no annotation;
where label images exist they say what the cell is, else the pixels do.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Masks = NDArray[np.bool_]

MARGIN = 6 / 64
"""How far around other objects pixels are erased, as a part of the crop's width."""
DILATION = 4 / 64
"""How far beyond its own object a cell's region reaches."""
MIDDLE = 4 / 64
"""Half width of the middle in which a cell's own object must lie."""
MOST_AREA = 0.7
LEAST_AREA = 0.01
LEAST_INTERIOR = 0.4
"""Part of an object that is not its rim; speckles have less."""
ENOUGH = 0.7
"""Part of the crops in which an object must be found for pixels to be trusted."""


def objects_in(pictures: NDArray[Any]) -> tuple[Masks, Masks] | None:
    """Find the object in the middle of crops and the others, by Otsu's threshold.

    Parameters
    ----------
    pictures : array (n, C, S, S)
        Normalised crops; of several channels the one that works best is used.

    Returns
    -------
    own, others : bool arrays (n, S, S)
        Empty where a crop shows no object of plausible size in its middle. None if
        that is so in too many crops, as in bright field.
    """
    best: tuple[Masks, Masks] | None = None
    found = 0.0
    for channel in range(pictures.shape[1]):
        own, others = _objects(pictures[:, channel])
        share = float(own.any(axis=(1, 2)).mean()) if len(own) else 0.0
        if share > found:
            best, found = (own, others), share
    return best if found >= ENOUGH else None


def _objects(pictures: NDArray[Any]) -> tuple[Masks, Masks]:
    from scipy.ndimage import binary_erosion, label
    from skimage.filters import threshold_otsu

    n, size = len(pictures), pictures.shape[-1]
    own, others = np.zeros((2, n, size, size), bool)
    reach = max(round(MIDDLE * size), 1)
    middle = slice(size // 2 - reach, size // 2 + reach)
    for i, picture in enumerate(pictures):
        if np.ptp(picture) == 0:
            continue
        bright = picture > threshold_otsu(picture)
        labels, _ = label(bright)
        counts = np.bincount(labels[middle, middle].ravel())
        counts[0] = 0
        chosen = labels == counts.argmax()
        if not counts.max() or not LEAST_AREA <= chosen.mean() <= MOST_AREA:
            continue
        if binary_erosion(chosen).sum() >= LEAST_INTERIOR * chosen.sum():
            own[i], others[i] = chosen, bright & ~chosen
    return own, others


def without_surroundings(
    crops: NDArray[Any], own: Masks, others: Masks
) -> NDArray[np.float32]:
    """Erase the other objects from raw crops.

    Pixels near another object, and nearer to it than to the cell, become the median
    of the background (per channel).

    Parameters
    ----------
    crops : array (n, C, S, S)
        Raw crops.
    own, others : bool arrays (n, S, S)
    """
    from scipy.ndimage import distance_transform_edt

    out = crops.astype(np.float32)
    size = crops.shape[-1]
    for i in np.flatnonzero(others.any(axis=(1, 2)) & own.any(axis=(1, 2))).tolist():
        to_others = distance_transform_edt(~others[i])
        to_own = distance_transform_edt(~own[i])
        erased = (to_others <= MARGIN * size) & (to_others < to_own)
        background = ~erased & (to_own > MARGIN * size / 2)
        if not background.any():
            background = ~own[i]
        level = np.median(out[i][:, background], axis=1)
        out[i][:, erased] = level[:, None]
    return out


def cell_region(own: Masks) -> NDArray[np.float64] | None:
    """Return how often each pixel lies on or next to the cell (S, S), None if never."""
    from scipy.ndimage import binary_dilation

    there = own[own.any(axis=(1, 2))]
    if not len(there):
        return None
    steps = max(round(DILATION * own.shape[-1]), 1)
    grown = [binary_dilation(one, iterations=steps) for one in there]
    return np.asarray(np.mean(grown, axis=0))


def kept_share(
    before: NDArray[np.float32], after: NDArray[np.float32]
) -> NDArray[np.float64]:
    """Return the squared correlation of latents before and after (D,); NaN if constant.

    Parameters
    ----------
    before, after : array (n, D)
        Latents of crops, and of the same crops without their surroundings.
    """
    x = before.astype(np.float64) - before.mean(axis=0, dtype=np.float64)
    y = after.astype(np.float64) - after.mean(axis=0, dtype=np.float64)
    power = (x**2).sum(axis=0) * (y**2).sum(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(power > 1e-12, (x * y).sum(axis=0) ** 2 / power, np.nan)
