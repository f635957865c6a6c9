"""Where the pixels of a crop come from: a plain copy, or one fixed linear operator."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

WHOLE_PIXEL_TOLERANCE = 2e-3
"""Change of magnification below which a window is taken as whole pixels."""
BAND = 16
"""Target pixels computed from the source pixels they see, and from no others."""
GEMM_LIMIT = 1 << 18
"""Multiplications per matrix product: beyond, OpenBLAS starts threads of its own,
which fight with those that encode."""


@dataclass(frozen=True, slots=True)
class Sampling:
    """How one axis of a crop is read from the movie.

    The crop reads the pixels ``c − before … c − before + extent − 1`` around the
    centroid's pixel ``c``.

    Parameters
    ----------
    before : int
        Pixels read before the centroid's pixel.
    extent : int
        Pixels read in all.
    operator : Operator or None
        What turns them into the pixels of the crop; None when they are copied.
    """

    before: int
    extent: int
    operator: Operator | None


class Operator:
    """A sparse linear map of `extent` pixels to `size`, applied to both axes.

    Parameters
    ----------
    matrix : array (size, extent) of float32
        Rows are target pixels; near the diagonal, zero elsewhere.
    """

    def __init__(self, matrix: NDArray[np.float32]) -> None:
        self.matrix = matrix
        self.size, self.extent = matrix.shape
        self._bands = [
            self._band(slice(i, i + BAND)) for i in range(0, self.size, BAND)
        ]

    def _band(self, target: slice) -> tuple[slice, slice, NDArray[np.float32]]:
        seen = np.flatnonzero(self.matrix[target].any(axis=0))
        source = slice(int(seen[0]), int(seen[-1]) + 1)
        return target, source, np.ascontiguousarray(self.matrix[target, source])

    def __call__(self, windows: NDArray[np.float32]) -> NDArray[np.float32]:
        """Map windows (k, extent, extent) to (k, size, size)."""
        half = np.empty((len(windows), self.extent, self.size), np.float32)
        crops = np.empty((len(windows), self.size, self.size), np.float32)
        for target, source, weights in self._bands:
            for some in _strips(self.extent, weights.size):
                seen = windows[:, some, source]
                np.matmul(seen, weights.T, out=half[:, some, target])
        for target, source, weights in self._bands:
            for some in _strips(self.size, weights.size):
                np.matmul(weights, half[:, source, some], out=crops[:, target, some])
        return crops


def _strips(length: int, weights: int) -> list[slice]:
    step = max(1, GEMM_LIMIT // weights)
    return [slice(i, i + step) for i in range(0, length, step)]


def whole_window(window: float) -> float:
    """Return `window` (movie px), rounded where that changes nothing visible.

    21.3 µm of 0.333 µm pixels are 63.96 px: taking 64 spares every crop a blur.
    """
    whole = max(1.0, float(round(window)))
    return whole if abs(window - whole) <= WHOLE_PIXEL_TOLERANCE * window else window


@lru_cache(maxsize=64)
def sampling(window: float, size: int) -> Sampling:
    """Build the sampling of a window of `window` movie px into `size` px.

    Odd and fractional windows are centred on the middle of the centroid's pixel. Even
    windows have no middle pixel: the centroid's is the first of their second half,
    ``window // 2``.
    """
    window = whole_window(window)
    start = -(window // 2) if window % 2 == 0 else 0.5 - window / 2
    first = int(np.floor(start))
    extent = int(np.ceil(start + window)) - first
    if window == size:
        return Sampling(-first, extent, None)
    matrix = linear_matrix(window, size, start - first, extent)
    return Sampling(-first, extent, Operator(matrix))


def linear_matrix(
    window: float, size: int, phase: float, extent: int
) -> NDArray[np.float32]:
    """Antialiased linear interpolation of `window` px into `size` px, as a matrix.

    A triangle as wide as the coarser of the two grids around the centre of each target
    pixel; what falls outside the pixels read is left out and the rest renormalised.
    The same numbers as torch's and Pillow's antialiased bilinear resize.

    Parameters
    ----------
    window : float
        Edge of the source window (px).
    size : int
        Edge of the target (px).
    phase : float
        Where the window begins, from the outer edge of the first pixel read (px).
    extent : int
        Pixels read.

    Returns
    -------
    array (size, extent) of float32, rows summing to one
    """
    scale = window / size
    centres = phase + scale * (np.arange(size) + 0.5)
    distance = np.abs(np.arange(extent) + 0.5 - centres[:, None])
    weights = np.maximum(0.0, 1.0 - distance / max(scale, 1.0))
    weights /= weights.sum(axis=1, keepdims=True)
    return weights.astype(np.float32)
