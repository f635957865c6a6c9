from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from napari_cellsci.errors import InputError, ProjectError
from napari_cellsci.labels import Labels
from napari_cellsci.labels import log as log_module
from napari_cellsci.labels import who as who_module
from napari_cellsci.project import store as store_module
from napari_cellsci.project.store import Store

Again = Callable[..., Labels]


def test_a_label_is_set_and_read_by_row_or_by_name(labels: Labels) -> None:
    labels.set(5, "metaphase")
    labels.set((3, 1), "interphase")
    labels.set(("movie", 1, 0), "metaphase")

    assert labels.get((2, 1)) == "metaphase"
    assert labels.as_series().to_dict() == {
        0: "metaphase",
        5: "metaphase",
        9: "interphase",
    }
    assert labels.counts() == {"interphase": 1, "metaphase": 2}
    assert len(labels) == 3


def test_numpy_integers_name_cells_too(labels: Labels) -> None:
    labels.set(np.int64(5), "metaphase")
    labels.set((np.int64(1), np.int32(0)), "interphase")
    assert labels.as_series().index.tolist() == [0, 5]


@pytest.mark.parametrize(
    ("cell", "sentence"),
    [
        (12, "no cell 12: the project has cells 0 to 11"),
        (-1, "no cell -1"),
        ((1, 9), "no cell of track 1 at time 9 in movie 'movie'"),
        (("other", 1, 0), "no cell of track 1 at time 0 in movie 'other'"),
        (("movie", 1.5, 0), "whole numbers"),
        ("movie", "does not name a cell"),
        ((1, 2, 3, 4), "does not name a cell"),
    ],
)
def test_unknown_cells_are_refused(labels: Labels, cell: object, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        labels.set(cell, "metaphase")  # type: ignore[arg-type]
    assert len(labels) == 0


def test_an_unknown_class_is_refused_with_the_known_ones(labels: Labels) -> None:
    with pytest.raises(InputError, match="choose one of interphase, metaphase"):
        labels.set(0, "metafase")
    assert labels.history().empty


def test_an_odd_way_of_labelling_is_refused(labels: Labels) -> None:
    with pytest.raises(InputError, match="not 'telepathy'"):
        labels.set(0, "metaphase", how="telepathy")


def test_of_several_movies_the_movie_must_be_named(two_movies: Labels) -> None:
    with pytest.raises(InputError, match="several movies"):
        two_movies.set((1, 0), "metaphase")
    two_movies.set(("right", 1, 0), "metaphase")
    assert two_movies.as_series().index.tolist() == [16]


def test_many_labels_are_one_action(labels: Labels) -> None:
    labels.set_many([3, (1, 0), 3], "metaphase")
    assert labels.history()["n_cells"].tolist() == [2]
    labels.undo()
    assert len(labels) == 0
    labels.set_many([], "metaphase")
    assert len(labels.history()) == 2


def test_the_history_says_who_when_and_how(labels: Labels, again: Again) -> None:
    labels.set(0, "metaphase", how="key")
    again("bob").clear(0, how="click")
    labels.refresh()
    labels.undo()
    history = labels.history()

    assert history["who"].tolist() == ["ada", "bob", "ada"]
    assert history["how"].tolist() == ["key", "click", "api"]
    assert history["kind"].tolist() == ["set", "clear", "undo"]
    assert history["class"].tolist() == ["metaphase", "", ""]
    assert history["undone"].tolist() == [True, False, False]
    assert pd.to_datetime(history["when"]).is_monotonic_increasing


def test_undo_and_redo_work_after_reopening(labels: Labels, again: Again) -> None:
    labels.set(0, "interphase")
    labels.set(0, "metaphase")
    labels.clear(0)

    later = again()
    assert later.get(0) is None
    later.undo()
    assert later.get(0) == "metaphase"
    later.undo()
    assert again().get(0) == "interphase"
    last = again()
    last.redo()
    last.redo()
    assert last.get(0) is None
    assert last.redo() is None


def test_a_new_action_forgets_what_could_be_redone(labels: Labels) -> None:
    labels.set(0, "metaphase")
    labels.undo()
    assert labels.can_redo
    labels.set(1, "metaphase")
    assert not labels.can_redo
    assert labels.redo() is None


def test_undo_with_nothing_to_undo_does_nothing(labels: Labels) -> None:
    assert not labels.can_undo
    assert labels.undo() is None
    assert labels.history().empty


def test_two_people_never_undo_each_other(labels: Labels, again: Again) -> None:
    bob = again("bob")
    labels.set(0, "metaphase")
    bob.set(0, "interphase")
    labels.undo()
    assert labels.get(0) == "interphase"
    bob.refresh()
    bob.undo()
    assert bob.get(0) is None
    assert bob.undo() is None


def test_another_window_is_taken_in_and_told(labels: Labels, again: Again) -> None:
    other = again()
    heard: list[list[int]] = []
    other.changed.connect(_appender := Appender(heard))
    assert other.refresh() == 0
    labels.set_many([2, 4], "metaphase")
    assert other.refresh() == 1
    assert heard == [[2, 4]]
    assert other.get(2) == "metaphase"
    assert _appender is not None


class Appender:
    def __init__(self, into: list[list[int]]) -> None:
        self.into = into

    def __call__(self, rows: np.ndarray) -> None:
        self.into.append(rows.tolist())


def test_changes_are_told(labels: Labels) -> None:
    heard: list[list[int]] = []
    listener = Appender(heard)
    labels.changed.connect(listener)
    labels.set(7, "metaphase")
    labels.undo()
    assert heard == [[7], [7]]


def test_one_undo_for_two_windows_of_one_person(labels: Labels, again: Again) -> None:
    other = again()
    labels.set(0, "interphase")
    labels.set(0, "metaphase")
    labels.undo()
    other.undo()  # has not looked since; takes back the next one, not the same
    labels.refresh()
    assert labels.get(0) is None
    assert other.get(0) is None


def test_class_ids_stay_when_classes_are_added(labels: Labels, again: Again) -> None:
    labels.set(0, "metaphase")
    before = {known.name: known.id for known in labels.classes}
    labels.add_class("anaphase")
    labels.set(1, "anaphase")
    after = {known.name: known.id for known in again().classes}
    assert {name: after[name] for name in before} == before
    assert labels.names == ("interphase", "metaphase", "anaphase")
    assert labels.classes[2].position is None
    assert len({known.colour for known in labels.classes}) == 3


def test_a_failed_write_changes_nothing(
    labels: Labels, monkeypatch: pytest.MonkeyPatch
) -> None:
    labels.set(0, "interphase")

    def full(*args: object, **kwargs: object) -> None:
        error = sqlite3.OperationalError("database or disk is full")
        error.sqlite_errorname = "SQLITE_FULL"
        raise error

    monkeypatch.setattr(log_module, "append", full)
    with pytest.raises(ProjectError, match="is full: free some space"):
        labels.set(0, "metaphase")
    monkeypatch.undo()
    assert labels.get(0) == "interphase"
    labels.set(0, "metaphase")
    assert labels.get(0) == "metaphase"


def test_another_writer_is_named_in_a_sentence(
    store: Store, labels: Labels, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_module, "BUSY_SECONDS", 0.05)
    impatient = Store.open(store.path)
    mine = Labels(impatient, lambda: pd.DataFrame(columns=["movie", "track_id", "t"]))
    with (
        store.transaction(),
        pytest.raises(ProjectError, match="Another window or command is writing"),
    ):
        mine.undo()
    impatient.close()
    labels.set(0, "metaphase")


def test_a_nameless_system_still_has_an_annotator(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def nobody() -> str:
        raise OSError("no username set in the environment")

    monkeypatch.setattr(who_module.getpass, "getuser", nobody)
    assert who_module.login_name() == "unknown"


def test_the_annotator_is_remembered_for_other_projects_and_commands(
    labels: Labels,
    again: Again,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CELLSCI_CONFIG", str(tmp_path / "of" / "ada"))
    assert again("").who == who_module.login_name()
    who_module.remember_annotator("Ada Lovelace")
    assert again("").who == "Ada Lovelace"
    assert labels.who != "Ada Lovelace"  # whoever labels already goes on as before
    (tmp_path / "of" / "ada" / "annotator.txt").write_bytes(b"\xff\x00")
    assert again("").who == who_module.login_name()


def test_a_name_that_cannot_be_kept_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("CELLSCI_CONFIG", str(tmp_path / "file" / "deeper"))
    with pytest.raises(ProjectError, match="a file stands where a folder is needed"):
        who_module.remember_annotator("Ada")


def test_the_history_gives_the_latest_actions_alone(labels: Labels) -> None:
    for row in range(5):
        labels.set(row, "metaphase")
    labels.undo()
    whole, latest = labels.history(), labels.history(2)
    pd.testing.assert_frame_equal(whole.tail(2), latest)
    last = labels._state.actions[int(latest.index[-1])]
    assert labels.told(last) == "undid: 1 cell → metaphase"


def test_the_log_is_exported_as_a_table_that_imports(
    labels: Labels, again: Again, tmp_path: Path
) -> None:
    labels.set_many([1, 6], "metaphase")
    labels.set(2, "interphase")
    labels.export_csv(tmp_path / "out.csv")
    before = labels.as_series()
    labels.clear_many(range(12))
    report = again().import_csv(tmp_path / "out.csv")
    assert report.matched == 3
    pd.testing.assert_series_equal(again().as_series(), before)


def test_export_into_a_missing_folder_is_refused(
    labels: Labels, tmp_path: Path
) -> None:
    with pytest.raises(ProjectError, match="There is no folder"):
        labels.export_csv(tmp_path / "nowhere" / "out.csv")
