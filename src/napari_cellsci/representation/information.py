"""How much two codes of the same cells tell of each other (nats).

Latent by latent with the nearest-neighbour estimator of Kraskov, Stögbauer and
Grassberger (Phys. Rev. E 69, 066138, 2004), which sees dependences of any form. Among
dozens of latents neighbours mean little: whole codes are compared by what their
canonical correlations carry, which is exact for Gaussians and sees linear dependence
only.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_cellsci.errors import InputError
from napari_cellsci.tasks import CancelToken, Done, OnEvent, Progress, ignore

Floats = NDArray[np.float64]
LEAST = 20
"""Groups of cells below which nothing is said."""
_Z95 = 1.959964
_BLOCKS = 20
_RIDGE = 1e-6


@dataclass(frozen=True, eq=False, slots=True)
class Shared:
    """What two codes share.

    Parameters
    ----------
    pairs : array (D1, D2)
        Mutual information of each latent of the first code and each of the second.
    chance : float
        What 95% of all pairs stay below where the cells of the two codes do not belong
        together.
    total : float
        What the whole codes share linearly, less what chance gives.
    interval : tuple of float
        95% interval of `total` over groups of cells (jackknife).
    total_chance : float
        What was taken off: the mean over cells that do not belong together.
    n_cells, n_groups : int
    """

    pairs: Floats
    chance: float
    total: float
    interval: tuple[float, float]
    total_chance: float
    n_cells: int
    n_groups: int


def shared_information(
    first: NDArray[Any],
    second: NDArray[Any],
    groups: NDArray[np.generic],
    *,
    neighbours: int = 5,
    shifts: int = 40,
    most_cells: int = 2_000,
    seed: int = 0,
    on_event: OnEvent = ignore,
    token: CancelToken | None = None,
) -> Shared:
    """Estimate what two codes of the same cells tell of each other.

    Chance is what is found once the codes are shifted against each other, cells ordered
    by group: neighbours in a track stay neighbours, but no cell meets its own.

    Parameters
    ----------
    first, second : array (n, D1), (n, D2)
        Codes of the same n cells.
    groups : array (n,)
        Cells of equal value (a track) resemble each other.
    neighbours : int
        Of the estimator for pairs; fewer see finer and are less certain.
    shifts : int
        By how many different shifts chance is told.
    most_cells : int
        Pairs are estimated from so many cells at most, spread over the groups.
    seed : int
    on_event, token

    Raises
    ------
    InputError
        If the codes are of different cells, of fewer than 20 groups, or have more
        latents than there are cells to tell.
    Cancelled
        If the token asks for it.
    """
    n, names = len(first), np.unique(groups)
    if len(second) != n or len(groups) != n:
        raise InputError(f"Codes of {n} and of {len(second)} cells cannot be compared.")
    if len(names) < LEAST:
        raise InputError(
            f"What two codes share is told from at least {LEAST} tracks or groups of "
            f"cells, and there are {len(names)}: add more cells."
        )
    if n <= first.shape[1] + second.shape[1] + 2:
        raise InputError(
            f"{n} cells are too few for codes of {first.shape[1]} and "
            f"{second.shape[1]} latents: add more cells."
        )
    rng = np.random.default_rng(seed)
    order = _by_group(groups, rng)
    a, b = (np.asarray(code, np.float64)[order] for code in (first, second))
    ordered = np.asarray(groups)[order]
    far = _shifts(ordered, shifts, rng)
    chances = [gaussian_information(a, np.roll(b, shift, axis=0)) for shift in far]
    baseline = float(np.mean(chances))
    total, error = _jackknife(a, b, ordered, baseline)
    pairs, chance = _pairs(a, b, far, neighbours, most_cells, on_event, token)
    on_event(Done("Comparing codes"))
    interval = (total - _Z95 * error, total + _Z95 * error)
    return Shared(pairs, chance, total, interval, baseline, n, len(names))


def gaussian_information(a: Floats, b: Floats) -> float:
    """Return −½ Σ log(1 − ρ²) over the canonical correlations ρ of two codes (nats)."""
    rho = canonical_correlations(a, b)
    return float(-0.5 * np.log1p(-(rho**2)).sum())


def canonical_correlations(a: Floats, b: Floats) -> Floats:
    """Return the canonical correlations of two codes, strongest first.

    Directions in which a code does not vary have no part.
    """
    found = np.linalg.svd(_white(a).T @ _white(b), compute_uv=False)
    return np.asarray(np.clip(found, 0.0, 1 - _RIDGE), np.float64)


def _white(values: Floats) -> Floats:
    """Return an orthonormal basis of the centred columns."""
    u, s, _ = np.linalg.svd(values - values.mean(0), full_matrices=False)
    return np.asarray(u[:, s > _RIDGE * max(float(s.max(initial=0.0)), 1e-300)])


def _jackknife(
    a: Floats, b: Floats, groups: NDArray[Any], baseline: float
) -> tuple[float, float]:
    """Return the information less chance, and its standard error over groups."""
    number = np.unique(groups, return_inverse=True)[1].ravel()
    block = number * min(_BLOCKS, int(number.max()) + 1) // (int(number.max()) + 1)
    without = np.array(
        [
            gaussian_information(a[block != k], b[block != k])
            for k in range(int(block.max()) + 1)
        ]
    )
    m = len(without)
    error = np.sqrt((m - 1) / m * ((without - without.mean()) ** 2).sum())
    return gaussian_information(a, b) - baseline, float(error)


def _pairs(
    a: Floats,
    b: Floats,
    far: NDArray[np.int64],
    neighbours: int,
    most_cells: int,
    on_event: OnEvent,
    token: CancelToken | None,
) -> tuple[Floats, float]:
    """Return the information of all pairs, and below what 95% stay by chance."""
    every = np.unique(np.linspace(0, len(a) - 1, min(len(a), most_cells)).astype(int))
    shifted = np.roll(b, far[0], axis=0)[every]
    x, y = a[every], b[every]
    pairs, chance = np.zeros((2, a.shape[1], b.shape[1]))
    for j in range(b.shape[1]):
        if token is not None:
            token.raise_if_cancelled()
        on_event(Progress("Comparing latents", j, b.shape[1]))
        pairs[:, j] = nearest_information(x, y[:, j], neighbours)
        chance[:, j] = nearest_information(x, shifted[:, j], neighbours)
    return pairs, float(np.quantile(chance, 0.95))


def nearest_information(x: Floats, y: Floats, neighbours: int = 5) -> Floats:
    """Return the mutual information of every column of x (n, D) with y (n,), nats."""
    from sklearn.feature_selection import mutual_info_regression

    k = min(neighbours, len(y) - 1)
    found = mutual_info_regression(x, y, n_neighbors=k, random_state=0)
    return np.asarray(found, np.float64)


def _by_group(
    groups: NDArray[np.generic], rng: np.random.Generator
) -> NDArray[np.int64]:
    """Return cells group after group, the groups in a random order."""
    number = np.unique(groups, return_inverse=True)[1].ravel()
    place = rng.permutation(int(number.max()) + 1)
    return np.argsort(place[number], kind="stable").astype(np.int64)


def _shifts(
    groups: NDArray[Any], wanted: int, rng: np.random.Generator
) -> NDArray[np.int64]:
    """Return shifts that bring no cell back to its own group, if that can be."""
    n = len(groups)
    least = min(int(np.unique(groups, return_counts=True)[1].max()), n // 3)
    return rng.integers(least, n - least + 1, max(wanted, 1)).astype(np.int64)
