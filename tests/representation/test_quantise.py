"""Quantised latents: their levels, their gradients, and encoders that use them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.stats import entropy

from napari_cellsci.cells.spec import CropSpec
from napari_cellsci.errors import InputError
from napari_cellsci.representation.config import EncoderConfig
from napari_cellsci.representation.encoder import Encoder
from napari_cellsci.representation.losses import reconstruction_error
from napari_cellsci.representation.networks import new_network
from napari_cellsci.representation.quantise import (
    SPAN,
    information,
    level_entropy,
    quantise,
    quantised_loss,
    rounding_logvar,
    spacing,
)
from napari_cellsci.representation.train import train_encoder


@settings(deadline=None, max_examples=30)
@given(st.integers(2, 40), st.integers(0, 1_000))
def test_values_are_rounded_to_the_nearest_of_evenly_spaced_levels(
    levels: int, seed: int
) -> None:
    hidden = 20 * torch.randn((50, 3), generator=torch.Generator().manual_seed(seed))
    found = quantise(hidden, levels).numpy()
    grid = np.linspace(-SPAN, SPAN, levels)
    bounded = SPAN * np.tanh(hidden.numpy() / SPAN)
    distance = np.abs(found[..., None] - grid)
    np.testing.assert_allclose(distance.min(-1), 0, atol=1e-5)
    np.testing.assert_array_less(np.abs(found - bounded), spacing(levels) / 2 + 1e-5)


def test_gradients_are_those_of_the_bounding_alone() -> None:
    hidden = torch.linspace(-6, 6, 31, requires_grad=True)
    quantise(hidden[:, None], 5).sum().backward()
    expected = 1 - torch.tanh(hidden.detach() / SPAN) ** 2
    torch.testing.assert_close(hidden.grad, expected)


def test_entropy_equals_scipys_of_the_counts() -> None:
    rng = np.random.default_rng(0)
    levels = 7
    number = rng.binomial(levels - 1, [0.1, 0.5, 0.0], (500, 3))
    mu = torch.from_numpy(number * spacing(levels) - SPAN).float()
    expected = [entropy(np.bincount(column)) for column in number.T]
    np.testing.assert_allclose(level_entropy(mu, levels), expected, atol=1e-5)
    config = EncoderConfig(quantise=levels)
    np.testing.assert_allclose(information(config, mu, mu), expected, atol=1e-5)


def test_rounding_adds_the_variance_of_a_uniform_error() -> None:
    assert rounding_logvar(4) == pytest.approx(np.log(spacing(4) ** 2 / 12))


def test_noise_has_no_part_in_a_quantised_network() -> None:
    config = EncoderConfig(quantise=5, latent=3)
    network = new_network(config, 1, 32)
    x = torch.randn((4, 1, 32, 32))
    quiet, loud = (network(x, noise) for noise in (torch.zeros(4, 3), torch.ones(4, 3)))
    torch.testing.assert_close(quiet.recon, loud.recon, rtol=0, atol=0)
    torch.testing.assert_close(quiet.z, network.encoder.mu(x), rtol=0, atol=0)


def test_its_objective_looks_where_it_is_told_to() -> None:
    x, recon = torch.randn(
        (2, 5, 1, 16, 16), generator=torch.Generator().manual_seed(0)
    )
    mu = quantise(torch.randn(5, 2), 3)
    corner = torch.zeros(16, 16)
    corner[0, 0] = 256.0
    error = reconstruction_error(x, recon, 1.0, corner)
    loss = quantised_loss(error, mu, 3).loss
    expected = 256 * (x - recon)[:, 0, 0, 0].square().mean() / 2
    torch.testing.assert_close(loss, expected)


@pytest.fixture(scope="module")
def trained(
    crops: NDArray[np.uint16], spec: CropSpec, small: dict[str, Any]
) -> Encoder:
    asked = {"quantise": 6, "weight_decay": 0.01, "steps": 150, "learning_rate": 1e-2}
    return train_encoder(crops, spec, EncoderConfig(**{**small, **asked}))


def test_it_learns_and_its_latents_are_levels(
    trained: Encoder, crops: NDArray[np.uint16]
) -> None:
    history = trained.record["history"]
    assert history[-1]["val_mse"] < 0.9 * history[0]["val_mse"]
    grid = np.linspace(-SPAN, SPAN, 6)
    mu = trained.encode(crops)
    assert np.abs(mu[..., None] - grid).min(-1).max() < 1e-5
    carried = trained.reference["kl"]
    assert np.all((carried > -1e-6) & (carried <= np.log(6) + 1e-6))
    assert trained.record["metrics"]["tc"] == 0
    assert trained.record["metrics"]["active"] == (carried > 0.05).sum()


def test_it_is_saved_and_loaded_like_any_other(
    trained: Encoder, crops: NDArray[np.uint16], tmp_path: Path
) -> None:
    trained.save(tmp_path)
    loaded = Encoder.load(tmp_path)
    np.testing.assert_array_equal(loaded.encode(crops[:9]), trained.encode(crops[:9]))


def test_a_quantised_encoder_is_no_start_for_one_that_samples(
    trained: Encoder, crops: NDArray[np.uint16], spec: CropSpec, small: dict[str, Any]
) -> None:
    with pytest.raises(InputError, match="has quantise 6, these settings 0"):
        train_encoder(crops, spec, EncoderConfig(**small), start_from=trained)


def test_hashes_of_encoders_that_sample_did_not_change() -> None:
    names = ("latent", "filters", "hidden", "activation", "decoder")
    assert tuple(EncoderConfig().architecture) == names
    assert EncoderConfig(quantise=4).architecture["quantise"] == 4


@pytest.mark.parametrize("levels", [1, -3])
def test_one_level_is_no_level(levels: int) -> None:
    with pytest.raises(InputError, match="quantise must be 0 or at least 2"):
        EncoderConfig(quantise=levels)
