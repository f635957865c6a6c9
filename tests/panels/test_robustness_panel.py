from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from qtpy.QtCore import Qt

from napari_cellsci.panels.robustness.desk import AttackDesk, Choice
from napari_cellsci.panels.robustness.panel import RobustnessPanel
from napari_cellsci.panels.robustness.words import epsilon_in_words, seen_in_words
from napari_cellsci.viewer.attack_layers import AttackedStack, AttackLayers
from napari_cellsci.viewer.session import Session, get_session

pytestmark = pytest.mark.gui


@pytest.fixture
def session(viewer: Any) -> Session:
    return get_session(viewer)


@pytest.fixture
def panel(dock: Callable[[type], Any]) -> RobustnessPanel:
    found: RobustnessPanel = dock(RobustnessPanel)
    return found


def wait(qtbot: Any, job: Any) -> None:
    qtbot.waitUntil(lambda: not job.state.busy, timeout=120_000)
    assert job.failure is None, job.failure


def test_one_gradient_gives_any_epsilon(trained: Any) -> None:
    bundle = trained.bundle("tiny")
    crop = trained.crops()[5]
    scores = trained.score(bundle).table
    desk = AttackDesk(bundle, crop, Choice())
    assert desk.score == pytest.approx(scores["score"].loc[5], abs=1e-4)
    still = desk.at(0.0)
    assert still.score == pytest.approx(desk.score, abs=1e-5)
    np.testing.assert_array_equal(still.attacked, desk.original)
    away = desk.at(0.4)
    assert np.abs(away.difference).max() <= 0.4
    way = 1 if desk.decided == 1 else -1
    assert (away.score - desk.score) * way < 0
    attacked = trained.attack(bundle, epsilon=0.4, cells=[5]).table
    # The desk leads away from what the cell is taken for, as it has no label there.
    if attacked["reference"].iloc[0] == bundle.classes[desk.decided]:
        assert away.score == pytest.approx(attacked["score_after"].iloc[0], abs=1e-3)
    smallest = desk.smallest()
    if np.isfinite(smallest):
        assert desk.at(smallest + 1e-3).decided != desk.decided
    one = AttackDesk(bundle, crop, Choice(member=1, space="latent", mask=(2,)))
    moved = one.moved_latents(1.0)
    assert moved is not None
    assert set(np.flatnonzero(moved)) <= {2}
    assert "2.00 standard deviations" in epsilon_in_words(one, 2.0, None)
    assert "camera noise" in epsilon_in_words(desk, 0.1, 0.05)
    assert "Unchanged" in seen_in_words(desk, still, None)


def test_without_a_project_it_says_what_comes_first(panel: RobustnessPanel) -> None:
    assert "No cells yet" in panel.card.text.text()
    assert panel.python_code() is None
    assert panel.command_line() is None
    assert not panel.form.isVisible()


def test_a_cell_is_attacked_shown_blended_and_put_back(
    panel: RobustnessPanel, session: Session, viewer: Any, trained: Any, qtbot: Any
) -> None:
    session.project = trained
    wait(qtbot, panel.service.job)
    assert "Select a cell" in panel.card.reason.text()
    session.select(5)
    assert panel.desk is not None
    assert [shot.title for shot in panel.pictures.shots][:3] == [
        *("original", "attacked", "difference")
    ]
    panel.epsilon.set_value(0.5)
    assert "grey levels" in panel.epsilon.words.text()
    before = len(viewer.layers)
    panel.show_layers()
    layers = session.service(AttackLayers)
    assert set(layers.keys) >= {"original", "attacked", "difference"}
    shown = {key: layers._find(key) for key in layers.keys}
    panel.epsilon.set_value(0.2)
    assert all(layers._find(key) is layer for key, layer in shown.items())
    assert np.abs(shown["difference"].data).max() == pytest.approx(0.2)
    low, high = shown["difference"].contrast_limits
    assert low == -high
    panel.play()
    panel._next_frame()
    assert panel.epsilon.value == 0
    panel._next_frame()
    assert panel.epsilon.value == pytest.approx(1 / 24, abs=1e-3)
    panel.play()
    assert not panel._timer.isActive()
    panel.epsilon.set_value(0.2)
    panel.undo()
    assert len(viewer.layers) == before
    # Away from its class, as code.
    assert "kind='fgsm-image'" in (panel.python_code() or "")
    assert "--kind fgsm-image --eps 0.2" in (panel.command_line() or "")
    view = viewer.scene.camera.zoom
    panel.show_layers()
    assert viewer.scene.camera.zoom != view
    panel.undo()
    assert viewer.scene.camera.zoom == view
    panel.many.cells.setCurrentIndex(1)
    panel.attack_many()
    wait(qtbot, panel.service.movie_job)
    blended = panel.service.blended
    assert blended is not None
    assert layers.shows_movie
    rows = blended.attacked.rows
    assert set(rows) == set(session.table.rows_of_track(5).tolist())  # type: ignore[union-attr]
    assert session.scores is not None
    np.testing.assert_allclose(
        session.scores.score[rows], blended.attacked.table["score_after"], rtol=1e-5
    )
    panel.many.scores.setCurrentIndex(2)
    panel.many.scores.activated.emit(2)
    np.testing.assert_allclose(
        session.scores.score[rows], blended.attacked.table["score_before"], atol=1e-3
    )
    stack = layers._find("movie attacked 0").data
    assert isinstance(stack, AttackedStack)
    movie = trained.movie()
    assert stack.shape == (movie.n_frames, *movie.shape)
    t = int(blended.movie.frames[0])
    full = stack[t] - movie.frame(t)[0]
    panel.epsilon.set_value(0.1)
    assert "shows ε = 0.1; scores and list are of 0.2" in panel.many.shown_at.text()
    np.testing.assert_allclose(stack[t] - movie.frame(t)[0], full / 2, atol=1e-2)
    panel.epsilon.set_value(0.0)
    np.testing.assert_array_equal(stack[t], movie.frame(t)[0].astype(np.float32))
    assert panel.many.flips.count() == len(blended.attacked.flips)
    panel.undo()
    assert not layers.keys
    assert panel.service.blended is None
    panel.service.choose("tiny")
    wait(qtbot, panel.service.job)
    trained.add_formula("2*z0 - 3*z1 + 0.5", name="formula")
    panel.failing.every.setChecked(True)
    panel.failing.fail()
    wait(qtbot, panel.service.failure_job)
    assert list(panel.service.failures.answers) == ["tiny", "formula"]  # type: ignore[union-attr]
    assert "formula" in panel.failing.others.text()
    assert len(panel.failing.pictures.shots) == 7
    assert "blank" in [shot.first for shot in panel.failing.pictures.shots]


def test_latents_are_ticked_and_classes_attacked_by_just_enough(
    panel: RobustnessPanel, session: Session, trained: Any, qtbot: Any
) -> None:
    session.project = trained
    service, form = panel.service, panel.form
    wait(qtbot, service.job)
    wait(qtbot, service.atlas_job)
    atlas = service.opened.atlas  # type: ignore[union-attr]
    assert atlas is not None
    # As if this small encoder had learned something, and someone named it.
    named = replace(atlas.latents[0], active=True, name="size")
    latents = (named, *atlas.latents[1:])
    service._on_atlas(replace(atlas, latents=latents))
    session.select(5)
    form.what.setCurrentIndex(form.what.findData("chosen"))
    form.what.activated.emit(form.what.currentIndex())
    assert form.picker.isVisible()
    assert "Tick" in panel.said.text()
    assert panel.many.line.button.isEnabled() is False
    assert not panel.smallest_button.isEnabled()
    assert form.picker.item(0).text() == named.label
    form.picker.item(0).setCheckState(Qt.CheckState.Checked)
    first = form.picker.chosen[0]
    assert panel.desk is not None
    moved = panel.desk.moved_latents(1.0)
    assert moved is not None
    assert np.flatnonzero(moved).tolist() == [first]
    many, positive = panel.many, trained.classes[1]
    assert many.cells.findData("class prophase") < 0
    many.cells.setCurrentIndex(many.cells.findData(f"class {positive}"))
    many.enough.setChecked(True)
    options = panel.options()
    assert options == {
        "kind": "minimal-latent",
        "latents": [first],
        "cells": positive,
    }
    assert f"--kind minimal-latent --latents {first} --cells {positive}" in (
        panel.command_line() or ""
    )
    panel.attack_many()
    wait(qtbot, service.movie_job)
    assert service.blended is not None
    table = service.blended.attacked.table
    assert (table["label"] == positive).all()
    assert (table["flipped"] == table["epsilon"].gt(0)).all()
    assert f"{positive} → " in many.said.text()
    assert "% of what moves the score lies on the cell" in many.said.text()
    panel.undo()


def test_every_channel_of_a_crop_is_a_layer(viewer: Any, session: Session) -> None:
    layers = session.service(AttackLayers)
    two = np.random.default_rng(0).normal(size=(2, 8, 8)).astype(np.float32)
    pictures = dict.fromkeys(("original", "attacked", "difference"), two)
    layers.show_crops(pictures)
    assert len(layers.keys) == 6
    assert layers._find("attacked 1").name == "attacked, channel 1"
    places = {key: tuple(layers._find(key).translate[-2:]) for key in layers.keys}
    assert len(set(places.values())) == 6
    for key in ("difference", "difference 1"):
        low, high = layers._find(key).contrast_limits
        assert low == -high
    layers.show_crops({key: one[:1] for key, one in pictures.items()})
    assert sorted(layers.keys) == ["attacked", "difference", "original"]
    layers.remove()
