from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_cellsci.viewer.plane import PlaneView, ticks

VIEW = PlaneView(-1.0, 3.0, 0.0, 10.0, 400.0, 200.0)


def test_the_corners_of_the_view_are_those_of_the_window() -> None:
    corners = [[-1, 10], [3, 0]]
    assert VIEW.to_pixels(np.array(corners)).tolist() == [[0, 0], [400, 200]]
    assert VIEW.to_plane([[0, 0], [400, 200]]).tolist() == corners
    assert VIEW.unit == (0.01, 0.05)


@settings(deadline=None)
@given(st.floats(0, 400), st.floats(0, 200), st.floats(0.1, 10))
def test_zooming_keeps_what_is_under_the_mouse(x: float, y: float, by: float) -> None:
    zoomed = VIEW.zoomed((x, y), by)
    np.testing.assert_allclose(
        zoomed.to_plane([[x, y]]), VIEW.to_plane([[x, y]]), atol=1e-9
    )
    assert zoomed.unit[0] == pytest.approx(VIEW.unit[0] / by)


def test_dragging_takes_the_content_along() -> None:
    moved = VIEW.moved(30, -20)
    np.testing.assert_allclose(moved.to_plane([[130, 80]]), VIEW.to_plane([[100, 100]]))


def test_all_cells_are_in_view_but_a_few_that_lie_far_off() -> None:
    rng = np.random.default_rng(0)
    xy = rng.normal(size=(2000, 2))
    fitted = VIEW.fitted(xy)
    assert fitted.left < xy[:, 0].min()
    assert fitted.top > xy[:, 1].max()
    xy[0] = [1e4, np.nan]
    xy[1] = [1e4, 0]
    assert VIEW.fitted(xy).right < 10


@pytest.mark.parametrize("xy", [np.zeros((0, 2)), np.zeros((3, 2)), [[np.nan, 1]]])
def test_degenerate_clouds_have_a_view(xy: object) -> None:
    fitted = VIEW.fitted(np.asarray(xy))
    assert fitted.right > fitted.left
    assert fitted.top > fitted.bottom
    assert (fitted.width, fitted.height) == (400, 200)


@settings(deadline=None)
@given(st.floats(-1e4, 1e4), st.floats(1e-3, 1e4), st.integers(1, 12))
def test_ticks_are_round_inside_and_told_apart(
    low: float, width: float, most: int
) -> None:
    values, decimals = ticks(low, low + width, most)
    assert 2 <= len(values) <= max(most, 4) + 1
    assert all(low - 1e-6 * width <= v <= low + width * (1 + 1e-6) for v in values)
    assert len({f"{v:.{decimals}f}" for v in values}) == len(values)


def test_usual_ticks() -> None:
    assert ticks(-3.2, 3.2, 6) == ([-2.0, 0.0, 2.0], 0)
    assert ticks(0, 1, 4) == ([0.0, 0.25, 0.5, 0.75, 1.0], 2)
