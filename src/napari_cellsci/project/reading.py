"""A movie and its tracks, opened, checked and measured; nothing is written."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeAlias

import pandas as pd

from napari_cellsci.cells.linking import link_masks
from napari_cellsci.cells.properties import count_neighbours, region_properties
from napari_cellsci.cells.spec import PAPER_FOV_UM, CropSpec
from napari_cellsci.cells.steps import Pipeline
from napari_cellsci.errors import InputError
from napari_cellsci.io.movies import Movie, channel_indices, open_movie
from napari_cellsci.io.tracks import (
    Tracks,
    is_binary,
    open_labels,
    read_tracks,
    tracks_from_table,
    validate_masks,
    validate_tracks,
    with_numbers,
)
from napari_cellsci.project.movies import refuse_bad_pixel_size
from napari_cellsci.tasks import CancelToken, OnEvent, Progress, ignore

ImageSource: TypeAlias = Any
"""A path, an array (numpy, dask, zarr) or a `Movie`."""
TrackSource: TypeAlias = Any
"""A path, an array (N, 4 or 5) in napari's order, a DataFrame or `Tracks`."""


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
    spec.refuse_misfit(movie.name, movie.shape, movie.pixel_size)
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
    if pixels is not None and is_binary(pixels):
        # The file does not hold the numbers: they become a copy in the project.
        pixels, masks_path = with_numbers(pixels), None
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
        found = read_tracks(
            tracks, pixel_size=movie.pixel_size, on_event=on_event, token=token
        )
    else:
        found = tracks_from_table(tracks)
    if pixels is not None:
        found = replace(found, masks=pixels, masks_tracked=False)
    return found, masks_path if pixels is not None else found.masks_path


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
    steps: tuple[Pipeline, ...] = ()

    def __call__(self, movie: Movie) -> CropSpec:
        """Return the crop specification for a project whose first movie is `movie`.

        Raises
        ------
        InputError
            If the pixel size is unknown and no field of view in pixels is given, or
            the movie has no such channel or plane.
        """
        if self.z != "max" and not 0 <= self.z < movie.n_planes:
            raise InputError(
                f"{movie.name!r} has no plane {self.z}: it has {movie.n_planes} "
                "plane(s), counted from 0."
            )
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
            steps=self.steps,
        )
