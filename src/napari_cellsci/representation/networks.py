"""Convolutional encoder and decoder of a β-TCVAE (arXiv 2402.03115, supplement)."""

from __future__ import annotations

from itertools import pairwise, repeat
from typing import Any, NamedTuple, cast

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from napari_cellsci.representation.config import Activation, EncoderConfig
from napari_cellsci.representation.dcgan import DCGANDecoder, DCGANEncoder
from napari_cellsci.representation.infogan import InfoGAN
from napari_cellsci.representation.layers import (
    LOGVAR_BOUND,
    CropDecoder,
    CropEncoder,
    Network,
    UpsampledConv2d,
    bottom,
)
from napari_cellsci.representation.pixels import USUAL, Bounds, Output
from napari_cellsci.representation.quantise import quantise, rounding_logvar


class Posterior(NamedTuple):
    """What the network makes of n normalised crops and of m that are only encoded.

    `recon` and `z` are of the n crops; `mu` and `logvar` of all n + m, in this order.
    Of Bernoulli pixels `recon` holds the logits.
    `logits` (n, classes) are those of the label head, if there is one.
    """

    recon: Tensor
    z: Tensor
    mu: Tensor
    logvar: Tensor
    logits: Tensor | None = None


class TCVAE(Network):
    """Encoder and decoder of a variational autoencoder.

    Plain networks have no layer that couples the crops of a batch.

    Parameters
    ----------
    config : EncoderConfig
        Shape, widths, activation and decoder.
    channels : int
        Channels of a crop.
    size : int
        Edge of a crop (px), a multiple of 16.
    classes : int
        Of the label head; 0 for none. It serves training only.
    bounds : tuple
        Of normalised pixels; see `pixels.pixel_bounds`.
    """

    encoder: ConvEncoder | DCGANEncoder
    decoder: ConvDecoder | DCGANDecoder

    def __init__(
        self,
        config: EncoderConfig,
        channels: int = 1,
        size: int = 64,
        classes: int = 0,
        bounds: Bounds = USUAL,
    ) -> None:
        super().__init__()
        self.quantised = bool(config.quantise)
        if config.networks == "dcgan":
            self.encoder = DCGANEncoder(config, channels, size)
            self.decoder = DCGANDecoder(config, channels, size, bounds)
        else:
            self.encoder = ConvEncoder(config, channels, size)
            self.decoder = ConvDecoder(config, channels, size, bounds)
        # Last, so that the other weights are those of a network without it.
        self.label_head = label_head(config, classes) if classes else None
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def forward(self, x: Tensor, noise: Tensor) -> Posterior:
        """Encode, sample and decode.

        Parameters
        ----------
        x : Tensor (n + m, C, S, S)
            Normalised crops; the last m are only encoded.
        noise : Tensor (n, latent)
            Standard normal draws; zeros decode the mean. Not used if quantised.
        """
        mu, logvar = self.encoder(x)
        n = len(noise)
        z = mu[:n]
        if not self.quantised:
            z = z + noise * torch.exp(0.5 * logvar[:n])
        logits = None if self.label_head is None else self.label_head(mu[:n])
        return Posterior(self.decoder.raw(z), z, mu, logvar, logits)


def new_network(
    config: EncoderConfig,
    channels: int,
    size: int,
    classes: int = 0,
    bounds: Bounds = USUAL,
) -> Network:
    """Return untrained networks of a kind, initialised from ``config.seed`` alone.

    The global random state of torch is left as it was.

    Parameters
    ----------
    config : EncoderConfig
    channels, size : int
        Of the crops.
    classes : int
        Of the label head; 0 for none.
    bounds : tuple
        Of normalised pixels; see `pixels.pixel_bounds`.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        if config.kind == "infogan":
            return InfoGAN(config, channels, size, bounds)
        return TCVAE(config, channels, size, classes, bounds)


def label_head(config: EncoderConfig, classes: int) -> nn.Module:
    """Return the small classifier that a joint objective puts on the means."""
    if not config.label_hidden:
        return nn.Linear(config.latent, classes)
    return nn.Sequential(
        nn.Linear(config.latent, config.label_hidden),
        activation(config.activation),
        nn.Linear(config.label_hidden, classes),
    )


class ConvEncoder(CropEncoder):
    """Four 4×4 convolutions of stride 2, a hidden layer, a mean and a log-variance."""

    def __init__(self, config: EncoderConfig, channels: int, size: int) -> None:
        super().__init__()
        edge = bottom(size)
        widths = (channels, *config.filters)
        layers: list[nn.Module] = []
        for before, after in pairwise(widths):
            layers += [nn.Conv2d(before, after, 4, 2, 1), activation(config.activation)]
        layers += [
            nn.Flatten(),
            nn.Linear(config.filters[-1] * edge**2, config.hidden),
            activation(config.activation),
        ]
        self.body = nn.Sequential(*layers)
        self.levels = config.quantise
        self.mean = nn.Linear(config.hidden, config.latent)
        self.logvar = None if self.levels else nn.Linear(config.hidden, config.latent)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean and log-variance of the posterior, both (n, latent).

        Of quantised latents: their levels, and the variance of the rounding.
        """
        hidden = self.body(x)
        mean = self._mean(hidden)
        if self.logvar is None:
            return mean, torch.full_like(mean, rounding_logvar(self.levels))
        return mean, self.logvar(hidden).clamp(-LOGVAR_BOUND, LOGVAR_BOUND)

    def mu(self, x: Tensor) -> Tensor:
        """Return the posterior mean alone (n, latent)."""
        return self._mean(self.body(x))

    def _mean(self, hidden: Tensor) -> Tensor:
        mean = cast(Tensor, self.mean(hidden))
        return quantise(mean, self.levels) if self.levels else mean


class ConvDecoder(CropDecoder):
    """Two linear layers and four convolutions that each double the image."""

    def __init__(
        self,
        config: EncoderConfig,
        channels: int,
        size: int,
        bounds: Bounds = USUAL,
    ) -> None:
        super().__init__(Output(config.pixels, bounds))
        edge = bottom(size)
        deepest = config.filters[-1]
        layers: list[nn.Module] = [
            nn.Linear(config.latent, config.hidden),
            activation(config.activation),
            nn.Linear(config.hidden, deepest * edge**2),
            activation(config.activation),
            nn.Unflatten(1, (deepest, edge, edge)),
        ]
        widths = (*reversed(config.filters), channels)
        for before, after in pairwise(widths):
            if config.decoder == "upsample":
                layers.append(UpsampledConv2d(before, after))
            else:
                layers.append(nn.ConvTranspose2d(before, after, 4, 2, 1))
            layers.append(activation(config.activation))
        self.body = nn.Sequential(*layers[:-1])


class Mish(nn.Module):
    """x·tanh(softplus(x)), several times faster on a CPU than torch's own."""

    def forward(self, x: Tensor) -> Tensor:
        """Apply element by element."""
        if x.device.type != "cpu":
            return F.mish(x)
        return cast(Tensor, _Mish.apply(x))  # type: ignore[no-untyped-call]


class _Mish(torch.autograd.Function):
    """With w = eˣ and h = w + w²/2, mish(x) = x·t where t = h/(h + 1).

    One exponential instead of three, in pieces that stay in the cache. The slope
    t + x·w(1 + w)/(h + 1)² is made on the way, so that backward is one product.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        last = torch.channels_last if x.ndim == 4 else torch.contiguous_format
        x = x.contiguous(memory_format=last)
        out = torch.empty_like(x)
        slope = torch.empty_like(x) if ctx.needs_input_grad[0] else None
        pieces = [
            _pieces(x),
            _pieces(out),
            repeat(None) if slope is None else _pieces(slope),
        ]
        for piece in zip(*pieces, strict=False):
            _mish(*piece)
        ctx.save_for_backward(slope)
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        (slope,) = ctx.saved_tensors
        return cast(Tensor, grad * slope)


_MISH_CHUNK = 32_768


def _mish(x: Tensor, out: Tensor, slope: Tensor | None) -> None:
    """Write mish(x) and its derivative."""
    w = x.clamp(max=20.0).exp_()
    h = torch.addcmul(w, w, w, value=0.5)
    h1 = h + 1
    t = h.div_(h1)
    torch.mul(x, t, out=out)
    if slope is not None:
        torch.addcmul(w, w, w, out=slope)
        slope.div_(h1).div_(h1).mul_(x).add_(t)


def _pieces(x: Tensor) -> tuple[Tensor, ...]:
    """View a tensor (channels last, if it has channels) as rows that fit a cache."""
    flat = (x.permute(0, 2, 3, 1) if x.ndim == 4 else x).view(-1)
    return torch.split(flat, _MISH_CHUNK)


def activation(name: Activation) -> nn.Module:
    """Return a new activation layer."""
    if name == "mish":
        return Mish()
    return nn.SiLU() if name == "silu" else nn.ReLU()
