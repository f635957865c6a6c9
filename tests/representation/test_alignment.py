"""Latents turned within their representations, by what the surroundings change."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import ortho_group

from napari_cellsci.cells.spec import CropSpec
from napari_cellsci.representation import alignment
from napari_cellsci.representation.alignment import (
    aligned,
    diagonalise,
    in_place,
    most_kept,
    rotated,
    rotation,
)
from napari_cellsci.representation.config import EncoderConfig
from napari_cellsci.representation.encoder import Encoder
from napari_cellsci.representation.networks import new_network
from napari_cellsci.representation.symmetry import turn_latents

LATENT = 20


def encoder(**settings: Any) -> Encoder:
    config = EncoderConfig.preset(
        "good",
        latent=LATENT,
        filters=(4, 4, 8, 8),
        hidden=16,
        device="cpu",
        **{"symmetry": 1.0, **settings},
    )
    return Encoder(CropSpec(size=32, fov_px=32), config, new_network(config, 1, 32))


def codes(seed: int, n: int = 400) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    after = rng.normal(size=(n, LATENT))
    change = rng.normal(size=(n, LATENT)) @ rng.normal(size=(LATENT, LATENT)) / 4
    before = after + change - (after + change).mean(0)
    return before, after - after.mean(0), rng.uniform(0, 1, LATENT)


@settings(deadline=None, max_examples=20)
@given(seed=st.integers(0, 10_000), size=st.integers(2, 6))
def test_joint_diagonalisation_finds_the_common_axes(seed: int, size: int) -> None:
    rng = np.random.default_rng(seed)
    axes = ortho_group.rvs(size, random_state=rng)
    first = np.arange(1.0, size + 1)
    spectra = (first, rng.permutation(first))
    turned = diagonalise([axes @ np.diag(s) @ axes.T for s in spectra])
    np.testing.assert_allclose(turned.T @ turned, np.eye(size), atol=1e-9)
    same = np.abs(turned.T @ axes)
    np.testing.assert_allclose(np.sort(same, axis=0)[-1], 1, atol=1e-5)


def test_the_direction_that_nothing_around_changes_comes_first() -> None:
    rng = np.random.default_rng(1)
    cell, around = rng.normal(size=(2, 5000))
    angle = np.radians(20)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    before = np.column_stack([cell, around]) @ turn.T
    after = np.column_stack([cell, 0.1 * rng.normal(size=5000)]) @ turn.T
    found = in_place(most_kept(before, after, np.zeros(2)))
    np.testing.assert_allclose(found, turn, atol=0.02)


def test_a_faint_echo_in_an_unused_latent_is_left_there() -> None:
    rng = np.random.default_rng(4)
    cell, around = rng.normal(size=(2, 5000))
    before = np.column_stack([cell, around, 0.2 * cell])
    after = np.column_stack([cell, 0.1 * around, 0.2 * cell])
    noise = np.array([0.05, 0.05, 0.95])
    found = in_place(most_kept(before, after, noise))
    np.testing.assert_allclose(found, np.eye(3), atol=0.06)
    # Of the means alone, every mixture of the cell and its echo outlasts all.
    assert abs(in_place(most_kept(before, after, np.zeros(3)))[0, 0]) < 0.99


@pytest.mark.parametrize("seed", range(3))
def test_turned_latents_keep_their_representations(seed: int) -> None:
    turned = rotation(*codes(seed))
    np.testing.assert_allclose(turned.T @ turned, np.eye(LATENT), atol=1e-9)
    assert not np.allclose(turned, np.eye(LATENT), atol=0.01)
    z = torch.from_numpy(np.random.default_rng(seed).normal(size=(8, LATENT)))
    matrix = torch.from_numpy(turned)
    views = torch.arange(8)
    torch.testing.assert_close(
        turn_latents(z, views) @ matrix, turn_latents(z @ matrix, views)
    )


def test_weights_take_the_rotation() -> None:
    turned = rotation(*codes(5))
    before = encoder()
    after = rotated(before, turned)
    rng = np.random.default_rng(2)
    crops = rng.integers(0, 1000, (6, 1, 32, 32)).astype(np.uint16)
    expected = before.encode(crops) @ turned
    np.testing.assert_allclose(after.encode(crops), expected, atol=2e-5)
    z = rng.normal(size=(5, LATENT)).astype(np.float32)
    np.testing.assert_allclose(
        after.decode((z @ turned).astype(np.float32)), before.decode(z), atol=2e-5
    )
    assert after.hash != before.hash


def with_neighbours(n: int) -> np.ndarray:
    """Discs in the middle, and smaller ones beside them."""
    rng = np.random.default_rng(3)
    y, x = np.mgrid[:32, :32]
    pictures = rng.normal(0, 5, (n, 1, 32, 32)) + 100
    for picture in pictures[:, 0]:
        radius, side = rng.uniform(4, 6), rng.uniform(0, 2 * np.pi)
        picture[(y - 16) ** 2 + (x - 16) ** 2 < radius**2] += 200
        away = 16 + 13 * np.cos(side), 16 + 13 * np.sin(side)
        picture[(y - away[0]) ** 2 + (x - away[1]) ** 2 < 9] += 200
    return pictures.astype(np.uint16)


def test_crops_with_neighbours_turn_the_latents(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(alignment, "_ACTIVE", 0.0)
    before = encoder()
    after = aligned(before, with_neighbours(alignment.LEAST + 20))
    assert after is not before
    assert after.hash != before.hash


@pytest.mark.parametrize(
    ("settings", "n"),
    [
        ({"symmetry": 0.0}, 240),
        ({"symmetry": 1.0, "quantise": 5}, 240),
        ({"symmetry": 1.0}, alignment.LEAST // 2),
    ],
)
def test_nothing_is_turned_without_need(settings: dict[str, Any], n: int) -> None:
    before = encoder(**settings)
    assert aligned(before, with_neighbours(n)) is before
    blank = np.full((n, 1, 32, 32), 7, np.uint16)
    assert aligned(before, blank) is before
