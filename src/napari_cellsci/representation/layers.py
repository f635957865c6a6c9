"""What every network that turns crops into a code and back is to its users."""

from __future__ import annotations

from typing import cast

from torch import Tensor, nn

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
