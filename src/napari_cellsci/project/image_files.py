"""Where the images of a project's image sets are, and whether they are the same."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from napari_cellsci.errors import InputError, ProjectError
from napari_cellsci.io._image_listing import Entry
from napari_cellsci.io._raw import check_exists
from napari_cellsci.io.images import ImageSet, reopen_images
from napari_cellsci.project.arrays import Key
from napari_cellsci.project.movie_files import candidates, note_place
from napari_cellsci.project.movies import MovieInfo
from napari_cellsci.project.store import Store

SHEET = Key("movies", "", "sheet")
"""The images of a set side by side, (1, C, Y, X)."""
COPY = Key("movies", "", "images")
"""The pixels of all images of a set that came without a file, one after the other."""


def reopen_set(
    info: MovieInfo, folder: Path, table: pd.DataFrame, copy: NDArray[Any] | None
) -> ImageSet:
    """Open the images of a set again.

    Parameters
    ----------
    info : MovieInfo
    folder : Path
        The project's.
    table : DataFrame
        What the project knows of the images.
    copy : array, optional
        The project's own copy of their pixels.

    Raises
    ------
    ProjectError
        If they are gone.
    """
    if info.copied:
        if copy is None:
            raise ProjectError(
                f"The project's copy of the images {info.name!r} is missing or "
                "damaged: restore the project folder from a copy."
            )
        return _copied_set(info, table, copy)
    places = candidates(info.path, info.relative_path, folder)
    there = next((place for place in places if place.exists()), None)
    if there is None:
        raise ProjectError(
            f"The images {info.name!r} are no longer at {info.path}: put them back, or "
            "tell the project where they are now (`cellsci relocate`); what is already "
            "cropped can still be scored and labelled."
        )
    try:
        return set_at(there, info, table)
    except InputError as error:
        raise ProjectError(str(error)) from error


def set_at(path: Path, info: MovieInfo, table: pd.DataFrame) -> ImageSet:
    """Open the images of a set where they are now.

    Raises
    ------
    InputError
        If images are missing there.
    """
    tile = info.reading.get("tile")
    return reopen_images(
        path,
        name=info.name,
        stem=str(info.reading.get("stem", "")),
        table=table,
        n_channels=info.n_channels,
        dtype=np.dtype(info.dtype),
        axes=info.axes_given,
        tile=None if tile is None else tuple(int(px) for px in tile),
        pixel_size=info.pixel_size,
    )


def relocate_set(
    store: Store, info: MovieInfo, path: Path, folder: Path, table: pd.DataFrame
) -> None:
    """Write down where the images of a set are now.

    Raises
    ------
    InputError
        If they are not there, or some are others.
    """
    path = path.absolute()
    check_exists(path)
    if info.copied:
        raise InputError(f"The images {info.name!r} are kept in the project itself.")
    images = set_at(path, info, table)
    for row in {0, len(images) // 2, len(images) - 1}:
        images.image(row)
    note_place(store, info, path, folder)


def copy_of(images: ImageSet) -> Iterator[NDArray[Any]]:
    """Yield the pixels of all images as the project keeps them, (C · H · W) each."""
    for row in range(len(images)):
        yield images.image(row).reshape(-1)


def copy_length(images: ImageSet) -> int:
    """Return how many pixels `copy_of` yields in all."""
    edges = images.table[["height", "width"]].to_numpy(np.int64)
    return int(edges.prod(axis=1).sum()) * images.n_channels


@dataclass(frozen=True, slots=True)
class _Part:
    """Reads one image out of a copy."""

    copy: NDArray[Any]
    start: int
    shape: tuple[int, int, int]

    def __call__(self) -> tuple[NDArray[Any], None]:
        stop = self.start + int(np.prod(self.shape))
        return np.array(self.copy[self.start : stop]).reshape(self.shape), None


def _copied_set(info: MovieInfo, table: pd.DataFrame, copy: NDArray[Any]) -> ImageSet:
    shapes: Sequence[tuple[int, int, int]] = [
        (info.n_channels, int(height), int(width))
        for height, width in table[["height", "width"]].to_numpy()
    ]
    sizes = np.array([np.prod(shape) for shape in shapes])
    starts = np.cumsum(sizes) - sizes
    entries = [
        Entry(name, name, "", _Part(copy, int(start), shape))
        for name, start, shape in zip(table["name"], starts, shapes, strict=True)
    ]
    return ImageSet(
        name=info.name,
        table=table.assign(digest=""),
        entries=entries,
        n_channels=info.n_channels,
        dtype=np.dtype(info.dtype),
        pixel_size=info.pixel_size,
    )
