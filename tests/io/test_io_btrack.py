"""btrack's HDF5 files: a real one, and ones written to the letter of the format."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd
import pytest

from napari_cellsci.errors import InputError
from napari_cellsci.io.tracks import read_tracks

COORDS = np.array(
    [
        [0, 30, 5, 0, 0],
        [1, 31, 6, 0, 0],
        [3, 33, 8, 0, 0],
        [4, 40, 9, 0, 0],
        [4, 20, 9, 0, 0],
    ]
)
"""t, x, y, z, type: one track with a gap at frame 2, then two daughters."""


def write_btrack(path: Path, coords: Any = COORDS, **changes: Any) -> Path:
    with h5py.File(path, "w") as file:
        objects = file.create_group("objects/obj_type_1")
        objects["coords"] = np.asarray(coords, np.float32)
        objects["labels"] = np.array([[0], [1], [2], [3], [3]], np.float32)
        objects["properties/area"] = np.arange(5, dtype=np.float32)
        tracks = file.create_group("tracks/obj_type_1")
        tracks["tracks"] = np.array([0, 1, -1, 2, 3, 4], np.int32)
        tracks["map"] = np.array([[0, 4], [4, 5], [5, 6]], np.uint32)
        tracks["dummies"] = np.array([[2, 32, 7, 0.3, 1]], np.float32)
        tracks["LBEPR"] = np.array(
            [[1, 0, 3, 1, 1, 0], [2, 4, 4, 1, 1, 1], [3, 4, 4, 1, 1, 1]], np.int32
        )
        tracks["fates"] = np.array([2, 0, 0], np.int32)
        for key, value in changes.items():
            if key == "f_expr":
                tracks.attrs["f_expr"] = value
            else:
                file[key.replace("__", "/")] = value
    return path


def test_the_format_by_the_letter(tmp_path: Path) -> None:
    tracks = read_tracks(write_btrack(tmp_path / "tracks.h5"))
    table = tracks.table
    assert table["track_id"].tolist() == [1, 1, 1, 1, 2, 3]
    assert table["t"].tolist() == [0, 1, 2, 3, 4, 4]
    assert table["x"].tolist() == [30, 31, 32, 33, 40, 20]
    assert table["y"].tolist() == [5, 6, 7, 8, 9, 9]
    assert table["dummy"].tolist() == [0, 0, 1, 0, 0, 0]
    assert table["state"].tolist() == [0, 1, -1, 2, 3, 3]
    assert table["generation"].tolist() == [0, 0, 0, 0, 1, 1]
    assert table["root"].tolist() == [1] * 6
    assert table["fate"].tolist() == [2, 2, 2, 2, 0, 0]
    assert table["parent"].tolist() == [0, 0, 0, 0, 1, 1]
    np.testing.assert_array_equal(table["area"], [0, 1, np.nan, 2, 3, 4])
    assert "z" not in table
    assert tracks.graph == {2: [1], 3: [1]}
    assert tracks.masks is None


def test_objects_stored_as_yx_are_known_by_the_gap_fillers(tmp_path: Path) -> None:
    path = write_btrack(tmp_path / "tracks.h5", COORDS[:, [0, 2, 1, 3, 4]])
    table = read_tracks(path).table
    assert table["x"].tolist() == [30, 31, 32, 33, 40, 20]
    assert table["y"].tolist() == [5, 6, 7, 8, 9, 9]


@pytest.mark.parametrize("order", [[0, 1, 2, 3, 4], [0, 2, 1, 3, 4]])
def test_label_images_are_given_and_decide_the_order(
    tmp_path: Path, order: list[int]
) -> None:
    images = np.zeros((5, 50, 60), np.uint16)
    for label, (t, x, y, *_) in enumerate(COORDS, start=11):
        images[t, y, x] = label
    path = write_btrack(
        tmp_path / "tracks.h5", COORDS[:, order], segmentation__images=images
    )
    tracks = read_tracks(path)
    assert tracks.table["x"].tolist() == [30, 31, 32, 33, 40, 20]
    assert tracks.table["label_id"].tolist() == [11, 12, 0, 13, 14, 15]
    assert tracks.masks is not None
    assert not tracks.masks_tracked
    np.testing.assert_array_equal(tracks.masks[3], images[3])


def test_planes_are_kept(tmp_path: Path) -> None:
    coords = COORDS.copy()
    coords[:, 3] = 2
    table = read_tracks(write_btrack(tmp_path / "tracks.h5", coords)).table
    np.testing.assert_allclose(table["z"], [2, 2, 0.3, 2, 2, 2], rtol=1e-6)


def test_filtered_objects_are_counted_as_btrack_does(tmp_path: Path) -> None:
    coords = np.insert(COORDS, 1, [0, 99, 99, 0, 0], axis=0)
    path = write_btrack(tmp_path / "tracks.h5", coords, f_expr="area>=1")
    with h5py.File(path, "r+") as file:
        group = file["objects/obj_type_1"]
        del group["labels"], group["properties/area"]
        group["properties/area"] = np.array([3, 0, 1, 1, 1, 1], np.float32)
    assert read_tracks(path).table["x"].tolist() == [30, 31, 32, 33, 40, 20]
    with h5py.File(path, "r+") as file:
        file["tracks/obj_type_1"].attrs["f_expr"] = "__import__('os')"
    with pytest.raises(InputError, match="filtered"):
        read_tracks(path)


def test_a_second_object_type_gets_ids_of_its_own(tmp_path: Path) -> None:
    path = write_btrack(tmp_path / "tracks.h5")
    with h5py.File(path, "r+") as file:
        for group in ("objects", "tracks"):
            file.copy(f"{group}/obj_type_1", f"{group}/obj_type_2")
    tracks = read_tracks(path)
    assert tracks.table["track_id"].tolist() == [1, 1, 1, 1, 2, 3, 4, 4, 4, 4, 5, 6]
    assert tracks.table["root"].tolist() == [1] * 6 + [4] * 6
    assert tracks.table["object_type"].tolist() == [1] * 6 + [2] * 6
    assert tracks.graph == {2: [1], 3: [1], 5: [4], 6: [4]}


def test_damaged_and_foreign_files_are_refused(tmp_path: Path) -> None:
    path = write_btrack(tmp_path / "tracks.h5")
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(InputError, match="not a whole btrack file"):
        read_tracks(path)
    path.write_text("hello")
    with pytest.raises(InputError, match="not a whole btrack file"):
        read_tracks(path)
    with h5py.File(path, "w") as file:
        file["data"] = np.zeros(3)
    with pytest.raises(InputError, match="not a whole btrack file"):
        read_tracks(path)
    with h5py.File(path, "w") as file:
        file.create_group("tracks")
    with pytest.raises(InputError, match="no tracks"):
        read_tracks(path)


def test_the_real_file_equals_its_export(real_data: Path) -> None:
    folder = real_data / "btrack"
    tracks = read_tracks(folder / "tracks.h5")
    points = pd.read_csv(folder / "tracks.csv")
    properties = pd.read_csv(folder / "properties.csv")
    order = np.lexsort((points["t"], points["ID"]))
    points, properties = points.iloc[order], properties.iloc[order]
    table = tracks.table
    np.testing.assert_array_equal(table["track_id"], points["ID"])
    np.testing.assert_array_equal(table["t"], points["t"])
    np.testing.assert_allclose(table["y"], points["y"], atol=1e-3)
    np.testing.assert_allclose(table["x"], points["x"], atol=1e-3)
    for column in ("generation", "root"):
        np.testing.assert_array_equal(table[column], properties[column])
    seen = (table["dummy"] == 0).to_numpy()
    np.testing.assert_array_equal(table["state"][seen], properties["state"][seen])
    itself = properties["parent"] == points["ID"].astype(int)
    np.testing.assert_array_equal(
        table["parent"], properties["parent"].where(~itself, 0)
    )
    exported = json.loads((folder / "graph.json").read_text())
    assert tracks.graph == {int(child): p for child, p in exported.items()}
    assert tracks.n_tracks == 409
    assert (~seen).sum() == 97
    as_csv = read_tracks(folder / "tracks.csv")
    np.testing.assert_allclose(as_csv.table[["y", "x"]], table[["y", "x"]], atol=1e-3)
