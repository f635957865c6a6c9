from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.measure import points_in_poly

from napari_cellsci.viewer.lasso import PlanePoints


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 10_000), st.integers(3, 40))
def test_a_lasso_holds_what_a_ray_test_says(seed: int, corners: int) -> None:
    rng = np.random.default_rng(seed)
    points = rng.normal(size=(300, 2)).astype(np.float32)
    polygon = rng.normal(size=(corners, 2))  # crosses itself
    inside = PlanePoints(points).inside(polygon)
    expected = np.flatnonzero(points_in_poly(points.astype(float), polygon))
    np.testing.assert_array_equal(inside, expected)


def test_corners_shared_by_two_lassos_belong_to_one_of_them() -> None:
    grid = np.stack(np.meshgrid(np.arange(7), np.arange(7)), -1).reshape(-1, 2)
    points = PlanePoints(grid)
    left = points.inside(np.array([[-1, -1], [3, -1], [3, 7], [-1, 7]]))
    right = points.inside(np.array([[3, -1], [7, -1], [7, 7], [3, 7]]))
    assert sorted([*left, *right]) == list(range(49))


def test_points_without_a_place_are_never_found() -> None:
    points = PlanePoints(np.array([[0, 0], [np.nan, 0], [0, np.inf]]))
    square = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]])
    assert points.inside(square).tolist() == [0]
    assert points.within((-1, -1), (1, 1)).tolist() == [0]
    assert points.nearest((0, 0.2)) == 0
    assert PlanePoints(np.array([[np.nan, 0]])).nearest((0, 0)) is None


def test_a_lasso_of_two_corners_or_around_nothing_is_empty() -> None:
    points = PlanePoints(np.zeros((3, 2)))
    assert not points.inside(np.array([[0, 0], [1, 1]])).size
    assert not PlanePoints(np.empty((0, 2))).inside(np.eye(3)[:, :2]).size


def test_the_nearest_point_is_counted_in_pixels() -> None:
    points = PlanePoints(np.array([[0.0, 0.0], [10.0, 0.0]]))
    # A pixel is 10 wide and 0.1 high: the second point is one pixel away.
    assert points.nearest((0.0, 1.0), (10.0, 0.1)) == 0
    assert points.nearest((9.0, 0.0), (10.0, 0.1), reach=2) == 1
    assert points.nearest((0.0, 1.0), (10.0, 0.1), reach=2) is None
    assert points.within((11, 1), (5, -1)).tolist() == [1]


def test_a_horizontal_edge_divides_by_nothing() -> None:
    points = PlanePoints(np.array([[0.5, 0.0], [0.5, 0.5]]))
    square = np.array([[0, 0], [1, 0], [1, 1], [0, 1]], float)
    with np.errstate(all="raise"):
        assert 1 in points.inside(square)


@pytest.mark.parametrize("n", [1, 5])
def test_rows_come_in_order(n: int) -> None:
    points = PlanePoints(np.random.default_rng(n).uniform(0, 1, (n, 2)))
    box = np.array([[-1, -1], [2, -1], [2, 2], [-1, 2]])
    assert points.inside(box).tolist() == list(range(n))
