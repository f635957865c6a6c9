"""The residual of a predicted channel in the gallery, the table and the viewer."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from napari_cellsci.panels.cell_strip.panel import PREDICTED, CellStripPanel
from napari_cellsci.panels.gallery.order import latent_orders, sorted_rows, usable
from napari_cellsci.panels.table.columns import columns_of
from napari_cellsci.project import Project
from napari_cellsci.viewer.predicted_layers import show_predicted
from napari_cellsci.viewer.session import Session, get_session

pytestmark = pytest.mark.gui


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    """Four tracks of noise in two channels."""
    movie = np.random.default_rng(0).normal(100, 9, (2, 2, 40, 40)).astype(np.float32)
    places = [(10, 10), (10, 30), (30, 10), (30, 30)]
    tracks = [[k, t, y, x] for k, (y, x) in enumerate(places, 1) for t in (0, 1)]
    with Project.create(
        tmp_path / "p",
        image=movie,
        tracks=np.array(tracks, float),
        axes="TCYX",
        fov_px=16,
        size=16,
        channels=(0, 1),
    ) as made:
        yield made


@pytest.fixture
def session(viewer: Any) -> Session:
    return get_session(viewer)


def entry(panel: CellStripPanel) -> Any:
    panel._refresh_menu()
    actions = panel.menu_button.menu().actions()
    return next(action for action in actions if action.text() == PREDICTED)


def test_residuals_sort_the_gallery_and_become_layers(
    dock: Callable[[type], Any], session: Session, project: Project
) -> None:
    panel = dock(CellStripPanel)
    session.project = project
    session.select(0)
    assert not entry(panel).isEnabled()
    assert "predict-channel" in entry(panel).toolTip()
    assert latent_orders(session) == ()
    assert usable(session, "residual_0_1") == "variety"
    found = project.predict_channel(0, 1, steps=1, folds=2, batch=4)
    (order,) = latent_orders(session)
    assert (order.key, order.title) == ("residual_0_1", "residual 1 from 0")
    rows = sorted_rows(session, "residual_0_1")
    assert (np.diff(found.residual[rows]) >= 0).all()
    column = next(c for c in columns_of(session) if c.name == "residual_0_1")
    assert "another does not tell" in column.tip
    _check_layers(panel, session, project)


def _check_layers(panel: CellStripPanel, session: Session, project: Project) -> None:
    viewer = session.viewer
    before = len(viewer.layers)
    assert entry(panel).isEnabled()
    entry(panel).trigger()
    assert len(viewer.layers) == before + 3
    prediction = project.channel_prediction()
    for row in (0, 5):
        layers = show_predicted(session, row)
        assert len(viewer.layers) == before + 3  # those of the other cell are refilled
        predicted, seen = project.predicted_pictures(prediction, [row])
        np.testing.assert_array_equal(layers[2].data, (seen - predicted)[0])
        low, high = layers[2].contrast_limits
        assert low == -high
    names = [layer.name for layer in layers]
    assert names[1] == "channel 1 predicted from 0"
