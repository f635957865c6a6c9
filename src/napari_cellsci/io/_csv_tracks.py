"""Tracks from tables of comma-separated values."""

from __future__ import annotations

import csv
from pathlib import Path

import pandas as pd

from napari_cellsci.errors import InputError
from napari_cellsci.io._raw import reason
from napari_cellsci.io._table import Tracks, tracks_from_table


def read_csv_tracks(path: Path) -> Tracks:
    """Read a table in napari's column order, with or without a header.

    With a header columns are found by name in any order, and a first column without a
    name (a pandas index) is left out. Without one, there are four or five columns:
    track_id, t, [z], y, x.

    Raises
    ------
    InputError
        If it is no such table.
    """
    return tracks_from_table(read_table(path), name=path.name)


def read_table(path: Path, *, as_text: bool = False) -> pd.DataFrame:
    """Read a delimited text file as a table, guessing delimiter and header.

    Raises
    ------
    InputError
        If the file is not text, or not a table.
    """
    first = first_cells(path)
    header: int | None = 0
    names = first[1:] if first and not first[0] else first
    if _all_numbers(first) and names != [str(i) for i in range(len(names))]:
        header = None
        if len(first) not in (4, 5):
            raise InputError(
                f"{path.name} has {len(first)} columns and no header: name the columns "
                "track_id, t, y, x in a first line."
            )
    try:
        table = pd.read_csv(
            path,
            sep=_delimiter(path),
            header=header,
            skipinitialspace=True,
            encoding="utf-8-sig",
            dtype=str if as_text else None,
            keep_default_na=not as_text,
            low_memory=False,
            float_precision="round_trip",
        )
    except (ValueError, OSError, csv.Error) as error:
        raise InputError(
            f"{path.name} is not a table ({reason(error)}): export it again as CSV."
        ) from error
    if first and not first[0]:
        table = table.drop(columns=table.columns[0])
    if _all_numbers([str(column) for column in table.columns]):
        return _by_position(table, path)
    return table


def _by_position(table: pd.DataFrame, path: Path) -> pd.DataFrame:
    if table.shape[1] not in (4, 5):
        raise InputError(
            f"{path.name} has {table.shape[1]} columns without names: name the columns "
            "track_id, t, y, x in a first line."
        )
    return table.set_axis(["track_id", "t", *"zyx"[5 - table.shape[1] :]], axis=1)


def first_cells(path: Path) -> list[str]:
    """Return the cells of the first line, stripped.

    Raises
    ------
    InputError
        If the file is not text.
    """
    line = _first_line(path)
    cells = next(csv.reader([line], delimiter=_delimiter(path)), [])
    return [cell.strip() for cell in cells]


def _first_line(path: Path) -> str:
    try:
        with path.open(encoding="utf-8-sig") as file:
            line = file.readline(1 << 20)
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            f"{path.name} is not a text table ({reason(error)}): choose a CSV file."
        ) from error
    if "\0" in line:
        raise InputError(f"{path.name} is not a text table: choose a CSV file.")
    return line.rstrip("\r\n")


def _delimiter(path: Path) -> str:
    line = _first_line(path)
    return max(",;\t", key=line.count)


def _all_numbers(cells: list[str]) -> bool:
    try:
        [float(cell) for cell in cells if cell]
    except ValueError:
        return False
    return any(cells)
