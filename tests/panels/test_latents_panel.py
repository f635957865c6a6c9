from __future__ import annotations

import gc
import threading
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from qtpy.QtCore import QEvent, QPoint, Qt
from qtpy.QtWidgets import QApplication

from napari_cellsci.panels._choice import Choice, ChoiceBox
from napari_cellsci.panels.latent_map.service import MapService
from napari_cellsci.panels.latents import words
from napari_cellsci.panels.latents.delegate import zones_of
from napari_cellsci.panels.latents.desk_box import PICTURE, SMALLER, DeskBox
from napari_cellsci.panels.latents.model import FOLD
from napari_cellsci.panels.latents.panel import LatentsPanel
from napari_cellsci.panels.latents.service import LatentService
from napari_cellsci.project.bundles import shipped_bundle
from napari_cellsci.representation.atlas import Correlation, LatentAtlas, LatentInfo
from napari_cellsci.representation.traversals import interpolate, traverse
from napari_cellsci.viewer.session import Session, get_session

pytestmark = pytest.mark.gui
LEFT, NONE = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier


@pytest.fixture
def session(viewer: Any) -> Session:
    return get_session(viewer)


@pytest.fixture
def panel(dock: Callable[[type], Any]) -> LatentsPanel:
    found: LatentsPanel = dock(LatentsPanel)
    found.resize(360, 700)
    return found


READINGS = {1: "like elongation", 2: "unchanged by turning"}


def atlas_of(code: Any, **changes: Any) -> LatentAtlas:
    """Describe latents without looking: the first named, the last inactive."""
    infos = []
    for i in range(code.size):
        active = i < code.size - 1 or code.size == 1
        infos.append(
            LatentInfo(
                index=i,
                kl=2.0 / (i + 1) if active else 0.0,
                variance=0.9 if active else 0.001,
                active=active,
                category="morphology" if active else "inactive",
                suggestion="size" if i == 0 else None,
                name="size" if i == 0 else None,
                named_by="evidence" if i == 0 else None,
                reading=READINGS.get(i) if active else None,
                note="Both say so." if i == 0 else "",
            )
        )
    return LatentAtlas(code.encoder.hash, tuple(infos), 10, ("area",), **changes)


@pytest.fixture
def shown(
    panel: LatentsPanel,
    session: Session,
    coded: Callable[[int], Any],
    monkeypatch: pytest.MonkeyPatch,
    qtbot: Any,
) -> LatentsPanel:
    """The panel on five latents, of which the last is inactive."""
    service = session.service(LatentService)
    code = coded(5)
    service._on_atlas(atlas_of(code))

    def rename(index: int, name: str | None, encoder: Any = None) -> LatentAtlas:
        names = {} if name is None else {index: (name, "user")}
        return atlas_of(code).called(names)

    monkeypatch.setattr(type(session.project), "rename_latent", staticmethod(rename))
    qtbot.waitUntil(lambda: panel.strips.complete, timeout=60_000)
    return panel


def middle(panel: LatentsPanel, row: int, part: str) -> QPoint:
    """Return the middle of a part of a row, in the view."""
    index = panel.model.index(row, 0)
    zones = panel.delegate.zones(panel.view.visualRect(index), index)
    return getattr(zones, part).center().toPoint()


def test_without_cells_or_an_encoder_it_says_what_to_do(
    panel: LatentsPanel, session: Session, mitosis: Any
) -> None:
    assert "Make or open a project" in panel.card.reason.text()
    session.project = mitosis
    assert "No encoder yet" in panel.card.text.text()
    assert panel.card.button.text() == "Use the shipped encoder"
    assert not panel.view.isVisible()


def test_the_shipped_encoder_is_offered_only_where_it_fits(
    panel: LatentsPanel, session: Session, two_channels: Any
) -> None:
    session.project = two_channels
    assert "reads 1 channel" in panel.card.reason.text()
    assert not panel.card.button.isVisible()


def test_the_shipped_encoder_in_use_is_called_by_its_name(session: Session) -> None:
    session._bundle = shipped_bundle()
    offers = session.service(LatentService).offers()
    assert [offer.title for offer in offers] == ["mitosis (shipped)"]


def test_each_channel_is_shown_or_all_of_them(
    panel: LatentsPanel,
    session: Session,
    two_channels: Any,
    coded: Callable[..., Any],
    qtbot: Any,
) -> None:
    code = coded(3, two_channels)
    session.service(LatentService)._on_atlas(atlas_of(code))
    qtbot.waitUntil(lambda: panel.strips.complete, timeout=60_000)
    box = panel.desk_box.channel_box
    assert box.isVisible()
    assert box.count() == 3
    assert not panel.delegate.strips[0][0].isGrayscale()
    box.chosen.emit("1")
    assert panel.delegate.strips[0][0].isGrayscale()
    qtbot.waitUntil(lambda: panel.desk_box.picture.image.isGrayscale(), timeout=9_000)
    layers = len(session.viewer.layers)
    panel.open_layer(0)
    assert len(session.viewer.layers) == layers + 1
    box.chosen.emit("all")
    panel.open_layer(0)
    assert len(session.viewer.layers) == layers + 3


def test_a_trained_encoder_is_read_described_and_renamed(
    panel: LatentsPanel, session: Session, trained: Any, qtbot: Any
) -> None:
    session.project = trained
    service = session.service(LatentService)
    qtbot.waitUntil(
        lambda: service.code is not None and service.code.atlas is not None,
        timeout=120_000,
    )
    assert sorted(panel.model.latents)[-6:] == list(range(6))
    assert "of 6 latents" in panel.card.text.text()
    panel.rename(2, "roundness")
    assert trained.latent_atlas().label(2) == "roundness z2"
    assert service.code is not None
    assert service.code.label(2) == "roundness z2"
    panel.rename(2, "x" * 99)
    assert panel.card.property("kind") == "error"


def test_another_encoder_is_described_though_the_first_was_being_described(
    panel: LatentsPanel,
    session: Session,
    coded: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
    qtbot: Any,
) -> None:
    first, second = coded(2), coded(3)
    service = session.service(LatentService)
    go_on = threading.Event()

    def describe(encoder: Any, on_event: Any, token: Any) -> LatentAtlas:
        if encoder is first.encoder:
            go_on.wait(30)
            token.raise_if_cancelled()
        return atlas_of(first if encoder is first.encoder else second)

    monkeypatch.setattr(type(session.project), "latent_atlas", staticmethod(describe))
    service.code = first
    service.find_meaning()
    service.atlas_job.cancel()
    service._on_opened(second)
    go_on.set()
    qtbot.waitUntil(lambda: service.code.atlas is not None, timeout=30_000)
    assert service.code.size == 3
    assert panel.model.latents == [0, 1, FOLD]


def test_rows_show_strips_of_the_active_latents_and_fold_the_others(
    shown: LatentsPanel,
) -> None:
    code = shown._shown
    assert shown.model.latents == [0, 1, 2, 3, FOLD]
    assert "1 latent carries nothing" in shown.model.fold_words()
    for latent in range(3):
        expected = traverse(code.encoder, latent)
        np.testing.assert_allclose(shown.strips.strips[latent], expected, atol=1e-5)
        assert len(shown.delegate.strips[latent]) == 7
    assert shown.strips.effects[0].shape == (1, 64, 64)
    shown.model.toggle_fold()
    assert shown.model.latents == [0, 1, 2, 3, FOLD, 4]
    assert "4 of 5 latents carry information" in shown.card.text.text()


def test_dragging_on_a_strip_changes_the_cell(
    shown: LatentsPanel, session: Session, qtbot: Any
) -> None:
    desk, view = shown.desk, shown.view
    before = shown.desk_box.picture.image
    index = shown.model.index(1, 0)
    zones = shown.delegate.zones(view.visualRect(index), index)
    at = QPoint(round(zones.x_of(2.0)), round(zones.slider.center().y()))
    qtbot.mousePress(view.viewport(), LEFT, NONE, at)
    assert desk.z[1] == pytest.approx(2.0, abs=0.05)
    far = QPoint(view.viewport().width() + 50, at.y())
    qtbot.mouseMove(view.viewport(), far)
    qtbot.mouseRelease(view.viewport(), LEFT, NONE, far)
    qtbot.waitUntil(lambda: shown.desk_box.picture.image is not before, timeout=10_000)
    assert "z1 = +" in shown.desk_box.values.text()
    assert shown.desk_box.reset.isEnabled()
    view.setCurrentIndex(index)
    value = float(desk.z[1])
    qtbot.keyClick(view, Qt.Key.Key_Left)
    assert desk.z[1] == pytest.approx(value - 0.25)
    qtbot.mouseDClick(view.viewport(), LEFT, NONE, at)
    assert desk.z[1] == 0
    desk.set_value(0, -9)
    assert desk.z[0] == -3
    shown.desk_box.reset.click()
    assert not desk.edited


def test_opened_after_the_cells_were_encoded_its_sliders_work(
    dock: Callable[[type], Any], session: Session, coded: Callable[[int], Any]
) -> None:
    code = coded(3)
    panel = dock(LatentsPanel)
    panel.desk.set_value(2, 1.0)
    assert panel.desk.z.tolist() == [0, 0, 1]
    panel._show_picture()
    assert panel.desk_box.picture.image is not None
    assert code.label(2) in panel.desk_box.values.text()


def test_it_starts_from_the_selected_cell_and_stays_once_changed(
    shown: LatentsPanel, session: Session, qtbot: Any
) -> None:
    code, desk = shown._shown, shown.desk
    session.select(7)
    shown.desk_box.start_box.chosen.emit("cell")
    np.testing.assert_array_equal(desk.z, code.latents[7])
    qtbot.waitUntil(lambda: not shown._settle.isActive(), timeout=10_000)
    qtbot.waitUntil(lambda: shown.strips.complete, timeout=60_000)
    expected = traverse(code.encoder, 0, anchor=code.latents[7])
    np.testing.assert_allclose(shown.strips.strips[0], expected, atol=1e-5)
    session.select(8)
    np.testing.assert_array_equal(desk.z, code.latents[8])
    desk.set_value(0, 1.5)
    session.select(9)
    assert desk.row == 8
    desk.reset()
    assert desk.row == 9
    shown.desk_box.start_box.chosen.emit("zero")
    assert not desk.z.any()


def test_the_way_to_another_cell_is_played(
    shown: LatentsPanel, session: Session, qtbot: Any
) -> None:
    code, desk = shown._shown, shown.desk
    session.select_many([3, 11], 3)
    shown.section.expand()
    assert desk.ends == (3, 11)
    qtbot.waitUntil(lambda: shown.towards.play.isEnabled(), timeout=10_000)
    assert "It takes most: " in shown.towards.words.text()
    shown.towards.slider.setValue(25)
    middle_of_way = interpolate(code.encoder, code.latents[3], code.latents[11], 3)[1]
    np.testing.assert_allclose(
        code.encoder.decode(desk.z[None])[0], middle_of_way, atol=1e-5
    )
    shown.towards.slider.setValue(48)
    shown.towards.toggle()
    qtbot.waitUntil(lambda: desk.part == 1.0, timeout=10_000)
    np.testing.assert_allclose(desk.z, code.latents[11], atol=1e-6)
    qtbot.waitUntil(lambda: not shown.towards._timer.isActive(), timeout=10_000)
    session.select(5)
    shown.towards.first.clicked.emit()
    assert desk.ends == (5, 11)


def test_names_are_accepted_typed_and_taken_back(
    shown: LatentsPanel, session: Session, qtbot: Any
) -> None:
    service = session.service(LatentService)
    model, view = shown.model, shown.view
    assert model.waiting(model.index(0, 0)) == "size"
    assert model.waiting(model.index(1, 0)) == "elongation"
    assert model.waiting(model.index(2, 0)) is None
    qtbot.mouseClick(view.viewport(), LEFT, NONE, middle(shown, 1, "accept"))
    assert service.code.label(1) == "elongation z1"
    view.setCurrentIndex(model.index(2, 0))
    assert model.setData(
        model.index(2, 0), " brightness ", int(Qt.ItemDataRole.EditRole)
    )
    assert service.code.label(2) == "brightness z2"
    view.edit(model.index(2, 0))
    editor = view.focusWidget() or QApplication.focusWidget()
    assert editor is not None
    view.asked.emit(0, "none")
    assert service.code.label(0) == "z0"
    view.asked.emit(0, "found")
    assert service.code.label(0) == "size z0"


def test_the_card_says_whose_names_there_are_and_how_many_wait(
    shown: LatentsPanel,
) -> None:
    assert "4 of 5 latents carry information, 1 named (found here)." in (
        shown.card.text.text()
    )
    assert "2 names wait for your word" in shown.card.reason.text()
    atlas = shown._shown.atlas
    mine = atlas.called({1: ("elongation", "bundle")})
    assert words.named_words(mine) == "2 named (1 found here, 1 with the encoder)"
    assert words.waiting_words(mine) == "1 name waits for your word (✓)."
    none = atlas.called({0: ("", "user"), 1: ("", "user")})
    assert (words.named_words(none), words.waiting_words(none)) == ("none named", "")
    named = words.describe(mine[1])
    assert "Named with the encoder" in named
    assert "F2" in named


def test_a_narrow_desk_shows_all_of_its_boxes(session: Session, qtbot: Any) -> None:
    box = DeskBox(session)
    qtbot.addWidget(box)
    box.show()
    box.resize(340, 160)
    assert box.picture.width() == PICTURE
    box.resize(242, 160)
    assert box.picture.width() == SMALLER
    qtbot.waitUntil(lambda: box.minimumSizeHint().width() <= 242, timeout=9_000)
    box.resize(242, 160)
    box.layout().activate()
    assert box.reset.geometry().right() <= box.width() == 242
    assert box.start_box.width() > 60


def test_a_choice_that_does_not_fit_ends_with_an_ellipsis(qtbot: Any) -> None:
    box = ChoiceBox("What is shown")
    qtbot.addWidget(box)
    box.offer([[Choice("a", "neighbours along the diagonals z13")]], "a")
    box.resize(90, 24)
    narrow = box.grab().toImage()
    box.offer([[Choice("b", "neighbours along the axes z12")]], "b")
    # What is cut off differs: both look the same.
    assert box.grab().toImage() == narrow
    box.resize(400, 24)
    wide = box.grab().toImage()
    box.offer([[Choice("a", "neighbours along the diagonals z13")]], "a")
    assert box.grab().toImage() != wide


def test_a_latent_is_put_on_the_map_from_here(
    shown: LatentsPanel, session: Session
) -> None:
    shown.view.asked.emit(3, "x")
    assert session.service(MapService).axes[0] == "z3"


def test_a_strip_becomes_a_layer_beside_the_movie(
    shown: LatentsPanel, session: Session, viewer: Any
) -> None:
    image = next(layer for layer in viewer.layers if layer.name == "movie")
    layer = shown.open_layer(0)
    assert layer.data.shape == (25, *image.data.shape[:-2], 64, 64)
    assert layer.extent.world[0, 0] == -3
    assert layer.extent.world[1, 0] == 3
    assert layer.extent.world[0, -1] > image.extent.world[1, -1]
    expected = traverse(shown._shown.encoder, 0, steps=25)[:, 0]
    np.testing.assert_allclose(layer.data[:, 2], expected, atol=1e-6)
    viewer.dims.set_point(0, 1.0)
    session.select(4, go=True)


def test_tooltips_explain_every_part(shown: LatentsPanel) -> None:
    index = shown.model.index(0, 0)
    rect = shown.view.visualRect(index)
    zones = shown.delegate.zones(rect, index)

    def tip(part: str) -> str:
        return shown.delegate.tip(index, rect, getattr(zones, part).center().toPoint())

    assert "Found by itself" in tip("name")
    assert "Both say so." in tip("name")
    assert "nats per cell" in tip("bar")
    assert "the cell itself" in tip("chip")
    assert "Drag" in tip("strip")
    assert "bright is much" in tip("effect")


def test_evidence_is_told_in_plain_words() -> None:
    info = LatentInfo(
        index=3,
        kl=1.234,
        variance=0.8,
        active=True,
        category="morphology",
        component="axes",
        shares={"axes": 0.9},
        stability=0.98,
        correlations={"area": Correlation(0.85, 0.8, 0.9, 0.5)},
        centre_share=0.7,
    )
    told = "\n".join(words.evidence(info))
    assert "90% of it changes its sign when the picture is turned by 90°" in told
    assert "area 0.85 [0.80–0.90]" in told
    assert "70% of its effect is where the cell lies" in told
    assert words.activity(info).startswith("1.23 nats")


@pytest.mark.parametrize("width", [200, 260, 340, 900])
def test_the_parts_of_a_row_never_overlap(width: int) -> None:
    from qtpy.QtCore import QRect

    zones = zones_of(QRect(0, 0, width, 80), 400)
    assert zones.name.right() < zones.accept.left() < zones.chip.left() + 1
    assert zones.chip.right() < zones.bar.left()
    assert zones.strip.right() < zones.effect.left()
    assert zones.effect.right() <= width
    for value in (-3.0, 0.0, 1.3, 3.0):
        assert zones.value_at(zones.x_of(value)) == pytest.approx(value)
    assert zones.value_at(-99) == -3
    assert zones.value_at(9999) == 3


def test_one_latent_and_128_are_shown_and_only_those_in_view_are_decoded(
    panel: LatentsPanel, session: Session, coded: Callable[[int], Any], qtbot: Any
) -> None:
    service = session.service(LatentService)
    service._on_atlas(atlas_of(coded(1)))
    assert panel.model.latents == [0]
    code = coded(128)
    service._on_atlas(atlas_of(code))
    qtbot.waitUntil(lambda: panel.strips.complete, timeout=60_000)
    seen = set(panel.view.in_view())
    assert 3 <= len(seen) < 20
    assert set(panel.strips.strips) <= set(range(25))
    panel.view.scrollToBottom()
    qtbot.waitUntil(lambda: panel.strips.complete, timeout=60_000)
    assert 126 in panel.strips.strips
    assert 60 not in panel.strips.strips


def test_table_figure_code_and_command_leave_it(
    shown: LatentsPanel, session: Session, tmp_path: Path
) -> None:
    shown.save_data(str(tmp_path / "latents.csv"))
    table = pd.read_csv(tmp_path / "latents.csv")
    assert len(table) == 5
    shown.save_figure(str(tmp_path / "latents.png"))
    assert (tmp_path / "latents.png").stat().st_size > 1000
    compile(shown.python_code() or "", "copied", "exec")
    assert (shown.command_line() or "").startswith("cellsci latents ")


def test_two_channels_are_shown_together_or_one_at_a_time() -> None:
    from napari_cellsci.panels.latents.pictures import decoded_images, effect_image

    crops = np.random.default_rng(0).normal(size=(3, 2, 16, 16))
    limits = np.array([[-2, 2], [-2, 2]], np.float32)
    both = decoded_images(crops, limits, None)
    one = decoded_images(crops, limits, 1)
    assert len(both) == len(one) == 3
    assert not both[0].isGrayscale()
    assert one[0].isGrayscale()
    assert effect_image(np.abs(crops[0]), None).width() == 16


def test_opened_and_closed_five_times_with_cells_it_leaves_nothing(
    viewer: Any, session: Session, coded: Callable[[int], Any]
) -> None:
    code = coded(4)
    session.service(LatentService)._on_atlas(atlas_of(code))
    gone, counts = [], []
    for _ in range(5):
        panel = LatentsPanel(viewer)
        viewer.window.add_dock_widget(panel, name="latents")
        panel.show()
        panel.desk.set_value(0, 1.0)
        QApplication.processEvents()
        gone.append(weakref.ref(panel))
        viewer.window.remove_dock_widget(panel.parent())
        del panel
        for _ in range(4):
            QApplication.processEvents()
            QApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete.value)
        gc.collect()
        counts.append(len(session.scores_changed))
    assert [ref() for ref in gone] == [None] * 5
    assert len(set(counts)) == 1
