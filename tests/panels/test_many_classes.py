"""Score and Gallery with four classes: the matrix asks for cells, others follow."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from qtpy.QtCore import QPointF, Qt
from qtpy.QtGui import QFontMetricsF

from napari_cellsci.panels._theme import theme_of
from napari_cellsci.panels.gallery.filters import FILTERED_OUT, USABLE
from napari_cellsci.panels.gallery.panel import GalleryPanel
from napari_cellsci.panels.score.matrix import SIGN, Matrix, MatrixView, Place
from napari_cellsci.panels.score.panel import ScorePanel
from napari_cellsci.panels.score.summary import class_rows
from napari_cellsci.project import Scores
from napari_cellsci.project.bundles import shipped_bundle
from napari_cellsci.viewer.asked import OUTSIDE, UNCERTAIN, Asked
from napari_cellsci.viewer.session import Session, get_session

pytestmark = pytest.mark.gui
NAMES = ("interphase", "prometaphase", "metaphase", "anaphase")


@pytest.fixture
def session(viewer: Any, mitosis: Any) -> Session:
    """A project of four classes, with scores that call every fourth cell each."""
    for name in ("prometaphase", "anaphase"):
        mitosis.labels.add_class(name, trained=True)
    table = mitosis.cells[["movie", "track_id", "t", "y", "x"]]
    n = len(table)
    called = np.arange(n) % 4
    scores = table.assign(
        score=np.linspace(0.1, 3, n),
        score_sd=0.2,
        probability=np.where(np.arange(n) % 5 == 0, 0.6, 0.95),
        prediction=np.array(NAMES)[called],
        ood=np.where(np.arange(n) % 11 == 0, 0.99, 0.1),
    )
    labels = mitosis.labels
    for code, name in enumerate(NAMES):
        labels.set_many([4 * i + (code + (i == 2)) % 4 for i in range(4)], name)
    found = get_session(viewer)
    found.project = mitosis
    found.set_scores(Scores(scores, "four", "0" * 12, NAMES))
    return found


def test_the_matrix_counts_and_its_numbers_are_the_cells(
    session: Session, dock: Callable[[type], Any]
) -> None:
    panel: ScorePanel = dock(ScorePanel)
    texts = {row[0]: row[1:] for row in panel.called.texts()}
    assert tuple(texts) == NAMES
    assert texts["interphase"][:5] == ["4", "3", "1", "0", "0"]
    labels, called = session.label_codes(), session.predicted_codes()
    for r, line in enumerate(panel.called.matrix.places):
        for c, place in enumerate(line):
            count = int(place.asked.mask(session).sum())
            assert place.text == f"{count:,}", (r, c)
    names = list(session.palette)
    both = Asked("interphase", "prometaphase").mask(session)
    wanted = (labels == names.index("interphase")) & (
        called == names.index("prometaphase")
    )
    np.testing.assert_array_equal(both, wanted)


def test_a_click_selects_the_cells_and_the_gallery_shows_them(
    session: Session, dock: Callable[[type], Any], qtbot: Any
) -> None:
    panel: ScorePanel = dock(ScorePanel)
    gallery: GalleryPanel = dock(GalleryPanel)
    matrix = panel.called
    row = matrix.matrix.rows.index("interphase")
    column = matrix.matrix.columns.index("prometaphase")
    where = matrix.rect_of(row, column).center().toPoint()
    qtbot.mouseMove(matrix, where)
    qtbot.mouseClick(matrix, Qt.MouseButton.LeftButton, pos=where)
    wanted = np.flatnonzero(Asked("interphase", "prometaphase").mask(session))
    assert session.selected.tolist() == wanted.tolist()

    def shown() -> None:
        assert sorted(gallery.model.rows.tolist()) == wanted.tolist()

    qtbot.waitUntil(shown)
    assert gallery.filters.kind.currentText() == (
        "labelled interphase, called prometaphase"
    )
    assert "show all cells again" in matrix.says(row, column)
    qtbot.mouseClick(matrix, Qt.MouseButton.LeftButton, pos=where)
    assert session.asked is None
    qtbot.waitUntil(lambda: gallery.model.rowCount() == session.n_cells)


def test_the_matrix_is_used_by_keys_too(
    session: Session, dock: Callable[[type], Any], qtbot: Any
) -> None:
    panel: ScorePanel = dock(ScorePanel)
    matrix = panel.called
    qtbot.keyClick(matrix, Qt.Key.Key_Right)
    qtbot.keyClick(matrix, Qt.Key.Key_Return)
    first = matrix.matrix.rows[0]
    assert session.asked == Asked(first, matrix.matrix.columns[1])
    qtbot.keyClick(matrix, Qt.Key.Key_Escape)
    assert session.asked is None
    assert matrix.place_at(QPointF(-5, -5)) is None
    empty = next(
        (r, c)
        for r, line in enumerate(matrix.matrix.places)
        for c, place in enumerate(line)
        if place.text == "0"
    )
    matrix.pick(*empty)
    assert session.asked is None


def test_clearing_the_filter_of_the_gallery_ends_the_asking(
    session: Session, dock: Callable[[type], Any], qtbot: Any
) -> None:
    gallery: GalleryPanel = dock(GalleryPanel)
    session.ask(Asked("", UNCERTAIN))
    qtbot.waitUntil(
        lambda: gallery.model.rowCount() == int(session.scores.uncertain.sum())
    )
    gallery.filters.clear.click()
    assert session.asked is None
    session.ask(Asked("", OUTSIDE))
    qtbot.waitUntil(
        lambda: gallery.model.rowCount() == int(session.scores.outside.sum())
    )
    gallery.filter_button.setChecked(False)
    assert session.asked is None


def test_the_gallery_sorts_by_class_and_a_part_of_its_bar_shows_one(
    session: Session, dock: Callable[[type], Any], qtbot: Any
) -> None:
    gallery: GalleryPanel = dock(GalleryPanel)
    qtbot.waitUntil(lambda: gallery.model.rowCount() == session.n_cells)
    assert gallery.sort.currentText() == "by class"
    called = session.scores.prediction[gallery.model.rows]
    assert (np.diff(called) >= 0).all()
    assert "click a class" in gallery.spectrum.toolTip()
    for wanted in (Asked("", "metaphase"), None):
        left, right = gallery.spectrum.parts()[2]
        where = QPointF((left + right) / 2, 10).toPoint()
        qtbot.mouseClick(gallery.spectrum, Qt.MouseButton.LeftButton, pos=where)
        assert session.asked == wanted


def test_legend_and_overlay_give_every_class_its_sign(
    session: Session, dock: Callable[[type], Any]
) -> None:
    from napari_cellsci.panels.score.legend import shapes_of
    from napari_cellsci.viewer import painted

    panel: ScorePanel = dock(ScorePanel)
    shapes = shapes_of(session.palette)
    signs = painted.symbols(session)
    usual = {"disc": "disc", "triangle_up": "triangle"}
    for row in range(session.n_cells):
        if signs[row] not in (painted.OUTSIDE_SYMBOL, painted.BLANK_SYMBOL):
            code = painted.codes_shown(session)[row]
            name = list(session.palette)[code]
            assert usual.get(signs[row], signs[row]) == shapes[name]
    assert session.display.color_by == "prediction"
    assert panel.legend.heightForWidth(160) > panel.legend.heightForWidth(600)


def test_filtered_out_cells_are_faint_found_and_taken_back(
    session: Session, dock: Callable[[type], Any], qtbot: Any
) -> None:
    from napari_cellsci.panels.label.service import LabelService
    from napari_cellsci.viewer import painted, readout

    gallery: GalleryPanel = dock(GalleryPanel)
    service = session.service(LabelService)
    session.select_many([3, 4], 3)
    service.perform("filter")
    assert session.project.labels.left_out.tolist() == [3, 4]
    assert "filtered out" in readout.line(session, 3)
    assert (painted.paint(session)[[3, 4], 3] == painted.OUT_ALPHA).all()
    gallery.filters.show_kind(FILTERED_OUT)
    qtbot.waitUntil(lambda: sorted(gallery.model.rows.tolist()) == [3, 4])
    gallery.view.viewport().grab()
    session.select(3)
    service.perform("filter")
    qtbot.waitUntil(lambda: gallery.model.rows.tolist() == [4])
    service.perform("undo")
    qtbot.waitUntil(lambda: gallery.model.rowCount() == 2)
    gallery.filters.show_kind(USABLE)
    qtbot.waitUntil(lambda: gallery.model.rowCount() == session.n_cells - 2)
    gallery.filters.reset()


def test_the_map_colours_predictions_where_the_score_is_a_lead(
    session: Session,
) -> None:
    from napari_cellsci.panels.latent_map.key import key_of
    from napari_cellsci.viewer import map_colors

    assert map_colors.usable(session, "score") == "prediction"
    key = key_of(session, "score")
    assert set(key.palette) == set(NAMES)
    assert key.scale is None
    np.testing.assert_array_equal(
        map_colors.colors(session, "score"), map_colors.colors(session, "prediction")
    )


def test_classifiers_that_never_noted_precision_tell_it_by_counts() -> None:
    bundle = shipped_bundle()
    report = bundle.heads.report
    unknown = {"precision": np.nan, "precision_interval": (np.nan, np.nan)}
    old = tuple(replace(result, **unknown) for result in report.classes)
    report = replace(report, classes=old)
    palette = dict.fromkeys(bundle.classes, "#0072B2")
    (_, called), (_, right) = report.confusion
    told = [row[3] for row in class_rows(report, bundle.classes, palette)]
    assert told[1] == f"{100 * right / (right + called):.0f}"


def test_eight_names_and_their_numbers_fit_a_docked_matrix(qtbot: Any) -> None:
    names = ("inter", "pro", "prometa", "meta", "earlyana", "lateana", "telo", "apo")
    columns = ("", *names, "uncertain", "out-of-distribution")
    line = tuple(Place("98", Asked(names[0], column)) for column in columns)
    view = MatrixView()
    qtbot.addWidget(view)
    view.show_matrix(Matrix(names, columns, (line,) * 8), theme_of(None), None)
    view.resize(330, view.height())
    left, wide = view._columns()
    widest = max(map(view.fontMetrics().horizontalAdvance, names))
    assert left >= SIGN + 6 + widest
    assert wide >= view._widest(QFontMetricsF(view._narrow()))
