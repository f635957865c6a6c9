"""Movies from arrays and files, read one frame at a time."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from napari_cellsci.errors import InputError
from napari_cellsci.io._axes import arrange
from napari_cellsci.io._lazy import ArrayLike, Index
from napari_cellsci.io._raw import RawStack, check_exists, reason, sizes
from napari_cellsci.io._readers import open_with_plugin
from napari_cellsci.io._tiff import TIFF_SUFFIXES, open_tiff, open_tiff_folder
from napari_cellsci.io._zarr import describe_array, is_zarr, open_zarr


@dataclass(frozen=True, eq=False)
class Movie:
    """A time-lapse whose pixels stay where they are until a frame is asked for.

    Parameters
    ----------
    data : array-like
        numpy, dask, zarr or lazily read stack with exactly the axes `axes`.
    axes : {"TYX", "TCYX", "TZYX", "TCZYX"}
        Time, channel, plane, row, column.
    name : str
        What the user calls it.
    path : Path, optional
        Where it was read from.
    pixel_size : float, optional
        Edge of a pixel (µm); None unless metadata or the user say so.
    frame_interval : float, optional
        Time between frames (s).
    channel_names : tuple of str
        One name per channel, or none.

    Raises
    ------
    InputError
        If axes, element type, pixel size or frame interval cannot be those of a movie.
    """

    data: ArrayLike
    axes: str
    name: str
    path: Path | None = None
    pixel_size: float | None = None
    frame_interval: float | None = None
    channel_names: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.axes not in ("TYX", "TCYX", "TZYX", "TCZYX"):
            raise InputError(f"A movie has the axes T[C][Z]YX, not {self.axes!r}.")
        if len(self.data.shape) != len(self.axes):
            raise InputError(
                f"{self.name} has {len(self.data.shape)} axes "
                f"({sizes(self.data.shape)}), but {self.axes} names {len(self.axes)}."
            )
        if np.dtype(self.data.dtype).kind not in "uif":
            raise InputError(
                f"{self.name} holds {np.dtype(self.data.dtype)} values: convert it to "
                "integers or floats, for example uint16."
            )
        _check_positive(self.pixel_size, "pixel size", "µm")
        _check_positive(self.frame_interval, "frame interval", "seconds")

    def _length(self, axis: str) -> int:
        return int(self.data.shape[self.axes.index(axis)]) if axis in self.axes else 1

    @property
    def n_frames(self) -> int:
        """Number of time points."""
        return self._length("T")

    @property
    def n_channels(self) -> int:
        """Number of channels, 1 without a channel axis."""
        return self._length("C")

    @property
    def n_planes(self) -> int:
        """Number of planes, 1 without a plane axis."""
        return self._length("Z")

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width of a frame (px)."""
        return self._length("Y"), self._length("X")

    @property
    def dtype(self) -> np.dtype[Any]:
        """Element type of the frames, in the byte order of this machine."""
        dtype: np.dtype[Any] = np.dtype(self.data.dtype)
        return dtype.newbyteorder("=")

    def frame(
        self,
        t: int,
        channels: Sequence[int | str] | int | str = (0,),
        z: int | Literal["max"] = "max",
    ) -> npt.NDArray[Any]:
        """Read one frame, and nothing but that frame.

        Parameters
        ----------
        t : int
            Time point, from 0.
        channels : int, str, or a sequence of them
            Channels by number or name, in the order wanted.
        z : int or "max"
            Plane, or maximum over planes; movies without planes ignore it.

        Returns
        -------
        ndarray, shape (C, Y, X)
            A copy in the movie's own element type.

        Raises
        ------
        InputError
            If frame, channel or plane do not exist, the frame cannot be read, or a
            float frame holds NaN or infinite pixels.
        """
        if not 0 <= t < self.n_frames:
            raise InputError(
                f"{self.name} has no frame {t}: its frames are 0 to "
                f"{self.n_frames - 1}."
            )
        wanted = channel_indices(self, channels)
        span, rows = _span(wanted)
        index: list[Index] = [t]
        if "C" in self.axes:
            index.append(span)
        if "Z" in self.axes:
            index.append(slice(None) if z == "max" else self._plane(z))
        block = self._read(t, tuple(index))
        if "C" not in self.axes:
            block = block[np.newaxis]
        if block.dtype.kind == "f":
            self._check_finite(t, block)
        if block.ndim == 4:
            block = block.max(axis=1)
        return np.ascontiguousarray(block[rows].astype(self.dtype, copy=False))

    def _plane(self, z: int) -> int:
        if not 0 <= z < self.n_planes:
            raise InputError(
                f"{self.name} has no plane {z}: its planes are 0 to "
                f"{self.n_planes - 1}, or 'max' for their maximum."
            )
        return int(z)

    def _read(self, t: int, index: tuple[Index, ...]) -> npt.NDArray[Any]:
        try:
            return np.asarray(self.data[index])
        except InputError:
            raise
        except Exception as error:  # whatever the file, codec or graph raises
            raise InputError(
                f"Frame {t} of {self.name} cannot be read ({reason(error)}): the file "
                "is cut, damaged or gone; copy it again."
            ) from error

    def _check_finite(self, t: int, block: npt.NDArray[Any]) -> None:
        bad = block.size - int(np.count_nonzero(np.isfinite(block)))
        if bad:
            raise InputError(
                f"Frame {t} of {self.name} has {bad} pixel(s) that are NaN or "
                "infinite: replace them, for example by 0, and open it again."
            )


def open_movie(
    source: str | Path | ArrayLike | Movie,
    *,
    axes: str | None = None,
    name: str | None = None,
    pixel_size: float | None = None,
    frame_interval: float | None = None,
) -> Movie:
    """Open a movie without reading its frames.

    Parameters
    ----------
    source : path or array-like
        TIFF, ImageJ TIFF, OME-TIFF, a folder of TIFF files (one a frame), OME-Zarr or
        zarr, any file an installed napari reader opens; or a numpy, dask or zarr array.
    axes : str, optional
        The axes of the source, e.g. ``"TZCYX"``, where metadata are wrong or missing.
        Nameless stacks are taken for TYX; a fourth axis for C up to four long, else Z.
    name : str, optional
        What to call the movie; by default the file's name.
    pixel_size, frame_interval : float, optional
        µm and seconds; win over the metadata.

    Raises
    ------
    InputError
        If the source is missing, foreign, cut, empty, or not a movie.
    """
    if isinstance(source, Movie):
        movie = source
    else:
        path = Path(source) if isinstance(source, str | Path) else None
        called = name or (path.name if path is not None else "the movie")
        raw = _open_path(path) if path is not None else _open_array(source)
        data, found = arrange(raw, axes, called)
        channels = data.shape[found.index("C")] if "C" in found else 1
        names = raw.channel_names if len(raw.channel_names) == channels else ()
        movie = Movie(
            data,
            found,
            name or (_stem(path) if path is not None else "movie"),
            path,
            raw.pixel_size,
            raw.frame_interval,
            names,
        )
    given = {
        "name": name,
        "pixel_size": pixel_size,
        "frame_interval": frame_interval,
    }
    return replace(movie, **{k: v for k, v in given.items() if v is not None})  # type: ignore[arg-type]


def channel_indices(
    movie: Movie, channels: Sequence[int | str] | int | str
) -> tuple[int, ...]:
    """Turn channel names or numbers into numbers.

    Raises
    ------
    InputError
        If no channel is named, or one does not exist.
    """
    if isinstance(channels, str | int):
        channels = (channels,)
    if not channels:
        raise InputError(f"Name at least one channel of {movie.name}.")
    return tuple(_channel_index(movie, channel) for channel in channels)


def _channel_index(movie: Movie, channel: int | str) -> int:
    if isinstance(channel, str):
        if channel in movie.channel_names:
            return movie.channel_names.index(channel)
        number = int(channel) if channel.strip().isdecimal() else -1
    else:
        number = int(channel)
    if not 0 <= number < movie.n_channels:
        known = ", ".join(
            f"{i} {movie.channel_names[i]}" if movie.channel_names else str(i)
            for i in range(movie.n_channels)
        )
        raise InputError(
            f"{movie.name} has no channel {channel!r}: its channels are {known}."
        )
    return number


def _span(wanted: tuple[int, ...]) -> tuple[slice, list[int]]:
    """Return one slice that holds all channels, so that each chunk is read once."""
    used = sorted(set(wanted))
    step = math.gcd(*(channel - used[0] for channel in used)) or 1
    span = slice(used[0], used[-1] + 1, step)
    return span, [(channel - used[0]) // step for channel in wanted]


def _check_positive(value: float | None, what: str, unit: str) -> None:
    if value is not None and not (math.isfinite(value) and value > 0):
        raise InputError(
            f"The {what} must be a positive number of {unit}, not {value}."
        )


def _stem(path: Path) -> str:
    name = path.name
    stem = re.sub(r"(\.ome)?\.(tiff?|zarr)(\.zip)?$", "", name, flags=re.IGNORECASE)
    return (stem if stem != name else path.stem) or name


def _open_path(path: Path) -> RawStack:
    check_exists(path)
    if is_zarr(path):
        return open_zarr(path)
    if path.is_file() and path.suffix.lower() in TIFF_SUFFIXES:
        return open_tiff(path)
    if path.suffix.lower() == ".zip":
        raise InputError(
            f"{path} is an archive without a zarr image: unpack it and choose the "
            "movie inside."
        )
    if path.is_dir():
        files = sorted(
            (f for f in path.iterdir() if f.suffix.lower() in TIFF_SUFFIXES),
            key=lambda f: natural_key(f.name),
        )
        if files:
            return open_tiff_folder(path, files)
    return open_with_plugin(path)


def natural_key(name: str) -> tuple[tuple[int, int | str], ...]:
    """Sort ``t2.tif`` before ``t10.tif``."""
    parts = re.split(r"(\d+)", name)
    return tuple((0, int(p)) if p.isdecimal() else (1, p) for p in parts if p)


def _open_array(source: Any) -> RawStack:
    if hasattr(source, "metadata") and hasattr(source, "attrs"):
        return describe_array(source)
    if all(hasattr(source, name) for name in ("shape", "dtype", "ndim")):
        return RawStack(source)
    return RawStack(np.asarray(source))
