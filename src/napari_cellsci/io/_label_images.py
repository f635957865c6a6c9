"""Label images: opening them, and tracks from labels that are track ids."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from napari_cellsci.errors import InputError
from napari_cellsci.io._binary import is_binary
from napari_cellsci.io._lazy import ArrayLike
from napari_cellsci.io._raw import sizes
from napari_cellsci.io._table import Tracks, tracks_from_table
from napari_cellsci.io.movies import Movie, open_movie
from napari_cellsci.tasks import CancelToken, OnEvent, Progress, ignore

_MOST_PIECES = 5
"""Pieces in which the objects of a label image may lie on average."""
_FEW = 50
"""Objects from which on an average says something."""


def open_labels(source: str | Path | ArrayLike | Movie) -> ArrayLike:
    """Open a stack of label images lazily.

    Returns
    -------
    array-like, shape (T, Y, X)
        Integer labels, 0 = background.

    Raises
    ------
    InputError
        If it is not a (t, y, x) stack of integers.
    """
    named = isinstance(source, str | Path | Movie)
    movie = open_movie(source, name=None if named else "The label stack")
    if movie.axes != "TYX":
        raise InputError(
            f"{movie.name} has the axes {movie.axes} ({sizes(movie.data.shape)}), but "
            "label images are a stack (t, y, x): save one channel and plane of it."
        )
    if movie.dtype.kind not in "ui":
        raise InputError(
            f"{movie.name} holds {movie.dtype} values, but label images hold integers: "
            "save the labels as uint16 or uint32."
        )
    return movie.data


def tracks_from_labels(
    labels: str | Path | ArrayLike | Movie,
    *,
    name: str = "The label stack",
    on_event: OnEvent = ignore,
    token: CancelToken | None = None,
) -> Tracks:
    """Make tracks from label images whose label is the same cell in every frame.

    Parameters
    ----------
    labels : path or array-like (T, Y, X)
        Integer labels; each frame is read once.
    name : str
        What to call them in a refusal.
    on_event, token
        Listener and cancel token.

    Returns
    -------
    Tracks
        Centroids of the labels, with `labels` as tracked masks.

    Raises
    ------
    InputError
        If there are no objects, or it is no stack of label images, or a binary mask.
    Cancelled
        If the token asks for it.
    """
    stack = open_labels(labels)
    if is_binary(stack):
        raise InputError(
            f"{name} is a binary mask (one value for all objects), which says nothing "
            "of tracks: give it as masks, and its objects are linked."
        )
    tables: list[pd.DataFrame] = []
    for t in range(stack.shape[0]):
        if token is not None:
            token.raise_if_cancelled()
        frame = np.asarray(stack[t])
        if not any(map(len, tables)):
            _refuse_picture(frame, name)
        tables.append(centroids(frame[None], 0).assign(t=t))
        on_event(Progress("Reading masks", t + 1, stack.shape[0]))
    table = pd.concat(tables, ignore_index=True)
    if not len(table):
        raise InputError(
            f"{name} has no objects (all labels are 0): choose the label images of "
            "this movie."
        )
    table["label_id"] = table["track_id"]
    path = labels.path if isinstance(labels, Movie) else labels
    return tracks_from_table(
        table,
        masks=stack,
        masks_tracked=True,
        masks_path=Path(path) if isinstance(path, str | Path) else None,
        name=name,
    )


def _refuse_picture(frame: npt.NDArray[Any], name: str) -> None:
    """Refuse a frame whose equal values lie scattered, as those of a camera do."""
    from skimage.measure import label

    values = int(np.count_nonzero(np.unique(frame)))
    pieces = int(label(frame, connectivity=1).max())
    if pieces > _MOST_PIECES * max(values, _FEW):
        raise InputError(
            f"{name} looks like a picture, not like label images: its {values:,} "
            f"values lie in {pieces:,} pieces of a frame. Give the label images of "
            "this movie, or a table of its tracks."
        )


def centroids(labels: ArrayLike, t: int) -> pd.DataFrame:
    """Return label and centre of mass (px) of every object of frame `t`."""
    frame = np.asarray(labels[t])
    rows, cols = np.nonzero(frame > 0)
    ids, inverse, counts = np.unique(
        frame[rows, cols], return_inverse=True, return_counts=True
    )
    return pd.DataFrame(
        {
            "track_id": ids.astype(np.int64),
            "t": np.full(len(ids), t, np.int64),
            "y": np.bincount(inverse, rows, len(ids)) / counts,
            "x": np.bincount(inverse, cols, len(ids)) / counts,
        }
    )


def labels_at(labels: ArrayLike, points: pd.DataFrame) -> npt.NDArray[np.int64]:
    """Return the label under each point (``t``, ``y``, ``x``), 0 for none."""
    t, y, x = (
        np.round(points[column].to_numpy(np.float64)).astype(np.int64)
        for column in ("t", "y", "x")
    )
    frames, height, width = labels.shape
    inside = (t >= 0) & (t < frames) & (y >= 0) & (y < height) & (x >= 0) & (x < width)
    found = np.zeros(len(points), np.int64)
    for frame in np.unique(t[inside]):
        here = np.flatnonzero(inside & (t == frame))
        image: npt.NDArray[Any] = np.asarray(labels[int(frame)])
        found[here] = image[y[here], x[here]]
    return found
