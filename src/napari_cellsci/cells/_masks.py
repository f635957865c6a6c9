"""Read object masks a frame at a time and find the object of a cell."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from napari_cellsci.errors import InputError

Labels: TypeAlias = NDArray[np.integer[Any]]
NEAR_PX = 5
"""An object at most this far from a centroid that lies on the background is its own."""


def check_masks(masks: Any) -> None:
    """Refuse masks that are not one image of integer labels per frame.

    Raises
    ------
    InputError
        If there are not three axes, or the values are no labels.
    """
    if len(masks.shape) != 3:
        raise InputError(
            "Masks need the axes (frame, row, column), not the shape "
            f"{tuple(masks.shape)}."
        )
    if np.dtype(masks.dtype).kind not in "uibf":
        raise InputError(
            f"Masks must be integer labels, not {masks.dtype}: 0 is background, every "
            "object has a number."
        )


def read_labels(masks: Any, t: int) -> Labels:
    """Read the labels (Y, X) of frame `t`; objects of a binary mask are numbered.

    Raises
    ------
    InputError
        If the values are not whole numbers.
    """
    plane = np.asarray(masks[t])
    if plane.dtype.kind == "b":
        from skimage.measure import label

        numbered: Labels = label(plane)
        return numbered
    if plane.dtype.kind == "f":
        whole = plane.astype(np.int64) if np.isfinite(plane).all() else None
        if whole is None or not np.array_equal(whole, plane):
            raise InputError(
                f"The masks of frame {t} are not whole numbers: 0 is background, every "
                "object has a number."
            )
        return whole
    return plane


def object_at(labels: Labels, y: float, x: float, near: int = NEAR_PX) -> int:
    """Return the object under a centroid, else the nearest within `near` px, else 0."""
    row, column = int(np.floor(y + 0.5)), int(np.floor(x + 0.5))
    top, left = max(row - near, 0), max(column - near, 0)
    around = labels[top : max(row + near + 1, 0), left : max(column + near + 1, 0)]
    rows, columns = np.nonzero(around > 0)
    if not rows.size:
        return 0
    distance = np.hypot(rows + top - row, columns + left - column)
    nearest = int(np.argmin(distance))
    if distance[nearest] > near:
        return 0
    return int(around[rows[nearest], columns[nearest]])
