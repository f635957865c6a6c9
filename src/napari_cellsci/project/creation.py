"""New projects and new movies: everything is checked first, then written at once."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from napari_cellsci.cells.crops import crop_dtype, crop_movie
from napari_cellsci.cells.image_crops import crop_images
from napari_cellsci.cells.normalise import is_blank
from napari_cellsci.cells.spec import CropSpec
from napari_cellsci.disk import refuse_taken, whole_folder
from napari_cellsci.io.images import ImageSet
from napari_cellsci.io.movies import Movie, open_movie
from napari_cellsci.labels.classes import add_classes
from napari_cellsci.project.arrays import ArrayRooms, ArrayWriter, Key
from napari_cellsci.project.movie_files import fingerprint, read_masks, relative_to
from napari_cellsci.project.movies import (
    MovieInfo,
    insert_movie,
    read_movies,
    unique_name,
)
from napari_cellsci.project.reading import (
    ImageSource,
    NewMovie,
    TrackSource,
    read_movie,
)
from napari_cellsci.project.store import FILE_NAME, Store
from napari_cellsci.project.tables import insert_cells
from napari_cellsci.tasks import CancelToken, Log, OnEvent, Progress, ignore

_BLANK_BATCH = 2048
_PIXELS, _MASKS = Key("movies", ""), Key("movies", "", "masks")


def create(
    folder: Path,
    image: ImageSource,
    tracks: TrackSource,
    masks: Any,
    *,
    classes: Sequence[str],
    on_event: OnEvent = ignore,
    token: CancelToken | None = None,
    **options: Any,
) -> None:
    """Make a project, whole or not at all; see `Project.create` and `read_movie`."""
    refuse_taken(folder)
    new = read_movie(image, tracks, masks, on_event=on_event, token=token, **options)
    with new_project(folder, new.spec, classes) as (store, home):
        add_movie(store, home, folder, new, on_event=on_event, token=token)


@contextmanager
def new_project(
    folder: Path, spec: CropSpec, classes: Sequence[str]
) -> Iterator[tuple[Store, Path]]:
    """Give an empty project, and where it is until it becomes `folder` as a whole."""
    with whole_folder(folder) as temporary:
        store = Store.create(temporary / FILE_NAME)
        try:
            with store.transaction() as inside:
                store.set_setting("spec", spec.to_dict())
                add_classes(inside, classes, trained=True)
            yield store, temporary
        finally:
            store.close()


def add_movie(
    store: Store,
    home: Path,
    folder: Path,
    new: NewMovie,
    *,
    on_event: OnEvent = ignore,
    token: CancelToken | None = None,
) -> str:
    """Crop a movie's cells and make it part of a project, whole or not at all.

    Parameters
    ----------
    store, home : Store, Path
        The project's database, and the folder it is in now.
    folder : Path
        The folder it will be in (`create` builds it elsewhere first).
    new : NewMovie
        What is cut.

    Returns
    -------
    str
        The name of the movie, unique in the project.
    """
    token = token or CancelToken()
    with ArrayRooms(home, store).writing() as writer:
        copied = _needs_copy(new)
        if copied:
            _copy(writer, new.movie.data, new.movie.name, _PIXELS, on_event, token)
        masks_copied = _masks_need_copy(new)
        if masks_copied:
            _copy(writer, new.tracks.masks, new.movie.name, _MASKS, on_event, token)
        cut_into(writer, new.movie, new.cells, new.spec, None, on_event, token)
        writer.flush()
        token.raise_if_cancelled()
        with store.transaction() as inside:
            known = read_movies(store)
            name = unique_name(new.movie.name, [info.name for info in known])
            first = sum(info.n_cells for info in known)
            info = _describe(new, name, folder, first, copied, masks_copied)
            movie_id = insert_movie(inside, info)
            writer.register(inside, movie_id)
            _point_at_copies(inside, movie_id)
            insert_cells(inside, movie_id, first, new.cells)
    return name


def tell_twin(
    infos: Sequence[MovieInfo], cells: pd.DataFrame, new: NewMovie, on_event: OnEvent
) -> None:
    """Warn if a movie of the project has the very tracks of a new one.

    Parameters
    ----------
    infos : sequence of MovieInfo
    cells : DataFrame
        All cells of the project.
    new : NewMovie
    """
    name = unique_name(new.movie.name, [info.name for info in infos])
    where = ["track_id", "t", "y", "x"]
    wanted = new.cells[where].to_numpy(dtype=np.float64)
    for info in infos:
        if info.n_cells != len(wanted):
            continue
        if np.array_equal(cells.iloc[info.rows][where].to_numpy(np.float64), wanted):
            sentence = (
                f"{name!r} has the same tracks as {info.name!r}: if it is "
                "the same movie, every cell counts twice, and figures on held-out "
                "tracks come out too good."
            )
            on_event(Log(sentence, "warning"))


def cut_into(
    writer: ArrayWriter,
    source: Movie | ImageSet,
    cells: pd.DataFrame,
    spec: CropSpec,
    movie_id: int | None,
    on_event: OnEvent,
    token: CancelToken | None,
    sheet: NDArray[Any] | None = None,
) -> None:
    """Write the crops of cells, and which of them are blank.

    Images of a set are also laid on its `sheet` (C, Y, X) where one is given.
    """
    shape = (len(cells), spec.n_channels, spec.size, spec.size)
    dtype = crop_dtype(source.dtype, spec, source.pixel_size)
    crops = writer.new(
        Key("crops", spec.cut.hash),
        shape,
        dtype,
        movie_id=movie_id,
        file_name=source.name,
    )
    listening: dict[str, Any] = {"out": crops, "on_event": on_event, "token": token}
    if isinstance(source, ImageSet):
        crop_images(source, spec, sheet=sheet, **listening)
    else:
        crop_movie(source, cells, spec, **listening)
    writer.save(
        Key("crops", spec.cut.hash, "blank"),
        blank_rows(crops),
        movie_id=movie_id,
        file_name=f"{source.name}.blank",
    )


def blank_rows(crops: Any) -> NDArray[np.bool_]:
    """Return which crops are constant, reading a batch at a time."""
    parts = [
        is_blank(np.asarray(crops[start : start + _BLANK_BATCH]))
        for start in range(0, len(crops), _BLANK_BATCH)
    ]
    return np.concatenate(parts) if parts else np.zeros(0, bool)


def _needs_copy(new: NewMovie) -> bool:
    """Whether the movie's pixels cannot be had again from a file."""
    movie = new.movie
    if movie.path is None or not movie.path.exists():
        return True
    again = open_movie(movie.path, axes=new.axes_given)
    return (again.axes, tuple(again.data.shape), again.dtype) != (
        movie.axes,
        tuple(movie.data.shape),
        movie.dtype,
    )


def _masks_need_copy(new: NewMovie) -> bool:
    """Whether there are masks that cannot be had again from a file."""
    masks = new.tracks.masks
    if masks is None:
        return False
    return read_masks(new.masks_path, tuple(masks.shape)) is None


def _copy(
    writer: ArrayWriter,
    data: Any,
    name: str,
    key: Key,
    on_event: OnEvent,
    token: CancelToken,
) -> None:
    file_name = ".".join(filter(None, (name, key.variant)))
    copy = writer.new(key, data.shape, data.dtype, file_name=file_name)
    for t in range(len(copy)):
        token.raise_if_cancelled()
        copy[t] = np.asarray(data[t])
        on_event(Progress("Copying the movie", t + 1, len(copy)))


def _point_at_copies(inside: sqlite3.Connection, movie_id: int) -> None:
    for key, column in ((_PIXELS, "relative_path"), (_MASKS, "masks_relative_path")):
        inside.execute(
            f"UPDATE movies SET {column} = coalesce((SELECT path FROM arrays WHERE "
            f"kind = ? AND variant = ? AND movie_id = ?), {column}) WHERE id = ?",
            (key.kind, key.variant, movie_id, movie_id),
        )


def _describe(
    new: NewMovie,
    name: str,
    folder: Path,
    first: int,
    copied: bool,
    masks_copied: bool,
) -> MovieInfo:
    movie = new.movie
    path = None if copied or movie.path is None else movie.path.absolute()
    known = None if masks_copied else new.masks_path
    masks = None if known is None else known.absolute()
    return MovieInfo(
        name=name,
        path=path,
        relative_path=None if path is None else relative_to(path, folder),
        copied=copied,
        axes=movie.axes,
        axes_given=new.axes_given,
        n_frames=movie.n_frames,
        n_channels=movie.n_channels,
        n_planes=movie.n_planes,
        shape=movie.shape,
        dtype=movie.dtype.str,
        pixel_size=movie.pixel_size,
        frame_interval=movie.frame_interval,
        channel_names=tuple(movie.channel_names),
        fingerprint={} if path is None else fingerprint(path),
        masks_path=masks,
        masks_relative_path=None if masks is None else relative_to(masks, folder),
        masks_tracked=new.tracks.masks_tracked,
        graph=new.tracks.graph,
        first_cell=first,
        n_cells=len(new.cells),
    )
