"""Images named in tables, and the groups that tables put them in."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path, PurePosixPath

import pandas as pd

from napari_cellsci.errors import InputError
from napari_cellsci.io._csv_tracks import read_table
from napari_cellsci.io._raw import check_exists

GROUP = "group"
"""The column of a table that is taken for groups unless another is named."""


class ImageNames:
    """Finds images by name, also without the folder or the suffix where that is enough.

    Parameters
    ----------
    names : iterable of str
        Unique.
    """

    def __init__(self, names: Iterable[str]) -> None:
        self._exact = {name: place for place, name in enumerate(names)}
        self._files = self._unique(_file)
        self._stems = self._unique(_stem)

    def _unique(self, short: Callable[[str], str]) -> dict[str, int]:
        found: dict[str, int] = {}
        twice = set()
        for name, place in self._exact.items():
            if found.setdefault(short(name), place) != place:
                twice.add(short(name))
        return {name: place for name, place in found.items() if name not in twice}

    def find(self, name: str) -> int | None:
        """Return the place of an image among the names, or None."""
        name = name.strip().replace("\\", "/").removeprefix("./")
        for known, said in (
            (self._exact, name),
            (self._files, _file(name)),
            (self._stems, _stem(name)),
        ):
            if said in known:
                return known[said]
        return None


def _file(name: str) -> str:
    return PurePosixPath(name).name


def _stem(name: str) -> str:
    return PurePosixPath(name).stem


def is_of_images(columns: Iterable[str]) -> bool:
    """Whether a table with these columns names images, not cells of tracks."""
    have = set(columns)
    return "track_id" not in have and (
        "image" in have or ("index" in have and "t" not in have)
    )


def read_groups(
    path: Path, by: str | None, table: pd.DataFrame
) -> tuple[list[str], int]:
    """Read which images belong together: one group goes to training or to testing.

    Parameters
    ----------
    path : Path
        CSV with the column ``image`` (a name) or ``index`` (a number from 0).
    by : str, optional
        The column of groups; ``group`` if there is one by default.
    table : DataFrame
        Of an `ImageSet`.

    Returns
    -------
    groups : list of str
        One per image; those of the set where the table says none.
    unknown : int
        Rows of images that the set does not have.

    Raises
    ------
    InputError
        If the column is missing, or an image is in two groups.
    """
    check_exists(path)
    rows = read_table(path, as_text=True).fillna("")
    # The column may be written as it is, or as names of columns are read everywhere.
    rows.columns = rows.columns.astype(str).str.strip().str.lower()
    wanted = (by or GROUP).strip().lower()
    groups = table["group"].tolist()
    if wanted not in rows:
        if by is None:
            return groups, 0
        raise InputError(
            f"{path.name} has no column {by} to group by; it has "
            f"{', '.join(list(rows.columns)[:12])}."
        )
    if not is_of_images(rows.columns):
        raise InputError(
            f"{path.name} does not say which image a row is of: add a column image "
            "(its name) or index (its number from 0)."
        )
    places = image_places(rows, table)
    said: dict[int, str] = {}
    for place, group in zip(places, rows[wanted].str.strip(), strict=True):
        if place is None or not group:
            continue
        if said.setdefault(place, group) != group:
            raise InputError(
                f"{path.name} puts the image {table['name'].iat[place]} in two groups "
                f"({said[place]} and {group}): correct the table."
            )
    for place, group in said.items():
        groups[place] = group
    return groups, sum(place is None for place in places)


def image_places(rows: pd.DataFrame, table: pd.DataFrame) -> list[int | None]:
    """Return the place in a set's table of the image of each row, None if unknown."""
    if "image" in rows:
        names = ImageNames(table["name"])
        return [names.find(name) for name in rows["image"]]
    numbers = {str(number): place for place, number in enumerate(table["number"])}
    return [numbers.get(text.strip().removesuffix(".0")) for text in rows["index"]]
