"""The Network panel with an output for each of four classes."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from napari_cellsci.explain.activity import activations, class_scores, drivers
from napari_cellsci.explain.topology import Node, Topology
from napari_cellsci.heads.batched import BatchedMLP
from napari_cellsci.heads.calibrate import Calibration
from napari_cellsci.heads.headset import SparseMembers
from napari_cellsci.heads.history import MaskHistory
from napari_cellsci.panels.network.drawn import tip_of
from napari_cellsci.panels.network.foot_item import FootItem, foot_height
from napari_cellsci.panels.network.panel import NetworkPanel
from napari_cellsci.viewer.session import Session, get_session

pytestmark = pytest.mark.gui
NAMES = ("interphase", "prometaphase", "metaphase", "anaphase")
SIZES = (6, 5, len(NAMES))


def members(models: int = 2) -> SparseMembers:
    """Heads in which input 0 reaches the first two classes, 3 and 5 the others."""
    network = BatchedMLP(SIZES, list(range(models)))
    network.mask = torch.ones_like(network.parameters)
    for first, last in [network.masks]:
        first.zero_()
        last.zero_()
        for source, through, target in ((0, 0, 0), (0, 1, 1), (3, 2, 2), (5, 3, 3)):
            first[:, through, source] = last[:, target, through] = 1
    network.parameters.mul_(network.mask)
    history = MaskHistory(np.ones((models, network.n_weights), bool))
    final = network.mask[:, network.weight_positions].numpy() != 0
    history.record(40, np.arange(models), final, np.full(models, 0.8))
    return SparseMembers(network, history)


@pytest.fixture
def project(trained: Any) -> Iterator[Any]:
    from napari_cellsci.project.models import add_bundle

    two = trained.bundle("tiny")
    heads = replace(
        two.heads, scheme=3, n_classes=4, members=members(), calibration=Calibration()
    )
    add_bundle(trained._bench, replace(two, name="four", heads=heads, classes=NAMES))
    return trained


@pytest.fixture
def panel(
    viewer: Any, dock: Callable[[type], Any], project: Any, qtbot: Any
) -> NetworkPanel:
    session: Session = get_session(viewer)
    found: NetworkPanel = dock(NetworkPanel)
    session.project = project

    def done() -> None:
        assert found.service.opened is not None
        assert not found.service.job.state.busy
        assert not found.service.atlas_job.state.busy

    qtbot.waitUntil(done, timeout=60_000)
    return found


def test_every_output_is_a_class_that_can_be_asked_for(
    panel: NetworkPanel, tmp_path: Path
) -> None:
    view, drawn = panel.view, panel.view.drawn
    assert drawn is not None
    assert [panel.about.itemText(i) for i in range(4)] == list(NAMES)
    assert not panel.about.isHidden()
    palette = panel.session.palette
    feet = {i.node: i for i in view.scene().items() if isinstance(i, FootItem)}
    assert len(feet) == 4
    last = drawn.topology.last
    assert [look.name for look in drawn.classes] == list(NAMES)
    assert drawn.classes[0].color == palette["interphase"]
    assert len({look.color for look in drawn.classes}) == 4
    metaphase = Node(last, 2)
    tip = tip_of(drawn, metaphase, None)
    assert tip.startswith("metaphase")
    assert "z3" in tip
    panel.click(metaphase)
    assert panel.about.currentText() == "metaphase"
    assert panel.matters_title.text() == "What matters for metaphase"
    assert panel.said.text().startswith("metaphase: a stream of 2 weights")
    assert panel.response.target_box.currentText() == "score of metaphase"
    assert panel.response.words.text().startswith("The score of metaphase")
    opened = panel.service.opened
    assert opened is not None
    wanted = drivers(drawn.topology, opened.book.latents, metaphase)
    assert panel.session.selected.tolist() == sorted(wanted.tolist())
    topology = opened.topology(0)
    leads = class_scores(activations(topology, opened.book.latents)[-1])[:, 2]
    assert wanted[0] == leads.argmax()
    _exported(panel, tmp_path)


def _exported(panel: NetworkPanel, folder: Path) -> None:
    opened = panel.service.opened
    assert opened is not None
    panel.save_data(str(folder / "net.json"))
    values = json.loads((folder / "net.json").read_text())
    assert values["classes"] == list(NAMES)
    back = Topology.from_json(values)
    z = opened.book.latents[:9]
    np.testing.assert_allclose(
        activations(back, z)[-1], activations(opened.topology(0), z)[-1]
    )
    panel.save_figure(str(folder / "net.svg"))
    assert (folder / "net.svg").stat().st_size > 1000


def test_what_matters_response_and_the_cell_follow_the_class(
    panel: NetworkPanel,
) -> None:
    rows = {}
    for output, name in enumerate(NAMES):
        panel.look_at(output)
        rows[name] = [row.index for row in panel.matters.rows]
        effects = {row.effect[2:] for row in panel.matters.rows if row.effect}
        assert effects <= {name, f"not {name}"}
        assert panel.response.target_box.currentText() == f"score of {name}"
    assert {index for shown in rows.values() for index in shown} <= {0, 3, 5}
    panel.session.select(4)
    panel.live.setChecked(True)
    drawn, activity = panel.view.drawn, panel.view._activity
    assert drawn is not None
    assert activity is not None
    assert int((activity[-1] >= 0).sum()) == 1
    panel.live.setChecked(False)
    panel.history.slider.setValue(0)
    assert panel.stack.currentWidget() is panel.film_view
    panel.film_view.grab()
    panel.history.slider.setValue(panel.history.slider.maximum())
    assert panel.stack.currentWidget() is panel.view
    assert len(panel.multiples) == 2


def test_names_stand_upright_where_they_have_no_room(panel: NetworkPanel) -> None:
    assert panel.view.drawn is not None
    looks, font = panel.view._outputs(), panel.view.font()
    assert foot_height(looks, font, 260) > foot_height(looks, font, 900)
    for width in (260, 900):
        panel.view.resize(width, panel.view.height())
        panel.view.grab()


def test_two_classes_have_one_score(panel: NetworkPanel, qtbot: Any) -> None:
    panel.look_at(3)
    panel.service.choose("tiny", 0)
    qtbot.waitUntil(
        lambda: panel.view.drawn is not None and not panel.view.drawn.many,
        timeout=60_000,
    )
    assert panel.about.isHidden()
    assert panel.about.output == 0
    assert panel.matters_title.text() == "What matters"
