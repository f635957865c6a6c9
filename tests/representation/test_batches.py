"""Splits, batch order, and reading rows from disk."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_cellsci.cells.spec import CropSpec
from napari_cellsci.errors import InputError
from napari_cellsci.representation.data import (
    BatchOrder,
    check_crops,
    fingerprint,
    read_rows,
    sample_rows,
    split_rows,
)


@settings(deadline=None)
@given(
    n=st.integers(2, 300),
    tracks=st.integers(1, 40),
    share=st.floats(0, 0.9),
    seed=st.integers(0, 9),
)
def test_groups_stay_together(n: int, tracks: int, share: float, seed: int) -> None:
    groups = np.random.default_rng(seed).integers(tracks, size=n)
    train, held_out = split_rows(n, groups, share, seed)
    assert sorted([*train, *held_out]) == list(range(n))
    assert not set(groups[train]) & set(groups[held_out])
    assert len(train) >= 2
    assert len(held_out) <= round(share * n)
    again = split_rows(n, groups, share, seed)
    np.testing.assert_array_equal(train, again[0])


def test_the_share_is_met_without_groups() -> None:
    train, held_out = split_rows(1000, None, 0.1, 0)
    assert (len(train), len(held_out)) == (900, 100)


def test_groups_may_be_names() -> None:
    groups = np.array(["a", "b"] * 50)
    train, held_out = split_rows(100, groups, 0.5, 0)
    assert len(train) == len(held_out) == 50
    with pytest.raises(InputError, match="7 crops but 100 groups"):
        split_rows(7, groups, 0.5, 0)


def test_every_row_is_seen_once_before_any_is_seen_again() -> None:
    rows = np.arange(100, 140)
    order = BatchOrder(rows, 10, seed=0)
    for _ in range(3):
        seen = np.concatenate([next(order)[0] for _ in range(4)])
        assert sorted(seen) == list(rows)


def test_a_batch_ascends_and_never_holds_a_row_twice() -> None:
    order = BatchOrder(np.arange(25), 10, seed=0)
    drawn = [next(order) for _ in range(40)]
    assert all((np.diff(rows) > 0).all() for rows, _ in drawn)
    views = np.concatenate([v for _, v in drawn])
    assert set(views) == set(range(8))
    assert {len(rows) for rows, _ in drawn} == {10}
    assert set(np.concatenate([rows for rows, _ in drawn])) == set(range(25))


def test_few_rows_make_small_batches() -> None:
    assert len(next(BatchOrder(np.arange(3), 256, 0))[0]) == 3


@settings(deadline=None)
@given(taken=st.integers(0, 30), seed=st.integers(0, 5))
def test_the_stream_continues_where_it_was(taken: int, seed: int) -> None:
    order = BatchOrder(np.arange(33), 8, seed)
    for _ in range(taken):
        next(order)
    state = json.loads(json.dumps(order.state()))
    other = BatchOrder(np.arange(33), 8, seed + 1)
    other.restore(state)
    for _ in range(12):
        for mine, theirs in zip(next(order), next(other), strict=True):
            np.testing.assert_array_equal(mine, theirs)


def test_rows_are_read_from_a_memory_map(tmp_path: Path) -> None:
    path = tmp_path / "crops.npy"
    np.save(path, np.arange(40 * 256, dtype=np.uint16).reshape(40, 1, 16, 16))
    crops = np.load(path, mmap_mode="r")
    part = read_rows(crops, np.array([3, 9, 30]))
    assert type(part) is np.ndarray or not isinstance(part.base, np.memmap)
    np.testing.assert_array_equal(part[:, 0, 0, 0], [768, 2304, 7680])


def test_fingerprints_tell_data_apart() -> None:
    crops = np.random.default_rng(0).integers(99, size=(600, 1, 16, 16)).astype("u2")
    one = fingerprint(crops)
    assert one == fingerprint(crops.copy())
    other = crops.copy()
    other[0, 0, 5, 5] += 1
    for changed in (other, crops[:-1], crops.astype("f4"), crops[::-1]):
        assert fingerprint(changed) != one
    assert json.loads(json.dumps(one)) == one


@given(n=st.integers(1, 10**6), wanted=st.integers(1, 300))
def test_samples_are_spread(n: int, wanted: int) -> None:
    rows = sample_rows(n, wanted)
    assert rows[0] == 0
    assert rows[-1] == (n - 1 if min(n, wanted) > 1 else 0)
    assert len(rows) == min(n, wanted)


@pytest.mark.parametrize(
    ("crops", "said"),
    [
        (np.zeros((5, 1, 16, 16), np.uint8), "shape"),
        (np.zeros((5, 32, 32), np.uint8), "shape"),
        (np.zeros((5, 1, 32, 32), complex), "real numbers"),
        (np.zeros((1, 1, 32, 32), np.uint8), "At least 2 crops"),
    ],
)
def test_what_is_not_crops_is_refused(crops: Any, said: str) -> None:
    with pytest.raises(InputError, match=said):
        check_crops(crops, CropSpec(size=32, fov_px=32), least=2)
