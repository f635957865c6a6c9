"""Formulas of one class against the others: the numbers, and the panel."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

from napari_cellsci.panels.expressions.about import (
    chosen,
    labels_about,
    sides_of,
)
from napari_cellsci.viewer.session import get_session

NAMES = ("inter", "meta", "ana")


def test_sides_labels_and_the_class_that_is_meant() -> None:
    assert sides_of(("a", "b"), "a") == ("a", "b")
    assert sides_of(NAMES, "meta") == ("not meta", "meta")
    assert chosen(NAMES, "meta") == "meta"
    assert chosen(NAMES, "") == "ana"
    series = pd.Series(["meta", "inter", "junk", "ana"], index=[0, 2, 3, 5])
    assert labels_about(series, NAMES, "meta", 6).tolist() == [1, -1, 0, -1, -1, 0]
    two = labels_about(series, ("inter", "meta"), "inter", 6)
    assert two.tolist() == [1, -1, 0, -1, -1, -1]


@pytest.mark.gui
def test_the_panel_writes_about_one_class_at_a_time(
    viewer: Any, dock: Callable[[type], Any], trained: Any, qtbot: Any
) -> None:
    from napari_cellsci.panels.expressions.panel import ExpressionsPanel

    trained.labels.add_class("odd")
    series = trained.labels.as_series()
    some = series.index[series == "interphase"][::4]
    trained.labels.set_many(some.tolist(), "odd")
    names = ["interphase", "metaphase", "odd"]
    trained.train_head(2, models=2, min_steps=5, epochs=1, name="three", classes=names)
    get_session(viewer).project = trained
    panel: ExpressionsPanel = dock(ExpressionsPanel)
    service = panel.service
    service.choose("three")

    def opened(about: str) -> Callable[[], bool]:
        def check() -> bool:
            now = service.opened
            busy = service.job.state.busy
            return not busy and now is not None and now.about == about

        return check

    qtbot.waitUntil(opened("odd"), timeout=120_000)
    qtbot.waitUntil(lambda: panel.about.isVisible())
    assert [panel.about.itemText(i) for i in range(3)] == names
    subject = service.bench.subject
    assert subject is not None
    assert subject.classes == ("not odd", "odd")
    labels = trained.labels.as_series()
    assert (subject.labels == 1).sum() == (labels == "odd").sum()
    assert (subject.labels == 0).sum() == labels.isin(names[:2]).sum()
    service.choose_about("interphase")
    qtbot.waitUntil(opened("interphase"), timeout=120_000)
    assert service.opened is not None
    table = service.opened.scores.table
    scores = trained.score("three").table
    called = scores["prediction"].to_numpy() == "interphase"
    np.testing.assert_array_equal(table["score"].to_numpy() >= 0, called)
    service.bench.write("z0 + 1")
    service.show()
    session = get_session(viewer)
    assert session.scores is not None
    assert session.scores.names[:2] == ("not interphase", "interphase")
    # The panel is told of renamed classes by their present names.
    trained.labels.rename_class("odd", "strange")
    assert service.bench.subject is not None
    assert (service.bench.subject.labels == 0).any()
