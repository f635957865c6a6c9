"""The layers that show a movie of a project: found where they are, else added."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_cellsci.viewer import tags
from napari_cellsci.viewer.geometry import layer_transform

if TYPE_CHECKING:
    from napari.layers import Image, Layer
    from napari.viewer import Viewer

    from napari_cellsci.io.movies import Movie
    from napari_cellsci.project import Project
    from napari_cellsci.viewer.cell_table import CellTable

CHANNEL_COLORMAPS = ("magenta", "green", "cyan", "yellow")
"""Of several channels, as in the gallery; one alone is grey."""


class ChannelView:
    """One channel of a stack, read where it is asked for.

    Parameters
    ----------
    data : array-like
    axis, index : int
        The channel's axis and its number.
    """

    def __init__(self, data: Any, axis: int, index: int) -> None:
        self._data, self._axis, self._index = data, axis, index
        self.shape = (*data.shape[:axis], *data.shape[axis + 1 :])
        self.dtype = np.dtype(data.dtype)

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """Number of pixels."""
        return int(np.prod(self.shape))

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, key: Any) -> NDArray[Any]:
        keys = key if isinstance(key, tuple) else (key,)
        if Ellipsis in keys:
            at = keys.index(Ellipsis)
            missing = (slice(None),) * (self.ndim - len(keys) + 1)
            keys = (*keys[:at], *missing, *keys[at + 1 :])
        keys = (*keys, *(slice(None),) * (self.ndim - len(keys)))
        full = (*keys[: self._axis], self._index, *keys[self._axis :])
        return np.asarray(self._data[full])

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        return self[:].astype(dtype or self.dtype)


def contrast_of(picture: NDArray[Any]) -> tuple[float, float]:
    """Return display limits that leave out the darkest and brightest outliers."""
    low, high = np.percentile(picture, (1, 99.9))
    return float(low), float(high if high > low else low + 1)


def movie_scale(movie: Movie) -> dict[str, Any]:
    """Return the keyword arguments that scale layers of a movie.

    Minutes and µm where they are known, else frames and pixels.
    """
    minutes = None if movie.frame_interval is None else movie.frame_interval / 60
    time = (minutes or 1, "minute" if minutes else "pixel", "t")
    size = movie.pixel_size
    length = (size or 1, "micrometer" if size else "pixel")
    axes = [time]
    if "Z" in movie.axes:
        axes.append((1, "pixel", "z"))
    axes += [(*length, "y"), (*length, "x")]
    scale, units, labels = zip(*axes, strict=True)
    return {"scale": scale, "units": units, "axis_labels": labels}


def add_movie(viewer: Viewer, project: Project, name: str) -> Image:
    """Show a movie of a project, a layer per channel; return the first.

    Raises
    ------
    ProjectError
        If its file is gone or has changed.
    """
    movie = project.movie(name)
    middle = movie.frame(movie.n_frames // 2, tuple(range(movie.n_channels)))
    infos = {info.name: info for info in project.movies}
    added: list[Image] = []
    for channel in range(movie.n_channels):
        data = movie.data
        if "C" in movie.axes:
            data = ChannelView(data, movie.axes.index("C"), channel)
        title = name
        if movie.n_channels > 1:
            names = movie.channel_names
            title = f"{name} {names[channel] if names else f'channel {channel}'}"
        color = CHANNEL_COLORMAPS[channel % len(CHANNEL_COLORMAPS)]
        if movie.n_channels == 1:
            color = "gray"
        layer = viewer.add_image(
            data,
            name=title,
            colormap=color,
            blending="additive" if channel else "translucent_no_depth",
            contrast_limits=contrast_of(
                _imaged(middle[channel]) if infos[name].is_images else middle[channel]
            ),
            multiscale=False,
            **movie_scale(movie),
        )
        if channel == 0:
            tags.tag(layer, project.path, name, "image")
        added.append(layer)
    return added[0]


def _imaged(sheet: NDArray[Any]) -> NDArray[Any]:
    """Return the pixels of a sheet without the lines between its images."""
    seen = sheet[sheet != 0]
    return seen if seen.size else sheet


def placed_on(image: Layer | None, ndim: int) -> dict[str, Any]:
    """Return the keyword arguments that put an overlay on an image layer.

    An overlay has one slot for all planes of a stack: it is stretched so that it shows
    on every plane.
    """
    if image is None:
        return {}
    place = layer_transform(image)
    for axis in range(1, ndim - 2):
        place["scale"][axis] *= 2 * image.data.shape[axis]
    return place


def points_of(table: CellTable, rows: NDArray[np.int64], ndim: int) -> Any:
    """Return where cells are drawn: time, zeros, y and x, (n, ndim).

    Column by column in memory: napari asks for extents along each axis at every
    change of frame, which is ten times faster so.
    """
    points = np.zeros((len(rows), ndim), order="F")
    points[:, 0] = table.t[rows]
    points[:, -2] = table.y[rows]
    points[:, -1] = table.x[rows]
    return points
