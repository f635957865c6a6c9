"""Images of single cells in a window: made in the Cells panel, shown by every panel."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from napari_cellsci.panels.cell_strip.panel import CellStripPanel
from napari_cellsci.panels.cells.panel import CellsPanel
from napari_cellsci.panels.label import contents
from napari_cellsci.panels.label.panel import ONCE, LabelPanel
from napari_cellsci.panels.table.columns import columns_of
from napari_cellsci.project import Project
from napari_cellsci.viewer import readout, tags
from napari_cellsci.viewer.session import get_session

pytestmark = pytest.mark.gui
SMALL: dict[str, Any] = {
    "steps": 4,
    "batch": 16,
    "latent": 4,
    "hidden": 16,
    "device": "cpu",
    "filters": (4, 4, 8, 8),
}


@pytest.fixture(scope="module")
def stack(round_or_long: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Images of round and long cells, and their labels beside them."""
    folder = tmp_path_factory.mktemp("stack")
    np.savez(folder / "cells.npz", images=round_or_long)
    names = np.where(np.arange(24) % 2, "long", "round")
    table = pd.DataFrame(
        {"index": range(24), "class": names, "dish": np.arange(24) // 3}
    )
    table.to_csv(folder / "labels.csv", index=False)
    return folder


@pytest.fixture(scope="module")
def trained(stack: Path) -> Path:
    """A project of them with a sparse classifier."""
    with Project.create(
        stack / "p",
        images=stack / "cells.npz",
        labels=stack / "labels.csv",
        group_by="dish",
    ) as project:
        project.train_encoder("quick", **SMALL)
        project.train_head(3, models=2, min_steps=20, epochs=1, name="sparse")
    return stack / "p"


@pytest.fixture
def project(viewer: Any, trained: Path, tmp_path: Path) -> Iterator[Project]:
    """A project of one's own, which the viewer lets go of before it is closed."""
    shutil.copytree(trained, tmp_path / "p")
    session = get_session(viewer)
    with Project.open(tmp_path / "p") as opened:
        session.project = opened
        session.set_scores(opened.score(), opened.bundle("sparse"))
        yield opened
        for service in session._services.values():
            if job := getattr(service, "job", None):
                job.cancel()
        session.project = None


def test_cells_are_images_by_name_without_tracks_or_times(
    dock: Callable[[type], Any], viewer: Any, project: Project
) -> None:
    session = get_session(viewer)
    strip, label = dock(CellStripPanel), dock(LabelPanel)
    strip.resize(1200, 140)
    roles = [tags.role_of(layer) for layer in viewer.layers]
    assert "tracks" not in roles
    assert sum(layer._type_string == "image" for layer in viewer.layers) == 3
    session.select(7, go=True)
    strip.refresh()
    assert readout.line(session, 7).startswith("cells 07 · called ")
    assert [frame.words for frame in strip.film._frames] == [
        f"channel {c}" for c in range(3)
    ]
    assert strip.curve.isHidden()
    assert not strip.once.isHidden()
    assert contents.name_of(session, 7) == "cells 07"
    assert contents.event_cards(session) == []
    label.tabs.setCurrentIndex(2)
    label.refresh()
    assert label.empty.text() == ONCE
    names = [column.name for column in columns_of(session)]
    assert names[:3] == ["image", "group", "label"]
    assert "frame" not in names
    assert "original_height" in names


def test_the_cells_panel_makes_a_project_of_images(
    dock: Callable[[type], Any], viewer: Any, stack: Path, tmp_path: Path, qtbot: Any
) -> None:
    session, panel = get_session(viewer), dock(CellsPanel)
    panel.images.tick.setChecked(True)
    assert not panel.rows.isVisible()
    assert "Choose the images" in panel._reason()
    panel.images.choose(str(stack / "cells.npz"))
    panel.images.labels.setText(str(stack / "labels.csv"))
    panel.images.group.setText("dish")
    panel.images.tile.setText("40 by 40")
    assert "Write height and width of a tile" in panel._reason()
    panel.images.tile.setText("40 × 40, 2")
    assert "tile=(40, 40, 2)," in panel.python_code()
    assert "--tile 40 40 --tile-gap 2" in panel.command_line()
    panel.images.tile.setText("")
    panel.path.setText(str(tmp_path / "p"))
    panel.refresh()
    assert panel._reason() == ""
    assert "images=" in panel.python_code()
    assert '--group-by "dish"' in panel.command_line()
    panel.run()
    qtbot.waitUntil(lambda: session.project is not None, timeout=60_000)
    assert len(session.project) == 24
    assert session.project.cells["group"].nunique() == 8
    panel.refresh()
    assert "24 cells in 1 set of images" in panel.card.text.text()
    panel.path.setText(str(tmp_path / "p"))
    assert "are in the project" in panel._reason()


def test_a_stack_of_napari_is_offered_page_by_page(
    dock: Callable[[type], Any], viewer: Any
) -> None:
    layer = viewer.add_image(np.ones((5, 20, 20), np.uint8), name="pages")
    panel = dock(CellsPanel)
    panel.images.tick.setChecked(True)
    panel.images._fill_menu()
    assert "Every page of pages" in [a.text() for a in panel.images.menu.actions()]
    panel.images.choose_layer(layer)
    assert panel.images.given().images.shape == (5, 20, 20)
    panel.path.setText("p")
    assert "viewer.layers['pages'].data" in panel.python_code()
    assert panel.command_line() is None
