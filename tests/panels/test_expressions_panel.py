from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication

from napari_cellsci.panels._jobs import JobState
from napari_cellsci.panels.expressions.panel import ExpressionsPanel
from napari_cellsci.panels.score.service import ScoreService
from napari_cellsci.viewer.session import Session, get_session

pytestmark = pytest.mark.gui


@pytest.fixture
def session(viewer: Any) -> Session:
    return get_session(viewer)


@pytest.fixture
def panel(dock: Callable[[type], Any]) -> ExpressionsPanel:
    found: ExpressionsPanel = dock(ExpressionsPanel)
    return found


def opened(qtbot: Any, panel: ExpressionsPanel) -> JobState:
    def check() -> None:
        assert not panel.service.job.state.busy
        assert not panel.service.atlas_job.state.busy

    qtbot.waitUntil(check, timeout=60_000)
    return panel.service.job.state


@pytest.fixture
def ready(
    panel: ExpressionsPanel, session: Session, trained: Any, qtbot: Any
) -> Iterator[ExpressionsPanel]:
    """The panel on a project with labels and a classifier of six latents."""
    session.project = trained
    assert opened(qtbot, panel) is JobState.DONE
    yield panel
    session.project = None  # before it is closed


def typed(panel: ExpressionsPanel, text: str) -> None:
    panel.writing.editor.setPlainText(text)
    panel.writing.editor.flush()


def test_it_says_what_comes_first(
    panel: ExpressionsPanel, session: Session, mitosis: Any
) -> None:
    assert "No cells yet" in panel.card.text.text()
    assert not panel.writing.isVisible()
    session.project = mitosis
    assert "no classifier on latents" in panel.card.text.text()
    assert panel.card.button.text() == "Use the shipped one"
    assert panel.python_code() is None
    assert not panel.has_data()


def test_it_begins_with_a_line_and_says_how_good_it_is(
    ready: ExpressionsPanel, session: Session
) -> None:
    written = ready.bench.written
    assert written is not None
    assert ready.writing.editor.toPlainText() == ready.bench.text
    assert session.project is not None
    labels = session.project.labels.as_series()
    known = labels.isin(ready.service.opened.bundle.classes)  # type: ignore[union-attr]
    assert written.verdict.labelled == int(known.sum()) > 0
    assert "Balanced accuracy" in ready.facts.labels.text()
    assert "Agrees with tiny" in ready.facts.network.text()
    assert session.scores is None  # nothing is coloured before it is asked for
    assert ready.card.button.text() == "Show the formula"


def test_scores_follow_what_is_typed(
    ready: ExpressionsPanel, session: Session, qtbot: Any
) -> None:
    typed(ready, "z0 - 0.1")
    ready.card.button.click()
    service = session.service(ScoreService)
    assert session.scores is not None
    z0 = ready.bench.subject.latents[:, 0].astype(float)  # type: ignore[union-attr]
    np.testing.assert_allclose(session.scores.score, z0 - 0.1, rtol=1e-4, atol=1e-5)
    assert session.bundle is not None
    assert service.scored is not None
    typed(ready, "z0 - 0.")
    typed(ready, "z0 - (0.3")
    assert ready.bench.error is not None
    assert ready.writing.wrong.isVisible()
    assert "never closed" in ready.writing.wrong.text()
    marks = ready.writing.editor.extraSelections()
    assert marks[0].cursor.selectedText() == "("
    # The text is wrong: what was last right is still shown.
    np.testing.assert_allclose(session.scores.score, z0, rtol=1e-4, atol=1e-5)
    QTest.keyClick(
        ready.writing.editor, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier
    )
    assert ready.bench.text == "z0 - 0."
    assert not ready.writing.wrong.isVisible()
    middle = round(float(np.median(z0)), 4)
    typed(ready, f"log(z0 - {middle})")
    undefined = int((z0 <= middle).sum())
    assert 0 < undefined < session.n_cells
    assert int(session.scores.scored.sum()) == session.n_cells - undefined
    assert f"{undefined} without a score" in ready.facts.undefined.text()
    assert "no value for" in ready.facts.cells.text()
    assert not ready.service.job.state.busy  # it was not opened again
    ready.card.button.click()
    assert ready.card.button.text() == "Show the formula"
    found = ready.service.opened.scores.table["score"]  # type: ignore[union-attr]
    np.testing.assert_allclose(session.scores.score, found, rtol=1e-5)


def test_a_formula_of_the_list_scores_the_movie(
    ready: ExpressionsPanel, session: Session, tmp_path: Path
) -> None:
    for text in ("z1", "z0 + square(z1)", "exp(exp(9*z2))"):
        typed(ready, text)
        ready.writing.add.click()
    items = ready.list.shown.items
    assert [one.verdict.size for one in items] == [1, 4, 5]
    ready.list.grab()
    place = ready.list.visualRect(ready.list.shown.index(1)).center()
    QTest.mouseClick(ready.list.viewport(), Qt.MouseButton.LeftButton, pos=place)
    assert ready.bench.written is not None
    assert ready.bench.written.expression == items[1].expression
    assert session.scores is not None
    z = ready.bench.subject.latents.astype(float)  # type: ignore[union-attr]
    expected = z[:, 0] + z[:, 1] ** 2
    np.testing.assert_allclose(session.scores.score, expected, rtol=1e-4, atol=1e-5)
    QTest.keyClick(ready.list, Qt.Key.Key_Down)
    assert ready.bench.written.expression == items[2].expression
    QTest.keyClick(ready.list, Qt.Key.Key_Delete)
    assert len(ready.list.shown.items) == 2
    ready.save_data(str(tmp_path / "formulas.csv"))
    table = pd.read_csv(tmp_path / "formulas.csv")
    assert list(table["size"]) == [1, 4]
    for width in (260, 700):
        ready.list.resize(width, 200)
        ready.list.grab()


def test_cells_at_odds_are_selected(ready: ExpressionsPanel, session: Session) -> None:
    typed(ready, "1 + 0*z0")
    written = ready.bench.written
    assert written is not None
    ready.facts.unlike_labels.click()
    wrong = written.against_labels
    assert session.current == wrong[0]
    assert set(session.selected) == set(wrong[:200])
    ready.facts.unlike_network.click()
    assert session.current == written.against_network[0]


def test_labels_and_names_are_taken_over(
    ready: ExpressionsPanel, session: Session
) -> None:
    project = session.project
    assert project is not None
    typed(ready, "z0")
    before = ready.bench.written
    assert before is not None
    row = int(np.flatnonzero(before.subject.labels >= 0)[0])
    project.labels.clear(row)
    assert ready.bench.written is not None
    assert ready.bench.written.verdict.labelled == before.verdict.labelled - 1
    opened_ = ready.service.opened
    assert opened_ is not None
    atlas = project.rename_latent(0, "size", opened_.bundle.encoder)
    ready.service._on_atlas(atlas)
    subject = ready.bench.subject
    assert subject is not None
    assert subject.names["z0"] == "size"
    typed(ready, "size + 1")
    assert ready.bench.written.expression.names == ("z0",)
    # Completion knows the name and writes the symbol.
    editor = ready.writing.editor
    typed(ready, "")
    QTest.keyClicks(editor, "siz")
    assert editor._completer.popup().isVisible()
    editor._complete(editor._completer.currentCompletion())
    assert editor.toPlainText() == "z0"
    editor._completer.popup().hide()


def test_a_formula_is_copied_as_text_latex_and_python(ready: ExpressionsPanel) -> None:
    typed(ready, "z0*square(z1) - 0.5")
    clipboard = QApplication.clipboard()
    ready.writing.copy_latex()
    assert clipboard.text() == r"z_{0}\,z_{1}^{2} - 0.5"
    ready.writing.copy_plain()
    assert clipboard.text() == "z0 * square(z1) - 0.5"
    ready.writing.copy_python()
    compile(clipboard.text(), "copied", "exec")
    compile(ready.python_code() or "", "copied", "exec")


def test_both_themes_are_painted(ready: ExpressionsPanel, viewer: Any) -> None:
    typed(ready, "z0 - square(z1)")
    ready.writing.add.click()
    dark = ready.writing.formula.grab().toImage()
    viewer.theme = "light"
    assert ready.writing.formula.grab().toImage() != dark
    ready.grab()


def test_what_it_means_where_it_decides_and_its_parts_are_shown(
    ready: ExpressionsPanel, session: Session, tmp_path: Path
) -> None:
    more = ready.more
    for section in more.sections:
        section.expand()
    typed(ready, "z0*(square(z1) + 1) - exp(z2)")
    more.show_now()
    assert "metaphase where" in more.words.text()
    box = more.boundary
    assert box.view.picture is not None
    assert [slider.node.number for slider in box._held] == [2]
    before = box.view.picture.response.total
    box._held[0].slider.setValue(box._held[0].slider.maximum())
    assert not np.array_equal(box.view.picture.response.total, before)
    session.select(3)
    more.show_now()
    box.as_cell.setChecked(True)
    code = ready.bench.subject.latents[3]  # type: ignore[union-attr]
    assert box._held[0].value == pytest.approx(code[2], abs=0.02)
    box.second.chosen.emit("")
    box.second.setCurrentIndex(0)
    box._on_boxes()
    assert box.view.picture.response.total.ndim == 1
    box._on_hover(np.array([0.2]))
    box._decode_hover()
    assert more.parts.height() > 100
    for widget in (box.view, more.parts, ready.front):
        widget.grab()
    typed(ready, "log(0 - square(z0))")
    more.show_now()
    assert "no value" in box.words.text()
    typed(ready, "1")
    more.show_now()
    assert "constant" in more.words.text()
    typed(ready, "z0 - square(z1)")
    ready.save_figure(str(tmp_path / "formula.svg"))
    assert (tmp_path / "formula.svg").stat().st_size > 1000


def test_a_search_lists_what_it_finds_and_keeps_it(
    ready: ExpressionsPanel, session: Session, qtbot: Any
) -> None:
    service = ready.searching
    ready.search.inputs.setText("z0, z1")
    asked = ready.search.asked()
    assert asked.inputs == ("z0", "z1")
    assert "cellsci discover" in (ready.command_line() or "")
    operators = ready.search.operators
    operators.setCurrentIndex(operators.findData("nested"))
    assert ready.command_line().endswith("--inputs z0,z1 --nested")  # type: ignore[union-attr]
    nested = ready.search.asked().settings("x")
    assert (nested["operators"], nested["nested"]) == ("paper", True)
    service.search(replace(asked, engine="builtin", runs=1, evaluations=4000))
    qtbot.waitUntil(lambda: not service.job.state.busy, timeout=120_000)
    assert service.job.failure is None
    assert "Kept as" in service.said
    assert "Kept as" in ready.search.status.text()
    found = ready.list.shown.items
    assert found[0].held is not None
    assert ready.agreed.text().startswith("scheme4-1, 1 run. Forms, c for numbers: ")
    assert "PySR's own rule" in ready.agreed.text()
    assert set(found[0].expression.names) <= {"z0", "z1"}
    assert session.project is not None
    assert [info.scheme for info in session.project.bundles] == [2, 4]
    ready.front.show_items(found, found[0])
    ready.use(found[0])
    assert session.scores is not None


def test_what_is_written_becomes_a_classifier(
    ready: ExpressionsPanel, session: Session, qtbot: Any
) -> None:
    typed(ready, "2*z0 - z1 + 0.25")
    ready.writing.save.click()
    job = ready.saving.job
    qtbot.waitUntil(lambda: not job.state.busy, timeout=60_000)
    assert job.failure is None
    assert session.project is not None
    info = session.project.bundles[-1]
    assert (info.name, info.scheme) == ("formula-1", 4)
    assert "Kept as formula-1" in ready.writing.note.text()
    kept = [c for c in ready.service.candidates if "kept as formula" in c.origin]
    assert len(kept) == 1
    assert kept[0].held is None  # whoever wrote it may have looked at all labels
    table = session.project.score("formula-1").table
    z = np.asarray(session.project.latents(), np.float64)
    np.testing.assert_allclose(table["score"], 2 * z[:, 0] - z[:, 1] + 0.25, atol=1e-5)
    typed(ready, "2*z0 -")
    assert ready.writing.save.isEnabled()  # the last formula that could be read
