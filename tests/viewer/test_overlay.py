from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from qtpy.QtWidgets import QApplication, QWidget

from napari_cellsci.viewer import overlay as overlay_module
from napari_cellsci.viewer import painted, tags
from napari_cellsci.viewer.navigation import Navigator
from napari_cellsci.viewer.overlay import Overlay
from napari_cellsci.viewer.picking import Picker
from napari_cellsci.viewer.session import Session, get_session

pytestmark = pytest.mark.gui


@pytest.fixture
def viewer(emptied_viewer: Any) -> Any:
    return emptied_viewer


@pytest.fixture
def session(viewer: Any) -> Session:
    return get_session(viewer)


@pytest.fixture
def overlay(session: Session, mitosis: Any, known_scores: Any) -> Overlay:
    overlay = session.service(Overlay)
    session.project = mitosis
    session.set_scores(known_scores(mitosis))
    return overlay


def by_role(viewer: Any) -> dict[str, Any]:
    return {str(tags.role_of(layer)): layer for layer in viewer.layers}


def test_a_project_is_shown_with_everything_coloured_by_score(
    viewer: Any, session: Session, overlay: Overlay
) -> None:
    layers = by_role(viewer)
    assert set(layers) == {"image", "outlines", "tracks", "markers", "ring"}
    markers = layers["markers"]
    assert len(markers.data) == session.n_cells
    np.testing.assert_allclose(markers.border_color, painted.paint(session))
    assert layers["tracks"].color_by == "score"
    table = session.table
    assert table is not None
    np.testing.assert_allclose(markers.data[:, 0], table.t)
    scale = layers["image"].scale
    np.testing.assert_allclose(markers.scale, scale)


def test_a_click_within_an_outline_means_its_cell(
    viewer: Any, session: Session, overlay: Overlay
) -> None:
    picker, table = session.service(Picker), session.table
    assert table is not None
    assert session.project is not None
    masks = np.asarray(session.project.masks())[0]
    image = by_role(viewer)["image"]
    session.service(Navigator).show_frame(0)
    for row in table.rows_at("movie", 0):
        label = table.label[row] or table.track[row]
        ys, xs = np.nonzero(masks == label)
        far = np.hypot(ys - table.y[row], xs - table.x[row]).argmax()
        world = image.data_to_world((0, ys[far], xs[far]))
        assert picker.cell_at(world) == row
    assert overlay.row_at(0, -5, 3) is None
    assert overlay.row_at(99, 5, 3) is None


def test_escape_clears_the_selection(
    viewer: Any, session: Session, overlay: Overlay
) -> None:
    session.select(3)
    markers = by_role(viewer)["markers"]
    pressed = {str(key): slot for key, slot in markers.keymap.items()}
    pressed["Escape"](markers)
    assert session.current is None


def test_track_vertices_have_the_colours_of_their_cells(
    viewer: Any, session: Session, overlay: Overlay
) -> None:
    layer, table = by_role(viewer)["tracks"], session.table
    assert table is not None
    colors = painted.paint(session)
    for i, (track, t) in enumerate(np.asarray(layer.data)[:, :2].astype(int)):
        row = table.find("movie", track, t)
        np.testing.assert_allclose(layer.track_colors[i], colors[row], atol=1e-6)


def test_outlines_follow_scores_and_frames(
    viewer: Any, session: Session, overlay: Overlay
) -> None:
    layer, table = by_role(viewer)["outlines"], session.table
    assert table is not None
    bins, _ = painted.bins(session)
    for t in (0, 3):
        frame = np.asarray(layer.data[t])
        rows = table.rows_at("movie", t)
        assert set(np.unique(frame)) - {0} <= set(bins[rows].tolist())
        for row in rows:
            y, x = round(table.y[row]), round(table.x[row])
            if 0 <= y < 160 and 0 <= x < 160 and frame[y, x]:
                assert frame[y, x] in bins[rows]


def test_the_users_own_unsorted_tracks_are_coloured_vertex_by_vertex(
    viewer: Any, session: Session, mitosis: Any, known_scores: Any
) -> None:
    cells = mitosis.cells.sample(frac=1, random_state=0)
    cells = cells.iloc[: len(cells) - 5]  # the user may also have fewer points
    points = cells[["track_id", "t", "y", "x"]].to_numpy()
    kept = np.arange(len(points), dtype=float)
    layer = viewer.add_tracks(
        points, features={"mine": kept}, scale=(4, 0.333, 0.333), color_by="mine"
    )
    ordered = layer.features["mine"].to_numpy().copy()
    tags.tag(layer, mitosis.path, "movie", "tracks")
    session.service(Overlay)
    session.project = mitosis
    session.set_scores(known_scores(mitosis))
    np.testing.assert_array_equal(layer.features["mine"], ordered)
    table, colors = session.table, painted.paint(session)
    assert table is not None
    for i, (track, t) in enumerate(np.asarray(layer.data)[:, :2].astype(int)):
        row = table.find("movie", track, t)
        np.testing.assert_allclose(layer.track_colors[i], colors[row], atol=1e-6)


def test_labelling_fills_the_marker(
    viewer: Any, session: Session, overlay: Overlay, mitosis: Any
) -> None:
    markers = by_role(viewer)["markers"]
    mitosis.labels.set(3, "metaphase")
    assert markers.face_color[3, 3] > 0
    assert str(markers.symbol[3].value) == "triangle_up"
    mitosis.labels.undo()
    assert markers.face_color[3, 3] == 0


def test_what_is_shown_can_be_chosen(
    viewer: Any, session: Session, overlay: Overlay
) -> None:
    session.show(markers=False, tracks=False, outlines=False)
    layers = by_role(viewer)
    assert not any(layers[r].visible for r in ("markers", "tracks", "outlines"))
    session.show(markers=True, text=True, marker_size=20, color_by="prediction")
    assert layers["markers"].visible
    text = layers["markers"].text
    assert text.visible
    assert text.translation.tolist() == [0, 0, 12]  # clear of the marker
    session.show(marker_size=10)
    assert text.translation.tolist() == [0, 0, 6]
    session.show(marker_size=20)
    assert layers["markers"].size[0] == 20
    np.testing.assert_allclose(layers["markers"].border_color, painted.paint(session))


@pytest.mark.parametrize("role", ["markers", "tracks", "outlines"])
def test_a_deleted_layer_stays_away_until_asked_for(
    viewer: Any, session: Session, overlay: Overlay, known_scores: Any, role: str
) -> None:
    viewer.layers.remove(by_role(viewer)[role])
    assert not getattr(session.display, role)
    session.set_scores(known_scores(session.project))
    assert role not in by_role(viewer)
    session.show(**{role: True})
    assert role in by_role(viewer)


def test_renamed_and_reordered_layers_are_still_ours(
    viewer: Any, session: Session, overlay: Overlay
) -> None:
    for layer in viewer.layers:
        layer.name = "same"
    viewer.layers.reverse()
    session.show(color_by="prediction")
    markers = by_role(viewer)["markers"]
    np.testing.assert_allclose(markers.border_color, painted.paint(session))
    assert len(by_role(viewer)) == 5


def test_a_deleted_image_is_survived(
    viewer: Any, session: Session, overlay: Overlay
) -> None:
    viewer.layers.remove(by_role(viewer)["image"])
    session.select(2, go=True)
    session.service(Navigator).arrive()
    session.show(color_by="prediction")
    assert session.service(Navigator).frame == 2


def test_a_lost_movie_file_is_told_and_the_markers_stay(
    viewer: Any, session: Session, mitosis: Any, tmp_path: Any, mitosis_files: Any
) -> None:
    import shutil

    movie = tmp_path / "gone.tif"
    shutil.copy(mitosis_files / "movie.tif", movie)
    mitosis.add_movie(movie, mitosis_files / "tracks.csv", name="gone")
    movie.unlink()
    overlay = session.service(Overlay)
    session.project = mitosis
    session.movie = "gone"
    assert "gone" in (overlay.trouble or "")
    assert overlay.layer("markers") is not None
    assert overlay.layer("image") is None


def test_movies_of_a_project_take_turns(
    viewer: Any, session: Session, mitosis: Any, mitosis_files: Any, known_scores: Any
) -> None:
    mitosis.add_movie(
        mitosis_files / "movie.tif", mitosis_files / "tracks.csv", name="second"
    )
    session.service(Overlay)
    session.project = mitosis
    first = {layer.name for layer in viewer.layers if layer.visible}
    table = session.table
    assert table is not None
    row = int(table.rows_at("second", 5)[0])
    session.select(row, go=True)
    session.service(Navigator).arrive()
    assert session.movie == "second"
    assert session.service(Navigator).frame == 5
    second = {layer.name for layer in viewer.layers if layer.visible}
    assert not first & second
    session.select(0, go=True)
    session.service(Navigator).arrive()
    assert {layer.name for layer in viewer.layers if layer.visible} == first


def test_the_ring_surrounds_the_track_of_the_current_cell(
    viewer: Any, session: Session, overlay: Overlay
) -> None:
    ring, table = by_role(viewer)["ring"], session.table
    assert table is not None
    session.select(5)
    overlay.catch_up()
    rows = table.rows_of_track(5)
    assert sorted(ring.data[:, 0].tolist()) == sorted(table.t[rows].tolist())
    session.select(None)
    overlay.catch_up()
    assert len(ring.data) == 0


def test_of_cells_that_are_run_through_only_the_last_is_ringed(
    viewer: Any, session: Session, overlay: Overlay
) -> None:
    ring, drawn = by_role(viewer)["ring"], []
    ring.events.set_data.connect(drawn.append)
    for row in (3, 4, 5):
        session.select(row, go=True)
    assert not drawn
    overlay.catch_up()
    assert session.table is not None
    assert len(ring.data) == len(session.table.rows_of_track(5))


def test_a_label_is_drawn_once_with_the_next_cell(
    viewer: Any, session: Session, overlay: Overlay
) -> None:
    markers, drawn = by_role(viewer)["markers"], []
    first, last = (int(session.table.rows_at(session.movie, t)[0]) for t in (0, 5))
    session.select(first, go=True)
    overlay.catch_up()
    markers.events.set_data.connect(drawn.append)
    session.project.labels.set(first, "metaphase")
    session.select(last, go=True)
    overlay.catch_up()
    assert len(drawn) == 1
    session.project.labels.set(last, "metaphase")
    overlay.catch_up()
    assert len(drawn) == 2


def test_of_very_many_selected_cells_those_of_the_present_frame_are_ringed(
    viewer: Any,
    session: Session,
    overlay: Overlay,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(overlay_module, "MOST_RINGS", 10)
    ring, table = by_role(viewer)["ring"], session.table
    assert table is not None
    session.select_many(range(session.n_cells))
    for t in (0, 3):
        session.service(Navigator).show_frame(t)
        overlay.catch_up()
        assert len(ring.data) == (table.t == t).sum()
        assert set(ring.data[:, 0]) == {t}


def test_going_to_a_cell_moves_time_and_brings_it_into_view(
    viewer: Any, session: Session, overlay: Overlay
) -> None:
    table = session.table
    assert table is not None
    viewer.scene.camera.zoom = 50
    row = int(table.rows_at("movie", 6)[0])
    session.select(row, go=True)
    session.service(Navigator).arrive()
    assert session.service(Navigator).frame == 6
    scale = by_role(viewer)["image"].scale[-1]
    np.testing.assert_allclose(
        viewer.scene.camera.center[-2:],
        [table.y[row] * scale, table.x[row] * scale],
        rtol=1e-6,
    )


def test_the_current_cell_follows_its_track_through_time(
    viewer: Any, session: Session, overlay: Overlay
) -> None:
    table, navigator = session.table, session.service(Navigator)
    assert table is not None
    long = next(r for r in range(len(table)) if len(table.rows_of_track(r)) == 8)
    session.select(int(table.rows_of_track(long)[0]), go=True)
    session.service(Navigator).arrive()
    navigator.show_frame(4)
    assert session.current is not None
    assert table.t[session.current] == 4
    assert table.track[session.current] == table.track[long]
    session.follow_track = False
    navigator.show_frame(2)
    assert table.t[session.current] == 4


def click(picker: Picker, layer: Any, position: Any, moved: float = 0) -> None:
    event = pd.Series(
        {
            "button": 1,
            "modifiers": (),
            "pos": np.zeros(2),
            "position": position,
            "type": "mouse_press",
        }
    )
    steps = picker.on_drag(layer, event)
    next(steps)
    event["type"], event["pos"] = "mouse_move", np.full(2, moved)
    next(steps)
    event["type"] = "mouse_release"
    next(steps, None)


def test_a_click_selects_the_nearest_cell_and_a_drag_does_not(
    viewer: Any, session: Session, overlay: Overlay
) -> None:
    table, picker = session.table, session.service(Picker)
    assert table is not None
    session.service(Navigator).show_frame(3)
    row = int(table.rows_at("movie", 3)[1])
    markers = by_role(viewer)["markers"]
    place = np.array([3, table.y[row], table.x[row]]) * markers.scale
    click(picker, markers, place, moved=40)
    assert session.current is None
    click(picker, markers, place)
    assert session.current == row
    markers.editable = True
    markers.mode = "add"
    session.select(None)
    assert (
        next(picker.on_drag(markers, pd.Series({"button": 1, "modifiers": ()})), 1) == 1
    )


def open_tooltips() -> list[QWidget]:
    """Qt's own label of the tooltip, which closes a moment after it is hidden."""
    widgets = QApplication.topLevelWidgets()
    return [w for w in widgets if w.objectName() == "qtooltip_label"]


def test_hovering_tells_about_the_cell(
    viewer: Any, session: Session, overlay: Overlay, qtbot: Any
) -> None:
    table, picker = session.table, session.service(Picker)
    assert table is not None
    row = int(table.rows_at("movie", 0)[0])
    markers = by_role(viewer)["markers"]
    place = np.array([0, table.y[row], table.x[row]]) * markers.scale
    picker.on_move(markers, pd.Series({"position": place}))
    assert f"track {table.track[row]}" in markers.help
    assert "score" in markers.help
    picker.on_move(markers, pd.Series({"position": place * 0 - 500}))
    assert markers.help == ""
    qtbot.waitUntil(lambda: not open_tooltips())


def test_a_stack_shows_its_markers_on_every_plane(
    viewer: Any, session: Session, tmp_path: Any
) -> None:
    from napari_cellsci.project import Project

    rng = np.random.default_rng(0)
    image = rng.integers(0, 999, (3, 4, 60, 60)).astype(np.uint16)
    tracks = np.array([[1, t, 30 + t, 30] for t in range(3)])
    project = Project.create(
        tmp_path / "deep", image=image, tracks=tracks, axes="TZYX", fov_px=32
    )
    session.service(Overlay)
    session.project = project
    markers = by_role(viewer)["markers"]
    assert markers.ndim == 4
    for plane in range(4):
        viewer.dims.set_current_step(1, plane)
        viewer.dims.set_current_step(0, 2)
        place = np.array([2, plane, 32, 30], dtype=float)
        assert markers.get_value(place, world=True) == 2
    assert session.service(Navigator).frame == 2
    session.select(0, go=True)
    session.service(Navigator).arrive()
    assert viewer.dims.current_step[0] == 0


def test_of_cells_that_are_run_through_only_the_last_is_gone_to(
    session: Session, overlay: Overlay, qtbot: Any
) -> None:
    table, navigator = session.table, session.service(Navigator)
    navigator.show_frame(0)
    gone: list[int] = []
    navigator.frame_changed.connect(gone.append)
    rows = [int(np.flatnonzero(table.t == t)[0]) for t in (3, 5, 6)]
    for row in rows:
        session.select(row, go=True)
    assert gone == []
    qtbot.waitUntil(lambda: navigator.frame == 6)
    assert gone == [6]
    session.select(rows[0], go=True)
    navigator.show_frame(2)  # somebody wants to be elsewhere meanwhile
    navigator.arrive()
    assert navigator.frame == 2
