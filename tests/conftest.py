"""Fixtures shared by every room."""

from __future__ import annotations

import gc
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Folder of real microscopy data, named by ``CELLSCI_DATA``."""
    folder = os.environ.get("CELLSCI_DATA")
    if not folder:
        pytest.skip("CELLSCI_DATA is not set: no real data to test on")
    return Path(folder)


@pytest.fixture(scope="session", autouse=True)
def _own_settings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep what tests remember apart from the settings of whoever runs them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CELLSCI_CONFIG", str(tmp_path_factory.mktemp("settings")))
        yield


@pytest.fixture(autouse=True)
def _threads() -> Iterator[None]:
    """Give torch back the cores it had: verbs choose for the process they are in.

    Two threads on small tensors, among other tests, cost more than twenty times as
    much as one.
    """
    wanted = int(os.environ.get("OMP_NUM_THREADS", "0"))
    if torch := sys.modules.get("torch"):
        wanted = torch.get_num_threads()
    yield
    if wanted and (torch := sys.modules.get("torch")):
        torch.set_num_threads(wanted)


@pytest.fixture(scope="session")
def mitosis_files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """movie.tif, tracks.csv, labels.tif and truth.csv of 8 frames of 160 px."""
    from napari_cellsci.cells.simulator import SimulationConfig, simulate

    folder = tmp_path_factory.mktemp("mitosis")
    simulate(SimulationConfig(frames=8, cells=14, size=160, seed=1)).save(folder)
    return folder


@pytest.fixture(scope="session")
def mitosis_folder(
    mitosis_files: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A project of the simulated movie with tracked masks."""
    from napari_cellsci.project import Project

    folder = tmp_path_factory.mktemp("made") / "mitosis"
    Project.create(
        folder, image=mitosis_files / "movie.tif", tracks=mitosis_files / "labels.tif"
    ).close()
    return folder


@pytest.fixture
def mitosis(mitosis_folder: Path, tmp_path: Path) -> Iterator[Any]:
    """A project of one's own with 8 frames and no labels."""
    from napari_cellsci.project import Project

    shutil.copytree(mitosis_folder, tmp_path / "mitosis")
    with Project.open(tmp_path / "mitosis") as project:
        yield project


@pytest.fixture(scope="module")
def shared_viewer(qapp: Any) -> Iterator[Any]:
    """One napari viewer for the tests of a module, each of which must put it back.

    Making and burying a window takes longer than most of what is tested in it. Tests of
    how windows come and go take one of their own.
    """
    from app_model import Application
    from napari import Viewer
    from napari._app_model._app import NapariApplication, _napari_names
    from napari._qt._qapp_model.qactions import init_qactions
    from napari.plugins import _initialize_plugins
    from napari.settings import get_settings

    # What napari's own fixture does for every test.
    app = NapariApplication("shared")
    app.injection_store.namespace = _napari_names
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(NapariApplication, "get_app_model", lambda: app)
        patch.setattr(
            "napari._qt.threads.status_checker.StatusChecker.start", lambda self: None
        )
        patch.setenv("NAPARI_ENSURE_PLUGIN_MAIN_THREAD", "True")
        get_settings().reset()
        for known in (_initialize_plugins, init_qactions):
            known.cache_clear()
        viewer = Viewer(show=False, show_welcome_screen=False)
        yield viewer
        window = viewer.window._qt_window
        patch.setattr(window, "_save_current_window_settings", lambda: None)
        viewer.close()
        Application.destroy("shared")
    del viewer, window
    gc.collect()


@pytest.fixture
def emptied_viewer(shared_viewer: Any) -> Iterator[Any]:
    """The module's viewer as plugins see it, without docks, layers or a project."""
    from napari.utils._proxies import PublicOnlyProxy
    from qtpy.QtWidgets import QApplication

    yield PublicOnlyProxy(shared_viewer)
    put_back(shared_viewer)
    left = [
        widget
        for widget in QApplication.topLevelWidgets()
        if type(widget).__module__.startswith("napari_cellsci")
    ]
    assert not left, f"widgets left behind: {left}"


def put_back(viewer: Any) -> None:
    """Take everything out of a viewer that a test may have put there."""
    from qtpy.QtCore import QCoreApplication, QEvent
    from qtpy.QtWidgets import QApplication

    from napari_cellsci.viewer import session as sessions

    session = sessions._SESSIONS.pop(viewer, None)
    if session is not None:
        finish_jobs(session)
        session.project = None
    panels = list(viewer.window.dock_widgets.values())
    viewer.window.remove_dock_widget("all")
    for panel in panels:
        panel.deleteLater()
    viewer.window._qt_window.hide()
    viewer.layers.clear()
    viewer.dims.ndisplay = 2
    viewer.theme = "dark"
    del session
    for _ in range(3):
        QApplication.processEvents()
        QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete.value)
    gc.collect(1)


def finish_jobs(session: Any) -> None:
    """Cancel the work of a session's services and wait until its threads are done."""
    from qtpy.QtWidgets import QApplication

    jobs = [getattr(service, "job", None) for service in session._services.values()]
    for job in filter(None, jobs):
        job.cancel()
    deadline = time.monotonic() + 60
    while any(job and job.state.busy for job in jobs):
        QApplication.processEvents()
        assert time.monotonic() < deadline, "work that was cancelled does not end"


@pytest.fixture
def known_scores(mitosis_files: Path) -> Callable[[Any], Any]:
    """Make scores of a project whose sign tells the true class, cell by cell."""
    import numpy as np
    import pandas as pd

    from napari_cellsci.project import Scores

    def make(project: Any) -> Any:
        truth = pd.read_csv(mitosis_files / "truth.csv").set_index(["track_id", "t"])
        cells = project.cells
        names = truth["class"].reindex(zip(cells["track_id"], cells["t"], strict=True))
        middle = names.map({"interphase": -3.0, "metaphase": 3.0}).fillna(0.5)
        score = middle.to_numpy() + np.linspace(-0.4, 0.4, len(cells))
        table = cells[["movie", "track_id", "t", "y", "x"]].assign(
            score=score,
            score_sd=0.5,
            probability=1 / (1 + np.exp(-score)),
            prediction=np.where(score >= 0, "metaphase", "interphase"),
            ood=np.where(np.arange(len(cells)) % 17 == 0, 0.99, 0.1),
        )
        return Scores(table, "known", "0" * 12, tuple(project.classes))

    return make
