from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from qtpy.QtWidgets import QMainWindow

from napari_cellsci.errors import ProjectError
from napari_cellsci.panels._jobs import JobState
from napari_cellsci.panels.score.service import ScoreService
from napari_cellsci.panels.workspace import open_workspace, show_panel
from napari_cellsci.viewer.session import get_session, unwrapped

pytestmark = pytest.mark.gui


@pytest.fixture
def viewer(own_viewer: Any) -> Any:
    return own_viewer


def titles(viewer: Any) -> list[str]:
    return sorted(
        getattr(panel, "title", "") for panel in viewer.window.dock_widgets.values()
    )


@pytest.mark.parametrize("size", [(1366, 768), (1920, 1080)])
def test_the_panels_leave_the_movie_half_of_the_window(
    viewer: Any, qtbot: Any, size: tuple[int, int]
) -> None:
    viewer.window.resize(*size)
    open_workspace(viewer)
    expected = ["Cell", "Cells", "Compare", "Expressions", "Gallery", "Label"]
    rest = ["Latent map", "Latents", "Network", "Robustness", "Score", "Train"]
    assert titles(viewer)[-12:] == [*expected, *rest]
    panel = next(iter(viewer.window.dock_widgets.values()))
    window = panel.window()
    assert isinstance(window, QMainWindow)
    window.show()
    window.resize(*size)
    qtbot.wait(50)
    assert (window.width(), window.height()) == size
    movie = window.centralWidget()
    assert movie.width() >= size[0] / 2
    assert movie.height() >= size[1] / 2


def test_opening_it_again_opens_nothing_twice(viewer: Any, qtbot: Any) -> None:
    open_workspace(viewer)
    first = titles(viewer)
    open_workspace(viewer)
    assert titles(viewer) == first


def test_the_movie_is_fitted_into_the_room_that_is_left_but_once(
    viewer: Any, qtbot: Any
) -> None:
    viewer.window.resize(1600, 960)
    viewer.add_image(np.zeros((3, 200, 200)))
    viewer.window.show()
    viewer.scene.camera.zoom = 9
    open_workspace(viewer)

    def fits() -> None:
        shown = 200 * viewer.scene.camera.zoom
        assert shown <= min(unwrapped(viewer).canvas.size)

    qtbot.waitUntil(fits)
    viewer.scene.camera.zoom = 9
    open_workspace(viewer)
    qtbot.wait(50)
    assert viewer.scene.camera.zoom == 9


def test_a_project_is_opened_scored_and_shown_straight_away(
    viewer: Any, qtbot: Any, trained: Any
) -> None:
    viewer.window.show()
    open_workspace(viewer, trained.path)
    session = get_session(viewer)
    job = session.service(ScoreService).job

    def scored() -> None:
        assert job.state is JobState.DONE

    qtbot.waitUntil(scored, timeout=60_000)
    assert session.scores is not None
    assert session.scores.scored.all()
    assert session.bundle is not None
    assert session.bundle.name == "tiny"
    docks = {panel.title: panel for panel in viewer.window.dock_widgets.values()}
    qtbot.waitUntil(docks["Score"].is_seen)
    assert not docks["Cells"].is_seen()
    docks["Cells"].parent().raise_()
    qtbot.waitUntil(docks["Cells"].is_seen)
    assert "scored by tiny" in docks["Cells"].card.text.text()


def test_the_movie_stays_where_it_is_when_cells_are_selected(
    viewer: Any, qtbot: Any, mitosis: Any, known_scores: Any
) -> None:
    viewer.window.resize(1366, 768)
    open_workspace(viewer)
    session = get_session(viewer)
    panel = next(iter(viewer.window.dock_widgets.values()))
    window = panel.window()
    window.show()
    session.project = mitosis
    session.set_scores(known_scores(mitosis))
    before = settled_height(window.centralWidget(), qtbot)
    for row in (3, None):
        session.select(row)
        assert settled_height(window.centralWidget(), qtbot) == before


def settled_height(widget: Any, qtbot: Any) -> int:
    """Return the height of a widget once it has been the same for a while."""
    seen: list[int] = []

    def settled() -> bool:
        seen.append(widget.height())
        return len(seen) >= 20 and len(set(seen[-20:])) == 1

    qtbot.waitUntil(settled, timeout=30_000)
    return seen[-1]


def test_a_panel_that_was_closed_is_shown_again(viewer: Any, qtbot: Any) -> None:
    open_workspace(viewer)
    docks = {panel.title: panel for panel in viewer.window.dock_widgets.values()}
    viewer.window.remove_dock_widget(docks["Score"].parent())
    assert "Score" not in titles(viewer)
    show_panel(viewer, "Score")
    show_panel(viewer, "Score")
    assert titles(viewer).count("Score") == 1


def test_a_folder_that_is_no_project_is_refused_in_one_sentence(
    viewer: Any, qtbot: Any, tmp_path: Any
) -> None:
    with pytest.raises(ProjectError, match="not a cellsci project"):
        open_workspace(viewer, tmp_path)


def test_the_manifest_command_takes_a_viewer_and_a_project(
    viewer: Any, qtbot: Any, mitosis: Any
) -> None:
    from npe2 import PluginManager

    manager = PluginManager.instance()
    manager.discover()
    manager.commands.execute(
        "napari-cellsci.open_workspace",
        kwargs={"viewer": viewer, "project": mitosis.path, "score": False},
    )
    assert get_session(viewer).n_cells == len(mitosis)
