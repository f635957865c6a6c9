"""How classes lie along each latent: their densities, and how well it parts them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_BINS = 512
_TAILS = (0.001, 0.999)
"""Quantiles between which a density is drawn: one odd cell does not flatten all."""
_Z95 = 1.959964


@dataclass(frozen=True, eq=False, slots=True)
class Densities:
    """Densities of every class along every latent.

    Parameters
    ----------
    grid : array (D, G)
        Values of each latent.
    values : array (K, D, G)
        Density of each class there, each integrating to about 1; 0 where a class has
        fewer than two cells.
    counts : array (K,) of int
        Cells of each class.
    """

    grid: Floats
    values: Floats
    counts: NDArray[np.int64]


def class_densities(
    z: NDArray[Any],
    codes: NDArray[np.integer[Any]],
    n_classes: int,
    *,
    n_grid: int = 128,
) -> Densities:
    """Return Gaussian kernel density estimates with Scott's bandwidth.

    Parameters
    ----------
    z : array (n, D)
        Latents.
    codes : array (n,) of int
        Class of each cell, −1 for none; cells without a class are left out.
    n_classes : int
    n_grid : int
        Points per curve.
    """
    members = [np.asarray(z[codes == k], np.float64) for k in range(n_classes)]
    n_latents = z.shape[1]
    grid = np.zeros((n_latents, n_grid))
    values = np.zeros((n_classes, n_latents, n_grid))
    known = [part for part in members if len(part)]
    for d in range(n_latents if known else 0):
        grid[d] = _grid_of([part[:, d] for part in known], n_grid)
        for k, part in enumerate(members):
            if len(part) > 1:
                values[k, d] = kernel_density(part[:, d], grid[d])
    counts = np.array([len(part) for part in members], np.int64)
    return Densities(grid, values, counts)


def _grid_of(parts: list[Floats], n_grid: int) -> Floats:
    """Return a grid that holds the bulk of every class and its rounded ends."""
    ends = np.array([np.quantile(part, _TAILS) for part in parts])
    low, high = float(ends[:, 0].min()), float(ends[:, 1].max())
    widest = max(bandwidth(part) for part in parts)
    margin = max(3 * widest, 0.02 * (high - low), 1e-3)
    return np.linspace(low - margin, high + margin, n_grid)


def bandwidth(values: NDArray[Any]) -> float:
    """Return Scott's bandwidth for n values, sd · n^(−1/5); 0 for fewer than two."""
    if len(values) < 2:
        return 0.0
    return float(np.std(values, ddof=1) * len(values) ** -0.2)


def kernel_density(values: NDArray[Any], grid: Floats) -> Floats:
    """Return the Gaussian kernel density of `values` on an even grid.

    The values are first shared out to `_BINS` fine bins, so that the cost does not
    grow with cells times points.
    """
    from scipy.ndimage import gaussian_filter1d

    width = float(grid[-1] - grid[0])
    # Beyond the grid there is room for kernels that reach into it.
    start, stop = float(grid[0]) - width / 2, float(grid[-1]) + width / 2
    step = (stop - start) / (_BINS - 1)
    sd = max(bandwidth(values), step)
    at = (np.asarray(values, np.float64) - start) / step
    at = at[(at >= 0) & (at < _BINS - 1)]
    left = at.astype(np.int64)
    part = at - left
    counts = np.bincount(left, 1 - part, _BINS) + np.bincount(left + 1, part, _BINS)
    smooth = gaussian_filter1d(counts, sd / step, mode="constant", truncate=5.0)
    density = smooth / (max(len(values), 1) * step)
    fine = np.linspace(start, stop, _BINS)
    return np.asarray(np.interp(grid, fine, density), np.float64)


def fisher_ratio(z: NDArray[Any], codes: NDArray[np.integer[Any]]) -> Floats:
    """Return the variance of the class means over that within classes, (D,).

    Quicker than `separation` and enough to choose what to look at first; 0 where
    fewer than two classes have cells.
    """
    known = np.asarray(z)[codes >= 0]
    classes = codes[codes >= 0]
    names = np.unique(classes)
    if len(names) < 2:
        return np.zeros(z.shape[1])
    means = np.stack([known[classes == name].mean(axis=0) for name in names])
    spreads = np.stack([known[classes == name].var(axis=0) for name in names])
    within = spreads.mean(axis=0, dtype=np.float64)
    between = means.var(axis=0, dtype=np.float64)
    return np.asarray(between / np.maximum(within, 1e-12))


@dataclass(frozen=True, eq=False, slots=True)
class Separation:
    """How well every latent alone parts the classes.

    Parameters
    ----------
    auroc : array (D,)
        From 0.5 (not at all) to 1; of more than two classes the mean over classes,
        each against the rest. NaN where fewer than two classes have cells.
    low, high : array (D,)
        95 % interval that counts tracks, not cells, as independent.
    rising : array (D,) of int
        1 where of two classes the second has the larger values, −1 where the first
        has; 0 for more classes.
    """

    auroc: Floats
    low: Floats
    high: Floats
    rising: NDArray[np.int64]

    def ranked(self) -> NDArray[np.int64]:
        """Return the latents, best separating first; unknown ones last."""
        return np.argsort(-np.nan_to_num(self.auroc, nan=-1), kind="stable")


def separation(
    z: NDArray[Any],
    codes: NDArray[np.integer[Any]],
    tracks: NDArray[np.integer[Any]],
) -> Separation:
    """Measure how well each latent parts the classes, by the area under the ROC.

    The variance is that of clustered data by linearisation, which for two classes is
    Obuchowski's (Biometrics 53, 567, 1997) up to I/(I − 1).

    Parameters
    ----------
    z : array (n, D)
        Latents.
    codes : array (n,) of int
        Class of each cell, −1 for none.
    tracks : array (n,) of int
        A number per track.
    """
    known = codes >= 0
    present = np.unique(codes[known])
    n_latents = z.shape[1]
    if len(present) < 2:
        nan = np.full(n_latents, np.nan)
        return Separation(nan, nan, nan, np.zeros(n_latents, np.int64))
    values, classes = np.asarray(z)[known], codes[known]
    group = np.unique(tracks[known], return_inverse=True)[1].reshape(-1)
    two = len(present) == 2
    against_rest = present[1:] if two else present
    found = np.array(
        [
            _one_latent(values[:, d], classes, against_rest, group)
            for d in range(z.shape[1])
        ]
    )
    auroc, error = found[:, 0], found[:, 1]
    low, high = _interval(auroc, error)
    rising = found[:, 2].astype(np.int64) if two else np.zeros(n_latents, np.int64)
    return Separation(auroc, low, high, rising)


def _one_latent(
    values: NDArray[Any],
    classes: NDArray[np.integer[Any]],
    against_rest: NDArray[np.integer[Any]],
    group: NDArray[np.int64],
) -> tuple[float, float, float]:
    """Return area, standard error, and the sign for the last class."""
    order = np.argsort(values, kind="stable")
    ordered, classes, group = values[order], classes[order], group[order]
    tie = np.cumsum(np.r_[False, ordered[1:] != ordered[:-1]])
    area, influence, sign = 0.0, np.zeros(int(group.max()) + 1), 1.0
    for code in against_rest:
        one, moved = _auroc(classes == code, tie, group)
        sign = 1.0 if one >= 0.5 else -1.0
        area += (0.5 + sign * (one - 0.5)) / len(against_rest)
        influence += sign * moved / len(against_rest)
    n = len(influence)
    error = float(np.sqrt(n / max(n - 1, 1) * np.sum(influence**2)))
    return area, error, sign


def _auroc(
    positive: NDArray[np.bool_], tie: NDArray[np.int64], group: NDArray[np.int64]
) -> tuple[float, Floats]:
    """Return the area for ordered cells, and each track's influence on it."""
    m, n = int(positive.sum()), int((~positive).sum())
    up, down = np.bincount(tie, positive), np.bincount(tie, ~positive)
    # Share of the other class below each cell; equal values count half.
    below = ((np.cumsum(down) - down / 2) / n)[tie]
    above = (1 - (np.cumsum(up) - up / 2) / m)[tie]
    area = float(below[positive].mean())
    moved = np.where(positive, (below - area) / m, (above - area) / n)
    return area, np.asarray(np.bincount(group, moved), np.float64)


def _interval(area: Floats, error: Floats) -> tuple[Floats, Floats]:
    """Return 95 % bounds, symmetric on the logit scale so that they stay below 1."""
    inside = np.clip(area, 1e-6, 1 - 1e-6)
    middle = np.log(inside / (1 - inside))
    reach = _Z95 * error / (inside * (1 - inside))
    low, high = (
        1 / (1 + np.exp(-np.clip(middle + s * reach, -50, 50))) for s in (-1, 1)
    )
    return np.where(error > 0, low, area), np.where(error > 0, high, area)
