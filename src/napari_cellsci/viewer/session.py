"""One evented model per viewer: the project, the scores, the selection, the display.

Panels and overlays talk to the session, never to one another.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray
from psygnal import Signal

from napari_cellsci.viewer.asked import Asked
from napari_cellsci.viewer.cell_table import CellTable
from napari_cellsci.viewer.clock import Clock
from napari_cellsci.viewer.colors import UNLABELLED, ScoreScale
from napari_cellsci.viewer.scores import BLANK, DIVIDED, ScoreColumns

if TYPE_CHECKING:
    from napari.viewer import Viewer

    from napari_cellsci.project import Project
    from napari_cellsci.project.bundles import Bundle
    from napari_cellsci.project.movies import MovieInfo
    from napari_cellsci.project.scoring import Scores

_FEW = 1000
"""Of more cells it is quicker to read all labels again."""
ColorBy: TypeAlias = Literal["score", "prediction", "label"]
Service = TypeVar("Service")


@dataclass(frozen=True, slots=True, kw_only=True)
class Display:
    """What the overlay shows.

    Parameters
    ----------
    color_by : {"score", "prediction", "label"}
        Meaning of the colours.
    markers, tracks, outlines, text : bool
        One marker per cell; tracks; outlines of the masks; the score beside the marker.
    smoothed : bool
        Beside the scores of a track, what an average in time makes of them.
    marker_size : float
        Diameter of a marker (px of the movie).
    """

    color_by: ColorBy = "score"
    markers: bool = True
    tracks: bool = True
    outlines: bool = True
    text: bool = False
    smoothed: bool = False
    marker_size: float = 14.0


@dataclass(frozen=True, eq=False, slots=True)
class Shown:
    """The movie on screen: its project, what is known of it, and the cells of all."""

    project: Project
    info: MovieInfo
    table: CellTable

    @property
    def name(self) -> str:
        """Name of the movie."""
        return self.info.name

    @property
    def rows(self) -> NDArray[np.int64]:
        """Rows of the movie's cells."""
        return self.table.rows_in(self.info.name)


class Session:
    """What all panels of one viewer share.

    Made by `get_session`, never directly. All signals are emitted in the main thread.

    Attributes
    ----------
    project_changed, scores_changed, display_changed, classes_changed : Signal
        Emitted after the change.
    movie_changed : Signal
        Another movie of the project is shown; carries its name.
    labels_changed : Signal
        Carries the rows whose label may have changed.
    current_changed : Signal
        The current cell changed; carries its row, or None.
    selection_changed : Signal
        The selected cells changed; carries their rows.
    asked_changed : Signal
        Someone asks to see the cells of `asked` only, or all again.
    go_requested : Signal
        Someone asks to see a cell: move time, and the camera if it follows.
    """

    project_changed = Signal()
    movie_changed = Signal(str)
    scores_changed = Signal()
    labels_changed = Signal(np.ndarray)
    classes_changed = Signal()
    display_changed = Signal()
    current_changed = Signal(object)
    selection_changed = Signal(np.ndarray)
    asked_changed = Signal()
    go_requested = Signal(int)

    def __init__(self, viewer: Viewer) -> None:
        self._viewer = weakref.ref(viewer)
        self._services: dict[type, Any] = {}
        # The project is closed when the session goes, which is with its viewer.
        self._open: list[Project] = []
        weakref.finalize(self, _close_all, self._open)
        self._project: Project | None = None
        self._table: CellTable | None = None
        self._crops: Any = None
        self._infos: dict[str, MovieInfo] = {}
        self._movie: str | None = None
        self._scores: ScoreColumns | None = None
        self._scale = ScoreScale()
        self._bundle: Bundle | None = None
        self._display = Display()
        self._current: int | None = None
        self._selected: NDArray[np.int64] = np.empty(0, np.int64)
        self._codes: NDArray[np.int64] | None = None
        self._left_out: NDArray[np.bool_] | None = None
        self._asked: Asked | None = None
        self.follow_camera = True
        self.follow_track = True

    @property
    def viewer(self) -> Viewer | None:
        """The viewer, or None once it is gone."""
        return self._viewer()

    def service(self, kind: type[Service]) -> Service:
        """Return the session's one object of a kind, made with the session if new."""
        if kind not in self._services:
            self._services[kind] = kind(self)  # type: ignore[call-arg]
        found: Service = self._services[kind]
        return found

    @property
    def project(self) -> Project | None:
        """The open project."""
        return self._project

    @project.setter
    def project(self, project: Project | None) -> None:
        if project is self._project:
            self.reload_cells()
            return
        if self._project is not None:
            self._project.labels.changed.disconnect(self._on_labels)
            self._project.labels.classes_changed.disconnect(self._on_classes)
            _close_all(self._open)
        self._project = project
        self._open[:] = [] if project is None else [project]
        self._scores = self._bundle = None
        if project is not None:
            project.labels.changed.connect(self._on_labels)
            project.labels.classes_changed.connect(self._on_classes)
        self.reload_cells()

    def reload_cells(self) -> None:
        """Read the cells of the project again, after movies were added."""
        self._crops = self._codes = self._left_out = self._asked = None
        self._scores = None
        self._scale = ScoreScale()
        project = self._project
        self._table = None if project is None else CellTable(project.cells)
        infos = [] if project is None else project.movies
        self._infos = {info.name: info for info in infos}
        movies = () if self._table is None else self._table.movies
        self._movie = movies[0] if movies and self._movie not in movies else self._movie
        self._movie = self._movie if movies else None
        self._select(None)
        self.project_changed.emit()

    @property
    def table(self) -> CellTable | None:
        """The cells of the project, arranged for drawing."""
        return self._table

    @property
    def n_cells(self) -> int:
        """Number of cells of the project."""
        return 0 if self._table is None else len(self._table)

    @property
    def crops(self) -> Any:
        """Raw crops of all cells, (n, C, S, S), read from disk where they are asked."""
        if self._crops is None and self._project is not None:
            self._crops = self._project.crops()
        return self._crops

    @property
    def movie(self) -> str | None:
        """Name of the movie that is shown."""
        return self._movie

    @movie.setter
    def movie(self, name: str) -> None:
        if name != self._movie and self._table and name in self._table.movies:
            self._movie = name
            self.movie_changed.emit(name)

    @property
    def shown(self) -> Shown | None:
        """The movie on screen, None without a project."""
        info = self._infos.get(self._movie or "")
        if self._project is None or self._table is None or info is None:
            return None
        return Shown(self._project, info, self._table)

    def clock(self, row: int | None = None) -> Clock:
        """Return how times are told.

        Parameters
        ----------
        row : int, optional
            In this cell's movie; by default in the shown one.
        """
        name = self._movie
        if row is not None and self._table is not None:
            name = self._table.movies[self._table.movie[row]]
        info = self._infos.get(name or "")
        return Clock() if info is None else Clock(info.frame_interval, info.n_frames)

    @property
    def frame_interval(self) -> float | None:
        """Seconds from frame to frame of the shown movie, None where not known."""
        info = self._infos.get(self._movie or "")
        return None if info is None else info.frame_interval

    @property
    def scores(self) -> ScoreColumns | None:
        """Scores of all cells by row, None before the first run."""
        return self._scores

    @property
    def scale(self) -> ScoreScale:
        """Colours of the scores."""
        return self._scale

    def _newborn(self) -> NDArray[np.bool_]:
        """Return which cells' tracks have only just begun by a division."""
        assert self._table is not None
        lasts = [
            DIVIDED / (self._infos[name].frame_interval or DIVIDED)
            for name in self._table.movies
        ]
        age = self._table.since_division
        most = np.maximum(np.round(lasts), 1)[self._table.movie]
        return np.asarray((age >= 0) & (age <= most))

    @property
    def bundle(self) -> Bundle | None:
        """The classifier whose scores are shown."""
        return self._bundle

    def set_scores(self, scores: Scores, bundle: Bundle | None = None) -> None:
        """Show the scores of the open project made by `bundle`."""
        if self._project is None or self._table is None:
            return
        table, classes = _called_now(self._project, scores)
        self._scores = ScoreColumns.from_table(
            table, len(self._table), classes, _threshold(bundle), self._newborn()
        )
        self._bundle = bundle
        self._scale = ScoreScale.of(self._scores.score)
        self._codes = None  # a bundle's own classes may have joined the palette
        if self._scores.n_classes > 2 and self._display.color_by == "score":
            # The score is then the lead of one class over the next, whichever it is.
            self._display = replace(self._display, color_by="prediction")
        self.scores_changed.emit()

    @property
    def display(self) -> Display:
        """What the overlay shows."""
        return self._display

    def show(self, **changes: Any) -> None:
        """Change fields of `display`."""
        display = replace(self._display, **changes)
        if display != self._display:
            self._display = display
            self.display_changed.emit()

    @property
    def palette(self) -> dict[str, str]:
        """Colours by class name: the project's classes first, blank last."""
        found: dict[str, str] = {}
        if self._project is not None:
            found = {c.name: c.colour for c in self._project.labels.classes}
        if self._scores is not None:
            for name in self._scores.names:
                found.setdefault(name, UNLABELLED)
        found.setdefault(BLANK, UNLABELLED)
        return found

    def label_codes(self) -> NDArray[np.int64]:
        """Return for each cell the position of its label in `palette`, −1 if none.

        The array is shared and follows the labels; take a copy to keep it.
        """
        if self._codes is None:
            self._codes = np.full(self.n_cells, -1, np.int64)
            if self._project is not None:
                labels = self._project.labels.as_series()
                place = {name: code for code, name in enumerate(self.palette)}
                rows = labels.index.to_numpy(dtype=np.int64)
                self._codes[rows] = [place.get(name, -1) for name in labels]
        return self._codes

    @property
    def left_out(self) -> NDArray[np.bool_]:
        """Which cells are filtered out; shared, and follows the labels."""
        if self._left_out is None:
            self._left_out = np.zeros(self.n_cells, bool)
            if self._project is not None:
                self._left_out[self._project.labels.left_out] = True
        return self._left_out

    @property
    def asked(self) -> Asked | None:
        """The cells someone asks to see, None for all."""
        return self._asked

    def ask(self, asked: Asked | None) -> None:
        """Ask to see some cells only, and select them; None asks for all again."""
        if asked == self._asked:
            return
        self._asked = asked
        rows = [] if asked is None else np.flatnonzero(asked.mask(self)).tolist()
        self.select_many(rows)
        self.asked_changed.emit()

    def predicted_codes(self) -> NDArray[np.int64]:
        """Return for each cell the position of its prediction in `palette`, or −1."""
        if self._scores is None:
            return np.full(self.n_cells, -1, np.int64)
        place = {name: code for code, name in enumerate(self.palette)}
        codes = np.array([*(place[n] for n in self._scores.names), -1], np.int64)
        return codes[self._scores.prediction]

    @property
    def current(self) -> int | None:
        """Row of the current cell."""
        return self._current

    @property
    def selected(self) -> NDArray[np.int64]:
        """Rows of the selected cells; holds the current one."""
        return self._selected

    def select(self, row: int | None, *, go: bool = False) -> None:
        """Make `row` the current and only selected cell; None clears the selection.

        Parameters
        ----------
        row : int or None
        go : bool
            Also move time, and the camera if `follow_camera`, to the cell.
        """
        self._select(row)
        if go and row is not None:
            self.go_requested.emit(row)

    def select_many(self, rows: Iterable[int], current: int | None = None) -> None:
        """Select several cells; `current` stays as it is unless given."""
        found = np.unique(np.fromiter(rows, dtype=np.int64))
        if current is not None and current != self._current:
            self._current = current
            self.current_changed.emit(current)
        if not np.array_equal(found, self._selected):
            self._selected = found
            self.selection_changed.emit(found)

    def _select(self, row: int | None) -> None:
        if row is not None and not 0 <= row < self.n_cells:
            return
        rows = np.empty(0, np.int64) if row is None else np.array([row], np.int64)
        changed = row != self._current
        self._current = row
        if not np.array_equal(rows, self._selected):
            self._selected = rows
            self.selection_changed.emit(rows)
        if changed:
            self.current_changed.emit(row)

    def _on_labels(self, rows: NDArray[np.int64]) -> None:
        # A job that labels in its own thread calls `refresh_labels` when it is done.
        self._left_out = None
        if threading.current_thread() is threading.main_thread():
            self._look_at_labels(rows)
            self.labels_changed.emit(rows)

    def _look_at_labels(self, rows: NDArray[np.int64]) -> None:
        """Bring the codes of a few cells up to date, or forget those of all."""
        if self._codes is None or self._project is None or len(rows) > _FEW:
            self._codes = None
            return
        place = {name: code for code, name in enumerate(self.palette)}
        found = self._project.labels.of_rows(rows.tolist())
        self._codes[rows] = [-1 if n is None else place.get(n, -1) for n in found]

    def _on_classes(self) -> None:
        if threading.current_thread() is threading.main_thread():
            self._codes = None
            self.classes_changed.emit()

    def refresh_labels(self) -> None:
        """Tell everyone that any label and any class may have changed."""
        self._codes = self._left_out = None
        self.classes_changed.emit()
        self.labels_changed.emit(np.arange(self.n_cells))


def _called_now(project: Project, scores: Scores) -> tuple[Any, tuple[str, ...]]:
    """Return scores and classes by the names that classes renamed since now have."""
    now = {name: project.labels.called_now(name) for name in scores.classes}
    one_each = len(set(now.values())) == len(now)
    if not one_each or all(old == new for old, new in now.items()):
        return scores.table, scores.classes
    table = scores.table.assign(prediction=scores.table["prediction"].replace(now))
    return table, tuple(now.values())


def _close_all(projects: list[Project]) -> None:
    while projects:
        projects.pop().close()


_SESSIONS: weakref.WeakKeyDictionary[Any, Session] = weakref.WeakKeyDictionary()


def unwrapped(viewer: Any) -> Any:
    """Return a viewer or layer itself where napari gives a plugin a proxy of it."""
    return getattr(viewer, "__wrapped__", viewer)


def get_session(viewer: Viewer) -> Session:
    """Return the session of a viewer, or of the proxy through which plugins see it."""
    model = unwrapped(viewer)
    if model not in _SESSIONS:
        _SESSIONS[model] = Session(model)
    return _SESSIONS[model]


def _threshold(bundle: Bundle | None) -> float:
    from napari_cellsci.explain.ood import OOD_THRESHOLD

    reference = getattr(bundle, "ood", None)
    return float(getattr(reference, "threshold", OOD_THRESHOLD))
