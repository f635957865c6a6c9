"""Networks of a DCGAN's shape (Radford et al. 2016, arXiv 1511.06434).

Strided and transposed 4×4 convolutions with batch normalisation, leaky rectifiers on
the way down, plain ones on the way up. Isaksson 2018 uses them for its InfoGAN and its
β-VAE alike.
"""

from __future__ import annotations

from itertools import pairwise
from typing import cast

import torch
from torch import Tensor, nn

from napari_cellsci.representation.config import EncoderConfig
from napari_cellsci.representation.layers import (
    LOGVAR_BOUND,
    CropDecoder,
    CropEncoder,
    bottom,
)
from napari_cellsci.representation.pixels import Bounds, Output

LEAK = 0.2
_SPREAD = 0.02
"""Standard deviation of new weights, as DCGANs have it."""


def down(channels: int, filters: tuple[int, ...]) -> nn.Sequential:
    """Return four convolutions that each halve the image, and a flat vector.

    No batch normalisation after the first, which sees the pixels.
    """
    layers: list[nn.Module] = []
    for place, (before, after) in enumerate(pairwise((channels, *filters))):
        layers.append(nn.Conv2d(before, after, 4, 2, 1, bias=place == 0))
        if place:
            layers.append(nn.BatchNorm2d(after))
        layers.append(nn.LeakyReLU(LEAK))
    return nn.Sequential(*layers, nn.Flatten())


def up(
    numbers: int, channels: int, filters: tuple[int, ...], edge: int
) -> nn.Sequential:
    """Return what makes the logits or pixels of a crop of some numbers.

    Parameters
    ----------
    numbers : int
        Length of the vector it starts from.
    channels : int
    filters : tuple of int
        Of the way down; used in reverse.
    edge : int
        Of the deepest feature map (px).
    """
    widths = (*reversed(filters), channels)
    layers: list[nn.Module] = [
        nn.Linear(numbers, widths[0] * edge**2),
        nn.Unflatten(1, (widths[0], edge, edge)),
    ]
    for place, (before, after) in enumerate(pairwise(widths), 1):
        layers += [nn.BatchNorm2d(before), nn.ReLU()]
        last = place == len(filters)
        layers.append(nn.ConvTranspose2d(before, after, 4, 2, 1, bias=last))
    return nn.Sequential(*layers)


def new_weights(network: nn.Module) -> None:
    """Draw weights as DCGANs do: narrow Gaussians, scales about 1."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            nn.init.normal_(module.weight, 0.0, _SPREAD)
        elif isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.weight, 1.0, _SPREAD)


class DCGANEncoder(CropEncoder):
    """The way down, a mean and a log-variance."""

    def __init__(self, config: EncoderConfig, channels: int, size: int) -> None:
        super().__init__()
        self.body = down(channels, config.filters)
        width = config.filters[-1] * bottom(size) ** 2
        self.mean = nn.Linear(width, config.latent)
        self.logvar = nn.Linear(width, config.latent)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean and log-variance of the posterior, both (n, latent)."""
        hidden = self.body(x)
        logvar = self.logvar(hidden).clamp(-LOGVAR_BOUND, LOGVAR_BOUND)
        return self.mean(hidden), logvar

    def mu(self, x: Tensor) -> Tensor:
        """Return the posterior mean alone (n, latent)."""
        return cast(Tensor, self.mean(self.body(x)))


class DCGANDecoder(CropDecoder):
    """The way up from a latent."""

    def __init__(
        self, config: EncoderConfig, channels: int, size: int, bounds: Bounds
    ) -> None:
        super().__init__(Output(config.pixels, bounds))
        self.body = up(config.latent, channels, config.filters, bottom(size))


class Generator(CropDecoder):
    """The way up from a code and noise, ending between the bounds of the pixels.

    Parameters
    ----------
    config : EncoderConfig
    channels, size : int
    bounds : tuple
    scale : float
        Codes are this much larger than the numbers that enter the network, which lie
        within −1 … 1; codes beyond are drawn as the nearest within.
    """

    def __init__(
        self,
        config: EncoderConfig,
        channels: int,
        size: int,
        bounds: Bounds,
        scale: float,
    ) -> None:
        super().__init__(Output("bernoulli", bounds))
        self.noise, self.scale = config.noise, scale
        numbers = config.latent + config.noise
        self.body = up(numbers, channels, config.filters, bottom(size))

    def raw(self, z: Tensor) -> Tensor:
        """Return the logits drawn for codes (n, latent) without noise."""
        return self._logits(z, z.new_zeros(len(z), self.noise))

    def draw(self, z: Tensor, noise: Tensor) -> Tensor:
        """Return the crops drawn for codes (n, latent) and noise (n, noise)."""
        return cast(Tensor, self.output(self._logits(z, noise)))

    def _logits(self, z: Tensor, noise: Tensor) -> Tensor:
        code = (z / self.scale).clamp(-1, 1)
        return cast(Tensor, self.body(torch.cat([code, noise], 1)))
