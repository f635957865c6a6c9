"""Crops as they fail."""

from __future__ import annotations

import numpy as np
import pytest

from napari_cellsci.cells.normalise import is_blank
from napari_cellsci.explain.failures import FAILURES, failing


@pytest.fixture
def pair() -> tuple[np.ndarray, np.ndarray]:
    y, x = np.mgrid[:64, :64] - 31.5
    crop = 100 + 500 * (y**2 / 2 + x**2 < 90)
    other = 120 + 300 * (y**2 + x**2 < 60)
    noise = np.random.default_rng(0).normal(0, 4, (2, 64, 64))
    return tuple(  # type: ignore[return-value]
        np.rint(one + n)[None].astype(np.uint16)
        for one, n in zip((crop, other), noise, strict=True)
    )


def test_every_failure_is_a_crop_of_the_same_kind(
    pair: tuple[np.ndarray, np.ndarray],
) -> None:
    crop, other = pair
    made = failing(crop, other)
    assert set(made) == set(FAILURES)
    for name, failed in made.items():
        assert failed.shape == crop.shape, name
        assert failed.dtype == crop.dtype, name
        assert (failed != crop).any(), name
        np.testing.assert_array_equal(failed, failing(crop, other)[name])
    wide = failing(crop.astype(np.float32), other.astype(np.float32))
    assert all(failed.dtype == np.float32 for failed in wide.values())


def test_each_fails_in_its_own_way(pair: tuple[np.ndarray, np.ndarray]) -> None:
    crop, other = pair
    made = {name: one.astype(float) for name, one in failing(crop, other).items()}
    assert is_blank(made["blank"][None])[0]
    assert abs(made["blank"].mean() - 100) < 10
    assert (made["saturated"] == made["saturated"].max()).mean() > 0.02
    assert (
        np.abs(np.diff(made["defocus"])).max() < np.abs(np.diff(crop * 1.0)).max() / 3
    )
    weight = made["shifted"][0] - 100
    assert (weight.sum(0) * np.arange(64)).sum() / weight.sum() > 40
    added = made["neighbour"] - crop
    assert added[..., 40:].sum() > 10 * np.abs(added[..., :28]).sum()
    assert np.ptp(made["dim"]) < np.ptp(crop) / 4
    assert made["dim"][0, :8, :8].std() == pytest.approx(4, rel=0.4)
