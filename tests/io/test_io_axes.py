"""Which axis of a stack is which."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_cellsci.errors import InputError
from napari_cellsci.io._axes import arrange, infer_axes
from napari_cellsci.io._raw import RawStack


@pytest.mark.parametrize(
    ("shape", "letters", "expected"),
    [
        ((20, 70, 110), None, "TYX"),
        ((20, 2, 70, 110), None, "TCYX"),
        ((20, 30, 70, 110), None, "TZYX"),
        ((20, 2, 30, 70, 110), None, "TCZYX"),
        ((20, 30, 2, 70, 110), None, "TZCYX"),
        ((20, 70, 110), "QYX", "TYX"),
        ((20, 70, 110), "IYX", "TYX"),
        ((20, 70, 110), "ZYX", "TYX"),
        ((20, 2, 70, 110), "QQYX", "TCYX"),
        ((20, 2, 70, 110), "ZCYX", "TCYX"),
        ((20, 5, 70, 110), "TCYX", "TCYX"),
        ((20, 3, 2, 70, 110), "TZCYX", "TZCYX"),
    ],
)
def test_axes_follow_metadata_then_habit(
    shape: tuple[int, ...], letters: str | None, expected: str
) -> None:
    assert infer_axes(shape, letters, "movie") == expected


def test_imagej_writes_a_nameless_stack_as_channels() -> None:
    assert infer_axes((20, 70, 110), "CYX", "movie", c_is_certain=False) == "TYX"
    with pytest.raises(InputError, match="axes="):
        infer_axes((20, 70, 110), "CYX", "movie", c_is_certain=True)


def test_axes_of_length_one_are_dropped() -> None:
    data = np.zeros((1, 5, 1, 1, 7, 9))
    found, axes = arrange(RawStack(data, "QTCZYX"), None, "movie")
    assert (axes, found.shape) == ("TYX", (5, 7, 9))
    found, axes = arrange(RawStack(np.zeros((5, 1, 1, 7, 9))), None, "movie")
    assert (axes, found.shape) == ("TYX", (5, 7, 9))


def test_a_single_time_point_stays_a_movie() -> None:
    found, axes = arrange(RawStack(np.zeros((1, 6, 7, 9)), "TZYX"), None, "movie")
    assert (axes, found.shape) == ("TZYX", (1, 6, 7, 9))


@pytest.mark.parametrize(
    ("shape", "letters", "match"),
    [
        ((70, 110), None, "single image"),
        ((70, 110), "YX", "single image"),
        ((2, 3, 4, 5, 70, 110), None, "6 axes"),
        ((20, 70, 110, 3), None, "RGB"),
        ((70, 110, 3), None, "RGB"),
        ((20, 70, 110, 3), "TYXS", "RGB"),
        ((20, 4, 70, 110), "TPYX", "'P'"),
        ((20, 70), "TX", "single image"),
    ],
)
def test_other_axes_are_refused_with_advice(
    shape: tuple[int, ...], letters: str | None, match: str
) -> None:
    with pytest.raises(InputError, match=match) as caught:
        arrange(RawStack(np.empty(shape, np.uint8), letters), None, "movie")
    assert "movie" in str(caught.value)
    assert str(caught.value).endswith(".")


@pytest.mark.parametrize("axes", ["TYYX", "CYX", "TYXS", "TY", "", "TCYX"])
def test_given_axes_are_checked(axes: str) -> None:
    with pytest.raises(InputError, match="axes="):
        arrange(RawStack(np.zeros((5, 7, 9))), axes, "movie")


def test_an_empty_stack_is_refused() -> None:
    with pytest.raises(InputError, match="empty"):
        arrange(RawStack(np.zeros((0, 7, 9))), None, "movie")


@settings(deadline=None, max_examples=50)
@given(order=st.permutations("TCZYX"), data=st.data())
def test_any_order_reads_as_a_transposed_array(
    order: list[str], data: st.DataObject
) -> None:
    sizes = dict(zip("TCZYX", (2, 3, 4, 5, 6), strict=True))
    source = np.arange(720).reshape([sizes[axis] for axis in order])
    view, axes = arrange(RawStack(source), "".join(order), "movie")
    reference = source.transpose([order.index(axis) for axis in "TCZYX"])
    assert axes == "TCZYX"
    index = tuple(
        data.draw(
            st.one_of(
                st.integers(-n, n - 1), st.slices(n).filter(lambda s: s.step != 0)
            )
        )
        for n in view.shape
    )
    np.testing.assert_array_equal(view[index], reference[index])
    np.testing.assert_array_equal(np.asarray(view), reference)


def test_all_named_orders_are_understood() -> None:
    for order in itertools.permutations("TCYX"):
        shape = tuple({"T": 5, "C": 2, "Y": 7, "X": 9}[axis] for axis in order)
        data = np.zeros(shape)
        view, axes = arrange(RawStack(data, "".join(order)), None, "movie")
        assert (axes, view.shape) == ("TCYX", (5, 2, 7, 9))
