"""New projects and new movies: everything is checked first, then written at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from napari_cellsci.cells.crops import crop_dtype, crop_movie
from napari_cellsci.cells.linking import link_masks
from napari_cellsci.cells.normalise import is_blank
from napari_cellsci.cells.properties import count_neighbours, region_properties
from napari_cellsci.cells.spec import PAPER_FOV_UM, CropSpec
from napari_cellsci.disk import refuse_taken, whole_folder
from napari_cellsci.errors import InputError
from napari_cellsci.io.movies import Movie, channel_indices, open_movie
from napari_cellsci.io.tracks import (
    Tracks,
    open_labels,
    read_tracks,
    tracks_from_table,
    validate_masks,
    validate_tracks,
)
from napari_cellsci.labels.classes import add_classes
from napari_cellsci.project.arrays import ArrayRooms, ArrayWriter, Key
from napari_cellsci.project.movies import (
    MovieInfo,
    fingerprint,
    insert_movie,
    read_movies,
    refuse_bad_pixel_size,
    relative_to,
)
from napari_cellsci.project.store import FILE_NAME, Store
from napari_cellsci.project.tables import insert_cells
from napari_cellsci.tasks import CancelToken, OnEvent, Progress, ignore

ImageSource: TypeAlias = Any
"""A path, an array (numpy, dask, zarr) or a `Movie`."""
TrackSource: TypeAlias = Any
"""A path, an array (N, 4 or 5) in napari's order, a DataFrame or `Tracks`."""
_BLANK_BATCH = 2048


@dataclass(frozen=True)
class NewMovie:
    """A movie and its cells, read and checked but not yet part of a project."""

    movie: Movie
    spec: CropSpec
    cells: pd.DataFrame
    tracks: Tracks
    masks_path: Path | None
    axes_given: str | None


def read_movie(
    image: ImageSource,
    tracks: TrackSource = None,
    masks: Any = None,
    *,
    choose: Callable[[Movie], CropSpec],
    axes: str | None = None,
    name: str | None = None,
    pixel_size: float | None = None,
    frame_interval: float | None = None,
    on_event: OnEvent = ignore,
    token: CancelToken | None = None,
) -> NewMovie:
    """Open a movie with its tracks and measure its cells where there are masks.

    Parameters
    ----------
    image, tracks, masks
        As for `Project.create`.
    choose : callable
        Returns how the cells of this movie are to be cropped.

    Raises
    ------
    InputError
        If anything about them cannot be used.
    """
    token = token or CancelToken()
    refuse_bad_pixel_size(pixel_size)
    movie = open_movie(
        image,
        axes=axes,
        name=name,
        pixel_size=pixel_size,
        frame_interval=frame_interval,
    )
    spec = choose(movie)
    spec.window(movie.pixel_size)
    channel_indices(movie, spec.channels)
    on_event(Progress("Reading tracks", 0, 0))
    found, masks_path = _read_tracks(tracks, masks, movie, on_event, token)
    found = validate_tracks(found, movie)
    token.raise_if_cancelled()
    cells = _measured(found, movie, spec, on_event, token)
    return NewMovie(movie, spec, cells, found, masks_path, axes)


def _read_tracks(
    tracks: TrackSource, masks: Any, movie: Movie, on_event: OnEvent, token: CancelToken
) -> tuple[Tracks, Path | None]:
    masks_path = Path(masks) if isinstance(masks, str | Path) else None
    pixels = None if masks is None else open_labels(masks)
    if tracks is None:
        if pixels is None:
            raise InputError(
                "There are no tracks: give tracks, or masks whose objects can be "
                "linked."
            )
        validate_masks(pixels, movie)
        return link_masks(pixels, on_event=on_event, token=token), masks_path
    if isinstance(tracks, Tracks):
        found = tracks
    elif isinstance(tracks, str | Path):
        found = read_tracks(tracks, pixel_size=movie.pixel_size)
        if found.masks is not None and masks_path is None:
            masks_path = Path(tracks)
    else:
        found = tracks_from_table(tracks)
    if pixels is not None:
        found = replace(found, masks=pixels, masks_tracked=False)
    return found, masks_path


def _measured(
    tracks: Tracks,
    movie: Movie,
    spec: CropSpec,
    on_event: OnEvent,
    token: CancelToken,
) -> pd.DataFrame:
    """Return the cells with the properties of their masks and their neighbours."""
    cells = tracks.table.reset_index(drop=True)
    window = spec.window(movie.pixel_size)
    if tracks.masks is None:
        return cells.assign(neighbours=count_neighbours(cells, window))
    measured = region_properties(
        tracks.masks,
        movie,
        cells,
        pixel_size=movie.pixel_size,
        tracked=tracks.masks_tracked,
        window=window,
        channels=spec.channels,
        z=spec.z,
        on_event=on_event,
        token=token,
    )
    # What we measured wins over a column of the same name in the table of tracks.
    kept = cells.drop(columns=[c for c in measured.columns if c in cells])
    return pd.concat([kept, measured], axis=1)


@dataclass(frozen=True)
class Choice:
    """How the user wants the cells of a new project cropped.

    Calling it with the first movie gives the specification.
    """

    fov_um: float | None
    fov_px: float | None
    size: int
    channels: tuple[int | str, ...]
    z: Any

    def __call__(self, movie: Movie) -> CropSpec:
        """Return the crop specification for a project whose first movie is `movie`.

        Raises
        ------
        InputError
            If the pixel size is unknown and no field of view in pixels is given.
        """
        fov_um = self.fov_um
        if fov_um is None and self.fov_px is None:
            if movie.pixel_size is None:
                raise InputError(
                    f"The pixel size of {movie.name!r} is not known: give it in µm "
                    "(--pixel-size), or give the width of a crop in pixels (--fov-px)."
                )
            fov_um = PAPER_FOV_UM
        return CropSpec(
            size=self.size,
            fov_um=fov_um,
            fov_px=self.fov_px,
            channels=channel_indices(movie, self.channels),
            z=self.z,
        )


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
    with whole_folder(folder) as temporary:
        store = Store.create(temporary / FILE_NAME)
        try:
            with store.transaction() as inside:
                store.set_setting("spec", new.spec.to_dict())
                add_classes(inside, classes, trained=True)
            add_movie(store, temporary, folder, new, on_event=on_event, token=token)
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
            _copy_movie(writer, new.movie, on_event, token)
        cut_into(writer, new.movie, new.cells, new.spec, None, on_event, token)
        writer.flush()
        token.raise_if_cancelled()
        with store.transaction() as inside:
            known = read_movies(store)
            name = _unique_name(new.movie.name, [info.name for info in known])
            first = sum(info.n_cells for info in known)
            info = _describe(new, name, folder, first, copied)
            movie_id = insert_movie(inside, info)
            writer.register(inside, movie_id)
            if copied:
                _point_at_copy(inside, movie_id)
            insert_cells(inside, movie_id, first, new.cells)
    return name


def cut_into(
    writer: ArrayWriter,
    movie: Movie,
    cells: pd.DataFrame,
    spec: CropSpec,
    movie_id: int | None,
    on_event: OnEvent,
    token: CancelToken | None,
) -> None:
    """Write the crops of a movie's cells, and which of them are blank."""
    shape = (len(cells), spec.n_channels, spec.size, spec.size)
    dtype = crop_dtype(movie.dtype, spec, movie.pixel_size)
    crops = writer.new(
        Key("crops", spec.hash), shape, dtype, movie_id=movie_id, file_name=movie.name
    )
    crop_movie(movie, cells, spec, out=crops, on_event=on_event, token=token)
    writer.save(
        Key("crops", spec.hash, "blank"),
        blank_rows(crops),
        movie_id=movie_id,
        file_name=f"{movie.name}.blank",
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


def _copy_movie(
    writer: ArrayWriter, movie: Movie, on_event: OnEvent, token: CancelToken
) -> None:
    data = movie.data
    copy = writer.new(Key("movies", ""), data.shape, data.dtype, file_name=movie.name)
    for t in range(movie.n_frames):
        token.raise_if_cancelled()
        copy[t] = np.asarray(data[t])
        on_event(Progress("Copying the movie", t + 1, movie.n_frames))


def _point_at_copy(inside: Any, movie_id: int) -> None:
    inside.execute(
        "UPDATE movies SET relative_path = (SELECT path FROM arrays WHERE "
        "kind = 'movies' AND movie_id = ?) WHERE id = ?",
        (movie_id, movie_id),
    )


def _unique_name(wanted: str, taken: Sequence[str]) -> str:
    name, number = wanted, 1
    while name in taken:
        number += 1
        name = f"{wanted}-{number}"
    return name


def _describe(
    new: NewMovie, name: str, folder: Path, first: int, copied: bool
) -> MovieInfo:
    movie = new.movie
    path = None if copied or movie.path is None else movie.path.absolute()
    masks = None if new.masks_path is None else new.masks_path.absolute()
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
