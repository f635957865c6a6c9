"""Crops of every cell of a movie: each frame is read once, memory stays bounded."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from napari_cellsci.cells._cutter import Cutter, FrameSource, result_dtype
from napari_cellsci.cells._prefetch import prefetch
from napari_cellsci.cells._resample import sampling
from napari_cellsci.cells.spec import CropSpec
from napari_cellsci.errors import InputError
from napari_cellsci.tasks import CancelToken, OnEvent, Progress, ignore

BATCH_BYTES = 1 << 22
"""Crops `crop_movie` holds on their way to the file, a batch at a time."""


def crop_dtype(
    movie_dtype: np.dtype[Any] | type, spec: CropSpec, pixel_size: float | None
) -> np.dtype[Any]:
    """Type of the crops: the movie's own, but float32 once resampled.

    Resampled uint16 stays uint16. The byte order is the machine's.
    """
    plan = sampling(spec.window(pixel_size), spec.size)
    return result_dtype(np.dtype(movie_dtype), plan)


def crop_frame(
    frame: NDArray[Any],
    yx: NDArray[np.floating[Any]],
    spec: CropSpec,
    pixel_size: float | None,
) -> NDArray[Any]:
    """Cut the cells of one frame.

    A window of `spec.window` movie px lies around each centroid, rounded to the pixel
    (halves up). Pixel ``w // 2`` of a window of w whole px is the centroid's pixel, so
    that an even window has one pixel more before it than after. A window as large as
    the crop is copied; any other passes one antialiased linear interpolation. Windows
    that miss whole pixels by less than 0.2 % are taken as whole.

    Parameters
    ----------
    frame : array (C, Y, X)
        The channels of `spec.channels`, in this order.
    yx : array (n, 2)
        Centroids (px); pixel 0 has its middle at 0.
    spec : CropSpec
        What is cut.
    pixel_size : float or None
        µm per pixel; None when it is not known.

    Returns
    -------
    array (n, C, size, size) of `crop_dtype`

    Raises
    ------
    InputError
        If the frame has NaN or infinite pixels, or the window's size is not known.
    """
    frame = np.asarray(frame)
    yx = np.asarray(yx, dtype=np.float64).reshape(-1, 2)
    dtype = crop_dtype(frame.dtype, spec, pixel_size)
    out = np.empty((len(yx), frame.shape[0], spec.size, spec.size), dtype)
    Cutter(spec, pixel_size).cut(frame, yx, out)
    return out


def crop_movie(
    movie: FrameSource,
    cells: pd.DataFrame,
    spec: CropSpec,
    *,
    out: NDArray[Any] | None = None,
    on_event: OnEvent = ignore,
    token: CancelToken | None = None,
) -> NDArray[Any]:
    """Cut every cell of a movie.

    Parameters
    ----------
    movie : Movie
        Source of the frames; each that has a cell is read once.
    cells : DataFrame
        One row per cell with ``t`` (frame) and ``y``, ``x`` (px), in any order.
    spec : CropSpec
        What is cut.
    out : array (n, C, size, size) of `crop_dtype`, optional
        Where the crops go, usually a memory map.
    on_event, token
        Listener and cancel token.

    Returns
    -------
    array (n, C, size, size)
        The crops in the row order of `cells`; `out` if it was given.

    Raises
    ------
    InputError
        If a cell's frame does not exist or has NaN or infinite pixels, or a centroid
        is not a number.
    Cancelled
        If the token asks for it; `out` is then incomplete.
    """
    shape = (len(cells), spec.n_channels, spec.size, spec.size)
    dtype = crop_dtype(movie.dtype, spec, movie.pixel_size)
    if out is None:
        out = np.empty(shape, dtype)
    if out.shape != shape or out.dtype != dtype:
        raise ValueError(
            f"The crops are {shape} of {dtype}, their array {out.shape} of {out.dtype}."
        )
    batch = max(1, BATCH_BYTES // max(1, dtype.itemsize * int(np.prod(shape[1:]))))
    done = 0
    for rows, crops in iter_crops(movie, cells, spec, batch=batch, token=token):
        out[rows] = crops
        done += len(rows)
        on_event(Progress("Cutting crops", done, len(cells)))
    return out


def iter_crops(
    movie: FrameSource,
    cells: pd.DataFrame,
    spec: CropSpec,
    *,
    batch: int,
    token: CancelToken | None = None,
) -> Iterator[tuple[NDArray[np.intp], NDArray[Any]]]:
    """Stream the crops of a movie in frame order, holding a few batches at most.

    A background thread reads and cuts the next batches meanwhile; it ends with the
    iteration, also when that is closed early.

    Parameters
    ----------
    movie, cells, spec, token
        As for `crop_movie`.
    batch : int
        Crops per batch; the last may be smaller.

    Yields
    ------
    rows : array (k,) of int
        Positions in `cells`, counted from 0.
    crops : array (k, C, size, size) of `crop_dtype`
        Their crops, in an array of their own.

    Raises
    ------
    InputError, Cancelled
        As for `crop_movie`.
    """
    token = token or CancelToken()
    token.raise_if_cancelled()
    for made in prefetch(_batches(movie, cells, spec, max(1, batch), token)):
        token.raise_if_cancelled()
        yield made


def _batches(
    movie: FrameSource,
    cells: pd.DataFrame,
    spec: CropSpec,
    batch: int,
    token: CancelToken,
) -> Iterator[tuple[NDArray[np.intp], NDArray[Any]]]:
    """Cut batches in frame order, each filled from as many frames as it takes."""
    cutter = Cutter(spec, movie.pixel_size)
    dtype = result_dtype(movie.dtype, cutter.plan)
    order, times, yx = _in_frame_order(movie, cells)
    edges = np.flatnonzero(np.diff(times)) + 1
    t, frame = -1, np.empty(0)
    for start in range(0, len(order), batch):
        stop = min(start + batch, len(order))
        crops = np.empty((stop - start, spec.n_channels, spec.size, spec.size), dtype)
        inner = edges[(edges > start) & (edges < stop)].tolist()
        for a, b in zip([start, *inner], [*inner, stop], strict=True):
            token.raise_if_cancelled()
            if times[a] != t:
                t = int(times[a])
                frame = _read(movie, t, spec)
            where = f"Frame {t} of {movie.name}"
            cutter.cut(frame, yx[a:b], crops[a - start : b - start], where)
        yield order[start:stop], crops


def _read(movie: FrameSource, t: int, spec: CropSpec) -> NDArray[Any]:
    frame = np.asarray(movie.frame(t, spec.channels, spec.z))
    expected = (spec.n_channels, *movie.shape)
    if frame.shape != expected:
        raise InputError(
            f"Frame {t} of {movie.name} has the shape {frame.shape} instead of "
            f"{expected}: the file may be cut short or damaged."
        )
    return frame


def _in_frame_order(
    movie: FrameSource, cells: pd.DataFrame
) -> tuple[NDArray[np.intp], NDArray[np.int64], NDArray[np.float64]]:
    """Positions of the cells by frame, with their frames and centroids."""
    times = cells["t"].to_numpy(dtype=np.int64)
    yx = cells[["y", "x"]].to_numpy(dtype=np.float64)
    wrong = np.flatnonzero((times < 0) | (times >= movie.n_frames))
    if wrong.size:
        raise InputError(
            f"A cell lies in frame {times[wrong[0]]}, but {movie.name} has only the "
            f"frames 0 to {movie.n_frames - 1}."
        )
    if not np.isfinite(yx).all():
        raise InputError(
            f"The centroids of {movie.name} contain NaN or infinite values; remove "
            "these rows from the tracks."
        )
    order = np.argsort(times, kind="stable")
    return order, times[order], yx[order]
