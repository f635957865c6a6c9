"""The table of track points that every tracks format ends in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from napari_cellsci.errors import InputError
from napari_cellsci.io._lazy import ArrayLike

ALIASES: Mapping[str, tuple[str, ...]] = {
    "track_id": ("track_id", "trackid", "track id", "track", "particle", "id"),
    "t": ("t", "frame", "timepoint", "time_point", "time"),
    "y": ("y", "y_px", "pos_y", "position_y", "centroid_y", "centroid-0"),
    "x": ("x", "x_px", "pos_x", "position_x", "centroid_x", "centroid-1"),
    "z": ("z", "pos_z", "position_z", "centroid_z"),
    "parent": ("parent", "parent_id", "parent_track_id"),
    "label_id": ("label_id", "mask_id"),
}
REQUIRED = ("track_id", "t", "y", "x")


@dataclass(frozen=True, eq=False)
class Tracks:
    """Where every cell is at every frame it was followed in, and who its parent is.

    Parameters
    ----------
    table : DataFrame
        One row per track and frame, sorted by (track_id, t): ``track_id``, ``t``
        (int64), ``y``, ``x`` (float64, pixels of the image, the centre of the first
        pixel is 0), optional ``z``; ``parent`` (int64, 0 = none), ``label_id`` (int64,
        the object in that frame's mask, 0 = none); further numeric columns as found.
    graph : dict of int to list of int
        Parents of each track that has some (napari's form).
    masks : array-like (T, Y, X), optional
        Integer label images, where the source has them.
    masks_tracked : bool
        Whether a label's value in `masks` is the cell's track_id.
    masks_path : Path, optional
        Where `masks` can be opened again.
    """

    table: pd.DataFrame
    graph: dict[int, list[int]] = field(default_factory=dict)
    masks: ArrayLike | None = None
    masks_tracked: bool = False
    masks_path: Path | None = None

    @property
    def n_tracks(self) -> int:
        """Number of tracks."""
        return int(self.table["track_id"].nunique())


def tracks_from_table(
    table: pd.DataFrame | npt.NDArray[Any],
    *,
    graph: Mapping[int, Sequence[int]] | None = None,
    masks: ArrayLike | None = None,
    masks_tracked: bool = False,
    masks_path: Path | None = None,
    name: str = "The tracks table",
) -> Tracks:
    """Make tracks from a table, checking all that can be checked without the movie.

    Parameters
    ----------
    table : DataFrame or array (N, 4 | 5)
        Columns track_id, t, [z], y, x under these or other usual names; an array in
        napari's order. ``parent`` 0, negative, empty or the track itself means none.
    graph : mapping, optional
        Parents of tracks; by default from the ``parent`` column.
    masks, masks_tracked, masks_path
        As in `Tracks`.
    name : str
        What to call the table in a refusal.

    Raises
    ------
    InputError
        If columns are missing, there are no rows, or a row has no usable track id,
        frame or position, or repeats a (track, frame).
    """
    frame = _named(table, name)
    has_zero_parent = _zero_may_be_a_parent(frame)
    clean = clean_table(frame, name)
    if graph is None:
        graph = _graph_of(frame, has_zero_parent)
    kept = _known_parents(graph, set(clean["track_id"].tolist()))
    first = pd.Series({child: parents[0] for child, parents in kept.items()})
    clean["parent"] = (
        clean["track_id"].map(first).fillna(0).astype(np.int64)
        if kept
        else np.zeros(len(clean), np.int64)
    )
    return Tracks(clean, kept, masks, masks_tracked, masks_path)


def clean_table(table: pd.DataFrame, name: str = "The tracks table") -> pd.DataFrame:
    """Return the table with the columns, types and order of `Tracks.table`.

    Raises
    ------
    InputError
        As `tracks_from_table`.
    """
    table = _named(table, name)
    if not len(table):
        raise InputError(f"{name} holds no tracks (no rows): choose another file.")
    columns: dict[str, npt.NDArray[Any]] = {}
    for column in ("track_id", "t"):
        columns[column] = _whole(_numbers(table[column], name), column, name)
    for column in ("z", "y", "x"):
        if column in table:
            columns[column] = _numbers(table[column], name)
    _check_duplicates(columns["track_id"], columns["t"], name)
    for column in ("parent", "label_id"):
        columns[column] = _optional_ids(table, column)
    for column in table.columns:
        values = table[column]
        if column not in columns and pd.api.types.is_numeric_dtype(values):
            columns[str(column)] = values.to_numpy()
    clean = pd.DataFrame(columns)
    clean = clean.sort_values(["track_id", "t"], kind="stable", ignore_index=True)
    return clean


def _named(table: pd.DataFrame | npt.NDArray[Any], name: str) -> pd.DataFrame:
    if not isinstance(table, pd.DataFrame):
        array = np.asarray(table)
        if array.ndim != 2 or array.shape[1] not in (4, 5):
            raise InputError(
                f"{name} has the shape {array.shape}, but tracks are rows of "
                "track_id, t, [z], y, x (4 or 5 columns)."
            )
        return pd.DataFrame(
            array, columns=["track_id", "t", *"zyx"[5 - array.shape[1] :]]
        )
    lower = {str(column).strip().lower(): column for column in reversed(table.columns)}
    renamed = {}
    for wanted, aliases in ALIASES.items():
        found = next((alias for alias in aliases if alias in lower), None)
        if found is not None:
            renamed[lower[found]] = wanted
    missing = [column for column in REQUIRED if column not in renamed.values()]
    if missing:
        have = ", ".join(str(column) for column in list(table.columns)[:12]) or "none"
        raise InputError(
            f"{name} has no column {' or '.join(missing)} (its columns: {have}): "
            "tracks need the columns track_id, t, y, x, and z where there are planes."
        )
    return table.rename(columns=renamed)


def _row(bad: npt.NDArray[np.bool_]) -> tuple[int, str]:
    """Return the first bad row and a phrase for it, counting rows from 1."""
    first, n = int(np.argmax(bad)), int(bad.sum())
    more = f" and {n - 1} more" if n > 1 else ""
    return first, f"row {first + 1}{more}"


def _numbers(values: pd.Series[Any], name: str) -> npt.NDArray[np.float64]:
    numbers = np.asarray(pd.to_numeric(values, errors="coerce"), dtype=np.float64)
    text = np.isnan(numbers) & values.notna().to_numpy()
    if values.dtype == object:
        text &= ~values.astype(str).str.strip().str.lower().isin(["", "nan"]).to_numpy()
    if text.any():
        first, where = _row(text)
        raise InputError(
            f"{name}: {values.iloc[first]!r} in column {values.name} of {where} is not "
            "a number: correct or remove it."
        )
    bad = ~np.isfinite(numbers)
    if bad.any():
        _, where = _row(bad)
        raise InputError(
            f"{name} has no usable {values.name} (NaN or infinite) in {where}: correct "
            "or remove these rows."
        )
    return numbers


def _whole(
    numbers: npt.NDArray[np.float64], column: str, name: str
) -> npt.NDArray[np.int64]:
    what = "frame number" if column == "t" else "track number"
    bad = (numbers != np.round(numbers)) | (np.abs(numbers) > 2**53)
    if bad.any():
        first, where = _row(bad)
        raise InputError(
            f"{name} has {column} = {numbers[first]:g} in {where}, but a {what} is "
            "whole: correct the column."
        )
    bad = numbers < 0
    if bad.any():
        first, where = _row(bad)
        what = "negative time" if column == "t" else "negative track id"
        raise InputError(
            f"{name} has a {what} ({column} = {numbers[first]:g}) in {where}: count "
            "from 0, or remove these rows."
        )
    return numbers.astype(np.int64)


def _check_duplicates(
    ids: npt.NDArray[np.int64], t: npt.NDArray[np.int64], name: str
) -> None:
    twice = pd.DataFrame({"id": ids, "t": t}).duplicated().to_numpy()
    if twice.any():
        first, where = _row(twice)
        raise InputError(
            f"{name} has track {ids[first]} twice at frame {t[first]} ({where}): a "
            "track is one cell at each frame; give daughters ids of their own."
        )


def _optional_ids(table: pd.DataFrame, column: str) -> npt.NDArray[np.int64]:
    if column not in table:
        return np.zeros(len(table), np.int64)
    numbers = pd.to_numeric(table[column], errors="coerce").to_numpy(np.float64)
    numbers = np.where(np.isfinite(numbers) & (numbers > 0), numbers, 0)
    return numbers.astype(np.int64)


def _parents(frame: pd.DataFrame) -> pd.DataFrame:
    """Child and parent, once each; parent NaN where the row does not say."""
    pairs = pd.DataFrame(
        {c: pd.to_numeric(frame[c], errors="coerce") for c in ("track_id", "parent")}
    )
    return pairs.drop_duplicates()


def _zero_may_be_a_parent(frame: pd.DataFrame) -> bool:
    """Whether "no parent" is written as -1, NaN or the track itself, and never as 0."""
    if "parent" not in frame:
        return False
    pairs = _parents(frame)
    itself = (pairs["parent"] == pairs["track_id"]) & (pairs["track_id"] > 0)
    silent = pairs.groupby("track_id")["parent"].max().isna()
    return bool(((pairs["parent"] < 0) | itself).any() or silent.any())


def _graph_of(frame: pd.DataFrame, zero_is_a_track: bool) -> dict[int, list[int]]:
    if "parent" not in frame:
        return {}
    pairs = _parents(frame).dropna()
    lowest = 0 if zero_is_a_track else 1
    pairs = pairs[(pairs["parent"] >= lowest) & (pairs["parent"] != pairs["track_id"])]
    graph: dict[int, list[int]] = {}
    for child, parent in pairs.sort_values(["track_id", "parent"]).to_numpy():
        graph.setdefault(int(child), []).append(int(parent))
    return graph


def _known_parents(
    graph: Mapping[int, Sequence[int]], ids: set[int]
) -> dict[int, list[int]]:
    """Leave out parents that were not tracked, such as those of a filtered export."""
    kept = {
        int(child): [int(parent) for parent in parents if parent in ids]
        for child, parents in graph.items()
        if child in ids
    }
    return {child: parents for child, parents in kept.items() if parents}
