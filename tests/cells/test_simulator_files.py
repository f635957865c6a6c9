from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tifffile

from napari_cellsci.cells.simulator import SimulatedMovie, SimulationConfig, simulate


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


def test_metadata(movie: SimulatedMovie, tmp_path: Path) -> None:
    movie.save(tmp_path)
    with tifffile.TiffFile(tmp_path / "movie.tif") as tif:
        assert tif.series[0].axes == "TYX"
        assert tif.imagej_metadata is not None
        assert tif.imagej_metadata["unit"] == "um"
        assert tif.imagej_metadata["finterval"] == movie.config.frame_interval
        pixels, length = tif.pages[0].tags["XResolution"].value
        assert length / pixels == pytest.approx(movie.config.pixel_size, rel=1e-6)


def test_labels_are_compressed(movie: SimulatedMovie, tmp_path: Path) -> None:
    movie.save(tmp_path)
    assert (tmp_path / "labels.tif").stat().st_size < movie.labels.nbytes / 4
