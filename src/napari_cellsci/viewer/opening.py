"""Movies, tracks and masks from files to layers, read lazily and with their units.

napari itself reads a movie whole and without its pixel size, opens label images as
pictures, and knows no tables of tracks.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np

from napari_cellsci.tasks import CancelToken, OnEvent, Progress, ignore
from napari_cellsci.viewer.adapters import FILE, OnePlane
from napari_cellsci.viewer.sample import LayerTuple
from napari_cellsci.viewer.scene import contrast_of, placed_on

if TYPE_CHECKING:
    from napari.layers import Image

    from napari_cellsci.io.movies import Movie
    from napari_cellsci.io.tracks import Tracks

Kind: TypeAlias = Literal["Image", "Tracks", "Labels"]


def open_layers(
    kind: Kind,
    path: Path,
    *,
    pixel_size: float | None = None,
    on_event: OnEvent = ignore,
    token: CancelToken | None = None,
) -> list[LayerTuple]:
    """Read a file as layers of a kind; may be called in any thread.

    Parameters
    ----------
    kind : {"Image", "Tracks", "Labels"}
    path : Path
    pixel_size : float, optional
        µm, for tracks in µm.
    on_event, token
        Listener and cancel token.

    Returns
    -------
    list of layer data
        One layer; tracks that come with masks are two.

    Raises
    ------
    InputError
        If the file cannot be read as that.
    """
    from napari_cellsci.io.movies import open_movie
    from napari_cellsci.io.tracks import open_labels, read_tracks

    on_event(Progress(f"Opening {path.name}", 0, 0))
    if kind == "Image":
        return [_image(open_movie(path), path)]
    if kind == "Labels":
        return [_labels(open_labels(path), path)]
    tracks = read_tracks(path, pixel_size=pixel_size, on_event=on_event, token=token)
    found = [_tracks(tracks, path)]
    if tracks.masks is not None and tracks.masks_path is not None:
        found.insert(0, _labels(tracks.masks, tracks.masks_path))
    return found


def _image(movie: Movie, path: Path) -> LayerTuple:
    minutes = None if movie.frame_interval is None else movie.frame_interval / 60
    length = (movie.pixel_size or 1, "micrometer" if movie.pixel_size else "pixel")
    along = {
        "T": (minutes or 1, "minute" if minutes else "pixel"),
        "Y": length,
        "X": length,
    }
    scale, units = zip(
        *(along.get(axis, (1, "pixel")) for axis in movie.axes), strict=True
    )
    middle = movie.frame(movie.n_frames // 2, tuple(range(movie.n_channels)))
    return (
        movie.data,
        {
            "name": movie.name,
            "scale": scale,
            "units": units,
            "axis_labels": tuple(movie.axes.lower()),
            "contrast_limits": contrast_of(middle),
            "multiscale": False,
            "metadata": {FILE: str(path)},
        },
        "image",
    )


def _labels(labels: Any, path: Path) -> LayerTuple:
    named = {"name": path.stem, "metadata": {FILE: str(path)}, "multiscale": False}
    return labels, named, "labels"


def _tracks(tracks: Tracks, path: Path) -> LayerTuple:
    table = tracks.table
    data = table[["track_id", "t", "y", "x"]].to_numpy(dtype=np.float64)
    return (
        data,
        {
            "name": path.stem,
            "graph": dict(tracks.graph),
            "tail_length": 8,
            "metadata": {FILE: str(path)},
        },
        "tracks",
    )


def placed(layer: LayerTuple, image: Image | None) -> LayerTuple:
    """Return tracks or labels in the pixels of an image layer, laid on that layer."""
    data, named, kind = layer
    if image is None or kind == "image":
        return layer
    ndim = int(image.ndim)
    if ndim == 4:
        # napari matches axes from the last: time must not lie along the planes.
        data = (
            np.insert(data, 2, np.zeros(len(data)), axis=1)
            if kind == "tracks"
            else OnePlane(data)
        )
    if ndim <= 4:
        named = {**named, **placed_on(image, ndim)}
    return data, named, kind
