"""What goes wrong at a microscope, made from a good crop (arXiv 2402.03115, figure 27).

Everything works on raw crops, so that models meet it as they meet any picture.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Raw = NDArray[Any]


@dataclass(frozen=True, slots=True)
class Failure:
    """One way a picture fails.

    Parameters
    ----------
    title : str
    tip : str
        What it is, in one sentence.
    make : callable
        ``make(crop, other, rng)``: raw crops (C, S, S) to a raw crop (C, S, S).
    """

    title: str
    tip: str
    make: Callable[[Raw, Raw, np.random.Generator], Raw]


def blank(crop: Raw, other: Raw, rng: np.random.Generator) -> Raw:
    """Return an empty picture: every pixel at the background's level."""
    return _like(crop, np.broadcast_to(_background(crop), crop.shape))


def saturated(crop: Raw, other: Raw, rng: np.random.Generator) -> Raw:
    """Return the crop overexposed: a third of its range is cut at the top."""
    low, high = _background(crop), _top(crop)
    return _like(crop, np.minimum(crop, low + (high - low) / 3))


def out_of_focus(crop: Raw, other: Raw, rng: np.random.Generator) -> Raw:
    """Return the crop blurred by a twentieth of its width."""
    from scipy.ndimage import gaussian_filter

    width = crop.shape[-1] / 20
    return _like(crop, gaussian_filter(crop.astype(np.float64), (0, width, width)))


def shifted(crop: Raw, other: Raw, rng: np.random.Generator) -> Raw:
    """Return the crop a quarter of its width off the centre, as by a lost track."""
    step = crop.shape[-1] // 4
    moved = np.broadcast_to(_background(crop), crop.shape).copy()
    moved[:, :, step:] = crop[:, :, :-step]
    return _like(crop, moved)


def neighbour(crop: Raw, other: Raw, rng: np.random.Generator) -> Raw:
    """Return the crop with another cell, as bright as it, pasted in at its side."""
    size = crop.shape[-1]
    half, step = size // 4, size * 3 // 8
    patch = other.astype(np.float64) - _background(other)
    middle = np.s_[:, size // 2 - half : size // 2 + half]
    patch = patch[middle][:, :, size // 2 - half : size // 2 + half]
    span = np.maximum(_top(other) - _background(other), 1e-6)
    # Only the cell itself: its background would show as a square.
    patch = np.where(patch > span / 4, patch, 0) / span
    patch = patch * (_top(crop) - _background(crop))
    pasted = crop.astype(np.float64)
    top = size // 2 - half
    left = min(size // 2 - half + step, size - 2 * half)
    place = np.s_[:, top : top + 2 * half, left : left + 2 * half]
    seen = np.maximum(pasted[place], _background(crop) + patch)
    pasted[place] = np.where(patch > 0, seen, pasted[place])
    return _like(crop, pasted)


def dim(crop: Raw, other: Raw, rng: np.random.Generator) -> Raw:
    """Return the crop with a tenth of its light and the noise it had."""
    from napari_cellsci.explain.noise import noise_of

    low = _background(crop)
    faint = low + (crop.astype(np.float64) - low) / 10
    noise = noise_of(crop)[:, None, None] * rng.normal(size=crop.shape)
    return _like(crop, faint + noise)


FAILURES: Mapping[str, Failure] = {
    "blank": Failure("Blank", "Nothing in the picture at all", blank),
    "saturated": Failure("Overexposed", "The brightest parts are cut off", saturated),
    "defocus": Failure("Out of focus", "Blurred by a 20th of its width", out_of_focus),
    "shifted": Failure("Off centre", "The track is a quarter width off", shifted),
    "neighbour": Failure("A neighbour", "Another cell pasted in beside it", neighbour),
    "dim": Failure("Dim", "A tenth of the light, the same noise", dim),
}


def failing(crop: Raw, other: Raw, *, seed: int = 0) -> dict[str, Raw]:
    """Return a crop (C, S, S) in every way it may fail, by name.

    Parameters
    ----------
    crop : array (C, S, S)
        Raw.
    other : array (C, S, S)
        Another cell, that gets too close.
    seed : int
    """
    rng = np.random.default_rng(seed)
    return {name: one.make(crop, other, rng) for name, one in FAILURES.items()}


def _background(crop: Raw) -> NDArray[np.float64]:
    """Return the level of the darker part of each channel (C, 1, 1)."""
    levels = np.percentile(crop, 20, axis=(1, 2))
    return np.asarray(levels, np.float64)[:, None, None]


def _top(crop: Raw) -> NDArray[np.float64]:
    return np.asarray(np.percentile(crop, 99.5, axis=(1, 2)), np.float64)[:, None, None]


def _like(crop: Raw, values: NDArray[Any]) -> Raw:
    """Round and clip values to what the pixels of a crop can hold."""
    if crop.dtype.kind not in "iu":
        return np.asarray(values, crop.dtype)
    held = np.iinfo(crop.dtype)
    rounded = np.clip(np.rint(values), held.min, held.max)
    return np.asarray(rounded, crop.dtype)
