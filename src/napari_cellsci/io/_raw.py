"""What a file says about the stack in it, before the axes are put in order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from napari_cellsci.errors import InputError
from napari_cellsci.io._lazy import ArrayLike


@dataclass(frozen=True)
class RawStack:
    """A stack as its file holds it.

    Parameters
    ----------
    data : array-like
        The stack, unread.
    axes : str or None
        A letter per axis as far as metadata tell: T, C, Z, Y, X, "S" for colour
        samples, any other letter for an axis without a meaning; None says nothing.
    pixel_size, frame_interval : float or None
        µm and seconds, where units or metadata say so.
    channel_names : tuple of str
        Names of the channels, if any.
    c_is_certain : bool
        Whether an axis called C can be trusted to be one when no other is time.
    """

    data: ArrayLike
    axes: str | None = None
    pixel_size: float | None = None
    frame_interval: float | None = None
    channel_names: tuple[str, ...] = ()
    c_is_certain: bool = True


def check_exists(path: Path) -> None:
    """Refuse a path that does not exist or an empty file.

    Raises
    ------
    InputError
        With the path.
    """
    if not path.exists():
        raise InputError(f"There is no file or folder {path}: check the path.")
    if path.is_file() and path.stat().st_size == 0:
        raise InputError(f"The file {path} is empty: copy or export it again.")


def reason(error: BaseException) -> str:
    """Write another library's error on one line, to stand in a sentence."""
    text = " ".join(str(error).split()) or type(error).__name__
    return text.rstrip(".") if len(text) <= 200 else text[:199] + "…"


def sizes(shape: Sequence[int]) -> str:
    """Write a shape for a sentence: ``20 × 700 × 1100``."""
    return " × ".join(str(size) for size in shape)
