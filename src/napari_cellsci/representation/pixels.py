"""Pixels between the bounds of their normalisation, and as shares of that range.

Decoders give normalised crops, whatever their likelihood. One of Bernoulli pixels ends
in a logistic function between the bounds of the normalisation: ``±clip`` for z-scores,
since these are clipped there, 0 and 1 for steps that end in a fixed map to the unit
interval. Nothing is stretched by what a batch happens to hold.
"""

from __future__ import annotations

import math
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from napari_cellsci.cells.spec import CropSpec
from napari_cellsci.errors import InputError
from napari_cellsci.representation.config import Pixels

Bounds = tuple[tuple[float, float], ...]
"""Least and greatest value of a normalised pixel, for all channels or for each."""
USUAL: Bounds = ((-4.0, 4.0),)


def pixel_bounds(spec: CropSpec) -> Bounds:
    """Return the bounds of normalised pixels of each channel; they may be infinite."""
    return spec.limits


class Scale(nn.Module):
    """The map from normalised pixels to 0 … 1 and back; has no weights.

    Raises
    ------
    InputError
        If the pixels of a channel have no bounds.
    """

    low: Tensor
    width: Tensor

    def __init__(self, bounds: Bounds) -> None:
        super().__init__()
        if not all(math.isfinite(end) for channel in bounds for end in channel):
            raise InputError(
                "Bernoulli pixels and InfoGANs need crops whose normalised pixels have "
                "bounds: end the steps of every channel in clip or unit."
            )
        low, high = torch.tensor(bounds).T[:, :, None, None]
        self.register_buffer("low", low.clone(), persistent=False)
        self.register_buffer("width", high - low, persistent=False)

    def to_unit(self, x: Tensor) -> Tensor:
        """Map normalised pixels to 0 … 1."""
        return ((x - self.low) / self.width).clamp(0, 1)

    def forward(self, unit: Tensor) -> Tensor:
        """Map 0 … 1 to normalised pixels."""
        return self.low + self.width * unit


class Output(nn.Module):
    """What makes normalised pixels of a decoder's last numbers; has no weights.

    Parameters
    ----------
    pixels : {"gaussian", "bernoulli"}
        With "gaussian" the numbers are the pixels, with "bernoulli" their logits.
    bounds : tuple
        See `pixel_bounds`.
    """

    def __init__(self, pixels: Pixels, bounds: Bounds) -> None:
        super().__init__()
        self.scale = Scale(bounds) if pixels == "bernoulli" else None

    def forward(self, raw: Tensor) -> Tensor:
        """Return normalised pixels."""
        if self.scale is None:
            return raw
        return cast(Tensor, self.scale(torch.sigmoid(raw)))


def bernoulli_error(
    unit: Tensor, logits: Tensor, weights: Tensor | None = None
) -> Tensor:
    """Return the binary cross-entropy Σ w·H(x, x̂) of crops, their mean (nats).

    Parameters
    ----------
    unit : Tensor (n, C, S, S)
        Crops as shares of the range of their pixels; see `Scale.to_unit`.
    logits : Tensor (n, C, S, S)
        Of their reconstructions.
    weights : Tensor (S, S), optional
        What each pixel counts; see `losses.focus_weights`.
    """
    each = F.binary_cross_entropy_with_logits(logits, unit, reduction="none")
    return (each if weights is None else each * weights).sum() / len(unit)
