from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tifffile

from napari_cellsci.cells.simulator import SimulatedMovie, SimulationConfig, simulate
from napari_cellsci.errors import InputError
from napari_cellsci.io.movies import open_movie
from napari_cellsci.io.tracks import read_tracks


@pytest.fixture(scope="module")
def movie() -> SimulatedMovie:
    return simulate(SimulationConfig(frames=5, cells=8, size=128, cycle_length=6))


def test_round_trip(movie: SimulatedMovie, tmp_path: Path) -> None:
    folder = movie.save(tmp_path / "deep" / "simulated")
    names = {"movie.tif", "labels.tif", "tracks.csv", "truth.csv"}
    assert {path.name for path in folder.iterdir()} == names
    assert np.array_equal(tifffile.imread(folder / "movie.tif"), movie.image)
    assert np.array_equal(tifffile.imread(folder / "labels.tif"), movie.labels)
    tracks, truth = (pd.read_csv(folder / f"{n}.csv") for n in ("tracks", "truth"))
    pd.testing.assert_frame_equal(tracks, movie.tracks, atol=1e-4, check_dtype=False)
    pd.testing.assert_frame_equal(truth, movie.truth, atol=1e-4, check_dtype=False)


def test_files_open_as_what_they_are(movie: SimulatedMovie, tmp_path: Path) -> None:
    movie.save(tmp_path)
    opened = open_movie(tmp_path / "movie.tif")
    assert opened.axes == "TYX"
    assert opened.pixel_size == pytest.approx(movie.config.pixel_size, rel=1e-5)
    assert opened.frame_interval == movie.config.frame_interval
    assert np.array_equal(opened.frame(3)[0], movie.image[3])
    tracks = read_tracks(tmp_path / "tracks.csv")
    assert tracks.graph == movie.graph
    assert len(tracks.table) == len(movie.tracks)
    labels = read_tracks(tmp_path / "labels.tif").table
    assert set(labels.track_id) == set(movie.tracks.track_id)


def test_one_frame_stays_a_movie(tmp_path: Path) -> None:
    one = simulate(SimulationConfig(frames=1, cells=2, size=64))
    one.save(tmp_path)
    assert tifffile.imread(tmp_path / "labels.tif", squeeze=False).size == 64 * 64
    assert open_movie(tmp_path / "movie.tif").data.shape == (1, 64, 64)


def test_a_file_in_the_way_is_refused(movie: SimulatedMovie, tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("mine")
    with pytest.raises(InputError, match="taken cannot be made"):
        movie.save(tmp_path / "taken")
    assert (tmp_path / "taken").read_text() == "mine"


def test_labels_are_compressed(movie: SimulatedMovie, tmp_path: Path) -> None:
    movie.save(tmp_path)
    assert (tmp_path / "labels.tif").stat().st_size < movie.labels.nbytes / 4
