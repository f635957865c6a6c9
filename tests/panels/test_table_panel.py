from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from qtpy.QtCore import QItemSelectionModel, Qt
from qtpy.QtWidgets import QApplication

from napari_cellsci.errors import InputError
from napari_cellsci.panels.table.columns import (
    Column,
    chosen,
    columns_of,
    sorted_by,
)
from napari_cellsci.panels.table.panel import TablePanel
from napari_cellsci.viewer.session import Session, get_session

pytestmark = pytest.mark.gui


@pytest.fixture
def session(viewer: Any) -> Session:
    return get_session(viewer)


@pytest.fixture
def table(
    dock: Callable[[type], Any], session: Session, mitosis: Any, known_scores: Any
) -> TablePanel:
    panel: TablePanel = dock(TablePanel)
    session.project = mitosis
    session.set_scores(known_scores(mitosis))
    return panel


def columns() -> list[Column]:
    words = np.array(["", "metaphase", "interphase", "metaphase"], dtype=object)
    return [
        Column("frame", "", np.array([0, 1, 2, 3])),
        Column("score", "", np.array([1.0, -2.0, np.nan, 0.5], np.float32)),
        Column("label", "", words),
    ]


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("", [0, 1, 2, 3]),
        ("score>0", [0, 3]),
        ("score>0 frame>=1", [3]),
        ("label=metaphase frame<2", [1]),
        ("label!=metaphase", [0, 2]),
        ("inter", [2]),
        ("unlabelled", [0]),
        ("labelled", [1, 2, 3]),
        ("frame=2", [2]),
        ("nothing", []),
    ],
)
def test_a_filter_leaves_what_its_terms_say(text: str, kept: list[int]) -> None:
    assert np.flatnonzero(chosen(columns(), text)).tolist() == kept


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("size>3", "no column 'size'"),
        ("score>high", "'high'"),
        ("label>a", "holds words"),
    ],
)
def test_a_wrong_filter_is_told(text: str, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        chosen(columns(), text)


def test_sorting_puts_the_unknown_last_either_way() -> None:
    rows = np.arange(4)
    score, label = columns()[1], columns()[2]
    assert sorted_by(score, rows, False).tolist() == [1, 3, 0, 2]
    assert sorted_by(score, rows, True).tolist() == [0, 3, 1, 2]
    assert sorted_by(label, rows, False).tolist() == [2, 1, 3, 0]
    assert sorted_by(label, rows, True).tolist() == [1, 3, 2, 0]


def test_lines_and_selection_are_one_with_the_session(
    table: TablePanel, session: Session
) -> None:
    assert table.model.rowCount() == session.n_cells
    names = [column.name for column in table.model.columns]
    assert names[:4] == ["track", "frame", "min", "label"]
    assert {"called", "score", "P", "area"} <= set(names)
    table.view.sortByColumn(names.index("score"), Qt.SortOrder.DescendingOrder)
    scores = session.scores
    assert scores is not None
    assert np.all(np.diff(scores.score[table.model.rows]) <= 0)
    session.select(9)
    assert table.selected_rows().tolist() == [9]
    table.view.sortByColumn(names.index("frame"), Qt.SortOrder.DescendingOrder)
    assert table.selected_rows().tolist() == [9]  # it moved along
    session.select_many([1, 2, 30])
    assert sorted(table.selected_rows().tolist()) == [1, 2, 30]
    table.view.selectRow(5)
    assert session.current == table.model.rows[5]
    flags = QItemSelectionModel.SelectionFlag
    for place in (5, 6, 7):
        table.view.selectionModel().select(
            table.model.index(place, 0), flags.Select | flags.Rows
        )
    assert set(session.selected) == set(table.model.rows[5:8])


def test_a_filter_and_new_labels_show_at_once(
    table: TablePanel, session: Session, mitosis: Any
) -> None:
    table.filter.setText("labelled")
    assert table.model.rowCount() == 0
    mitosis.labels.set_many([3, 4], "metaphase")
    assert table.model.rows.tolist() == [3, 4]
    assert table.count.text().startswith("2 of ")
    table.filter.setText("labelled sco")
    table.filter.setText("scores>1")  # not a column: what was shown stays
    assert table.count.text() == "?"
    assert "There is no column" in table.filter.toolTip()


def test_copy_and_export_take_the_selected_lines(
    table: TablePanel, session: Session, tmp_path: Path
) -> None:
    session.select_many([2, 5])
    table.copy.click()
    lines = QApplication.clipboard().text().splitlines()
    assert len(lines) == 3
    assert lines[0].split("\t")[0] == "track"
    table.save_data(str(tmp_path / "some.csv"))
    written = pd.read_csv(tmp_path / "some.csv")
    assert session.table is not None
    assert written["track"].tolist() == session.table.track[[2, 5]].tolist()
    session.select(None)
    table.save_data(str(tmp_path / "all.csv"))
    assert len(pd.read_csv(tmp_path / "all.csv")) == session.n_cells


def test_what_is_filtered_out_is_a_column(table: TablePanel, session: Session) -> None:
    assert session.project is not None
    names = [column.name for column in columns_of(session)]
    assert "filtered_out" not in names
    session.project.labels.leave_out([2, 5])
    found = columns_of(session)
    assert chosen(found, "filtered_out=yes").nonzero()[0].tolist() == [2, 5]
