from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.measure import regionprops_table

from napari_cellsci.cells.shapes import hull_areas, measure_objects

THEIRS = {
    "area": "area",
    "centroid-0": "centroid_y",
    "centroid-1": "centroid_x",
    "eccentricity": "eccentricity",
    "orientation": "orientation",
    "axis_major_length": "axis_major_length",
    "axis_minor_length": "axis_minor_length",
    "perimeter": "perimeter",
    "solidity": "solidity",
    "intensity_mean-0": "mean_0",
    "intensity_mean-1": "mean_1",
}


def check(labels: np.ndarray) -> None:
    """Hold every measure of every object to scikit-image."""
    pixels = np.random.default_rng(0).random((2, *labels.shape))
    names = dict.fromkeys(["label", *(name.split("-")[0] for name in THEIRS)])
    reference = regionprops_table(
        labels, np.moveaxis(pixels, 0, -1), properties=tuple(names)
    )
    ids, values = measure_objects(labels, pixels)
    np.testing.assert_array_equal(ids, reference["label"])
    assert set(values) == set(THEIRS.values())
    for theirs, ours in THEIRS.items():
        expected, found = reference[theirs], values[ours]
        if theirs == "orientation":
            # An axis turned by half a turn is the same axis.
            expected, found = np.exp(2j * expected), np.exp(2j * found)
        np.testing.assert_allclose(found, expected, atol=1e-6, err_msg=ours)


@settings(deadline=None, max_examples=40)
@given(
    st.integers(0, 2**32 - 1),
    st.sampled_from([0.05, 0.3, 0.9]),
    st.sampled_from(["noise", "blobs"]),
)
def test_it_measures_what_scikit_image_measures(
    seed: int, filled: float, kind: str
) -> None:
    rng = np.random.default_rng(seed)
    shape = tuple(rng.integers(1, 40, 2))
    there = rng.random(shape) < filled
    if kind == "noise":
        check(rng.integers(1, 9, shape) * there)
        return
    seeds = rng.random((6, 2)) * shape
    place = np.moveaxis(np.indices(shape), 0, -1)[..., np.newaxis, :]
    nearest = np.linalg.norm(place - seeds, axis=-1).argmin(-1) + 1
    check(np.where(rng.random(shape) < 0.97, nearest, 0))


@pytest.mark.parametrize(
    "points",
    [
        [(0, 0)],
        [(3, 2), (3, 3), (3, 4), (3, 5)],
        [(2, 3), (3, 3), (4, 3)],
        [(1, 1), (2, 2)],
        [(1, 1), (2, 2), (3, 3)],
        [(0, 0), (7, 3)],
        [(y, x) for y in range(2, 5) for x in range(4, 7)],
        [(0, 0), (0, 9), (9, 0), (9, 9)],
    ],
)
def test_points_lines_and_corners_are_measured(points: list[Any]) -> None:
    labels = np.zeros((10, 10), np.uint8)
    labels[tuple(np.transpose(points))] = 1
    check(labels)


def test_high_labels_and_none_at_all() -> None:
    labels = np.zeros((20, 20), np.int64)
    labels[2:6, 3:9], labels[10:12, 1:4], labels[15, 15] = 2**40, 7, -3
    ids, values = measure_objects(labels)
    assert ids.tolist() == [7, 2**40]
    assert values["area"].tolist() == [6, 24]
    ids, values = measure_objects(np.zeros((5, 5), np.uint16))
    assert len(ids) == 0
    assert all(len(column) == 0 for column in values.values())


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 2**32 - 1))
def test_a_hull_holds_its_object_and_nothing_beyond_its_frame(seed: int) -> None:
    rng = np.random.default_rng(seed)
    n = int(rng.integers(1, 60))
    rows, columns = rng.integers(0, 30, (2, n))
    pixels = np.unique(np.stack([rows, columns]), axis=1)
    which = np.zeros(pixels.shape[1], np.int64)
    area = hull_areas(*pixels, which, 1)[0]
    height, width = np.ptp(pixels, axis=1) + 1
    assert pixels.shape[1] <= area <= height * width
    # Shifted and mirrored it is as large.
    assert hull_areas(pixels[0] + 5, 40 - pixels[1], which, 1)[0] == area
    assert hull_areas(30 - pixels[0], pixels[1], which, 1)[0] == area
