"""What the Cells panel was asked: layers and settings, checked and read in pieces."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from napari_cellsci.cells.spec import PAPER_FOV_UM, CropSpec
from napari_cellsci.cells.steps import pipelines_of
from napari_cellsci.errors import InputError
from napari_cellsci.panels.cells.normalising import FITTED, NormalisingView, Preview
from napari_cellsci.tasks import CancelToken, OnEvent, Progress, ignore
from napari_cellsci.viewer import adapters

if TYPE_CHECKING:
    from napari.layers import Image, Labels
    from napari.layers import Tracks as TracksLayer

    from napari_cellsci.io.movies import Movie
    from napari_cellsci.io.tracks import Tracks

PREVIEW_FRAMES = 4
PREVIEW_CELLS = 12


@dataclass(frozen=True, kw_only=True)
class CropSettings:
    """How cells are to be cut.

    Parameters
    ----------
    pixel_size : float or None
        µm; None when it is not known.
    frame_interval : float or None
        Seconds; None when it is not known.
    fov : float
        Edge of a crop, in µm or in px of the movie.
    fov_unit : {"µm", "px"}
    channels : tuple of int
    z : int or "max"
    extra : {"C", "Z"} or None
        Meaning of a fourth axis; None lets axis labels or habit decide.
    normalise : tuple of str
        Of each channel; the z-score if nothing is said.
    """

    pixel_size: float | None = None
    frame_interval: float | None = None
    fov: float = PAPER_FOV_UM
    fov_unit: Literal["µm", "px"] = "µm"
    channels: tuple[int, ...] = (0,)
    z: int | Literal["max"] = "max"
    extra: adapters.Extra | None = None
    normalise: tuple[str, ...] = ()

    @property
    def spec(self) -> CropSpec:
        """The crop specification."""
        width = {"fov_um" if self.fov_unit == "µm" else "fov_px": self.fov}
        steps = pipelines_of(self.normalise)
        return CropSpec(
            channels=self.channels,
            z=self.z,
            steps=steps,
            **width,  # type: ignore[arg-type]
        )


@dataclass(frozen=True, eq=False)
class CellsSource:
    """A movie and where its cells are, taken from layers in the main thread.

    What reads pixels (`movie`, `tracks`, `preview`) may be called in any thread.
    """

    settings: CropSettings
    source: adapters.MovieSource
    given: Tracks | None
    masks: Any
    masks_file: Path | None

    def tracks(
        self, movie: Movie, on_event: OnEvent = ignore, token: CancelToken | None = None
    ) -> Tracks:
        """Return the tracks: those given, or tracked or linked masks."""
        from napari_cellsci.cells.linking import link_masks
        from napari_cellsci.io.tracks import (
            tracks_from_labels,
            validate_tracks,
            with_numbers,
        )

        if self.given is not None:
            return validate_tracks(self.given, movie)
        if adapters.looks_tracked(self.masks):
            found = tracks_from_labels(self.masks, on_event=on_event, token=token)
            return validate_tracks(found, movie)
        masks = with_numbers(self.masks)
        return link_masks(masks, on_event=on_event, token=token)

    def preview(self, on_event: OnEvent, token: CancelToken) -> Preview:
        """Look at a few cells, and at what normalisation makes of some more."""
        from napari_cellsci.cells.crops import crop_frame

        movie, spec = self.source.open(), self.settings.spec
        spec.refuse_misfit(movie.name, movie.shape, movie.pixel_size)
        on_event(Progress("Looking at the cells", 0, 0))
        table = self.tracks(movie, on_event, token).table
        token.raise_if_cancelled()
        crops, shown = [], []
        for t, yx, keep in _sample(table):
            token.raise_if_cancelled()
            frame = movie.frame(t, spec.channels, spec.z)
            crops.append(crop_frame(frame, yx, spec, movie.pixel_size))
            shown.append(crops[-1][keep])
        return Preview(
            np.concatenate(shown),
            len(table),
            table["track_id"].nunique(),
            NormalisingView.of(np.concatenate(crops), spec, token),
        )

    def create_arguments(
        self, movie: Movie, on_event: OnEvent = ignore, token: CancelToken | None = None
    ) -> dict[str, Any]:
        """Return the arguments of `Project.create` that name movie and cells."""
        arguments: dict[str, Any] = {"image": movie}
        masks = self.masks_file or self.masks
        if self.given is None and adapters.looks_tracked(self.masks):
            # A label image whose values follow cells is a tracks file of its own.
            arguments["tracks"] = self.masks_file or self.tracks(movie, on_event, token)
        else:
            arguments["tracks"] = self.given
            arguments["masks"] = masks
        return arguments


def _sample(
    table: Any,
) -> list[tuple[int, NDArray[np.float64], NDArray[np.int64]]]:
    """Choose cells of a few frames spread over the movie, and which to show of them."""
    times = np.unique(table["t"].to_numpy())
    picked = np.unique(np.linspace(0, len(times) - 1, PREVIEW_FRAMES).astype(int))
    shown, most = (-(-n // len(picked)) for n in (PREVIEW_CELLS, FITTED))
    chosen = []
    for t in times[picked]:
        yx = table.loc[table["t"] == t, ["y", "x"]].to_numpy(dtype=np.float64)
        yx = yx[np.unique(np.linspace(0, len(yx) - 1, most).astype(int))]
        keep = np.unique(np.linspace(0, len(yx) - 1, shown).astype(int))
        chosen.append((int(t), yx, keep))
    return chosen


def read_layers(
    image: Image | None,
    tracks: TracksLayer | None,
    labels: Labels | None,
    settings: CropSettings,
) -> CellsSource:
    """Take what the work needs from the layers; only the main thread may call this.

    Raises
    ------
    InputError
        If a layer is missing or cannot be used.
    """
    missing = what_is_missing(image, tracks, labels, settings)
    if missing or image is None:
        raise InputError(missing)
    source = adapters.movie_source(
        image,
        extra=settings.extra,
        pixel_size=settings.pixel_size,
        frame_interval=settings.frame_interval,
    )
    axes = source.axes or _habit(source)
    given = None
    if tracks is not None:
        given = adapters.tracks_from_layer(tracks, image, axes)
    masks = file = None
    if labels is not None:
        masks = adapters.masks_from_layer(labels, image, axes)
        file = _same_file(labels, masks)
    return CellsSource(settings, source, given, masks, file)


def _habit(source: adapters.MovieSource) -> str:
    """Return the axes of a stack whose labels say nothing."""
    from napari_cellsci.io.movies import open_movie

    return open_movie(source.data, name=source.name).axes


def _same_file(labels: Labels, masks: Any) -> Path | None:
    """Return the file of a labels layer if it still holds what the layer shows."""
    from napari_cellsci.io.movies import open_movie

    path = adapters.file_of(labels)
    if path is None:
        return None
    try:
        data = open_movie(path).data
    except InputError:
        return None
    if tuple(data.shape) != tuple(masks.shape):
        return None
    same = all(np.array_equal(data[t], masks[t]) for t in (0, len(masks) - 1))
    return path if same else None


def what_is_missing(
    image: Image | None,
    tracks: TracksLayer | None,
    labels: Labels | None,
    settings: CropSettings,
) -> str:
    """Say what has to be chosen before cells can be cut; "" if nothing."""
    if image is None:
        return "Open a movie first: drop its file on the window, or press … here."
    if tracks is None and labels is None:
        return "Open tracks, or masks of the cells, with the … beside them."
    if settings.fov_unit == "µm" and settings.pixel_size is None:
        return "Give the pixel size in µm, or the width of a crop in px."
    return ""
