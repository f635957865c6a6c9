from __future__ import annotations

import gc
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from qtpy.QtCore import QEvent, QPoint, QPointF, Qt
from qtpy.QtGui import QMouseEvent, QWheelEvent
from qtpy.QtWidgets import QApplication

from napari_cellsci.panels._jobs import JobState
from napari_cellsci.panels.latent_map import axes as axes_module
from napari_cellsci.panels.latent_map import canvas as canvas_module
from napari_cellsci.panels.latent_map.axes import latent_key
from napari_cellsci.panels.latent_map.panel import CLASSES, LatentMapPanel
from napari_cellsci.panels.latent_map.plain_canvas import PlainCanvas
from napari_cellsci.panels.latents.service import LatentService
from napari_cellsci.representation import umap_layout
from napari_cellsci.viewer.navigation import Navigator
from napari_cellsci.viewer.session import Session, get_session

pytestmark = pytest.mark.gui
LEFT, NONE = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier


@pytest.fixture
def session(viewer: Any) -> Session:
    return get_session(viewer)


@pytest.fixture
def panel(dock: Callable[[type], Any]) -> LatentMapPanel:
    found: LatentMapPanel = dock(LatentMapPanel)
    found.resize(340, 520)
    return found


@pytest.fixture
def shown(
    panel: LatentMapPanel,
    session: Session,
    coded: Callable[[int], Any],
    known_scores: Any,
) -> LatentMapPanel:
    """The map of a scored project with five latents, the third telling the classes."""
    code = coded(5)
    session.set_scores(known_scores(session.project))
    assert session.scores is not None
    code.latents[:, 2] += 4 * session.scores.prediction
    session.service(LatentService).changed.emit()
    return panel


def drag(panel: LatentMapPanel, corners: Any, keys: Any = NONE) -> None:
    """Draw a lasso through places of the plane."""
    plot = panel.plot
    inside = plot._inside().topLeft()
    shift = np.array([inside.x(), inside.y()])
    places = plot.view.to_pixels(np.asarray(corners)) + shift
    kinds = QEvent.Type
    for i, (x, y) in enumerate([*places, places[-1]]):
        kind = kinds.MouseMove if i else kinds.MouseButtonPress
        kind = kinds.MouseButtonRelease if i == len(places) else kind
        at = QPointF(x, y)
        button = Qt.MouseButton.NoButton if kind == kinds.MouseMove else LEFT
        event = QMouseEvent(kind, at, plot.mapToGlobal(at), button, LEFT, keys)
        QApplication.sendEvent(plot, event)


def box(low: float, high: float) -> list[list[float]]:
    return [[low, -9], [high, -9], [high, 9], [low, 9]]


def test_it_says_what_is_missing_and_offers_the_shipped_encoder(
    panel: LatentMapPanel, session: Session, mitosis: Any, qtbot: Any
) -> None:
    assert "Make or open a project" in panel.card.reason.text()
    session.project = mitosis
    assert "No encoder yet" in panel.card.text.text()
    panel.card.button.click()
    service = session.service(LatentService)
    qtbot.waitUntil(lambda: service.code is not None, timeout=60_000)
    assert panel.xy.shape == (session.n_cells, 2)
    assert not panel.encode_line.isVisible()
    assert "shipped" in (panel.python_code() or "")


def test_it_starts_with_the_latents_that_part_the_classes(
    shown: LatentMapPanel, session: Session
) -> None:
    code = shown._code
    assert code is not None
    assert shown.service.axes[0] == "z2"
    np.testing.assert_array_equal(shown.xy[:, 0], code.latents[:, 2])
    assert shown.plot.points.xy.shape == (session.n_cells, 2)
    assert f"{session.n_cells} cells on z2" in shown.card.text.text()
    assert shown.plot.canvas is not None


def test_a_lasso_selects_everywhere_adds_and_removes(
    shown: LatentMapPanel, session: Session
) -> None:
    x = shown.xy[:, 0]
    shown.plot.view = shown.plot.view.fitted(np.array([[-12, -12], [12, 12]]))
    drag(shown, box(1, 3))
    np.testing.assert_array_equal(session.selected, np.flatnonzero((x > 1) & (x < 3)))
    drag(shown, box(3, 4), Qt.KeyboardModifier.ShiftModifier)
    expected = (x > 1) & (x < 4) & (x != 3)
    np.testing.assert_array_equal(session.selected, np.flatnonzero(expected))
    drag(shown, box(0, 2), Qt.KeyboardModifier.AltModifier)
    np.testing.assert_array_equal(session.selected, np.flatnonzero((x > 2) & expected))
    shown.tools.buttons["rectangle"].click()
    drag(shown, [[-12, -12], [0, 0], [12, 12]])
    assert len(session.selected) == session.n_cells
    drag(shown, box(11, 11.5))
    assert len(session.selected) == 0


def test_a_click_goes_to_the_cell_and_escape_clears(
    shown: LatentMapPanel, session: Session, qtbot: Any
) -> None:
    table = session.table
    assert table is not None
    row = int(np.argmax(shown.xy[:, 0]))
    at = shown.plot.place_of(row).toPoint()
    qtbot.mouseClick(shown.plot, LEFT, NONE, at)
    assert session.current == row
    session.service(Navigator).arrive()
    assert session.service(Navigator).frame == table.t[row]
    rows = table.rows_of_track(row)
    np.testing.assert_array_equal(shown.plot._path, shown.xy[rows])
    np.testing.assert_array_equal(shown.plot._now, shown.xy[[row]])
    place = int(np.flatnonzero(rows == row)[0])
    if place:
        qtbot.keyClick(shown.plot, Qt.Key.Key_Left)
        assert session.current == rows[place - 1]
    qtbot.mouseClick(shown.plot, LEFT, Qt.KeyboardModifier.ControlModifier, at)
    assert row in session.selected
    qtbot.keyClick(shown.plot, Qt.Key.Key_Escape)
    assert session.current is None
    assert not len(shown.plot._path)


def test_hovering_shows_the_crop_and_leaving_hides_it(
    shown: LatentMapPanel, session: Session, qtbot: Any
) -> None:
    at = shown.plot.place_of(4)
    qtbot.mouseMove(shown.plot, at.toPoint() + QPoint(40, 40))
    shown.plot._mouse = at
    shown.plot._look_under_mouse()
    assert shown.hover.isVisible()
    assert f"track {session.table.track[4]}" in shown.hover.words.text()
    assert not shown.hover.picture.pixmap().isNull()
    assert shown.plot.rect().contains(shown.hover.geometry())
    QApplication.sendEvent(shown.plot, QEvent(QEvent.Type.Leave))
    assert not shown.hover.isVisible()


def test_a_selection_made_elsewhere_comes_forward(
    shown: LatentMapPanel, session: Session
) -> None:
    session.select_many([1, 5, 9])
    assert sorted(shown.plot._selected) == [1, 5, 9]
    assert "3 selected" in shown.card.text.text()
    shown.hide()
    session.select_many([2, 3])
    shown.show()
    assert sorted(shown.plot._selected) == [2, 3]
    session.select(None)
    assert not len(shown.plot._selected)


def test_the_wheel_zooms_about_the_mouse_and_home_shows_all(
    shown: LatentMapPanel, qtbot: Any
) -> None:
    plot, at = shown.plot, QPointF(150, 100)
    before, there = plot.view, plot.view.to_plane(plot._pixel(at))
    turn = QWheelEvent(
        at,
        plot.mapToGlobal(at),
        QPoint(),
        QPoint(0, 240),
        Qt.MouseButton.NoButton,
        NONE,
        Qt.ScrollPhase.NoScrollPhase,
        False,
    )
    QApplication.sendEvent(plot, turn)
    assert plot.view.unit < before.unit
    np.testing.assert_allclose(plot.view.to_plane(plot._pixel(at)), there)
    shown.tools.buttons["move"].click()
    drag(shown, [there[0], there[0] + 0.3])
    np.testing.assert_allclose(plot.view.to_plane(plot._pixel(at)), there - 0.3)
    qtbot.keyClick(plot, Qt.Key.Key_Home)
    np.testing.assert_allclose(plot.view.unit, before.unit)


@pytest.mark.parametrize("by", ["prediction", "label", "time", "track", "movie"])
def test_every_colour_has_a_key(
    shown: LatentMapPanel, session: Session, by: str
) -> None:
    session.project.labels.set_many([0, 1], "metaphase")
    before = shown._colors
    shown.color_box.chosen.emit(by)
    assert shown._colors.shape == (session.n_cells, 4)
    assert not np.array_equal(shown._colors, before)
    state = shown.key._state
    assert state.note or state.palette or any(state.ends)


def test_under_a_bar_of_scores_stand_the_shapes_of_further_classes(
    shown: LatentMapPanel, session: Session
) -> None:
    labels = session.project.labels
    line = shown.key.sizeHint().height()
    labels.set_many([0, 1], "metaphase")
    assert not shown.key._state.palette
    labels.add_class("anaphase")
    labels.set_many([2, 3], "anaphase")
    shown.refresh()
    state = shown.key._state
    assert all(state.ends)
    assert list(state.palette) == ["anaphase"]
    assert state.shapes["anaphase"] == "diamond"
    assert shown.key.sizeHint().height() == 2 * line
    assert "anaphase" in shown.key.toolTip()


def test_a_narrow_map_leaves_its_boxes_their_place(shown: LatentMapPanel) -> None:
    assert shown.colour_word.isVisible()
    shown.resize(260, 520)
    assert not shown.colour_word.isVisible()
    assert shown.color_box.width() > 60


def test_axes_are_chosen_swapped_and_kept_for_the_next_panel(
    shown: LatentMapPanel, session: Session, dock: Callable[[type], Any]
) -> None:
    shown.choose_x("pc0")
    shown.choose_y("score")
    assert session.scores is not None
    np.testing.assert_array_equal(shown.xy[:, 1], session.scores.score)
    shown.tools.swap.click()
    np.testing.assert_array_equal(shown.xy[:, 0], session.scores.score)
    assert shown.titles[1].startswith("PC 1")
    again = dock(LatentMapPanel)
    assert again.service.axes[1] == "pc0"
    assert again.titles[1].startswith("PC 1")


def test_umap_is_laid_out_when_asked_for_or_says_what_it_needs(
    shown: LatentMapPanel,
    session: Session,
    qtbot: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def lay_out(z: np.ndarray, **_: Any) -> np.ndarray:
        return np.asarray(z[:, :2] * 2, np.float32)

    places = [shown.x_box.findData(f"umap{i}") for i in range(2)]
    assert not shown.x_box.model().item(places[0]).isEnabled()
    monkeypatch.setattr(umap_layout, "umap_layout", lay_out)
    monkeypatch.setattr(axes_module, "umap_installed", lambda: True)
    shown.refresh()
    assert shown.x_box.model().item(places[0]).isEnabled()
    shown.choose_x("umap0")
    job = shown.service.umap_job
    qtbot.waitUntil(lambda: job.state is JobState.DONE, timeout=60_000)
    assert shown._code is not None
    z = session.project.latents(shown._code.encoder)
    np.testing.assert_allclose(shown.xy[:, 0], z[:, 0] * 2, rtol=1e-5)


def test_the_classes_are_ranked_and_a_click_puts_a_latent_on_an_axis(
    shown: LatentMapPanel, session: Session, qtbot: Any
) -> None:
    shown.tabs.setCurrentIndex(CLASSES)
    service = shown.service
    qtbot.waitUntil(lambda: service.statistics is not None, timeout=30_000)
    listed = shown.classes_page.list.classes
    assert listed.latent(0) == 2
    assert listed.measure(2).startswith(("1.0", "0.9"))
    assert "AUROC" in listed.data(listed.index(0, 0), int(Qt.ItemDataRole.ToolTipRole))
    assert "interphase" in shown.classes_page.note.text()
    shown.classes_page.list.choose(1, "x")
    assert service.axes[0] == latent_key(listed.latent(1))
    shown.classes_page.list.choose(0, "y")
    assert service.axes[1] == "z2"
    shown.classes_page.by_box.chosen.emit("label")
    qtbot.waitUntil(
        lambda: "two classes are needed" in shown.classes_page.note.text(),
        timeout=30_000,
    )
    for i, label in enumerate(("interphase", "metaphase")):
        session.project.labels.set_many(range(8 * i, 8 * i + 8), label)
    qtbot.waitUntil(lambda: "8 meta" in shown.classes_page.note.text(), timeout=30_000)


def test_wide_it_shows_map_and_classes_side_by_side(
    shown: LatentMapPanel, viewer: Any
) -> None:
    shown.parent().setFloating(True)
    shown.parent().resize(900, 500)
    QApplication.processEvents()
    assert shown.map_page.isVisible()
    assert shown.classes_page.isVisible()
    assert not shown.tabs.isVisible()
    QApplication.processEvents()
    assert shown.plot.canvas is not None
    assert not shown.plot.canvas.is_lost
    shown.parent().setFloating(False)
    QApplication.processEvents()
    QApplication.processEvents()
    assert not shown.plot.canvas.is_lost


def test_table_figure_and_code_leave_it(
    shown: LatentMapPanel, session: Session, tmp_path: Path
) -> None:
    session.select_many([3, 4])
    shown.save_data(str(tmp_path / "map.csv"))
    table = pd.read_csv(tmp_path / "map.csv")
    assert len(table) == session.n_cells
    np.testing.assert_allclose(table["z2"], shown.xy[:, 0], rtol=1e-4)
    assert np.flatnonzero(table["selected"]).tolist() == [3, 4]
    for name in ("map.png", "map.pdf"):
        shown.save_figure(str(tmp_path / name))
        assert (tmp_path / name).stat().st_size > 1000
    for key in ("z1", "pc0", "umap1", "score"):
        shown.service.choose(x=key)
        compile(shown.python_code() or "", "copied", "exec")


def test_one_latent_and_128_have_a_map(
    panel: LatentMapPanel, coded: Callable[[int], Any]
) -> None:
    coded(1)
    assert panel.service.axes[1] == "pc0"
    assert np.isfinite(panel.xy).all()
    coded(128)
    assert panel.xy.shape[1] == 2
    assert panel.x_box.count() > 128


def test_it_works_without_opengl(
    dock: Callable[[type], Any],
    session: Session,
    coded: Callable[[int], Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(canvas_module, "gl_works", lambda: False)
    panel = dock(LatentMapPanel)
    coded(3)
    canvas = panel.plot.canvas
    assert isinstance(canvas, PlainCanvas)
    session.select_many([1, 2, 3], 2)
    assert len(canvas._points.points()) == session.n_cells
    assert len(canvas._chosen.points()) == 3
    assert len(canvas._now.points()) == 1


def test_opened_and_closed_five_times_with_cells_it_leaves_nothing(
    viewer: Any, session: Session, coded: Callable[[int], Any], known_scores: Any
) -> None:
    coded(4)
    session.set_scores(known_scores(session.project))
    gone, counts = [], []
    for _ in range(5):
        panel = LatentMapPanel(viewer)
        viewer.window.add_dock_widget(panel, name="map")
        panel.show()
        session.select_many([1, 2, 3], 2)
        QApplication.processEvents()
        gone.append(weakref.ref(panel))
        viewer.window.remove_dock_widget(panel.parent())
        del panel
        for _ in range(4):
            QApplication.processEvents()
            QApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete.value)
        gc.collect()
        counts.append(len(session.selection_changed))
    assert [ref() for ref in gone] == [None] * 5
    assert len(set(counts)) == 1
