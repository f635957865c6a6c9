"""Shape, brightness and surroundings of the object each cell is tracked by."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from napari_cellsci.cells._cutter import FrameSource
from napari_cellsci.cells._masks import Labels, check_masks, object_at, read_labels
from napari_cellsci.cells.shapes import measure_objects
from napari_cellsci.errors import InputError
from napari_cellsci.tasks import CancelToken, OnEvent, Progress, ignore

SHAPE = (
    "area",
    "eccentricity",
    "orientation",
    "axis_major_length",
    "axis_minor_length",
    "solidity",
    "perimeter",
)
"""What is measured of each mask, as scikit-image defines it; lengths in px, radians."""


def region_properties(
    masks: Any,
    image: FrameSource | None,
    cells: pd.DataFrame,
    *,
    pixel_size: float | None,
    tracked: bool,
    window: float | None = None,
    channels: tuple[int, ...] = (0,),
    z: int | Literal["max"] = "max",
    on_event: OnEvent = ignore,
    token: CancelToken | None = None,
) -> pd.DataFrame:
    """Measure the object of every cell, as scikit-image's region properties are.

    An object is the cell's if its label is the cell's ``track_id`` (`tracked`), else
    its ``label_id`` where the table has one; otherwise it lies under the centroid or
    within 5 px of it.

    Parameters
    ----------
    masks : array-like (T, Y, X) of integer labels
        0 is background. Each frame that has a cell is read once.
    image : Movie or None
        Source of the mean intensities.
    cells : DataFrame
        One row per cell of this movie: ``track_id, t, y, x`` and optionally
        ``label_id``.
    pixel_size : float or None
        µm per pixel; None when it is not known.
    tracked : bool
        Whether a label's value is its track.
    window : float, optional
        Edge of the crop's window (movie px), to count neighbours in it.
    channels, z
        Channels and plane of `image` that are measured.
    on_event, token
        Listener and cancel token.

    Returns
    -------
    DataFrame with the index of `cells`
        ``area`` (px), ``area_um2`` if the pixel size is known, ``eccentricity``,
        ``orientation`` (radians from the rows' axis, counter-clockwise),
        ``axis_major_length``, ``axis_minor_length``, ``solidity``, ``perimeter``,
        ``mean_intensity`` (``mean_intensity_1``, … for further channels),
        ``offset_y``, ``offset_x`` (centroid of the mask minus that of the track, px)
        and ``neighbours``; NaN where a cell has no object.

    Raises
    ------
    InputError
        If the masks have no objects, other axes, or fewer frames than the cells.
    Cancelled
        If the token asks for it.
    """
    token = token or CancelToken()
    check_masks(masks)
    _check_frames(masks, image, cells)
    yx = cells[["y", "x"]].to_numpy(dtype=np.float64)
    brightness = _intensity_names(image, channels)
    names = [*SHAPE, *brightness, "offset_y", "offset_x"]
    values = np.full((len(cells), len(names)), np.nan)
    done, objects = 0, 0
    for t, rows in _by_frame(cells):
        token.raise_if_cancelled()
        labels = read_labels(masks, t)
        pixels = None if image is None else image.frame(t, channels, z)
        measured = _measure(labels, pixels, brightness)
        found = objects_of(labels, cells.iloc[rows], tracked)
        values[rows] = measured.reindex(found)[names].to_numpy()
        values[rows, -2:] -= yx[rows]
        done, objects = done + len(rows), objects + len(measured)
        on_event(Progress("Measuring objects", done, len(cells)))
    if len(cells) and not objects:
        raise InputError(
            "The masks have no objects in the frames of these cells: every pixel is "
            "background (0)."
        )
    table = pd.DataFrame(values, columns=names, index=cells.index)
    if pixel_size is not None:
        table.insert(1, "area_um2", table["area"] * pixel_size**2)
    if window is not None:
        table["neighbours"] = count_neighbours(cells, window)
    return table


def count_neighbours(cells: pd.DataFrame, window: float) -> NDArray[np.int64]:
    """Count the other cells of the frame whose centroid lies in each cell's window.

    Parameters
    ----------
    cells : DataFrame
        One row per cell of one movie, with ``t, y, x`` (px).
    window : float
        Edge of the square window around each centroid (px).

    Returns
    -------
    array (n,) of int64
    """
    from scipy.spatial import KDTree

    yx = cells[["y", "x"]].to_numpy(dtype=np.float64)
    counts = np.zeros(len(cells), np.int64)
    for _, rows in _by_frame(cells):
        tree = KDTree(yx[rows])
        within = tree.query_ball_point(
            yx[rows], window / 2, p=np.inf, return_length=True
        )
        counts[rows] = within - 1
    return counts


def _by_frame(cells: pd.DataFrame) -> list[tuple[int, NDArray[np.intp]]]:
    """Positions of the cells of each frame."""
    times = cells["t"].to_numpy(dtype=np.int64)
    order = np.argsort(times, kind="stable")
    frames, first = np.unique(times[order], return_index=True)
    return list(zip(frames.tolist(), np.split(order, first)[1:], strict=True))


def _check_frames(masks: Any, image: FrameSource | None, cells: pd.DataFrame) -> None:
    if image is not None and tuple(masks.shape[1:]) != tuple(image.shape):
        raise InputError(
            f"The masks are {masks.shape[1]} × {masks.shape[2]} px, but {image.name} "
            f"is {image.shape[0]} × {image.shape[1]} px."
        )
    if len(cells) and cells["t"].max() >= masks.shape[0]:
        raise InputError(
            f"A cell lies in frame {cells['t'].max()}, but the masks have only the "
            f"frames 0 to {masks.shape[0] - 1}."
        )


def _intensity_names(
    image: FrameSource | None, channels: tuple[int, ...]
) -> tuple[str, ...]:
    if image is None:
        return ()
    more = (f"mean_intensity_{i}" for i in range(1, len(channels)))
    return ("mean_intensity", *more)


def objects_of(labels: Labels, cells: pd.DataFrame, tracked: bool) -> list[int]:
    """Return the label of each cell's object, 0 if it has none."""
    if tracked:
        return [int(i) for i in cells["track_id"]]
    known = set(np.unique(labels).tolist()) - {0}
    named = cells["label_id"] if "label_id" in cells else np.zeros(len(cells), int)
    return [
        int(name) if name in known else object_at(labels, y, x)
        for name, y, x in zip(named, cells["y"], cells["x"], strict=True)
    ]


def _measure(
    labels: Labels, pixels: NDArray[Any] | None, brightness: tuple[str, ...]
) -> pd.DataFrame:
    """Measure the objects of one frame; the index holds their labels."""
    ids, values = measure_objects(labels, pixels)
    columns = {name: values[name] for name in SHAPE}
    columns |= {name: values[f"mean_{c}"] for c, name in enumerate(brightness)}
    columns |= {f"offset_{axis}": values[f"centroid_{axis}"] for axis in "yx"}
    return pd.DataFrame(columns, index=ids)
