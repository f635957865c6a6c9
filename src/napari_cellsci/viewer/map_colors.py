"""Colours of cells in a map of all of them: by score, class, time, track or movie."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from napari_cellsci.labels.classes import OKABE_ITO
from napari_cellsci.viewer import painted
from napari_cellsci.viewer.colors import FloatArray, colors_of_codes, rgba

if TYPE_CHECKING:
    from napari_cellsci.viewer.session import Session

MapColor: TypeAlias = Literal["score", "prediction", "label", "time", "track", "movie"]
VIRIDIS = (
    *("#440154", "#46327E", "#365C8D", "#277F8E", "#1FA187", "#4AC16D"),
    *("#A0DA39", "#FDE725"),
)
"""Early to late, readable by eyes of any kind (van der Walt and Smith, 2015)."""
MOVIES = OKABE_ITO[:-1]
"""Colours of movies: all but black, which a dark theme hides."""
_GOLDEN = 0.6180339887
_SATURATION, _VALUE = 0.62, 0.86


@dataclass(frozen=True, slots=True)
class MapColors:
    """One way of colouring: its key, words, and what it needs."""

    key: MapColor
    title: str
    tip: str
    needs_scores: bool = False


MAP_COLORS = (
    MapColors("score", "score", "Blue below 0, vermilion above", needs_scores=True),
    MapColors("prediction", "prediction", "The predicted class", needs_scores=True),
    MapColors("label", "label", "What a person said the cell is"),
    MapColors("time", "time", "Early frames dark, late ones yellow"),
    MapColors("track", "track", "Each track its own colour"),
    MapColors("movie", "movie", "Each movie its own colour"),
)


def usable(session: Session, by: MapColor) -> MapColor:
    """Return `by`, or what stands in for it.

    That is "label" where there are no scores, and "prediction" for the score of more
    than two classes, which is the lead of one of them, whichever it is.
    """
    needs = next(way.needs_scores for way in MAP_COLORS if way.key == by)
    if needs and session.scores is None:
        return "label"
    return "prediction" if by == "score" and is_lead(session) else by


def is_lead(session: Session) -> bool:
    """Whether scores tell by how much the best of several classes leads."""
    return session.scores is not None and session.scores.n_classes > 2


def colors(session: Session, by: MapColor) -> FloatArray:
    """Return the colours of all cells (n, 4)."""
    table = session.table
    by = usable(session, by)
    if table is None:
        return np.zeros((0, 4), np.float32)
    if by == "time":
        return sequential(table.t / max(int(table.t.max(initial=0)), 1))
    if by == "track":
        return hues(table.track + 7919 * table.movie)
    if by == "movie":
        return colors_of_codes(table.movie % len(MOVIES), MOVIES)
    return painted.paint(session, by=by)


def movie_palette(session: Session) -> dict[str, str]:
    """Return the colours of the movies by name."""
    names = () if session.table is None else session.table.movies
    return {name: MOVIES[i % len(MOVIES)] for i, name in enumerate(names)}


def has_color(session: Session, by: MapColor) -> NDArray[np.bool_]:
    """Return which cells have a colour that means something."""
    by = usable(session, by)
    if by == "label":
        return session.label_codes() >= 0
    if session.scores is not None and by in ("score", "prediction"):
        return session.scores.scored
    return np.ones(session.n_cells, bool)


def sequential(part: NDArray[np.floating]) -> FloatArray:
    """Return colours (n, 4) for values from 0 to 1."""
    anchors = np.stack([rgba(color) for color in VIRIDIS])
    at = np.linspace(0, 1, len(anchors))
    columns = [np.interp(part, at, anchors[:, i]) for i in range(4)]
    return np.stack(columns, axis=1).astype(np.float32)


def hues(numbers: NDArray[np.integer]) -> FloatArray:
    """Return a hue for each number, far from those of the numbers next to it."""
    hue = (numbers * _GOLDEN) % 1
    # The usual way from hue, saturation and value to red, green and blue.
    offsets = np.array([5.0, 3.0, 1.0])
    k = (offsets + hue[:, np.newaxis] * 6) % 6
    ramp = np.clip(np.minimum(k, 4 - k), 0, 1)
    found = np.ones((len(numbers), 4), np.float32)
    found[:, :3] = _VALUE * (1 - _SATURATION * ramp)
    return found
