"""Images of cells of any size on one square canvas: padding, centre crop, scaling."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray

from napari_cellsci.errors import InputError

How: TypeAlias = Literal["noise", "constant", "mean", "resize"]
HOWS: tuple[How, ...] = get_args(How)
SENSOR_FLOOR = 20.0
"""Grey level around fluorescent cells where nothing was imaged (Isaksson 2018)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizing:
    """How one channel of an image of a cell is brought to the size of a crop.

    Parameters
    ----------
    how : {"noise", "constant", "mean", "resize"}
        What surrounds smaller images: normal noise with the mean and standard
        deviation of the image's four edges; one `value`; the mean of the edges. Larger
        images are cropped around their centre. "resize" scales the longer edge to the
        crop instead, keeps proportions and surrounds with the mean of the edges: cells
        of all sizes then look equally large.
    value : float
        Grey level of "constant".
    seed : int
        Of the noise, which depends on this and the image alone: the same image always
        becomes the same crop.
    """

    how: How = "noise"
    value: float = SENSOR_FLOOR
    seed: int = 0

    def __post_init__(self) -> None:
        if self.how not in HOWS:
            raise InputError(
                f"Images are brought to size by one of {', '.join(HOWS)}, "
                f"not by {self.how!r}."
            )
        if not np.isfinite(self.value):
            raise InputError(f"The padding must be a number, not {self.value}.")
        if self.seed < 0:
            raise InputError(f"The seed must be 0 or more, not {self.seed}.")

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values, without those that do not matter."""
        matter = {"noise": ("how", "seed"), "constant": ("how", "value")}
        values = asdict(self)
        return {name: values[name] for name in matter.get(self.how, ("how",))}

    @property
    def text(self) -> str:
        """How it is written on the command line."""
        told = self.how == "constant" and self.value != SENSOR_FLOOR
        return f"{self.how}:{self.value:g}" if told else self.how


def sizing_text(sizing: Sequence[Sizing]) -> str:
    """Return ways to bring channels to size as the command line reads them."""
    texts = [one.text for one in sizing]
    return texts[0] if len(set(texts)) == 1 else ",".join(texts) or "none"


def sizing_of(sizing: str | Sequence[Sizing] | None) -> tuple[Sizing, ...] | None:
    """Return ways to bring channels to size, read from text if need be."""
    if isinstance(sizing, str):
        return sizing_from_text(sizing)
    return None if sizing is None else tuple(sizing)


def sizing_from_text(text: str) -> tuple[Sizing, ...]:
    """Read one way for all channels or one for each: ``noise,constant:20``.

    Raises
    ------
    InputError
        If a way is unknown or its value is no number.
    """
    found = []
    for part in text.split(","):
        how, _, number = part.strip().lower().partition(":")
        options: dict[str, Any] = {"how": how}
        if number:
            try:
                options["value"] = float(number)
            except ValueError as error:
                raise InputError(f"{part!r} must end in a grey level.") from error
        found.append(Sizing(**options))
    return tuple(found)


def fix_size(
    image: NDArray[Any],
    size: int,
    *,
    how: How | Sequence[How] = "noise",
    value: float = SENSOR_FLOOR,
    seed: int = 0,
) -> NDArray[Any]:
    """Bring an image of any size to size × size px, its centre in the centre.

    Pixel (H // 2, W // 2) comes to (size // 2, size // 2), and no pixel of the image
    that is kept changes, unless it is resized. Source: Isaksson 2018, preprocessing of
    images of single cells.

    Parameters
    ----------
    image : array (C, H, W)
        Of any real type; at least one pixel.
    size : int
        Edge of the result (px).
    how : str or sequence of str
        As in `Sizing`, for all channels or for each.
    value : float
        Grey level of "constant".
    seed : int
        Of the noise.

    Returns
    -------
    array (C, size, size)
        Of the image's type; integers are rounded and kept within their range.

    Raises
    ------
    InputError
        If the image has no pixel or another number of axes, or `how` is unknown.
    """
    if image.ndim != 3 or not image.size:
        raise InputError(
            f"An image of shape (channels, height, width) is expected, "
            f"not {tuple(image.shape)}."
        )
    each = [how] * len(image) if isinstance(how, str) else list(how)
    return apply_sizing(
        image, size, [Sizing(how=one, value=value, seed=seed) for one in each]
    )


def apply_sizing(
    image: NDArray[Any], size: int, sizing: Sequence[Sizing]
) -> NDArray[Any]:
    """Bring each channel of an image (C, H, W) to size × size px by its own `Sizing`.

    Raises
    ------
    InputError
        If there is not one `Sizing` per channel.
    """
    if len(sizing) != len(image):
        raise InputError(
            f"{len(sizing)} ways to bring channels to size are given for "
            f"{len(image)} channel(s)."
        )
    out = np.empty((len(image), size, size), image.dtype)
    for plane, canvas, how in zip(image, out, sizing, strict=True):
        _fit(plane, canvas, how)
    return out


def border_statistics(plane: NDArray[Any]) -> tuple[float, float]:
    """Return mean and standard deviation of the pixels on the four edges of (H, W)."""
    edge = np.ones(plane.shape, bool)
    edge[1:-1, 1:-1] = False
    pixels = plane[edge].astype(np.float64)
    return float(pixels.mean()), float(pixels.std())


def _fit(plane: NDArray[Any], canvas: NDArray[Any], sizing: Sizing) -> None:
    """Draw a plane (H, W) in the centre of a canvas, and what surrounds it."""
    size = len(canvas)
    if sizing.how == "resize" and max(plane.shape) != size:
        plane = _scaled(plane, size)
    if min(plane.shape) < size:
        canvas[...] = _as(canvas.dtype, _surroundings(plane, canvas.shape, sizing))
    there, here = zip(*(_overlap(edge, size) for edge in plane.shape), strict=True)
    canvas[there] = plane[here]


def _overlap(edge: int, size: int) -> tuple[slice, slice]:
    """Return where an edge lies on the canvas, and which part of it is seen."""
    start = size // 2 - edge // 2
    low, high = max(start, 0), min(start + edge, size)
    return slice(low, high), slice(low - start, high - start)


def _surroundings(
    plane: NDArray[Any], shape: tuple[int, ...], sizing: Sizing
) -> NDArray[np.float64]:
    if sizing.how == "constant":
        return np.full(shape, sizing.value)
    mean, sd = border_statistics(plane)
    if sizing.how != "noise":
        return np.full(shape, mean)
    noise = np.random.default_rng(_entropy(plane, sizing.seed))
    return mean + sd * noise.standard_normal(shape)


def _entropy(plane: NDArray[Any], seed: int) -> list[int]:
    """Return what seeds a plane's noise: its pixels, whatever type holds them."""
    pixels = np.ascontiguousarray(plane, dtype="<f8")
    shape = np.asarray(plane.shape, "<i8").tobytes()
    digest = hashlib.sha256(shape + pixels.tobytes()).digest()
    return [seed, int.from_bytes(digest[:16], "little")]


def _scaled(plane: NDArray[Any], size: int) -> NDArray[Any]:
    """Scale a plane until its longer edge is `size` px, smoothed where it shrinks."""
    from skimage.transform import resize

    factor = size / max(plane.shape)
    shape = tuple(max(1, round(edge * factor)) for edge in plane.shape)
    wide = plane.astype(np.float64)
    shrinks = factor < 1
    return _as(plane.dtype, resize(wide, shape, 1, mode="edge", anti_aliasing=shrinks))


def _as(dtype: np.dtype[Any], values: NDArray[np.float64]) -> NDArray[Any]:
    """Return values as `dtype`; integers are rounded and kept within their range."""
    if dtype.kind == "b":
        return values >= 0.5
    if dtype.kind not in "iu":
        return values.astype(dtype)
    held = np.iinfo(dtype)
    # The largest 64-bit integer is no float: the next one below it is.
    high = held.max if held.bits < 64 else np.nextafter(float(held.max), 0)
    return np.clip(np.rint(values), held.min, high).astype(dtype)
