"""Hand labels from a table: which cell is of which class."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from napari_cellsci.errors import InputError
from napari_cellsci.io._csv_tracks import read_table
from napari_cellsci.io._raw import check_exists
from napari_cellsci.io.image_names import is_of_images

COLUMNS = ("movie", "track_id", "t", "y", "x", "class", "image")


def read_labels_csv(path: str | Path, *, may_be_empty: bool = False) -> pd.DataFrame:
    """Read a table of class labels.

    Parameters
    ----------
    path : path
        CSV with the columns ``t``, ``class`` and ``track_id``, or ``y`` and ``x`` (px)
        for cells without a track; optional ``movie``; other columns are left out. For
        images of single cells the columns ``image`` (its name) or ``index`` (its
        number from 0) and ``class``, which may be empty.
    may_be_empty : bool
        Whether a table of images without a class is read as no labels.

    Returns
    -------
    DataFrame
        ``movie`` (str, "" = not said), ``track_id`` (int64, −1 = not said; 0 means the
        same unless the movie has a track 0), ``t`` (int64), ``y``, ``x`` (float64, NaN
        = not said), ``class``, ``image`` (str), in the file's order.

    Raises
    ------
    InputError
        If columns are missing, there are no rows, or a row has no frame, no class, or
        neither track nor position.
    """
    path = Path(path)
    check_exists(path)
    table = read_table(path, as_text=True)
    table.columns = table.columns.astype(str).str.strip().str.lower()
    of_images = is_of_images(table.columns)
    if of_images:
        table = _as_cells(table, may_be_empty)
    _check_columns(table, path.name)
    table = table.fillna("").apply(lambda column: column.str.strip())
    table = table[(table != "").any(axis=1)].reset_index(drop=True)
    if of_images:  # a table of all images may leave some without a class
        table = table[table["class"] != ""].reset_index(drop=True)
    if not len(table) and not (of_images and may_be_empty):
        raise InputError(f"{path.name} has no labels (no rows): choose another file.")
    values = {
        name: _numbers(table, name, path.name) for name in ("track_id", "t", "y", "x")
    }
    unsaid = np.isnan(values["track_id"])
    _refuse(table, np.isnan(values["t"]), "no frame (t)", path.name)
    _refuse(table, table["class"].eq("").to_numpy(), "no class", path.name)
    no_place = np.isnan(values["y"]) | np.isnan(values["x"])
    if of_images:
        nameless = unsaid & table["image"].eq("").to_numpy()
        _refuse(table, nameless, "neither image nor index", path.name)
    else:
        _refuse(table, unsaid & no_place, "neither a track nor y and x", path.name)
    for name in ("track_id", "t"):
        column = np.nan_to_num(values[name])
        wrong = (column < 0) | (column != np.round(column))
        _refuse(table, wrong, f"a {name} that is not a whole number from 0", path.name)
    return pd.DataFrame(
        {
            "movie": table.get("movie", ""),
            "track_id": np.where(unsaid, -1, values["track_id"]).astype(np.int64),
            "t": values["t"].astype(np.int64),
            "y": values["y"],
            "x": values["x"],
            "class": table["class"],
            "image": table["image"] if of_images else "",
        }
    )


def _as_cells(table: pd.DataFrame, may_be_empty: bool) -> pd.DataFrame:
    """Write a table of images as one of cells: number and time 0 name a cell too."""
    known = [name for name in ("movie", "class", "image") if name in table]
    number = table["index"] if "index" in table and "image" not in table else ""
    cells = table[known].assign(track_id=number, t="0")
    if may_be_empty and "class" not in cells:
        cells["class"] = ""
    return cells if "image" in cells else cells.assign(image="")


def _check_columns(table: pd.DataFrame, name: str) -> None:
    have = set(table.columns)
    missing = [column for column in ("t", "class") if column not in have]
    if "track_id" not in have and not {"y", "x"} <= have:
        missing.insert(0, "track_id")
    if missing:
        raise InputError(
            f"{name} has no column {' or '.join(missing)} (its columns: "
            f"{', '.join(list(table.columns)[:12])}): labels need track_id, t and "
            "class, or y, x, t and class."
        )


def _numbers(table: pd.DataFrame, column: str, name: str) -> npt.NDArray[np.float64]:
    if column not in table:
        return np.full(len(table), np.nan)
    text = table[column].where(~table[column].str.lower().isin(["nan", "none"]), "")
    numbers = pd.to_numeric(text, errors="coerce").to_numpy(np.float64)
    wrong = (~np.isfinite(numbers)) & text.ne("").to_numpy()
    _refuse(table, wrong, f"a {column} that is not a number", name)
    return numbers


def _refuse(
    table: pd.DataFrame, bad: npt.NDArray[np.bool_], what: str, name: str
) -> None:
    if not bad.any():
        return
    first, n = int(np.argmax(bad)), int(bad.sum())
    row = ", ".join(value for value in table.iloc[first].tolist() if value)
    more = f" ({n} such rows)" if n > 1 else ""
    raise InputError(
        f"{name} has {what} in row {first + 1} ({row}){more}: correct or remove it."
    )
