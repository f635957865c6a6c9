from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from qtpy.QtCore import QItemSelectionModel, QPoint, QPointF, Qt
from qtpy.QtGui import QWheelEvent
from qtpy.QtWidgets import QApplication, QMenu

from napari_cellsci.panels.gallery import view as view_module
from napari_cellsci.panels.gallery.model import RowRole
from napari_cellsci.panels.gallery.order import sorted_rows
from napari_cellsci.panels.gallery.panel import GalleryPanel
from napari_cellsci.viewer.navigation import Navigator
from napari_cellsci.viewer.session import Session, get_session

pytestmark = pytest.mark.gui


@pytest.fixture
def session(viewer: Any) -> Session:
    return get_session(viewer)


@pytest.fixture
def gallery(
    dock: Callable[[type], Any], session: Session, mitosis: Any, known_scores: Any
) -> GalleryPanel:
    panel: GalleryPanel = dock(GalleryPanel)
    session.project = mitosis
    session.set_scores(known_scores(mitosis))
    panel.resize(900, 300)
    return panel


def test_orders_are_permutations_sorted_by_their_key(
    mitosis: Any, known_scores: Any
) -> None:
    class Viewer:
        """Stands in where none is needed."""

    viewer: Any = Viewer()
    session = Session(viewer)
    session.project = mitosis
    table = session.table
    assert table is not None
    first = sorted_rows(session, "score")  # there is no score yet: variety comes first
    assert sorted(first.tolist()) == list(range(len(table)))
    assert np.any(np.diff(table.t[first[:60]]) < 0)
    assert np.all(np.diff(table.t[first[60:]]) >= 0)
    scores = known_scores(mitosis)
    scores.table.loc[7, "score"] = np.nan
    session.set_scores(scores)
    assert session.scores is not None
    score = session.scores.score
    keys = {
        "score": score,
        "doubt": np.abs(score),
        "ood": np.where(np.isfinite(score), -session.scores.ood, np.nan),
        "time": table.t,
        "track": table.track,
    }
    for key, values in keys.items():
        for descending in (False, True):
            rows = sorted_rows(session, key, descending)
            assert sorted(rows.tolist()) == list(range(len(table)))
            known = values[rows][np.isfinite(values[rows])]
            steps = np.diff(known) * (-1 if descending else 1)
            assert np.all(steps >= 0), key
    assert sorted_rows(session, "score")[-1] == 7
    assert sorted_rows(session, "score", descending=True)[-1] == 7


def test_all_cells_are_there_but_only_seen_ones_are_made(
    gallery: GalleryPanel, session: Session
) -> None:
    assert gallery.model.rowCount() == session.n_cells
    gallery.thumbnails.clear()
    index = gallery.model.index(5, 0)
    assert index.data(Qt.ItemDataRole.DecorationRole).width() == 58
    assert len(gallery.thumbnails._kept) == 1
    assert "track" in index.data(Qt.ItemDataRole.ToolTipRole)
    # It opens where the classes meet.
    assert session.scores is not None
    first, last = gallery.view.visible_span()
    shown = session.scores.score[gallery.model.rows[first : last + 1]]
    assert shown.min() <= 0 <= shown.max()


def test_a_click_or_a_range_selects_everywhere_and_goes_there(
    gallery: GalleryPanel, session: Session
) -> None:
    table = session.table
    assert table is not None
    place = int(np.argmax(table.t[gallery.model.rows]))
    index = gallery.model.index(place, 0)
    flags = QItemSelectionModel.SelectionFlag
    gallery.view.selectionModel().setCurrentIndex(index, flags.ClearAndSelect)
    row = index.data(RowRole)
    assert session.current == row
    session.service(Navigator).arrive()
    assert session.service(Navigator).frame == table.t[row]
    selection = gallery.view.selectionModel()
    selection.clear()
    for place in (2, 3, 6):
        selection.select(gallery.model.index(place, 0), flags.Select)
    assert set(session.selected.tolist()) == set(gallery.model.rows[[2, 3, 6]].tolist())


def test_the_sessions_selection_is_shown_in_the_list(
    gallery: GalleryPanel, session: Session
) -> None:
    session.select(9)
    chosen = [i.data(RowRole) for i in gallery.view.selectionModel().selectedIndexes()]
    assert chosen == [9]
    first, last = gallery.view.visible_span()
    assert first <= gallery.model.place_of(9) <= last
    session.select_many([1, 2, 3])
    chosen = [i.data(RowRole) for i in gallery.view.selectionModel().selectedIndexes()]
    assert sorted(chosen) == [1, 2, 3]
    session.select(None)
    assert gallery.view.selectionModel().selectedIndexes() == []


def test_a_selection_in_many_pieces_is_shown_and_can_be_changed(
    gallery: GalleryPanel,
    session: Session,
    qtbot: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(view_module, "MOST_RUNS", 3)
    view, rows = gallery.view, gallery.model.rows
    session.select_many(rows[[1, 3, 5, 7, 9]])
    assert np.flatnonzero(view.chosen_in(0, 10)).tolist() == [1, 3, 5, 7, 9]
    assert view.selected_places().tolist() == [1, 3, 5, 7, 9]
    view.show_place(0)

    def click(place: int, key: Qt.KeyboardModifier) -> None:
        middle = view.visualRect(gallery.model.index(place, 0)).center()
        qtbot.mouseClick(view.viewport(), Qt.MouseButton.LeftButton, key, middle)

    click(3, Qt.KeyboardModifier.ControlModifier)
    assert set(session.selected) == set(rows[[1, 5, 7, 9]].tolist())
    click(2, Qt.KeyboardModifier.ControlModifier)
    assert session.current == rows[2]
    assert len(session.selected) == 5
    click(4, Qt.KeyboardModifier.NoModifier)
    assert session.selected.tolist() == [rows[4]]
    assert view.selected_places().tolist() == [4]


def test_escape_clears_and_double_click_zooms(
    gallery: GalleryPanel, session: Session, viewer: Any, qtbot: Any
) -> None:
    session.select(4)
    before = viewer.scene.camera.zoom
    gallery.view.doubleClicked.emit(gallery.model.index(gallery.model.place_of(4), 0))
    assert viewer.scene.camera.zoom != before
    qtbot.keyClick(gallery.view, Qt.Key.Key_Escape)
    assert session.current is None


def test_sorting_keeps_the_selection_and_the_spectrum_leads_to_scores(
    gallery: GalleryPanel, session: Session
) -> None:
    session.select(4)
    gallery.sort.setCurrentIndex(gallery.sort.findData("track"))
    table = session.table
    assert table is not None
    assert np.all(np.diff(table.track[gallery.model.rows]) >= 0)
    assert session.current == 4
    gallery.reverse.setChecked(True)
    assert np.all(np.diff(table.track[gallery.model.rows]) <= 0)
    gallery.reverse.setChecked(False)
    assert session.scores is not None
    asked = float(session.scores.score.max())
    gallery.spectrum.asked.emit(asked)
    assert gallery.sort.currentData() == "score"
    first, last = gallery.view.visible_span()
    shown = session.scores.score[gallery.model.rows[first : last + 1]]
    assert shown.max() == pytest.approx(asked)
    counts = gallery.spectrum._counts**2
    assert counts.sum() == pytest.approx(session.n_cells)
    assert gallery.spectrum._view is not None
    low, high = gallery.spectrum._view
    assert low <= high
    assert (
        gallery.spectrum.x_of(-99)
        < gallery.spectrum.x_of(0)
        < gallery.spectrum.x_of(99)
    )


def test_one_row_scrolls_sideways_with_the_wheel(
    gallery: GalleryPanel, session: Session, qtbot: Any
) -> None:
    gallery.view.setFixedHeight(90)
    qtbot.wait(20)
    assert gallery.view.one_row
    bar = gallery.view.horizontalScrollBar()
    bar.setValue(0)
    event = QWheelEvent(
        QPointF(5, 5),
        QPointF(5, 5),
        QPoint(0, 0),
        QPoint(0, -120),
        Qt.MouseButton.NoButton,
        Qt.KeyboardModifier.NoModifier,
        Qt.ScrollPhase.NoScrollPhase,
        False,
    )
    gallery.view.wheelEvent(event)
    assert bar.value() > 0


def test_contrast_is_common_to_the_movie_or_each_crops_own(
    gallery: GalleryPanel, session: Session
) -> None:
    rows = range(session.n_cells)
    means = np.array([np.asarray(session.crops[row]).mean() for row in rows])
    dark = int(np.argmin(means))

    def brightest() -> int:
        image = gallery.thumbnails.pixmap(dark).toImage()
        return max(image.pixelColor(x, y).value() for x in range(58) for y in range(58))

    common = brightest()
    gallery.contrast.setCurrentIndex(gallery.contrast.findData("crop"))
    assert brightest() == 255
    assert common <= 255


def test_a_label_changes_frame_and_sign(
    gallery: GalleryPanel, session: Session, mitosis: Any
) -> None:
    _, sign, labelled = gallery.looks.of(3)
    assert not labelled
    mitosis.labels.set(3, "metaphase")
    color, sign, labelled = gallery.looks.of(3)
    assert (sign, labelled) == ("triangle", True)
    assert color.name().upper() == session.palette["metaphase"]


def test_without_scores_it_begins_with_variety_and_says_why(
    dock: Callable[[type], Any], session: Session, mitosis: Any
) -> None:
    panel = dock(GalleryPanel)
    assert "No cells" in panel.card.text.text()
    session.project = mitosis
    assert not panel.card.isVisible()
    assert panel.sort.currentData() == "variety"
    item = panel.sort.model().item(panel.sort.findData("score"))
    assert not item.isEnabled()
    assert "Score the cells" in item.toolTip()


def test_a_right_click_offers_what_can_be_done_with_a_cell(
    gallery: GalleryPanel, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    offered: list[list[str]] = []
    wanted = ["Select its whole track", "Copy its movie, track and frame"]

    def choose(menu: QMenu, *_: Any) -> Any:
        offered.append([action.text() for action in menu.actions()])
        return menu.actions()[offered[-1].index(wanted[len(offered) - 1])]

    monkeypatch.setattr(QMenu, "exec", choose)
    row = int(gallery.model.rows[4])
    gallery.view.show_place(4)
    place = gallery.view.visualRect(gallery.model.index(4, 0)).center()
    gallery.view.customContextMenuRequested.emit(place)
    table = session.table
    assert table is not None
    assert session.selected.tolist() == sorted(table.rows_of_track(row))
    assert session.current == row
    gallery.view.customContextMenuRequested.emit(place)
    words = QApplication.clipboard().text()
    assert words == f"movie,{table.track[row]},{table.t[row]}"
    gallery.view.customContextMenuRequested.emit(QPoint(-5, -5))
    assert len(offered) == 2
