from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import gaussian_kde
from sklearn.decomposition import PCA
from sklearn.metrics import roc_auc_score

from napari_cellsci.representation.embedding import principal_components
from napari_cellsci.representation.separation import (
    class_densities,
    fisher_ratio,
    kernel_density,
    separation,
)


def test_components_are_those_of_sklearn() -> None:
    rng = np.random.default_rng(0)
    z = rng.normal(size=(500, 7)) @ rng.normal(size=(7, 7)) + 3
    ours, theirs = principal_components(z, 4), PCA(4, svd_solver="full").fit(z)
    np.testing.assert_allclose(ours.share, theirs.explained_variance_ratio_, rtol=1e-9)
    np.testing.assert_allclose(
        np.abs(ours.project(z)), np.abs(theirs.transform(z)), atol=1e-4
    )
    largest = np.abs(ours.directions).argmax(axis=1)
    assert (ours.directions[np.arange(4), largest] > 0).all()


def test_components_of_one_latent_of_one_cell_or_of_none() -> None:
    assert principal_components(np.arange(5.0)[:, None]).share.tolist() == [1.0]
    assert principal_components(np.zeros((1, 3))).project(
        np.zeros((1, 3))
    ).tolist() == [[0, 0, 0]]
    assert principal_components(np.zeros((0, 2))).directions.shape == (2, 2)


@pytest.mark.parametrize("n", [20, 300, 5000])
def test_binned_density_is_the_exact_one(n: int) -> None:
    values = np.random.default_rng(n).normal(1, 2, n)
    grid = np.linspace(-6, 8, 101)
    exact = gaussian_kde(values, "scott")(grid)
    np.testing.assert_allclose(
        kernel_density(values, grid), exact, atol=0.01 * exact.max()
    )


def test_densities_integrate_to_one_and_leave_out_cells_without_class() -> None:
    rng = np.random.default_rng(1)
    z = np.concatenate([rng.normal(-2, 0.5, (400, 2)), rng.normal(2, 1, (100, 2))])
    codes = np.repeat([0, 1], [400, 100])
    codes[:50] = -1
    found = class_densities(z, codes, 3)
    assert found.counts.tolist() == [350, 100, 0]
    step = found.grid[:, 1] - found.grid[:, 0]
    area = found.values.sum(axis=2) * step
    np.testing.assert_allclose(area[:2], 1, atol=0.01)
    assert not found.values[2].any()
    assert (found.grid[:, 0] < -3).all()
    assert (found.grid[:, -1] > 4).all()


def test_densities_of_constant_latents_and_of_nothing() -> None:
    z = np.zeros((10, 1))
    found = class_densities(z, np.zeros(10, int), 1)
    assert np.isfinite(found.values).all()
    assert found.values.max() > 0
    nothing = class_densities(z, np.full(10, -1), 2)
    assert not nothing.values.any()


def test_area_is_that_of_sklearn_also_with_ties() -> None:
    rng = np.random.default_rng(2)
    codes = rng.integers(0, 2, 400)
    z = rng.normal(size=(400, 3)) + codes[:, None] * [1.5, -1.0, 0]
    z = np.round(z, 1)
    found = separation(z, codes, np.arange(400))
    for d in range(3):
        area = roc_auc_score(codes, z[:, d])
        assert found.auroc[d] == pytest.approx(max(area, 1 - area))
    assert found.rising[:2].tolist() == [1, -1]
    assert found.ranked().tolist() == [0, 1, 2]
    assert (found.low < found.auroc).all()
    assert (found.auroc < found.high).all()


def test_three_classes_are_each_held_against_the_rest() -> None:
    rng = np.random.default_rng(3)
    codes = rng.integers(0, 3, 300)
    z = rng.normal(size=(300, 1)) + codes[:, None]
    areas = [roc_auc_score(codes == k, z[:, 0]) for k in range(3)]
    found = separation(z, codes, np.arange(300))
    assert found.auroc[0] == pytest.approx(np.mean([max(a, 1 - a) for a in areas]))
    assert found.rising[0] == 0


def test_the_interval_counts_tracks_not_cells() -> None:
    # Every cell ten times over in its track tells nothing new.
    rng = np.random.default_rng(4)
    codes = rng.integers(0, 2, 100)
    z = rng.normal(size=(100, 1)) + codes[:, None]
    once = separation(z, codes, np.arange(100))
    many = separation(
        np.repeat(z, 10, 0), np.repeat(codes, 10), np.repeat(np.arange(100), 10)
    )
    assert many.low[0] == pytest.approx(once.low[0])
    assert many.high[0] == pytest.approx(once.high[0])


def test_the_interval_is_that_of_resampled_tracks() -> None:
    rng = np.random.default_rng(5)
    track = np.repeat(np.arange(60), 8)
    codes = (rng.random(480) < 0.3).astype(int)
    z = rng.normal(size=480) + codes + rng.normal(size=60)[track]
    found = separation(z[:, None], codes, track)
    areas = []
    for _ in range(400):
        rows = np.concatenate(
            [np.flatnonzero(track == t) for t in rng.integers(0, 60, 60)]
        )
        areas.append(roc_auc_score(codes[rows], z[rows]))
    width = np.subtract(*np.quantile(areas, [0.975, 0.025]))
    assert found.high[0] - found.low[0] == pytest.approx(width, rel=0.2)


def test_one_class_separates_nothing() -> None:
    found = separation(np.zeros((5, 2)), np.zeros(5, int), np.arange(5))
    assert np.isnan(found.auroc).all()
    assert found.ranked().tolist() == [0, 1]


@settings(deadline=None, max_examples=30)
@given(st.integers(2, 40), st.integers(0, 1000))
def test_the_area_does_not_depend_on_scale_or_direction(n: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    codes = np.r_[0, 1, rng.integers(0, 2, n)]
    z = rng.normal(size=(n + 2, 1))
    track = rng.integers(0, 5, n + 2)
    one = separation(z, codes, track)
    other = separation(-np.exp(z), codes, track)
    assert other.auroc[0] == pytest.approx(one.auroc[0])
    assert 0.5 <= one.auroc[0] <= 1


def test_fishers_ratio_is_the_one_between_over_within() -> None:
    rng = np.random.default_rng(6)
    codes = np.r_[np.repeat([0, 1], 5000), np.full(100, -1)]
    z = rng.normal(size=(10_100, 2))
    z[codes == 1] += [4, 0]
    found = fisher_ratio(z, codes)
    assert found[0] == pytest.approx(4, rel=0.1)  # means 2 either way of the middle
    assert found[1] < 0.01
    assert not fisher_ratio(z, np.zeros(10_100, int)).any()
