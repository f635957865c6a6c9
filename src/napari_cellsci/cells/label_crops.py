"""Label images cut like crops: where the cell itself lies, and where others do."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from napari_cellsci.cells._masks import Labels, check_masks, read_labels
from napari_cellsci.cells.properties import objects_of
from napari_cellsci.tasks import CancelToken

Masks = NDArray[np.bool_]

NEIGHBOURS = (
    "neighbours",
    "neighbours_x",
    "neighbours_y",
    "neighbours_axes",
    "neighbours_diagonals",
)
"""What is told of the other objects in a crop."""


class LabelCrops(NamedTuple):
    """Some cells' label crops.

    Parameters
    ----------
    rows : int array (k,)
        Positions in the table of cells.
    own, others : bool array (k, S, S)
        The cell's own object, and all others.
    """

    rows: NDArray[np.int64]
    own: Masks
    others: Masks


def label_crops(
    masks: Any,
    cells: pd.DataFrame,
    *,
    window: float,
    size: int,
    tracked: bool,
    token: CancelToken | None = None,
) -> Iterator[LabelCrops]:
    """Cut the label images around cells of one movie, a frame at a time.

    Parameters
    ----------
    masks : array-like (T, Y, X) of integer labels
        0 is background.
    cells : DataFrame
        ``track_id, t, y, x`` and optionally ``label_id``.
    window : float
        Edge of the crops' window (movie px).
    size : int
        Edge of the crops (px); labels are taken from the nearest pixel.
    tracked : bool
        Whether a label's value is its track.
    token : CancelToken, optional
        Looked at before every frame.

    Yields
    ------
    LabelCrops
        The cells of one frame.
    """
    check_masks(masks)
    offsets = (np.arange(size) + 0.5) / size * window - window / 2
    times = cells["t"].to_numpy(dtype=np.int64)
    for t in np.unique(times).tolist():
        if token is not None:
            token.raise_if_cancelled()
        rows = np.flatnonzero(times == t)
        if t >= len(masks):
            continue
        labels = read_labels(masks, t)
        here = cells.iloc[rows]
        own = np.array(objects_of(labels, here, tracked))[:, None, None]
        cut = _cut(labels, here[["y", "x"]].to_numpy(dtype=np.float64), offsets)
        yield LabelCrops(rows, (cut == own) & (own > 0), (cut > 0) & (cut != own))


def _cut(
    labels: Labels, yx: NDArray[np.float64], offsets: NDArray[np.float64]
) -> Labels:
    """Return labels (k, S, S) at `offsets` around positions (k, 2); 0 outside."""
    places = np.rint(yx[:, :, None] + offsets).astype(np.int64)
    inside, within = [], []
    for axis, length in enumerate(labels.shape):
        place = places[:, axis]
        inside.append((place >= 0) & (place < length))
        within.append(np.clip(place, 0, length - 1))
    cut = labels[within[0][:, :, None], within[1][:, None, :]]
    return np.where(inside[0][:, :, None] & inside[1][:, None, :], cut, 0)


def neighbour_factors(others: Masks) -> NDArray[np.float64]:
    """Say how much of a crop others cover, and on which sides (n, 5): `NEIGHBOURS`.

    The sums over their pixels of 1, sin φ, cos φ, cos 2φ and sin 2φ by the number of
    pixels, where φ is a pixel's direction from the middle, counted from the rows' axis.
    """
    size = others.shape[-1]
    place = np.arange(size) - (size - 1) / 2
    y, x = np.meshgrid(place, place, indexing="ij")
    far = np.hypot(y, x)
    cos, sin = y / far, x / far
    waves = [np.ones_like(cos), sin, cos, cos**2 - sin**2, 2 * sin * cos]
    flat = np.stack(waves).reshape(len(waves), -1)
    found: NDArray[np.float64] = others.reshape(len(others), -1) @ flat.T / size**2
    return found
