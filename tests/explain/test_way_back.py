"""Changes of normalised pixels told in grey levels, for every normalisation."""

from __future__ import annotations

import numpy as np
import pytest

from napari_cellsci.cells.fitting import fit_spec
from napari_cellsci.cells.normalise import normalised
from napari_cellsci.cells.spec import CropSpec
from napari_cellsci.cells.steps import pipeline_from_text
from napari_cellsci.explain.attacks.sweep import pixel_ends
from napari_cellsci.explain.blend import crop_scale, in_grey_levels
from napari_cellsci.explain.way_back import WayBack, is_linear

SIZE = 16
NAMES = ["brightfield", "fluorescence", "log+zscore", "background+clip:9", "zscore"]


def _crops(n=20, channels=1):
    rng = np.random.default_rng(1)
    y, x = np.mgrid[:SIZE, :SIZE] - SIZE / 2
    disc = np.hypot(y, x) < 5
    crops = rng.uniform(200, 260, (n, channels, SIZE, SIZE))
    return crops + disc * rng.uniform(100, 900, crops.shape)


def _fitted(*names):
    crops = _crops(channels=len(names))
    spec = CropSpec(
        fov_px=SIZE,
        size=SIZE,
        channels=tuple(range(len(names))),
        steps=tuple(map(pipeline_from_text, names)),
    )
    return crops, fit_spec(spec, crops)


@pytest.mark.parametrize("name", NAMES)
def test_a_change_of_one_pixel_makes_the_wanted_difference(name):
    """Where a pixel has no part in the statistics, the way back and forth is exact."""
    crops, spec = _fitted(name)
    delta = np.zeros(crops.shape)
    crops[:, 0, 0, 0] = 259  # above the median, before and after
    delta[:, 0, 0, 0] = 0.02
    changed = crops + in_grey_levels(delta, crops, spec)
    difference = normalised(changed, spec) - normalised(crops, spec)
    inside = (normalised(crops, spec)[:, 0, 0, 0] > spec.limits[0][0]) & (
        normalised(changed, spec)[:, 0, 0, 0] < spec.limits[0][1]
    )
    tolerance = 0.15 if "zscore" in name else 0.05
    found = difference[inside, 0, 0, 0]
    np.testing.assert_allclose(found, 0.02, rtol=tolerance)


def test_linear_steps_have_one_scale():
    crops, spec = _fitted("brightfield")
    assert is_linear(spec)
    scale = crop_scale(crops, spec)
    cells = spec.steps[0][0].cells
    expected = crops[:, :, cells].std(axis=2) * 6
    np.testing.assert_allclose(scale, expected, rtol=1e-6)
    delta = np.random.default_rng(0).normal(size=crops.shape)
    grey = in_grey_levels(delta, crops, spec)
    np.testing.assert_allclose(grey, delta * scale[:, :, None, None], rtol=1e-5)


def test_the_logarithm_moves_bright_pixels_farther():
    crops, spec = _fitted("fluorescence")
    assert not is_linear(spec)
    sd = spec.steps[0][1].deviations[-1]
    delta = np.full(crops.shape, 0.05)
    grey = in_grey_levels(delta, crops, spec)
    np.testing.assert_allclose(grey, crops * np.expm1(0.05 * 6 * sd), rtol=1e-5)
    slope = crop_scale(crops, spec)[:, 0]
    np.testing.assert_allclose(slope, crops.mean(axis=(1, 2, 3)) * 6 * sd, rtol=1e-5)


def test_the_z_score_keeps_its_own_scale():
    crops, spec = _fitted("zscore")
    np.testing.assert_array_equal(crop_scale(crops, spec), crop_scale(crops))
    slow = WayBack.of(crops, spec).slopes.mean(axis=(2, 3))
    np.testing.assert_allclose(slow, crop_scale(crops), rtol=1e-6)


def test_channels_go_their_own_way_back():
    crops, spec = _fitted("zscore", "fluorescence")
    delta = np.full(crops.shape, 0.1)
    both = in_grey_levels(delta, crops, spec)
    for channel in (0, 1):
        part = np.s_[:, channel : channel + 1]
        alone = in_grey_levels(delta[part], crops[part], spec.with_channels((channel,)))
        np.testing.assert_allclose(both[part], alone, rtol=1e-5)
    low, high = pixel_ends(spec)
    assert low.flatten().tolist() == [-4, 0]
    assert high.flatten().tolist() == [4, 1]
