"""Which axis of a stack is time, channel, plane, y and x."""

from __future__ import annotations

from napari_cellsci.errors import InputError
from napari_cellsci.io._lazy import ArrayLike, Rearranged
from napari_cellsci.io._raw import RawStack, sizes

ORDER = "TCZYX"
MOST_CHANNELS = 4
"""A nameless second axis of up to this length is taken for channels, else planes."""


def arrange(raw: RawStack, axes: str | None, name: str) -> tuple[ArrayLike, str]:
    """Put the axes of a stack into the order T[C][Z]YX without reading it.

    Parameters
    ----------
    raw : RawStack
        The stack and what its metadata say of its axes.
    axes : str, optional
        The axes as the user names them; wins over metadata.
    name : str
        What to call the stack in a refusal.

    Returns
    -------
    data, axes
        The (lazily) rearranged stack and its axes.

    Raises
    ------
    InputError
        If the axes are not those of a movie.
    """
    data = raw.data
    if axes is not None:
        letters = _check_given(axes, data, name)
        kept = list(range(data.ndim))
    else:
        letters = infer_axes(data.shape, raw.axes, name, raw.c_is_certain)
        kept = [i for i, n in enumerate(data.shape) if n > 1 or letters[i] in "TYX"]
    if 0 in data.shape:
        raise InputError(f"{name} is empty ({sizes(data.shape)}): choose another file.")
    order = sorted(kept, key=lambda axis: ORDER.index(letters[axis]))
    found = "".join(letters[axis] for axis in order)
    if order == list(range(data.ndim)):
        return data, found
    return Rearranged(data, order), found


def _check_given(axes: str, data: ArrayLike, name: str) -> str:
    letters = axes.upper()
    if len(set(letters)) != len(letters) or not {*"TYX"} <= {*letters} <= {*ORDER}:
        raise InputError(
            f"axes={axes!r} must name T, Y and X once, and C and Z at most once."
        )
    if len(letters) != data.ndim:
        raise InputError(
            f"axes={axes!r} names {len(letters)} axes, but {name} has {data.ndim} "
            f"({sizes(data.shape)}): name them all."
        )
    return letters


def infer_axes(
    shape: tuple[int, ...], axes: str | None, name: str, c_is_certain: bool = True
) -> str:
    """Name every axis of a stack with one of T, C, Z, Y, X.

    Metadata decide where they can. Axes without a meaning become time, then, without
    any metadata, follow the habits of array users: a second axis of up to four is
    channels, otherwise planes. A stack of planes without a time axis is a movie saved
    as planes, as ImageJ users know it. Axes of length 1 may get any letter.

    Raises
    ------
    InputError
        If the axes are not those of a movie.
    """
    letters = axes.upper() if axes is not None else None
    if letters is not None and _looks_nameless(shape, letters):
        letters = None
    long = [i for i, size in enumerate(shape) if size > 1]
    if letters is None:
        return _infer_nameless(shape, name)
    if "S" in letters and letters.index("S") in long:
        raise InputError(_colour(name, shape))
    if "Y" not in letters or "X" not in letters:
        raise InputError(_wrong_number(name, shape))
    known = {*ORDER}
    unknown = [i for i in long if letters[i] not in known]
    named = list(letters)
    if "T" not in letters:
        time = _time_axis(letters, long, unknown, c_is_certain)
        if time is None:
            raise InputError(_wrong_number(name, shape))
        named[time] = "T"
        unknown = [i for i in unknown if i != time]
    if unknown:
        first = unknown[0]
        raise InputError(
            f"The axis {letters[first]!r} of {name} ({shape[first]} long) is neither "
            "time, channel nor plane: save one position to a file, or name the axes "
            "with axes=, for example axes='TCYX'."
        )
    return "".join(named)


def _looks_nameless(shape: tuple[int, ...], letters: str) -> bool:
    lead = letters[:-2]
    return (
        letters.endswith("YX")
        and len(lead) > 1
        and not set(lead) & {*ORDER, "S"}
        and len(shape) == len(letters)
    )


def _time_axis(
    letters: str, long: list[int], unknown: list[int], c_is_certain: bool
) -> int | None:
    if unknown:
        return unknown[0]
    for letter in ("Z", "" if c_is_certain else "C"):
        if letter and letter in letters and letters.index(letter) in long:
            return letters.index(letter)
    nameless = [i for i, letter in enumerate(letters) if letter not in "CZYXS"]
    return nameless[0] if nameless else None


def _infer_nameless(shape: tuple[int, ...], name: str) -> str:
    if len(shape) >= 3 and shape[-1] in (3, 4) and shape[-2] > 2 * shape[-1]:
        raise InputError(_colour(name, shape))
    long = [i for i in range(1, len(shape) - 2) if shape[i] > 1]
    if len(shape) < 3 or len(long) > 2:
        raise InputError(_wrong_number(name, shape))
    named = ["T"] + ["_"] * (len(shape) - 3) + ["Y", "X"]
    if len(long) == 1:
        named[long[0]] = "C" if shape[long[0]] <= MOST_CHANNELS else "Z"
    elif len(long) == 2:
        channel, plane = sorted(long, key=lambda axis: shape[axis])
        named[channel], named[plane] = "C", "Z"
    spare = iter(letter for letter in "CZ" if letter not in named)
    return "".join(next(spare, "_") if letter == "_" else letter for letter in named)


def _wrong_number(name: str, shape: tuple[int, ...]) -> str:
    if len(shape) <= 2:
        return (
            f"{name} is a single image ({sizes(shape)}), but a movie has a time axis: "
            "open a stack of frames (t, y, x)."
        )
    return (
        f"{name} has {len(shape)} axes ({sizes(shape)}) that are not those of a movie: "
        "save it as time, [channel], [plane], y, x, or name its axes with axes=, for "
        "example axes='TCYX'."
    )


def _colour(name: str, shape: tuple[int, ...]) -> str:
    return (
        f"{name} holds colour (RGB) samples ({sizes(shape)}), not measured channels: "
        "save the channel to be scored as a grey stack, or, if that axis is another "
        "one, name the axes with axes=, for example axes='TYX'."
    )
