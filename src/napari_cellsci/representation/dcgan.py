"""Networks of a DCGAN's shape (Radford et al. 2016, arXiv 1511.06434).

Strided and transposed 4×4 convolutions with batch normalisation, leaky rectifiers on
the way down, plain ones on the way up. Isaksson 2018 uses them for its InfoGAN and its
β-VAE alike. A generator may instead repeat pixels before each convolution.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import cast

import torch
from torch import Tensor, nn

from napari_cellsci.representation.config import EncoderConfig
from napari_cellsci.representation.layers import (
    LOGVAR_BOUND,
    CropDecoder,
    CropEncoder,
    UpsampledConv2d,
    bottom,
)
from napari_cellsci.representation.pixels import Bounds, Output

LEAK = 0.2
_SPREAD = 0.02
"""Standard deviation of new weights, as DCGANs have it."""
_PACE = 10.0
"""How much faster than weights the logarithm of a noise level moves."""


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
    numbers: int,
    channels: int,
    filters: tuple[int, ...],
    edge: int,
    *,
    upsample: bool = False,
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
    upsample : bool
        Nearest up-sampling before 3×3 convolutions instead of transposed ones, whose
        windows overlap unevenly: what a generator draws first is then no lattice.
    """
    widths = (*reversed(filters), channels)
    layers: list[nn.Module] = [
        nn.Linear(numbers, widths[0] * edge**2),
        nn.Unflatten(1, (widths[0], edge, edge)),
    ]
    for place, (before, after) in enumerate(pairwise(widths), 1):
        layers += [nn.BatchNorm2d(before), nn.ReLU()]
        last = place == len(filters)
        if upsample:
            layers.append(UpsampledConv2d(before, after, bias=last))
        else:
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


class Grain(nn.Module):
    """White noise of a strength that is learnt for each channel.

    Independent noise in every pixel is nothing that a network can draw from a few
    numbers, and the first thing by which a discriminator tells real crops.

    Parameters
    ----------
    start : float
        Standard deviation before training, relative to the range of the pixels.
    channels : int
    bounds : tuple
    """

    width: Tensor

    def __init__(self, start: float, channels: int, bounds: Bounds) -> None:
        super().__init__()
        self.level = nn.Parameter(torch.full((channels, 1, 1), math.log(start) / _PACE))
        low, high = torch.tensor(bounds).T[:, :, None, None]
        self.register_buffer("width", high - low, persistent=False)

    @property
    def deviation(self) -> Tensor:
        """Standard deviation (C, 1, 1) in normalised pixels."""
        return self.width * (_PACE * self.level).exp()

    def forward(self, crops: Tensor, normal: Tensor) -> Tensor:
        """Add noise, made of standard normal draws of the shape of the crops."""
        return crops + self.deviation * normal


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
        self.grain = Grain(config.grain, channels, bounds) if config.grain else None
        numbers = config.latent + config.noise
        self.body = up(
            numbers,
            channels,
            config.filters,
            bottom(size),
            upsample=config.decoder == "upsample",
        )

    def raw(self, z: Tensor) -> Tensor:
        """Return the logits drawn for codes (n, latent) without noise."""
        return self._logits(z, z.new_zeros(len(z), self.noise))

    def draw(self, z: Tensor, noise: Tensor) -> Tensor:
        """Return the crops drawn for codes (n, latent) and noise (n, noise)."""
        return cast(Tensor, self.output(self._logits(z, noise)))

    def exposed(self, crops: Tensor, generator: torch.Generator) -> Tensor:
        """Return drawn crops (n, C, S, S) as a camera would have noted them."""
        if self.grain is None:
            return crops
        normal = torch.randn(crops.shape, generator=generator).to(crops.device)
        return cast(Tensor, self.grain(crops, normal))

    def _logits(self, z: Tensor, noise: Tensor) -> Tensor:
        code = (z / self.scale).clamp(-1, 1)
        return cast(Tensor, self.body(torch.cat([code, noise], 1)))
