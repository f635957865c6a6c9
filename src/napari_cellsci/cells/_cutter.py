"""Cut the cells of one frame, straight into the array that keeps them."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from napari_cellsci.cells._resample import Sampling, sampling
from napari_cellsci.cells.spec import CropSpec, Padding
from napari_cellsci.errors import InputError

CHUNK_PIXELS = 1 << 18
"""Source pixels handled at once: what fits in a core's second-level cache."""
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
        self._chunk = max(1, CHUNK_PIXELS // self.plan.extent**2)

    def cut(
        self,
        frame: NDArray[Any],
        yx: NDArray[np.floating[Any]],
        out: NDArray[Any],
        where: str = "The frame",
    ) -> None:
        """Cut the cells at `yx` (n, 2) of `frame` (C, Y, X) into `out` (n, C, S, S).

        Raises
        ------
        InputError
            If the frame has pixels that are NaN or infinite; `where` names it.
        """
        fill = _fill_values(frame, where)
        corners = centre_pixels(yx) - self.plan.before
        last = np.array(frame.shape[1:]) - self.plan.extent
        inside = ((corners >= 0) & (corners <= last)).all(axis=1)
        self._cut_inside(frame, corners, np.flatnonzero(inside), fill, out)
        self._cut_across(frame, corners, np.flatnonzero(~inside), fill, out)

    def _cut_inside(
        self,
        frame: NDArray[Any],
        corners: NDArray[np.int64],
        rows: NDArray[np.intp],
        fill: NDArray[Any],
        out: NDArray[Any],
    ) -> None:
        if not rows.size:
            return
        extent = self.plan.extent
        windows = sliding_window_view(frame, (extent, extent), axis=(1, 2))
        for some in self._chunks(rows):
            y, x = corners[some].T
            for channel, view in enumerate(windows):
                self._store(view[y, x], fill[channel], out, some, channel)

    def _cut_across(
        self,
        frame: NDArray[Any],
        corners: NDArray[np.int64],
        rows: NDArray[np.intp],
        fill: NDArray[Any],
        out: NDArray[Any],
    ) -> None:
        """Cut the cells whose window crosses the border."""
        if not rows.size:
            return
        span = np.arange(self.plan.extent)
        for some in self._chunks(rows):
            y, y_out = _fold(corners[some, :1] + span, frame.shape[1], self.padding)
            x, x_out = _fold(corners[some, 1:] + span, frame.shape[2], self.padding)
            beyond = y_out[:, :, None] | x_out[:, None, :]
            for channel, plane in enumerate(frame):
                block = plane[y[:, :, None], x[:, None, :]]
                np.copyto(block, fill[channel], where=beyond)
                self._store(block, fill[channel], out, some, channel)

    def _chunks(self, rows: NDArray[np.intp]) -> list[NDArray[np.intp]]:
        return [rows[i : i + self._chunk] for i in range(0, rows.size, self._chunk)]

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


def _fill_values(frame: NDArray[Any], where: str) -> NDArray[Any]:
    """Mean of each channel as a pixel value; refuse frames that are not finite."""
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


def _fold(
    index: NDArray[np.int64], length: int, padding: Padding
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Bring indices into ``0 … length − 1`` and say which must be filled.

    The mirror does not repeat the edge pixel (numpy's ``reflect``).
    """
    if padding == "mean":
        folded = np.clip(index, 0, length - 1)
        return folded, folded != index
    period = max(1, 2 * (length - 1))
    folded = np.abs((index + length - 1) % period - (length - 1))
    return folded, np.zeros(index.shape, bool)
