"""Objectives of β-VAE and InfoGAN against independent references."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F

from napari_cellsci.cells.spec import CropSpec
from napari_cellsci.errors import InputError
from napari_cellsci.representation.infogan import (
    REACH,
    code_loss,
    discriminator_loss,
    generator_loss,
    information_bound,
    roth_penalty,
    sample_code,
)
from napari_cellsci.representation.losses import (
    beta_tcvae_loss,
    beta_vae_loss,
    focus_weights,
)
from napari_cellsci.representation.pixels import (
    Output,
    Scale,
    bernoulli_error,
    pixel_bounds,
)


def random(*shape: int, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(shape, generator=generator, dtype=torch.float64)


def test_bernoulli_pixels_are_torch_s_cross_entropy() -> None:
    unit, logits = random(5, 2, 8, 8).sigmoid(), random(5, 2, 8, 8, seed=1)
    each = F.binary_cross_entropy(logits.sigmoid(), unit, reduction="sum") / 5
    torch.testing.assert_close(bernoulli_error(unit, logits), each)
    weights = focus_weights(8, 0.5).double()
    by_hand = -(unit * logits.sigmoid().log() + (1 - unit) * (-logits).sigmoid().log())
    expected = (by_hand * weights).sum((1, 2, 3)).mean()
    torch.testing.assert_close(bernoulli_error(unit, logits, weights), expected)


def test_pixels_go_to_the_unit_interval_and_back() -> None:
    spec = CropSpec(size=16, fov_px=16, channels=(0, 1), clip=3.0)
    scale = Scale(pixel_bounds(spec))
    x = torch.linspace(-3, 3, 7).expand(2, 7, 7)[None]
    torch.testing.assert_close(scale.to_unit(x)[0, 0, 0], (x[0, 0, 0] + 3) / 6)
    torch.testing.assert_close(scale(scale.to_unit(x)), x)
    apart = Scale(((-4.0, 4.0), (0.0, 1.0)))
    assert apart.to_unit(torch.ones(1, 2, 1, 1)).flatten().tolist() == [0.625, 1.0]
    assert not apart.state_dict()
    logits = torch.tensor([0.0]).expand(1, 2, 1, 1)
    assert Output("bernoulli", ((-4, 4), (0, 1)))(logits).flatten().tolist() == [0, 0.5]
    with pytest.raises(InputError, match="whose normalised pixels have bounds"):
        Scale(((-math.inf, 1.0),))


@given(beta=st.floats(0, 50))
@settings(deadline=None, max_examples=10)
def test_the_beta_vae_is_a_special_case(beta: float) -> None:
    z, mu, logvar = random(3, 6, 4)
    error = torch.tensor(3.5, dtype=torch.float64)
    loss = beta_vae_loss(error, mu, logvar, beta)
    posterior = torch.distributions.Normal(mu, (logvar / 2).exp())
    prior = torch.distributions.Normal(0.0, 1.0)
    kl = torch.distributions.kl_divergence(posterior, prior).sum(1).mean()
    torch.testing.assert_close(loss.loss, error + beta * kl)
    weights = {"alpha": beta, "beta": beta, "gamma": beta}
    general = beta_tcvae_loss(error, z, mu, logvar, n_data=50, **weights)
    torch.testing.assert_close(loss.loss, general.loss)


def critic() -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(5)
        net = nn.Sequential(
            nn.Conv2d(2, 3, 3), nn.Tanh(), nn.Flatten(), nn.Linear(3 * 4, 1)
        )
    return net.double()


@pytest.mark.parametrize("real", [True, False])
def test_the_gradient_penalty_against_differences(real: bool) -> None:
    net, x = critic(), random(4, 2, 4, 4)
    y = x.clone().requires_grad_()
    penalty = roth_penalty(net(y).squeeze(1), y, real=real)
    step, slopes = 1e-5, torch.zeros(4, 32, dtype=torch.float64)
    with torch.no_grad():
        logits = net(x).squeeze(1)
        for place in range(32):
            e = torch.zeros(32, dtype=torch.float64)
            e[place] = step
            moved = [net(x + sign * e.view(2, 4, 4)).squeeze(1) for sign in (1, -1)]
            slopes[:, place] = (moved[0] - moved[1]) / (2 * step)
    sure = logits.sigmoid()
    wrong = 1 - sure if real else sure
    expected = (wrong**2 * slopes.square().sum(1)).mean()
    torch.testing.assert_close(penalty, expected, rtol=1e-7, atol=1e-12)


@pytest.mark.parametrize("real", [True, False])
def test_the_gradient_of_the_penalty_against_differences(real: bool) -> None:
    net, x = critic(), random(3, 2, 4, 4)

    def penalty() -> torch.Tensor:
        y = x.clone().requires_grad_()
        return roth_penalty(net(y).squeeze(1), y, real=real)

    weight = net[0].weight  # type: ignore[index]
    (found,) = torch.autograd.grad(penalty(), weight)
    for place in [(0, 0, 0, 0), (2, 1, 1, 2), (1, 0, 2, 1)]:
        values = []
        for step in (1e-5, -1e-5):
            with torch.no_grad():
                weight[place] += step
            values.append(float(penalty().detach()))
            with torch.no_grad():
                weight[place] -= step
        slope = (values[0] - values[1]) / 2e-5
        assert found[place].item() == pytest.approx(slope, rel=1e-5, abs=1e-9)


def test_the_penalty_of_a_linear_critic_is_known() -> None:
    w = random(12)
    x = random(5, 12, seed=2).requires_grad_()
    logits = x @ w
    expected = ((1 - logits.sigmoid()) ** 2).mean() * w.square().sum()
    torch.testing.assert_close(roth_penalty(logits, x, real=True), expected)


def test_losses_of_the_game() -> None:
    real, fake = random(7), random(7, seed=1)
    bce = F.binary_cross_entropy
    ones, zeros = torch.ones(7).double(), torch.zeros(7).double()
    expected = bce(real.sigmoid(), ones) + bce(fake.sigmoid(), zeros)
    torch.testing.assert_close(discriminator_loss(real, fake), expected)
    torch.testing.assert_close(generator_loss(fake), bce(fake.sigmoid(), ones))
    z, read = REACH * random(7, 3), REACH * random(7, 3, seed=4)
    c, mu = z.numpy() / math.sqrt(3), read.numpy() / math.sqrt(3)
    assert float(code_loss(z, read)) == pytest.approx(((c - mu) ** 2).sum() / 14)


def test_the_bound_on_information_is_one() -> None:
    """A code is seen through Gaussian noise: the truth is integrated numerically."""
    c = np.linspace(-1, 1, 1001)
    x = np.linspace(-4, 4, 2001)
    for noise in (0.02, 0.1, 0.3, 1.0):
        given_c = np.exp(-0.5 * ((x[:, None] - c) / noise) ** 2)
        given_c /= noise * math.sqrt(2 * math.pi)
        of_x = given_c.mean(1)
        entropy = -np.trapezoid(of_x * np.log(of_x + 1e-300), x)
        truth = entropy - 0.5 * math.log(2 * math.pi * math.e * noise**2)
        read = (given_c * c).mean(1) / np.maximum(of_x, 1e-300)  # what Q would learn
        squares = ((read[:, None] - c) ** 2 * given_c).mean(1)
        error = float(np.trapezoid(squares, x))
        bound = float(information_bound(torch.tensor([error]))[0])
        assert 0 <= bound <= truth + 1e-3
        if noise <= 0.1:
            assert bound > truth - 0.1
    assert float(information_bound(torch.tensor([1 / 3]))[0]) == 0


def test_codes_are_uniform() -> None:
    z = sample_code(50_000, 2, torch.Generator().manual_seed(0))
    assert float(z.abs().max()) <= REACH
    assert float(z.var(0).mean()) == pytest.approx(1, abs=0.01)
    share = (z.abs() < REACH / 2).float().mean()
    assert float(share) == pytest.approx(0.5, abs=0.01)
