"""Cut the cells of one frame, straight into the array that keeps them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from napari_cellsci.cells._resample import Sampling, sampling
from napari_cellsci.cells.spec import CropSpec, Padding
from napari_cellsci.errors import InputError

CHUNK_PIXELS = 1 << 18
"""Pixels handled at once: what fits in a core's second-level cache."""
FAR = 1e9
"""Centroids are clipped to ± this many px, so that they stay integers."""


class FrameSource(Protocol):
    """What cropping needs to know of a movie; `napari_cellsci.io.Movie` is one."""

    @property
    def name(self) -> str:
        """Name for messages."""

    @property
    def n_frames(self) -> int:
        """Number of frames."""

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width (px)."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the pixels."""

    @property
    def pixel_size(self) -> float | None:
        """µm per pixel, None when it is not known."""

    def frame(self, t: int, channels: Any = (0,), z: Any = "max") -> NDArray[Any]:
        """Read frame `t` as (C, Y, X)."""


def centre_pixels(yx: NDArray[np.floating[Any]]) -> NDArray[np.int64]:
    """Round centroids (n, 2) to pixels, halves up, whatever their sign."""
    pixels: NDArray[np.int64] = np.floor(np.clip(yx, -FAR, FAR) + 0.5).astype(np.int64)
    return pixels


def result_dtype(dtype: np.dtype[Any], plan: Sampling) -> np.dtype[Any]:
    """Type of the crops of a movie of `dtype`, always in native byte order."""
    native = np.dtype(dtype).newbyteorder("=")
    if plan.operator is None or native == np.uint16:
        return native
    return np.dtype(np.float32)


class Cutter:
    """Cuts cells of frames of one kind into the crops of one specification.

    Parameters
    ----------
    spec : CropSpec
        What is cut.
    pixel_size : float or None
        µm per pixel of the movie, None when it is not known.
    """

    def __init__(self, spec: CropSpec, pixel_size: float | None) -> None:
        self.size = spec.size
        self.padding: Padding = spec.padding
        self.plan = sampling(spec.window(pixel_size), spec.size)
        self._chunk = max(1, CHUNK_PIXELS // max(self.size, self.plan.extent) ** 2)

    def cut(
        self,
        frame: NDArray[Any],
        fill: NDArray[Any],
        yx: NDArray[np.floating[Any]],
        out: NDArray[Any],
        rows: NDArray[np.intp] | None = None,
    ) -> None:
        """Cut the cells at `yx` (n, 2) of `frame` (C, Y, X) into `out` (≥ n, C, S, S).

        They fill the `rows` of `out`, by default the first n. `fill` holds the
        `fill_values` of the frame.
        """
        corners = centre_pixels(yx) - self.plan.before
        last = np.array(frame.shape[1:]) - self.plan.extent
        inside = ((corners >= 0) & (corners <= last)).all(axis=1)
        rows = np.arange(len(yx)) if rows is None else rows
        for cells, windows in (
            (np.flatnonzero(inside), self._inside),
            (np.flatnonzero(~inside), self._across),
        ):
            for start in range(0, cells.size, self._chunk):
                some = cells[start : start + self._chunk]
                for channel, block in enumerate(windows(frame, corners[some], fill)):
                    self._store(block, fill[channel], out, rows[some], channel)

    def _inside(
        self, frame: NDArray[Any], corners: NDArray[np.int64], fill: NDArray[Any]
    ) -> Iterator[NDArray[Any]]:
        """Yield, channel by channel, the windows (k, extent, extent) at `corners`."""
        extent = self.plan.extent
        y, x = corners.T
        for windows in sliding_window_view(frame, (extent, extent), axis=(1, 2)):
            yield windows[y, x]

    def _across(
        self, frame: NDArray[Any], corners: NDArray[np.int64], fill: NDArray[Any]
    ) -> Iterator[NDArray[Any]]:
        """Yield the same for windows that cross the border."""
        if self.padding == "reflect":
            yield from self._mirrored(frame, corners)
            return
        extent = self.plan.extent
        low = np.clip(corners, 0, frame.shape[1:])
        high = np.clip(corners + extent, 0, frame.shape[1:])
        spans = np.hstack([low, high, low - corners, high - corners]).tolist()
        for plane, value in zip(frame, fill, strict=True):
            block = np.full((len(corners), extent, extent), value)
            for window, (y0, x0, y1, x1, top, left, bottom, right) in zip(
                block, spans, strict=True
            ):
                window[top:bottom, left:right] = plane[y0:y1, x0:x1]
            yield block

    def _mirrored(
        self, frame: NDArray[Any], corners: NDArray[np.int64]
    ) -> Iterator[NDArray[Any]]:
        span = np.arange(self.plan.extent)
        height, width = frame.shape[1:]
        y = mirror(corners[:, :1] + span, height) * width
        x = mirror(corners[:, 1:] + span, width)
        pixels = y[:, :, None] + x[:, None, :]
        for plane in frame:
            yield plane.reshape(-1).take(pixels)

    def _store(
        self,
        block: NDArray[Any],
        fill: Any,
        out: NDArray[Any],
        rows: NDArray[np.intp],
        channel: int,
    ) -> None:
        """Write the windows (k, extent, extent) of one channel, resampled if asked."""
        operator = self.plan.operator
        if operator is None:
            out[rows, channel] = block
            return
        # float32 holds what varies, not the camera's offset: it is put back at the end
        exact = _exact(block.dtype)
        source = np.subtract(block, float(fill), dtype=exact)
        crops = operator(source.astype(np.float32, copy=False))
        if out.dtype.kind == "u":
            np.rint(crops, out=crops)
        out[rows, channel] = np.add(crops, float(fill), dtype=exact)


def _exact(dtype: np.dtype[Any]) -> type[np.floating[Any]]:
    """Float that holds differences of pixels of `dtype` without loss."""
    small = dtype.kind in "iub" and dtype.itemsize <= 2
    return np.float32 if small or dtype in (np.float16, np.float32) else np.float64


def fill_values(frame: NDArray[Any], where: str = "The frame") -> NDArray[Any]:
    """Return the mean of each channel of a frame (C, Y, X) as a pixel value.

    Raises
    ------
    InputError
        If the frame, named `where`, has pixels that are NaN or infinite.
    """
    mean = frame.mean(axis=(1, 2), dtype=np.float64)
    if not np.isfinite(mean).all():
        raise InputError(
            f"{where} has pixels that are NaN or infinite; replace them, for example "
            "by 0, before cutting crops."
        )
    if frame.dtype.kind != "f":
        mean = np.rint(mean)
    fill: NDArray[Any] = mean.astype(frame.dtype)
    return fill


def mirror(index: NDArray[np.int64], length: int) -> NDArray[np.int64]:
    """Bring indices into ``0 … length − 1`` as numpy's ``reflect`` does.

    The edge pixel is not repeated.
    """
    period = max(1, 2 * (length - 1))
    folded: NDArray[np.int64] = np.abs((index + length - 1) % period - (length - 1))
    return folded
