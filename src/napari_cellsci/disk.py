"""Files and folders written whole or not at all, and disk trouble in one sentence."""

from __future__ import annotations

import errno
import os
import re
import secrets
import shutil
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from napari_cellsci.errors import ProjectError

_FULL = (errno.ENOSPC, errno.EDQUOT)
_READ_ONLY = (errno.EROFS, errno.EACCES, errno.EPERM)
# numpy's tofile says so where a disk became full while it wrote, without a number
_SHORT_WRITE = re.compile(r"^\d+ requested and \d+ written$")
_TEMPORARY = re.compile(r"^\.tmp-(?P<host>.+?)-(?P<pid>\d+)-[0-9a-f]{8}(?![0-9a-f])")
_STALE_SECONDS = 24 * 3600.0


@contextmanager
def disk_in_words(place: Path) -> Iterator[None]:
    """Turn a full or read-only disk at `place` into a `ProjectError`.

    Errors that are not about the disk pass through unchanged.
    """
    try:
        yield
    except OSError as error:
        if error.errno in _FULL or _SHORT_WRITE.search(str(error)):
            raise ProjectError(full_sentence(place)) from error
        if error.errno == errno.EFBIG:
            raise ProjectError(
                f"The disk that holds {place} takes no file this large: choose a place "
                "on another one; nothing was changed."
            ) from error
        if error.errno == errno.ENOTDIR:
            raise ProjectError(
                f"{place} cannot be written: a file stands where a folder is needed; "
                "move it away or choose another place."
            ) from error
        if error.errno in _READ_ONLY:
            raise ProjectError(read_only_sentence(place)) from error
        raise


def full_sentence(place: Path) -> str:
    """Say that the disk is full."""
    return (
        f"The disk that holds {place} is full: free some space and try again; nothing "
        "was changed."
    )


def read_only_sentence(place: Path) -> str:
    """Say that a place cannot be written."""
    return (
        f"{place} cannot be written: the folder is read-only, gone, or belongs to "
        "someone else; choose another place or ask for permission."
    )


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Give a temporary path beside `path` that takes its name if all goes well.

    Raises
    ------
    ProjectError
        If the folder is missing or read-only, `path` is a folder itself, or the disk
        is full; nothing is left then.
    """
    temporary = path.with_name(f".{path.name}-{secrets.token_hex(4)}{path.suffix}")
    with disk_in_words(path):
        if not path.parent.is_dir():
            raise ProjectError(
                f"There is no folder {path.parent}: make it first, or choose another."
            )
        if path.is_dir():
            raise ProjectError(f"{path} is a folder: add the name of a file to it.")
        try:
            yield temporary
            os.replace(temporary, path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise


@contextmanager
def whole_folder(folder: Path) -> Iterator[Path]:
    """Give a temporary folder that becomes `folder` if all goes well.

    It lies beside `folder` (or beside its nearest ancestor that exists), so that the
    renaming is atomic. On any exception nothing of it remains.

    Raises
    ------
    ProjectError
        If `folder` exists and is not empty, or cannot be made.
    """
    refuse_taken(folder)
    beside = next(place for place in folder.parents if place.is_dir())
    _clear_abandoned(beside)
    with disk_in_words(folder):
        temporary = beside / f"{temporary_name()}-new"
        try:
            temporary.mkdir()
            yield temporary
            folder.parent.mkdir(parents=True, exist_ok=True)
            if folder.is_dir():
                folder.rmdir()
            temporary.rename(folder)
        except ProjectError as error:
            # The temporary name means nothing to whoever reads the sentence.
            sentence = str(error).replace(str(temporary), str(folder))
            raise ProjectError(sentence) from error
        finally:
            shutil.rmtree(temporary, ignore_errors=True)


def refuse_taken(folder: Path) -> None:
    """Refuse a place for a new folder that is not free.

    Raises
    ------
    ProjectError
    """
    with disk_in_words(folder):
        if folder.exists() and (not folder.is_dir() or os.listdir(folder)):
            raise ProjectError(
                f"{folder} exists already and is not empty: choose a new place."
            )


def _clear_abandoned(beside: Path) -> None:
    """Remove what a killed process left there."""
    for left in beside.glob(".tmp-*-new"):
        if left.is_dir() and not being_written(left):
            shutil.rmtree(left, ignore_errors=True)


def temporary_name() -> str:
    """Return a name that says which process of which machine is writing."""
    host = file_stem(socket.gethostname())
    return f".tmp-{host}-{os.getpid()}-{secrets.token_hex(4)}"


def being_written(path: Path) -> bool:
    """Whether a temporary file or folder belongs to a process that may still live."""
    match = _TEMPORARY.match(path.name)
    if match is None:
        return False
    if match["host"] == file_stem(socket.gethostname()) and not process_lives(
        int(match["pid"])
    ):
        return False
    try:
        return time.time() - path.stat().st_mtime < _STALE_SECONDS
    except OSError:
        return False


def process_lives(pid: int) -> bool:
    """Whether a process of this machine is still running."""
    if pid == os.getpid():
        return True
    if os.name == "nt":
        return _windows_process_lives(pid)
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _windows_process_lives(pid: int) -> bool:  # pragma: no cover
    # os.kill would end the process on Windows instead of asking after it.
    import ctypes

    kernel = getattr(ctypes, "windll").kernel32  # noqa: B009
    handle = kernel.OpenProcess(0x1000, False, pid)
    if handle:
        kernel.CloseHandle(handle)
    return bool(handle)


def file_stem(name: str) -> str:
    """Return `name` with everything but letters, digits, dots and dashes replaced."""
    return re.sub(r"[^A-Za-z0-9._-]+", "_", name).strip("._") or "unnamed"


def sync_folder(folder: Path) -> None:
    """Bring the names in `folder` to the disk, where the system can do that."""
    if os.name == "nt":  # pragma: no cover
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
