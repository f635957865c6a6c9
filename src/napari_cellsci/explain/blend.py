"""Perturbations of crops put back into the movie they were cut from.

Only the perturbation travels, resampled to the movie's pixels; the movie itself is
added to, never resampled. Where crops overlap, the perturbations are averaged.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_cellsci.cells._cutter import centre_pixels
from napari_cellsci.cells._resample import sampling, whole_window
from napari_cellsci.cells.spec import CropSpec
from napari_cellsci.explain.way_back import WayBack

Floats = NDArray[np.float32]


@dataclass(frozen=True, eq=False, slots=True)
class Return:
    """The way back from the pixels of a crop to those of the movie.

    Parameters
    ----------
    before : int
        Movie pixels of a window before the centroid's.
    matrix : array (extent, size)
        Maps crop pixels to movie pixels along one axis; rows sum to one, or to zero for
        a movie pixel whose middle lies outside of the window.
    """

    before: int
    matrix: Floats

    @classmethod
    def of(cls, spec: CropSpec, pixel_size: float | None) -> Return:
        """Return the way back for crops of a specification.

        Linear interpolation, antialiased where the crop is finer than the movie: no
        movie pixel changes by more than the crop's pixels do.

        Raises
        ------
        InputError
            If the window's size is not known.
        """
        window, size = whole_window(spec.window(pixel_size)), spec.size
        plan = sampling(window, size)
        if plan.operator is None:
            return cls(plan.before, np.eye(size, dtype=np.float32))
        start = -(window // 2) if window % 2 == 0 else 0.5 - window / 2
        middles = np.arange(plan.extent) + 0.5 - (start + plan.before)
        inside = (middles > 0) & (middles < window)
        scale = size / window
        distance = np.abs(np.arange(size) + 0.5 - (middles * scale)[:, None])
        # Outermost middles may lie half a crop pixel outside of all crop middles.
        weights = np.maximum(0.0, 1.0 - distance / max(scale, 1.0))
        weights /= weights.sum(axis=1, keepdims=True).clip(1e-9)
        return cls(plan.before, (weights * inside[:, None]).astype(np.float32))

    @property
    def extent(self) -> int:
        """Movie pixels of a window along one axis."""
        return int(self.matrix.shape[0])

    def __call__(self, delta: NDArray[Any]) -> Floats:
        """Map perturbations (n, C, size, size) to windows (n, C, extent, extent)."""
        delta = np.asarray(delta, np.float32)
        if self.matrix.shape[0] == self.matrix.shape[1] and np.array_equal(
            self.matrix, np.eye(len(self.matrix), dtype=np.float32)
        ):
            return delta
        return np.asarray(self.matrix @ delta @ self.matrix.T, np.float32)

    @property
    def covered(self) -> NDArray[np.bool_]:
        """Which movie pixels (extent, extent) of a window belong to the crop."""
        inside = np.asarray(self.matrix.any(axis=1))
        return np.asarray(np.outer(inside, inside))


def blend_frame(
    shape: tuple[int, int],
    yx: NDArray[np.floating[Any]],
    delta: NDArray[Any],
    way: Return,
) -> tuple[Floats, NDArray[np.int32]]:
    """Put the perturbations of the cells of one frame back.

    Parameters
    ----------
    shape : (int, int)
        Height and width of the frame (px).
    yx : array (n, 2)
        Centroids (px), as the crops were cut around them.
    delta : array (n, C, size, size)
        Perturbations in grey levels.
    way : Return

    Returns
    -------
    difference : array (C, Y, X)
        In grey levels; zero outside of the crops, the mean where they overlap.
    count : int array (Y, X)
        Crops that lie on each pixel.
    """
    windows = way(delta)
    total = np.zeros((delta.shape[1], *shape), np.float32)
    count = np.zeros(shape, np.int32)
    corners = centre_pixels(np.asarray(yx, np.float64).reshape(-1, 2)) - way.before
    covered = way.covered
    for (top, left), window in zip(corners.tolist(), windows, strict=True):
        y0, x0 = max(top, 0), max(left, 0)
        y1, x1 = min(top + way.extent, shape[0]), min(left + way.extent, shape[1])
        if y0 >= y1 or x0 >= x1:
            continue
        part = np.s_[y0 - top : y1 - top, x0 - left : x1 - left]
        total[:, y0:y1, x0:x1] += window[:, part[0], part[1]]
        count[y0:y1, x0:x1] += covered[part]
    np.divide(total, count, out=total, where=count > 1)
    return total, count


def crop_scale(crops: NDArray[Any], spec: CropSpec | None = None) -> Floats:
    """Return grey levels per normalised unit of crops (n, C, S, S), as (n, C).

    ``max(std, 1/size)``, what the z-score divides by. With other steps what they
    divide by in all; where they take a logarithm, the mean over a crop's pixels.

    Parameters
    ----------
    crops : array (n, C, S, S)
        Raw crops.
    spec : CropSpec, optional
        How they are normalised, by default by the z-score.
    """
    if spec is not None and spec.steps:
        slopes = WayBack.of(crops, spec).slopes
        return np.asarray(slopes.mean(axis=(2, 3)), np.float32)
    size = crops.shape[-1]
    # The first pixel goes first, so that a camera's offset costs no precision.
    wide = np.asarray(crops, np.float64)
    deviation = (wide - wide[:, :, :1, :1]).std(axis=(2, 3))
    return np.asarray(np.maximum(deviation, 1 / size), np.float32)


def in_grey_levels(
    delta: NDArray[Any], crops: NDArray[Any], spec: CropSpec | None = None
) -> Floats:
    """Turn perturbations (n, C, S, S) in normalised units into grey levels.

    What a crop is normalised by (its mean, its background) stays what it is without
    the perturbation, and bounds are left aside.
    """
    if spec is not None and spec.steps:
        return np.asarray(WayBack.of(crops, spec)(delta), np.float32)
    return np.asarray(delta * crop_scale(crops)[:, :, None, None], np.float32)
