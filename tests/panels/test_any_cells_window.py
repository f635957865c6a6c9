"""Every panel at work on cells of a movie and on images of single cells alike."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import tifffile
import yaml
from qtpy.QtCore import Qt

import napari_cellsci
from napari_cellsci.panels._jobs import JobState
from napari_cellsci.panels.label.service import LabelService
from napari_cellsci.panels.latents.service import LatentService
from napari_cellsci.panels.train.goals import GOALS, Setup
from napari_cellsci.project import Project
from napari_cellsci.viewer import readout
from napari_cellsci.viewer.attack_layers import AttackLayers
from napari_cellsci.viewer.session import Session, get_session

pytestmark = pytest.mark.gui
SMALL: dict[str, Any] = {
    "steps": 4,
    "batch": 16,
    "latent": 4,
    "hidden": 16,
    "device": "cpu",
    "filters": (4, 4, 8, 8),
}
ROW = 3


def of_movie(folder: Path, files: Path, images: Any) -> Project:
    """A movie of three channels with its tracks and labels."""
    del images
    pixels = tifffile.imread(files / "movie.tif")
    three = np.stack([pixels, pixels // 2, pixels.max() - pixels], 1)
    project = Project.create(
        folder / "p",
        image=three,
        axes="TCYX",
        tracks=files / "tracks.csv",
        pixel_size=0.333,
        channels=(0, 1, 2),
        size=32,
    )
    project.labels.import_csv(files / "truth.csv")
    return project


def of_images(folder: Path, files: Path, images: Any) -> Project:
    """Images of round and long cells, labelled, in groups."""
    del files
    names = np.where(np.arange(24) % 2, "metaphase", "interphase")
    table = {"index": range(24), "class": names, "dish": np.arange(24) // 3}
    pd.DataFrame(table).to_csv(folder / "labels.csv", index=False)
    return Project.create(
        folder / "p",
        images=images,
        labels=folder / "labels.csv",
        group_by="dish",
        size=32,
        classes=("interphase", "metaphase"),
    )


@pytest.fixture(scope="module", params=[of_movie, of_images])
def made(
    request: Any,
    mitosis_files: Path,
    round_or_long: Any,
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    """A project of either with an encoder and a sparse classifier."""
    folder = tmp_path_factory.mktemp("any")
    with request.param(folder, mitosis_files, round_or_long) as project:
        project.train_encoder("quick", **SMALL)
        project.train_head(3, models=2, min_steps=20, epochs=1, name="sparse")
    return folder / "p"


@pytest.fixture
def session(viewer: Any, made: Path, tmp_path: Path) -> Iterator[Session]:
    """The session of a viewer that shows a copy of the project, scored."""
    shutil.copytree(made, tmp_path / "p")
    session = get_session(viewer)
    with Project.open(tmp_path / "p") as opened:
        session.project = opened
        session.set_scores(opened.score(), opened.bundle("sparse"))
        session.select(ROW)
        yield session
        for service in session._services.values():
            if job := getattr(service, "job", None):
                job.cancel()
        session.project = None


def done(qtbot: Any, *jobs: Any) -> None:
    """Wait until jobs have ended well."""
    qtbot.waitUntil(lambda: not any(j.state.busy for j in jobs), timeout=120_000)
    assert not [job.failure for job in jobs if job.failure is not None]


def cells(panel: Any, session: Session, qtbot: Any) -> None:
    qtbot.wait(400)  # the preview has begun
    done(qtbot, panel.service.job, panel.preview_job)
    panel.refresh()
    assert f"{session.n_cells} cells in 1 " in panel.card.text.text()


def label(panel: Any, session: Session, qtbot: Any) -> None:
    service, row = session.service(LabelService), ROW
    now = session.project.labels.as_series().get(row)
    other = next(name for name in session.project.classes if name != now)
    assert service.label(other)
    assert session.project.labels.as_series()[row] == other
    service.undo()
    session.select(row)
    service.filter_out()
    assert row in session.project.labels.left_out
    service.undo()


def train(panel: Any, session: Session, qtbot: Any) -> None:
    for goal in GOALS:
        panel.setup_page.take(Setup(goal.key))
        said = (goal.key, panel.run_bar.words.text())
        assert panel.run_bar.button.isEnabled(), said
        assert panel.python_code() is not None
        assert panel.command_line() is not None


def score(panel: Any, session: Session, qtbot: Any) -> None:
    before = session.scores
    panel.run_line.button.click()
    done(qtbot, panel.service.job)
    assert session.scores is not before
    assert len(session.scores.score) == session.n_cells
    unit = "groups" if "group" in session.project.cells else "tracks"
    assert f"held-out {unit}" in panel.card.reason.text()


def gallery(panel: Any, session: Session, qtbot: Any) -> None:
    assert panel.model.rowCount() == session.n_cells
    index = panel.model.index(0, 0)
    assert index.data(Qt.ItemDataRole.DecorationRole).width() > 10


def strip(panel: Any, session: Session, qtbot: Any) -> None:
    panel.resize(1200, 140)
    panel.refresh()
    qtbot.waitUntil(lambda: len(panel.film._frames) > 0, timeout=30_000)
    assert "called" in readout.line(session, ROW)
    assert panel.curve.isHidden() == ("group" in session.project.cells)


def latents(panel: Any, session: Session, qtbot: Any) -> None:
    service = session.service(LatentService)
    qtbot.waitUntil(
        lambda: service.code is not None and service.code.atlas is not None,
        timeout=120_000,
    )
    assert service.code.latents.shape == (session.n_cells, 4)
    qtbot.waitUntil(lambda: panel.strips.complete, timeout=60_000)
    assert panel.desk_box.channel_box.count() == 4  # each of three, and all


def latent_map(panel: Any, session: Session, qtbot: Any) -> None:
    qtbot.waitUntil(lambda: panel._code is not None, timeout=60_000)
    assert panel.xy.shape == (session.n_cells, 2)


def network(panel: Any, session: Session, qtbot: Any) -> None:
    done(qtbot, panel.service.job, panel.service.atlas_job)
    assert panel.view.isVisible()
    assert "sparse" in panel.card.text.text()


def expressions(panel: Any, session: Session, qtbot: Any) -> None:
    done(qtbot, panel.service.job)
    panel.writing.editor.setPlainText("z0 - 0.1")
    panel.writing.editor.flush()
    assert panel.bench.error is None
    assert panel.bench.written.verdict.labelled > 20


def compare(panel: Any, session: Session, qtbot: Any) -> None:
    done(qtbot, panel.service.job)
    assert [r.scheme for r in panel.service.gathered.comparison.rows] == [3]
    unit = "group" if "group" in session.project.cells else "track"
    assert f"held out by {unit}" in panel.card.text.text()


def robustness(panel: Any, session: Session, qtbot: Any) -> None:
    done(qtbot, panel.service.job)
    session.select(ROW + 2)
    assert panel.desk is not None
    panel.epsilon.set_value(0.3)
    panel.show_layers()
    assert {"original", "attacked", "difference"} <= {
        *session.service(AttackLayers).keys
    }
    panel.undo()


def table(panel: Any, session: Session, qtbot: Any) -> None:
    assert panel.model.rowCount() == session.n_cells
    panel.filter.setText("labelled")
    assert 20 < panel.model.rowCount() <= session.n_cells


WORK: dict[str, Callable[[Any, Session, Any], None]] = {
    "CellsPanel": cells,
    "LabelPanel": label,
    "TrainPanel": train,
    "ScorePanel": score,
    "GalleryPanel": gallery,
    "CellStripPanel": strip,
    "LatentsPanel": latents,
    "LatentMapPanel": latent_map,
    "NetworkPanel": network,
    "ExpressionsPanel": expressions,
    "ComparePanel": compare,
    "RobustnessPanel": robustness,
    "TablePanel": table,
}


def manifest_panels() -> dict[str, str]:
    """Return the module of each panel of the manifest by the name of its class."""
    path = Path(napari_cellsci.__file__).parent / "napari.yaml"
    given = yaml.safe_load(path.read_text(encoding="utf-8"))["contributions"]
    places = {one["id"]: one["python_name"] for one in given["commands"]}
    every = [places[widget["command"]].split(":") for widget in given["widgets"]]
    return {name: module for module, name in every}


def test_no_panel_is_left_out() -> None:
    assert set(WORK) == set(manifest_panels())


@pytest.mark.parametrize("name", WORK)
def test_panels_work_on_any_cells(
    name: str, dock: Callable[[type], Any], session: Session, qtbot: Any
) -> None:
    panel = dock(getattr(import_module(manifest_panels()[name]), name))
    panel.refresh()
    WORK[name](panel, session, qtbot)
    assert panel.grab().width() > 0
    session.select(ROW + 1)
    assert JobState.FAILED not in {
        job.state
        for service in session._services.values()
        if (job := getattr(service, "job", None))
    }
