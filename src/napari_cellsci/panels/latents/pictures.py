"""Decoded crops and effect maps as pictures."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from qtpy.QtGui import QImage

from napari_cellsci.panels._pictures import Limits, to_image, to_pixels


def decoded_images(
    crops: NDArray[Any], limits: Limits, channel: int | None
) -> list[QImage]:
    """Return decoded crops (n, C, S, S) as pictures.

    Parameters
    ----------
    crops : array (n, C, S, S)
    limits : array (C, 2)
    channel : int or None
        One channel in grey, or all in colours.
    """
    if channel is not None:
        crops, limits = crops[:, [channel]], limits[[channel]]
    return [to_image(picture) for picture in to_pixels(crops, limits)]


def effect_image(effect: NDArray[Any], channel: int | None) -> QImage:
    """Return an effect map (C, S, S) as a picture from black (none) to bright."""
    from napari.utils.colormaps import ensure_colormap

    shown = effect.mean(axis=0) if channel is None else effect[channel]
    part = shown / max(float(shown.max()), 1e-12)
    colors = ensure_colormap("magma").map(part.ravel())[:, :3]
    return to_image((colors.reshape(*part.shape, 3) * 255).astype(np.uint8))
