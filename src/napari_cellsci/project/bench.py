"""What the verbs of a project work on: its database, arrays, movies and cells."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from napari_cellsci.cells.spec import CropSpec
from napari_cellsci.errors import InputError, ProjectError
from napari_cellsci.io.images import ImageSet
from napari_cellsci.io.movies import Movie, open_movie
from napari_cellsci.project.arrays import ArrayRooms
from napari_cellsci.project.image_files import COPY, SHEET, reopen_set
from napari_cellsci.project.movie_files import reopen
from napari_cellsci.project.movies import MovieInfo, read_movies
from napari_cellsci.project.store import FILE_NAME, Store
from napari_cellsci.project.tables import read_cells, read_images


class Bench:
    """One open project, shared by the modules that carry out its verbs.

    Parameters
    ----------
    folder : Path
        Absolute.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.store = Store.open(folder / FILE_NAME)
        self.rooms = ArrayRooms(folder, self.store)
        self._lock = threading.RLock()
        self._infos: list[MovieInfo] = []
        self._version = -1
        self._cells: pd.DataFrame | None = None
        self._open: dict[int, Movie] = {}
        try:
            self.spec = CropSpec.from_dict(self.store.setting("spec"))
        except BaseException:
            self.store.close()
            raise

    def movies(self) -> list[MovieInfo]:
        """Return what is known of the movies, also those another window added."""
        with self._lock:
            version = self.store.data_version()
            if version != self._version or not self._infos:
                self._version = version
                fresh = read_movies(self.store)
                if len(fresh) != len(self._infos):
                    self._cells = None
                self._infos = fresh
            return self._infos

    def forget(self) -> None:
        """Read movies and cells again when they are next asked for."""
        with self._lock:
            self._infos, self._cells, self._open = [], None, {}

    def cells(self) -> pd.DataFrame:
        """Return the table of all cells; shared, not to be changed."""
        with self._lock:
            infos = self.movies()
            if self._cells is None:
                self._cells = read_cells(self.store, infos)
            return self._cells

    def info(self, name: str) -> MovieInfo:
        """Return what is known of one movie.

        Raises
        ------
        InputError
            If there is no movie of that name.
        """
        for info in self.movies():
            if info.name == name:
                return info
        known = ", ".join(info.name for info in self.movies())
        raise InputError(f"The project has no movie {name!r}; it has {known}.")

    def movie(self, info: MovieInfo) -> Movie:
        """Open the file of a movie, once."""
        with self._lock:
            if info.id not in self._open:
                self._open[info.id] = (
                    self._sheet(info) if info.is_images else reopen(info, self.folder)
                )
            return self._open[info.id]

    def source(self, info: MovieInfo) -> Movie | ImageSet:
        """Open what crops are cut from: a movie, or images each of their own size.

        Raises
        ------
        ProjectError
            If its files are gone or have changed.
        """
        if not info.is_images:
            return self.movie(info)
        table = self.images_of(info)
        return reopen_set(info, self.folder, table, self.rooms.load(COPY, info.id))

    def images_of(self, info: MovieInfo) -> pd.DataFrame:
        """Return what is known of the images of a set; see `io.images.ImageSet`."""
        return read_images(self.store, info, self.cells().iloc[info.rows])

    def _sheet(self, info: MovieInfo) -> Movie:
        data = self.rooms.load(SHEET, info.id)
        if data is None:
            raise ProjectError(
                f"The project's picture of the images {info.name!r} is missing or "
                "damaged: restore the project folder from a copy."
            )
        return open_movie(data, axes="TCYX", name=info.name, pixel_size=info.pixel_size)

    def groups(self) -> NDArray[np.int64]:
        """Return a number per cell that is the same for all cells of a track.

        Images of a named group have the same number, in whatever set they are.
        """
        cells = self.cells()
        keys = [cells["movie"], cells["track_id"]]
        if "group" in cells:
            grouped = (cells["group"] != "").to_numpy()
            keys = [keys[0].mask(grouped, ""), keys[1].mask(grouped, 0), cells["group"]]
        numbers: NDArray[Any] = cells.groupby(keys, sort=False).ngroup().to_numpy()
        return numbers.astype(np.int64)

    @property
    def unit(self) -> str:
        """What cells are held out together by: "track", or "group" of images."""
        return "group" if any(info.is_images for info in self.movies()) else "track"

    def close(self) -> None:
        """Let go of files and database."""
        self.forget()
        self.store.close()
