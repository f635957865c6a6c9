"""Latents of a few levels: what a quantised encoder does instead of sampling.

Every latent is bounded and rounded to one of a few evenly spaced levels, so the decoder
meets each value again and again and must give it one meaning (latent quantisation, Hsu
et al. 2023, arXiv 2305.18378; rounding to fixed levels as in Mentzer et al. 2023, arXiv
2309.15505). There is no prior and no divergence: the number of latents and of levels
and the decay of the weights are what limits the code.
"""

from __future__ import annotations

import math
from typing import cast

import torch
from torch import Tensor

from napari_cellsci.representation.config import EncoderConfig
from napari_cellsci.representation.losses import Loss, kl_per_latent

SPAN = 3.0
"""Levels lie between −SPAN and SPAN, the range over which latents are traversed."""


def quantise(hidden: Tensor, levels: int) -> Tensor:
    """Round latents to levels; gradients pass as if only the bounding had been done.

    Parameters
    ----------
    hidden : Tensor (n, D)
        Any real numbers.
    levels : int
        How many levels each latent has, at least 2.

    Returns
    -------
    Tensor (n, D)
        Multiples of `spacing` counted from −`SPAN`.
    """
    bounded = SPAN * torch.tanh(hidden / SPAN)
    rounded = _number(bounded, levels) * spacing(levels) - SPAN
    return bounded + (rounded - bounded).detach()


def spacing(levels: int) -> float:
    """Return the distance between two levels."""
    return 2 * SPAN / (levels - 1)


def rounding_logvar(levels: int) -> float:
    """Return log variance of the rounding error, if it is spread evenly."""
    return math.log(spacing(levels) ** 2 / 12)


def level_entropy(mu: Tensor, levels: int) -> Tensor:
    """Return the entropy (D,) of each latent's levels over crops (nats)."""
    number = _number(mu, levels).long()
    counts = torch.zeros((levels, mu.shape[1]), dtype=mu.dtype, device=mu.device)
    counts.scatter_add_(0, number, torch.ones_like(mu))
    return cast(Tensor, torch.special.entr(counts / len(mu)).sum(0))


def information(config: EncoderConfig, mu: Tensor, logvar: Tensor) -> Tensor:
    """Return how much each latent carries over some crops (D,), in nats.

    The mean divergence of its posteriors from the prior, or of a quantised encoder the
    entropy of its levels. Both are at least the mutual information with the crop. Of an
    InfoGAN, ½·log(1 + spread/error): what a Gaussian of this variance over the crops
    tells if it is read with the error Q makes on drawn ones. A code that Q cannot read,
    or that all crops have alike, carries nothing.
    """
    if config.kind == "infogan":
        spread = mu.var(0, correction=0)
        return 0.5 * torch.log1p(spread * torch.exp(-logvar).mean(0))
    if config.quantise:
        return level_entropy(mu, config.quantise)
    return kl_per_latent(mu, logvar).mean(0)


def quantised_loss(error: Tensor, mu: Tensor, levels: int) -> Loss:
    """Return the objective of a quantised encoder: the reconstruction alone.

    ``kl`` is the sum of the entropies of the batch, for information.

    Parameters
    ----------
    error : Tensor
        See `losses.beta_tcvae_loss`.
    mu : Tensor (n, D)
    levels : int
    """
    nats = level_entropy(mu.detach(), levels).sum()
    nothing = torch.zeros_like(nats)
    return Loss(error, error, nats, nothing, nothing, nothing)


def _number(values: Tensor, levels: int) -> Tensor:
    """Return the number of the nearest level, from 0."""
    return torch.round((values + SPAN) / spacing(levels)).clamp(0, levels - 1)
