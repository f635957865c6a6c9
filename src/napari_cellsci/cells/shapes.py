"""Size, shape and brightness of all objects of a frame at once.

The quantities and their names are scikit-image's (`skimage.measure.regionprops`), which
measures one object after the other and takes some milliseconds for each.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_cellsci.cells._masks import Labels

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

_STEPS = tuple((y, x) for y in (-1, 0, 1) for x in (-1, 0, 1) if (y, x) != (0, 0))
_LENGTH = np.zeros(50)
"""Length of outline that a border pixel stands for, by its neighbours on the border:
1 for itself, 2 for each beside it, 10 for each across a corner (Benkrid, 2000)."""
_LENGTH[[5, 7, 15, 17, 25, 27]] = 1
_LENGTH[[21, 33]] = np.sqrt(2)
_LENGTH[[13, 23]] = (1 + np.sqrt(2)) / 2


def measure_objects(
    labels: Labels, pixels: NDArray[Any] | None = None
) -> tuple[Ints, dict[str, Floats]]:
    """Measure every object of a frame.

    Parameters
    ----------
    labels : array (Y, X) of int
        0 or less is background.
    pixels : array (C, Y, X), optional
        Picture whose mean is taken in every object.

    Returns
    -------
    ids : array (n,)
        Labels of the objects, ascending.
    values : dict of str to array (n,)
        ``area`` (px), ``centroid_y``, ``centroid_x``, ``eccentricity``,
        ``orientation`` (radians from the rows' axis, counter-clockwise),
        ``axis_major_length``, ``axis_minor_length``, ``perimeter`` (px), ``solidity``,
        and ``mean_0``, ``mean_1``, … for the channels.
    """
    places = np.flatnonzero(labels > 0)
    ids, which = _numbered(labels.ravel()[places])
    rows, columns = np.divmod(places, labels.shape[1])
    area = np.bincount(which, minlength=len(ids))
    values = _moments(rows, columns, which, area)
    values["perimeter"] = _perimeters(labels, places, which, len(ids))
    values["solidity"] = area / hull_areas(rows, columns, which, len(ids))
    for c in range(0 if pixels is None else len(pixels)):
        assert pixels is not None
        seen = pixels[c].ravel()[places].astype(np.float64)
        values[f"mean_{c}"] = np.bincount(which, seen, len(ids)) / area
    return ids, values


def _numbered(labels: NDArray[Any]) -> tuple[Ints, Ints]:
    """Return the labels there are, and for each pixel the place of its own."""
    highest = int(labels.max(initial=0))
    if highest > 4 * len(labels) + 1024:
        ids, which = np.unique(labels, return_inverse=True)
        return ids.astype(np.int64), which.astype(np.int64)
    ids = np.flatnonzero(np.bincount(labels.astype(np.int64)))
    place = np.zeros(highest + 1, np.int64)
    place[ids] = np.arange(len(ids))
    return ids, place[labels]


def _moments(rows: Ints, columns: Ints, which: Ints, area: Ints) -> dict[str, Floats]:
    """Return centroids and the ellipse of the same second moments."""
    n = len(area)
    centre_y = np.bincount(which, rows, n) / area
    centre_x = np.bincount(which, columns, n) / area
    dy, dx = rows - centre_y[which], columns - centre_x[which]
    yy = np.bincount(which, dy * dy, n) / area
    xx = np.bincount(which, dx * dx, n) / area
    yx = np.bincount(which, dy * dx, n) / area
    middle, half = (yy + xx) / 2, np.hypot((yy - xx) / 2, yx)
    large, small = middle + half, np.maximum(middle - half, 0)
    # Rounding must not give round objects an axis, nor lines a width.
    small[small < 1e-12 * np.maximum(large, 1)] = 0
    with np.errstate(invalid="ignore"):
        flat = np.where(large > 0, 1 - small / large, 0)
    return {
        "area": area.astype(np.float64),
        "centroid_y": centre_y,
        "centroid_x": centre_x,
        "eccentricity": np.sqrt(flat),
        "orientation": _angle(yy, xx, yx),
        "axis_major_length": 4 * np.sqrt(large),
        "axis_minor_length": 4 * np.sqrt(small),
    }


def _angle(yy: Floats, xx: Floats, yx: Floats) -> Floats:
    scale = 1e-12 * np.maximum(yy + xx, 1e-300)
    difference, product = yy - xx, yx
    angle = 0.5 * np.arctan2(2 * product, difference)
    even = np.abs(difference) <= scale
    diagonal = np.where(product > scale, np.pi / 4, -np.pi / 4)
    return np.asarray(np.where(even, diagonal, angle))


def _perimeters(labels: Labels, places: Ints, which: Ints, n: int) -> Floats:
    """Return the lengths of the outlines, weighted by their local shape."""
    width = labels.shape[1] + 2
    padded = np.zeros((labels.shape[0] + 2, width), labels.dtype)
    padded[1:-1, 1:-1] = labels
    flat = padded.ravel()
    rows, columns = np.divmod(places, labels.shape[1])
    there = (rows + 1) * width + columns + 1
    mine = flat[there]
    inner = np.ones(len(there), bool)
    for step in (-width, -1, 1, width):
        inner &= flat[there + step] == mine
    border, owner, mine = there[~inner], which[~inner], mine[~inner]
    on_border = np.zeros(flat.shape, bool)
    on_border[border] = True
    pattern = np.ones(len(border), np.int64)
    for y, x in _STEPS:
        at = border + y * width + x
        beside = on_border[at] & (flat[at] == mine)
        pattern += beside * (10 if y and x else 2)
    return np.bincount(owner, _LENGTH[pattern], n).astype(np.float64)


def hull_areas(rows: Ints, columns: Ints, which: Ints, n: int) -> Floats:
    """Count the pixels in the convex hull of every object.

    As in scikit-image, the hull is that of the middles of the pixels' edges, and
    pixels on its border count. Whole numbers throughout: places are doubled.

    Parameters
    ----------
    rows, columns, which : array (k,)
        Pixels of the objects, and which object each belongs to.
    n : int
        Number of objects.

    Returns
    -------
    array (n,)
    """
    first = np.full(n, np.iinfo(np.int64).max)
    last = np.full(n, -1)
    np.minimum.at(first, which, rows)
    np.maximum.at(last, which, rows)
    height = last - first + 1
    start = np.concatenate([[0], np.cumsum(height)])
    line = start[which] + rows - first[which]
    left, right = np.full(start[-1], _FAR), np.full(start[-1], -_FAR)
    np.minimum.at(left, line, columns)
    np.maximum.at(right, line, columns)
    # The right side is a left side seen in a mirror.
    begin = _least_inside(left, start, height)
    end = -_least_inside(-right, start, height)
    owner = np.repeat(np.arange(n), height)
    return np.bincount(owner, end - begin + 1, n).astype(np.float64)


_FAR = 1 << 40


def _least_inside(left: Ints, start: Ints, height: Ints) -> Ints:
    """Return for every line of every object the first column inside its hull.

    Parameters
    ----------
    left : array (lines,)
        First column of the object itself; `_FAR` where the line is empty.
    start, height : array (n + 1,), (n,)
        Where the lines of each object start, and how many it has.
    """
    owner = np.repeat(np.arange(len(height)), height)
    line = np.arange(len(left)) - start[owner]
    full = np.abs(left) < _FAR
    # Middles of the edges: to the left of a pixel, above it, and below it.
    t = np.concatenate([2 * line[full] + step for step in (0, -1, 1)])
    x = np.concatenate([2 * left[full] + step for step in (-1, 0, 0)])
    key = np.concatenate([owner[full]] * 3)
    order = np.lexsort((x, t, key))
    key, t, x = key[order], t[order], x[order]
    once = np.ones(len(t), bool)
    once[1:] = (t[1:] != t[:-1]) | (key[1:] != key[:-1])
    key, t, x = _lower_hulls(key[once], t[once], x[once])
    # The hull's edge on which every line lies.
    span = 2 * (int(height.max(initial=0)) + 2)
    at = np.searchsorted(key * span + t, owner * span + 2 * line, side="right") - 1
    dt, dx = t[at + 1] - t[at], x[at + 1] - x[at]
    twice = x[at] * dt + dx * (2 * line - t[at])
    return np.asarray(-((-twice) // (2 * dt)), np.int64)


def _lower_hulls(key: Ints, t: Ints, x: Ints) -> tuple[Ints, Ints, Ints]:
    """Keep the corners of the lower hull of the points (t, x) of every key.

    A point on or above the line between its neighbours is no corner; taking such
    points away, all at once, until there are none leaves the corners.
    """
    while len(t) > 2:
        a, b = slice(None, -2), slice(2, None)
        m = slice(1, -1)
        inside = (key[a] == key[m]) & (key[b] == key[m])
        cross = (t[m] - t[a]) * (x[b] - x[a]) - (t[b] - t[a]) * (x[m] - x[a])
        corner = ~(inside & (cross <= 0))
        if corner.all():
            break
        keep = np.concatenate([[True], corner, [True]])
        key, t, x = key[keep], t[keep], x[keep]
    return key, t, x
