from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from napari.layers import Image

from napari_cellsci.viewer.geometry import Affine, is_identity, layer_transform

NUMBER = st.floats(0.2, 5)
SHIFT = st.floats(-40, 40)


@settings(deadline=None, max_examples=20)
@given(st.tuples(NUMBER, NUMBER, NUMBER), st.tuples(SHIFT, SHIFT, SHIFT), SHIFT)
def test_the_map_agrees_with_napari_point_by_point(
    scale: tuple[float, ...], translate: tuple[float, ...], angle: float
) -> None:
    turned = np.eye(4)
    cos, sin = np.cos(angle), np.sin(angle)
    turned[1:3, 1:3] = [[cos, -sin], [sin, cos]]
    layer = Image(np.zeros((2, 3, 4)), scale=scale, translate=translate, affine=turned)
    there = Affine.to_world(layer)
    points = np.random.default_rng(0).uniform(-9, 9, (5, 3))
    expected = np.array([layer.data_to_world(point) for point in points])
    np.testing.assert_allclose(there(points), expected, atol=1e-6)
    np.testing.assert_allclose(there.inverse()(expected), points, atol=1e-6)


@settings(deadline=None, max_examples=10)
@given(st.tuples(NUMBER, NUMBER, NUMBER), st.tuples(SHIFT, SHIFT, SHIFT))
def test_maps_compose(a: tuple[float, ...], b: tuple[float, ...]) -> None:
    first = Affine(np.diag(a), np.array(b))
    second = Affine(np.diag(b) + np.eye(3) * 50, np.array(a))
    points = np.random.default_rng(1).normal(size=(4, 3))
    np.testing.assert_allclose(second.after(first)(points), second(first(points)))


def test_a_layer_placed_like_another_lies_on_it() -> None:
    layer = Image(np.zeros((2, 3, 4)), scale=(2, 0.5, 0.5), translate=(0, 7, 8))
    place = layer_transform(layer)
    place["scale"] *= 2
    place["translate"] += 1
    assert tuple(layer.scale) == (2, 0.5, 0.5)  # its own are not touched
    twin = Image(np.zeros((2, 3, 4)), **layer_transform(layer))
    there = Affine.to_world(layer).inverse().after(Affine.to_world(twin))
    assert is_identity(there)


@pytest.mark.parametrize("shift", [0.01, 1.0])
def test_a_shift_is_no_identity(shift: float) -> None:
    assert not is_identity(Affine(np.eye(2), np.array([shift, 0])))


def test_other_axes_can_be_left_out() -> None:
    there = Affine(np.diag([2.0, 3, 4, 5]), np.arange(4.0))
    kept = there.restricted((0, 2, 3))
    np.testing.assert_allclose(kept(np.ones((1, 3))), [[2, 6, 8]])
