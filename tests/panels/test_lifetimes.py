from __future__ import annotations

import gc
import threading
import weakref
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from qtpy.QtCore import QCoreApplication, QEvent, QTimer
from qtpy.QtWidgets import QApplication

import napari_cellsci
from napari_cellsci.panels.train.service import HERE, TrainService
from napari_cellsci.panels.workspace import open_workspace
from napari_cellsci.project import Project
from napari_cellsci.project.run_request import RunRequest
from napari_cellsci.project.run_state import RunState
from napari_cellsci.project.worker import perform
from napari_cellsci.tasks import CancelToken, Event, Step
from napari_cellsci.viewer.session import get_session

pytestmark = pytest.mark.gui
SMALL: dict[str, Any] = {
    "preset": "quick",
    "steps": 12,
    "batch": 32,
    "latent": 6,
    "filters": [4, 4, 8, 8],
    "hidden": 16,
    "device": "cpu",
    "log_every": 1,
}


@pytest.fixture
def viewer(own_viewer: Any) -> Any:
    return own_viewer


MANIFEST = yaml.safe_load(
    (Path(napari_cellsci.__file__).parent / "napari.yaml").read_text(encoding="utf-8")
)
COMMANDS = {c["id"]: c["python_name"] for c in MANIFEST["contributions"]["commands"]}
WIDGETS = [w["command"] for w in MANIFEST["contributions"]["widgets"]]


def kind_of(command: str) -> Any:
    module, name = COMMANDS[command].split(":")
    return getattr(import_module(module), name)


def settle() -> None:
    for _ in range(4):
        QApplication.processEvents()
        QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete.value)


def test_the_manifest_is_valid_and_everything_in_it_can_be_imported() -> None:
    from npe2 import PluginManifest

    manifest = PluginManifest.from_distribution("napari-cellsci")
    manifest.validate_imports()
    for command in COMMANDS:
        assert callable(kind_of(command))


def test_every_panel_opens_on_an_empty_viewer(dock: Callable[[type], Any]) -> None:
    for command in WIDGETS:
        panel = dock(kind_of(command))
        assert panel.card.text.text(), command
        assert panel.minimumWidth() <= 260


def test_every_panel_opens_on_any_layers_and_theme(
    viewer: Any, dock: Callable[[type], Any]
) -> None:
    viewer.theme = "light"
    viewer.add_image(np.zeros((20, 20)), name="2D")
    viewer.add_image(np.zeros((3, 20, 20)), name="3D")
    viewer.add_image(np.zeros((3, 2, 20, 20)), name="4D")
    viewer.add_image(np.zeros((20, 20, 3), np.uint8), rgb=True)
    viewer.add_shapes([[[0, 0], [5, 5]]], shape_type="line")
    viewer.add_tracks([[1, 0, 5, 5], [1, 1, 6, 6]])
    viewer.add_labels(np.zeros((3, 20, 20), int))
    panels = [dock(kind_of(command)) for command in WIDGETS]
    assert not any(panel.theme.dark for panel in panels)
    viewer.theme = "dark"
    viewer.layers.remove(viewer.layers["3D"])
    viewer.layers["4D"].name = "renamed"
    settle()
    assert all(panel.theme.dark for panel in panels)


def listeners(viewer: Any) -> dict[str, int]:
    """Count who listens to what outlives a panel."""
    session = get_session(viewer)
    found = {
        "layers": len(viewer.layers.events.inserted.callbacks)
        + len(viewer.layers.events.removed.callbacks),
        "theme": len(viewer.events.theme.callbacks),
        "dims": len(viewer.dims.events.current_step.callbacks),
        "keys": len(viewer.keymap),
        "mouse": len(viewer.mouse_move_callbacks) + len(viewer.mouse_drag_callbacks),
        "threads": threading.active_count(),
    }
    for name in dir(type(session)):
        if name.endswith(("_changed", "_requested")):
            found[name] = len(getattr(session, name))
    return found


def is_running(timer: QTimer) -> bool:
    """Say whether a timer runs; one that Qt has deleted does not."""
    try:
        return bool(timer.isActive())
    except RuntimeError:
        return False


@pytest.mark.parametrize("command", WIDGETS)
def test_a_panel_opened_and_closed_five_times_leaves_nothing(
    viewer: Any, mitosis: Any, known_scores: Any, command: str
) -> None:
    kind = kind_of(command)
    session = get_session(viewer)
    counts, gone = [], []
    for turn in range(5):
        panel = kind(viewer)
        viewer.window.add_dock_widget(panel, name="panel")
        if turn == 0:
            session.project = mitosis
            session.set_scores(known_scores(mitosis))
            session.select(3)
            settle()
        gone.append(weakref.ref(panel))
        dock = panel.parent()
        viewer.window.remove_dock_widget(dock)
        del panel, dock
        settle()
        if turn in (0, 4):  # a whole collection is what takes time here
            gc.collect()
            counts.append(listeners(viewer))
    assert [ref() for ref in gone] == [None] * 5
    assert counts[0] == counts[-1]
    running = [t for t in gc.get_objects() if isinstance(t, QTimer) and is_running(t)]
    names = {type(timer.parent()).__module__ for timer in running if timer.parent()}
    assert not any(name.startswith("napari_cellsci") for name in names)


def test_a_panel_hidden_or_floated_lives_on(
    viewer: Any, mitosis: Any, dock: Callable[[type], Any]
) -> None:
    panel = dock(kind_of("napari-cellsci.score"))
    holder = panel.parent()
    holder.hide()
    holder.show()
    holder.setFloating(True)
    holder.setFloating(False)
    settle()
    get_session(viewer).project = mitosis
    panel.show()
    panel.refresh()
    assert "cells" in panel.card.text.text()


def test_closing_the_viewer_with_all_panels_open_is_clean(
    make_napari_viewer: Callable[..., Any], mitosis: Any, known_scores: Any
) -> None:
    viewer = make_napari_viewer()
    open_workspace(viewer)
    session = get_session(viewer)
    session.project = mitosis
    session.set_scores(known_scores(mitosis))
    settle()


@settings(
    deadline=None,
    max_examples=2,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(step=st.integers(1, 11))
def test_napari_is_closed_at_any_step_of_a_run_which_keeps_it_and_goes_on_later(
    make_napari_viewer: Callable[..., Any],
    mitosis: Any,
    qtbot: Any,
    step: int,
) -> None:
    viewer, request = make_napari_viewer(), RunRequest("train_encoder", SMALL)
    reached, over = threading.Event(), threading.Event()

    def wait(event: Event) -> None:
        if isinstance(event, Step) and event.step == step:
            reached.set()
            assert over.wait(60)

    def watched(folder: Path, id_: str, *, token: CancelToken) -> None:
        perform(folder, id_, wait, token)

    with Project.open(mitosis.path) as project, pytest.MonkeyPatch.context() as patch:
        patch.setattr("napari_cellsci.panels.train.service.perform", watched)
        get_session(viewer).project = project
        service = get_session(viewer).service(TrainService)
        run = service.start(request, HERE)
        qtbot.waitUntil(reached.is_set, timeout=120_000)
        viewer.close()
        over.set()
        qtbot.waitUntil(lambda: not service.job.state.busy, timeout=120_000)
    assert mitosis.run(run.id).state is RunState.CANCELLED
    assert mitosis.run_log(run.id).checkpoint == step
    mitosis.queue_again(run.id)
    perform(mitosis.path, run.id)
    assert mitosis.run(run.id).state is RunState.DONE
