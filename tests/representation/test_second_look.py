"""A second look at crops: turned, or among the surroundings of others."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_cellsci.representation.losses import (
    COARSE,
    coarse_error,
    reconstruction_error,
)
from napari_cellsci.representation.second_look import (
    EVERY,
    asymmetry,
    exchanged,
    heed,
    look_again,
    middle,
    of_the_cell,
)
from napari_cellsci.representation.symmetry import (
    layout,
    permute_variances,
    turn_latents,
)
from napari_cellsci.representation.views import dihedral


def batch(n: int = 9, size: int = 32) -> torch.Tensor:
    return torch.randn((n, 2, size, size), generator=torch.Generator().manual_seed(n))


def test_the_middle_stays_and_the_surroundings_come_from_another_crop() -> None:
    x = batch()
    mixed = exchanged(x, torch.tensor([1, 5]), torch.tensor([3, 7]))
    torch.testing.assert_close(
        mixed[..., 12:20, 12:20], x[[1, 5], :, 12:20, 12:20], atol=0.02, rtol=0
    )
    for edge in (slice(0, 3), slice(29, 32)):
        torch.testing.assert_close(
            mixed[..., edge], x[[3, 7]][..., edge], atol=0.02, rtol=0
        )


def test_the_middle_has_no_orientation() -> None:
    for g in range(8):
        torch.testing.assert_close(dihedral(middle(64)[None], g)[0], middle(64))


def test_latents_of_elongation_are_meant() -> None:
    kinds = [layout(32)[d] for d in of_the_cell(32)]
    assert set(kinds) == {"B1", "B2"}
    assert of_the_cell(2) == []


@settings(deadline=None, max_examples=20)
@given(n=st.integers(3, 20), symmetric=st.booleans(), surround=st.booleans())
def test_crops_are_looked_at_as_often_as_asked(
    n: int, symmetric: bool, surround: bool
) -> None:
    x = batch(n, 8)
    look = look_again(x, torch.full((n,), 3) if symmetric else None, surround)
    if look is None:
        assert not symmetric
        assert not surround
        return
    assert look.turned.tolist() == (list(range(0, n, EVERY)) if symmetric else [])
    assert look.moved.tolist() == (list(range(1, n, EVERY)) if surround else [])
    assert len(look.crops) == len(look.turned) + len(look.moved)
    for row, crop in zip(look.turned, look.crops, strict=False):
        torch.testing.assert_close(crop, dihedral(x[row], 3))


def test_processes_look_at_what_one_would_have_looked_at() -> None:
    x = batch(10, 8)
    elements = torch.arange(10) % 8
    whole = look_again(x, elements, True)
    late = look_again(x[3:], elements[3:], True, first=3)
    assert whole is not None
    assert late is not None
    assert (late.turned + 3).tolist() == [r for r in whole.turned.tolist() if r >= 3]
    assert (late.moved + 3).tolist() == [r for r in whole.moved.tolist() if r >= 3]


def test_a_second_look_is_free_where_latents_do_as_they_should() -> None:
    latent, n = 32, 12
    x = batch(n)
    elements = torch.arange(n) % 8
    look = look_again(x, elements, True)
    assert look is not None
    z = torch.Generator().manual_seed(0)
    mu, logvar = torch.randn((2, n, latent), generator=z)
    turned = turn_latents(mu[look.turned], look.elements)
    variances = permute_variances(logvar[look.turned], look.elements)
    moved, spread = mu[look.moved].clone(), logvar[look.moved].clone()
    own = of_the_cell(latent)
    others = [d for d in range(latent) if d not in own]
    moved[:, others] += 1  # The rest may say what it likes of the surroundings.
    codes = torch.cat([mu, turned, moved]), torch.cat([logvar, variances, spread])
    assert float(asymmetry(*codes, look)) == pytest.approx(0, abs=1e-6)
    assert float(heed(*codes, look)) == pytest.approx(0, abs=1e-6)
    moved[:, own] += 1
    again = torch.cat([mu, turned, moved])
    expected = (torch.exp(-logvar[look.moved][:, own]) / 2).sum(1).mean()
    assert float(heed(again, codes[1], look)) == pytest.approx(float(expected), 1e-5)


def test_coarse_error_counts_shapes_and_not_noise() -> None:
    x = batch(4, 16)
    flat = reconstruction_error(x, x + 0.5, 0.7)
    torch.testing.assert_close(coarse_error(x, x + 0.5, 0.7), flat)
    y, z = torch.meshgrid(torch.arange(16), torch.arange(16), indexing="ij")
    checks = ((y + z) % 2 * 2 - 1).float()
    assert float(coarse_error(x, x + checks, 0.7)) == pytest.approx(0, abs=1e-8)


@pytest.mark.parametrize("channels", [1, 2])
def test_coarse_error_takes_the_weights_of_the_pixels(channels: int) -> None:
    x = batch(4, 16)[:, :channels]
    weights = torch.rand((channels, 16, 16)) if channels > 1 else torch.rand(16, 16)
    blocks = weights.reshape(-1, 16 // COARSE, COARSE, 16 // COARSE, COARSE)
    expected = 0.5**2 * blocks.mean((2, 4)).sum() * COARSE**2 / 2
    found = coarse_error(x, x + 0.5, 1.0, weights)
    torch.testing.assert_close(found, expected)
