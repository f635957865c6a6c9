"""Perturbations put back into the movie."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_cellsci.cells.crops import crop_frame
from napari_cellsci.cells.spec import CropSpec
from napari_cellsci.explain.blend import Return, blend_frame, crop_scale, in_grey_levels
from napari_cellsci.explain.noise import noise_of


def test_whole_pixels_go_back_where_they_came_from_and_are_cut_again_exactly() -> None:
    rng = np.random.default_rng(0)
    frame = rng.normal(100, 20, (2, 90, 80)).astype(np.float32)
    spec = CropSpec(size=32, fov_px=32, channels=(0, 1))
    yx = np.array([[20.4, 22.6], [60.5, 50.0]])
    delta = rng.normal(0, 3, (2, 2, 32, 32)).astype(np.float32)
    way = Return.of(spec, None)
    difference, count = blend_frame((90, 80), yx, delta, way)
    assert count.max() == 1
    again = crop_frame(frame + difference, yx, spec, None)
    np.testing.assert_allclose(
        again - crop_frame(frame, yx, spec, None), delta, atol=2e-5
    )


@settings(deadline=None, max_examples=30)
@given(
    window=st.floats(9, 90),
    cells=st.lists(st.tuples(st.floats(-20, 80), st.floats(-20, 90)), max_size=5),
    epsilon=st.floats(0, 5),
    seed=st.integers(0, 99),
)
def test_nothing_outside_the_crops_changes_and_nothing_by_more_than_epsilon(
    window: float, cells: list[Any], epsilon: float, seed: int
) -> None:
    spec = CropSpec(size=32, fov_px=window)
    way = Return.of(spec, None)
    yx = np.array(cells, float).reshape(-1, 2)
    signs = np.random.default_rng(seed).choice([-1.0, 1.0], (len(yx), 1, 32, 32))
    difference, count = blend_frame((60, 70), yx, epsilon * signs, way)
    assert difference.shape == (1, 60, 70)
    assert not difference[0][count == 0].any()
    assert np.abs(difference).max(initial=0) <= epsilon * (1 + 1e-5)
    if epsilon == 0:
        assert not difference.any()
    # The window a crop was cut from, to the pixel.
    for y, x in np.argwhere(count):
        middle = np.floor(yx + 0.5) - np.array([y, x])
        half = window / 2 + 1
        assert (np.abs(middle).max(1) <= half).any()


def test_a_constant_perturbation_is_the_same_constant_in_the_movie() -> None:
    for window in (33.02, 64.0, 100.7):
        way = Return.of(CropSpec(size=64, fov_px=window), None)
        found = way(np.full((1, 1, 64, 64), 2.5, np.float32))
        np.testing.assert_allclose(found[0, 0][way.covered], 2.5, rtol=1e-5)
        edge = round(window)
        assert abs(int(way.covered.any(0).sum()) - edge) <= 1


@pytest.mark.parametrize("window", [33.0, 47.3, 64.0, 90.0])
def test_a_smooth_perturbation_survives_the_way_there_and_back(window: float) -> None:
    spec = CropSpec(size=64, fov_px=window)
    y, x = np.mgrid[:64, :64] / 63 * np.pi
    delta = (np.sin(y) * np.sin(2 * x))[None, None].astype(np.float32)
    yx = np.array([[70.0, 71.0]])
    difference, _ = blend_frame((140, 142), yx, delta, Return.of(spec, None))
    again = crop_frame(difference, yx, spec, None)
    assert np.corrcoef(again.ravel(), delta.ravel())[0, 1] > 0.99
    # Never moved: the best match is where it was.
    moved = np.roll(again, 1, axis=-1)
    assert np.abs(again - delta).mean() < np.abs(moved - delta).mean()


def test_where_crops_overlap_perturbations_are_averaged() -> None:
    spec = CropSpec(size=16, fov_px=16)
    yx = np.array([[20.0, 20.0], [20.0, 28.0]])
    delta = np.stack([np.full((1, 16, 16), 1.0), np.full((1, 16, 16), 4.0)])
    difference, count = blend_frame((40, 48), yx, delta, Return.of(spec, None))
    assert set(np.unique(difference[0][count == 2])) == {2.5}
    assert set(np.unique(difference[0][count == 1])) == {1.0, 4.0}
    assert (count == 2).sum() == 16 * 8


def test_grey_levels_are_what_the_normalisation_divides_by() -> None:
    rng = np.random.default_rng(1)
    crops = (rng.normal(0, 1, (3, 2, 16, 16)) * 30 + 60_000).astype(np.uint16)
    crops[2] = 7
    scale = crop_scale(crops)
    np.testing.assert_allclose(scale[:2], crops[:2].std(axis=(2, 3)), rtol=1e-5)
    np.testing.assert_allclose(scale[2], 1 / 16)
    grey = in_grey_levels(np.full((3, 2, 16, 16), 0.5, np.float32), crops)
    np.testing.assert_allclose(grey[:, :, 0, 0], 0.5 * scale, rtol=1e-6)


def test_the_noise_of_a_frame_is_found_under_its_cells() -> None:
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:200, :201]
    cells = 400 * np.exp(-((y % 40 - 20) ** 2 + (x % 50 - 25) ** 2) / 60)
    for sigma in (3.0, 20.0):
        frame = rng.normal(cells + 100, sigma)[None]
        assert noise_of(frame)[0] == pytest.approx(sigma, rel=0.12)
    flat = np.full((1, 8, 8), 5, np.uint8)
    assert noise_of(flat)[0] == pytest.approx(1 / np.sqrt(12))
    assert noise_of(flat.astype(float))[0] == 0
