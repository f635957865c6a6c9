"""The files of a project's movies: where they are, and whether they are unchanged."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from napari_cellsci.errors import InputError, ProjectError
from napari_cellsci.io.movies import Movie, open_movie
from napari_cellsci.io.tracks import open_labels
from napari_cellsci.project.movies import MovieInfo
from napari_cellsci.project.store import Store

_SAMPLE = 1 << 16
_ENTRIES = 2000


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


def read_masks(path: Path | None, shape: tuple[int, ...]) -> Any | None:
    """Open label images again, or return None if they are gone or others."""
    if path is None or not path.exists():
        return None
    try:
        if path.suffix == ".npy":
            masks: Any = np.load(path, mmap_mode="r", allow_pickle=False)
        else:
            masks = open_labels(path)
    except (OSError, ValueError):
        return None
    return masks if tuple(masks.shape) == shape else None


def masks_of(info: MovieInfo, folder: Path) -> Any | None:
    """Return the label images (T, Y, X) of a movie, or None."""
    shape = (info.n_frames, *info.shape)
    for place in candidates(info.masks_path, info.masks_relative_path, folder):
        masks = read_masks(place, shape)
        if masks is not None:
            return masks
    return None


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
    note_place(store, info, path, folder)


def note_place(store: Store, info: MovieInfo, path: Path, folder: Path) -> None:
    """Write down where a movie or a set of images is now, which was checked."""
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
