"""Movies from arrays: axes, frames, laziness, refusals."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import dask.array as da
import numpy as np
import numpy.typing as npt
import pytest
import zarr

from napari_cellsci.errors import InputError
from napari_cellsci.io.movies import Movie, channel_indices, open_movie


class CountingArray:
    """An array that keeps a list of what was read from it."""

    def __init__(self, data: npt.NDArray[Any]) -> None:
        self.data = data
        self.shape, self.dtype, self.ndim = data.shape, data.dtype, data.ndim
        self.reads: list[Any] = []

    def __getitem__(self, key: Any) -> npt.NDArray[Any]:
        self.reads.append(key)
        return self.data[key]


@pytest.fixture
def stack() -> npt.NDArray[np.uint16]:
    rng = np.random.default_rng(0)
    return rng.integers(0, 4000, (6, 3, 4, 12, 15)).astype(np.uint16)


def test_a_numpy_stack_is_a_movie(stack: npt.NDArray[np.uint16]) -> None:
    movie = open_movie(stack, name="dish", pixel_size=0.5, frame_interval=240)
    assert (movie.axes, movie.name) == ("TCZYX", "dish")
    assert (movie.n_frames, movie.n_channels, movie.n_planes) == (6, 3, 4)
    assert (movie.shape, movie.dtype) == ((12, 15), np.uint16)
    assert (movie.pixel_size, movie.frame_interval) == (0.5, 240)
    assert movie.data is stack


@pytest.mark.parametrize("channels", [(0,), (2, 0), (0, 1, 2), (1, 1)])
@pytest.mark.parametrize("z", ["max", 0, 3])
def test_frames_equal_numpy(
    stack: npt.NDArray[np.uint16], channels: tuple[int, ...], z: Any
) -> None:
    expected = stack[4][list(channels)]
    expected = expected.max(axis=1) if z == "max" else expected[:, z]
    frame = open_movie(stack).frame(4, channels, z)
    np.testing.assert_array_equal(frame, expected)
    assert frame.dtype == np.uint16
    assert frame.flags.c_contiguous


@pytest.mark.parametrize("axes", ["TYX", "TCYX", "TZYX"])
def test_missing_axes_count_as_one(stack: npt.NDArray[np.uint16], axes: str) -> None:
    index = (slice(None), *(slice(None) if a in axes else 1 for a in "CZ"))
    part = stack[index]
    movie = open_movie(part, axes=axes)
    expected = part[2] if "C" in axes else part[2][np.newaxis]
    channels = range(movie.n_channels)
    if "Z" in axes:
        expected = expected.max(axis=1)
    np.testing.assert_array_equal(movie.frame(2, channels), expected)


@pytest.mark.parametrize("kind", ["dask", "zarr", "bare"])
def test_lazy_arrays_give_the_same_frames(
    stack: npt.NDArray[np.uint16], kind: str
) -> None:
    source: Any = {
        "dask": lambda: da.from_array(stack, chunks=(1, 3, 4, 12, 15)),
        "zarr": lambda: zarr.array(stack, chunks=(1, 1, 4, 12, 15)),
        "bare": lambda: CountingArray(stack),
    }[kind]()
    movie = open_movie(source)
    np.testing.assert_array_equal(movie.frame(3, (0, 2)), stack[3, [0, 2]].max(axis=1))


def test_a_frame_is_one_read_of_that_frame_and_those_channels(
    stack: npt.NDArray[np.uint16],
) -> None:
    source = CountingArray(stack)
    movie = open_movie(source)
    assert source.reads == []
    movie.frame(5, (2, 0), z=1)
    assert source.reads == [(5, slice(0, 3, 2), 1)]


def test_a_dask_movie_computes_only_its_frame() -> None:
    seen: list[int] = []

    def block(block_info: Any = None) -> npt.NDArray[np.float32]:
        seen.append(block_info[None]["chunk-location"][0])
        return np.zeros((1, 8, 9), np.float32)

    source = da.map_blocks(
        block,
        chunks=((1,) * 50, (8,), (9,)),
        dtype=np.float32,
        meta=np.empty((0, 0, 0)),
    )
    open_movie(source).frame(31)
    assert seen == [31]


def test_frames_are_copies_in_native_byte_order() -> None:
    source = np.arange(2 * 3 * 4).reshape(2, 3, 4).astype(">u2")
    movie = open_movie(source)
    frame = movie.frame(1)
    assert movie.dtype == frame.dtype == np.dtype("=u2")
    assert frame.dtype.isnative
    frame[:] = 0
    assert source[1].any()


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("z", ["max", 1])
def test_a_frame_with_nan_is_refused_by_name(value: float, z: Any) -> None:
    data = np.zeros((4, 6, 8, 9), np.float32)
    data[2, 1, 3, 3] = value
    movie = open_movie(data, axes="TZYX", name="dish")
    assert movie.frame(1, z=z).max() == 0
    with pytest.raises(InputError, match="Frame 2 of dish has 1 pixel"):
        movie.frame(2, z=z)


def test_what_does_not_exist_is_refused(stack: npt.NDArray[np.uint16]) -> None:
    movie = open_movie(stack)
    for t in (-1, 6):
        with pytest.raises(InputError, match="0 to 5"):
            movie.frame(t)
    with pytest.raises(InputError, match="no plane 4"):
        movie.frame(0, z=4)
    for channel in (3, -1, "GFP"):
        with pytest.raises(InputError, match="its channels are 0, 1, 2"):
            movie.frame(0, (channel,))
    with pytest.raises(InputError, match="at least one"):
        movie.frame(0, ())


def test_channels_by_name_or_number(stack: npt.NDArray[np.uint16]) -> None:
    movie = Movie(stack, "TCZYX", "dish", channel_names=("H2B", "tubulin", "DIC"))
    assert channel_indices(movie, ("tubulin", 0, "2")) == (1, 0, 2)
    assert channel_indices(movie, "DIC") == (2,)
    with pytest.raises(InputError, match="0 H2B, 1 tubulin, 2 DIC"):
        channel_indices(movie, ["GFP"])


@pytest.mark.parametrize("dtype", [bool, complex, "U3"])
def test_pixels_must_be_numbers(dtype: Any) -> None:
    with pytest.raises(InputError, match="convert"):
        open_movie(np.zeros((3, 4, 5), dtype))


@pytest.mark.parametrize("value", [0, -0.3, np.nan, np.inf])
def test_sizes_must_be_positive(value: float) -> None:
    data = np.zeros((3, 4, 5), np.uint8)
    with pytest.raises(InputError, match="pixel size"):
        open_movie(data, pixel_size=value)
    with pytest.raises(InputError, match="frame interval"):
        open_movie(data, frame_interval=value)


def test_a_movie_can_be_opened_again_with_other_values() -> None:
    movie = open_movie(np.zeros((3, 4, 5), np.uint8), pixel_size=0.3, name="a")
    again = open_movie(movie, pixel_size=0.5)
    assert (again.pixel_size, again.name, again.data) == (0.5, "a", movie.data)


def test_a_movie_checks_its_axes() -> None:
    data = np.zeros((3, 4, 5), np.uint8)
    with pytest.raises(InputError, match=r"T\[C\]\[Z\]YX"):
        Movie(data, "YXT", "a")
    with pytest.raises(InputError, match="3 axes"):
        Movie(data, "TCYX", "a")


def test_a_source_that_fails_names_the_frame() -> None:
    class Broken(CountingArray):
        def __getitem__(self, key: Any) -> npt.NDArray[Any]:
            raise OSError("gone")

    movie = open_movie(Broken(np.zeros((3, 4, 5), np.uint8)), name="dish")
    with pytest.raises(InputError, match="Frame 1 of dish cannot be read"):
        movie.frame(1)


def test_missing_and_empty_paths_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no file or folder"):
        open_movie(tmp_path / "none.tif")
    empty = tmp_path / "empty.tif"
    empty.touch()
    with pytest.raises(InputError, match="is empty"):
        open_movie(empty)
    (tmp_path / "folder").mkdir()
    with pytest.raises(InputError, match="No installed reader"):
        open_movie(tmp_path / "folder")
