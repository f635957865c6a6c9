"""The reference of intensity normalisation, and crops that show nothing."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_cellsci.cells.spec import CropSpec
from napari_cellsci.cells.steps import (
    Background,
    Clip,
    Dots,
    Log,
    Pipeline,
    Step,
    Unit,
    ZScore,
)
from napari_cellsci.errors import InputError

Doubles = NDArray[np.float64]
LEAST_DEVIATION = 1e-6
"""Floor of the deviation of a cell's pixels in bright field (grey levels)."""

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


def normalised(crops: NDArray[Any], spec: CropSpec) -> NDArray[np.float32]:
    """Normalise raw crops (n, C, S, S) as `spec` says, in float64.

    Raises
    ------
    InputError
        If the spec needs fitting.
    """
    if not spec.steps:
        return zscore(crops, spec.clip)
    out = np.empty(crops.shape, np.float32)
    for start in range(0, len(crops), CHUNK):
        part = slice(start, start + CHUNK)
        for channel, pipeline in enumerate(spec.pipelines):
            x = np.asarray(crops[part, channel], np.float64)
            out[part, channel] = apply_pipeline(pipeline, x)
    return out


def apply_pipeline(pipeline: Pipeline, x: Doubles) -> Doubles:
    """Return the pixels (n, S, S) of one channel after some steps."""
    for step in pipeline:
        x = bounded(step, forward(step, x))
    return x


def forward(step: Step, x: Doubles) -> Doubles:
    """Return the pixels (n, S, S) of a channel after one step, without its bounds."""
    if isinstance(step, Log):
        return np.log(np.maximum(x, step.floor))
    if isinstance(step, Clip):
        return x
    centre, scale = centre_and_scale(step, x)
    return np.asarray((x - centre) / scale, np.float64)


def bounded(step: Step, x: Doubles) -> Doubles:
    """Return what a step made, within its bounds."""
    if isinstance(step, ZScore | Clip):
        low, high = step.limits((-np.inf, np.inf))
        return np.clip(x, low, high)
    return x


def centre_and_scale(step: Step, x: Doubles) -> tuple[Any, Any]:
    """Return m and s of a step that makes ``(x − m) / s`` of pixels (n, S, S).

    Returns
    -------
    centre, scale : float or array (n, 1, 1)

    Raises
    ------
    InputError
        If the step needs fitting.
    """
    if not step.fitted:
        raise InputError(
            f"The step {step.text} of normalisation has not been fitted to crops yet: "
            "train an encoder or CNN first."
        )
    if isinstance(step, ZScore):
        centre = x.mean(axis=(1, 2), keepdims=True)
        std = np.sqrt(np.square(x - centre).mean(axis=(1, 2), keepdims=True))
        return centre, np.maximum(std, 1 / x.shape[-1])
    if isinstance(step, Background):
        cells = step.cells
        centre = np.median(x[:, ~cells], axis=1)
        std = x[:, cells].std(axis=1)
        return centre[:, None, None], np.maximum(std, LEAST_DEVIATION)[:, None, None]
    if isinstance(step, Dots):
        assert step.means is not None
        assert step.deviations is not None
        return step.means[-1], step.deviations[-1]
    assert isinstance(step, Unit)
    return -step.bound, 2 * step.bound


def is_blank(crops: NDArray[Any]) -> NDArray[np.bool_]:
    """Say which crops (n, C, H, W) have constant pixels in every channel."""
    axes = (-2, -1)
    blank = np.empty(len(crops), bool)
    for start in range(0, len(crops), CHUNK):
        some = np.asarray(crops[start : start + CHUNK])
        same = some.min(axis=axes) == some.max(axis=axes)
        blank[start : start + CHUNK] = same.all(axis=1)
    return blank
