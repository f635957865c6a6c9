"""Tracks from tables and CSV files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from napari_cellsci.errors import InputError
from napari_cellsci.io.tracks import Tracks, read_tracks, tracks_from_table
from napari_cellsci.io.write import write_tracks_csv

ROWS = [[2, 1, 4.5, 6.0], [2, 0, 3.5, 5.0], [1, 3, 1.0, 2.0]]
SORTED = [[1, 3, 1.0, 2.0], [2, 0, 3.5, 5.0], [2, 1, 4.5, 6.0]]
BASE = ["track_id", "t", "y", "x"]


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def base(tracks: Tracks) -> list[list[float]]:
    values: list[list[float]] = tracks.table[BASE].to_numpy().tolist()
    return values


@pytest.mark.parametrize(
    "text",
    [
        "track_id,t,y,x\n2,1,4.5,6\n2,0,3.5,5\n1,3,1,2\n",
        "ID,t,y,x\n2.0,1.0,4.5,6.0\n2.0,0.0,3.5,5.0\n1.0,3.0,1.0,2.0\n",
        "\ufeffTrackID;Frame;Y;X\n2;1;4.5;6\n2;0;3.5;5\n1;3;1;2\n",
        "x\ty\tframe\tparticle\n6\t4.5\t1\t2\n5\t3.5\t0\t2\n2\t1\t3\t1\n",
        "2,1,4.5,6\n2,0,3.5,5\n1,3,1,2\n",
        "2.0, 1.0, 4.5, 6\n2.0, 0.0, 3.5, 5\n1.0, 3.0, 1, 2\n",
        ",0,1,2,3\n0,2,1,4.5,6\n1,2,0,3.5,5\n2,1,3,1,2\n",
        "0,1,2,3\n2,1,4.5,6\n2,0,3.5,5\n1,3,1,2\n",
        ",track_id,t,y,x\n0,2,1,4.5,6\n1,2,0,3.5,5\n2,1,3,1,2\n",
        '"track_id","t","y","x"\r\n"2","1","4.5","6"\r\n2,0,3.5,5\r\n1,3,1,2\r\n',
    ],
)
def test_csv_in_its_dialects(tmp_path: Path, text: str) -> None:
    tracks = read_tracks(write(tmp_path / "tracks.csv", text))
    assert base(tracks) == SORTED
    assert tracks.table.dtypes[BASE].tolist() == [
        np.int64,
        np.int64,
        np.float64,
        np.float64,
    ]
    assert tracks.graph == {}
    assert (tracks.table[["parent", "label_id"]] == 0).all().all()


@pytest.mark.parametrize(
    "text",
    ["ID,t,z,y,x\n1,0,2,3,4\n", "1,0,2,3,4\n", "0,1,2,3,4\n1,0,2,3,4\n"],
)
def test_planes_are_kept(tmp_path: Path, text: str) -> None:
    table = read_tracks(write(tmp_path / "tracks.csv", text)).table
    assert table[["track_id", "t", "z", "y", "x"]].to_numpy().tolist() == [
        [1, 0, 2, 3, 4]
    ]


def test_further_columns_are_kept_if_numeric(tmp_path: Path) -> None:
    text = "track_id,t,y,x,label_id,area,name\n1,0,2,3,7,30.5,a\n1,1,2,3,,,b\n"
    table = read_tracks(write(tmp_path / "tracks.csv", text)).table
    assert table.columns.tolist() == [*BASE, "parent", "label_id", "area"]
    assert table["label_id"].tolist() == [7, 0]
    np.testing.assert_array_equal(table["area"], [30.5, np.nan])


@pytest.mark.parametrize(
    ("parents", "graph"),
    [
        ([0, 0, 1, 1], {2: [1], 3: [1]}),
        ([-1, -1, 1, 1], {2: [1], 3: [1]}),
        (["", "", 1, 1], {2: [1], 3: [1]}),
        ([1.0, 1.0, 1.0, 1.0], {2: [1], 3: [1]}),
        ([0, 0, 9, 1], {3: [1]}),
    ],
)
def test_parents_make_the_graph(
    tmp_path: Path, parents: list[Any], graph: dict[int, list[int]]
) -> None:
    rows = zip([1, 1, 2, 3], [0, 1, 2, 2], parents, strict=True)
    text = "".join(f"{i},{t},5,6,{p}\n" for i, t, p in rows)
    path = write(tmp_path / "tracks.csv", "track_id,t,y,x,parent\n" + text)
    tracks = read_tracks(path)
    assert tracks.graph == graph
    first = tracks.table.drop_duplicates("track_id").set_index("track_id")["parent"]
    assert {int(i): [int(p)] for i, p in first.items() if p} == graph


def test_track_zero_can_be_a_parent_where_none_is_written_otherwise() -> None:
    table = pd.DataFrame({"track_id": [0, 1, 2], "t": [0, 1, 1], "y": 1.0, "x": 1.0})
    none_is_negative = tracks_from_table(table.assign(parent=[-1, 0, 0]))
    assert none_is_negative.graph == {1: [0], 2: [0]}
    none_is_zero = tracks_from_table(table.assign(parent=[0, 0, 0]))
    assert none_is_zero.graph == {}


def test_an_array_in_napari_order() -> None:
    assert base(tracks_from_table(np.array(ROWS))) == SORTED
    with_z = np.insert(np.array(ROWS), 2, 9.0, axis=1)
    assert tracks_from_table(with_z).table["z"].tolist() == [9, 9, 9]
    with pytest.raises(InputError, match="4 or 5 columns"):
        tracks_from_table(np.zeros((3, 6)))


def test_one_point_tracks_and_gaps_are_fine() -> None:
    table = pd.DataFrame([[5, 0, 1, 1], [6, 2, 1, 1], [6, 9, 1, 1]], columns=BASE)
    assert tracks_from_table(table).n_tracks == 2


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("track_id,t,y,x\n", "no tracks"),
        ("a,b,c,d\n1,2,3,4\n", "no column track_id or t or y or x .*a, b, c, d"),
        ("track_id,t,y\n1,2,3\n", "no column x"),
        ("1,2,3,4,5,6\n", "6 columns and no header"),
        (
            "track_id,t,y,x\n1,0,5,5\n1,1,,5\n1,2,,5\n",
            "no usable y .* row 2 and 1 more",
        ),
        ("track_id,t,y,x\n1,0,5,inf\n", "no usable x .* row 1"),
        ("track_id,t,y,x\n,0,5,5\n", "no usable track_id"),
        ("track_id,t,y,x\n1,-1,5,5\n", r"negative time \(t = -1\) in row 1"),
        ("track_id,t,y,x\n-1,1,5,5\n", "negative track id"),
        (
            "track_id,t,y,x\n1,0.5,5,5\n",
            "t = 0.5 in row 1, but a frame number is whole",
        ),
        ("track_id,t,y,x\n1.5,0,5,5\n", "track number is whole"),
        ("track_id,t,y,x\ncell 1,0,5,5\n", "'cell 1' in column track_id of row 1"),
        ("track_id,t,y,x\n1,0,5,5\n2,0,1,1\n1,0,6,6\n", r"track 1 twice .*0 \(row 3\)"),
        ("track_id,t,y,x\n1,0,5,5\n1,2,3\n1,2,3,4,5,6\n", "not a table"),
    ],
)
def test_unusable_tables_are_refused(tmp_path: Path, text: str, match: str) -> None:
    with pytest.raises(InputError, match=match) as caught:
        read_tracks(write(tmp_path / "tracks.csv", text))
    assert "tracks.csv" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "content", [b"\x89PNG\r\n\x1a\n\0\0", b"ID\0\0\0", b"\xff\xfe\x00"]
)
def test_files_that_are_no_text_are_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "tracks.csv"
    path.write_bytes(content)
    with pytest.raises(InputError, match="text"):
        read_tracks(path)


def test_unknown_kinds_are_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "tracks.docx", "x")
    with pytest.raises(InputError, match="not a kind of tracks"):
        read_tracks(path)
    (tmp_path / "folder").mkdir()
    with pytest.raises(InputError, match="not a kind of tracks"):
        read_tracks(tmp_path / "folder")
    with pytest.raises(InputError, match="no file"):
        read_tracks(tmp_path / "none.csv")
    with pytest.raises(InputError, match="positive"):
        read_tracks(path, pixel_size=0)


numbers = st.floats(-1e6, 1e6)
keys = st.tuples(st.integers(0, 2**40), st.integers(0, 10_000))


@settings(
    deadline=None,
    max_examples=40,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(st.dictionaries(keys, st.tuples(numbers, numbers), min_size=1, max_size=20))
def test_what_is_written_is_read(
    tmp_path: Path, points: dict[tuple[int, int], tuple[float, float]]
) -> None:
    table = pd.DataFrame([[*key, *at] for key, at in points.items()], columns=BASE)
    tracks = tracks_from_table(table)
    path = write_tracks_csv(tmp_path / "tracks.csv", tracks)
    again = read_tracks(path)
    pd.testing.assert_frame_equal(again.table, tracks.table, check_exact=True)
    ordered = sorted([*key, *at] for key, at in points.items())
    assert base(again) == ordered


def test_the_real_tracks(real_data: Path, tmp_path: Path) -> None:
    path = real_data / "hela" / "tracks.csv"
    tracks = read_tracks(path)
    raw = pd.read_csv(path)
    assert len(tracks.table) == len(raw)
    assert tracks.table["label_id"].tolist() == raw["label_id"].tolist()
    assert {c: p[0] for c, p in tracks.graph.items()} == {
        int(c): int(p)
        for c, p in raw[raw["parent"] > 0]
        .drop_duplicates("track_id")[["track_id", "parent"]]
        .to_numpy()
    }
    again = read_tracks(write_tracks_csv(tmp_path / "tracks.csv", tracks))
    pd.testing.assert_frame_equal(again.table, tracks.table)
    assert again.graph == tracks.graph
