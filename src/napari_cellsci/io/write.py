"""Movies and tracks written to files that other programs read too."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from napari_cellsci.disk import whole_file
from napari_cellsci.errors import InputError
from napari_cellsci.io._raw import sizes
from napari_cellsci.io._table import Tracks

_IMAGEJ_TYPES = ("uint8", "uint16", "float32")
_IMAGEJ_LIMIT = 2**32 - 2**20


def write_movie_tif(
    path: str | Path,
    data: npt.ArrayLike,
    pixel_size: float | None = None,
    frame_interval: float | None = None,
) -> Path:
    """Write a (T, Y, X) stack as a TIFF file that `open_movie` reads back whole.

    ImageJ's format (uint8, uint16, float32 under 4 GB), otherwise OME-TIFF, both
    uncompressed. A file of that name is replaced only once the new one is complete.

    Parameters
    ----------
    path : path
        Where to write.
    data : array (T, Y, X)
        Frames, or label images.
    pixel_size, frame_interval : float, optional
        µm and seconds.

    Raises
    ------
    InputError
        If the stack is not (T, Y, X), or the disk is full or read-only.
    """
    import tifffile

    stack = np.asarray(data)
    if stack.ndim != 3 or 0 in stack.shape:
        raise InputError(
            f"A movie to write is (t, y, x), not {sizes(stack.shape) or 'a number'}."
        )
    stack = _storable(stack)
    options = _options(stack, pixel_size, frame_interval)
    with whole_file(Path(path)) as part:
        tifffile.imwrite(part, stack, photometric="minisblack", **options)
    return Path(path)


def write_tracks_csv(path: str | Path, tracks: Tracks | pd.DataFrame) -> Path:
    """Write tracks in napari's column order (track_id, t, [z], y, x), then the rest.

    Raises
    ------
    InputError
        If the disk is full or read-only.
    """
    table = tracks.table if isinstance(tracks, Tracks) else tracks
    first = [c for c in ("track_id", "t", "z", "y", "x") if c in table]
    ordered = table[first + [c for c in table.columns if c not in first]]
    with whole_file(Path(path)) as part:
        ordered.to_csv(part, index=False)
    return Path(path)


def _options(
    stack: npt.NDArray[Any], pixel_size: float | None, frame_interval: float | None
) -> dict[str, Any]:
    if len(stack) == 1:
        return _single(pixel_size)
    if stack.dtype.name in _IMAGEJ_TYPES and stack.nbytes < _IMAGEJ_LIMIT:
        return _imagej(pixel_size, frame_interval)
    metadata: dict[str, Any] = {"axes": "TYX"}
    if pixel_size is not None:
        for axis in "XY":
            metadata[f"PhysicalSize{axis}"] = pixel_size
            metadata[f"PhysicalSize{axis}Unit"] = "µm"
    if frame_interval is not None:
        metadata |= {"TimeIncrement": frame_interval, "TimeIncrementUnit": "s"}
    return {"ome": True, "bigtiff": stack.nbytes >= _IMAGEJ_LIMIT, "metadata": metadata}


def _imagej(pixel_size: float | None, frame_interval: float | None) -> dict[str, Any]:
    metadata: dict[str, Any] = {"axes": "TYX"}
    if frame_interval is not None:
        metadata["finterval"] = frame_interval
    if pixel_size is None:
        return {"imagej": True, "metadata": metadata}
    metadata["unit"] = "micron"
    edge = 1 / pixel_size
    return {"imagej": True, "metadata": metadata, "resolution": (edge, edge)}


def _single(pixel_size: float | None) -> dict[str, Any]:
    """One frame in plain TIFF: the other formats do not tell it from an image."""
    if pixel_size is None:
        return {"metadata": {"axes": "TYX"}}
    edge = 1e4 / pixel_size
    return {
        "metadata": {"axes": "TYX"},
        "resolution": (edge, edge),
        "resolutionunit": "CENTIMETER",
    }


def _storable(stack: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Narrow element types that TIFF readers do not know, where nothing is lost."""
    if stack.dtype.kind == "b":
        return stack.astype(np.uint8)
    if stack.dtype.kind in "iu" and stack.dtype.itemsize == 8:
        narrow = np.uint32 if stack.min() >= 0 else np.int32
        if np.iinfo(narrow).min <= stack.min() and stack.max() <= np.iinfo(narrow).max:
            return stack.astype(narrow)
    if stack.dtype == np.float16:
        return stack.astype(np.float32)
    return stack
