"""The cell filter in the Label panel, in a real viewer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from napari_cellsci.panels._jobs import JobState
from napari_cellsci.panels.label import filter_service
from napari_cellsci.panels.label.panel import LabelPanel
from napari_cellsci.viewer.session import Session, get_session

pytestmark = pytest.mark.gui


@pytest.fixture
def session(viewer: Any, mitosis: Any, monkeypatch: pytest.MonkeyPatch) -> Session:
    """A project with every third track labelled as debris."""
    monkeypatch.setattr(filter_service, "RUNS", 2)
    monkeypatch.setattr(filter_service, "COMPARED", ("logistic", "size"))
    mitosis.labels.add_class("debris")
    track = mitosis.cells["track_id"].to_numpy()
    mitosis.labels.set_many(np.flatnonzero(track % 3 == 0).tolist(), "debris")
    mitosis.labels.set_many(np.flatnonzero(track % 3 == 1).tolist(), "interphase")
    found = get_session(viewer)
    found.project = mitosis
    return found


def test_a_filter_is_compared_chosen_on_the_curve_applied_and_undone(
    session: Session, dock: Callable[[type], Any], qtbot: Any
) -> None:
    panel: LabelPanel = dock(LabelPanel)
    panel.filter_section.expand()
    box, labels = panel.filter_box, session.project.labels
    assert box.junk.currentText() == "debris"
    assert not box.apply.isEnabled()
    assert "Compare filters first" in box.apply.toolTip()
    box.method.setCurrentIndex(box.method.findData("logistic"))
    box.run_line.button.click()
    qtbot.waitUntil(lambda: not box.service.job.state.busy, timeout=120_000)
    assert box.service.job.state is JobState.DONE
    names = [box.table.item(r, 0).text() for r in range(box.table.rowCount())]
    assert names == ["logistic regression", "size rule"]
    assert not labels.left_out.size, "nothing is left out before it is asked for"

    middle = box.curve.point_at(0.0, 1.0)
    threshold = box.curve.threshold_near(middle)
    assert threshold is not None
    box.curve.chosen.emit(threshold)
    assert box.threshold.value() == pytest.approx(threshold)
    box.threshold.setValue(0.5)
    box.apply.click()
    known = labels.as_series()
    out = set(labels.left_out.tolist())
    assert set(known.index[known == "debris"]) <= out
    assert not out & set(known.index[known == "interphase"])
    assert "are filtered out now" in box.said.text()
    assert session.project.cell_filters == ["logistic-1"]
    assert session.project.cell_filter().threshold == 0.5

    labels.undo()
    assert "No cell is filtered out" in box.said.text()
    labels.redo()
    box.back.click()
    assert not labels.left_out.size
    box.only.setChecked(True)
    assert session.project.usable_only


def test_labels_of_one_class_disable_it_with_the_reason(
    session: Session, dock: Callable[[type], Any]
) -> None:
    labels = session.project.labels
    series = labels.as_series()
    labels.clear_many(series.index[series == "debris"].tolist())
    panel: LabelPanel = dock(LabelPanel)
    panel.filter_section.expand()
    assert not panel.filter_box.run_line.button.isEnabled()
    assert "some junk first" in panel.filter_box.run_line.words.text()


def test_trouble_is_told_where_it_is(
    session: Session, dock: Callable[[type], Any], qtbot: Any
) -> None:
    labels = session.project.labels
    series = labels.as_series()
    debris = series.index[series == "debris"]
    labels.clear_many(debris[1:].tolist())
    panel: LabelPanel = dock(LabelPanel)
    panel.filter_section.expand()
    box = panel.filter_box
    box.junk.setCurrentIndex(box.junk.findData("debris"))
    box.method.setCurrentIndex(box.method.findData("size"))
    box.learn()
    qtbot.waitUntil(lambda: not box.service.job.state.busy, timeout=120_000)
    assert box.service.job.state is JobState.FAILED
    assert "labelled debris" in box.said.text()
