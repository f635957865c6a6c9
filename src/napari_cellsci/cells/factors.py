"""Properties of cells as a latent can follow them: one number, one symmetry each."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from napari_cellsci.cells.label_crops import NEIGHBOURS

Doubles = NDArray[np.float64]

REACH = 0.8
"""How far a neighbour is looked for, in windows."""


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
    """Say from the tracks how near other cells are, and on which sides.

    Each other cell counts the more the nearer it is, and not at all beyond 0.8 windows:
    a cell whose centre lies outside of the window still reaches into it.
    """
    from scipy.spatial import KDTree

    n = len(cells)
    sums = np.zeros((n, len(NEIGHBOURS)))
    yx = cells[["y", "x"]].to_numpy(dtype=np.float64)
    for key, rows in cells.groupby(["movie", "t"], sort=False).indices.items():
        reach = REACH * windows[str(key[0])]  # type: ignore[index]
        tree = KDTree(yx[rows])
        pairs = tree.query_pairs(reach, p=np.inf, output_type="ndarray")
        if not len(pairs):
            continue
        both = np.concatenate([pairs, pairs[:, ::-1]])
        me, other = rows[both[:, 0]], rows[both[:, 1]]
        away = yx[other] - yx[me]
        far = np.maximum(np.hypot(*away.T), 1e-9)
        cos, sin = away.T / far
        waves = (np.ones_like(cos), sin, cos, cos**2 - sin**2, 2 * sin * cos)
        nearness = 1 - np.abs(away).max(axis=1) / reach
        np.add.at(sums, me, nearness[:, None] * np.stack(waves, axis=1))
    return dict(zip(NEIGHBOURS, sums.T, strict=True))
