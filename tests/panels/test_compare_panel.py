from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QLabel

from napari_cellsci.panels._jobs import JobState
from napari_cellsci.panels.compare.panel import ComparePanel
from napari_cellsci.panels.network.service import NetworkService
from napari_cellsci.panels.score.service import ScoreService
from napari_cellsci.viewer.session import Session, get_session

pytestmark = pytest.mark.gui


@pytest.fixture(scope="session")
def several_folder(
    trained_folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A project with a classifier of each scheme."""
    from napari_cellsci.project import Project

    folder = tmp_path_factory.mktemp("several") / "mitosis"
    shutil.copytree(trained_folder, folder)
    with Project.open(folder) as project:
        project.train_head(
            3, models=3, mode="paper", min_steps=60, epochs=1, folds=2, name="thin"
        )
        project.train_head(
            1, models=2, steps=5, epochs=1, batch=16, folds=2, name="pixels"
        )
    return folder


@pytest.fixture
def several(several_folder: Path, tmp_path: Path) -> Iterator[Any]:
    from napari_cellsci.project import Project

    shutil.copytree(several_folder, tmp_path / "several")
    with Project.open(tmp_path / "several") as project:
        yield project


@pytest.fixture
def session(viewer: Any) -> Session:
    return get_session(viewer)


@pytest.fixture
def panel(dock: Callable[[type], Any]) -> ComparePanel:
    found: ComparePanel = dock(ComparePanel)
    return found


def compared(qtbot: Any, panel: ComparePanel) -> JobState:
    qtbot.waitUntil(lambda: not panel.service.job.state.busy, timeout=60_000)
    return panel.service.job.state


def test_without_a_project_or_models_it_says_what_comes_first(
    panel: ComparePanel, session: Session, mitosis: Any
) -> None:
    assert "No cells yet" in panel.card.text.text()
    assert not panel.plot.isVisible()
    session.project = mitosis
    assert "No models to compare" in panel.card.text.text()
    assert "train-head" in panel.card.reason.text()
    assert panel.python_code() is None
    assert not panel.has_data()


def test_every_model_of_every_scheme_is_compared_and_can_be_used(
    panel: ComparePanel, session: Session, several: Any, qtbot: Any, tmp_path: Path
) -> None:
    session.project = several
    assert compared(qtbot, panel) is JobState.DONE
    assert "3 classifiers, 8 models" in panel.card.text.text()
    gathered = panel.service.gathered
    assert gathered is not None
    assert [row.scheme for row in gathered.comparison.rows] == [1, 2, 3]
    assert [len(group.stamps) for group in panel.groups] == [0, 3, 3]
    titles = [
        panel.table.horizontalHeaderItem(i).text()
        for i in range(panel.table.columnCount())
    ]
    assert {"classifier", "encoder", "head", "weights", "size"} <= set(titles)
    assert panel.table.rowCount() == 3
    shares = dict(panel.consensus.items)
    thin = gathered.of(2)
    used = [set(model.inputs or ()) for model in thin]
    assert sum(s for bars in shares.values() for _, s in bars) == pytest.approx(
        np.mean([len(one) for one in used]), rel=0.5
    )
    # A point of the plot is that of its model.
    model = thin[1]
    place = panel.plot.place_of(model)
    near = panel.plot.item_at(place)
    assert near is not None
    assert panel.plot.place_of(near) == place
    QTest.mouseMove(panel.plot, place.toPoint())
    panel.plot.grab()
    panel.groups[2].stamps.picked.emit(1)
    job = session.service(ScoreService).job
    qtbot.waitUntil(lambda: not job.state.busy, timeout=60_000)
    assert panel.service.active == ("thin", 1)
    assert "In use: model 1 of thin" in panel.card.reason.text()
    assert session.bundle is not None
    assert session.bundle.name == "thin"
    assert session.service(NetworkService).active_member is None  # not opened yet
    QTest.mouseClick(
        panel.plot,
        Qt.MouseButton.LeftButton,
        pos=panel.plot.place_of(thin[2]).toPoint(),
    )
    qtbot.waitUntil(lambda: not job.state.busy, timeout=60_000)
    assert panel.service.active is not None
    assert panel.service.active[0] in ("thin", "tiny", "pixels")
    panel.save_data(str(tmp_path / "models.csv"))
    table = pd.read_csv(tmp_path / "models.csv")
    assert len(table) == 8
    assert set(table["scheme"]) == {1, 2, 3}
    panel.save_figure(str(tmp_path / "figure.svg"))
    assert (tmp_path / "figure.svg").stat().st_size > 1000
    compile(panel.python_code() or "", "copied", "exec")
    assert (panel.command_line() or "").startswith("cellsci compare ")


def test_sizes_and_accuracies_can_be_exchanged(
    panel: ComparePanel, session: Session, several: Any, qtbot: Any
) -> None:
    session.project = several
    compared(qtbot, panel)
    for i in range(panel.size_box.count()):
        panel.size_box.setCurrentIndex(i)
        panel.plot.grab()
        assert panel.plot.kind[0] == panel.size_box.currentData()
    panel.rate_box.setCurrentIndex(0)
    assert len(panel.plot.items) == 8
    several.train_head(2, models=1, min_steps=30, epochs=1, folds=2, name="newer")
    panel.every.setChecked(True)
    compared(qtbot, panel)
    assert "4 classifiers" in panel.card.text.text()
    several.add_formula("z0 - 2*z1", name="short")
    panel.service.ensure()
    compared(qtbot, panel)
    said = [
        label.text() for group in panel.groups for label in group.findChildren(QLabel)
    ]
    assert "0: z0 − 2 · z1" in said
    assert "Heads on crops have no drawing." in said
    assert '--model "newer"' in (panel.command_line() or "")


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_it_fits_narrow_columns_in_both_themes(
    panel: ComparePanel,
    session: Session,
    several: Any,
    viewer: Any,
    theme: str,
    qtbot: Any,
) -> None:
    session.project = several
    compared(qtbot, panel)
    viewer.theme = theme
    holder = panel.parent()
    holder.setFloating(True)
    holder.resize(260, 700)
    qtbot.wait(30)
    inside = panel.findChild(object, "inside")
    assert inside.minimumSizeHint().width() <= 248
    assert not panel.grab().isNull()
