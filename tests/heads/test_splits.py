"""No track on both sides of any split."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_cellsci.errors import InputError
from napari_cellsci.heads.splits import check_labels, folds_by_group, split_by_group

Labels = tuple[np.ndarray, np.ndarray]


@st.composite
def labels(draw: st.DrawFn) -> Labels:
    """Return classes and tracks, every class in at least two tracks."""
    n_classes = draw(st.integers(2, 4))
    n = draw(st.integers(0, 60))
    group = draw(st.lists(st.integers(0, 12), min_size=n, max_size=n))
    y = draw(st.lists(st.integers(0, n_classes - 1), min_size=n, max_size=n))
    sure = [(c, 100 * c + k) for c in range(n_classes) for k in range(2)]
    y += [c for c, _ in sure]
    group += [g for _, g in sure]
    return np.array(y, np.int64), np.array(group)


@settings(deadline=None, max_examples=60)
@given(labels(), st.sampled_from([0.1, 0.3, 0.5]), st.integers(0, 3))
def test_a_split_keeps_tracks_whole_and_classes_on_both_sides(
    both: Labels, test: float, seed: int
) -> None:
    y, groups = both
    train, held = split_by_group(groups, y, test, seed)
    assert np.array_equal(np.sort(np.concatenate([train, held])), np.arange(len(y)))
    assert not set(groups[train]) & set(groups[held])
    assert set(y[train]) == set(y) == set(y[held])


@settings(deadline=None, max_examples=60)
@given(labels(), st.integers(2, 6), st.integers(0, 3))
def test_folds_keep_tracks_whole_and_hold_each_cell_out_once(
    both: Labels, n_folds: int, seed: int
) -> None:
    y, groups = both
    parts = folds_by_group(groups, y, n_folds, seed)
    held = np.concatenate([test for _, test in parts])
    assert np.array_equal(np.sort(held), np.arange(len(y)))
    assert len(parts) == min(n_folds, len(set(groups)))
    for train, test in parts:
        assert len(test) > 0
        assert not set(groups[train]) & set(groups[test])
        assert set(y[train]) == set(y)


def test_classes_are_shared_out_evenly() -> None:
    rng = np.random.default_rng(0)
    groups = rng.integers(0, 200, 1000)
    y = (groups % 10 == 0).astype(np.int64)
    for _, test in folds_by_group(groups, y, 5):
        assert np.mean(y[test]) == pytest.approx(np.mean(y), rel=0.25)
        assert len(test) == pytest.approx(200, rel=0.15)
    _, held = split_by_group(groups, y, 0.1)
    assert len(held) == pytest.approx(100, rel=0.2)


def test_splits_are_seeded() -> None:
    groups, y = np.arange(40), np.arange(40) % 2
    first, again, other = (split_by_group(groups, y, 0.2, s)[1] for s in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_groups_may_be_words() -> None:
    groups = np.array(["a:1", "a:2", "b:1", "b:2"])
    train, held = split_by_group(groups, np.array([0, 0, 1, 1]), 0.5)
    assert len(train) == len(held) == 2


@pytest.mark.parametrize(
    ("y", "groups", "message"),
    [
        ([0, 0, 0], [1, 2, 3], "Only 0 cell.s. are labelled metaphase"),
        ([0, 0, 1], [1, 2, 3], "Only 1 cell.s. are labelled metaphase"),
        ([0, 0, 1, 1], [1, 2, 3, 3], "metaphase belong to one track"),
        ([0, 0, 1, 2], [1, 2, 3, 4], "between 0 and 1"),
        ([0, 0, 1], [1, 2], "3 labels came with 2 tracks"),
    ],
)
def test_labels_that_cannot_be_learned_from(
    y: list[int], groups: list[int], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        check_labels(
            np.array(y), np.array(groups), 2, names=["interphase", "metaphase"]
        )


def test_one_class_is_refused() -> None:
    with pytest.raises(InputError, match="two classes"):
        check_labels(np.zeros(4, np.int64), np.arange(4), 1)
