"""Crops as pictures: contrast, colours of channels, and Qt images."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from qtpy.QtGui import QImage

Limits = NDArray[np.float32]
CHANNEL_COLORS = ((1.0, 0.0, 1.0), (0.0, 1.0, 0.0), (0.0, 1.0, 1.0), (1.0, 1.0, 0.0))
_PERCENTILES = (0.5, 99.7)


def limits_of(crops: NDArray[Any]) -> Limits:
    """Return the display limits of each channel over all crops, (C, 2)."""
    flat = np.asarray(crops, dtype=np.float32)
    flat = flat.transpose(1, 0, 2, 3).reshape(flat.shape[1], -1)
    limits = np.percentile(flat, _PERCENTILES, axis=1).T.astype(np.float32)
    limits[:, 1] = np.where(limits[:, 1] > limits[:, 0], limits[:, 1], limits[:, 0] + 1)
    return limits


def to_pixels(crops: NDArray[Any], limits: Limits | None = None) -> NDArray[np.uint8]:
    """Return crops as grey or coloured pixels.

    Parameters
    ----------
    crops : array (n, C, S, S)
    limits : array (C, 2), optional
        Common display limits; by default each crop has its own.

    Returns
    -------
    array (n, S, S) of grey values for one channel, else (n, S, S, 3)
    """
    values = np.asarray(crops, dtype=np.float32)
    if limits is None:
        low = np.percentile(values, _PERCENTILES[0], axis=(2, 3), keepdims=True)
        high = np.percentile(values, _PERCENTILES[1], axis=(2, 3), keepdims=True)
    else:
        low, high = (limits[:, i].reshape(1, -1, 1, 1) for i in (0, 1))
    span = np.maximum(high - low, 1e-6)
    scaled = np.clip((values - low) / span, 0, 1)
    if scaled.shape[1] == 1:
        return (scaled[:, 0] * 255).astype(np.uint8)
    colors = np.array(CHANNEL_COLORS, np.float32)
    colors = colors[np.arange(scaled.shape[1]) % len(colors)]
    mixed = np.einsum("nchw,ck->nhwk", scaled, colors)
    return (np.clip(mixed, 0, 1) * 255).astype(np.uint8)


def to_image(pixels: NDArray[np.uint8]) -> QImage:
    """Return one picture (S, S) or (S, S, 3) as a Qt image that owns its pixels."""
    pixels = np.ascontiguousarray(pixels)
    height, width = pixels.shape[:2]
    grey = pixels.ndim == 2
    kind = QImage.Format.Format_Grayscale8 if grey else QImage.Format.Format_RGB888
    stride = pixels.strides[0]
    return QImage(pixels.data, width, height, stride, kind).copy()


def sample_rows(n: int, wanted: int) -> Sequence[int]:
    """Return up to `wanted` numbers spread evenly over 0…n−1."""
    return sorted(set(np.linspace(0, n - 1, min(n, wanted)).round().astype(int)))
