"""Tracks from tracked label images and Cell Tracking Challenge folders."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
import tifffile
import zarr
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import ndimage

from napari_cellsci.errors import InputError
from napari_cellsci.io.movies import open_movie
from napari_cellsci.io.tracks import (
    open_labels,
    read_tracks,
    tracks_from_labels,
    validate_tracks,
)


def labels() -> npt.NDArray[np.uint16]:
    """Cell 1 divides into 2 and 3 at frame 2; cell 7 is seen at frames 0 and 2."""
    stack = np.zeros((3, 40, 50), np.uint16)
    stack[:2, 10:15, 10:14] = 1
    stack[2, 8:12, 8:12] = 2
    stack[2, 14:18, 12:16] = 3
    stack[0, 30:33, 40:43] = stack[2, 31:34, 40:43] = 7
    return stack


EXPECTED = [
    [1, 0, 12, 11.5],
    [1, 1, 12, 11.5],
    [2, 2, 9.5, 9.5],
    [3, 2, 15.5, 13.5],
    [7, 0, 31, 41],
    [7, 2, 32, 41],
]
BASE = ["track_id", "t", "y", "x"]


@pytest.mark.parametrize("kind", ["tif", "zip", "zarr", "folder", "array"])
def test_label_images_become_tracks(tmp_path: Path, kind: str) -> None:
    path = tmp_path / f"labels.{'zarr' if kind == 'zarr' else 'tif'}"
    if kind == "zarr":
        zarr.create_array(path, data=labels())
    elif kind == "folder":
        path.mkdir()
        for t, frame in enumerate(labels()):
            tifffile.imwrite(path / f"t{t}.tif", frame)
    else:
        compression = "zlib" if kind == "zip" else None
        tifffile.imwrite(
            path, labels(), compression=compression, photometric="minisblack"
        )
    tracks = tracks_from_labels(labels()) if kind == "array" else read_tracks(path)
    assert tracks.table[BASE].to_numpy().tolist() == EXPECTED
    assert (tracks.table["label_id"] == tracks.table["track_id"]).all()
    assert tracks.masks_tracked
    assert tracks.masks is not None
    np.testing.assert_array_equal(np.asarray(tracks.masks[2]), labels()[2])


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_a_movie_in_the_place_of_label_images_is_refused(dtype: type) -> None:
    rng = np.random.default_rng(0)
    movie = rng.normal(100, 8, (2, 64, 64)).astype(dtype)
    with pytest.raises(InputError, match="looks like a picture"):
        tracks_from_labels(movie)


def test_one_value_for_several_objects_is_refused_as_a_binary_mask() -> None:
    stack = np.zeros((2, 6, 7), np.int32)
    stack[0, 0, [0, 2]] = 1
    with pytest.raises(InputError, match="binary mask"):
        tracks_from_labels(stack)
    stack[0, 0, 1] = 1  # one cell
    assert len(tracks_from_labels(stack).table) == 1


@settings(deadline=None, max_examples=40)
@given(hnp.arrays(np.int32, (2, 6, 7), elements=st.integers(0, 4)))
def test_centroids_equal_scipy(stack: npt.NDArray[np.int32]) -> None:
    assume(stack.any())
    # One value for several objects is a binary mask, which is refused.
    pieces = max(ndimage.label(frame, np.ones((3, 3)))[1] for frame in stack)
    assume(len(np.unique(stack[stack > 0])) > 1 or pieces == 1)
    table = tracks_from_labels(stack).table
    rows = [
        [label, t, *ndimage.center_of_mass(stack[t] == label)]
        for label in range(1, 5)
        for t in range(2)
        if (stack[t] == label).any()
    ]
    np.testing.assert_allclose(table[BASE], rows)


@pytest.mark.parametrize(
    ("stack", "match"),
    [
        (np.zeros((3, 8, 9), np.uint8), "no objects"),
        (np.zeros((3, 8, 9), np.float32), "float32"),
        (np.zeros((3, 2, 8, 9), np.uint8), r"axes TCYX \(3 × 2 × 8 × 9\)"),
        (np.zeros((8, 9), np.uint8), "single image"),
    ],
)
def test_other_stacks_are_refused(stack: Any, match: str) -> None:
    with pytest.raises(InputError, match=match):
        tracks_from_labels(stack)


def test_labels_open_lazily(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "labels.tif", labels(), photometric="minisblack")
    assert isinstance(open_labels(tmp_path / "labels.tif"), np.memmap)


def write_ctc(folder: Path, kind: str = "res", digits: int = 3) -> Path:
    folder.mkdir(parents=True)
    mask = {"res": "mask", "man": "man_track"}[kind]
    for t, frame in enumerate(labels()):
        tifffile.imwrite(folder / f"{mask}{t:0{digits}d}.tif", frame)
    lineage = "1 0 1 0\n2 2 2 1\n3 2 2 1\n7 0 2 0\n"
    (folder / f"{kind}_track.txt").write_text(lineage)
    return folder


@pytest.mark.parametrize("kind", ["res", "man"])
@pytest.mark.parametrize("digits", [3, 4])
def test_a_challenge_folder(tmp_path: Path, kind: str, digits: int) -> None:
    folder = write_ctc(tmp_path / "01_GT" / "TRA", kind, digits)
    for path in (folder, folder.parent, folder / f"{kind}_track.txt"):
        tracks = read_tracks(path)
        assert tracks.table[BASE].to_numpy().tolist() == EXPECTED
        assert tracks.graph == {2: [1], 3: [1]}
        assert tracks.table["parent"].tolist() == [0, 0, 1, 1, 0, 0]
        assert tracks.masks_tracked
        assert tracks.masks is not None
        assert tracks.masks.shape == (3, 40, 50)
    movie = open_movie(np.zeros((3, 40, 50), np.uint8))
    assert validate_tracks(tracks, movie).n_tracks == 4


def test_damaged_challenge_folders_are_refused(tmp_path: Path) -> None:
    folder = write_ctc(tmp_path / "01_RES")
    lineage = folder / "res_track.txt"
    whole = lineage.read_text()
    for text, match in (
        ("1 0 1\n", "four whole numbers"),
        ("1 0 1 a\n", "not a lineage file"),
        ("\n", "not a whole lineage"),
        ("1 0 0 0\n2 2 2 1\n3 2 2 1\n7 0 2 0\n", "no track 1 at frame 1"),
        ("1 0 1 0\n", "no track 2 at frame 2"),
    ):
        lineage.write_text(text)
        with pytest.raises(InputError, match=match):
            read_tracks(folder)
    lineage.write_text(whole)
    (folder / "mask001.tif").unlink()
    with pytest.raises(InputError, match="no mask of frame 1"):
        read_tracks(folder)
    lineage.unlink()
    with pytest.raises(InputError, match="put the lineage file beside"):
        read_tracks(folder)


def test_a_lineage_without_masks_is_refused(tmp_path: Path) -> None:
    (tmp_path / "man_track.txt").write_text("1 0 1 0\n")
    with pytest.raises(InputError, match="no mask images"):
        read_tracks(tmp_path)


def test_volumes_are_refused(tmp_path: Path) -> None:
    (tmp_path / "man_track.txt").write_text("1 0 1 0\n")
    mask = np.ones((4, 8, 9), np.uint16)
    tifffile.imwrite(tmp_path / "man_track000.tif", mask, photometric="minisblack")
    with pytest.raises(InputError, match="4 × 8 × 9"):
        read_tracks(tmp_path)


def test_the_real_label_images(real_data: Path) -> None:
    tracks = read_tracks(real_data / "hela" / "tracked_labels.tif")
    expected = pd.read_csv(real_data / "hela" / "tracks.csv")
    expected = expected.sort_values(["track_id", "t"])
    np.testing.assert_allclose(tracks.table[BASE], expected[BASE], atol=0.0051)
    movie = open_movie(real_data / "hela" / "movie.tif")
    assert validate_tracks(tracks, movie).n_tracks == expected["track_id"].nunique()
