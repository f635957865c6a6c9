from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import rankdata, spearmanr
from sklearn.linear_model import LinearRegression

from napari_cellsci.representation.evidence import RankSums, ranks, unique_parts


@pytest.fixture
def drawn() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Latents (80, 3), factors (80, 4), groups (80,)."""
    rng = np.random.default_rng(0)
    factors = rng.normal(size=(80, 4))
    factors[:, 3] = factors[:, 0] ** 3 + 0.3 * rng.normal(size=80)
    latents = factors[:, :3] @ rng.normal(size=(3, 3)) + rng.normal(size=(80, 3))
    return latents, factors, np.arange(80) // 4


def test_correlations_are_spearmans(drawn: tuple[np.ndarray, ...]) -> None:
    latents, factors, groups = drawn
    found = RankSums.of(latents, factors, groups, 20).correlations()
    expected = spearmanr(latents, factors).statistic[:3, 3:]
    np.testing.assert_allclose(found, expected, atol=1e-12)


def test_a_resample_weighs_its_groups(drawn: tuple[np.ndarray, ...]) -> None:
    latents, factors, groups = drawn
    weights = np.random.default_rng(1).multinomial(20, np.full(20, 1 / 20), 3)
    found = RankSums.of(latents, factors, groups, 20).correlations(
        weights.astype(float)
    )
    x, y = ranks(latents), ranks(factors)
    for row, counts in zip(found, weights, strict=True):
        rows = np.concatenate(
            [np.tile(np.flatnonzero(groups == g), c) for g, c in enumerate(counts)]
        )
        expected = np.corrcoef(x[rows].T, y[rows].T)[:3, 3:]
        np.testing.assert_allclose(row, expected, atol=1e-9)


def test_unique_parts_are_what_the_regression_loses(
    drawn: tuple[np.ndarray, ...],
) -> None:
    latents, factors, _ = drawn
    x, y = rankdata(latents, axis=0), rankdata(factors, axis=0)
    found = unique_parts(latents, factors)
    for d in range(3):
        full = LinearRegression().fit(y, x[:, d]).score(y, x[:, d])
        for f in range(4):
            rest = np.delete(y, f, axis=1)
            lost = full - LinearRegression().fit(rest, x[:, d]).score(rest, x[:, d])
            assert found[d, f] == pytest.approx(lost, abs=1e-6)


def test_ties_share_their_rank() -> None:
    values = np.random.default_rng(0).integers(0, 6, (50, 3)).astype(float)
    expected = rankdata(values, axis=0)
    expected = (expected - expected.mean(0)) / expected.std(0)
    np.testing.assert_allclose(ranks(values), expected, atol=1e-12)


def test_constants_follow_nothing() -> None:
    latents, factors = np.ones((40, 1)), np.arange(40.0)[:, None]
    groups = np.arange(40)
    assert RankSums.of(latents, factors, groups, 40).correlations() == 0
    assert unique_parts(latents, factors) == 0
    assert ranks(np.empty((0, 2))).shape == (0, 2)
