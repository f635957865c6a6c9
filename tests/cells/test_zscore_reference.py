from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_cellsci.cells.normalise import CHUNK, is_blank, zscore


def crops_from(seed: int, n: int = 3, channels: int = 2) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.gamma(1.0, 50, (n, channels, 16, 16)).round()


@given(
    seed=st.integers(0, 99),
    gain=st.floats(0.5, 1e3),
    offset=st.floats(-1e4, 1e5),
)
@settings(deadline=None, max_examples=40)
def test_brightness_and_offset_do_not_matter(
    seed: int, gain: float, offset: float
) -> None:
    crops = crops_from(seed)
    changed = zscore(crops * gain + offset)
    np.testing.assert_allclose(changed, zscore(crops), atol=2e-6)


@given(seed=st.integers(0, 99), clip=st.floats(0.1, 10))
@settings(deadline=None, max_examples=40)
def test_pixels_stay_within_the_clip(seed: int, clip: float) -> None:
    normalised = zscore(crops_from(seed), clip)
    assert normalised.dtype == np.float32
    assert np.abs(normalised).max() <= np.float32(clip)


def test_unclipped_crops_have_mean_zero_and_deviation_one() -> None:
    crops = np.random.default_rng(0).uniform(0, 9, (5, 2, 32, 32))
    normalised = zscore(crops, clip=100).astype(np.float64)
    np.testing.assert_allclose(normalised.mean(axis=(2, 3)), 0, atol=1e-7)
    np.testing.assert_allclose(normalised.std(axis=(2, 3)), 1, atol=1e-6)


def test_formula_on_faint_crops() -> None:
    crops = np.zeros((1, 1, 16, 16), np.float32)
    crops[0, 0, 0, 0] = 0.01  # its deviation is far below the floor 1/16
    expected = (crops - 0.01 / 256) * 16
    np.testing.assert_allclose(zscore(crops), expected, rtol=1e-5)


def test_offset_integers_are_exact_and_constant_crops_are_zero() -> None:
    crops = crops_from(0).astype(np.uint16)
    np.testing.assert_array_equal(zscore(crops + np.uint16(32768)), zscore(crops))
    assert not zscore(np.full((2, 1, 16, 16), 65535, np.uint16)).any()


def test_more_crops_than_a_chunk() -> None:
    crops = crops_from(1, n=CHUNK + 5, channels=1)
    np.testing.assert_array_equal(zscore(crops)[CHUNK:], zscore(crops[CHUNK:]))


def test_blank_means_constant_in_every_channel() -> None:
    crops = np.full((CHUNK + 3, 2, 16, 16), 7, np.uint16)
    crops[1, 0, 3, 3] = 8
    crops[2, 1, 15, 15] = 6
    crops[3, 0] = 100
    blank = is_blank(crops)
    assert np.flatnonzero(~blank).tolist() == [1, 2]
    assert is_blank(crops[:0]).shape == (0,)
