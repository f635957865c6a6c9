"""What a project knows of its movies without opening them."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from napari_cellsci.errors import InputError
from napari_cellsci.project.store import Store


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
    kind : {"movie", "images"}
        "images" is a set of images of single cells: `path` is where they are, and the
        frame a sheet on which they lie side by side.
    reading : mapping
        How the images are found again (``stem``, ``tile`` of a montage), and which
        files were ``skipped`` and why.
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
    kind: str = "movie"
    reading: Mapping[str, Any] = field(default_factory=dict)

    @property
    def is_images(self) -> bool:
        """Whether it is a set of images of single cells."""
        return self.kind == "images"

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
        kind=row["kind"],
        reading=json.loads(row["reading"]),
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
        "kind": info.kind,
        "reading": json.dumps(dict(info.reading)),
        "added_at": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    cursor = inside.execute(
        f"INSERT INTO movies ({', '.join(values)}) "
        f"VALUES ({', '.join('?' * len(values))})",
        tuple(values.values()),
    )
    return int(cursor.lastrowid or 0)


def unique_name(wanted: str, taken: Sequence[str]) -> str:
    """Return a name that no movie has yet."""
    name, number = wanted, 1
    while name in taken:
        number += 1
        name = f"{wanted}-{number}"
    return name


def refuse_bad_pixel_size(pixel_size: float | None) -> None:
    """Refuse pixel sizes that are not positive numbers."""
    if pixel_size is not None and not (0 < pixel_size < float("inf")):
        raise InputError(
            f"The pixel size must be positive (µm per pixel), not {pixel_size}."
        )
