from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from napari_cellsci.cells.crops import crop_dtype, crop_frame, crop_movie, iter_crops
from napari_cellsci.cells.spec import CropSpec
from napari_cellsci.errors import InputError
from napari_cellsci.tasks import Cancelled, CancelToken, Event, Progress


class CountingMovie:
    """A movie (T, C, Y, X) that counts how often each frame is read."""

    name = "counted"

    def __init__(self, data: np.ndarray, pixel_size: float | None = None) -> None:
        self.data = data
        self.pixel_size = pixel_size
        self.reads: list[int] = []

    @property
    def n_frames(self) -> int:
        return len(self.data)

    @property
    def shape(self) -> tuple[int, int]:
        return self.data.shape[-2], self.data.shape[-1]

    @property
    def dtype(self) -> np.dtype[Any]:
        return self.data.dtype

    def frame(self, t: int, channels: Any = (0,), z: Any = "max") -> np.ndarray:
        self.reads.append(t)
        return np.ascontiguousarray(self.data[t][list(channels)])


def reference_crop(frame: np.ndarray, y: float, x: float, window: int, padding: str):
    """Pad with numpy, then slice: one cell of one channel."""
    row, column = int(np.floor(y + 0.5)), int(np.floor(x + 0.5))
    far = window + abs(row) + abs(column) + max(frame.shape)
    if padding == "mean":
        fill = frame.mean(dtype=np.float64)
        fill = np.rint(fill) if frame.dtype.kind in "ui" else fill
        padded = np.pad(frame, far, constant_values=fill.astype(frame.dtype))
    else:
        padded = np.pad(frame, far, mode="reflect")
    top, left = row + far - window // 2, column + far - window // 2
    return padded[top : top + window, left : left + window]


def make_cells(rng: np.random.Generator, n: int, frames: int, shape: tuple[int, int]):
    return pd.DataFrame(
        {
            "track_id": np.arange(n) + 1,
            "t": rng.integers(0, frames, n),
            "y": rng.uniform(-3, shape[0] + 3, n),
            "x": rng.uniform(-3, shape[1] + 3, n),
        },
        index=rng.permutation(n) + 1000,
    )


@pytest.fixture
def movie() -> CountingMovie:
    rng = np.random.default_rng(7)
    data = rng.integers(32768, 36000, (6, 2, 80, 90)).astype(np.uint16)
    return CountingMovie(data)


frames = st.tuples(st.integers(1, 2), st.integers(1, 40), st.integers(1, 40)).flatmap(
    lambda shape: st.sampled_from([np.uint8, np.uint16, np.int16, np.float32]).flatmap(
        lambda dtype: hnp.arrays(
            dtype,
            shape,
            elements=(
                st.floats(-1000, 1000, width=16)
                if dtype is np.float32
                else st.integers(np.iinfo(dtype).min, np.iinfo(dtype).max)
            ),
        )
    )
)
centres = st.lists(
    st.tuples(st.floats(-50, 90, width=32), st.floats(-50, 90, width=32)),
    min_size=0,
    max_size=6,
)


@given(frame=frames, yx=centres, padding=st.sampled_from(["mean", "reflect"]))
@settings(deadline=None, max_examples=80)
def test_copies_equal_pad_and_slice_anywhere(
    frame: np.ndarray, yx: list[tuple[float, float]], padding: Any
) -> None:
    spec = CropSpec(size=16, fov_px=16, padding=padding)
    crops = crop_frame(frame, np.array(yx).reshape(-1, 2), spec, None)
    assert crops.dtype == frame.dtype
    assert crops.shape == (len(yx), len(frame), 16, 16)
    for crop, (y, x) in zip(crops, yx, strict=True):
        for channel, plane in enumerate(frame):
            expected = reference_crop(plane, y, x, 16, padding)
            np.testing.assert_array_equal(crop[channel], expected)


@given(
    frame=frames,
    yx=centres,
    padding=st.sampled_from(["mean", "reflect"]),
    window=st.sampled_from([1, 7, 12, 17, 25, 32, 61]),
)
@settings(deadline=None, max_examples=60)
def test_resampled_crops_equal_torch_on_the_padded_window(
    frame: np.ndarray, yx: list[tuple[float, float]], padding: Any, window: int
) -> None:
    spec = CropSpec(size=16, fov_px=window, padding=padding)
    crops = crop_frame(frame, np.array(yx).reshape(-1, 2), spec, None)
    assert crops.dtype == (np.uint16 if frame.dtype == np.uint16 else np.float32)
    tolerance = 0.502 if crops.dtype == np.uint16 else 0.02
    for crop, (y, x) in zip(crops, yx, strict=True):
        for channel, plane in enumerate(frame):
            source = reference_crop(plane, y, x, window, padding).astype(np.float64)
            expected = torch.nn.functional.interpolate(
                torch.from_numpy(source)[None, None],
                size=(16, 16),
                mode="bilinear",
                antialias=True,
                align_corners=False,
            )[0, 0].numpy()
            np.testing.assert_allclose(crop[channel], expected, atol=tolerance)


@pytest.mark.parametrize("window", [16, 21, 21.7])
def test_crops_follow_the_cells_when_these_are_permuted(
    movie: CountingMovie, window: float
) -> None:
    rng = np.random.default_rng(3)
    cells = make_cells(rng, 50, movie.n_frames, movie.shape)
    spec = CropSpec(size=16, fov_px=window, channels=(1, 0))
    crops = crop_movie(movie, cells, spec)
    order = rng.permutation(50)
    np.testing.assert_array_equal(
        crop_movie(movie, cells.iloc[order], spec), crops[order]
    )
    for position in range(0, 50, 7):
        row = cells.iloc[position]
        frame = movie.data[int(row.t)][[1, 0]]
        alone = crop_frame(frame, np.array([[row.y, row.x]]), spec, None)
        np.testing.assert_array_equal(crops[position], alone[0])


@pytest.mark.parametrize("batch", [1, 3, 16, 1000])
@pytest.mark.parametrize("window", [16, 40])
def test_streaming_gives_every_crop_once_in_frame_order(
    movie: CountingMovie, batch: int, window: int
) -> None:
    cells = make_cells(np.random.default_rng(4), 61, movie.n_frames, movie.shape)
    spec = CropSpec(size=16, fov_px=window)
    whole = crop_movie(movie, cells, spec)
    movie.reads.clear()
    seen = []
    for rows, crops in iter_crops(movie, cells, spec, batch=batch):
        assert len(rows) == len(crops) <= batch
        np.testing.assert_array_equal(crops, whole[rows])
        seen.extend(rows)
    assert sorted(seen) == list(range(61))
    assert (np.diff(cells["t"].to_numpy()[seen]) >= 0).all()
    assert movie.reads == sorted(set(cells["t"]))


def test_each_frame_is_read_exactly_once(movie: CountingMovie) -> None:
    cells = make_cells(np.random.default_rng(5), 300, movie.n_frames, movie.shape)
    cells = cells[cells["t"] != 2]
    crop_movie(movie, cells, CropSpec(size=16, fov_px=16))
    assert movie.reads == [0, 1, 3, 4, 5]


def test_crops_are_written_into_a_memory_map(movie: CountingMovie, tmp_path) -> None:
    cells = make_cells(np.random.default_rng(6), 40, movie.n_frames, movie.shape)
    spec = CropSpec(size=32, fov_px=20)
    events: list[Event] = []
    out = np.lib.format.open_memmap(
        tmp_path / "crops.npy", "w+", np.uint16, (40, 1, 32, 32)
    )
    assert crop_movie(movie, cells, spec, out=out, on_event=events.append) is out
    out.flush()
    stored = np.load(tmp_path / "crops.npy", mmap_mode="r")
    np.testing.assert_array_equal(stored, crop_movie(movie, cells, spec))
    assert events[-1] == Progress("Cutting crops", 40, 40)


def test_an_array_of_another_kind_is_refused(movie: CountingMovie) -> None:
    cells = make_cells(np.random.default_rng(6), 4, movie.n_frames, movie.shape)
    with pytest.raises(ValueError, match="float32"):
        crop_movie(
            movie,
            cells,
            CropSpec(size=16, fov_px=16),
            out=np.empty((4, 1, 16, 16), np.float32),
        )


def test_no_cells_give_no_crops(movie: CountingMovie) -> None:
    cells = make_cells(np.random.default_rng(6), 0, movie.n_frames, movie.shape)
    spec = CropSpec(size=16, fov_px=16)
    assert crop_movie(movie, cells, spec).shape == (0, 1, 16, 16)
    assert list(iter_crops(movie, cells, spec, batch=8)) == []
    assert movie.reads == []


@pytest.mark.parametrize(
    ("movie_dtype", "copied", "resampled"),
    [
        ("u1", "u1", "f4"),
        ("u2", "u2", "u2"),
        (">u2", "u2", "u2"),
        ("i4", "i4", "f4"),
        ("f4", "f4", "f4"),
        ("f8", "f8", "f4"),
    ],
)
def test_crop_dtype_is_what_cropping_gives(
    movie_dtype: str, copied: str, resampled: str
) -> None:
    frame = np.arange(400).reshape(1, 20, 20).astype(movie_dtype)
    for window, expected in [(16, copied), (10, resampled)]:
        spec = CropSpec(size=16, fov_px=window)
        crops = crop_frame(frame, np.array([[10, 10], [0, 0]]), spec, None)
        assert crop_dtype(frame.dtype, spec, None) == np.dtype(expected)
        assert crops.dtype == np.dtype(expected)
        assert crops.dtype.isnative


def test_the_centroid_is_pixel_half_the_window() -> None:
    frame = np.zeros((1, 60, 60), np.uint8)
    frame[0, 30, 20] = 9
    crop = crop_frame(frame, np.array([[29.5, 20.4]]), CropSpec(fov_px=64), None)
    assert np.argwhere(crop[0, 0] == 9).tolist() == [[32, 32]]


def test_physical_windows_follow_the_pixel_size() -> None:
    frame = np.random.default_rng(0).integers(0, 9, (1, 99, 99)).astype(np.uint16)
    spec = CropSpec(size=64, fov_um=21.3)
    yx = np.array([[50.0, 50.0]])
    np.testing.assert_array_equal(
        crop_frame(frame, yx, spec, 0.333)[0, 0], frame[0, 18:82, 18:82]
    )
    np.testing.assert_array_equal(
        crop_frame(frame, yx, spec, 0.645),
        crop_frame(frame, yx, CropSpec(size=64, fov_px=33), None),
    )
    with pytest.raises(InputError, match="pixel size"):
        crop_frame(frame, yx, spec, None)


def test_an_offset_camera_loses_nothing_when_resampled() -> None:
    rng = np.random.default_rng(1)
    small = rng.integers(0, 200, (1, 50, 50)).astype(np.uint16)
    spec = CropSpec(size=32, fov_px=21)
    yx = rng.uniform(0, 50, (20, 2))
    plain = crop_frame(small, yx, spec, None)
    offset = crop_frame(small + np.uint16(65335), yx, spec, None)
    np.testing.assert_array_equal(offset - np.uint16(65335), plain)
    faint = small.astype(np.float64) / 1e3
    lifted = crop_frame(faint + 1e6, yx, spec, None) - np.float32(1e6)
    np.testing.assert_allclose(lifted, crop_frame(faint, yx, spec, None), atol=0.04)


@pytest.mark.parametrize("value", [0, 65535])
@pytest.mark.parametrize("window", [16, 10.3, 40])
def test_constant_frames_stay_constant(value: int, window: float) -> None:
    frame = np.full((1, 30, 30), value, np.uint16)
    yx = np.array([[0.0, 0.0], [15, 15], [29, 29]])
    crops = crop_frame(frame, yx, CropSpec(size=16, fov_px=window), None)
    assert (crops == value).all()


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_frames_that_are_not_finite_are_named(bad: float) -> None:
    data = np.ones((3, 1, 20, 20), np.float32)
    data[1, 0, 19, 3] = bad
    cells = pd.DataFrame({"t": [0, 1, 2], "y": [5.0] * 3, "x": [5.0] * 3})
    with pytest.raises(InputError, match="Frame 1 of counted has pixels that are NaN"):
        crop_movie(CountingMovie(data), cells, CropSpec(size=16, fov_px=16))
    with pytest.raises(InputError, match="The frame has pixels"):
        crop_frame(data[1], np.zeros((1, 2)), CropSpec(size=16, fov_px=16), None)


@pytest.mark.parametrize(
    ("cell", "message"),
    [
        ((6, 5.0, 5.0), "frame 6.*frames 0 to 5"),
        ((-1, 5.0, 5.0), "frame -1"),
        ((0, np.nan, 5.0), "centroids"),
        ((0, 5.0, np.inf), "centroids"),
    ],
)
def test_impossible_cells_are_refused(
    movie: CountingMovie, cell: tuple[int, float, float], message: str
) -> None:
    cells = pd.DataFrame([cell], columns=["t", "y", "x"])
    with pytest.raises(InputError, match=message):
        crop_movie(movie, cells, CropSpec(size=16, fov_px=16))


def test_a_frame_of_another_shape_is_refused(movie: CountingMovie) -> None:
    movie.frame = lambda t, channels, z: np.zeros((1, 5, 5), np.uint16)
    cells = pd.DataFrame({"t": [0], "y": [5.0], "x": [5.0]})
    with pytest.raises(InputError, match="damaged"):
        crop_movie(movie, cells, CropSpec(size=16, fov_px=16))


def prefetch_threads() -> list[threading.Thread]:
    return [t for t in threading.enumerate() if t.name == "cellsci-prefetch"]


def stream(movie: CountingMovie, token: CancelToken | None = None) -> Iterator[Any]:
    cells = make_cells(np.random.default_rng(4), 200, movie.n_frames, movie.shape)
    return iter_crops(movie, cells, CropSpec(size=16, fov_px=16), batch=4, token=token)


def test_cancelling_stops_the_stream_and_its_thread(movie: CountingMovie) -> None:
    token = CancelToken()
    batches = stream(movie, token)
    next(batches)
    token.cancel()
    with pytest.raises(Cancelled):
        next(batches)
    assert not prefetch_threads()
    assert len(movie.reads) < movie.n_frames


def test_cancelled_before_the_first_frame_reads_nothing(movie: CountingMovie) -> None:
    token = CancelToken()
    token.cancel()
    cells = make_cells(np.random.default_rng(4), 20, movie.n_frames, movie.shape)
    with pytest.raises(Cancelled):
        crop_movie(movie, cells, CropSpec(size=16, fov_px=16), token=token)
    assert movie.reads == []


def test_cancelling_from_an_event_stops_crop_movie(movie: CountingMovie) -> None:
    token = CancelToken()
    cells = make_cells(np.random.default_rng(4), 4000, movie.n_frames, movie.shape)
    cells = cells.sort_values("t")
    with pytest.raises(Cancelled):
        crop_movie(
            movie,
            cells,
            CropSpec(fov_px=64),
            on_event=lambda event: token.cancel(),
            token=token,
        )
    assert not prefetch_threads()


def test_closing_the_stream_early_ends_its_thread(movie: CountingMovie) -> None:
    batches = stream(movie)
    next(batches)
    batches.close()
    assert not prefetch_threads()
    assert len(movie.reads) < movie.n_frames


def test_errors_of_the_background_arrive_after_the_good_batches(
    movie: CountingMovie,
) -> None:
    def frame(t: int, channels: Any, z: Any) -> np.ndarray:
        if t == 3:
            raise OSError("the disk is gone")
        return movie.data[t][:1]

    movie.frame = frame
    got: list[Any] = []
    with pytest.raises(OSError, match="the disk is gone"):
        got.extend(stream(movie))
    assert len(got) > 5
    assert not prefetch_threads()
