"""Images of any size become crops: what is kept, and what surrounds it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_cellsci.cells.sizing import (
    HOWS,
    Sizing,
    apply_sizing,
    border_statistics,
    fix_size,
)
from napari_cellsci.errors import InputError

PADDING = ["noise", "constant", "mean"]
EDGES = st.integers(1, 70)
TYPES = st.sampled_from(["uint8", "uint16", "int16", "float32", "float64"])


def _image(shape, dtype="uint16", seed=0):
    values = np.random.default_rng(seed).uniform(10, 120, shape)
    return values.astype(dtype)


@settings(deadline=None, max_examples=30)
@given(EDGES, EDGES, st.integers(1, 6), TYPES, st.sampled_from(HOWS))
def test_twice_is_once(height, width, channels, dtype, how):
    once = fix_size(_image((channels, height, width), dtype), 32, how=how)
    assert once.shape == (channels, 32, 32)
    assert once.dtype == dtype
    np.testing.assert_array_equal(fix_size(once, 32, how=how), once)


@settings(deadline=None, max_examples=30)
@given(EDGES, EDGES, st.sampled_from([15, 32, 33]), st.sampled_from(PADDING))
def test_pixels_that_are_kept_do_not_change(height, width, size, how):
    image = _image((1, height, width))
    made = fix_size(image, size, how=how)
    # Independent of how it is done: walk from the centre in all directions.
    for y in range(height):
        for x in range(width):
            there = size // 2 + y - height // 2, size // 2 + x - width // 2
            if min(there) >= 0 and max(there) < size:
                assert made[0, *there] == image[0, y, x]


@pytest.mark.parametrize("shape", [(3, 640, 640), (3, 6, 6), (3, 6, 640), (3, 1, 1)])
@pytest.mark.parametrize("how", HOWS)
def test_images_ten_times_smaller_or_larger_and_single_pixels(shape, how):
    image = _image(shape)
    made = fix_size(image, 64, how=how)
    assert made.shape == (3, 64, 64)
    assert made.min() >= 0
    if how != "resize":
        centre = image[:, shape[1] // 2, shape[2] // 2]
        np.testing.assert_array_equal(made[:, 32, 32], centre)


def test_noise_has_the_statistics_of_the_edges_alone():
    image = _image((1, 40, 40), "float64")
    image[:, 1:-1, 1:-1] += 1e4
    edge = np.concatenate(
        [image[0, 0], image[0, -1], image[0, 1:-1, 0], image[0, 1:-1, -1]]
    )
    assert border_statistics(image[0]) == pytest.approx((edge.mean(), edge.std()))
    made = fix_size(image, 400, how="noise")[0]
    around = np.ones(made.shape, bool)
    around[180:220, 180:220] = False
    assert made[around].mean() == pytest.approx(edge.mean(), rel=0.01)
    assert made[around].std() == pytest.approx(edge.std(), rel=0.01)


def test_noise_depends_on_the_image_and_the_seed_alone():
    image = _image((2, 20, 24))
    first = fix_size(image, 64)
    np.testing.assert_array_equal(fix_size(image.copy(), 64), first)
    wide = fix_size(image.astype("float64"), 64)
    np.testing.assert_array_equal(wide.clip(0).round(), first)
    np.testing.assert_array_equal(fix_size(image[1:], 64), first[1:])
    assert (fix_size(image, 64, seed=1) != first).any()
    other = image.copy()
    other[0, 10, 10] += 1
    changed = fix_size(other, 64) != first
    assert changed[0].mean() > 0.5
    assert not changed[1].any()


def test_noise_of_a_single_pixel_is_that_pixel():
    assert (fix_size(np.full((1, 1, 1), 7, np.uint8), 16) == 7).all()


def test_constants_and_means_surround():
    image = _image((1, 10, 12), "float32")
    made = fix_size(image, 16, how="constant")
    assert (made[:, :3] == 20).all()
    assert (made[:, :, :2] == 20).all()
    assert fix_size(image, 16, how="constant", value=5)[0, 0, 0] == 5
    mean = border_statistics(image[0])[0]
    assert fix_size(image, 16, how="mean")[0, 0, 0] == pytest.approx(mean)


def test_each_channel_may_be_surrounded_in_its_own_way():
    image = _image((2, 8, 8))
    made = fix_size(image, 16, how=("mean", "constant"), value=3)
    np.testing.assert_array_equal(made[0], fix_size(image[:1], 16, how="mean")[0])
    assert made[1, 0, 0] == 3
    many = [Sizing(how="constant", value=1), Sizing(how="constant", value=2)]
    assert apply_sizing(image, 16, many)[:, 0, 0].tolist() == [1, 2]


def test_integers_stay_within_their_range():
    image = np.random.default_rng(0).choice([0, 255], (1, 9, 9)).astype(np.uint8)
    assert fix_size(image, 64).dtype == np.uint8
    made = fix_size(image, 16, how="constant", value=1e9)
    assert made[0, 0, 0] == 255
    assert fix_size(image, 16, how="constant", value=-4)[0, 0, 0] == 0
    high = fix_size(image.astype(np.int64), 16, how="constant", value=1e30)[0, 0, 0]
    assert high > 2**62
    mask = image > 0
    assert fix_size(mask, 16).dtype == bool
    assert fix_size(mask, 4, how="resize").dtype == bool


def test_resizing_keeps_proportions_and_smooths():
    image = np.zeros((1, 200, 100), np.float32)
    image[:, ::2] = 1
    made = fix_size(image, 20, how="resize")[0]
    assert made[:, 5:15].std() < 0.05
    assert made[:, :5] == pytest.approx(made[0, 0])
    bright = np.zeros((1, 8, 8), np.uint8)
    bright[:, 2:6, 2:6] = 200
    larger = fix_size(bright, 32, how="resize")[0]
    assert (larger > 100).sum() == pytest.approx(16 * 16, rel=0.1)


@pytest.mark.parametrize("shape", [(8, 8), (1, 0, 8), (0, 8, 8), (1, 2, 8, 8)])
def test_what_is_no_image_is_refused(shape):
    with pytest.raises(InputError, match="channels, height, width"):
        fix_size(np.zeros(shape), 16)


def test_unknown_ways_are_refused():
    with pytest.raises(InputError, match="noise, constant, mean, resize"):
        fix_size(np.zeros((1, 4, 4)), 16, how="mirror")
    with pytest.raises(InputError, match=r"2 ways .* 1 channel"):
        fix_size(np.zeros((1, 4, 4)), 16, how=("mean", "noise"))
    with pytest.raises(InputError, match="number"):
        Sizing(how="constant", value=float("nan"))
    with pytest.raises(InputError, match="seed"):
        Sizing(seed=-1)
