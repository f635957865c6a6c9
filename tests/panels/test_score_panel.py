from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from napari_cellsci.panels._jobs import JobState
from napari_cellsci.panels.score.panel import ScorePanel
from napari_cellsci.viewer.session import Session, get_session

pytestmark = pytest.mark.gui


@pytest.fixture
def session(viewer: Any) -> Session:
    return get_session(viewer)


@pytest.fixture
def panel(dock: Callable[[type], Any]) -> ScorePanel:
    found: ScorePanel = dock(ScorePanel)
    return found


def finished(qtbot: Any, panel: ScorePanel) -> JobState:
    def check() -> None:
        assert not panel.service.job.state.busy

    qtbot.waitUntil(check, timeout=60_000)
    return panel.service.job.state


def test_without_a_project_it_says_what_comes_first(panel: ScorePanel) -> None:
    assert "Make or open a project" in panel.card.reason.text()
    assert not panel.run_line.button.isEnabled()
    assert "project" in panel.run_line.words.text()


def test_cells_are_scored_summed_up_and_saved(
    panel: ScorePanel, session: Session, trained: Any, qtbot: Any, tmp_path: Path
) -> None:
    session.project = trained
    assert panel.bundles.currentText() == "tiny"
    panel.run_line.button.click()
    assert finished(qtbot, panel) is JobState.DONE
    assert session.scores is not None
    assert "scored by tiny" in panel.card.text.text()
    assert "held-out" in panel.card.reason.text()
    assert panel.members.count() == 4
    words = [
        panel.counts.itemAt(i).widget().text() for i in range(panel.counts.count())
    ]
    n = int((session.scores.prediction == 1).sum())
    assert words[2].endswith("metaphase")
    assert words[3] == f"{n:,}"
    panel.save_data(str(tmp_path / "scores.csv"))
    table = pd.read_csv(tmp_path / "scores.csv")
    assert list(table)[:5] == ["movie", "track_id", "t", "y", "x"]
    assert len(table) == session.n_cells
    mean = session.scores.score.copy()
    panel.members.setCurrentIndex(panel.members.findData(1))
    assert finished(qtbot, panel) is JobState.DONE
    assert session.scores is not None
    assert (session.scores.score != mean).any()
    assert panel.members.currentData() == 1
    assert "--member 1" in (panel.command_line() or "")


def test_labels_of_other_classes_are_counted_apart(
    panel: ScorePanel, session: Session, mitosis: Any, known_scores: Any
) -> None:
    session.project = mitosis
    session.set_scores(known_scores(mitosis))
    assert not panel.called.isVisible()
    mitosis.labels.set(0, "interphase")
    mitosis.labels.add_class("junk")
    mitosis.labels.set_many([1, 2, 17], "junk")
    assert panel.called.isVisible()
    rows = panel.called.texts()
    assert [row[0] for row in rows] == ["interphase", "junk"]
    assert rows[1][1] == "3"
    assert rows[1][-1] == "1"
    assert "0 of 3 cells" in panel.called_note.text()


def test_a_damaged_or_missing_classifier_is_told_and_keeps_the_scores(
    panel: ScorePanel,
    session: Session,
    mitosis: Any,
    known_scores: Any,
    qtbot: Any,
    tmp_path: Path,
) -> None:
    session.project = mitosis
    session.set_scores(known_scores(mitosis))
    before = session.scores
    folder = tmp_path / "broken"
    folder.mkdir()
    (folder / "model.json").write_text("{}")
    panel.use_folder(folder)
    panel.run()
    assert finished(qtbot, panel) is JobState.FAILED
    assert session.scores is before
    assert panel.card.property("kind") == "error"
    assert "Traceback" not in panel.card.text.text()


def test_scores_of_a_project_that_was_replaced_are_dropped(
    panel: ScorePanel,
    session: Session,
    trained: Any,
    mitosis_folder: Path,
    qtbot: Any,
) -> None:
    from napari_cellsci.project import Project

    session.project = trained
    panel.run()
    session.project = Project.open(mitosis_folder)
    finished(qtbot, panel)
    assert session.scores is None


def test_the_overlay_is_chosen_here_and_follows_the_session(
    panel: ScorePanel, session: Session, mitosis: Any, known_scores: Any
) -> None:
    session.project = mitosis
    session.set_scores(known_scores(mitosis))
    panel.checks["tracks"].setChecked(False)
    assert not session.display.tracks
    panel.color_by.setCurrentIndex(panel.color_by.findData("prediction"))
    assert session.display.color_by == "prediction"
    session.show(tracks=True, marker_size=30.0)
    assert panel.checks["tracks"].isChecked()
    assert panel.size.value() == 30
    assert panel.checks["outlines"].isEnabled()


def test_the_legend_takes_another_line_where_it_is_narrow(panel: ScorePanel) -> None:
    legend = panel.legend
    assert legend.heightForWidth(160) > legend.heightForWidth(360)


def test_cells_cut_again_for_a_classifier_are_told_of(
    panel: ScorePanel,
    session: Session,
    trained_folder: Path,
    mitosis_files: Path,
    qtbot: Any,
    tmp_path: Path,
) -> None:
    from napari_cellsci.project import Project

    session.project = Project.create(
        tmp_path / "wide",
        image=mitosis_files / "movie.tif",
        tracks=mitosis_files / "tracks.csv",
        fov_um=30,
    )
    panel.use_folder(trained_folder / "models" / "tiny")
    panel.run()
    assert finished(qtbot, panel) is JobState.DONE
    assert "cut again" in panel.card.reason.text()
    assert panel.card.property("kind") == "good"


def test_a_movie_and_labels_from_a_command_are_taken_in(
    panel: ScorePanel, session: Session, trained: Any, qtbot: Any, mitosis_files: Path
) -> None:
    from napari_cellsci.project import Project

    session.project = trained
    n, labelled = session.n_cells, len(trained.labels)
    with Project.open(trained.path) as other:
        image, tracks = mitosis_files / "movie.tif", mitosis_files / "tracks.csv"
        name = other.add_movie(image, tracks, name="late")
        other.labels.add_class("odd")
        other.labels.set((name, int(other.cells["track_id"].iloc[-1]), 7), "odd")
    panel.run()
    assert finished(qtbot, panel) is JobState.IDLE
    assert session.scores is not None
    assert session.n_cells == 2 * n == len(session.scores.score)
    assert "late" in [panel.movies.itemText(i) for i in range(panel.movies.count())]
    assert len(trained.labels) == labelled + 1


def test_outlines_are_not_offered_without_masks(
    panel: ScorePanel, session: Session, mitosis_files: Path, tmp_path: Path
) -> None:
    from napari_cellsci.project import Project

    session.project = Project.create(
        tmp_path / "bare",
        image=mitosis_files / "movie.tif",
        tracks=mitosis_files / "tracks.csv",
    )
    assert not panel.checks["outlines"].isEnabled()
    assert "no masks" in panel.checks["outlines"].toolTip()


def test_what_it_does_can_be_copied_as_code(
    panel: ScorePanel, session: Session, mitosis: Any
) -> None:
    assert panel.python_code() is None
    session.project = mitosis
    code = panel.python_code()
    assert code is not None
    compile(code, "copied", "exec")
    assert (panel.command_line() or "").startswith("cellsci score ")


def test_a_hidden_panel_is_refreshed_when_it_is_seen(
    panel: ScorePanel, session: Session, mitosis: Any, known_scores: Any
) -> None:
    session.project = mitosis
    panel.hide()
    session.set_scores(known_scores(mitosis))
    assert "none scored" in panel.card.text.text()
    panel.show()
    assert "scored by" in panel.card.text.text()
