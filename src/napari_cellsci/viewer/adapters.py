"""From napari's layers to movies, tracks and masks: world coordinates become pixels."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from napari_cellsci.errors import InputError
from napari_cellsci.io._lazy import expand_index
from napari_cellsci.io.movies import Movie, open_movie
from napari_cellsci.viewer.geometry import Affine, is_identity

if TYPE_CHECKING:
    from napari.layers import Image, Labels, Layer
    from napari.layers import Tracks as TracksLayer

    from napari_cellsci.io.tracks import Tracks

Extra = Literal["C", "Z"]
_WORDS = {
    "t": "T",
    "time": "T",
    "frame": "T",
    "c": "C",
    "channel": "C",
    "channels": "C",
    "z": "Z",
    "plane": "Z",
    "slice": "Z",
    "depth": "Z",
    "y": "Y",
    "x": "X",
}
FILE = "napari_cellsci_file"
"""Key of a layer's metadata under which the file stands that we read it from."""
_WHOLE_FRAME = 0.05
"""How far from a whole frame number a track's time may lie (frames)."""


def level_zero(layer: Layer) -> Any:
    """Return the data of a layer, the finest level of a multiscale one."""
    return layer.data[0] if getattr(layer, "multiscale", False) else layer.data


def axes_of(layer: Image, extra: Extra | None = None) -> str | None:
    """Return the axes of an image layer, None where only habit can tell.

    Parameters
    ----------
    layer : Image
        Its axis labels decide where they are words like "t", "z" or "channel".
    extra : {"C", "Z"}, optional
        Meaning of the axis between time and y; wins over the labels.

    Raises
    ------
    InputError
        If the layer is RGB or has too few or too many axes.
    """
    if getattr(layer, "rgb", False):
        raise InputError(
            f"{layer.name} is an RGB picture: split it into channels first "
            "(right-click the layer, Split RGB)."
        )
    ndim = len(level_zero(layer).shape)
    if not 3 <= ndim <= 5:
        raise InputError(
            f"{layer.name} has {ndim} axes: a movie has time, y and x, and possibly "
            "channels and planes."
        )
    if ndim == 3:
        return "TYX"
    if ndim == 4 and extra is not None:
        return f"T{extra}YX"
    labels = [_WORDS.get(str(label).lower(), "?") for label in layer.axis_labels]
    axes = "".join(labels)
    known = {*"TYX"} <= {*axes} <= {*"TCZYX"} and len({*axes}) == len(axes) == ndim
    return axes if known else None


def known_pixel_size(layer: Layer) -> float | None:
    """Return µm per pixel if the layer's units are lengths and y and x agree."""
    sizes = [_in_units(layer, axis, "micrometer", "[length]") for axis in (-2, -1)]
    if sizes[0] is None or sizes[1] is None or abs(sizes[0] / sizes[1] - 1) > 0.01:
        return None
    return round(sizes[1], 9)


def known_frame_interval(layer: Layer) -> float | None:
    """Return seconds per frame if the unit of the layer's first axis is a time."""
    return _in_units(layer, 0, "second", "[time]")


def _in_units(layer: Layer, axis: int, unit: str, kind: str) -> float | None:
    mine = layer.units[axis]
    if mine.dimensionality != {kind: 1}:
        return None
    scale = abs(float(np.asarray(layer.scale)[axis]))
    return float((scale * mine).to(unit).magnitude) or None


@dataclass(frozen=True, eq=False)
class MovieSource:
    """An image layer as a movie not yet opened; made in the main thread.

    `open` reads frames and may be called in any thread.
    """

    data: Any
    axes: str | None
    name: str
    path: Path | None
    pixel_size: float | None
    frame_interval: float | None

    def open(self) -> Movie:
        """Open the movie without reading more than its first and last frame.

        Where the layer shows just what its file holds, it is opened from the file, so
        that a project can find it again; otherwise it is the layer's array.

        Raises
        ------
        InputError
            If it is not a movie.
        """
        if self.path is not None:
            try:
                movie = self._opened(self.path)
            except InputError:
                pass  # a format only napari can read: the array is right there
            else:
                if _is_same(movie, self.data):
                    return movie
        return self._opened(self.data)

    def _opened(self, source: Any) -> Movie:
        return open_movie(
            source,
            axes=self.axes,
            name=self.name,
            pixel_size=self.pixel_size,
            frame_interval=self.frame_interval,
        )


def movie_source(
    layer: Image,
    *,
    extra: Extra | None = None,
    pixel_size: float | None = None,
    frame_interval: float | None = None,
) -> MovieSource:
    """Return the movie that an image layer shows.

    Parameters
    ----------
    layer : Image
    extra : {"C", "Z"}, optional
        Meaning of a fourth axis.
    pixel_size : float, optional
        µm; by default what the layer's units say, which may be nothing.
    frame_interval : float, optional
        Seconds; by default what the layer's units say.

    Raises
    ------
    InputError
        If the layer is RGB or has too few or too many axes.
    """
    return MovieSource(
        level_zero(layer),
        axes_of(layer, extra),
        layer.name,
        _own_file(layer),
        pixel_size or known_pixel_size(layer),
        frame_interval or known_frame_interval(layer),
    )


def _own_file(layer: Layer) -> Path | None:
    path = layer.source.path or layer.metadata.get(FILE)
    return Path(path) if path and Path(path).exists() else None


def _is_same(movie: Movie, data: Any) -> bool:
    """Whether a movie holds what a layer shows, judged by first and last frame."""
    if tuple(movie.data.shape) != tuple(data.shape) or movie.dtype != data.dtype:
        return False
    for t in (0, movie.n_frames - 1):
        if not np.array_equal(np.asarray(movie.data[t]), np.asarray(data[t])):
            return False
    return True


def _time_and_place(layer: Image, axes: str, planes: bool) -> Affine:
    """Return the image's data-to-world map of time, [plane,] y and x."""
    wanted = "TZYX" if planes else "TYX"
    return Affine.to_world(layer).restricted(tuple(axes.index(a) for a in wanted))


def tracks_from_layer(tracks: TracksLayer, image: Image, axes: str) -> Tracks:
    """Return the tracks of a layer in the pixels and frames of an image layer.

    Parameters
    ----------
    tracks : Tracks
        Layer in any order, with any scale and translation.
    image : Image
        Layer whose pixels count.
    axes : str
        The image's axes, e.g. ``"TZYX"``.

    Raises
    ------
    InputError
        If the tracks have no time points of the image.
    """
    from napari_cellsci.io.tracks import tracks_from_table

    data = np.asarray(tracks.data, dtype=np.float64)
    planes = tracks.ndim == 4 and "Z" in axes
    own = Affine.to_world(tracks)
    points = data[:, 1:]
    if tracks.ndim == 4 and not planes:  # a fourth axis the image does not have
        own = own.restricted((0, 2, 3))
        points = points[:, [0, 2, 3]]
    there = _time_and_place(image, axes, planes).inverse().after(own)
    points = there(points)
    t = np.rint(points[:, 0])
    if np.abs(points[:, 0] - t).max(initial=0) > _WHOLE_FRAME:
        raise InputError(
            f"The times of {tracks.name} fall between the frames of {image.name}: give "
            "both layers the same scale along time."
        )
    return tracks_from_table(_table(data[:, 0], t, points), graph=dict(tracks.graph))


def _table(track_id: Any, t: Any, points: Any) -> Any:
    import pandas as pd

    columns = {"track_id": track_id, "t": t, "y": points[:, -2], "x": points[:, -1]}
    if points.shape[1] == 4:
        columns["z"] = points[:, 1]
    return pd.DataFrame(columns)


def file_of(layer: Layer) -> Path | None:
    """Return the file a layer was read from, if it is still there."""
    return _own_file(layer)


def masks_from_layer(labels: Labels, image: Image, axes: str) -> Any:
    """Return the label images (T, Y, X) of a layer that lies on an image layer.

    Raises
    ------
    InputError
        If the labels have no time axis or another pixel grid than the image.
    """
    masks, own = level_zero(labels), Affine.to_world(labels)
    if len(masks.shape) == 4 and masks.shape[1] == 1:
        masks, own = flat(masks), own.restricted((0, 2, 3))
    if len(masks.shape) != 3:
        raise InputError(
            f"{labels.name} has {len(masks.shape)} axes: masks of a movie have time, y "
            "and x."
        )
    frames = tuple(level_zero(image).shape[axes.index(a)] for a in "TYX")
    there = _time_and_place(image, axes, planes=False).inverse().after(own)
    # Masks of the movie's size that were never scaled are meant pixel by pixel.
    lies = is_identity(there) or is_identity(own)
    if tuple(masks.shape) != frames or not lies:
        raise InputError(
            f"{labels.name} and {image.name} do not lie on each other pixel by pixel: "
            "masks need the movie's own size, scale and position."
        )
    return masks


class OnePlane:
    """Label images (T, Y, X) with an axis of length 1 after time, read lazily.

    napari matches the axes of layers from the last: without it, the time of the masks
    would lie along the planes or channels of a movie that has some.

    Parameters
    ----------
    labels : array-like (T, Y, X)
    """

    def __init__(self, labels: Any) -> None:
        self.labels = labels
        self.shape = (labels.shape[0], 1, *labels.shape[1:])
        self.dtype = np.dtype(labels.dtype)
        self.ndim = 4

    def __len__(self) -> int:
        return int(self.shape[0])

    @property
    def size(self) -> int:
        """Number of pixels."""
        return int(np.prod(self.shape))

    def __getitem__(self, key: Any) -> Any:
        keys = list(expand_index(key, 4))
        plane = keys.pop(1)
        block = np.asarray(self.labels[tuple(keys)])
        if not isinstance(plane, slice):
            return block
        at = int(isinstance(keys[0], slice))
        block = np.expand_dims(block, at)
        return block[(slice(None),) * at + (plane,)]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        return np.asarray(self[:], dtype=dtype)


def flat(masks: Any) -> Any:
    """Return masks (T, 1, Y, X) without their axis of length 1, not reading them."""
    return masks.labels if isinstance(masks, OnePlane) else masks[:, 0]


def looks_tracked(masks: Any, frames: int = 6) -> bool:
    """Guess whether label values follow cells through time.

    In tracked masks an object mostly lies on an object of the same value in the next
    frame; where every frame is numbered anew it does not. Binary masks follow nothing.
    """
    from napari_cellsci.io.tracks import is_binary

    last = min(len(masks) - 1, frames)
    same = there = 0
    for t in range(last):
        now, following = np.asarray(masks[t]), np.asarray(masks[t + 1])
        both = (now > 0) & (following > 0)
        there += int(both.sum())
        same += int((now[both] == following[both]).sum())
    return there > 0 and same / there > 0.5 and not is_binary(masks)


def hint_of_mismatch(tracks: TracksLayer, image: Image) -> str | None:
    """Say so if tracks and image most likely lack a common scale."""
    ours = np.asarray(tracks.scale, dtype=float)[-2:]
    theirs = np.asarray(image.scale, dtype=float)[-2:]
    if np.allclose(ours, theirs) or not len(tracks.data):
        return None
    height, width = level_zero(image).shape[-2:]
    reach = np.asarray(tracks.data)[:, -2:].max(axis=0)
    if np.all(reach <= (height, width)) and np.all(reach * ours / theirs < reach):
        return (
            f"{tracks.name} and {image.name} have different scales: check that the "
            "tracks lie on the cells."
        )
    return None
