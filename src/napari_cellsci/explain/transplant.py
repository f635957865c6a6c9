"""A cell in the surroundings of another, and whether a model changes its mind.

An attack may use changes no microscope ever makes. A transplant does not: all its
pixels are real, only the cell and what lies around it do not belong together.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_cellsci.representation.surroundings import (
    DILATION,
    Masks,
    without_surroundings,
)
from napari_cellsci.representation.traversals import centre_disc


def cell_regions(own: Masks | None, n: int, size: int) -> Masks:
    """Return the pixels that count as the cell itself (n, S, S).

    Its object and a rim of 4/64 of the crop's width; a disc in the middle where the
    object is not known.

    Parameters
    ----------
    own : bool array (n, S, S) or None
        Empty where no object was found.
    n, size : int
        Crops, and their width.
    """
    from scipy.ndimage import binary_dilation

    disc = np.asarray(centre_disc(size), bool)
    regions = np.broadcast_to(disc, (n, size, size)).copy()
    if own is None:
        return regions
    steps = max(round(DILATION * size), 1)
    for i in np.flatnonzero(own.any(axis=(1, 2))).tolist():
        regions[i] = binary_dilation(own[i], iterations=steps)
    return regions


def transplanted(
    crops: NDArray[Any], own: Masks, others: Masks, *, seed: int = 0
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Return crops whose cells lie among the neighbours of another cell.

    A cell's own neighbours are erased; those of a donor, drawn among all cells, are
    put in their place, their background brought to that of the cell. Where a donor
    has none, the cell ends up alone.

    Parameters
    ----------
    crops : array (n, C, S, S)
        Raw.
    own, others : bool arrays (n, S, S)
    seed : int

    Returns
    -------
    crops : array (n, C, S, S)
    done : bool array (n,)
        Where the cell's own object is known and the picture did change.
    """
    from scipy.ndimage import binary_dilation

    n, size = len(crops), crops.shape[-1]
    made = without_surroundings(crops, own, others)
    donors = np.random.default_rng(seed).permutation(n) if n else np.empty(0, int)
    steps = max(round(DILATION * size * 0.75), 1)
    known = np.asarray(own.any(axis=(1, 2)))
    for i, donor in enumerate(donors.tolist()):
        if not (known[i] and known[donor]) or i == donor:
            continue
        kept = np.asarray(binary_dilation(own[i] | own[donor], iterations=steps))
        taken: Masks = np.zeros((size, size), bool)
        if others[donor].any():
            taken = np.asarray(binary_dilation(others[donor], iterations=steps)) & ~kept
        level = _background(made[i], own[i])
        patch = crops[donor].astype(np.float32)
        patch -= _background(patch, own[donor] | others[donor])[:, None, None]
        made[i][:, taken] = patch[:, taken] + level[:, None]
    changed = (made != crops).reshape(n, -1).any(axis=1)
    return made, known & changed


def _background(crop: NDArray[np.float32], objects: Masks) -> NDArray[np.float32]:
    """Return the median of what is not an object, per channel (C,)."""
    free: Masks = ~objects if not objects.all() else np.ones_like(objects)
    return np.asarray(np.median(crop[:, free], axis=1), np.float32)
