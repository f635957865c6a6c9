"""Labels from a table: read, checked, and matched to cells."""

from __future__ import annotations

import os
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from napari_cellsci.errors import InputError
from napari_cellsci.labels.cells import CellIndex


@dataclass(frozen=True)
class ImportReport:
    """What became of the rows of an imported table.

    Parameters
    ----------
    matched : int
        Cells that got a label.
    unmatched : DataFrame
        Rows that found no cell, with their number (from 1) and the reason.
    unused : dict of str to int
        Labelled cells of classes that take no part in training.
    """

    matched: int
    unmatched: pd.DataFrame
    unused: dict[str, int] = field(default_factory=dict)

    @property
    def sentence(self) -> str:
        """The report in words."""
        parts = [f"{_cells(self.matched)} labelled"]
        if self.unused:
            kept = ", ".join(f"{count} {name}" for name, count in self.unused.items())
            parts.append(f"of these {kept} kept but not used in training")
        if len(self.unmatched):
            parts.append(f"{len(self.unmatched)} row(s) found no cell")
        return "; ".join(parts) + "."


def _cells(count: int) -> str:
    return f"{count} cell" if count == 1 else f"{count} cells"


def match_rows(
    rows: pd.DataFrame,
    index: CellIndex,
    max_distance: float,
    path: str | os.PathLike[str],
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Find the cell of each row of `io.labels_csv.read_labels_csv`.

    Returns
    -------
    matches, unmatched : DataFrame
        Columns cell and class; and the rows without a cell, with their reason.

    Raises
    ------
    InputError
        If the movie is left open, no row finds a cell, or two rows contradict.
    """
    rows = _with_movies(rows.assign(row=np.arange(1, len(rows) + 1)), index, path)
    tracked = _has_track(rows, index)
    cell, reason = _match_tracked(rows, tracked, index)
    _match_images(rows, cell, reason, index)
    _refuse_contradictions(rows, cell, path)
    placed = ~tracked & (rows["image"] == "").to_numpy()
    _match_nearest(rows, placed, cell, reason, index, max_distance)
    found = cell >= 0
    if not found.any():
        raise InputError(
            f"No row of {path} names a cell of this project (row 1: {reason[0]}): "
            "check that the labels belong to these cells."
        )
    matches = pd.DataFrame({"cell": cell[found], "class": rows["class"][found]})
    unmatched = rows[~found].assign(reason=reason[~found])
    order = ["row", "movie", "track_id", "t", "y", "x", "image", "class", "reason"]
    return (
        matches.drop_duplicates("cell").reset_index(drop=True),
        unmatched[order].reset_index(drop=True),
    )


def _with_movies(
    rows: pd.DataFrame, index: CellIndex, path: str | os.PathLike[str]
) -> pd.DataFrame:
    # An image may be found by its name alone.
    unsaid = (rows["movie"] == "") & (rows["image"] == "")
    if (rows["movie"] == "").all() and len(index.movies) == 1:
        return rows.assign(movie=index.movies[0])
    if unsaid.any():
        raise InputError(
            f"The project has several movies, but {path} does not say which: add a "
            f"column movie with {', '.join(index.movies)}."
        )
    return rows


def _has_track(rows: pd.DataFrame, index: CellIndex) -> NDArray[np.bool_]:
    """Rows that name a track; 0 means none unless a track is really called 0."""
    cells = index.cells
    zero = set(cells.loc[cells["track_id"] == 0, "movie"].unique())
    track = rows["track_id"].to_numpy()
    has: NDArray[np.bool_] = (track > 0) | (
        (track == 0) & rows["movie"].isin(zero).to_numpy()
    )
    return has


def _match_tracked(
    rows: pd.DataFrame, tracked: NDArray[np.bool_], index: CellIndex
) -> tuple[NDArray[np.int64], NDArray[np.object_]]:
    cell = np.full(len(rows), -1, dtype=np.int64)
    reason = np.full(len(rows), "", dtype=object)
    columns = (rows[name].tolist() for name in ("movie", "track_id", "t"))
    for number, (movie, track, t) in enumerate(zip(*columns, strict=True)):
        if movie not in index.movies:
            reason[number] = f"the project has no movie {movie!r}"
        elif tracked[number]:
            row = index.find(movie, track, t)
            if row is None:
                reason[number] = (
                    f"there is no image {track}"
                    if movie in index.image_sets
                    else f"there is no cell of track {track} at time {t}"
                )
            else:
                cell[number] = row
    return cell, reason


def _match_images(
    rows: pd.DataFrame,
    cell: NDArray[np.int64],
    reason: NDArray[np.object_],
    index: CellIndex,
) -> None:
    """Find the images of rows that name one."""
    both = zip(rows["image"].tolist(), rows["movie"].tolist(), strict=True)
    for number, (name, movie) in enumerate(both):
        if not name:
            continue
        row = index.find_image(name, movie)
        cell[number] = -1 if row is None else row
        reason[number] = "" if row is not None else f"there is no image {name!r}"


def _refuse_contradictions(
    rows: pd.DataFrame, cell: NDArray[np.int64], path: str | os.PathLike[str]
) -> None:
    found = rows[cell >= 0].assign(cell=cell[cell >= 0])
    several = found.groupby("cell")["class"].nunique()
    if (several > 1).any():
        both = found[found["cell"] == several.idxmax()]
        numbers = " and ".join(str(number) for number in both["row"])
        raise InputError(
            f"Rows {numbers} of {path} give the same cell different classes "
            f"({', '.join(both['class'])}): keep one of them."
        )


def _match_nearest(
    rows: pd.DataFrame,
    wanted: NDArray[np.bool_],
    cell: NDArray[np.int64],
    reason: NDArray[np.object_],
    index: CellIndex,
    max_distance: float,
) -> None:
    """Give rows without a track the nearest cell of their frame, if it is still free.

    The closest pair goes first, so that two rows never share a cell.
    """
    from scipy.spatial.distance import cdist

    taken = set(cell[cell >= 0].tolist())
    open_rows = rows.assign(number=np.arange(len(rows)))[wanted & (reason == "")]
    for (movie, t), group in open_rows.groupby(["movie", "t"], sort=False):
        number = group["number"].to_numpy()
        placed = group[["y", "x"]].notna().all(axis=1).to_numpy()
        reason[number[~placed]] = "it has neither a track nor y and x"
        reason[number[placed]] = f"no tracked cell lies within {max_distance:g} px"
        frame = index.cells
        frame = frame[(frame["movie"] == movie) & (frame["t"] == t)]
        if frame.empty or not placed.any():
            continue
        distance = cdist(group.loc[placed, ["y", "x"]], frame[["y", "x"]])
        nearest = distance.argmin(axis=1)
        closest = distance.min(axis=1)
        for i in np.argsort(closest, kind="stable"):
            if closest[i] > max_distance:
                break
            row = int(frame.index[nearest[i]])
            if row in taken:
                reason[number[placed][i]] = (
                    "the nearest cell is labelled by another row"
                )
                continue
            taken.add(row)
            cell[number[placed][i]] = row
            reason[number[placed][i]] = ""
