"""Normalisation in torch against the formula in float64 numpy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from napari_cellsci.cells.spec import CropSpec
from napari_cellsci.errors import InputError
from napari_cellsci.representation.normalise import normalise

SPEC = CropSpec(fov_px=32, size=32, channels=(0, 1))


def zscore(crops: NDArray[Any], clip: float = 4.0) -> NDArray[Any]:
    x = crops.astype(np.longdouble)
    x = x - x.mean((2, 3), keepdims=True)
    std = np.sqrt((x**2).mean((2, 3), keepdims=True))
    return np.clip(x / np.maximum(std, 1 / crops.shape[-1]), -clip, clip)


def crops(dtype: str, offset: float = 0.0, scale: float = 30.0) -> NDArray[Any]:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(7, 2, 32, 32)) + 3 * rng.random((7, 2, 1, 1))
    x[:, :, 8:20, 10:18] += 6
    x[0, 0, 0, 0] = 40  # the first pixel is nothing special
    return (offset + scale * x).astype(dtype)


@pytest.mark.parametrize(
    ("dtype", "offset", "scale"),
    [
        ("uint8", 60, 5),
        ("uint16", 32768, 30),
        ("uint16", 65000, 3),
        ("int16", -5000, 30),
        ("int32", 10**9, 30),
        ("uint32", 3 * 10**9, 30),
        ("int64", 2**40, 30),
        ("float16", 0, 1),
        ("float32", 0, 1e-3),
        ("float32", 32768, 30),
        ("float64", 1e9, 30),
        (">u2", 32768, 30),
    ],
)
def test_equal_to_the_formula(dtype: str, offset: float, scale: float) -> None:
    raw = crops(dtype, offset, scale)
    expected = zscore(raw)
    found = normalise(raw, SPEC)
    assert found.dtype == torch.float32
    assert found.shape == raw.shape
    np.testing.assert_allclose(found.numpy(), expected, atol=2e-5)
    native = raw.astype(raw.dtype.newbyteorder("="))
    from_tensor = normalise(torch.from_numpy(native), SPEC)
    np.testing.assert_allclose(from_tensor.numpy(), expected, atol=2e-5)


def test_the_input_is_left_alone() -> None:
    raw = crops("float32")
    before = raw.copy()
    normalise(raw, SPEC)
    normalise(torch.from_numpy(raw), SPEC)
    np.testing.assert_array_equal(raw, before)


def test_equal_to_the_rooms_own_reference() -> None:
    module = pytest.importorskip("napari_cellsci.cells.normalise")
    raw = crops("uint16", 32768)
    np.testing.assert_allclose(
        normalise(raw, SPEC).numpy(), module.zscore(raw), atol=2e-5
    )


def test_crops_are_normalised_one_by_one() -> None:
    raw = crops("uint16", 1000)
    together = normalise(raw, SPEC)
    alone = torch.cat([normalise(raw[i : i + 1], SPEC) for i in range(len(raw))])
    torch.testing.assert_close(together, alone, rtol=0, atol=1e-6)


def test_a_blank_crop_is_all_zeros() -> None:
    raw = np.full((2, 2, 32, 32), 32768, np.uint16)
    raw[1, 1] = 65535
    assert not normalise(raw, SPEC).any()


def test_dim_crops_are_not_blown_up() -> None:
    raw = np.zeros((1, 2, 32, 32), np.float32)
    raw[:, :, :16] = 1e-3  # std 5e-4, far below 1/32
    np.testing.assert_allclose(normalise(raw, SPEC).abs().max(), 5e-4 * 32, rtol=1e-4)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_pixel_that_is_no_number_is_refused(bad: float) -> None:
    raw = crops("float32")
    raw[3, 1, 5, 5] = bad
    with pytest.raises(InputError, match="crop 3 is NaN or infinite"):
        normalise(raw, SPEC)
    with pytest.raises(InputError, match="crop 103 is NaN or infinite"):
        normalise(raw, SPEC, rows=np.arange(100, 107))


@pytest.mark.parametrize("shape", [(7, 1, 32, 32), (7, 2, 64, 64), (7, 32, 32)])
def test_crops_of_another_spec_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(InputError, match=r"shape \(n, 2, 32, 32\)"):
        normalise(np.zeros(shape, np.uint8), SPEC)
