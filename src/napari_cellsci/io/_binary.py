"""Masks in which one value marks every object."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from napari_cellsci.io._lazy import ArrayLike, PagedArray

_LOOKED_AT = 6


def is_binary(masks: ArrayLike) -> bool:
    """Whether one value marks all objects, as thresholding leaves them.

    A few frames are looked at: they hold one value, and most of them several objects.

    Parameters
    ----------
    masks : array-like (T, Y, X)
    """
    from skimage.measure import label

    values: set[Any] = set()
    filled = several = 0
    for t in np.unique(np.linspace(0, masks.shape[0] - 1, _LOOKED_AT).astype(int)):
        plane = np.asarray(masks[int(t)])
        values.update(np.unique(plane[plane > 0]).tolist())
        if len(values) > 1:
            return False
        objects = int(label(plane > 0, return_num=True)[1])
        filled += objects > 0
        several += objects > 1
    return 2 * several > filled


def with_numbers(masks: ArrayLike) -> ArrayLike:
    """Return binary masks with the objects of every frame numbered, others unchanged.

    Objects are numbered when a frame is read; pixels that touch by a corner belong to
    one object.
    """
    if not is_binary(masks):
        return masks

    def numbered(t: int) -> npt.NDArray[np.int32]:
        from skimage.measure import label

        found: npt.NDArray[np.int32] = label(np.asarray(masks[t]) > 0).astype(np.int32)
        return found

    return PagedArray(masks.shape[:1], masks.shape[1:], np.int32, numbered)
