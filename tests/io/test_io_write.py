"""What is written is read back, here and by tifffile."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
import tifffile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from napari_cellsci.errors import InputError
from napari_cellsci.io.movies import open_movie
from napari_cellsci.io.tracks import open_labels
from napari_cellsci.io.write import write_movie_tif, write_tracks_csv

TYPES = ["u1", "u2", "u4", "i2", "i4", "f4", "f8"]


@settings(
    deadline=None,
    max_examples=50,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    data=st.sampled_from(TYPES).flatmap(
        lambda dtype: hnp.arrays(
            dtype,
            st.tuples(st.integers(1, 4), st.integers(5, 9), st.integers(5, 9)),
            elements=st.integers(0, 100),
        )
    ),
    pixel_size=st.one_of(st.none(), st.floats(0.01, 9)),
    interval=st.one_of(st.none(), st.floats(0.01, 1e5)),
)
def test_movies_come_back(
    tmp_path: Path,
    data: npt.NDArray[Any],
    pixel_size: float | None,
    interval: float | None,
) -> None:
    path = write_movie_tif(tmp_path / "movie.tif", data, pixel_size, interval)
    movie = open_movie(path)
    assert (movie.axes, movie.dtype) == ("TYX", data.dtype)
    np.testing.assert_array_equal(np.asarray(movie.data), data)
    assert movie.pixel_size == (pixel_size and pytest.approx(pixel_size, rel=1e-5))
    if len(data) > 1:
        assert movie.frame_interval == (interval and pytest.approx(interval, rel=1e-6))
    np.testing.assert_array_equal(tifffile.imread(path).reshape(data.shape), data)


def test_imagej_reads_what_it_can(tmp_path: Path) -> None:
    path = write_movie_tif(
        tmp_path / "a.tif", np.zeros((3, 8, 9), np.uint16), 0.333, 240
    )
    with tifffile.TiffFile(path) as tif:
        assert tif.is_imagej
        assert tif.imagej_metadata is not None
        assert tif.imagej_metadata["finterval"] == 240
    write_movie_tif(path, np.zeros((3, 8, 9), np.uint32))
    with tifffile.TiffFile(path) as tif:
        assert tif.is_ome


@pytest.mark.parametrize("dtype", [np.int64, np.uint64, bool])
def test_labels_of_any_integer_type_are_kept(tmp_path: Path, dtype: Any) -> None:
    labels = (np.arange(3 * 8 * 9) % 2).reshape(3, 8, 9).astype(dtype)
    path = write_movie_tif(tmp_path / "labels.tif", labels)
    np.testing.assert_array_equal(np.asarray(open_labels(path)), labels)


def test_a_failed_write_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_movie_tif(tmp_path / "a.tif", np.ones((3, 8, 9), np.uint8))
    before = path.read_bytes()

    def full(part: Path, *args: Any, **options: Any) -> None:
        part.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(tifffile, "imwrite", full)
    with pytest.raises(InputError, match=r"disk .* is full"):
        write_movie_tif(path, np.zeros((3, 8, 9), np.uint8))
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["a.tif"]


def test_what_cannot_be_written_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no folder"):
        write_movie_tif(tmp_path / "none" / "a.tif", np.zeros((3, 8, 9), np.uint8))
    with pytest.raises(InputError, match="no folder"):
        write_tracks_csv(tmp_path / "none" / "a.csv", pd.DataFrame({"track_id": [1]}))
    for shape in ((8, 9), (2, 3, 8, 9), (0, 8, 9)):
        with pytest.raises(InputError, match=r"\(t, y, x\)"):
            write_movie_tif(tmp_path / "a.tif", np.zeros(shape))


def test_tracks_are_written_in_naparis_order(tmp_path: Path) -> None:
    table = pd.DataFrame(
        {"x": [1.0], "area": [5], "t": [0], "track_id": [3], "y": [2.0]}
    )
    path = write_tracks_csv(tmp_path / "tracks.csv", table)
    assert path.read_text().splitlines() == ["track_id,t,y,x,area", "3,0,2.0,1.0,5"]
