"""An encoder with wider convolutions that begins as the same function.

Net2Net (arXiv 1511.05641): neurons are doubled, and whoever reads them shares its
weights out among the copies. Training goes on where the narrow networks stopped, and
latents keep the meaning they found there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import torch
from torch import Tensor, nn

from napari_cellsci.errors import InputError
from napari_cellsci.representation.encoder import Encoder
from napari_cellsci.representation.networks import (
    TCVAE,
    new_network,
)

NOISE = 0.05
"""What sets copies apart, in standard deviations of their layer's weights."""


def widened(
    encoder: Encoder, filters: Sequence[int], noise: float = NOISE, seed: int = 0
) -> Encoder:
    """Return an encoder with more filters that does almost the same.

    Parameters
    ----------
    encoder : Encoder
        A β-TCVAE.
    filters : sequence of int
        Channels of the four convolutions; none less than there are, and the last, which
        the linear layers read, as many as there are.
    noise : float
        Standard deviation of what is added to all convolutions' weights, relative to
        that of the weights; 0 leaves the function as it is.
    seed : int
        Of the copies and of the noise.

    Raises
    ------
    InputError
        If the filters do not fit, or the encoder is of another kind.
    """
    before, after = encoder.config.filters, tuple(filters)
    fits = len(after) == len(before) and after[-1] == before[-1]
    if not fits or any(new < old for old, new in zip(before, after, strict=True)):
        raise InputError(
            f"Filters {before} can be widened, the last kept, but not to {after}."
        )
    if not isinstance(encoder.network, TCVAE) or encoder.config.networks != "plain":
        raise InputError("Only a β-TCVAE of plain convolutions can be widened.")
    generator = torch.Generator().manual_seed(seed)
    copies = [
        _copies(old, new, generator) for old, new in zip(before, after, strict=True)
    ]
    network = _with_copies(encoder, after, copies)
    for layer in _convolutions(network):
        weight = layer.weight.data
        noisy = torch.randn(weight.shape, generator=generator)
        weight += noise * weight.std() * noisy
    return Encoder(
        encoder.spec,
        replace(encoder.config, filters=after),
        network,
        encoder.record,
        encoder.reference,
    )


def _copies(old: int, new: int, generator: torch.Generator) -> Tensor:
    """Return which of `old` channels each of `new` copies: all, then some again."""
    again = torch.randint(old, (new - old,), generator=generator)
    return torch.cat([torch.arange(old), again])


def _with_copies(
    encoder: Encoder, filters: tuple[int, ...], copies: Sequence[Tensor]
) -> TCVAE:
    config = replace(encoder.config, filters=filters)
    network = new_network(config, encoder.spec.n_channels, encoder.spec.size)
    assert isinstance(network, TCVAE)
    assert isinstance(encoder.network, TCVAE)
    network.load_state_dict(
        {
            name: tensor
            for name, tensor in encoder.network.state_dict().items()
            if network.state_dict()[name].shape == tensor.shape
        },
        strict=False,
    )
    pixels = torch.arange(encoder.spec.n_channels)
    pairs = (
        (encoder.network.encoder, network.encoder, [pixels, *copies]),
        (encoder.network.decoder, network.decoder, [*reversed(copies), pixels]),
    )
    for narrow, wide, channels in pairs:
        layers = zip(_convolutions(narrow), _convolutions(wide), strict=True)
        for (old, new), (read, written) in zip(layers, pairwise(channels), strict=True):
            _copy(old, new, read, written)
    return network


def _convolutions(module: nn.Module) -> list[nn.Conv2d | nn.ConvTranspose2d]:
    kinds = (nn.Conv2d, nn.ConvTranspose2d)
    return [part for part in module.modules() if isinstance(part, kinds)]


@torch.no_grad()
def _copy(
    old: nn.Conv2d | nn.ConvTranspose2d,
    new: nn.Conv2d | nn.ConvTranspose2d,
    read: Tensor,
    written: Tensor,
) -> None:
    """Fill a layer so that it reads and writes copies of channels (in, out)."""
    transposed = isinstance(old, nn.ConvTranspose2d)
    weight = old.weight if transposed else old.weight.transpose(0, 1)
    share = 1 / torch.bincount(read)[read].to(weight.dtype)
    wide = weight[read][:, written] * share[:, None, None, None]
    new.weight.copy_(wide if transposed else wide.transpose(0, 1))
    assert old.bias is not None
    assert new.bias is not None
    new.bias.copy_(old.bias[written])
