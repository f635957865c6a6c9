"""Crops of images of single cells: each from its own image, whatever its size."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from napari_cellsci.cells._cutter import Cutter, fill_values
from napari_cellsci.cells._resample import sampling
from napari_cellsci.cells.crops import crop_dtype
from napari_cellsci.cells.sizing import Sizing, apply_sizing
from napari_cellsci.cells.spec import CropSpec
from napari_cellsci.tasks import CancelToken, OnEvent, Progress, ignore

Pixels = NDArray[Any]
GAP = 2
"""Dark lines between the tiles of a sheet (px)."""
ASPECT = 1.6
"""Width of a sheet in its heights: about that of a canvas."""


class ImageSource(Protocol):
    """What cropping needs to know of images; `napari_cellsci.io.images` has one."""

    @property
    def name(self) -> str:
        """Name for messages."""

    @property
    def n_channels(self) -> int:
        """Number of channels."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the pixels."""

    @property
    def pixel_size(self) -> float | None:
        """µm per pixel, None when it is not known."""

    def __len__(self) -> int:
        """Return the number of images."""

    def image(self, row: int) -> Pixels:
        """Read an image (C, H, W)."""


@dataclass(frozen=True)
class Sheet:
    """Where the images of a set lie when they are shown side by side.

    Parameters
    ----------
    count : int
        Number of images.
    edge : int
        Edge of a tile (px): what a crop shows.
    """

    count: int
    edge: int

    @property
    def columns(self) -> int:
        """Tiles in a row."""
        return min(self.count, int(np.ceil(np.sqrt(self.count * ASPECT))))

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width (px)."""
        pitch = self.edge + GAP
        rows = -(-self.count // self.columns)
        return rows * pitch - GAP, self.columns * pitch - GAP

    def corners(self) -> NDArray[np.int64]:
        """Return the first pixel of each tile (n, 2)."""
        number = np.arange(self.count)
        both = np.stack([number // self.columns, number % self.columns], axis=1)
        corners: NDArray[np.int64] = both * (self.edge + GAP)
        return corners

    def centres(self) -> NDArray[np.int64]:
        """Return the pixel a crop is cut around in each tile (n, 2)."""
        return self.corners() + self.edge // 2


def sheet_of(images: ImageSource, spec: CropSpec) -> Sheet:
    """Return the sheet on which tiles show what crops of `spec` show."""
    return Sheet(
        len(images), sampling(spec.window(images.pixel_size), spec.size).extent
    )


def crop_image(
    image: Pixels,
    spec: CropSpec,
    pixel_size: float | None,
    channels: Sequence[int] | None = None,
) -> Pixels:
    """Cut the crop of one image: a window around its centre, brought to size.

    What lies beyond the image follows the `sizing` of the specification, and the mean
    of its edges where that has none. A field of view in µm, or one wider than the crop,
    is resampled as it is for movies.

    Parameters
    ----------
    image : array (C, H, W)
    spec : CropSpec
        What is cut.
    pixel_size : float or None
        µm per pixel; None when it is not known.
    channels : sequence of int, optional
        Which to take; those of the specification by default.

    Returns
    -------
    array (C, size, size) of `cells.crops.crop_dtype`
    """
    cutter = Cutter(spec, pixel_size)
    chosen = spec.channels if channels is None else tuple(channels)
    window = _window(image, spec, cutter.plan.extent, chosen)
    shape = (1, len(chosen), spec.size, spec.size)
    out = np.empty(shape, crop_dtype(window.dtype, spec, pixel_size))
    middle = np.full((1, 2), float(cutter.plan.before))
    cutter.cut(window, fill_values(window), middle, out)
    crop: Pixels = out[0]
    return crop


def crop_images(
    images: ImageSource,
    spec: CropSpec,
    *,
    out: Pixels,
    sheet: Pixels | None = None,
    on_event: OnEvent = ignore,
    token: CancelToken | None = None,
) -> None:
    """Cut every image of a set, reading each once.

    Parameters
    ----------
    images : ImageSource
    spec : CropSpec
        What is cut.
    out : array (n, C, size, size)
        Where the crops go, usually a memory map.
    sheet : array (all channels, Y, X), optional
        Where the images are shown side by side; see `sheet_of`.
    on_event, token
        Listener and cancel token.

    Raises
    ------
    InputError
        If an image cannot be read.
    Cancelled
        If the token asks for it; `out` is then incomplete.
    """
    token = token or CancelToken()
    laid = sheet_of(images, spec)
    corners, every = laid.corners().tolist(), tuple(range(images.n_channels))
    for row, (y, x) in enumerate(corners):
        token.raise_if_cancelled()
        image = images.image(row)
        out[row] = crop_image(image, spec, images.pixel_size)
        if sheet is not None:
            tile = _window(image, spec, laid.edge, every)
            sheet[:, y : y + laid.edge, x : x + laid.edge] = tile
        on_event(Progress("Cutting crops", row + 1, len(corners)))


def _window(
    image: Pixels, spec: CropSpec, edge: int, channels: Sequence[int]
) -> Pixels:
    """Return edge × edge px around the centre of some channels of an image."""
    ways = dict(zip(spec.channels, spec.sizing, strict=True)) if spec.sizing else {}
    spare = next(iter(ways.values()), Sizing(how="mean"))
    return apply_sizing(
        image[list(channels)], edge, [ways.get(each, spare) for each in channels]
    )
