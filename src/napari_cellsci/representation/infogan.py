"""InfoGAN with the regulariser of Roth: a code that can be read off what is drawn.

A generator draws crops from a uniform code c and noise, a discriminator D must tell
them from real ones, and Q, which shares D's trunk, reads the code off a crop. Q's
density is a Gaussian of fixed width, so that the information a drawn crop keeps of its
code is bounded from below by −½‖c − μ‖² and a constant (Chen et al. 2016, arXiv
1606.03657, eq. 4; Isaksson 2018).

Codes are handed out in units of their standard deviation: ``z = √3·c``, so that they
have mean 0 and variance 1 over the prior, like those of a VAE, and lie within ±√3.
"""

from __future__ import annotations

import math
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from napari_cellsci.representation.config import EncoderConfig
from napari_cellsci.representation.dcgan import LEAK, Generator, down, new_weights
from napari_cellsci.representation.layers import CropEncoder, Network, bottom
from napari_cellsci.representation.pixels import USUAL, Bounds, Scale

REACH = math.sqrt(3.0)
"""Codes lie between −REACH and REACH."""
UNREAD = 1 / 3
"""Mean squared error of a code of which nothing is read: its variance."""


class CodeReader(CropEncoder):
    """Q: what code a crop would have been drawn from, and with what error that is read.

    Parameters
    ----------
    config : EncoderConfig
    channels, size : int
    bounds : tuple
        Of normalised pixels, which enter the trunk as −1 … 1.
    """

    error: Tensor

    def __init__(
        self, config: EncoderConfig, channels: int, size: int, bounds: Bounds
    ) -> None:
        super().__init__()
        self.scale = Scale(bounds)
        self.width = config.filters[-1] * bottom(size) ** 2
        self.trunk = down(channels, config.filters)
        self.head = nn.Sequential(
            nn.Linear(self.width, config.hidden),
            nn.LeakyReLU(LEAK),
            nn.Dropout(config.dropout),
            nn.Linear(config.hidden, config.latent),
        )
        self.register_buffer("error", torch.full((config.latent,), UNREAD))

    def features(self, x: Tensor) -> Tensor:
        """Return the flat features (n, width) of normalised crops."""
        return cast(Tensor, self.trunk(2 * self.scale.to_unit(x) - 1))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return the code (n, latent) and the log-variance of its error."""
        mu = self.mu(x)
        return mu, self.logvar.expand_as(mu)

    @property
    def logvar(self) -> Tensor:
        """Log of the squared error (D,) with which codes of drawn crops are read."""
        return (self.error.clamp(1e-4, UNREAD) * REACH**2).log()

    def mu(self, x: Tensor) -> Tensor:
        """Return the code (n, latent)."""
        return cast(Tensor, self.head(self.features(x)) * REACH)


class InfoGAN(Network):
    """Generator, discriminator and Q.

    Parameters
    ----------
    config : EncoderConfig
    channels, size : int
        Of the crops.
    bounds : tuple
        Of normalised pixels; see `pixels.pixel_bounds`.
    """

    encoder: CodeReader
    decoder: Generator

    def __init__(
        self,
        config: EncoderConfig,
        channels: int = 1,
        size: int = 64,
        bounds: Bounds = USUAL,
    ) -> None:
        super().__init__()
        self.label_head = None
        self.encoder = CodeReader(config, channels, size, bounds)
        self.decoder = Generator(config, channels, size, bounds, REACH)
        self.critic = nn.Linear(self.encoder.width, 1)
        new_weights(self)
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def judge(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Look at normalised crops.

        Returns
        -------
        logits : Tensor (n,)
            φ: positive for what D takes for real.
        code : Tensor (n, latent)
            What Q reads.
        """
        features = self.encoder.features(x)
        return self.critic(features).squeeze(1), self.encoder.head(features) * REACH


def sample_code(n: int, latent: int, generator: torch.Generator) -> Tensor:
    """Draw codes (n, latent), uniform within ±`REACH`."""
    unit = torch.rand((n, latent), generator=generator, dtype=torch.float32)
    return (2 * unit - 1) * REACH


def discriminator_loss(real: Tensor, fake: Tensor) -> Tensor:
    """Return −E log σ(φ_real) − E log(1 − σ(φ_fake)) of logits (n,)."""
    return F.softplus(-real).mean() + F.softplus(fake).mean()


def generator_loss(fake: Tensor) -> Tensor:
    """Return −E log σ(φ_fake): the loss that does not saturate."""
    return F.softplus(-fake).mean()


def code_loss(z: Tensor, read: Tensor) -> Tensor:
    """Return ½‖c − μ‖², the mean over crops, of codes and what was read (n, D)."""
    return 0.5 * ((z - read) / REACH).square().sum(1).mean()


def roth_penalty(
    logits: Tensor, x: Tensor, *, real: bool, unit: Tensor | None = None
) -> Tensor:
    """Return E[w²·‖∇φ‖²], the gradients being taken with respect to each crop.

    w is how wrong D is: ``1 − σ(φ)`` for real crops, ``σ(φ)`` for drawn ones (Roth et
    al. 2017, arXiv 1705.09367, eq. 9). It can be differentiated once more.

    Parameters
    ----------
    logits : Tensor (n,)
        φ(x).
    x : Tensor (n, …)
        What they were computed from; must require gradients.
    real : bool
    unit : Tensor (C, 1, 1), optional
        What counts as one unit of a pixel; 1 by default.
    """
    (slope,) = torch.autograd.grad(logits.sum(), x, create_graph=True)
    if unit is not None:
        slope = slope * unit
    wrong = torch.sigmoid(-logits if real else logits)
    return (wrong.square() * slope.flatten(1).square().sum(1)).mean()


def information_bound(error: Tensor) -> Tensor:
    """Return what is known at least of each uniform code that is read with some error.

    ``H(c) − ½ log(2πe·v)``: the bound for a Gaussian q(c|x) of the best width.

    Parameters
    ----------
    error : Tensor (D,)
        Mean squared errors v of codes within −1 … 1.

    Returns
    -------
    Tensor (D,)
        Nats, 0 or more.
    """
    known = math.log(2) - 0.5 * torch.log(2 * math.pi * math.e * error)
    return known.clamp(min=0)
