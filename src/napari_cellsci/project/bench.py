"""What the verbs of a project work on: its database, arrays, movies and cells."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from napari_cellsci.cells.spec import CropSpec
from napari_cellsci.errors import InputError
from napari_cellsci.io.movies import Movie
from napari_cellsci.project.arrays import ArrayRooms
from napari_cellsci.project.movie_files import reopen
from napari_cellsci.project.movies import MovieInfo, read_movies
from napari_cellsci.project.store import FILE_NAME, Store
from napari_cellsci.project.tables import read_cells


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
                self._open[info.id] = reopen(info, self.folder)
            return self._open[info.id]

    def groups(self) -> NDArray[np.int64]:
        """Return a number per cell that is the same for all cells of a track."""
        cells = self.cells()
        keys = [cells["movie"], cells["track_id"]]
        numbers: NDArray[Any] = cells.groupby(keys, sort=False).ngroup().to_numpy()
        return numbers.astype(np.int64)

    def close(self) -> None:
        """Let go of files and database."""
        self.forget()
        self.store.close()
