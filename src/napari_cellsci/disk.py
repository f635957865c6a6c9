"""Files written whole or not at all, and disk trouble told in one sentence."""

from __future__ import annotations

import errno
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from napari_cellsci.errors import ProjectError

_FULL = (errno.ENOSPC, errno.EDQUOT)
_READ_ONLY = (errno.EROFS, errno.EACCES, errno.EPERM)


@contextmanager
def disk_in_words(place: Path) -> Iterator[None]:
    """Turn a full or read-only disk at `place` into a `ProjectError`.

    Errors that are not about the disk pass through unchanged.
    """
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise ProjectError(full_sentence(place)) from error
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
        If the folder is missing, read-only or the disk is full; nothing is left then.
    """
    temporary = path.with_name(f".{path.name}-{secrets.token_hex(4)}{path.suffix}")
    with disk_in_words(path):
        if not path.parent.is_dir():
            raise ProjectError(
                f"There is no folder {path.parent}: make it first, or choose another."
            )
        try:
            yield temporary
            os.replace(temporary, path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
