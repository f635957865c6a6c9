"""The networks: sizes, the paper's counts, equal forms of the same function."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from napari_cellsci.errors import InputError
from napari_cellsci.representation.config import EncoderConfig
from napari_cellsci.representation.networks import (
    LOGVAR_BOUND,
    TCVAE,
    Mish,
    UpsampledConv2d,
    new_network,
)


def count(*modules: nn.Module) -> int:
    return sum(p.numel() for module in modules for p in module.parameters())


def test_the_papers_parameter_counts() -> None:
    network = TCVAE(EncoderConfig.preset("paper"))
    body, mean = network.encoder.body, network.encoder.mean
    assert count(body, mean) == 43_256 + 262_400 + 8_224
    assert count(network.encoder) == 322_104
    assert count(network.decoder) == 295_937


@pytest.mark.parametrize("preset", ["good", "paper"])
@pytest.mark.parametrize(("channels", "size"), [(1, 64), (2, 48), (3, 16)])
def test_any_multiple_of_16_and_any_channels(
    preset: str, channels: int, size: int
) -> None:
    network = TCVAE(EncoderConfig.preset(preset), channels, size)
    x = torch.randn(3, channels, size, size)
    out = network(x, torch.zeros(3, 32))
    assert out.recon.shape == x.shape
    assert out.mu.shape == out.logvar.shape == out.z.shape == (3, 32)
    torch.testing.assert_close(out.z, out.mu)


def test_other_sizes_are_refused() -> None:
    with pytest.raises(InputError, match="multiple of 16"):
        TCVAE(EncoderConfig(), 1, 40)


def test_the_log_variance_is_bounded_but_may_be_negative() -> None:
    network = TCVAE(EncoderConfig())
    with torch.no_grad():
        network.encoder.logvar.bias[:16] = -1e3
        network.encoder.logvar.bias[16:] = 1e3
    logvar = network.encoder(torch.randn(2, 1, 64, 64))[1].detach()
    assert float(logvar.min()) == -LOGVAR_BOUND
    assert float(logvar.max()) == LOGVAR_BOUND


def test_upsampling_and_convolution_in_one_step() -> None:
    layer = UpsampledConv2d(3, 5).double()
    x = torch.randn(2, 3, 7, 6, dtype=torch.float64, requires_grad=True)

    def plain(x: torch.Tensor) -> torch.Tensor:
        up = F.interpolate(x, scale_factor=2, mode="nearest")
        return F.conv2d(up, layer.weight, layer.bias, padding=1)

    torch.testing.assert_close(layer(x), plain(x))
    inputs = (x, layer.weight, layer.bias)
    mine = torch.autograd.grad(layer(x).sin().sum(), inputs)
    theirs = torch.autograd.grad(plain(x).sin().sum(), inputs)
    for one, other in zip(mine, theirs, strict=True):
        torch.testing.assert_close(one, other)


def test_mish_equals_the_built_in() -> None:
    x = torch.cat([torch.linspace(-30, 30, 601), torch.tensor([-1e4, 1e4])])
    x = x.double().requires_grad_()
    torch.testing.assert_close(Mish()(x), F.mish(x))
    mine, theirs = (torch.autograd.grad(f(x).sum(), x)[0] for f in (Mish(), F.mish))
    torch.testing.assert_close(mine, theirs)
    small = x.detach()[::20].clone().requires_grad_()
    assert torch.autograd.gradcheck(Mish(), small)
    single = x.detach().float()
    torch.testing.assert_close(Mish()(single), F.mish(single), rtol=1e-5, atol=1e-6)


def test_crops_of_a_batch_do_not_see_one_another() -> None:
    network = TCVAE(EncoderConfig())
    x = torch.randn(6, 1, 64, 64)
    for module in (network.train(), network.eval()):
        together = module.encoder.mu(x)
        alone = torch.cat([module.encoder.mu(x[i : i + 1]) for i in range(6)])
        torch.testing.assert_close(together, alone, rtol=1e-5, atol=1e-6)
    assert not any(isinstance(m, nn.BatchNorm2d) for m in network.modules())


def test_weights_come_from_the_seed_alone() -> None:
    torch.manual_seed(5)
    before = torch.random.get_rng_state()
    one = new_network(EncoderConfig(seed=3), 1, 64).state_dict()
    assert torch.equal(torch.random.get_rng_state(), before)
    torch.manual_seed(6)
    same = new_network(EncoderConfig(seed=3), 1, 64).state_dict()
    other = new_network(EncoderConfig(seed=4), 1, 64).state_dict()
    assert all(torch.equal(one[k], same[k]) for k in one)
    assert not all(torch.equal(one[k], other[k]) for k in one)
