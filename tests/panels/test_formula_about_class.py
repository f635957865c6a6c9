"""Formulas of one class against the others: the numbers, and the panel."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

from napari_cellsci.errors import InputError
from napari_cellsci.panels.expressions.about import (
    chosen,
    labels_about,
    sides_of,
)
from napari_cellsci.panels.expressions.search import fronts_about
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


def test_fronts_of_a_search_are_those_of_the_class_that_is_meant() -> None:
    fronts = {task: [task] for task in range(5)}  # the second run is under way
    assert fronts_about(fronts, NAMES, "meta") == [[1], [4]]
    assert fronts_about(fronts, NAMES, "ana") == [[2]]
    assert fronts_about(fronts, NAMES, "other") == []
    assert len(fronts_about(fronts, NAMES[:2], "meta")) == 5
    assert fronts_about(fronts, NAMES[:2], "inter") == []


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
    # Where all classes lie is told of formulas that the project keeps.
    more = panel.more
    qtbot.waitUntil(lambda: more.regions_section.isVisible())
    more.regions_section.expand()
    assert "Search for formulas first" in more.regions.words.text()
    trained.labels.use_class("odd", True)
    kept = trained.add_formula(["z0", "z1", "z2 - 1"], name="each")
    trained.labels.use_class("odd", False)
    trained.add_formula("z3 - 0.5", name="of two")  # of other classes
    trained.labels.use_class("odd", True)
    service.take_found()
    assert [bundle.name for bundle in service.kept] == ["each"]
    more.show_now()
    text = more.regions.words.text()
    assert "<b>odd</b>" in text
    assert "≥ 0 (else rather metaphase)" in text
    found = trained.formula_regions(kept)
    assert [region.name for region in found] == names
    assert sum(region.share for region in found) == pytest.approx(1)
    assert trained.formula_regions(kept, 0) == found
    with pytest.raises(InputError, match="models 0 to 0"):
        trained.formula_regions(kept, 1)
    with pytest.raises(InputError, match="no formulas"):
        trained.formula_regions("three")
    # The panel is told of renamed classes by their present names.
    trained.labels.rename_class("odd", "strange")
    assert service.bench.subject is not None
    assert (service.bench.subject.labels == 0).any()
