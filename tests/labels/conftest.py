"""A label log in a database of its own: three tracks of four frames in one movie."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pandas as pd
import pytest

from napari_cellsci.labels import Labels
from napari_cellsci.labels.classes import add_classes
from napari_cellsci.project.movies import MovieInfo, insert_movie, read_movies
from napari_cellsci.project.store import Store
from napari_cellsci.project.tables import insert_cells, read_cells


def movie_info(name: str, cells: pd.DataFrame, first: int) -> MovieInfo:
    return MovieInfo(
        name=name,
        path=None,
        n_frames=10,
        shape=(100, 100),
        pixel_size=None,
        frame_interval=None,
        n_cells=len(cells),
        axes="TYX",
        n_channels=1,
        n_planes=1,
        dtype="<u2",
        first_cell=first,
    )


def some_cells(first_track: int = 1) -> pd.DataFrame:
    rows = [
        (track, t, 10.0 * track, 20.0 + t)
        for track in range(first_track, first_track + 3)
        for t in range(4)
    ]
    return pd.DataFrame(rows, columns=["track_id", "t", "y", "x"])


def make_store(path: Path, movies: dict[str, pd.DataFrame]) -> Store:
    store = Store.create(path)
    first = 0
    with store.transaction() as inside:
        add_classes(inside, ["interphase", "metaphase"], trained=True)
        for name, cells in movies.items():
            movie_id = insert_movie(inside, movie_info(name, cells, first))
            insert_cells(inside, movie_id, first, cells)
            first += len(cells)
    return store


def labels_on(store: Store, who: str = "ada") -> Labels:
    cells = read_cells(store, read_movies(store))
    return Labels(store, lambda: cells, who)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    made = make_store(tmp_path / "project.sqlite", {"movie": some_cells()})
    yield made
    made.close()


@pytest.fixture
def labels(store: Store) -> Labels:
    return labels_on(store)


@pytest.fixture
def again(store: Store) -> Callable[..., Labels]:
    """Read the log once more, as another window or a later session would."""

    def read(who: str = "ada") -> Labels:
        return labels_on(Store.open(store.path), who)

    return read


@pytest.fixture
def two_movies(tmp_path: Path) -> Iterator[Labels]:
    both = {"left": some_cells(), "right": some_cells(0)}
    made = make_store(tmp_path / "two.sqlite", both)
    yield labels_on(made)
    made.close()


@pytest.fixture
def csv(tmp_path: Path) -> Callable[[str], Path]:
    def write(text: str) -> Path:
        path = tmp_path / "labels.csv"
        path.write_text(text, encoding="utf-8")
        return path

    return write
