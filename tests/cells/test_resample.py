from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from napari_cellsci.cells._resample import Operator, sampling, whole_window


def resize_with_torch(windows: np.ndarray, size: int) -> np.ndarray:
    resized = torch.nn.functional.interpolate(
        torch.from_numpy(windows[:, None]),
        size=(size, size),
        mode="bilinear",
        antialias=True,
        align_corners=False,
    )
    return resized[:, 0].numpy()


@pytest.mark.parametrize("size", [16, 64])
@pytest.mark.parametrize("window", [1, 2, 3, 15, 33, 48, 63, 65, 100, 129, 300])
def test_operator_equals_torch_on_whole_windows(window: int, size: int) -> None:
    plan = sampling(window, size)
    assert plan.extent == window
    assert plan.operator is not None
    windows = np.random.default_rng(0).random((3, window, window), dtype=np.float32)
    crops = plan.operator(windows)
    np.testing.assert_allclose(crops, resize_with_torch(windows, size), atol=2e-6)


@pytest.mark.parametrize("window", [0.4, 1.5, 20.7, 33.4, 50.5, 77.3, 128.6])
def test_fractional_windows_equal_pillow_with_a_box(window: float) -> None:
    plan = sampling(window, 32)
    assert plan.operator is not None
    pixels = np.random.default_rng(1).random((1, plan.extent, plan.extent))
    windows = pixels.astype(np.float32)
    first = plan.before + 0.5 - window / 2
    box = (first, first, first + window, first + window)
    image = Image.fromarray(windows[0])
    expected = image.resize((32, 32), Image.Resampling.BILINEAR, box=box)
    np.testing.assert_allclose(
        plan.operator(windows)[0], np.asarray(expected), atol=2e-6
    )


@given(window=st.floats(0.2, 400), size=st.sampled_from([16, 48, 64, 128]))
@settings(deadline=None, max_examples=60)
def test_sampling_is_an_average_over_a_window_around_the_pixel(
    window: float, size: int
) -> None:
    plan = sampling(window, size)
    assert 0 <= plan.before < plan.extent
    whole = whole_window(window)
    assert whole <= plan.extent < whole + 2
    assert abs(plan.before + 0.5 - plan.extent / 2) <= 0.5
    if plan.operator is not None:
        matrix = plan.operator.matrix
        assert matrix.shape == (size, plan.extent)
        assert (matrix >= 0).all()
        np.testing.assert_allclose(matrix.sum(axis=1), 1, atol=1e-6)


def test_bands_and_strips_do_not_change_the_operator() -> None:
    plan = sampling(610, 16)
    assert plan.operator is not None
    matrix = plan.operator.matrix
    windows = np.random.default_rng(2).random((2, 610, 610), dtype=np.float32)
    expected = np.einsum("sy,nyx,tx->nst", matrix, windows, matrix, optimize=True)
    np.testing.assert_allclose(Operator(matrix)(windows), expected, rtol=1e-5)


def test_almost_whole_windows_are_taken_as_whole() -> None:
    assert whole_window(21.3 / 0.333) == 64
    assert sampling(21.3 / 0.333, 64).operator is None
    assert whole_window(21.3 / 0.645) == 33
    assert whole_window(32.5) == 32.5
    assert whole_window(0.3) == 0.3
