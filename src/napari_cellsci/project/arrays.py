"""Big arrays beside the database: written once, registered, never changed.

An array is written under a temporary name, flushed to disk, and only then renamed and
registered, both inside one database transaction. Whatever a crash leaves behind has no
row in the database and is collected when the project is next opened.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import shutil
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from napari_cellsci.disk import (
    being_written,
    file_stem,
    sync_folder,
    temporary_name,
)
from napari_cellsci.errors import ProjectError
from napari_cellsci.project.store import Store
from napari_cellsci.project.trouble import in_words

ROOMS = ("crops", "latents", "scores", "movies")
"""Folders of a project that hold nothing but registered arrays."""
_CANNOT_RESERVE = (errno.EINVAL, errno.EOPNOTSUPP, errno.ENOSYS)


@dataclass(frozen=True, slots=True)
class Key:
    """What an array is: its kind, what made it (a hash), of which movie, and which."""

    kind: str
    made_by: str
    variant: str = ""


@dataclass(slots=True)
class _Pending:
    key: Key
    movie_id: int | None
    file_name: str
    temporary: Path
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    array: np.memmap[Any, np.dtype[Any]] | None


class ArrayRooms:
    """The registered arrays of one project.

    Parameters
    ----------
    folder : Path
        The project's folder.
    store : Store
        Its database.
    """

    def __init__(self, folder: Path, store: Store) -> None:
        self.folder = folder
        self._store = store

    def load(self, key: Key, movie_id: int) -> np.ndarray[Any, np.dtype[Any]] | None:
        """Return the memory-mapped array, or None if there is none, or it is damaged.

        A damaged array (cut short, replaced) is forgotten, so that it is made again.
        """
        rows = self._store.rows(
            "SELECT path, shape, dtype FROM arrays WHERE kind = ? AND key = ? "
            "AND movie_id = ? AND variant = ?",
            (key.kind, key.made_by, movie_id, key.variant),
        )
        if not rows:
            return None
        path, shape, dtype = rows[0]
        array = _open_array(self.folder / path, tuple(json.loads(shape)), dtype)
        if array is None:
            with self._store.transaction() as inside:
                inside.execute("DELETE FROM arrays WHERE path = ?", (path,))
        return array

    @contextlib.contextmanager
    def writing(self) -> Iterator[ArrayWriter]:
        """Collect new arrays; those not registered at the end are removed."""
        writer = ArrayWriter(self.folder)
        try:
            with in_words(self.folder):
                yield writer
        finally:
            writer.discard()

    def collect_orphans(self) -> int:
        """Remove what a crash left behind; return how many files went.

        Holds the write lock meanwhile: another process renames and registers inside
        one transaction, so a file without a row cannot be on its way in. Does nothing
        where the project cannot be written.
        """
        try:
            with self._store.transaction() as inside:
                known = {row[0] for row in inside.execute("SELECT path FROM arrays")}
                return sum(map(_remove, self._orphans(known)))
        except ProjectError:
            return 0

    def _orphans(self, known: set[str]) -> list[Path]:
        found = []
        for room in ROOMS:
            for path in sorted((self.folder / room).glob("**/*")):
                if path.is_dir() and not path.name.startswith(".tmp-"):
                    continue
                name = path.relative_to(self.folder).as_posix()
                if name not in known and not being_written(path):
                    found.append(path)
        return found


class ArrayWriter:
    """Arrays being written; `register` makes them part of the project."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._pending: list[_Pending] = []
        self._registered: list[Path] = []

    def new(
        self,
        key: Key,
        shape: Sequence[int],
        dtype: DTypeLike,
        *,
        movie_id: int | None = None,
        file_name: str,
    ) -> np.memmap[Any, np.dtype[Any]]:
        """Return a writable array of zeros on disk.

        Parameters
        ----------
        key : Key
            What the array is.
        shape, dtype
            As in `numpy.zeros`.
        movie_id : int, optional
            Row of the movie; given at `register` for a movie that has none yet.
        file_name : str
            Stem of the final file.

        Raises
        ------
        ProjectError
            If the disk has no room for it or cannot be written.
        """
        place = self._folder / key.kind / key.made_by
        with in_words(self._folder):
            place.mkdir(parents=True, exist_ok=True)
            temporary = place / f"{temporary_name()}.npy"
            pending = _Pending(
                key, movie_id, file_name, temporary, tuple(shape), np.dtype(dtype), None
            )
            self._pending.append(pending)
            pending.array = allocate(temporary, pending.shape, pending.dtype)
        return pending.array

    def save(
        self,
        key: Key,
        values: np.ndarray[Any, np.dtype[Any]],
        *,
        movie_id: int | None = None,
        file_name: str,
    ) -> None:
        """Write an array that is already in memory."""
        values = np.asarray(values)
        array = self.new(
            key, values.shape, values.dtype, movie_id=movie_id, file_name=file_name
        )
        array[...] = values

    def flush(self) -> None:
        """Bring everything to the disk; the slow part, done before the transaction."""
        with in_words(self._folder):
            for pending in self._pending:
                if isinstance(pending.array, np.memmap):
                    pending.array.flush()
                pending.array = None
                _sync_file(pending.temporary)

    def register(self, inside: sqlite3.Connection, movie_id: int | None = None) -> None:
        """Give every array its final name and its row, within a transaction.

        An array that another process registered meanwhile is kept as it is and ours
        is dropped: both were made by the same recipe.
        """
        self.flush()
        now = datetime.now(UTC).isoformat(timespec="seconds")
        folders = set()
        for pending in self._pending:
            owner = pending.movie_id if pending.movie_id is not None else movie_id
            key = pending.key
            place = Path(key.kind, key.made_by)
            final = place / f"{owner}-{file_stem(pending.file_name)}.npy"
            added = inside.execute(
                "INSERT INTO arrays VALUES (?, ?, ?, ?, ?, ?, ?, ?) "
                "ON CONFLICT (kind, key, movie_id, variant) DO NOTHING",
                (
                    key.kind,
                    key.made_by,
                    owner,
                    key.variant,
                    final.as_posix(),
                    json.dumps(pending.shape),
                    pending.dtype.str,
                    now,
                ),
            ).rowcount
            if added:
                os.replace(pending.temporary, self._folder / final)
                self._registered.append(self._folder / final)
                folders.add(self._folder / place)
        for folder in folders:
            sync_folder(folder)
        self._pending = [p for p in self._pending if p.temporary.exists()]

    def discard(self) -> None:
        """Remove whatever was not registered."""
        for pending in self._pending:
            pending.array = None
            _remove(pending.temporary)
        self._pending = []


def allocate(
    path: Path, shape: tuple[int, ...], dtype: np.dtype[Any]
) -> np.memmap[Any, np.dtype[Any]]:
    """Make an ``.npy`` file whose room on the disk is really there, and map it.

    A sparse file would let a full disk kill the process (SIGBUS) when a page is
    written, so the room is taken first and its lack is an ordinary `OSError`.
    """
    size = int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
    with path.open("wb") as file:
        np.lib.format.write_array_header_2_0(
            file,
            {
                "descr": np.lib.format.dtype_to_descr(dtype),
                "fortran_order": False,
                "shape": tuple(int(edge) for edge in shape),
            },
        )
        file.flush()
        _take_room(file.fileno(), file.tell(), size)
    if size == 0:
        return np.load(path, allow_pickle=False)  # type: ignore[no-any-return]
    return np.lib.format.open_memmap(path, mode="r+")


def _take_room(descriptor: int, start: int, size: int) -> None:
    if size == 0:
        return
    if hasattr(os, "posix_fallocate"):
        try:
            os.posix_fallocate(descriptor, start, size)
            return
        except OSError as error:
            if error.errno not in _CANNOT_RESERVE:
                raise
    os.lseek(descriptor, start, os.SEEK_SET)
    block = bytes(1 << 20)
    for begin in range(0, size, len(block)):
        os.write(descriptor, block[: size - begin])


def _open_array(
    path: Path, shape: tuple[int, ...], dtype: str
) -> np.ndarray[Any, np.dtype[Any]] | None:
    try:
        empty = 0 in shape
        array = np.load(path, mmap_mode=None if empty else "r", allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return None
    if array.shape != shape or array.dtype != np.dtype(dtype):
        return None
    return array  # type: ignore[no-any-return]


def _sync_file(path: Path) -> None:
    # Windows refuses to flush a descriptor that is open for reading only.
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def _remove(path: Path) -> bool:
    try:
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    except OSError:
        return False  # still open elsewhere (Windows); the next opening tries again
    return True
