"""How large cells are in their original images: what the rule of sizes looks at."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from napari_cellsci.cells.properties import objects_of
from napari_cellsci.project.bench import Bench
from napari_cellsci.project.movie_files import masks_of
from napari_cellsci.project.movies import MovieInfo
from napari_cellsci.tasks import CancelToken

Sizes = NDArray[np.float64]
_COLUMNS = ["original_height", "original_width"]
"""Of the image a cell came in, where it came alone in one."""


def cell_sizes(bench: Bench, token: CancelToken | None = None) -> Sizes | None:
    """Return height and width of every cell (n, 2) in px, None where not known.

    They are those of the original image where each cell has one of its own, else of
    the box around its mask. Cells without an object have height and width 0.
    """
    cells = bench.cells()
    found = np.full((len(cells), 2), np.nan)
    if all(name in cells for name in _COLUMNS):
        found = cells[_COLUMNS].to_numpy(dtype=np.float64).copy()
    for info in bench.movies():
        part = found[info.rows]
        if np.isfinite(part).all():
            continue
        boxes = _boxes(bench, info, cells.iloc[info.rows], token)
        if boxes is None:
            return None
        found[info.rows] = boxes
    return found


def _boxes(
    bench: Bench, info: MovieInfo, cells: pd.DataFrame, token: CancelToken | None
) -> Sizes | None:
    masks = masks_of(info, bench.folder)
    if masks is None:
        return None
    found = np.zeros((len(cells), 2))
    times = cells["t"].to_numpy(dtype=np.int64)
    for t in np.unique(times):
        if token is not None:
            token.raise_if_cancelled()
        mine = np.flatnonzero(times == t)
        picture = np.asarray(masks[int(t)])
        found[mine] = boxes_in(picture, cells.iloc[mine], info.masks_tracked)
    return found


def boxes_in(labels: NDArray[Any], cells: pd.DataFrame, tracked: bool) -> Sizes:
    """Return height and width (k, 2) of the boxes around the objects of some cells.

    Parameters
    ----------
    labels : int array (Y, X)
        Objects of one frame; 0 is background.
    cells : DataFrame
        The cells of that frame.
    tracked : bool
        Whether objects are numbered as tracks are.
    """
    from scipy.ndimage import find_objects

    numbers, places = np.unique(labels, return_inverse=True)
    slices = find_objects(places.reshape(labels.shape) + 1)
    boxes = {
        int(number): (place[0].stop - place[0].start, place[1].stop - place[1].start)
        for number, place in zip(numbers, slices, strict=True)
        if number
    }
    return np.array(
        [boxes.get(number, (0, 0)) for number in objects_of(labels, cells, tracked)],
        dtype=np.float64,
    ).reshape(-1, 2)
