"""Which cells the gallery shows: by class, by movie, frame and track."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QHBoxLayout, QLabel, QLineEdit, QSpinBox, QWidget
from superqt import QFlowLayout

from napari_cellsci.panels._choice import Choice, ChoiceBox
from napari_cellsci.panels._parts import plain_button
from napari_cellsci.panels._theme import STEP
from napari_cellsci.viewer.asked import Asked

if TYPE_CHECKING:
    from napari_cellsci.viewer.session import Session

ALL, UNLABELLED, LABELLED, UNCERTAIN = "", "unlabelled", "labelled", "uncertain"
FILTERED_OUT, USABLE = "filtered out", "usable"
_IS, _CALLED = "is:", "called:"


@dataclass(frozen=True, slots=True)
class Filter:
    """What a cell must be to be shown; by default anything.

    Parameters
    ----------
    kind : str
        "", "unlabelled", "labelled", "uncertain", "filtered out", "usable",
        "is:CLASS" (its label), "called:CLASS" (its prediction), or `Asked.key`.
    movie : str
        Its name, "" for all.
    frames : tuple of int, optional
        First and last frame.
    tracks : tuple of int
        Track ids; none means all.
    """

    kind: str = ALL
    movie: str = ""
    frames: tuple[int, int] | None = None
    tracks: tuple[int, ...] = ()

    def mask(self, session: Session) -> NDArray[np.bool_]:
        """Return which cells are shown."""
        table = session.table
        assert table is not None
        keep = self._kind(session)
        if self.movie:
            keep &= table.movie == table.code(self.movie)
        if self.frames is not None:
            keep &= (table.t >= self.frames[0]) & (table.t <= self.frames[1])
        if self.tracks:
            keep &= np.isin(table.track, self.tracks)
        return keep

    def _kind(self, session: Session) -> NDArray[np.bool_]:
        labels = session.label_codes()
        if (asked := Asked.from_key(self.kind)) is not None:
            return asked.mask(session)
        if self.kind in (FILTERED_OUT, USABLE):
            return np.array(session.left_out == (self.kind == FILTERED_OUT))
        if self.kind == UNLABELLED:
            return np.asarray(labels < 0)
        if self.kind == LABELLED:
            return np.asarray(labels >= 0)
        if self.kind == UNCERTAIN:
            scores = session.scores
            return np.zeros(len(labels), bool) if scores is None else scores.uncertain
        names = {name: code for code, name in enumerate(session.palette)}
        for start, codes in ((_IS, labels), (_CALLED, session.predicted_codes())):
            if self.kind.startswith(start):
                return np.asarray(codes == names.get(self.kind[len(start) :], -9))
        return np.ones(len(labels), bool)


def tracks_in(text: str) -> tuple[int, ...]:
    """Return the track ids in "3, 7 12"; what is no number is left out."""
    words = text.replace(",", " ").split()
    return tuple(int(word) for word in words if word.isdecimal())


class FilterBar(QWidget):
    """The fields of a filter in a line that wraps.

    Signals
    -------
    changed :
        Other cells are wanted.
    """

    changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.filter = Filter()
        self._filling = False
        self.kind = ChoiceBox("Which cells are shown, by class")
        self.movie = ChoiceBox("Which movie's cells are shown")
        self.first, self.last = QSpinBox(), QSpinBox()
        for box, word in ((self.first, "First"), (self.last, "Last")):
            box.setToolTip(f"{word} frame shown")
            box.setAccessibleName(f"{word} frame shown")
            box.valueChanged.connect(self._on_frames)
        self.track = QLineEdit()
        self.track.setPlaceholderText("track")
        self.track.setMaximumWidth(88)
        self.track.setToolTip("Only these tracks: 3, 7, 12")
        self.clear = plain_button("Clear", "Show all cells")
        frames = QWidget()
        row = QHBoxLayout(frames)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(STEP)
        for widget in (QLabel("frames"), self.first, QLabel("–"), self.last):
            row.addWidget(widget)
        layout = QFlowLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setHorizontalSpacing(STEP)
        layout.setVerticalSpacing(STEP)
        for widget in (self.kind, self.movie, frames, self.track, self.clear):
            layout.addWidget(widget)
        self.kind.chosen.connect(self._on_kind)
        self.movie.chosen.connect(self._on_movie)
        self.track.textChanged.connect(self._on_track)
        self.clear.clicked.connect(self.reset)

    @property
    def filters(self) -> bool:
        """Whether some cells may be left out."""
        return self.filter != Filter()

    def fill(self, session: Session) -> None:
        """Offer what there is in a session."""
        table, project = session.table, session.project
        if table is None or project is None:
            return
        self._filling = True
        scored = session.scores is not None
        why = "" if scored else "Score the cells first"
        names = project.labels.names
        out = "" if session.left_out.any() else "No cell is filtered out"
        taught = session.scores.names[:-1] if session.scores else ()
        groups: list[list[Choice]] = [
            [
                Choice(ALL, "all cells"),
                Choice(UNLABELLED, "unlabelled"),
                Choice(LABELLED, "labelled"),
                Choice(UNCERTAIN, "uncertain", why_not=why),
                Choice(FILTERED_OUT, "filtered out", why_not=out),
                Choice(USABLE, "usable", why_not=out),
            ],
            [Choice(_IS + name, f"labelled {name}") for name in names],
            [Choice(_CALLED + name, f"called {name}") for name in taught],
        ]
        asked = Asked.from_key(self.filter.kind)
        if asked is not None:
            groups.append([Choice(asked.key, asked.words)])
        self.kind.offer([group for group in groups if group], self.filter.kind)
        movies = [Choice("", "all movies"), *(Choice(m, m) for m in table.movies)]
        self.movie.offer([movies], self.filter.movie)
        self.movie.setVisible(len(table.movies) > 1)
        end = int(table.t.max(initial=0))
        for box, value in ((self.first, 0), (self.last, end)):
            box.setRange(0, end)
            if self.filter.frames is None:
                box.setValue(value)
        self._filling = False

    def reset(self) -> None:
        """Show all cells."""
        self._filling = True
        self.track.clear()
        self.last.setValue(self.last.maximum())
        self.first.setValue(0)
        self.kind.setCurrentIndex(0)
        self.movie.setCurrentIndex(0)
        self._filling = False
        self._set(kind=ALL, movie="", frames=None, tracks=())

    def show_kind(self, kind: str) -> None:
        """Show cells of one kind."""
        self._set(kind=kind)

    def _on_kind(self, kind: str) -> None:
        self._set(kind=kind)

    def _on_movie(self, movie: str) -> None:
        self._set(movie=movie)

    def _on_frames(self) -> None:
        span = (self.first.value(), self.last.value())
        whole = span == (0, self.last.maximum())
        self._set(frames=None if whole else span)

    def _on_track(self, text: str) -> None:
        self._set(tracks=tracks_in(text))

    def _set(self, **changes: Any) -> None:
        if not self._filling:
            before, self.filter = self.filter, replace(self.filter, **changes)
            if before != self.filter:
                self.changed.emit()
