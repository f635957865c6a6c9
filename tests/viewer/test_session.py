from __future__ import annotations

import gc
import weakref
from typing import Any

import numpy as np
import pytest

from napari_cellsci.viewer.session import Session, get_session


class Viewer:
    """Stands in for a viewer where none is needed."""


class Proxy:
    def __init__(self, viewer: Viewer) -> None:
        self.__wrapped__ = viewer


@pytest.fixture
def viewer() -> Viewer:
    return Viewer()


@pytest.fixture
def session(viewer: Viewer, mitosis: Any) -> Session:
    session = Session(viewer)  # type: ignore[arg-type]
    session.project = mitosis
    return session


def test_a_viewer_and_its_proxy_have_one_session() -> None:
    viewer: Any = Viewer()
    assert get_session(viewer) is get_session(Proxy(viewer))  # type: ignore[arg-type]
    assert get_session(viewer).viewer is viewer


def test_a_session_ends_with_its_viewer() -> None:
    viewer: Any = Viewer()
    gone = weakref.ref(get_session(viewer))
    del viewer
    gc.collect()
    assert gone() is None


def test_a_service_is_made_once(viewer: Any) -> None:
    class Service:
        def __init__(self, session: Session) -> None:
            self.session = session

    session = Session(viewer)
    assert session.service(Service) is session.service(Service)


def test_selecting_tells_once_and_keeps_the_current_cell_selected(
    session: Session,
) -> None:
    told: list[Any] = []
    session.current_changed.connect(told.append)
    session.select(3)
    session.select(3)
    assert told == [3]
    assert session.selected.tolist() == [3]
    session.select_many([5, 4, 3, 3])
    assert (session.current, session.selected.tolist()) == (3, [3, 4, 5])
    session.select(None)
    assert (session.current, len(session.selected)) == (None, 0)


def test_a_cell_that_does_not_exist_is_not_selected(session: Session) -> None:
    session.select(session.n_cells)
    assert session.current is None


def test_asking_to_go_is_told_after_the_selection(session: Session) -> None:
    seen: list[tuple[int, Any]] = []

    def note(row: int) -> None:
        seen.append((row, session.current))

    session.go_requested.connect(note)
    session.select(2)
    session.select(4, go=True)
    assert seen == [(4, 4)]


def test_labels_reach_the_session_and_its_codes(session: Session, mitosis: Any) -> None:
    told: list[Any] = []
    session.labels_changed.connect(told.append)
    mitosis.labels.set(2, "metaphase")
    assert told[0].tolist() == [2]
    codes = session.label_codes()
    assert codes[2] == list(session.palette).index("metaphase")
    assert (np.delete(codes, 2) == -1).all()
    mitosis.labels.undo()
    assert (session.label_codes() == -1).all()


def test_scores_come_by_row_with_a_scale(
    session: Session, mitosis: Any, known_scores: Any
) -> None:
    session.set_scores(known_scores(mitosis))
    assert session.scores is not None
    assert session.scores.scored.all()
    assert session.scale.limit == pytest.approx(
        np.quantile(np.abs(session.scores.score), 0.98)
    )
    names = np.array([*session.palette])
    assert set(names[session.predicted_codes()]) == {"interphase", "metaphase"}


def test_another_project_takes_its_place_and_the_old_one_is_closed(
    session: Session, mitosis: Any, mitosis_folder: Any, known_scores: Any
) -> None:
    from napari_cellsci.errors import ProjectError
    from napari_cellsci.project import Project

    session.set_scores(known_scores(mitosis))
    session.select(3)
    with Project.open(mitosis_folder) as other:
        session.project = other
        assert (session.scores, session.current) == (None, None)
        with pytest.raises(ProjectError, match="closed"):
            mitosis.labels.set(0, "metaphase")
        session.project = None
        assert (session.shown, session.n_cells) == (None, 0)


def test_the_display_changes_by_field_and_tells_only_changes(session: Session) -> None:
    told: list[int] = []

    def note() -> None:
        told.append(1)

    session.display_changed.connect(note)
    session.show(text=True)
    session.show(text=True)
    assert session.display.text
    assert len(told) == 1


def test_times_are_told_as_the_cells_movie_tells_them(session: Session) -> None:
    assert session.clock().frame_interval == pytest.approx(240)
    assert session.clock(0).words(3) == "12 min"


def test_more_than_two_classes_are_coloured_by_prediction(
    session: Session, mitosis: Any, known_scores: Any
) -> None:
    scores = known_scores(mitosis)
    scores.table.loc[0, "prediction"] = "anaphase"
    three = type(scores)(
        scores.table, "three", "0" * 12, ("interphase", "metaphase", "anaphase")
    )
    session.set_scores(three)
    assert session.display.color_by == "prediction"
    assert "anaphase" in session.palette
