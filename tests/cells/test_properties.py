from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_cellsci.cells.properties import count_neighbours, region_properties
from napari_cellsci.errors import InputError
from napari_cellsci.tasks import Cancelled, CancelToken, Event, Progress


class CountingStack:
    """Masks (T, Y, X) that count how often each frame is read."""

    def __init__(self, data: np.ndarray) -> None:
        self.data, self.shape, self.dtype = data, data.shape, data.dtype
        self.reads: list[int] = []

    def __getitem__(self, t: int) -> np.ndarray:
        self.reads.append(t)
        return self.data[t]


class CountingMovie(CountingStack):
    name = "counted"
    pixel_size = None

    def __init__(self, data: np.ndarray) -> None:
        super().__init__(data)
        self.n_frames, self.shape = len(data), data.shape[-2:]

    def frame(self, t: int, channels: Any = (0,), z: Any = "max") -> np.ndarray:
        return self[t][list(channels)]


def draw_ellipse(
    labels: np.ndarray, label: int, y: float, x: float, a: float, b: float, turn: float
) -> None:
    """Draw an ellipse whose long half-axis `a` is turned from the rows' axis."""
    rows, columns = np.indices(labels.shape)
    along = (rows - y) * np.cos(turn) + (columns - x) * np.sin(turn)
    across = (columns - x) * np.cos(turn) - (rows - y) * np.sin(turn)
    labels[(along / a) ** 2 + (across / b) ** 2 <= 1] = label


@pytest.fixture
def scene() -> tuple[np.ndarray, np.ndarray, pd.DataFrame]:
    """Two ellipses in two frames, the movie, and their cells in odd order."""
    masks = np.zeros((3, 100, 120), np.uint16)
    draw_ellipse(masks[0], 7, 30, 40, 20, 10, 0.4)
    draw_ellipse(masks[0], 3, 70, 80, 12, 12, 0.0)
    draw_ellipse(masks[2], 7, 32, 41, 18, 9, -0.7)
    movie = np.zeros((3, 2, 100, 120), np.uint16)
    movie[:, 0] = 100 + masks
    movie[:, 1] = 5
    cells = pd.DataFrame(
        {
            "track_id": [7, 3, 7, 3],
            "t": [2, 0, 0, 2],
            "y": [31.0, 70.0, 30.0, 71.0],
            "x": [41.0, 79.0, 40.0, 80.0],
        },
        index=[10, 4, 8, 2],
    )
    return masks, movie, cells


def test_ellipses_are_measured(scene: Any) -> None:
    masks, movie, cells = scene
    stack, image = CountingStack(masks), CountingMovie(movie)
    events: list[Event] = []
    table = region_properties(
        stack,
        image,
        cells,
        pixel_size=0.5,
        tracked=True,
        window=40,
        on_event=events.append,
    )
    assert table.index.tolist() == [10, 4, 8, 2]
    assert stack.reads == [0, 2]
    assert image.reads == [0, 2]
    assert events[-1] == Progress("Measuring objects", 4, 4)
    big = table.loc[8]
    assert big["area"] == (masks[0] == 7).sum()
    assert big["area_um2"] == big["area"] / 4
    assert big["axis_major_length"] == pytest.approx(40, rel=0.02)
    assert big["axis_minor_length"] == pytest.approx(20, rel=0.02)
    assert big["eccentricity"] == pytest.approx(np.sqrt(3) / 2, rel=0.02)
    assert big["orientation"] == pytest.approx(0.4, abs=0.02)
    assert big["solidity"] == pytest.approx(1, abs=0.05)
    assert big["perimeter"] == pytest.approx(96.9, rel=0.03)
    assert big["mean_intensity"] == 107
    assert table.loc[10, "orientation"] == pytest.approx(-0.7, abs=0.02)
    assert table.loc[10, "offset_y"] == pytest.approx(1, abs=0.05)
    assert table.loc[4, "offset_x"] == pytest.approx(1, abs=0.05)
    assert table.loc[4, "eccentricity"] == pytest.approx(0, abs=0.05)
    missing = table.loc[2]
    assert missing.drop("neighbours").isna().all()
    assert table["neighbours"].tolist() == [0, 0, 0, 0]


def test_untracked_masks_are_matched_by_label_then_by_place(scene: Any) -> None:
    masks, _, cells = scene
    tracked = region_properties(masks, None, cells, pixel_size=None, tracked=True)
    moved = masks.copy()
    moved[masks == 7] = 900
    names = cells.assign(track_id=[1, 2, 1, 2], label_id=[900, 0, 900, 55])
    by_name = region_properties(moved, None, names, pixel_size=None, tracked=False)
    pd.testing.assert_frame_equal(by_name, tracked)
    by_place = region_properties(
        moved, None, names.drop(columns="label_id"), pixel_size=None, tracked=False
    )
    pd.testing.assert_frame_equal(by_place, tracked)
    assert "area_um2" not in tracked
    assert "mean_intensity" not in tracked
    assert "neighbours" not in tracked


def test_the_nearest_object_counts_up_to_five_pixels_away() -> None:
    masks = np.zeros((1, 30, 30), np.uint8)
    masks[0, 10:14, 10:14] = 1
    masks[0, 20:24, 10:13] = 2
    cells = pd.DataFrame(
        {
            "track_id": range(5),
            "t": 0,
            "y": [5.0, 4.0, 18.0, 12.0, -9.0],
            "x": [11.0, 11.0, 11.0, 12.0, 50.0],
        }
    )
    table = region_properties(masks, None, cells, pixel_size=None, tracked=False)
    np.testing.assert_array_equal(table["area"], [16, np.nan, 12, 16, np.nan])


def test_every_channel_has_its_mean(scene: Any) -> None:
    masks, movie, cells = scene
    image = CountingMovie(movie)
    table = region_properties(
        masks, image, cells, pixel_size=None, tracked=True, channels=(1, 0)
    )
    assert table.loc[4, "mean_intensity"] == 5
    assert table.loc[4, "mean_intensity_1"] == 103


@pytest.mark.parametrize("dtype", [bool, np.uint8, np.int32, np.float32])
def test_masks_of_any_type(scene: Any, dtype: Any) -> None:
    masks, _, cells = scene
    same = region_properties(
        masks.astype(dtype), None, cells, pixel_size=None, tracked=False
    )
    expected = region_properties(masks, None, cells, pixel_size=None, tracked=True)
    pd.testing.assert_frame_equal(same, expected)


def test_labels_may_be_huge_or_negative(scene: Any) -> None:
    masks, _, cells = scene
    huge = masks.astype(np.int64) * 10**12
    huge[0, :3] = -1
    expected = region_properties(masks, None, cells, pixel_size=None, tracked=True)
    cells = cells.assign(track_id=cells["track_id"] * 10**12)
    table = region_properties(huge, None, cells, pixel_size=None, tracked=True)
    pd.testing.assert_frame_equal(table, expected)


def test_specks_and_full_frames_raise_no_warning() -> None:
    masks = np.zeros((2, 9, 9), np.int64)
    masks[0, 1, 1] = 1
    masks[0, 3, 2:5] = 2
    masks[0, 5:7, 5] = 3
    masks[1] = 10**9
    cells = pd.DataFrame(
        {
            "track_id": [1, 2, 3, 10**9],
            "t": [0, 0, 0, 1],
            "y": [1.0, 3, 5, 4],
            "x": [1.0, 3, 5, 4],
        }
    )
    table = region_properties(masks, None, cells, pixel_size=None, tracked=True)
    assert table["area"].tolist() == [1, 3, 2, 81]
    assert np.isfinite(table["area"]).all()
    assert not np.isinf(table.to_numpy()).any()


@given(seed=st.integers(0, 50), window=st.floats(1, 60))
@settings(deadline=None, max_examples=25)
def test_neighbours_equal_a_plain_count(seed: int, window: float) -> None:
    rng = np.random.default_rng(seed)
    n = int(rng.integers(1, 30))
    cells = pd.DataFrame(rng.uniform(0, 50, (n, 2)), columns=["y", "x"])
    cells["t"] = rng.integers(0, 3, n)
    expected = [
        sum(
            other.t == cell.t
            and abs(other.y - cell.y) <= window / 2
            and abs(other.x - cell.x) <= window / 2
            for other in cells.itertuples()
        )
        - 1
        for cell in cells.itertuples()
    ]
    assert count_neighbours(cells, window).tolist() == expected


def test_no_cells_give_an_empty_table(scene: Any) -> None:
    masks, _, cells = scene
    table = region_properties(
        masks, None, cells.iloc[:0], pixel_size=1.0, tracked=True, window=10
    )
    assert len(table) == 0
    assert {"area", "area_um2", "neighbours"} <= set(table)


@pytest.mark.parametrize(
    ("masks", "message"),
    [
        (np.zeros((3, 100, 120), int), "no objects"),
        (np.zeros((3, 1, 100, 120), int), "axes"),
        (np.ones((2, 100, 120), int), "frame 2"),
        (np.ones((3, 10, 120), int), "10 × 120 px"),
        (np.full((3, 100, 120), 0.5), "whole numbers"),
        (np.full((3, 100, 120), np.nan), "whole numbers"),
        (np.ones((3, 100, 120), complex), "integer labels"),
    ],
)
def test_unusable_masks_are_refused(
    scene: Any, masks: np.ndarray, message: str
) -> None:
    _, movie, cells = scene
    with pytest.raises(InputError, match=message):
        region_properties(
            masks, CountingMovie(movie), cells, pixel_size=None, tracked=True
        )


def test_measuring_can_be_cancelled(scene: Any) -> None:
    masks, _, cells = scene
    token = CancelToken()
    stack = CountingStack(masks)
    with pytest.raises(Cancelled):
        region_properties(
            stack,
            None,
            cells,
            pixel_size=None,
            tracked=True,
            on_event=lambda event: token.cancel(),
            token=token,
        )
    assert stack.reads == [0]


def test_real_masks_agree_with_their_tracks(real_data: Any) -> None:
    import tifffile

    masks = tifffile.imread(real_data / "hela" / "masks.tif", key=range(2))
    cells = pd.read_csv(real_data / "hela" / "tracks.csv").query("t < 2")
    table = region_properties(masks, None, cells, pixel_size=0.645, tracked=False)
    assert table["area"].notna().all()
    assert table[["offset_y", "offset_x"]].abs().to_numpy().max() < 0.01
