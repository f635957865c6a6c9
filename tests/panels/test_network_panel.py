from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from qtpy.QtCore import QPoint, Qt
from qtpy.QtTest import QTest

from napari_cellsci.explain.activity import activations, drivers
from napari_cellsci.explain.response import respond
from napari_cellsci.explain.topology import Node, Topology
from napari_cellsci.figures.network import in_short
from napari_cellsci.heads.batched import BatchedMLP
from napari_cellsci.heads.headset import SparseMembers
from napari_cellsci.heads.history import MaskHistory
from napari_cellsci.heads.pruning import prune
from napari_cellsci.panels._jobs import JobState
from napari_cellsci.panels.network.items import EdgeItem
from napari_cellsci.panels.network.panel import NetworkPanel
from napari_cellsci.panels.network.view import NetworkView
from napari_cellsci.panels.score.service import ScoreService
from napari_cellsci.viewer.session import Session, get_session

pytestmark = pytest.mark.gui
SIZES = (6, 5, 4, 1)
PATHS = ([0, 3], [1, 2], [0, 3])
"""Inputs 0 and 3 reach hidden neurons 1 and 2, these 0 and 3, and these the output."""


def sparse_members(models: int = 4) -> SparseMembers:
    """Heads whose second reads latents 0 and 3, and whose last is constant."""
    network = BatchedMLP(SIZES, list(range(models)))
    network.mask = torch.ones_like(network.parameters)
    for k in range(models):
        for layer, mask in enumerate(network.masks):
            mask[k].zero_()
            if k < models - 1:
                targets = [*PATHS, [0]][layer + 1]
                for target in targets:
                    mask[k][target, PATHS[layer][: k + 1]] = 1
    network.parameters.mul_(network.mask)
    initial = np.ones((models, network.n_weights), bool)
    pruned = prune(network).model
    assert pruned.mask is not None
    history = MaskHistory(initial)
    final = pruned.mask[:, pruned.weight_positions].numpy() != 0
    halfway = final | (np.arange(network.n_weights) % 3 == 0)
    who = np.arange(models)
    history.record(40, who, halfway, np.full(models, 0.8))
    history.record(90, who, final, np.full(models, 0.9))
    return SparseMembers(pruned, history)


@pytest.fixture(scope="session")
def networks_folder(
    trained_folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A project with a dense classifier "tiny" and a sparse one "thin"."""
    import shutil
    from dataclasses import replace

    from napari_cellsci.project import Project
    from napari_cellsci.project.models import add_bundle

    folder = tmp_path_factory.mktemp("networks") / "mitosis"
    shutil.copytree(trained_folder, folder)
    with Project.open(folder) as project:
        dense = project.bundle("tiny")
        heads = replace(dense.heads, scheme=3, members=sparse_members())
        add_bundle(project._bench, replace(dense, name="thin", heads=heads))
        project.latent_atlas(dense.encoder)
    return folder


@pytest.fixture
def networks(networks_folder: Path, tmp_path: Path) -> Iterator[Any]:
    import shutil

    from napari_cellsci.project import Project

    shutil.copytree(networks_folder, tmp_path / "networks")
    with Project.open(tmp_path / "networks") as project:
        yield project


@pytest.fixture
def session(viewer: Any) -> Session:
    return get_session(viewer)


@pytest.fixture
def panel(dock: Callable[[type], Any]) -> NetworkPanel:
    found: NetworkPanel = dock(NetworkPanel)
    return found


def opened(qtbot: Any, panel: NetworkPanel) -> JobState:
    def check() -> None:
        assert not panel.service.job.state.busy
        assert not panel.service.atlas_job.state.busy

    qtbot.waitUntil(check, timeout=60_000)
    return panel.service.job.state


@pytest.fixture
def thin(
    panel: NetworkPanel, session: Session, networks: Any, qtbot: Any
) -> NetworkPanel:
    """The panel with the second of the sparse heads."""
    session.project = networks
    assert opened(qtbot, panel) is JobState.DONE
    panel.multiples.picked.emit(1)
    return panel


def topology_of(panel: NetworkPanel) -> Topology:
    assert panel.view.drawn is not None
    return panel.view.drawn.topology


def click(view: NetworkView, node: Node, *, ctrl: bool = False) -> None:
    """Click on a neuron of the drawing with a real mouse event."""
    place = view.mapFromScene(view.node_items()[node].pos())
    modifier = Qt.KeyboardModifier
    keys = modifier.ControlModifier if ctrl else modifier.NoModifier
    QTest.mouseClick(view.viewport(), Qt.MouseButton.LeftButton, keys, place)


def test_without_a_project_it_says_what_comes_first(panel: NetworkPanel) -> None:
    assert "No cells yet" in panel.card.text.text()
    assert "Cells" in panel.card.reason.text()
    assert not panel.view.isVisible()
    assert panel.python_code() is None
    assert not panel.has_data()


def test_without_heads_it_says_how_to_get_some_and_offers_the_shipped_ones(
    panel: NetworkPanel, session: Session, mitosis: Any, qtbot: Any
) -> None:
    session.project = mitosis
    assert "no heads on latents" in panel.card.text.text()
    assert "--scheme 3" in panel.card.reason.text()
    panel.card.button.click()
    assert opened(qtbot, panel) is JobState.DONE
    assert panel.view.isVisible()
    assert "mitosis" in panel.card.text.text()


def test_sparse_heads_come_first_and_the_rest_can_be_chosen(
    panel: NetworkPanel, session: Session, networks: Any, qtbot: Any
) -> None:
    session.project = networks
    assert opened(qtbot, panel) is JobState.DONE
    assert panel.bundles.currentText() == "thin"
    titles = [panel.bundles.itemText(i) for i in range(panel.bundles.count())]
    assert titles == ["thin", "tiny", "mitosis (shipped)"]
    assert len(panel.multiples) == 4
    assert "Model 0 of thin (scheme 3)" in panel.card.text.text()
    assert "held-out tracks" in panel.card.text.text()
    assert topology_of(panel).inputs == (0,)
    panel.bundles.setCurrentIndex(1)
    panel.bundles.activated.emit(1)
    assert opened(qtbot, panel) is JobState.DONE
    assert "tiny (scheme 2)" in panel.card.text.text()
    assert len(topology_of(panel).inputs) == 6
    assert not panel.history.isVisible()


def test_a_model_is_drawn_and_read(thin: NetworkPanel) -> None:
    topology = topology_of(thin)
    assert topology.inputs == (0, 3)
    assert set(thin.view.node_items()) == set(
        topology.nodes("input", "hidden", "output")
    )
    assert len(thin.view.edge_items()) == topology.n_active
    drawn = [i for i in thin.view.scene().items() if isinstance(i, EdgeItem)]
    assert len(drawn) == topology.n_active
    strengths = [item.pen().widthF() for item in thin.view.edge_items()]
    assert strengths == sorted(strengths)
    tip = thin.view.node_items()[Node(1, 1)].toolTip()
    assert "bias" in tip
    assert "h1.1" in tip
    assert "weight" in thin.view.edge_items()[0].toolTip()
    rows = thin.matters.rows
    assert {row.index for row in rows} == {0, 3}
    assert sum(row.share for row in rows) == pytest.approx(1)
    assert all(row.cause for row in rows)


def test_a_click_on_a_neuron_shows_its_stream_and_selects_its_cells(
    thin: NetworkPanel, session: Session
) -> None:
    topology = topology_of(thin)
    node = topology.nodes("hidden")[0]
    click(thin.view, node)
    lit = {
        (item.edge.source, item.edge.target)
        for item in thin.view.edge_items()
        if item.opacity() == 1
    }
    from napari_cellsci.explain.streams import stream_through

    assert lit == {(e.source, e.target) for e in stream_through(topology, node).edges}
    assert 0 < len(lit) < topology.n_active
    book = thin.service.opened.book  # type: ignore[union-attr]
    wanted = drivers(topology, book.latents, node, 24)
    assert set(session.selected) == set(wanted)
    assert session.current == wanted[0]
    assert thin.response.choice is not None
    assert thin.response.choice[1] == node
    assert "stream" in thin.said.text()
    assert thin.strip.isVisible()
    assert list(thin.strip.rows) == list(wanted[: len(thin.strip.rows)])
    thin.strip.grab()
    QTest.mouseClick(thin.strip, Qt.MouseButton.LeftButton, pos=QPoint(45, 10))
    assert session.current == wanted[1]
    assert set(session.selected) == set(wanted)
    QTest.keyClick(thin.view, Qt.Key.Key_Escape)
    assert all(item.opacity() == 1 for item in thin.view.edge_items())
    assert thin.response.choice[1] == topology.output
    assert not thin.strip.isVisible()


def test_latents_become_axes_of_the_response(thin: NetworkPanel) -> None:
    topology = topology_of(thin)
    click(thin.view, Node(0, 3))
    assert thin.response.choice == ((Node(0, 3),), topology.output)
    picture = thin.response.view.picture
    assert picture is not None
    assert picture.response.total.shape == (101,)
    assert len(picture.strips[0]) == 7
    click(thin.view, Node(0, 0), ctrl=True)
    assert thin.response.choice == ((Node(0, 3), Node(0, 0)), topology.output)
    picture = thin.response.view.picture
    assert picture is not None
    assert picture.response.total.shape == (101, 101)
    book = thin.service.opened.book  # type: ignore[union-attr]
    expected = respond(
        topology, [Node(0, 3), Node(0, 0)], topology.output, at=book.usual
    )
    np.testing.assert_array_equal(picture.response.total, expected.total)
    assert picture.arrows is not None
    assert "tested from −3 to 3" in thin.response.words.text()
    click(thin.view, Node(0, 0), ctrl=True)
    assert thin.response.choice == ((Node(0, 3),), topology.output)


def test_further_inputs_get_sliders(
    panel: NetworkPanel, session: Session, networks: Any, qtbot: Any
) -> None:
    session.project = networks
    panel.service.choose("tiny")
    opened(qtbot, panel)
    panel.click(Node(0, 1))
    panel.click(Node(0, 2), add=True)
    panel.click(Node(0, 4), add=True)
    assert [slider.node for slider in panel.response.held] == [Node(0, 4)]
    before = panel.response.view.picture.response.total.copy()  # type: ignore[union-attr]
    panel.response.held[0].slider.setValue(250)
    after = panel.response.view.picture.response.total  # type: ignore[union-attr]
    assert not np.allclose(before, after)
    at = panel.service.opened.book.usual.copy()  # type: ignore[union-attr]
    at[4] = 2.5
    expected = respond(
        topology_of(panel), [Node(0, 1), Node(0, 2)], topology_of(panel).output, at=at
    )
    np.testing.assert_allclose(after, expected.total)
    panel.response.choose((Node(0, 1),), None)
    assert panel.response.held == []


def test_axes_and_target_are_chosen_by_boxes_too(thin: NetworkPanel) -> None:
    box = thin.response
    topology = topology_of(thin)
    assert box.second.itemText(0) == "nothing else"
    box.second.setCurrentIndex(0)
    assert box.choice is not None
    assert len(box.choice[0]) == 1
    hidden = topology.nodes("hidden")
    box.target_box.setCurrentIndex(1)
    assert box.choice[1] == hidden[0]
    # Only latents that reach the neuron are offered.
    from napari_cellsci.explain.streams import stream_through

    upstream = stream_through(topology, hidden[0]).nodes
    offered = [box.first.itemData(i) for i in range(box.first.count())]
    assert set(offered) <= upstream


def test_hidden_neurons_can_be_moved_as_well(thin: NetworkPanel) -> None:
    topology = topology_of(thin)
    node = next(n for n in topology.nodes("hidden") if n.layer == 1)
    thin.response.choose((), topology.output)
    thin.click(node, add=True)
    thin.response.choose((node,), topology.output)
    picture = thin.response.view.picture
    assert picture is not None
    assert picture.strips == ([],)
    assert "h1" in picture.names[0]


def test_the_selected_cell_lights_up_its_neurons(
    thin: NetworkPanel, session: Session
) -> None:
    assert not thin.live.isEnabled()
    assert "Select a cell" in thin.live.toolTip()
    session.select(5)
    thin.live.setChecked(True)
    topology = topology_of(thin)
    book = thin.service.opened.book  # type: ignore[union-attr]
    found = activations(topology, book.latents[5][None])
    for node, item in thin.view.node_items().items():
        value = float(found[node.layer][0, node.number])
        if item.look.value:  # there is no room for a number beside crowded neurons
            shown = item.look.value.replace("−", "-")
            assert float(shown) == pytest.approx(value, abs=0.051)
        assert "for the selected cell" in item.toolTip()
    assert thin.response.view.picture is not None
    assert thin.response.view.picture.here is not None
    thin.response.others.setCurrentIndex(1)
    session.select(None)
    assert thin.response.others.currentIndex() == 0
    assert all(not item.look.value for item in thin.view.node_items().values())


def test_the_history_is_played_from_dense_to_final(
    thin: NetworkPanel, qtbot: Any
) -> None:
    bar = thin.history
    assert bar.isVisible()
    assert bar.slider.maximum() == 2
    assert bar.at_end
    assert "Final network" in bar.words.text()
    bar.slider.setValue(0)
    assert thin.stack.currentWidget() is thin.film_view
    dense = 6 * 5 + 5 * 4 + 4
    assert f"Dense beginning, step 0: {dense} of {dense} weights." in bar.words.text()
    bar.slider.setValue(1)
    assert "accuracy 0.800" in bar.words.text()
    thin.film_view.grab()
    bar.slider.setValue(2)
    assert thin.stack.currentWidget() is thin.view
    bar.play.click()
    assert bar.playing
    assert bar.slider.value() == 0
    qtbot.waitUntil(lambda: bar.at_end and not bar.playing, timeout=10_000)
    QTest.mouseClick(bar.plot, Qt.MouseButton.LeftButton, pos=QPoint(1, 10))
    assert bar.slider.value() == 0


def test_a_constant_network_is_told(thin: NetworkPanel) -> None:
    thin.multiples.picked.emit(3)
    assert topology_of(thin).is_constant
    assert "constant: none of 6 latents" in in_short(thin.view.drawn.reading)  # type: ignore[union-attr]
    assert "constant" in thin.said.text()
    assert "same score" in thin.response.words.text()
    assert thin.matters.rows == []
    assert not thin.response.isEnabled()
    thin.grab()
    click(thin.view, topology_of(thin).output)


def test_models_can_be_scored_alone_and_the_panel_follows_the_scores(
    thin: NetworkPanel, session: Session, qtbot: Any
) -> None:
    assert "other scores, or none" in thin.card.reason.text()
    thin.card.button.click()
    job = session.service(ScoreService).job
    qtbot.waitUntil(lambda: not job.state.busy, timeout=60_000)
    assert session.bundle is not None
    assert session.bundle.name == "thin"
    assert thin.service.active_member == 1
    assert "scores of model 1 alone" in thin.card.reason.text()
    session.service(ScoreService).run("thin", 2)
    qtbot.waitUntil(lambda: not job.state.busy, timeout=60_000)
    assert thin.service.member == 2
    assert "Model 2 of thin" in thin.card.text.text()
    session.service(ScoreService).run("tiny")
    qtbot.waitUntil(lambda: not job.state.busy, timeout=60_000)
    opened(qtbot, thin)
    assert "tiny" in thin.card.text.text()
    assert "mean of all 3" in thin.card.reason.text()


def test_names_of_latents_appear_as_they_are_given(
    thin: NetworkPanel, session: Session
) -> None:
    from napari_cellsci.panels.latents.service import LatentService

    service = session.service(LatentService)
    atlas = session.project.rename_latent(  # type: ignore[union-attr]
        3,
        "roundness",
        thin.service.opened.bundle.encoder,  # type: ignore[union-attr]
    )
    thin.service._on_atlas(atlas)
    assert "roundness" in [row.name for row in thin.matters.rows]
    names = [thin.response.first.itemText(i) for i in range(2)]
    assert "roundness z3" in names
    assert service.code is None


def test_figures_data_and_code_are_exported(
    thin: NetworkPanel, session: Session, tmp_path: Path
) -> None:
    for suffix in ("svg", "pdf", "png"):
        thin.save_figure(str(tmp_path / f"net.{suffix}"))
        assert (tmp_path / f"net.{suffix}").stat().st_size > 1000
    thin.save_data(str(tmp_path / "net.json"))
    values = json.loads((tmp_path / "net.json").read_text(encoding="utf-8"))
    assert Topology.from_json(values).inputs == (0, 3)
    code = thin.python_code()
    assert code is not None
    compile(code, "copied", "exec")
    assert "'thin', 1" in code
    assert (thin.command_line() or "").endswith("--member 1 -o network.svg")


@pytest.mark.parametrize("width", [260, 360, 700])
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_it_fits_narrow_columns_in_both_themes(
    thin: NetworkPanel, viewer: Any, width: int, theme: str, qtbot: Any
) -> None:
    viewer.theme = theme
    holder = thin.parent()
    holder.setFloating(True)
    holder.resize(width, 700)
    qtbot.wait(30)
    inside = thin.findChild(object, "inside")
    assert inside.minimumSizeHint().width() <= max(width, 260) - 12
    assert thin.theme.dark == (theme == "dark")
    words = thin.card.text
    assert words.height() >= words.heightForWidth(words.width())
    assert not thin.grab().isNull()


def test_a_hover_tells_values_and_shows_the_cell(
    thin: NetworkPanel, qtbot: Any
) -> None:
    view = thin.response.view
    middle = view.frame().center()
    values = view.values_at(middle.x(), middle.y())
    assert values is not None
    np.testing.assert_allclose(values, 0, atol=0.1)
    QTest.mouseMove(view, middle.toPoint())
    view.hovered.emit(values)
    view._hover = (middle, None, "")
    thin.response._decode_hover()
    assert view._hover is not None
    assert view._hover[1] is not None
    assert "score f" in view._hover[2]
    view.grab()


def test_another_number_of_weights_can_be_drawn(
    panel: NetworkPanel, session: Session, networks: Any, qtbot: Any
) -> None:
    session.project = networks
    panel.service.choose("tiny")
    opened(qtbot, panel)
    assert len(panel.view.edge_items()) <= 60
    panel.most.setValue(30)
    assert len(panel.view.edge_items()) <= 30


def test_arrow_keys_walk_over_the_network(thin: NetworkPanel) -> None:
    topology = topology_of(thin)
    thin.view.setFocus()
    QTest.keyClick(thin.view, Qt.Key.Key_Up)
    assert thin._focus == topology.output
    QTest.keyClick(thin.view, Qt.Key.Key_Up)
    assert thin._focus is not None
    assert thin._focus.layer == topology.last - 1
    QTest.keyClick(thin.multiples, Qt.Key.Key_Left)
    assert thin.service.member == 0
