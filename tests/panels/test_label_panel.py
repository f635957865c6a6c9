from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from qtpy.QtCore import QEvent, Qt
from qtpy.QtGui import QKeyEvent
from qtpy.QtWidgets import QApplication

import napari_cellsci
from napari_cellsci.labels.queue import Pick
from napari_cellsci.labels.who import annotator, remember_annotator
from napari_cellsci.panels.gallery.panel import GalleryPanel
from napari_cellsci.panels.label import contents, walk
from napari_cellsci.panels.label.panel import LabelPanel
from napari_cellsci.panels.label.service import LabelService
from napari_cellsci.project.labelling import Live
from napari_cellsci.viewer import keys, tags
from napari_cellsci.viewer.label_keys import LabelKeys
from napari_cellsci.viewer.navigation import Navigator
from napari_cellsci.viewer.session import Session, get_session, unwrapped

pytestmark = pytest.mark.gui


@pytest.fixture
def session(viewer: Any) -> Session:
    return get_session(viewer)


@pytest.fixture
def service(session: Session) -> LabelService:
    return session.service(LabelService)


@pytest.fixture
def panel(
    dock: Callable[[type], Any], session: Session, mitosis: Any, known_scores: Any
) -> LabelPanel:
    made: LabelPanel = dock(LabelPanel)
    session.project = mitosis
    session.set_scores(known_scores(mitosis))
    return made


def press(widget: Any, key: Qt.Key, text: str = "") -> None:
    event = QKeyEvent(QEvent.Type.KeyPress, key, Qt.KeyboardModifier.NoModifier, text)
    QApplication.sendEvent(widget, event)


def queued(*rows: int) -> Live:
    picks = [Pick(row, "new", f"reason {row}", 1) for row in rows]
    return Live(None, None, picks, classes=("interphase", "metaphase"))


def test_keys_label_go_on_and_take_back(
    panel: LabelPanel, session: Session, service: LabelService, mitosis: Any
) -> None:
    service.live = queued(3, 9, 20)
    service.next()
    assert session.current == 3
    press(panel, Qt.Key.Key_2, "2")
    assert mitosis.labels.get(3) == "metaphase"
    assert session.current == 9  # it went on by itself
    press(panel, Qt.Key.Key_Q, "q")
    assert session.current == 20
    assert service.waiting() == 20  # 9 was skipped
    press(panel, Qt.Key.Key_H, "h")
    assert session.current == 9
    press(panel, Qt.Key.Key_U, "u")
    assert mitosis.labels.get(3) is None
    assert session.current == 3  # it shows what was undone
    press(panel, Qt.Key.Key_W, "w")
    assert mitosis.labels.get(3) == "metaphase"
    press(panel, Qt.Key.Key_0, "0")
    assert mitosis.labels.get(3) is None
    history = mitosis.labels.history()
    assert set(history["how"]) == {"key"}


def test_a_suggestion_is_accepted_as_one(
    panel: LabelPanel, session: Session, mitosis: Any
) -> None:
    session.select(5)
    said = session.scores.verdict(5)  # type: ignore[union-attr]
    assert said in panel.reason.text()
    panel.accept.click()
    assert mitosis.labels.get(5) == said
    assert mitosis.labels.history()["how"].tolist() == ["suggestion"]


def test_many_cells_are_labelled_as_one_action(
    panel: LabelPanel, session: Session, mitosis: Any
) -> None:
    session.select_many([1, 2, 8])
    assert "3 cells selected" in panel.words.text()
    panel.classes.rows[1].button.click()
    assert mitosis.labels.counts()["metaphase"] == 3
    assert mitosis.labels.history()["n_cells"].tolist() == [3]
    assert panel.classes.rows[1].count.text() == "3"


def test_the_lists_hold_queue_checks_mitoses_and_history(
    panel: LabelPanel, session: Session, service: LabelService, mitosis: Any
) -> None:
    service.live = queued(4, 6)
    panel.refresh()
    assert [card.detail for card in panel.list.cards] == ["reason 4", "reason 6"]
    wrong = int(np.flatnonzero(session.scores.prediction == 0)[0])  # type: ignore[union-attr]
    mitosis.labels.set(wrong, "metaphase")
    panel.tabs.setCurrentIndex(1)
    assert panel.list.cards[0].row == wrong
    assert "the classifier says interphase" in panel.list.cards[0].detail
    panel.tabs.setCurrentIndex(2)
    assert any(" min" in card.detail for card in panel.list.cards)
    assert all(card.title.startswith("metaphase") for card in panel.list.cards)
    panel.tabs.setCurrentIndex(3)
    mitosis.labels.undo()
    assert [card.struck for card in panel.list.cards] == [False, True]
    panel.list.picked.emit(6)
    assert session.current == 6


def test_classes_are_added_renamed_and_merged_from_the_panel(
    panel: LabelPanel, mitosis: Any
) -> None:
    panel.classes.new.setText("anaphase")
    panel.classes.new.returnPressed.emit()
    assert mitosis.classes == ("interphase", "metaphase", "anaphase")
    panel.classes.asked.emit("rename", "metaphase", "mitosis")
    assert [row.known.name for row in panel.classes.rows] == [
        *("interphase", "mitosis", "anaphase")
    ]
    panel.classes.asked.emit("merge", "anaphase", "mitosis")
    assert mitosis.classes == ("interphase", "mitosis")
    panel.classes.asked.emit("merge", "mitosis", "interphase")
    assert "At least two classes" in panel.card.reason.text()
    for _ in range(3):
        panel.undo.click()
    assert mitosis.classes == ("interphase", "metaphase")


def test_scores_of_a_renamed_class_keep_their_colour(
    panel: LabelPanel, session: Session, mitosis: Any, known_scores: Any
) -> None:
    scores = known_scores(mitosis)
    mitosis.labels.rename_class("metaphase", "mitosis")
    session.set_scores(scores)
    assert session.scores is not None
    assert session.scores.names[:2] == ("interphase", "mitosis")
    assert "metaphase" not in session.palette
    assert set(session.predicted_codes().tolist()) == {0, 1}


def test_another_window_is_heard_and_told(
    panel: LabelPanel, service: LabelService, mitosis: Any
) -> None:
    from napari_cellsci.project import Project

    with Project.open(mitosis.path) as other:
        other.labels.set(2, "metaphase")
    service.look()
    assert "1 change came from another window" in panel.card.reason.text()
    assert panel.classes.rows[1].count.text() == "1"


def test_a_full_disk_is_told_and_loses_nothing(
    panel: LabelPanel, session: Session, mitosis: Any, monkeypatch: Any
) -> None:
    import sqlite3

    from napari_cellsci.labels import log

    def full(*args: object, **kwargs: object) -> None:
        error = sqlite3.OperationalError("database or disk is full")
        error.sqlite_errorname = "SQLITE_FULL"
        raise error

    monkeypatch.setattr(log, "append", full)
    session.select(3)
    press(panel, Qt.Key.Key_2, "2")
    assert "full" in panel.card.reason.text()
    assert mitosis.labels.get(3) is None
    assert session.current == 3


def test_keys_work_while_any_of_our_layers_is_active(
    panel: LabelPanel, session: Session, viewer: Any, mitosis: Any
) -> None:
    session.service(LabelService).advances = False
    panel.ways_box.as_layer.setChecked(True)
    raw = unwrapped(viewer)
    handler = raw.window._qt_viewer._key_map_handler
    roles = {}
    for layer in raw.layers:
        role = tags.role_of(layer)
        assert role is not None
        roles[role] = layer
    assert {"image", "markers", "tracks", "outlines", "labels", "ring"} <= set(roles)
    for number, layer in enumerate(roles.values()):
        raw.layers.selection.active = layer
        session.select(number)
        mode = getattr(layer, "mode", None)
        assert handler.press_key("2")
        assert mitosis.labels.get(number) == "metaphase"
        assert handler.press_key("U")
        assert mitosis.labels.get(number) is None
        assert getattr(layer, "mode", None) == mode
    assert not {"1", "2"} & {str(key) for key in raw.keymap}


def test_another_annotator_is_remembered_and_disagreements_are_listed(
    panel: LabelPanel, session: Session, mitosis: Any
) -> None:
    labels, box = mitosis.labels, panel.ways_box
    panel.ways.expand()
    first = labels.who
    labels.set_many([3, 4, 5], "interphase")
    box.who.setText("Bob")
    box.who.editingFinished.emit()
    assert labels.who == annotator() == "Bob"
    labels.set_many([4, 5], "metaphase")
    labels.set(3, "interphase")
    panel.tabs.setCurrentIndex(1)
    between = [card for card in panel.list.cards if "Bob" in card.detail]
    assert [card.row for card in between] == [4, 5]
    assert between[0].detail == f"Bob: metaphase; {first}: interphase"
    assert "agree on 1 of 3 cells" in box.agreement.text()
    remember_annotator(first)


def test_layers_of_others_keep_their_keys(
    panel: LabelPanel, session: Session, viewer: Any, mitosis: Any
) -> None:
    raw = unwrapped(viewer)
    mine = raw.add_points([[0, 0, 0]])
    raw.layers.selection.active = mine
    session.select(1)
    raw.window._qt_viewer._key_map_handler.press_key("2")
    assert mitosis.labels.get(1) is None
    assert session.service(LabelKeys).held
    ours = next(layer for layer in raw.layers if tags.role_of(layer) == "markers")
    assert len(ours.keymap) > 10
    panel.dispose()
    assert not session.service(LabelKeys).held
    assert [str(key) for key in ours.keymap] == ["Escape"]


def test_labels_are_a_layer_with_their_provenance(
    panel: LabelPanel, session: Session, viewer: Any, mitosis: Any
) -> None:
    mitosis.labels.set_many([1, 4], "metaphase")
    panel.ways_box.as_layer.setChecked(True)
    layer = tags.find(unwrapped(viewer), mitosis.path, "movie", "labels")
    assert layer is not None
    assert layer.features["class"].tolist() == ["metaphase", "metaphase"]
    assert set(layer.features["how"]) == {"bulk"}
    mitosis.labels.clear(1)
    assert len(layer.data) == 1
    table = session.table
    assert table is not None
    np.testing.assert_allclose(layer.data[0], [table.t[4], table.y[4], table.x[4]])
    unwrapped(viewer).layers.remove(layer)
    panel.refresh()
    assert not panel.ways_box.as_layer.isChecked()


def test_walks_go_on_and_never_return_to_where_one_was(
    panel: LabelPanel, session: Session, mitosis: Any
) -> None:
    seen = []
    for _ in range(5):
        row = walk.uncertain(session)
        assert row is not None
        session.select(row)
        seen.append(row)
    assert len(set(seen)) == 5
    doubts = np.abs(session.scores.score[seen])  # type: ignore[union-attr]
    assert np.all(np.diff(doubts) >= 0)
    session.select(0)
    mitosis.labels.set(1, "interphase")
    after = walk.unlabelled(session)
    assert after is not None
    assert after != 1
    mitosis.labels.set_many(range(session.n_cells), "interphase")
    assert walk.unlabelled(session) is None
    disputed = walk.disputed(session)
    assert set(disputed) == set(np.flatnonzero(session.predicted_codes() == 1))


def test_learning_scores_the_cells_and_fills_the_queue(
    dock: Callable[[type], Any], session: Session, trained: Any, qtbot: Any
) -> None:
    panel: LabelPanel = dock(LabelPanel)
    session.project = trained
    some = trained.labels.as_series()
    trained.labels.clear_many(some.index[30:])
    panel.run_line.button.click()
    job = panel.service.job
    qtbot.waitUntil(lambda: not job.state.busy, timeout=60_000)
    assert job.failure is None
    live = panel.service.live
    assert live is not None
    assert live.bundle is not None
    assert session.bundle is live.bundle
    assert panel.sense.text()
    assert len(panel.list.cards) == len(live.queue) > 0
    first = live.queue[0].row
    panel.next.click()
    assert session.current == first
    assert live.queue[0].reason in panel.reason.text()


def test_whoever_only_opens_the_panel_keeps_the_scores_that_are_shown(
    dock: Callable[[type], Any], session: Session, trained: Any, qtbot: Any
) -> None:
    bundle = trained.bundle()
    session.project = trained
    shown = trained.score(bundle)
    session.set_scores(shown, bundle)
    panel: LabelPanel = dock(LabelPanel)
    job = panel.service.job
    assert job.state.busy
    for words in (panel.card.reason, panel.empty):
        assert "Looking for the cells" in words.text()
    qtbot.waitUntil(lambda: panel.service.live is not None, timeout=60_000)
    assert session.bundle is bundle
    panel.run_line.button.click()  # who asks for it gets the new ones
    qtbot.waitUntil(lambda: not job.state.busy, timeout=60_000)
    assert session.bundle is panel.service.live.bundle is not bundle


def test_the_registry_is_the_manifest_and_the_docs() -> None:
    manifest = yaml.safe_load(
        (Path(napari_cellsci.__file__).parent / "napari.yaml").read_text("utf-8")
    )
    set_there = manifest["contributions"]["configurations"][keys.CATEGORY]["properties"]
    assert {k: v["default"] for k, v in set_there.items()} == {
        deed.id: deed.key for deed in keys.DEEDS
    }
    free = set("GHJKNQUW.0123456789")
    assert {deed.key for deed in keys.DEEDS} - free == {"Enter"}
    assert len({deed.key for deed in keys.DEEDS}) == len(keys.DEEDS)


def test_keys_set_in_the_preferences_count_at_once(
    panel: LabelPanel, session: Session, viewer: Any, mitosis: Any
) -> None:
    from napari.settings import get_plugin_settings

    settings = get_plugin_settings(keys.PLUGIN).keys
    panel.key_section.expand()
    settings.next = "D"
    try:
        assert keys.keys_now()["D"] == "next"
        assert "(D)" in keys.tip("next")
        shown = [
            panel.help_grid.itemAt(i).widget().text()
            for i in range(panel.help_grid.count())
        ]
        assert "D" in shown
        assert "N" not in shown
        markers = tags.find(unwrapped(viewer), mitosis.path, "movie", "markers")
        assert "D" in {str(key) for key in markers.keymap}
    finally:
        settings.next = "N"


def test_the_gallery_labels_by_key_filters_and_sorts_by_dispute(
    dock: Callable[[type], Any], session: Session, mitosis: Any, known_scores: Any
) -> None:
    gallery: GalleryPanel = dock(GalleryPanel)
    session.project = mitosis
    session.set_scores(known_scores(mitosis))
    gallery.resize(900, 300)
    session.select(7)
    press(gallery.view, Qt.Key.Key_1, "1")
    assert mitosis.labels.get(7) == "interphase"
    gallery.filter_button.setChecked(True)
    gallery.filters.kind.chosen.emit("labelled")
    assert gallery.model.rows.tolist() == [7]
    assert gallery.count.text().startswith("1 of ")
    gallery.filters.kind.chosen.emit("called:metaphase")
    scores = session.scores
    assert scores is not None
    assert set(gallery.model.rows) == set(np.flatnonzero(scores.prediction == 1))
    gallery.filters.clear.click()
    gallery.filters.track.setText("3, 5")
    assert session.table is not None
    assert set(session.table.track[gallery.model.rows]) <= {3, 5}
    gallery.filters.track.setText("")
    gallery.filters.first.setValue(6)
    assert session.table.t[gallery.model.rows].min() == 6
    gallery.filter_button.setChecked(False)
    assert gallery.model.rowCount() == session.n_cells
    wrong = int(np.flatnonzero(scores.prediction == 1)[0])
    mitosis.labels.set(wrong, "interphase")
    gallery.sort.setCurrentIndex(gallery.sort.findData("dispute"))
    assert gallery.model.rows[0] == wrong


def test_a_rubber_band_takes_whole_rectangles_of_the_list(
    dock: Callable[[type], Any], session: Session, mitosis: Any
) -> None:
    from qtpy.QtCore import QItemSelectionModel, QRect

    gallery: GalleryPanel = dock(GalleryPanel)
    session.project = mitosis
    gallery.resize(600, 400)
    view = gallery.view
    pitch, columns = view.pitch, view.columns
    view.verticalScrollBar().setValue(0)
    flag = QItemSelectionModel.SelectionFlag.ClearAndSelect
    view.setSelection(QRect(pitch + 2, 2, pitch, pitch + 2), flag)
    expected = [1, 2, columns + 1, columns + 2]
    assert view.selected_places().tolist() == expected


def test_cards_of_a_project_without_scores_or_labels(
    dock: Callable[[type], Any], session: Session, mitosis: Any
) -> None:
    panel: LabelPanel = dock(LabelPanel)
    assert "No cells yet" in panel.card.text.text()
    session.project = mitosis
    assert contents.event_cards(session) == []
    assert contents.history_cards(session) == []
    assert "press Learn" in panel.card.reason.text()
    panel.service.perform("class_1")
    assert "Select a cell first" in panel.card.reason.text()
    assert not panel.next.isEnabled()
    assert panel.python_code()
    assert "cellsci suggest" in (panel.command_line() or "")


def test_the_docs_list_the_keys_of_the_registry() -> None:
    page = Path(__file__).parents[2] / "docs" / "labelling.md"
    text = page.read_text(encoding="utf-8")
    for key, words in keys.help_rows():
        assert f"| `{key}` | {words} |" in text


def test_markers_repainted_one_by_one_are_as_if_all_were(
    panel: LabelPanel, session: Session, viewer: Any, mitosis: Any
) -> None:
    from napari_cellsci.viewer import painted

    layer = tags.find(unwrapped(viewer), mitosis.path, "movie", "markers")
    rows = session.table.rows_in("movie")  # type: ignore[union-attr]
    mitosis.labels.set(4, "interphase")
    mitosis.labels.set_many([1, 9, 30], "metaphase")
    mitosis.labels.clear(9)
    np.testing.assert_allclose(layer.face_color, painted.fill(session)[rows])
    np.testing.assert_allclose(layer.border_color, painted.paint(session)[rows])
    assert [str(s) for s in layer.symbol] == list(painted.symbols(session)[rows])


class Mouse:
    """A mouse event on a layer of the movie."""

    button, type = 1, "mouse_press"

    def __init__(self, place: Any, *modifiers: str) -> None:
        self.position, self.pos = place, np.asarray(place[-2:]) * 10
        self.modifiers = modifiers


def test_shift_on_the_movie_adds_cells_and_takes_rectangles(
    panel: LabelPanel, session: Session, viewer: Any, mitosis: Any
) -> None:
    from napari_cellsci.viewer.picking import Picker

    layer = tags.find(unwrapped(viewer), mitosis.path, "movie", "markers")
    table, picker = session.table, session.service(Picker)
    assert table is not None
    rows = table.rows_at("movie", 0)
    session.select(int(rows[0]), go=True)
    session.service(Navigator).arrive()

    def at(y: float, x: float) -> Any:
        return tuple(layer.data_to_world((0, y, x)))

    def drag(start: Any, end: Any, *modifiers: str) -> None:
        event = Mouse(start, *modifiers)
        steps = picker.on_drag(layer, event)
        next(steps)
        event.type, event.position, event.pos = (
            "mouse_move",
            end,
            np.asarray(end[-2:]) * 10,
        )
        next(steps)
        event.type = "mouse_release"
        assert list(steps) == []

    second = int(rows[1])
    place = at(table.y[second], table.x[second])
    drag(place, place, "Shift")
    assert session.selected.tolist() == sorted([int(rows[0]), second])
    drag(place, place, "Shift")
    assert session.selected.tolist() == [int(rows[0])]
    drag(at(0, 0), at(400, 400), "Shift")
    assert session.selected.tolist() == sorted(rows.tolist())
    session.select(second)
    drag(at(0, 0), at(400, 400))  # without Shift it moves the view
    assert session.selected.tolist() == [second]
