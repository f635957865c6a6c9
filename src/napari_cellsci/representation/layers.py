"""What every network that turns crops into a code and back is to its users."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from napari_cellsci.errors import InputError
from napari_cellsci.representation.pixels import Output

LOGVAR_BOUND = 10.0
"""log σ² of a posterior stays within ±10, so float32 never overflows."""


class CropEncoder(nn.Module):
    """Normalised crops to latents: a mean and how surely it is known."""

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean and log-variance of the latents of crops, both (n, latent)."""
        raise NotImplementedError

    def mu(self, x: Tensor) -> Tensor:
        """Return the mean alone (n, latent)."""
        return self.forward(x)[0]


class CropDecoder(nn.Module):
    """Latents to normalised crops.

    Parameters
    ----------
    output : Output
        Makes pixels of what `raw` gives.
    """

    body: nn.Sequential

    def __init__(self, output: Output) -> None:
        super().__init__()
        self.output = output

    def raw(self, z: Tensor) -> Tensor:
        """Return what the likelihood is given: pixels, or their logits."""
        return cast(Tensor, self.body(z))

    def forward(self, z: Tensor) -> Tensor:
        """Return normalised crops (n, C, S, S)."""
        return cast(Tensor, self.output(self.raw(z)))


class Network(nn.Module):
    """What an `Encoder` is made of."""

    encoder: CropEncoder
    decoder: CropDecoder
    label_head: nn.Module | None


def bottom(size: int) -> int:
    """Return the edge of the deepest feature map (px).

    Raises
    ------
    InputError
        If the size cannot be halved four times.
    """
    if size < 16 or size % 16:
        raise InputError(f"The crop size must be a multiple of 16 px, not {size}.")
    return size // 16


class UpsampledConv2d(nn.Conv2d):
    """Nearest ×2 up-sampling followed by a 3×3 convolution, computed in one step.

    Every output pixel sees at most 2×2 different input pixels, so the pair of
    operations equals a transposed 4×4 convolution whose kernel holds sums of the 3×3
    weights. That is the same function of the same parameters at a fraction of the cost.
    """

    taps: Tensor

    def __init__(self, before: int, after: int, bias: bool = True) -> None:
        super().__init__(before, after, 3, padding=1, bias=bias)
        # Rows: taps of the transposed kernel; columns: the 3×3 weights they collect.
        taps = torch.tensor([[0.0, 0, 1], [0, 1, 1], [1, 1, 0], [1, 0, 0]])
        self.register_buffer("taps", taps, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Return the doubled image (n, after, 2·H, 2·W)."""
        kernel = torch.einsum("ay,oiyx,bx->ioab", self.taps, self.weight, self.taps)
        return F.conv_transpose2d(x, kernel, self.bias, stride=2, padding=1)
