"""How large the crops of a project of images are, and of which channels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from napari_cellsci.cells.sizing import Sizing
from napari_cellsci.cells.spec import CropSpec
from napari_cellsci.cells.steps import Pipeline
from napari_cellsci.errors import InputError
from napari_cellsci.io.images import ImageSet

LARGEST_DEFAULT = 64
"""Width of a crop (px) beyond which larger images are scaled down unless asked."""
USUAL = 0.95
"""Share of the images that fit into a crop whose size nobody chose."""


@dataclass(frozen=True)
class ImageChoice:
    """How the user wants the images of a new project cropped."""

    fov_um: float | None
    fov_px: float | None
    size: int | None
    channels: Sequence[int | str] | None
    sizing: Sequence[Sizing] | None
    steps: tuple[Pipeline, ...] = ()

    def __call__(self, images: ImageSet) -> CropSpec:
        """Return the crop specification for a project whose first images these are.

        Without a size, crops hold nearly all images whole at their own scale where
        that needs at most 64 px; wider windows are scaled down to 64 px.

        Raises
        ------
        InputError
            If there is no such channel.
        """
        size, window = self.size, self.fov_px
        if window is None and self.fov_um is None:
            window = float(size or _whole_tiles(usual_edge(images.table)))
        if size is None:
            size = LARGEST_DEFAULT
            if window is not None:
                size = min(size, _whole_tiles(window))
        return CropSpec(
            size=size,
            fov_um=self.fov_um,
            fov_px=window,
            channels=_channels(images, self.channels),
            sizing=tuple(self.sizing or (Sizing(),)),
            steps=self.steps,
        )


def usual_edge(table: pd.DataFrame) -> int:
    """Return the longer edge (px) that nearly all images of a set stay within."""
    longer = table[["height", "width"]].max(axis=1).to_numpy()
    largest, middle = int(longer.max()), float(np.median(longer))
    if largest <= 2 * middle:
        return largest
    return int(np.quantile(longer, USUAL, method="lower"))


def _whole_tiles(edge: float) -> int:
    """Round up to what encoders take: a multiple of 16 px."""
    return max(16, -(-int(np.ceil(edge)) // 16) * 16)


def _channels(images: ImageSet, wanted: Sequence[int | str] | None) -> tuple[int, ...]:
    if wanted is None:
        return tuple(range(images.n_channels))
    found = []
    for channel in wanted:
        number = int(channel) if str(channel).strip().isdecimal() else -1
        if not 0 <= number < images.n_channels:
            raise InputError(
                f"{images.name} has no channel {channel!r}: its channels are "
                f"{', '.join(map(str, range(images.n_channels)))}."
            )
        found.append(number)
    return tuple(found)
