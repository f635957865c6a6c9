"""The representation of D4 on latents, against moments of real turned images."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_cellsci.representation.symmetry import (
    layout,
    permute_variances,
    representation,
    symmetry_loss,
    turn_latents,
)
from napari_cellsci.representation.views import N_VIEWS, compose, dihedral


def moments(images: torch.Tensor) -> torch.Tensor:
    """Code images (n, S, S) by polynomials that follow `layout` by construction."""
    size = images.shape[-1]
    y, x = torch.meshgrid(*[torch.linspace(-1, 1, size).double()] * 2, indexing="ij")
    of = {
        "A1": x**2 + y**2,
        "A2": x * y * (x**2 - y**2),
        "B1": x**2 - y**2,
        "B2": x * y,
        "Ex": x,
        "Ey": y,
    }
    kinds = layout(16)
    return torch.stack([(images * of[kind]).sum((1, 2)) for kind in kinds], 1)


@pytest.mark.parametrize("g", range(N_VIEWS))
def test_moments_of_turned_images_are_turned_moments(g: int) -> None:
    images = torch.from_numpy(np.random.default_rng(0).normal(size=(5, 12, 12)))
    expected = moments(dihedral(images, g))
    turned = turn_latents(moments(images), torch.full((5,), g))
    torch.testing.assert_close(turned, expected)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 7), st.integers(0, 7), st.integers(1, 40))
def test_it_is_a_representation(g: int, h: int, latent: int) -> None:
    z = torch.randn((3, latent), generator=torch.Generator().manual_seed(1))
    at = torch.full((3,), 1)
    twice = turn_latents(turn_latents(z, at * h), at * g)
    torch.testing.assert_close(twice, turn_latents(z, at * compose(g, h)))


@pytest.mark.parametrize("latent", [1, 2, 3, 8, 32, 128])
def test_pairs_are_never_cut(latent: int) -> None:
    kinds = layout(latent)
    assert len(kinds) == latent
    firsts = [d for d, kind in enumerate(kinds) if kind == "Ex"]
    assert [kinds[d + 1] for d in firsts] == ["Ey"] * len(firsts)
    assert kinds.count("Ey") == len(firsts)
    source, sign = representation(latent)
    assert np.array_equal(np.sort(source, axis=1)[0], np.arange(latent))
    assert np.all(np.abs(sign) == 1)


def test_loss_is_zero_for_turned_posteriors_and_equals_torchs_divergence() -> None:
    generator = torch.Generator().manual_seed(2)
    mu, logvar, other_mu, other_logvar = torch.randn((4, 6, 16), generator=generator)
    elements = torch.tensor([0, 1, 3, 5, 6, 7])
    turned = turn_latents(mu, elements)
    variances = permute_variances(logvar, elements)
    exact = symmetry_loss(mu, logvar, turned, variances, elements)
    assert float(exact) == pytest.approx(0, abs=1e-6)

    p = torch.distributions.Normal(turned, (variances / 2).exp())
    q = torch.distributions.Normal(other_mu, (other_logvar / 2).exp())
    kl = torch.distributions.kl_divergence
    expected = (0.5 * (kl(p, q) + kl(q, p))).sum(1).mean()
    found = symmetry_loss(mu, logvar, other_mu, other_logvar, elements)
    torch.testing.assert_close(found, expected)
