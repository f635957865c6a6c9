from __future__ import annotations

import colorsys

import numpy as np
import pytest

from napari_cellsci.viewer.colors import rgba
from napari_cellsci.viewer.map_colors import VIRIDIS, hues, sequential


def test_time_runs_through_the_anchors_in_order() -> None:
    found = sequential(np.linspace(0, 1, len(VIRIDIS)))
    np.testing.assert_allclose(found, [rgba(color) for color in VIRIDIS], atol=1e-6)
    lightness = sequential(np.linspace(0, 1, 50))[:, :3] @ [0.2126, 0.7152, 0.0722]
    assert (np.diff(lightness) > 0).all()


@pytest.mark.parametrize("number", [0, 1, 17, 123456789])
def test_hues_are_those_of_the_standard_library(number: int) -> None:
    hue = (number * 0.6180339887) % 1
    expected = colorsys.hsv_to_rgb(hue, 0.62, 0.86)
    np.testing.assert_allclose(hues(np.array([number]))[0, :3], expected, atol=1e-5)


def test_numbers_in_a_row_are_told_apart() -> None:
    found = hues(np.arange(12))
    distance = np.linalg.norm(found[:, np.newaxis] - found, axis=2)
    assert distance[~np.eye(12, dtype=bool)].min() > 0.1
