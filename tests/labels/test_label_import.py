from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from napari_cellsci.errors import InputError
from napari_cellsci.labels import Labels

Csv = Callable[[str], Path]


def test_rows_find_their_cells(labels: Labels, csv: Csv) -> None:
    report = labels.import_csv(csv("track_id,t,class\n1,0,interphase\n3,2,metaphase\n"))
    assert labels.as_series().to_dict() == {0: "interphase", 10: "metaphase"}
    assert (report.matched, len(report.unmatched), report.unused) == (2, 0, {})
    assert report.sentence == "2 cells labelled."


def test_an_import_is_undone_as_one(labels: Labels, csv: Csv) -> None:
    labels.import_csv(csv("track_id,t,class\n1,0,interphase\n3,2,metaphase\n"))
    labels.undo()
    assert len(labels) == 0


def test_floats_spaces_and_a_byte_order_mark_do_not_hurt(
    labels: Labels, csv: Csv
) -> None:
    report = labels.import_csv(csv("\ufefftrack_id, t, class\n1.0, 0.0, interphase \n"))
    assert report.matched == 1
    assert labels.get(0) == "interphase"


def test_one_class_alone_can_be_imported(labels: Labels, csv: Csv) -> None:
    labels.import_csv(csv("track_id,t,class\n1,0,metaphase\n1,1,metaphase\n"))
    assert labels.counts() == {"interphase": 0, "metaphase": 2}


def test_a_row_without_a_track_goes_to_the_nearest_cell(
    labels: Labels, csv: Csv
) -> None:
    # Track 2 lies at (20, 20 + t); no track is called 0.
    text = "track_id,t,y,x,class\n0,1,23,22,metaphase\n,2,29.0,22,interphase\n"
    labels.import_csv(csv(text))
    assert labels.as_series().to_dict() == {5: "metaphase", 10: "interphase"}


def test_a_row_far_from_all_cells_is_listed(labels: Labels, csv: Csv) -> None:
    rows = ["track_id,t,y,x,class", "1,0,1,2,metaphase", "0,1,60,60,metaphase"]
    report = labels.import_csv(csv("\n".join([*rows, "0,1,,,metaphase"])))
    assert report.matched == 1
    assert report.unmatched["row"].tolist() == [2, 3]
    assert "within 8 px" in report.unmatched["reason"][0]
    assert "neither" in report.unmatched["reason"][1]
    assert "2 row(s) found no cell" in report.sentence


def test_the_distance_can_be_chosen(labels: Labels, csv: Csv) -> None:
    text = "track_id,t,y,x,class\n0,1,45,21,metaphase\n"
    with pytest.raises(InputError, match="within 8 px"):
        labels.import_csv(csv(text))
    labels.import_csv(csv(text), max_distance=15)
    assert labels.as_series().to_dict() == {9: "metaphase"}


def test_two_rows_never_share_a_nearest_cell(labels: Labels, csv: Csv) -> None:
    text = "track_id,t,y,x,class\n0,1,13,21,interphase\n0,1,11,21,metaphase\n"
    report = labels.import_csv(csv(text))
    assert labels.as_series().to_dict() == {1: "metaphase"}
    assert report.unmatched["row"].tolist() == [1]
    assert "another row" in report.unmatched["reason"][0]


def test_a_track_called_0_is_a_track(two_movies: Labels, csv: Csv) -> None:
    text = "movie,track_id,t,y,x,class\nright,0,1,30,20,metaphase\n"
    two_movies.import_csv(csv(text))
    assert two_movies.as_series().to_dict() == {13: "metaphase"}


def test_other_classes_are_kept_and_reported(labels: Labels, csv: Csv) -> None:
    text = "track_id,t,class\n1,0,metaphase\n1,1,anaphase\n1,2,anaphase\n"
    report = labels.import_csv(csv(text))
    assert report.unused == {"anaphase": 2}
    assert "2 anaphase kept but not used in training" in report.sentence
    assert labels.counts() == {"interphase": 0, "metaphase": 1, "anaphase": 2}


def test_only_unknown_classes_are_refused_unless_asked_for(
    labels: Labels, csv: Csv
) -> None:
    table = csv("track_id,t,class\n1,0,anaphase\n1,1,junk\n")
    with pytest.raises(InputError, match=r"None of the classes .*\(anaphase, junk\)"):
        labels.import_csv(table)
    assert labels.names == ("interphase", "metaphase")
    labels.import_csv(table, add_classes=True)
    assert labels.counts()["junk"] == 1
    labels.import_csv(csv("track_id,t,class\n1,3,junk\n"))
    assert labels.counts()["junk"] == 2


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "labels.csv"),
        ("track_id,t,class\n", "has no labels"),
        ("track,t,class\n1,0,metaphase\n", "no column track_id"),
        ("a;b\n1;2\n", "no column"),
        ("track_id,t,class\n1,0,\n", "no class in row 1"),
        ("track_id,t,class\n1,0,metaphase\n1,x,metaphase\n", "a t .* in row 2"),
        ("track_id,t,class\n1,-1,metaphase\n", "not a whole number from 0"),
        ("track_id,t,class\n1,,metaphase\n", "no frame"),
        ("track_id,t,class\n1.5,0,metaphase\n", "not a whole number"),
        ("track_id,t,class\n1,inf,metaphase\n", "not a number"),
        ("track_id,t,y,x,class\n1,0,up,3,metaphase\n", "a y that is not a number"),
        ("track_id,t,class\n99,0,metaphase\n", "No row of .* names a cell"),
        ("movie,track_id,t,class\nnone,1,0,metaphase\n", "no movie 'none'"),
        (
            "track_id,t,class\n1,0,metaphase\n1,0,interphase\n",
            "Rows 1 and 2 .* different classes",
        ),
        ("track_id,t,class\n1,0,metaphase\n1,1,blank\n", 'called "blank"'),
    ],
)
def test_wrong_tables_are_refused_and_change_nothing(
    labels: Labels, csv: Csv, text: str, sentence: str
) -> None:
    with pytest.raises(InputError, match=sentence):
        labels.import_csv(csv(text))
    assert labels.history().empty
    assert labels.names == ("interphase", "metaphase")


def test_missing_and_binary_files_are_refused(labels: Labels, tmp_path: Path) -> None:
    for name in ("none.csv", "."):
        with pytest.raises(InputError):
            labels.import_csv(tmp_path / name)
    (tmp_path / "image.csv").write_bytes(b"\xff\xfe\x00\x01" * 50)
    with pytest.raises(InputError, match=r"image\.csv"):
        labels.import_csv(tmp_path / "image.csv")


def test_some_unknown_cells_are_listed(labels: Labels, csv: Csv) -> None:
    report = labels.import_csv(csv("track_id,t,class\n1,0,metaphase\n9,0,metaphase\n"))
    assert report.matched == 1
    assert report.unmatched["reason"].tolist() == [
        "there is no cell of track 9 at time 0"
    ]


def test_of_several_movies_the_table_must_name_one(
    two_movies: Labels, csv: Csv
) -> None:
    with pytest.raises(InputError, match="add a column movie with left, right"):
        two_movies.import_csv(csv("track_id,t,class\n1,0,metaphase\n"))
