"""The reference of intensity normalisation, and crops that show nothing."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

CHUNK = 256
"""Crops normalised at once, to bound the memory of the float64 sums."""


def zscore(crops: NDArray[Any], clip: float = 4.0) -> NDArray[np.float32]:
    """Normalise the pixels of each crop and channel (`CropSpec.normalisation`).

    ``clip((x − mean) / max(std, 1/size), −clip, clip)`` with the population standard
    deviation, computed in float64. Source: lowe-lab-ucl/cellx-predict, the code of the
    group of arXiv 2402.03115.

    Parameters
    ----------
    crops : array (n, C, H, W)
        Raw crops; ``size`` is W.
    clip : float
        Bound of the result (standard deviations).

    Returns
    -------
    array (n, C, H, W) of float32
    """
    out = np.empty(crops.shape, np.float32)
    floor = 1.0 / crops.shape[-1]
    for start in range(0, len(crops), CHUNK):
        x = np.array(crops[start : start + CHUNK], dtype=np.float64)
        x -= x.mean(axis=(-2, -1), keepdims=True)
        std = np.sqrt(np.square(x).mean(axis=(-2, -1), keepdims=True))
        x /= np.maximum(std, floor)
        np.clip(x, -clip, clip, out=x)
        out[start : start + CHUNK] = x
    return out


def is_blank(crops: NDArray[Any]) -> NDArray[np.bool_]:
    """Say which crops (n, C, H, W) have constant pixels in every channel."""
    axes = (-2, -1)
    blank = np.empty(len(crops), bool)
    for start in range(0, len(crops), CHUNK):
        some = np.asarray(crops[start : start + CHUNK])
        same = some.min(axis=axes) == some.max(axis=axes)
        blank[start : start + CHUNK] = same.all(axis=1)
    return blank
