"""From normalised pixels back to grey levels, whatever steps normalised them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_cellsci.cells.normalise import bounded, centre_and_scale, forward
from napari_cellsci.cells.spec import CropSpec
from napari_cellsci.cells.steps import Clip, Log, Pipeline

Doubles = NDArray[np.float64]


def is_linear(spec: CropSpec) -> bool:
    """Whether a change of normalised pixels is so many grey levels everywhere."""
    return not any(isinstance(step, Log) for one in spec.steps for step in one)


@dataclass(frozen=True, eq=False, slots=True)
class WayBack:
    """What the pixels of some crops were normalised by.

    Parameters
    ----------
    channels : list of list of (centre, scale) or array
        For each step that is undone, from the last to the first: what it subtracted
        and divided by, or what it took the logarithm of.
    shape : tuple of int
        Of the crops.
    """

    channels: list[list[Any]]
    shape: tuple[int, ...]

    @classmethod
    def of(cls, crops: NDArray[Any], spec: CropSpec) -> WayBack:
        """Follow raw crops (n, C, S, S) on their way through the steps."""
        raw = np.asarray(crops)
        ways = [
            _trace(pipeline, np.asarray(raw[:, channel], np.float64))
            for channel, pipeline in enumerate(spec.pipelines)
        ]
        return cls(ways, raw.shape)

    def __call__(self, delta: NDArray[Any]) -> Doubles:
        """Return how many grey levels a change (n, C, S, S) of normalised pixels is."""
        out = np.array(delta, np.float64)
        for channel, way in enumerate(self.channels):
            change = out[:, channel]
            for step in way:
                if isinstance(step, tuple):
                    change = change * step[1]
                else:
                    change = step * np.expm1(change)
            out[:, channel] = change
        return out

    @property
    def slopes(self) -> Doubles:
        """Grey levels per normalised unit at every pixel (n, C, S, S), for little."""
        out = np.ones(self.shape)
        for channel, way in enumerate(self.channels):
            for step in way:
                out[:, channel] *= step[1] if isinstance(step, tuple) else step
        return out


def _trace(pipeline: Pipeline, x: Doubles) -> list[Any]:
    """Return what undoes the steps of a channel (n, S, S), the last one first."""
    way: list[Any] = []
    free = x  # as if nothing were clipped
    for step in pipeline:
        if isinstance(step, Log):
            way.append(np.maximum(free, step.floor))
        if isinstance(step, Log | Clip):
            x, free = bounded(step, forward(step, x)), forward(step, free)
            continue
        centre, scale = centre_and_scale(step, x)
        way.append((centre, scale))
        x, free = bounded(step, forward(step, x)), (free - centre) / scale
    return way[::-1]
