"""Pictures of runs as pixels: grey, or one colour per channel."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_cellsci.panels._pictures import CHANNEL_COLORS


def grey_or_colour(crops: Any) -> NDArray[np.uint8]:
    """Return pixels (n, S, S) or (n, S, S, 3) of crops (n, C, S, S) of uint8."""
    values = np.asarray(crops, np.uint8)
    if values.shape[1] == 1:
        return values[:, 0]
    colors = np.array(CHANNEL_COLORS, np.float32)
    colors = colors[np.arange(values.shape[1]) % len(colors)]
    mixed = np.einsum("nchw,ck->nhwk", values.astype(np.float32), colors)
    return np.clip(mixed, 0, 255).astype(np.uint8)
