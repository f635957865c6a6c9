"""Crops of every cell of a movie: each frame is read once, memory stays bounded."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from napari_cellsci.cells._cutter import (
    Cutter,
    FrameSource,
    fill_values,
    result_dtype,
)
from napari_cellsci.cells._prefetch import prefetch
from napari_cellsci.cells._resample import sampling
from napari_cellsci.cells.spec import CropSpec
from napari_cellsci.errors import InputError
from napari_cellsci.tasks import CancelToken, OnEvent, Progress, ignore


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
    Cutter(spec, pixel_size).cut(frame, fill_values(frame), yx, out)
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
    token = token or CancelToken()
    token.raise_if_cancelled()
    cutter = Cutter(spec, movie.pixel_size)
    done = 0
    for frame in prefetch(_frames(movie, cells, spec)):
        token.raise_if_cancelled()
        cutter.cut(frame.pixels, frame.fill, frame.yx, out, frame.rows)
        done += len(frame.rows)
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
    shape = (batch, spec.n_channels, spec.size, spec.size)
    dtype = result_dtype(movie.dtype, cutter.plan)
    rows, crops, filled = np.empty(batch, np.intp), np.empty(shape, dtype), 0
    for frame in _frames(movie, cells, spec):
        at = 0
        while at < len(frame.rows):
            token.raise_if_cancelled()
            some = slice(at, at + batch - filled)
            taken = len(frame.rows[some])
            cutter.cut(frame.pixels, frame.fill, frame.yx[some], crops[filled:])
            rows[filled : filled + taken] = frame.rows[some]
            at, filled = at + taken, filled + taken
            if filled == batch:
                yield rows, crops
                rows, crops, filled = np.empty_like(rows), np.empty_like(crops), 0
    if filled:
        yield rows[:filled], crops[:filled]


@dataclass(frozen=True, slots=True)
class _Frame:
    """A frame (C, Y, X), its means, and its cells: rows of the table, centroids."""

    pixels: NDArray[Any]
    fill: NDArray[Any]
    rows: NDArray[np.intp]
    yx: NDArray[np.float64]


def _frames(
    movie: FrameSource, cells: pd.DataFrame, spec: CropSpec
) -> Iterator[_Frame]:
    """Read the frames that have cells, in order, each once."""
    times = cells["t"].to_numpy(dtype=np.int64)
    yx = cells[["y", "x"]].to_numpy(dtype=np.float64)
    _check_cells(movie, times, yx)
    order = np.argsort(times, kind="stable")
    present, first = np.unique(times[order], return_index=True)
    expected = (spec.n_channels, *movie.shape)
    for t, rows in zip(present.tolist(), np.split(order, first)[1:], strict=True):
        where = f"Frame {t} of {movie.name}"
        pixels = np.asarray(movie.frame(t, spec.channels, spec.z))
        if pixels.shape != expected:
            raise InputError(
                f"{where} has the shape {pixels.shape} instead of {expected}: the file "
                "may be cut short or damaged."
            )
        yield _Frame(pixels, fill_values(pixels, where), rows, yx[rows])


def _check_cells(
    movie: FrameSource, times: NDArray[np.int64], yx: NDArray[np.float64]
) -> None:
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
