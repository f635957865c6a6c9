"""Properties of cells as a latent can follow them: one number, one symmetry each."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Doubles = NDArray[np.float64]


def cell_factors(
    cells: pd.DataFrame, windows: Mapping[str, float] | None = None
) -> dict[str, Doubles]:
    """Return what is measured of every cell, in the terms latents are named by.

    Elongation has no direction of its own, so it is put as eccentricity times the
    cosine and the sine of twice the angle of the long axis. With the angle counted
    from the rows' axis, as in scikit-image, ``elongation_axes`` is positive for tall
    and negative for wide cells; ``elongation_diagonals`` is positive where the long
    axis runs from the upper left to the lower right.

    Parameters
    ----------
    cells : DataFrame
        ``movie, t, y, x`` and, where masks or a simulation's truth exist, ``area``,
        ``eccentricity`` and ``orientation`` (or ``aspect`` and ``angle``),
        ``offset_y``, ``offset_x``, ``solidity``, ``mean_intensity``, ….
    windows : mapping of str to float, optional
        Width of the crop's window (px) in each movie, for its neighbours.

    Returns
    -------
    dict of str to array (n,)
        NaN where a cell has no object. Neighbours are told from the tracks, so they
        are there without masks.
    """
    found: dict[str, Doubles] = {}
    for name in ("area", "solidity", "offset_x", "offset_y"):
        if name in cells:
            found[name] = cells[name].to_numpy(dtype=np.float64)
    found |= _elongation(cells)
    for name in cells.columns:
        if str(name).startswith("mean_intensity"):
            channel = str(name).removeprefix("mean_intensity")
            found[f"brightness{channel}"] = cells[name].to_numpy(dtype=np.float64)
    if windows is not None:
        found |= _surroundings(cells, windows)
    return found


def _elongation(cells: pd.DataFrame) -> dict[str, Doubles]:
    if {"eccentricity", "orientation"} <= set(cells.columns):
        eccentricity = cells["eccentricity"].to_numpy(dtype=np.float64)
        angle = cells["orientation"].to_numpy(dtype=np.float64)
    elif {"aspect", "angle"} <= set(cells.columns):
        aspect = np.maximum(cells["aspect"].to_numpy(dtype=np.float64), 1)
        eccentricity = np.sqrt(1 - 1 / aspect**2)
        angle = cells["angle"].to_numpy(dtype=np.float64)
    else:
        return {}
    return {
        "eccentricity": eccentricity,
        "elongation_axes": eccentricity * np.cos(2 * angle),
        "elongation_diagonals": eccentricity * np.sin(2 * angle),
    }


def _surroundings(
    cells: pd.DataFrame, windows: Mapping[str, float]
) -> dict[str, Doubles]:
    """Count the other cells in each window, and say on which sides they are."""
    from scipy.spatial import KDTree

    n = len(cells)
    count, sides = np.zeros(n), np.zeros((n, 4))
    yx = cells[["y", "x"]].to_numpy(dtype=np.float64)
    for key, rows in cells.groupby(["movie", "t"], sort=False).indices.items():
        movie = str(key[0])  # type: ignore[index]
        tree = KDTree(yx[rows])
        pairs = tree.query_pairs(windows[movie] / 2, p=np.inf, output_type="ndarray")
        if not len(pairs):
            continue
        me, other = rows[pairs[:, 0]], rows[pairs[:, 1]]
        me, other = np.concatenate([me, other]), np.concatenate([other, me])
        dy, dx = (yx[other] - yx[me]).T
        far = np.maximum(np.hypot(dy, dx), 1e-9)
        cos, sin = dy / far, dx / far
        np.add.at(count, me, 1)
        np.add.at(
            sides, me, np.stack([sin, cos, cos**2 - sin**2, 2 * sin * cos], axis=1)
        )
    names = ("neighbours_x", "neighbours_y", "neighbours_axes", "neighbours_diagonals")
    return {"neighbours": count, **dict(zip(names, sides.T, strict=True))}
