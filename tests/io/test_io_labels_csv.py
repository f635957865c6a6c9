"""Hand labels from CSV."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from napari_cellsci.errors import InputError
from napari_cellsci.io.labels_csv import COLUMNS, read_labels_csv


def read(tmp_path: Path, text: str) -> pd.DataFrame:
    path = tmp_path / "labels.csv"
    path.write_text(text, encoding="utf-8")
    return read_labels_csv(path)


def test_all_columns(tmp_path: Path) -> None:
    text = "track_id,t,y,x,class,movie,label_id\n17,0,108.0,171.7,metaphase,a,3\n"
    table = read(tmp_path, text)
    assert table.columns.tolist() == list(COLUMNS)
    assert table.iloc[0].tolist() == ["a", 17, 0, 108.0, 171.7, "metaphase", ""]
    assert table["track_id"].dtype == table["t"].dtype == np.int64


def test_the_shortest_table(tmp_path: Path) -> None:
    table = read(tmp_path, "Track_ID;T;Class\n1.0;2.0; interphase \n;;\n2;3;1\n")
    assert table["track_id"].tolist() == [1, 2]
    assert table["t"].tolist() == [2, 3]
    assert table["class"].tolist() == ["interphase", "1"]
    assert table["movie"].tolist() == ["", ""]
    assert table[["y", "x"]].isna().all().all()


@pytest.mark.parametrize(
    ("track", "read_as"), [("0", 0), ("0.0", 0), ("", -1), ("nan", -1)]
)
def test_cells_without_a_track_have_a_place(
    tmp_path: Path, track: str, read_as: int
) -> None:
    table = read(tmp_path, f"track_id,t,y,x,class\n{track},2,5.5,6,metaphase\n")
    assert table["track_id"].tolist() == [read_as]
    assert table[["y", "x"]].to_numpy().tolist() == [[5.5, 6]]


def test_places_alone_are_enough(tmp_path: Path) -> None:
    assert read(tmp_path, "t,y,x,class\n2,5,6,a\n")["track_id"].tolist() == [-1]


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("track_id,t\n1,2\n", "no column class .*track_id, t"),
        ("track,frame,kind\n1,2,3\n", "no column track_id or t or class"),
        ("t,y,class\n1,2,a\n", "no column track_id"),
        ("track_id,t,class\n", "no labels"),
        ("track_id,t,class\n1,,a\n", r"no frame \(t\) in row 1"),
        (
            "track_id,t,class\n1,2,a\n1,3,\n1,4,\n",
            r"no class in row 2 .*\(2 such rows\)",
        ),
        ("track_id,t,class\n,2,a\n", "neither a track nor y and x in row 1"),
        ("track_id,t,class\n1,x,a\n", "a t that is not a number"),
        ("track_id,t,class\n1,-1,a\n", "a t that is not a whole number"),
        ("track_id,t,class\n1.5,1,a\n", "a track_id that is not a whole number"),
        ("1,2,3,4\n", "no column class"),
    ],
)
def test_unusable_tables_are_refused(tmp_path: Path, text: str, match: str) -> None:
    with pytest.raises(InputError, match=match) as caught:
        read(tmp_path, text)
    assert "labels.csv" in str(caught.value)


def test_missing_and_foreign_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no file"):
        read_labels_csv(tmp_path / "none.csv")
    (tmp_path / "a.csv").write_bytes(b"\x89PNG\0\xff")
    with pytest.raises(InputError, match="text"):
        read_labels_csv(tmp_path / "a.csv")


@pytest.mark.parametrize("name", ["labels.csv", "labels_other.csv"])
def test_the_real_labels(real_data: Path, name: str) -> None:
    path = real_data / "hela" / name
    table, raw = read_labels_csv(path), pd.read_csv(path)
    for column in ("track_id", "t", "y", "x", "class"):
        assert table[column].tolist() == raw[column].tolist()


def test_tables_of_images(tmp_path: Path) -> None:
    table = read(tmp_path, "image,class,position\nb/1.png,live,3\nb/2.png,,3\n")
    assert table["image"].tolist() == ["b/1.png"]
    assert table["track_id"].tolist() == [-1]
    table = read(tmp_path, "index,class,x,y\n0,live,7,8\n12,dead,9,9\n")
    assert table["track_id"].tolist() == [0, 12]
    assert table["t"].tolist() == [0, 0]
    with pytest.raises(InputError, match="neither image nor index"):
        read(tmp_path, "image,class\n,live\n")
