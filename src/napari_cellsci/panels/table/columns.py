"""The columns of the table of cells, and which cells a filter leaves."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_cellsci.errors import InputError
from napari_cellsci.viewer.readout import significant

if TYPE_CHECKING:
    from napari_cellsci.viewer.session import Session

_TERM = re.compile(r"(?P<name>[^<>=!~\s]+)(?P<op><=|>=|!=|=|<|>)(?P<value>\S+)")
_TIPS = {
    "original_height": "Height of the image as it came (px)",
    "original_width": "Width of the image as it came (px)",
}
_PLACE = ("movie", "track_id", "t", "y", "x", "z", "parent", "label_id")


@dataclass(frozen=True, eq=False, slots=True)
class Column:
    """One column: its name, what it tells, and a value per cell.

    Numbers that are not known are NaN; words are an object array.
    """

    name: str
    tip: str
    values: NDArray[Any]

    @property
    def is_words(self) -> bool:
        """Whether its values are words."""
        return self.values.dtype == object

    def text(self, row: int) -> str:
        """Return the value of a cell in words."""
        value = self.values[row]
        if self.is_words:
            return str(value)
        if np.issubdtype(self.values.dtype, np.integer):
            return str(value)
        return "" if not np.isfinite(value) else significant(float(value))


def columns_of(session: Session) -> list[Column]:
    """Return everything known of the cells of a session's project."""
    table, project = session.table, session.project
    if table is None or project is None:
        return []
    found = []
    if len(table.movies) > 1:
        movies = np.array(table.movies, dtype=object)[table.movie]
        found.append(Column("movie", "Movie of the project", movies))
    if table.image is not None:
        found.append(Column("image", "Name of the image", table.image))
        if "group" in project.cells:
            groups = project.cells["group"].to_numpy(dtype=object)
            found.append(Column("group", "Held out together", groups))
    if table.image is None or (table.image == "").any():
        found.append(Column("track", "Track of the movie", table.track))
        found.append(Column("frame", "Frame of the movie", table.t))
    minutes = _minutes(session)
    if minutes is not None:
        found.append(Column("min", "Time since the start of the movie (min)", minutes))
    names = np.array([*session.palette, ""], dtype=object)
    found.append(Column("label", "What a person said", names[session.label_codes()]))
    if session.left_out.any():
        out = np.where(session.left_out, "yes", "").astype(object)
        found.append(Column("filtered_out", "Filtered out as junk", out))
    scores = session.scores
    if scores is not None:
        said = np.array([*scores.names, ""], dtype=object)[scores.prediction]
        found += [
            Column("called", "What the classifier says", said),
            Column("score", "Its score; the sign decides", scores.score),
            Column("sd", "Spread of the score over its models", scores.score_sd),
            Column("P", "Probability of what it says", scores.certainty),
            Column("ood", "How unlike the training cells, 0 to 1", scores.ood),
        ]
    found += [
        Column("y", "Place (px)", table.y),
        Column("x", "Place (px)", table.x),
    ]
    cells = project.cells
    for name in cells.columns:
        if name not in _PLACE and np.issubdtype(cells[name].dtype, np.number):
            tip = _TIPS.get(str(name), "Measured within the mask")
            if str(name).startswith("residual_"):
                tip = "What a channel shows that another does not tell (0: nothing)"
            found.append(Column(str(name), tip, cells[name].to_numpy()))
    return found


def _minutes(session: Session) -> NDArray[np.float64] | None:
    table = session.table
    assert table is not None
    starts = [int(np.argmax(table.movie == m)) for m in range(len(table.movies))]
    seconds = [session.clock(row).frame_interval for row in starts]
    if all(s is None for s in seconds):
        return None
    per_movie = np.array([np.nan if s is None else s / 60 for s in seconds])
    return np.asarray(table.t * per_movie[table.movie])


def chosen(columns: list[Column], text: str) -> NDArray[np.bool_]:
    """Return which cells a filter leaves.

    Terms stand side by side, and all must hold: ``score>0``, ``track=12``,
    ``label=metaphase``, ``label=`` is not written but ``unlabelled``; a single word
    matches any column of words.

    Raises
    ------
    InputError
        If a term names no column, or compares with something that is no number.
    """
    n = len(columns[0].values) if columns else 0
    keep = np.ones(n, bool)
    for term in text.split():
        match = _TERM.fullmatch(term)
        keep &= _compared(columns, match) if match else _worded(columns, term)
    return keep


def _worded(columns: list[Column], word: str) -> NDArray[np.bool_]:
    label = next((c for c in columns if c.name == "label"), None)
    if label is not None and word.lower() in ("labelled", "unlabelled"):
        has = label.values != ""
        return np.asarray(has if word.lower() == "labelled" else ~has)
    found = np.zeros(len(columns[0].values) if columns else 0, bool)
    for column in columns:
        if column.is_words:
            words = set(column.values.tolist())
            fitting = [w for w in words if word.lower() in str(w).lower()]
            found |= np.isin(column.values.astype(str), fitting)
    return found


def _compared(columns: list[Column], match: re.Match[str]) -> NDArray[np.bool_]:
    name, op, text = match["name"], match["op"], match["value"]
    column = next((c for c in columns if c.name.lower() == name.lower()), None)
    if column is None:
        known = ", ".join(c.name for c in columns)
        raise InputError(f"There is no column {name!r}; there are {known}.")
    if column.is_words:
        same = column.values.astype(str) == text
        if op not in ("=", "!="):
            raise InputError(f"{column.name} holds words: compare it with = or !=.")
        return np.asarray(same if op == "=" else ~same)
    try:
        value = float(text)
    except ValueError as error:
        raise InputError(f"{text!r} in {match[0]!r} is not a number.") from error
    values = column.values.astype(np.float64)
    return np.asarray(
        {
            "=": values == value,
            "!=": values != value,
            "<": values < value,
            ">": values > value,
            "<=": values <= value,
            ">=": values >= value,
        }[op]
    )


def sorted_by(
    column: Column, rows: NDArray[np.int64], descending: bool
) -> NDArray[np.int64]:
    """Return rows sorted by a column, unknown values last either way."""
    values = column.values[rows]
    if column.is_words:
        codes = {word: i for i, word in enumerate(sorted(set(values.tolist())))}
        unknown = np.array([word == "" for word in values.tolist()], bool)
        key = np.array([codes[word] for word in values.tolist()], np.float64)
    else:
        key = values.astype(np.float64)
        unknown = ~np.isfinite(key)
    key = np.where(unknown, np.inf, -key if descending else key)
    return rows[np.argsort(key, kind="stable")]
