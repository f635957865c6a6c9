"""Which axis of an array counts images, which is the channel, which are y and x."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_cellsci.errors import InputError
from napari_cellsci.io._lazy import ArrayLike
from napari_cellsci.io._raw import RawStack, sizes

Pixels = NDArray[Any]
MOST_LAST = 4
"""A nameless last axis of up to this length is taken for channels (RGB, RGBA)."""
MOST_CHANNELS = 16
"""A nameless first axis of a file among others is channels up to this length."""


@dataclass(frozen=True)
class Pages:
    """The images of one array, read one at a time.

    Parameters
    ----------
    count : int
    read : callable
        Takes the number of an image, returns it as (C, H, W).
    """

    count: int
    read: Callable[[int], Pixels]


def pages_of(raw: RawStack, axes: str | None, name: str, *, single: bool) -> Pages:
    """Divide an array into images.

    Parameters
    ----------
    raw : RawStack
        The array, and what its file says of its axes.
    axes : str, optional
        A letter per axis as the user names them: N counts images, C channels, Y, X.
    name : str
        What to call the array in a refusal.
    single : bool
        Whether the file is one image among others, so that a nameless third axis holds
        its channels.

    Raises
    ------
    InputError
        If the axes are not those of images.
    """
    data = raw.data
    if np.dtype(data.dtype).kind not in "uifb":
        raise InputError(
            f"{name} holds {np.dtype(data.dtype)} values: convert it to integers or "
            "floats, for example uint16."
        )
    if 0 in data.shape:
        raise InputError(f"{name} is empty ({sizes(data.shape)}): choose another file.")
    if axes is not None:
        letters = _given(axes, data.shape, name)
    else:
        letters = _found(raw, name, single)
    return _divided(data, letters, raw.axes is not None and raw.axes.endswith("S"))


def _given(axes: str, shape: Sequence[int], name: str) -> str:
    letters = axes.upper().replace("T", "N").replace("S", "C")
    once = len(set(letters)) == len(letters)
    if not once or not {*"YX"} <= {*letters} <= {*"NCYX"}:
        raise InputError(
            f"axes={axes!r} must name Y and X once, and N (images) and C (channels) at "
            "most once."
        )
    if len(letters) != len(shape):
        raise InputError(
            f"axes={axes!r} names {len(letters)} axes, but {name} has {len(shape)} "
            f"({sizes(shape)}): name them all."
        )
    return letters


def _found(raw: RawStack, name: str, single: bool) -> str:
    """Return N, C, Y or X for every axis, from metadata where they tell."""
    shape, said = raw.data.shape, (raw.axes or "").upper()
    if not {*"YX"} <= {*said} or _nameless(said):
        return _guessed(shape, name, single, colour=said.endswith("S"))
    letters = said.replace("S", "C")
    if letters.count("C") > 1:
        raise InputError(
            f"{name} has both channels and colours ({sizes(shape)}): save it as grey "
            "channels, or name its axes with axes=, for example axes='NCYX'."
        )
    crowd = "C" in letters and shape[letters.index("C")] > MOST_CHANNELS
    if crowd and not raw.c_is_certain:  # pages that a program has called channels
        letters = letters.replace("C", "N")
    if single and any(
        length > 1
        for letter, length in zip(letters, shape, strict=True)
        if letter not in "CYX"
    ):
        raise InputError(_several(name, shape))
    return "".join(letter if letter in "CYX" else "N" for letter in letters)


def _nameless(said: str) -> bool:
    lead = said.removesuffix("S").removesuffix("YX")
    return bool(lead) and not set(lead) & {*"TCZYX"}


def _guessed(shape: Sequence[int], name: str, single: bool, colour: bool) -> str:
    last = colour or _channels_last(shape)
    lead = len(shape) - (3 if last else 2)
    tail = "YXC" if last else "YX"
    if lead == 0:
        return tail
    if lead == 1 and not last and single:
        if shape[0] > MOST_CHANNELS:
            raise InputError(_several(name, shape))
        return "C" + tail
    if lead == 1 and not (single and shape[0] > 1):
        return "N" + tail
    if lead == 2 and not last and not (single and shape[0] > 1):
        return "NC" + tail
    if single:
        raise InputError(_several(name, shape))
    raise InputError(
        f"{name} has {len(shape)} axes ({sizes(shape)}) that are not those of images: "
        "save it as images, channels, y, x, or name its axes with axes=, for example "
        "axes='NCYX'."
    )


def _channels_last(shape: Sequence[int]) -> bool:
    if len(shape) == 3:
        return shape[-1] in (3, 4) and min(shape[:2]) > MOST_CHANNELS
    return len(shape) == 4 and shape[-1] <= MOST_LAST and shape[1] > shape[-1]


def _several(name: str, shape: Sequence[int]) -> str:
    return (
        f"{name} holds several images ({sizes(shape)}): if each is a cell, give that "
        "file by itself, or name the axes with axes=, for example axes='NYX'."
    )


def _divided(data: ArrayLike, letters: str, colour: bool) -> Pages:
    counted = [i for i, letter in enumerate(letters) if letter == "N"]
    lengths = tuple(data.shape[i] for i in counted)
    kept = "".join(letter for letter in letters if letter != "N")

    def read(number: int) -> Pixels:
        index: list[Any] = [slice(None)] * len(letters)
        for axis, place in zip(counted, np.unravel_index(number, lengths), strict=True):
            index[axis] = int(place)
        image = np.asarray(data[tuple(index)])
        if "C" not in kept:
            image = image[np.newaxis]
            return image if kept == "YX" else image.transpose(0, 2, 1)
        image = image.transpose([kept.index(letter) for letter in "CYX"])
        return image[:3] if colour and len(image) == 4 else image  # without alpha

    return Pages(math.prod(lengths), read)
