from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from napari_cellsci.panels._jobs import JobState
from napari_cellsci.panels.cells.choice import CropSettings
from napari_cellsci.panels.cells.panel import CellsPanel
from napari_cellsci.viewer import tags
from napari_cellsci.viewer.overlay import Overlay
from napari_cellsci.viewer.session import Session, get_session, unwrapped

pytestmark = pytest.mark.gui


@pytest.fixture
def session(viewer: Any) -> Session:
    return get_session(viewer)


@pytest.fixture
def panel(dock: Callable[[type], Any], tmp_path: Path) -> CellsPanel:
    found: CellsPanel = dock(CellsPanel)
    found.path.setText(str(tmp_path / "made"))
    found._on_path()
    return found


@pytest.fixture
def layers(viewer: Any, mitosis_files: Path) -> dict[str, Any]:
    """The simulated movie as three layers with units."""
    common = {"scale": (4, 0.333, 0.333), "units": ("minute", "um", "um")}
    table = np.genfromtxt(mitosis_files / "tracks.csv", delimiter=",", names=True)
    tracks = np.stack([table[n] for n in ("track_id", "t", "y", "x")], axis=1)
    return {
        "image": viewer.add_image(
            tifffile.imread(mitosis_files / "movie.tif"), name="nuclei", **common
        ),
        "tracks": viewer.add_tracks(tracks[::-1], name="tracks", **common),
        "labels": viewer.add_labels(
            tifffile.imread(mitosis_files / "labels.tif"), name="masks", **common
        ),
    }


def choose(panel: CellsPanel, **chosen: Any) -> None:
    for kind in ("Image", "Tracks", "Labels"):
        panel.combos[kind].value = chosen.get(kind.lower())


def finished(qtbot: Any, panel: CellsPanel) -> JobState:
    def check() -> None:
        assert not panel.service.job.state.busy

    qtbot.waitUntil(check, timeout=60_000)
    return panel.service.job.state


def previewed(qtbot: Any, panel: CellsPanel) -> None:
    panel._start_preview()

    def check() -> None:
        assert not panel.preview_job.state.busy

    qtbot.waitUntil(check, timeout=30_000)


def test_units_are_taken_over_and_nothing_else_is_assumed(
    panel: CellsPanel, layers: dict[str, Any], viewer: Any
) -> None:
    choose(panel, image=layers["image"], tracks=layers["tracks"])
    assert panel.pixel_size.value() == pytest.approx(0.333)
    assert panel.interval.value() == pytest.approx(4)
    bare = viewer.add_image(layers["image"].data, name="bare")
    choose(panel, image=bare, tracks=layers["tracks"])
    assert panel.settings().pixel_size is None
    assert panel.settings().frame_interval is None
    assert not panel.run_line.button.isEnabled()
    assert "pixel size" in panel.run_line.words.text()
    assert "pixel size" in panel.run_line.button.toolTip()


def test_the_preview_shows_crops_and_follows_the_settings(
    panel: CellsPanel, layers: dict[str, Any], qtbot: Any
) -> None:
    choose(panel, image=layers["image"], tracks=layers["tracks"])
    previewed(qtbot, panel)
    assert len(panel.strip.images) >= 8
    assert panel.strip.images[0].width() == 64
    assert "cells in" in panel.caption.text()
    before = [image.pixelColor(3, 3).value() for image in panel.strip.images]
    panel.fov.setValue(40)
    previewed(qtbot, panel)
    after = [image.pixelColor(3, 3).value() for image in panel.strip.images]
    assert before != after


@pytest.mark.parametrize("chosen", ["tracks", "labels", "both"])
def test_a_project_is_made_from_layers_and_shown_on_them(
    panel: CellsPanel,
    layers: dict[str, Any],
    session: Session,
    viewer: Any,
    qtbot: Any,
    chosen: str,
) -> None:
    picked = {"image": layers["image"]}
    if chosen != "labels":
        picked["tracks"] = layers["tracks"]
    if chosen != "tracks":
        picked["labels"] = layers["labels"]
    choose(panel, **picked)
    panel.run()
    assert finished(qtbot, panel) is JobState.DONE
    project = session.project
    assert project is not None
    assert len(project) == len(layers["tracks"].data)
    info = project.movies[0]
    assert (info.pixel_size, info.frame_interval) == pytest.approx((0.333, 240))
    assert tags.role_of(layers["image"]) == "image"
    assert sum(type(layer).__name__ == "Image" for layer in viewer.layers) == 1
    outlined = any(tags.role_of(layer) == "outlines" for layer in viewer.layers)
    assert outlined == (chosen != "tracks")
    assert "cells in 1 movie" in panel.card.text.text()


def test_masks_numbered_anew_are_linked(
    panel: CellsPanel, layers: dict[str, Any], session: Session, viewer: Any, qtbot: Any
) -> None:
    masks = np.asarray(layers["labels"].data).astype(np.int32)
    for t in range(len(masks)):
        masks[t][masks[t] > 0] = (masks[t][masks[t] > 0] * 7 + 13 * t) % 997 + 1
    anew = viewer.add_labels(masks, scale=(4, 0.333, 0.333), name="anew")
    choose(panel, image=layers["image"], labels=anew)
    panel.run()
    assert finished(qtbot, panel) is JobState.DONE
    assert session.project is not None
    tracks = session.project.cells.groupby("track_id").size()
    assert tracks.max() == 8


def test_objects_of_binary_masks_become_cells(
    panel: CellsPanel, layers: dict[str, Any], session: Session, viewer: Any, qtbot: Any
) -> None:
    both = np.where(np.asarray(layers["labels"].data) > 0, 255, 0).astype(np.uint8)
    placed = {"scale": (4, 0.333, 0.333), "units": ("minute", "um", "um")}
    binary = viewer.add_labels(both, name="thresholded", **placed)
    choose(panel, image=layers["image"], labels=binary)
    panel.run()
    assert finished(qtbot, panel) is JobState.DONE
    assert session.project is not None
    cells = session.project.cells
    assert cells["track_id"].nunique() > 5
    overlay = session.service(Overlay)
    row = int(cells["area"].sort_values().index[len(cells) // 2])
    t, y, x = cells.loc[row, ["t", "y", "x"]]
    assert session.project.masks()[int(t), round(y), round(x)] == cells["label_id"][row]
    assert overlay.row_at(int(t), y, x) == row


def test_layers_removed_and_renamed_while_working_are_survived(
    panel: CellsPanel, layers: dict[str, Any], session: Session, viewer: Any, qtbot: Any
) -> None:
    choose(panel, image=layers["image"], tracks=layers["tracks"])
    panel.run()
    layers["image"].name = "another name"
    viewer.layers.remove(layers["tracks"])
    assert finished(qtbot, panel) is JobState.DONE
    assert session.project is not None
    roles = {tags.role_of(layer) for layer in viewer.layers}
    assert {"image", "tracks", "markers"} <= roles


def test_closing_the_panel_while_working_loses_nothing(
    panel: CellsPanel, layers: dict[str, Any], session: Session, viewer: Any, qtbot: Any
) -> None:
    choose(panel, image=layers["image"], tracks=layers["tracks"])
    panel.run()
    job = panel.service.job
    viewer.window.remove_dock_widget(panel.parent())

    def done() -> None:
        assert job.state is JobState.DONE

    qtbot.waitUntil(done, timeout=60_000)
    assert session.project is not None
    panel.deleteLater()
    qtbot.wait(20)


def test_cancelling_leaves_no_half_made_project(
    panel: CellsPanel,
    layers: dict[str, Any],
    session: Session,
    qtbot: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from napari_cellsci.io.movies import Movie

    started, real = threading.Event(), Movie.frame

    def slow(self: Movie, *args: Any, **kwargs: Any) -> Any:
        started.set()
        threading.Event().wait(0.02)
        return real(self, *args, **kwargs)

    choose(panel, image=layers["image"], tracks=layers["tracks"])
    panel._preview_timer.stop()
    monkeypatch.setattr(Movie, "frame", slow)
    panel.run()
    assert started.wait(30)
    panel.run_line.button.click()
    assert panel.service.job.state is JobState.CANCELLING
    assert finished(qtbot, panel) is JobState.IDLE
    assert session.project is None
    assert not Path(panel.path.text()).exists()
    assert panel.run_line.button.text() == "Crop cells"


def opened(panel: CellsPanel, qtbot: Any, kind: str, path: Path) -> None:
    panel.rows.buttons[kind]._emit(str(path))
    assert finished(qtbot, panel) is JobState.DONE


def test_files_are_opened_as_layers_and_cropped_from_their_files(
    panel: CellsPanel, session: Session, viewer: Any, qtbot: Any, mitosis_files: Path
) -> None:
    opened(panel, qtbot, "Image", mitosis_files / "movie.tif")
    assert panel.pixel_size.value() == pytest.approx(0.333)
    opened(panel, qtbot, "Tracks", mitosis_files / "tracks.csv")
    opened(panel, qtbot, "Labels", mitosis_files / "labels.tif")
    image, tracks, labels = panel.layers()
    assert (image.name, tracks.name, labels.name) == ("movie", "tracks", "labels")
    np.testing.assert_allclose(tracks.scale, image.scale)
    np.testing.assert_allclose(labels.scale, image.scale)
    command = panel.command_line()
    assert command is not None
    assert f'--tracks "{mitosis_files / "tracks.csv"}"' in command
    panel.run()
    assert finished(qtbot, panel) is JobState.DONE
    assert session.project is not None
    info = session.project.movies[0]
    assert info.path == mitosis_files / "movie.tif"
    assert not info.copied
    assert info.masks_path == mitosis_files / "labels.tif"


def test_tracks_that_come_with_masks_are_two_layers(
    panel: CellsPanel, viewer: Any, qtbot: Any, mitosis_files: Path
) -> None:
    opened(panel, qtbot, "Image", mitosis_files / "movie.tif")
    opened(panel, qtbot, "Tracks", mitosis_files / "labels.tif")
    assert [type(layer).__name__ for layer in panel.layers()] == [
        *("Image", "Tracks", "Labels")
    ]
    previewed(qtbot, panel)
    assert "cells in" in panel.caption.text()


def test_files_that_cannot_be_opened_are_told_of(
    panel: CellsPanel, viewer: Any, qtbot: Any, mitosis_files: Path, tmp_path: Path
) -> None:
    (tmp_path / "odd.csv").write_text("a,b\n1,2\n")
    panel.rows.buttons["Tracks"]._emit(str(tmp_path / "odd.csv"))
    assert finished(qtbot, panel) is JobState.FAILED
    assert "no column track_id" in panel.card.text.text()
    panel.rows.buttons["Tracks"]._emit("")
    assert panel.service.job.state is JobState.FAILED
    assert len(viewer.layers) == 0


def test_what_cannot_be_used_is_refused_in_one_sentence(
    panel: CellsPanel, layers: dict[str, Any], session: Session, viewer: Any, qtbot: Any
) -> None:
    far = viewer.add_tracks(
        [[1, 0, 900, 900], [1, 1, 900, 900]], scale=(4, 0.333, 0.333), name="far"
    )
    choose(panel, image=layers["image"], tracks=far)
    panel.run()
    assert finished(qtbot, panel) is JobState.FAILED
    text = panel.card.text.text()
    assert "outside" in text
    assert "Traceback" not in text
    assert not Path(panel.path.text()).exists()
    broken = layers["image"].data.astype(np.float32)
    broken[2, 5, 5] = np.nan
    bad = viewer.add_image(
        broken, scale=(4, 0.333, 0.333), name="bad", units=("minute", "um", "um")
    )
    choose(panel, image=bad, tracks=layers["tracks"])
    panel.run()
    assert finished(qtbot, panel) is JobState.FAILED
    assert "NaN" in panel.card.text.text()
    assert session.project is None


def test_the_button_says_why_it_is_disabled(
    panel: CellsPanel, layers: dict[str, Any], tmp_path: Path
) -> None:
    choose(panel)
    assert "Open a movie" in panel.run_line.words.text()
    choose(panel, image=layers["image"])
    assert "tracks, or masks" in panel.run_line.words.text()
    choose(panel, image=layers["image"], tracks=layers["tracks"])
    assert panel.run_line.button.isEnabled()
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "file").touch()
    panel.path.setText(str(tmp_path / "taken"))
    panel._on_path()
    assert "not empty" in panel.run_line.words.text()
    panel.path.setText("")
    panel._on_path()
    assert "folder" in panel.run_line.words.text()


def test_a_movie_is_added_to_the_open_project(
    panel: CellsPanel,
    layers: dict[str, Any],
    session: Session,
    viewer: Any,
    qtbot: Any,
    mitosis: Any,
) -> None:
    session.project = mitosis
    n = session.n_cells
    panel.path.setText(str(mitosis.path))
    panel._on_path()
    choose(panel, image=layers["image"], tracks=layers["tracks"])
    assert panel.run_line.button.text() == "Add movie"
    panel.run()
    assert finished(qtbot, panel) is JobState.DONE
    assert session.n_cells == 2 * n
    assert session.movie == "nuclei"
    assert layers["image"].visible


def test_the_card_leads_from_cells_to_scores_and_to_another_movie(
    panel: CellsPanel,
    layers: dict[str, Any],
    session: Session,
    viewer: Any,
    qtbot: Any,
    known_scores: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    choose(panel, **layers)
    panel.run()
    assert finished(qtbot, panel) is JobState.DONE
    assert "not scored yet" in panel.card.text.text()
    # What is cropped is not offered once more, and our outlines are no masks.
    assert not panel.run_line.button.isEnabled()
    assert "is in the project" in panel.run_line.words.text()
    names = [getattr(layer, "name", None) for layer in panel.combos["Labels"].choices]
    assert names == [None, "masks"]
    ran: list[Any] = []
    monkeypatch.setattr(panel.scoring, "run", lambda: ran.append(1))
    assert panel.card.button.text() == "Score cells"
    panel.card.button.click()
    assert ran
    shown = [d for d in viewer.window.dock_widgets.values() if d.title == "Score"]
    assert len(shown) == 1
    assert shown[0].is_seen()
    assert not panel.is_seen()
    session.set_scores(known_scores(session.project))
    panel.parent().raise_()
    qtbot.waitUntil(panel.is_seen)
    assert ", scored." in panel.card.text.text()
    assert "add another movie" in panel.card.reason.text()
    assert panel.card.button.text() == "Show Score"
    other = viewer.add_image(layers["image"].data[:, ::-1], name="other")
    choose(panel, image=other, tracks=layers["tracks"])
    panel.pixel_size.setValue(0.3)
    assert panel.run_line.button.isEnabled()
    assert panel.run_line.button.text() == "Add movie"


def test_an_error_stays_until_something_else_is_chosen(
    panel: CellsPanel, layers: dict[str, Any], viewer: Any, qtbot: Any
) -> None:
    scale = (4, 0.333, 0.333)
    far = viewer.add_tracks([[1, 0, 900, 900], [1, 1, 900, 900]], scale=scale)
    choose(panel, image=layers["image"], tracks=far)
    panel.rows._on_activated()
    panel.run()
    assert finished(qtbot, panel) is JobState.FAILED
    viewer.add_image(np.zeros((3, 20, 20)), name="unrelated")
    panel.reset_choices()
    assert panel.card.property("kind") == "error"
    choose(panel, image=layers["image"], tracks=layers["tracks"])
    assert panel.card.property("kind") == "info"
    assert "press Crop cells" in panel.card.text.text()
    choose(panel, image=layers["image"])
    assert "No project yet" in panel.card.text.text()


def test_a_preview_that_fails_is_told_on_the_card(
    panel: CellsPanel, layers: dict[str, Any], viewer: Any, qtbot: Any
) -> None:
    shifted = viewer.add_labels(
        layers["labels"].data, translate=(0, 5, 5), scale=(4, 0.333, 0.333)
    )
    choose(panel, image=layers["image"], labels=shifted)
    previewed(qtbot, panel)
    assert "do not lie on each other" in panel.card.text.text()
    assert panel.card.property("kind") == "warning"
    choose(panel, image=layers["image"], labels=layers["labels"])
    assert "press Crop cells" in panel.card.text.text()


def test_a_project_is_opened(
    panel: CellsPanel,
    session: Session,
    qtbot: Any,
    mitosis_folder: Path,
    tmp_path: Path,
) -> None:
    panel.service.open(tmp_path)
    assert finished(qtbot, panel) is JobState.FAILED
    assert "not a cellsci project" in panel.card.text.text()
    panel.service.open(mitosis_folder)
    assert finished(qtbot, panel) is JobState.DONE
    assert session.n_cells > 0
    assert "mitosis" in panel.card.text.text()


def test_the_first_steps_lead_from_the_sample_to_a_project(
    panel: CellsPanel,
    session: Session,
    viewer: Any,
    qtbot: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from napari_cellsci.cells import simulator

    def small() -> Any:
        return config

    config = simulator.SimulationConfig(frames=6, cells=8, size=128)
    monkeypatch.setattr(simulator, "SimulationConfig", small)
    assert panel.card.button.text() == "Open the sample"
    panel.card.button.click()
    assert finished(qtbot, panel) is JobState.DONE
    assert {type(layer).__name__ for layer in viewer.layers} == {
        "Image",
        "Labels",
        "Tracks",
    }
    assert panel.run_line.button.isEnabled()
    assert panel.settings().pixel_size == pytest.approx(0.333)
    panel.run_line.button.click()
    assert finished(qtbot, panel) is JobState.DONE
    assert session.n_cells > 0
    assert session.clock().unit == "min"


def test_units_of_the_field_of_view_are_converted(
    panel: CellsPanel, layers: dict[str, Any]
) -> None:
    choose(panel, image=layers["image"], tracks=layers["tracks"])
    panel.fov_unit.setCurrentText("px")
    assert panel.fov.value() == pytest.approx(21.3 / 0.333, rel=1e-2)
    panel.fov_unit.setCurrentText("µm")
    assert panel.fov.value() == pytest.approx(21.3, rel=1e-2)


def test_stacks_offer_planes_and_channels(panel: CellsPanel, viewer: Any) -> None:
    deep = viewer.add_image(np.zeros((3, 4, 20, 20)), axis_labels=("t", "z", "y", "x"))
    choose(panel, image=deep)
    assert [panel.plane.itemText(i) for i in range(panel.plane.count())] == [
        "maximum of all",
        *(f"plane {z}" for z in range(4)),
    ]
    panel.extra.setCurrentIndex(panel.extra.findData("C"))
    assert panel.plane.count() == 1
    panel.channels.setText("0, 2")
    assert panel.settings().channels == (0, 2)
    panel.extra.setCurrentIndex(panel.extra.findData("Z"))
    for number in range(panel.plane.count()):
        panel.plane.setCurrentIndex(number)
        assert panel.settings().z == ("max" if number == 0 else number - 1)
    panel.channels.setText("red")
    panel.mark_dirty()
    assert "numbers" in panel.run_line.words.text()


def test_numbers_of_the_image_are_kept_beyond_what_is_shown(
    panel: CellsPanel, layers: dict[str, Any], viewer: Any
) -> None:
    fine = viewer.add_image(
        layers["image"].data,
        scale=(20, 0.161_25, 0.161_25),
        units=("second", "um", "um"),
    )
    choose(panel, image=fine, tracks=layers["tracks"])
    assert panel.settings().pixel_size == pytest.approx(0.161_25, rel=1e-9)
    assert panel.settings().frame_interval == pytest.approx(20, rel=1e-9)
    panel.pixel_size.setValue(0.2)
    assert panel.settings().pixel_size == 0.2


def test_what_is_copied_says_all_that_was_chosen(
    panel: CellsPanel,
    layers: dict[str, Any],
    viewer: Any,
    session: Session,
    mitosis: Any,
    tmp_path: Path,
) -> None:
    stack = np.stack([layers["image"].data] * 2, axis=1)
    scale = (4, 1, 0.333, 0.333)
    deep = viewer.add_image(stack, scale=scale, name="deep")
    choose(panel, image=deep, tracks=layers["tracks"])
    panel.pixel_size.setValue(0.333)
    panel.extra.setCurrentIndex(panel.extra.findData("Z"))
    panel.plane.setCurrentIndex(panel.plane.findData(0))
    code = panel.python_code() or ""
    assert "axes='TZYX'" in code
    assert "z=0" in code
    panel.extra.setCurrentIndex(panel.extra.findData("C"))
    panel.channels.setText("1")
    assert "channels=(1,)" in (panel.python_code() or "")
    for layer in (deep, layers["tracks"]):
        file = tmp_path / f"{layer.name}.file"
        file.touch()
        object.__setattr__(unwrapped(layer).source, "path", str(file))
    command = panel.command_line() or ""
    assert "--axes TCYX" in command
    assert "--channel 1" in command
    # A labels layer whose values follow cells is handed over as tracks.
    choose(panel, image=deep, labels=layers["labels"])
    assert "    tracks=viewer.layers['masks'].data" in (panel.python_code() or "")
    session.project = mitosis
    panel.path.setText(str(mitosis.path))
    panel._on_path()
    code = panel.python_code() or ""
    assert f"Project.open({str(mitosis.path)!r})" in code
    assert "project.add_movie(" in code
    assert "fov_um" not in code
    compile(code, "copied", "exec")
    choose(panel, image=deep, tracks=layers["tracks"])
    assert (panel.command_line() or "").startswith("cellsci add ")


def test_what_it_does_can_be_copied_as_code(
    panel: CellsPanel, layers: dict[str, Any], viewer: Any, mitosis_files: Path
) -> None:
    choose(panel)
    assert panel.python_code() is None
    choose(panel, image=layers["image"], tracks=layers["tracks"])
    code = panel.python_code()
    assert code is not None
    compile(code, "copied", "exec")
    assert "viewer.layers['nuclei'].data" in code
    assert "pixel_size=0.333" in code
    assert panel.command_line() is None
    path = str(mitosis_files / "movie.tif")
    for layer in (layers["image"], layers["tracks"]):
        object.__setattr__(unwrapped(layer).source, "path", path)
    command = panel.command_line()
    assert command is not None
    assert command.startswith("cellsci new ")
    assert "--pixel-size 0.333" in command
    assert "--frame-interval 240" in command


def test_a_crop_specification_follows_the_unit() -> None:
    assert CropSettings(fov=20, fov_unit="px").spec.fov_px == 20
    assert CropSettings(fov=20, pixel_size=0.5).spec.fov_um == 20
