"""Wider networks begin as the same function."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from napari_cellsci.cells.spec import CropSpec
from napari_cellsci.errors import InputError
from napari_cellsci.representation.config import EncoderConfig
from napari_cellsci.representation.encoder import Encoder
from napari_cellsci.representation.networks import new_network
from napari_cellsci.representation.widening import widened

NARROW, WIDE = (4, 6, 8, 10), (8, 9, 8, 10)


def encoder_of(**settings: object) -> Encoder:
    config = EncoderConfig(latent=5, filters=NARROW, hidden=16, **settings)
    spec = CropSpec(size=32, fov_px=32, channels=(0, 1))
    return Encoder(spec, config, new_network(config, 2, 32))


@pytest.mark.parametrize("decoder", ["convtranspose", "upsample"])
def test_without_noise_nothing_changes(decoder: str) -> None:
    narrow = encoder_of(decoder=decoder)
    wide = widened(narrow, WIDE, noise=0)
    assert wide.config.filters == WIDE
    x = torch.randn(6, 2, 32, 32)
    z = np.random.default_rng(0).normal(size=(6, 5))
    with torch.no_grad():
        before, after = (one.network.encoder(x) for one in (narrow, wide))
    for one, other in zip(before, after, strict=True):
        torch.testing.assert_close(one, other, atol=1e-6, rtol=1e-5)
    np.testing.assert_allclose(narrow.decode(z), wide.decode(z), atol=1e-6)


def test_noise_sets_copies_apart_and_is_that_of_the_seed() -> None:
    narrow = encoder_of()
    same, again = widened(narrow, WIDE, seed=3), widened(narrow, WIDE, seed=3)
    assert same.hash == again.hash != widened(narrow, WIDE, seed=4).hash
    kernels = same.network.encoder.body[0].weight.detach().flatten(1)
    assert torch.cdist(kernels, kernels).fill_diagonal_(1).min() > 0


@pytest.mark.parametrize("filters", [(2, 6, 8, 10), (8, 8, 8, 12), (8, 8, 10)])
def test_filters_that_cannot_be_reached_are_refused(filters: tuple[int, ...]) -> None:
    with pytest.raises(InputError, match="can be widened"):
        widened(encoder_of(), filters)
