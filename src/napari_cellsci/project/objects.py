"""Where cells and their neighbours lie in crops: from label images, or the pixels."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_cellsci.cells.label_crops import label_crops
from napari_cellsci.cells.spec import CropSpec
from napari_cellsci.project.bench import Bench
from napari_cellsci.project.movie_files import masks_of

Masks = NDArray[np.bool_]


def find_objects(
    bench: Bench, spec: CropSpec, rows: NDArray[np.int64], crops: NDArray[Any]
) -> tuple[Masks, Masks] | None:
    """Return the objects of cells and all others, (n, S, S) each.

    Parameters
    ----------
    bench : Bench
    spec : CropSpec
    rows : int array (n,)
    crops : array (n, C, S, S)
        Raw; looked at where a movie has no label images.

    Returns
    -------
    own, others
        `own` is empty where no object was found. None if that is so too often.
    """
    from napari_cellsci.representation.normalise import normalise
    from napari_cellsci.representation.surroundings import ENOUGH, objects_in

    own, others = np.zeros((2, len(rows), spec.size, spec.size), bool)
    table = bench.cells().loc[rows]
    for info in bench.movies():
        mine = np.flatnonzero((table["movie"] == info.name).to_numpy())
        masks = masks_of(info, bench.folder) if mine.size else None
        if masks is None:
            continue
        for part in label_crops(
            masks,
            table.iloc[mine],
            window=spec.window(info.pixel_size),
            size=spec.size,
            tracked=info.masks_tracked,
        ):
            own[mine[part.rows]] = part.own
            others[mine[part.rows]] = part.others
    if len(rows) and own.any(axis=(1, 2)).mean() >= ENOUGH:
        return own, others
    return objects_in(normalise(crops, spec).numpy())


def find_regions(
    bench: Bench, spec: CropSpec, rows: NDArray[np.int64], crops: NDArray[Any]
) -> Masks:
    """Return the pixels that count as the cell itself (n, S, S), a disc if unknown."""
    from napari_cellsci.explain.transplant import cell_regions

    found = find_objects(bench, spec, rows, crops)
    return cell_regions(None if found is None else found[0], len(rows), spec.size)
