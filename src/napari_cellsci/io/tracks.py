"""Tracks from files, checked against the movie they belong to."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from napari_cellsci.errors import InputError
from napari_cellsci.io._binary import is_binary, with_numbers
from napari_cellsci.io._btrack import read_btrack
from napari_cellsci.io._csv_tracks import first_cells, read_csv_tracks
from napari_cellsci.io._ctc import LINEAGE_FILES, find_lineage, read_ctc
from napari_cellsci.io._geff import read_geff
from napari_cellsci.io._label_images import open_labels, tracks_from_labels
from napari_cellsci.io._lazy import ArrayLike
from napari_cellsci.io._raw import check_exists, sizes
from napari_cellsci.io._table import Tracks, clean_table, tracks_from_table
from napari_cellsci.io._tiff import TIFF_SUFFIXES
from napari_cellsci.io._trackmate import (
    is_trackmate_csv,
    read_trackmate_csv,
    read_trackmate_xml,
)
from napari_cellsci.io._zarr import is_zarr, zarr_attributes
from napari_cellsci.io.movies import Movie
from napari_cellsci.tasks import CancelToken, OnEvent, ignore

__all__ = [
    "Tracks",
    "is_binary",
    "open_labels",
    "read_tracks",
    "tracks_from_labels",
    "tracks_from_table",
    "validate_masks",
    "validate_tracks",
    "with_numbers",
]

OVERHANG = 0.5
"""How far (px) outside the image a centroid may lie."""


def read_tracks(
    path: str | Path,
    *,
    pixel_size: float | None = None,
    on_event: OnEvent = ignore,
    token: CancelToken | None = None,
) -> Tracks:
    """Read tracks from a file or folder, choosing the reader by name and content.

    Parameters
    ----------
    path : path
        CSV in napari's column order, TrackMate CSV or XML, btrack ``.h5``, a Cell
        Tracking Challenge folder or its ``man_track.txt`` / ``res_track.txt``, GEFF,
        or tracked label images (TIFF, zarr, a folder of TIFF files).
    pixel_size : float, optional
        µm per pixel; used only where positions are in a physical unit and the file does
        not say how large a pixel is.
    on_event, token
        Listener and cancel token; label images take a while to read.

    Raises
    ------
    InputError
        If the file is missing, foreign, cut, or holds no usable tracks.
    """
    path = Path(path)
    check_exists(path)
    if pixel_size is not None and not (np.isfinite(pixel_size) and pixel_size > 0):
        raise InputError(
            f"The pixel size must be a positive number of µm, not {pixel_size}."
        )
    listening: dict[str, Any] = {"on_event": on_event, "token": token}
    if path.is_dir():
        return _read_folder(path, pixel_size, listening)
    if path.name.lower() in LINEAGE_FILES:
        return read_ctc(path, **listening)
    suffix = path.suffix.lower()
    if suffix in (".csv", ".tsv", ".txt"):
        if is_trackmate_csv(first_cells(path)):
            return read_trackmate_csv(path, pixel_size=pixel_size)
        return read_csv_tracks(path)
    if suffix == ".xml":
        return read_trackmate_xml(path, pixel_size=pixel_size)
    if suffix in (".h5", ".hdf5", ".hdf"):
        return read_btrack(path)
    if suffix == ".zip" and is_zarr(path) and "geff" in zarr_attributes(path):
        raise InputError(f"{path} is a zipped GEFF: unpack it and choose the folder.")
    if suffix in TIFF_SUFFIXES or (suffix == ".zip" and is_zarr(path)):
        return tracks_from_labels(path, name=path.name, **listening)
    raise _foreign(path)


def _read_folder(
    path: Path, pixel_size: float | None, listening: dict[str, Any]
) -> Tracks:
    lineage = find_lineage(path)
    if lineage is not None:
        return read_ctc(lineage, **listening)
    if is_zarr(path):
        if "geff" in zarr_attributes(path):
            return read_geff(
                path, pixel_size=pixel_size, on_event=listening["on_event"]
            )
        return tracks_from_labels(path, name=path.name, **listening)
    if any(file.suffix.lower() in TIFF_SUFFIXES for file in path.iterdir()):
        if any(re.match(r"(mask|man_track)\d+\.", f.name) for f in path.iterdir()):
            raise InputError(
                f"{path} has masks but no man_track.txt or res_track.txt: put the "
                "lineage file beside them."
            )
        return tracks_from_labels(path, name=path.name, **listening)
    raise _foreign(path)


def _foreign(path: Path) -> InputError:
    return InputError(
        f"{path} is not a kind of tracks known here: give CSV, btrack .h5, TrackMate "
        ".xml or .csv, a Cell Tracking Challenge folder, GEFF, or tracked label images."
    )


def validate_tracks(tracks: Tracks, movie: Movie) -> Tracks:
    """Check that tracks are sound and belong to the movie.

    Returns
    -------
    Tracks
        The same tracks, sorted by (track_id, t).

    Raises
    ------
    InputError
        If a row is unusable, a frame is beyond the movie, a position is more than half
        a pixel outside the image, or the masks do not fit.
    """
    table = clean_table(tracks.table, "The tracks table")
    _check_frames(table, movie)
    _check_inside(table, movie)
    if tracks.masks is not None:
        validate_masks(tracks.masks, movie)
    return replace(tracks, table=table)


def _check_frames(table: pd.DataFrame, movie: Movie) -> None:
    beyond = table["t"] >= movie.n_frames
    if not beyond.any():
        return
    last, rows = int(table["t"].max()), int(beyond.sum())
    advice = "choose the movie these tracks were made from"
    if int(table["t"].min()) == 1 and last == movie.n_frames:
        advice = "frames count from 0 here, so subtract 1 from t"
    elif movie.n_frames == 1 and movie.n_planes > last:
        advice = "if its planes are time points, open it with T and Z exchanged (axes=)"
    raise InputError(
        f"{movie.name} is shorter than its tracks: it has {movie.n_frames} frame(s), 0 "
        f"to {movie.n_frames - 1}, but the tracks reach frame {last} ({rows} points "
        f"beyond the end): {advice}."
    )


def _check_inside(table: pd.DataFrame, movie: Movie) -> None:
    height, width = movie.shape
    outside = ~_inside(table["y"], height) | ~_inside(table["x"], width)
    if not outside.any():
        return
    row = table[outside].iloc[0]
    advice = "check that they are pixels, not µm, and belong to this movie"
    if _inside(table["x"], height).all() and _inside(table["y"], width).all():
        advice = "they would fit with x and y exchanged"
    raise InputError(
        f"{int(outside.sum())} of {len(table)} track points lie outside the image "
        f"({height} × {width} px), first track {int(row['track_id'])} at frame "
        f"{int(row['t'])} (y {row['y']:.1f}, x {row['x']:.1f}): {advice}."
    )


def _inside(values: pd.Series[float], size: int) -> pd.Series[bool]:
    # pixel centres are whole numbers, so the image itself ends half a pixel beyond them
    margin = 0.5 + OVERHANG
    return (values >= -margin) & (values <= size - 1 + margin)


def validate_masks(masks: ArrayLike, movie: Movie) -> None:
    """Check that label images belong to the movie and hold an object.

    Raises
    ------
    InputError
        If shape or type do not fit, or every label is 0.
    """
    expected = (movie.n_frames, *movie.shape)
    if tuple(masks.shape) != expected:
        raise InputError(
            f"The masks are {sizes(masks.shape)}, but {movie.name} is "
            f"{sizes(expected)} (t × y × x): choose the masks of this movie."
        )
    if np.dtype(masks.dtype).kind not in "ui":
        raise InputError(
            f"The masks hold {np.dtype(masks.dtype)} values, but labels are integers: "
            "save them as uint16 or uint32."
        )
    if not any(np.any(np.asarray(masks[t])) for t in range(movie.n_frames)):
        raise InputError(
            "The masks have no objects (all labels are 0): choose the label images of "
            "this movie."
        )
