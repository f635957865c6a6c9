from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_cellsci.errors import InputError
from napari_cellsci.project.crop_store import CropStore

PARTS = [
    np.arange(5 * 4, dtype=np.uint16).reshape(5, 1, 2, 2),
    np.empty((0, 1, 2, 2), np.uint16),
    1000 + np.arange(3 * 4, dtype=np.uint16).reshape(3, 1, 2, 2),
]
WHOLE = np.concatenate(PARTS)
STORE = CropStore(PARTS)
rows = st.one_of(
    st.slices(8),
    st.integers(-8, 7),
    st.lists(st.integers(-8, 7)).map(lambda r: np.array(r, np.int64)),
    st.lists(st.booleans(), min_size=8, max_size=8).map(np.array),
)


def test_it_looks_like_an_array() -> None:
    assert (STORE.shape, STORE.ndim, len(STORE)) == (WHOLE.shape, 4, 8)
    assert (STORE.dtype, STORE.size, STORE.nbytes) == (np.uint16, 32, 64)
    np.testing.assert_array_equal(np.asarray(STORE), WHOLE)
    np.testing.assert_array_equal(np.asarray(STORE, np.float32), WHOLE)
    np.testing.assert_array_equal(list(STORE), WHOLE)


@settings(deadline=None)
@given(rows)
def test_rows_are_those_of_numpy(index: Any) -> None:
    expected = WHOLE[index]
    found = STORE[index]
    np.testing.assert_array_equal(found, expected)
    assert found.dtype == expected.dtype


@settings(deadline=None)
@given(rows)
def test_further_axes_are_those_of_numpy(index: Any) -> None:
    np.testing.assert_array_equal(STORE[index, 0, 1], WHOLE[index, 0, 1])
    np.testing.assert_array_equal(STORE[index, ..., 0], WHOLE[index, ..., 0])


def test_rows_of_two_axes() -> None:
    index = np.array([[0, 7], [6, 1]])
    np.testing.assert_array_equal(STORE[index], WHOLE[index])


@pytest.mark.parametrize("index", [8, -9, [0, 8], [0.5], [True, False]])
def test_rows_that_do_not_exist(index: Any) -> None:
    with pytest.raises(IndexError):
        STORE[index]


def test_types_are_widened() -> None:
    store = CropStore([np.zeros((1, 2), np.uint16), np.ones((1, 2), np.float32)])
    assert store.dtype == np.float32
    assert store[:1].dtype == np.float32


def test_reading_never_changes_what_is_stored() -> None:
    store = CropStore([np.zeros((3, 2), np.uint16)])
    store[:][:] = 7
    store[0][:] = 7
    assert not np.asarray(store).any()


def test_nothing_and_misfits_are_refused() -> None:
    with pytest.raises(InputError, match="no crops"):
        CropStore([])
    with pytest.raises(InputError, match="differ in shape"):
        CropStore([np.zeros((1, 2)), np.zeros((1, 3))])
