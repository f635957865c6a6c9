from __future__ import annotations

import numpy as np
import pytest

from napari_cellsci.errors import InputError
from napari_cellsci.representation.information import (
    canonical_correlations,
    gaussian_information,
    nearest_information,
    shared_information,
)

N = 800
EACH = np.arange(N)


def correlated(rho: list[float], n: int = N, seed: int = 0) -> tuple[np.ndarray, ...]:
    """Two Gaussian codes whose latents k are correlated by rho[k], then mixed."""
    rng = np.random.default_rng(seed)
    a = rng.normal(size=(n, len(rho)))
    noise = rng.normal(size=a.shape)
    b = np.array(rho) * a + np.sqrt(1 - np.array(rho) ** 2) * noise
    return a, b


def analytic(rho: list[float]) -> float:
    return float(-0.5 * np.log(1 - np.array(rho) ** 2).sum())


def test_pairs_of_gaussians_share_what_the_formula_says() -> None:
    for rho in (0.0, 0.5, 0.9):
        a, b = correlated([rho], 2000)
        found = nearest_information(a, b[:, 0])[0]
        assert found == pytest.approx(analytic([rho]), abs=0.05)


def test_neighbours_see_what_is_not_linear() -> None:
    rng = np.random.default_rng(1)
    x = rng.normal(size=(N, 1))
    y = np.abs(x[:, 0]) + 0.05 * rng.normal(size=N)
    assert nearest_information(x, y)[0] > 1
    assert abs(canonical_correlations(x, y[:, None])[0]) < 0.15


def test_the_whole_codes_share_what_the_formula_says() -> None:
    rho = [0.9, 0.6, 0.0, 0.0]
    a, b = correlated(rho)
    mixed = b @ np.random.default_rng(3).normal(size=(4, 4))  # any basis will do
    found = shared_information(a, mixed, EACH, most_cells=300)
    low, high = found.interval
    assert low < analytic(rho) < high
    assert found.total == pytest.approx(analytic(rho), abs=0.1)
    # Wilks' lambda of independent Gaussians: D1 · D2 / 2n to first order.
    assert found.total_chance == pytest.approx(4 * 4 / (2 * N), rel=0.3)
    assert found.pairs.shape == (4, 4)
    assert found.pairs[0].max() > found.chance > 0
    np.testing.assert_allclose(canonical_correlations(a, mixed), rho, atol=0.12)


def test_codes_that_share_nothing_are_said_to_share_nothing() -> None:
    a, b = correlated([0.0] * 5, seed=4)
    found = shared_information(a, b, EACH, most_cells=200)
    assert found.interval[0] < 0.02
    assert abs(found.total) < 0.05
    assert (found.pairs > found.chance).mean() < 0.3


def test_cells_of_a_track_count_as_one_witness() -> None:
    """Thirty tracks of nearly equal cells: chance is as large as that of thirty."""
    rng = np.random.default_rng(5)
    tracks = np.repeat(np.arange(30), 20)
    a, b = (
        rng.normal(size=(30, 3))[tracks] + 0.01 * rng.normal(size=(600, 3))
        for _ in range(2)
    )
    found = shared_information(a, b, tracks, most_cells=100)
    assert gaussian_information(a, b) > 0.05
    assert found.total_chance > 0.08  # not 3 · 3 / (2 · 600) = 0.0075
    assert found.interval[0] < 0.02


def test_latents_that_do_not_vary_are_no_trouble() -> None:
    a, b = correlated([0.8, 0.0])
    a[:, 1] = 7.0
    assert gaussian_information(a, b) == pytest.approx(analytic([0.8]), abs=0.1)


def test_what_cannot_be_compared_is_refused() -> None:
    a, b = correlated([0.5], 30)
    with pytest.raises(InputError, match="30 and of 29 cells"):
        shared_information(a, b[:-1], np.arange(30))
    with pytest.raises(InputError, match="there are 3"):
        shared_information(a, b, np.arange(30) % 3)
    wide = np.random.default_rng(0).normal(size=(30, 20))
    with pytest.raises(InputError, match="too few for codes"):
        shared_information(wide, wide, np.arange(30))
