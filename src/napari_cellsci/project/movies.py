"""The movies of a project: where their files are, and whether they are unchanged."""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from napari_cellsci.errors import InputError, ProjectError
from napari_cellsci.io.movies import Movie, open_movie
from napari_cellsci.project.store import Store

_SAMPLE = 1 << 16
_ENTRIES = 2000


@dataclass(frozen=True, slots=True, kw_only=True)
class MovieInfo:
    """What the project knows of a movie without opening it.

    Parameters
    ----------
    name : str
        Unique within the project.
    path : Path, optional
        Where the file was when it was added; the project's own copy if it came
        without a file.
    n_frames, n_channels, n_planes : int
    shape : tuple of int
        (Y, X) in px.
    pixel_size : float, optional
        µm; None when it is not known.
    frame_interval : float, optional
        Seconds.
    n_cells : int
    id, first_cell : int
        Row in the database; row id of its first cell.
    """

    name: str
    path: Path | None
    n_frames: int
    shape: tuple[int, int]
    pixel_size: float | None
    frame_interval: float | None
    n_cells: int
    axes: str
    n_channels: int
    n_planes: int
    dtype: str
    channel_names: tuple[str, ...] = ()
    axes_given: str | None = None
    relative_path: str | None = None
    copied: bool = False
    fingerprint: Mapping[str, Any] = field(default_factory=dict)
    masks_path: Path | None = None
    masks_relative_path: str | None = None
    masks_tracked: bool = False
    graph: Mapping[int, list[int]] = field(default_factory=dict)
    id: int = 0
    first_cell: int = 0

    @property
    def rows(self) -> slice:
        """The rows of its cells in the project's table."""
        return slice(self.first_cell, self.first_cell + self.n_cells)


def read_movies(store: Store) -> list[MovieInfo]:
    """Return the movies of a project in the order they were added."""
    return [_info(row) for row in store.rows("SELECT * FROM movies ORDER BY id")]


def _info(row: sqlite3.Row) -> MovieInfo:
    graph = json.loads(row["graph"])
    return MovieInfo(
        name=row["name"],
        path=_path(row["path"]),
        n_frames=row["n_frames"],
        shape=(row["height"], row["width"]),
        pixel_size=row["pixel_size"],
        frame_interval=row["frame_interval"],
        n_cells=row["n_cells"],
        axes=row["axes"],
        n_channels=row["n_channels"],
        n_planes=row["n_planes"],
        dtype=row["dtype"],
        channel_names=tuple(json.loads(row["channel_names"])),
        axes_given=row["axes_given"],
        relative_path=row["relative_path"],
        copied=bool(row["copied"]),
        fingerprint=json.loads(row["fingerprint"]),
        masks_path=_path(row["masks_path"]),
        masks_relative_path=row["masks_relative_path"],
        masks_tracked=bool(row["masks_tracked"]),
        graph={int(child): list(parents) for child, parents in graph.items()},
        id=row["id"],
        first_cell=row["first_cell"],
    )


def _path(text: str | None) -> Path | None:
    return None if text is None else Path(text)


def insert_movie(inside: sqlite3.Connection, info: MovieInfo) -> int:
    """Add a movie's row within the caller's transaction; return its id."""
    values = {
        "name": info.name,
        "path": None if info.path is None else str(info.path),
        "relative_path": info.relative_path,
        "copied": int(info.copied),
        "axes": info.axes,
        "axes_given": info.axes_given,
        "n_frames": info.n_frames,
        "n_channels": info.n_channels,
        "n_planes": info.n_planes,
        "height": info.shape[0],
        "width": info.shape[1],
        "dtype": info.dtype,
        "pixel_size": info.pixel_size,
        "frame_interval": info.frame_interval,
        "channel_names": json.dumps(info.channel_names),
        "fingerprint": json.dumps(dict(info.fingerprint)),
        "masks_path": None if info.masks_path is None else str(info.masks_path),
        "masks_relative_path": info.masks_relative_path,
        "masks_tracked": int(info.masks_tracked),
        "graph": json.dumps({str(k): list(map(int, v)) for k, v in info.graph.items()}),
        "first_cell": info.first_cell,
        "n_cells": info.n_cells,
        "added_at": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    cursor = inside.execute(
        f"INSERT INTO movies ({', '.join(values)}) "
        f"VALUES ({', '.join('?' * len(values))})",
        tuple(values.values()),
    )
    return int(cursor.lastrowid or 0)


def fingerprint(path: Path) -> dict[str, Any]:
    """Return what tells a file or folder from another: size, time, and a sample.

    The sample is a digest of the first, middle and last 64 KB of a file, or of the
    names and sizes of the first entries of a folder (zarr).
    """
    stat = path.stat()
    digest = hashlib.sha256()
    if path.is_dir():
        size = _sample_folder(path, digest)
    else:
        size = stat.st_size
        with path.open("rb") as file:
            for start in sorted({0, max(0, size // 2), max(0, size - _SAMPLE)}):
                file.seek(start)
                digest.update(file.read(_SAMPLE))
    return {"size": size, "mtime_ns": stat.st_mtime_ns, "sample": digest.hexdigest()}


def _sample_folder(path: Path, digest: hashlib._Hash) -> int:
    size = count = 0
    for place, folders, files in os.walk(path):
        folders.sort()
        for name in sorted(files):
            entry = Path(place, name)
            bytes_there = entry.stat().st_size
            line = f"{entry.relative_to(path).as_posix()} {bytes_there}\n"
            digest.update(line.encode())
            size += bytes_there
            count += 1
            if count == _ENTRIES:
                return size
    return size


def is_same(path: Path, known: Mapping[str, Any]) -> bool:
    """Whether the file at `path` is the one whose fingerprint is `known`.

    Another time stamp alone (a copy on another disk) does not make it another file.
    """
    if not path.is_dir():
        stat = path.stat()
        if stat.st_size != known.get("size"):
            return False
        if stat.st_mtime_ns == known.get("mtime_ns"):
            return True
    now = fingerprint(path)
    return all(now[what] == known.get(what) for what in ("size", "sample"))


def relative_to(path: Path, folder: Path) -> str | None:
    """Return the way from `folder` to `path`, or None (another drive)."""
    try:
        return Path(os.path.relpath(path, folder)).as_posix()
    except ValueError:
        return None


def candidates(path: Path | None, relative: str | None, folder: Path) -> list[Path]:
    """Return where a file may be: beside the project as it was, or where it was."""
    found = [folder / relative] if relative is not None else []
    return [*found, *([path] if path is not None else [])]


def reopen(info: MovieInfo, folder: Path) -> Movie:
    """Open the file of a movie again.

    Raises
    ------
    ProjectError
        If it is gone, or is not the file it was.
    """
    if info.copied:
        return _open_copy(info, folder)
    places = candidates(info.path, info.relative_path, folder)
    there = [place for place in places if place.exists()]
    if not there:
        raise ProjectError(
            f"The movie {info.name!r} is no longer at {info.path}: put it back, or "
            "tell the project where it is now (`cellsci relocate`); what is already "
            "cropped can still be scored and labelled."
        )
    same = [place for place in there if is_same(place, info.fingerprint)]
    if not same:
        raise ProjectError(
            f"{there[0]} has changed since it was added as {info.name!r}: bring the "
            "old file back, or add the new one as another movie; what is already "
            "cropped can still be scored and labelled."
        )
    return _checked(_open(same[0], info), info)


def _open(path: Path, info: MovieInfo) -> Movie:
    return open_movie(
        path,
        axes=info.axes_given,
        name=info.name,
        pixel_size=info.pixel_size,
        frame_interval=info.frame_interval,
    )


def _open_copy(info: MovieInfo, folder: Path) -> Movie:
    try:
        data = np.load(
            folder / str(info.relative_path), mmap_mode="r", allow_pickle=False
        )
    except (OSError, ValueError) as error:
        raise ProjectError(
            f"The project's copy of the movie {info.name!r} is missing or damaged: "
            "restore the project folder from a copy."
        ) from error
    movie = open_movie(
        data,
        axes=info.axes,
        name=info.name,
        pixel_size=info.pixel_size,
        frame_interval=info.frame_interval,
    )
    return _checked(movie, info)


def relocate(store: Store, info: MovieInfo, path: Path, folder: Path) -> None:
    """Write down where the file of a movie is now.

    Raises
    ------
    InputError
        If it is not the file that was added.
    """
    path = path.absolute()
    if not path.exists():
        raise InputError(f"There is no file {path}.")
    if info.copied or not is_same(path, info.fingerprint):
        raise InputError(
            f"{path} is not the file that was added as {info.name!r}: give that file, "
            "or add this one as another movie."
        )
    with store.transaction() as inside:
        inside.execute(
            "UPDATE movies SET path = ?, relative_path = ? WHERE id = ?",
            (str(path), relative_to(path, folder), info.id),
        )


def _checked(movie: Movie, info: MovieInfo) -> Movie:
    if (movie.axes, movie.n_frames, movie.n_channels, tuple(movie.shape)) != (
        info.axes,
        info.n_frames,
        info.n_channels,
        info.shape,
    ):
        raise ProjectError(
            f"The movie {info.name!r} is read as {movie.n_frames} frames of "
            f"{tuple(movie.shape)} px now, but {info.n_frames} of {info.shape} when it "
            "was added: bring the old file back."
        )
    return movie


def refuse_bad_pixel_size(pixel_size: float | None) -> None:
    """Refuse pixel sizes that are not positive numbers."""
    if pixel_size is not None and not (0 < pixel_size < float("inf")):
        raise InputError(
            f"The pixel size must be positive (µm per pixel), not {pixel_size}."
        )
