from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from napari_cellsci.panels.cell_strip.film import window_around
from napari_cellsci.panels.cell_strip.panel import CellStripPanel
from napari_cellsci.panels.score.service import ScoreService
from napari_cellsci.viewer.navigation import Navigator
from napari_cellsci.viewer.session import Session, get_session

pytestmark = pytest.mark.gui


@pytest.fixture
def session(viewer: Any) -> Session:
    return get_session(viewer)


@pytest.fixture
def strip(
    dock: Callable[[type], Any], session: Session, mitosis: Any, known_scores: Any
) -> CellStripPanel:
    panel: CellStripPanel = dock(CellStripPanel)
    session.project = mitosis
    session.set_scores(known_scores(mitosis))
    panel.resize(1200, 140)
    return panel


def long_track(session: Session) -> Any:
    table = session.table
    assert table is not None
    tracks = (table.rows_of_track(row) for row in range(len(table)))
    return next(rows for rows in tracks if len(rows) == 8)


@pytest.mark.parametrize(
    ("current", "room", "expected"),
    [
        (0, 3, (0, 3)),
        (5, 3, (4, 7)),
        (9, 3, (7, 10)),
        (4, 99, (0, 10)),
        (77, 3, (0, 3)),
    ],
)
def test_the_film_keeps_the_current_frame_in_sight(
    current: int, room: int, expected: tuple[int, int]
) -> None:
    found = window_around(np.arange(10), current, room)
    assert (found.start, found.stop) == expected


def test_nothing_selected_says_what_to_do(
    dock: Callable[[type], Any], session: Session, mitosis: Any
) -> None:
    panel = dock(CellStripPanel)
    assert "Cells" in panel.card.reason.text()
    session.project = mitosis
    assert "Click a cell" in panel.card.reason.text()


def test_a_selected_cell_shows_crop_film_and_curve(
    strip: CellStripPanel, session: Session
) -> None:
    rows = long_track(session)
    session.select(int(rows[3]))
    assert strip.crop.image is not None
    assert int(rows[3]) in strip.film.rows
    assert set(strip.film.rows) <= set(rows.tolist())
    table, scores = session.table, session.scores
    assert table is not None
    assert scores is not None
    x, y = strip.curve._line.getData()
    np.testing.assert_allclose(x, table.t[rows] * 4.0)
    np.testing.assert_allclose(y, scores.score[rows])
    assert strip.curve._now.value() == pytest.approx(table.t[rows[3]] * 4.0)
    assert "score" in strip.words.text()


def test_a_click_on_the_curve_or_the_film_moves_time(
    strip: CellStripPanel, session: Session
) -> None:
    rows = long_track(session)
    session.select(int(rows[1]), go=True)
    session.service(Navigator).arrive()
    strip.curve.pick(6.2 * 4)
    assert session.current == rows[6]
    session.service(Navigator).arrive()
    assert session.service(Navigator).frame == 6
    strip.film.picked.emit(int(rows[2]))
    assert session.current == rows[2]
    strip.film.stepped.emit(1)
    assert session.current == rows[3]
    strip.film.stepped.emit(-99)
    assert session.current == rows[0]


def test_moving_time_moves_the_mark(strip: CellStripPanel, session: Session) -> None:
    rows = long_track(session)
    session.select(int(rows[0]), go=True)
    session.service(Navigator).arrive()
    session.service(Navigator).show_frame(5)
    assert session.current == rows[5]
    assert strip.curve._now.value() == pytest.approx(20)


def test_the_reconstruction_comes_from_the_classifiers_encoder(
    dock: Callable[[type], Any], session: Session, trained: Any, qtbot: Any
) -> None:
    panel = dock(CellStripPanel)
    session.project = trained
    session.select(2)
    assert panel.again.image is None
    assert "score" in panel.again._note
    session.service(ScoreService).run()

    def shown() -> None:
        assert panel.again.image is not None

    qtbot.waitUntil(shown, timeout=60_000)
    first = panel.again.image
    assert not panel.again.outdated
    session.select(5)
    session.select(9)
    assert panel.again.outdated  # faded until the picture is of this cell

    def another() -> None:
        assert panel.reconstructor.job.state.value == "done"
        assert panel.again.image != first
        assert not panel.again.outdated

    qtbot.waitUntil(another, timeout=60_000)


def test_the_parts_stand_one_above_the_other_where_it_is_narrow(
    strip: CellStripPanel, session: Session, qtbot: Any
) -> None:
    kind = type(strip.parts.direction())
    strip.resize(320, 600)
    strip.resizeEvent(_resized(strip))
    assert strip.parts.direction() == kind.TopToBottom
    strip.resize(1200, 140)
    strip.resizeEvent(_resized(strip))
    assert strip.parts.direction() == kind.LeftToRight


def _resized(widget: Any) -> Any:
    from qtpy.QtGui import QResizeEvent

    return QResizeEvent(widget.size(), widget.size())


def test_the_track_is_exported(
    strip: CellStripPanel, session: Session, tmp_path: Any
) -> None:
    rows = long_track(session)
    session.select(int(rows[0]))
    strip.save_data(str(tmp_path / "track.csv"))
    table = np.genfromtxt(tmp_path / "track.csv", delimiter=",", names=True)
    assert session.scores is not None
    np.testing.assert_allclose(table["score"], session.scores.score[rows], rtol=1e-5)
