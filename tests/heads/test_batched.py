"""The batched trainer against autograd, torch's Adam and separate runs."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from napari_cellsci.heads.batched import (
    BatchedAdam,
    BatchedMLP,
    mish,
    mish_with_slope,
)
from napari_cellsci.heads.engine import compiled_steps
from napari_cellsci.heads.losses import loss, loss_gradient
from napari_cellsci.heads.streams import BatchStream, DropoutStream
from napari_cellsci.heads.training import NEVER, model_seed, train_batched
from napari_cellsci.tasks import Cancelled, CancelToken, Step

PAPER = (32, 16, 16, 16, 1)
COMPILED = [False] if compiled_steps() is None else [False, True]


def reference(model: BatchedMLP, k: int) -> nn.Sequential:
    """Return one model as ordinary torch modules."""
    layers: list[nn.Module] = []
    for n_in, n_out in pairwise(model.sizes):
        layers += [nn.Linear(n_in, n_out).to(model.parameters.dtype), nn.Mish()]
    network = nn.Sequential(*layers[:-1])
    linear = [m for m in network if isinstance(m, nn.Linear)]
    with torch.no_grad():
        for layer, module in enumerate(linear):
            module.weight.copy_(model.weights[layer][k])
            module.bias.copy_(model.biases[layer][k, 0])
    return network


def one_hot(y: Tensor, outputs: int) -> Tensor:
    if outputs == 1:
        return (y > 0).float().unsqueeze(-1)
    return F.one_hot(y, outputs).float()


def flat_gradient(network: nn.Sequential) -> Tensor:
    return torch.cat([p.grad.flatten() for p in network.parameters()])


def test_parameter_counts_of_the_published_head() -> None:
    model = BatchedMLP(PAPER, range(2))
    assert (model.n_weights, model.n_biases) == (1040, 49)
    assert model.parameters.shape == (2, 1089)


def test_mish_and_its_slope_agree_with_autograd() -> None:
    x = torch.linspace(-60, 60, 4001, dtype=torch.float64, requires_grad=True)
    expected = F.mish(x)
    (slope,) = torch.autograd.grad(expected.sum(), x)
    value, own_slope = mish_with_slope(x.detach())
    assert torch.allclose(value, expected, rtol=0, atol=1e-12)
    assert torch.allclose(own_slope, slope, rtol=0, atol=1e-12)
    assert torch.equal(mish(x.detach()), value)


@pytest.mark.parametrize("outputs", [1, 3])
@pytest.mark.parametrize("dropout", [False, True])
def test_gradient_equals_autograd(outputs: int, dropout: bool) -> None:
    rng = torch.Generator().manual_seed(0)
    model = BatchedMLP((5, 7, 4, outputs), range(3), torch.float64)
    x = torch.randn(3, 11, 5, generator=rng, dtype=torch.float64)
    y = torch.randint(0, max(outputs, 2), (3, 11), generator=rng)
    wanted = one_hot(y, outputs).double() * 0.9 + 0.1 / max(outputs, 2)
    w = torch.rand(3, 11, generator=rng, dtype=torch.float64)
    keep = None
    if dropout:
        keep = [
            torch.bernoulli(torch.full((3, 11, h), 0.7, dtype=torch.float64)) / 0.7
            for h in model.widths
        ]
    outputs_ = model.forward(x, keep)
    model.backward(loss_gradient(outputs_, wanted, w))
    for k in range(3):
        network = reference(model, k)
        h, layer = x[k], 0
        for module in network:
            h = module(h)
            if isinstance(module, nn.Mish):
                h = h * keep[layer][k] if keep else h
                layer += 1
        assert torch.allclose(h, outputs_[k], atol=1e-12)
        loss(h, wanted[k], w[k]).backward()
        difference = (flat_gradient(network) - model.gradient[k]).abs().max()
        assert difference < 1e-10


def test_loss_is_that_of_torch() -> None:
    rng = torch.Generator().manual_seed(1)
    logits = torch.randn(20, 3, generator=rng)
    y = torch.randint(0, 3, (20,), generator=rng)
    ones = torch.ones(20)
    ours = loss(logits, one_hot(y, 3), ones)
    assert torch.allclose(ours, F.cross_entropy(logits, y))
    single = F.binary_cross_entropy_with_logits(logits[:, 0], (y > 0).float())
    assert torch.allclose(loss(logits[:, :1], one_hot(y, 1), ones), single)


def test_adam_equals_torch() -> None:
    model = BatchedMLP((6, 5, 1), range(2), torch.float64)
    optimiser = BatchedAdam(model, 3e-3)
    theirs = nn.Parameter(model.parameters.clone())
    reference_adam = torch.optim.Adam([theirs], 3e-3)
    rng = torch.Generator().manual_seed(2)
    for _ in range(25):
        g = torch.randn(model.parameters.shape, generator=rng, dtype=torch.float64)
        model.gradient.copy_(g)
        theirs.grad = g
        optimiser.step()
        reference_adam.step()
    assert torch.allclose(model.parameters, theirs, rtol=0, atol=1e-12)


def test_a_skipped_model_stays_as_it_is_and_the_others_do_not_notice() -> None:
    models = [BatchedMLP((6, 5, 1), range(3)) for _ in range(2)]
    optimisers = [BatchedAdam(model) for model in models]
    skip = torch.tensor([False, True, False])
    before = models[0].parameters[1].clone()
    for model, optimiser, held in zip(models, optimisers, [skip, None], strict=True):
        model.gradient.fill_(0.3)
        optimiser.step(held)
    assert torch.equal(models[0].parameters[1], before)
    assert not optimisers[0].first[1].any()
    assert torch.equal(models[0].parameters[[0, 2]], models[1].parameters[[0, 2]])


def data(n: int = 90, d: int = 6) -> tuple[Tensor, np.ndarray]:
    rng = np.random.default_rng(3)
    z = rng.normal(size=(n, 8, d)).astype(np.float32)
    y = (z[:, :, 0].mean(1) + z[:, :, 1].mean(1) > 0).astype(np.int64)
    return torch.from_numpy(z), y


def train(seeds: list[int], rows: list[np.ndarray], **options: object) -> BatchedMLP:
    latents, y = data()
    model = BatchedMLP((6, 8, 8, 1), seeds)
    train_batched(model, latents, y, rows, seeds, n_classes=2, **options)
    return model


def test_batched_equals_separate_runs() -> None:
    seeds = [model_seed(0, k) for k in range(3)]
    rows = [np.arange(90), np.arange(0, 90, 2), np.arange(20)]
    options = {"steps": 150, "dropout": 0.3, "batch": 32}
    together = train(seeds, rows, **options)
    for k in range(3):
        alone = train([seeds[k]], [rows[k]], **options)
        assert torch.allclose(
            together.parameters[k], alone.parameters[0], rtol=0, atol=1e-6
        )


def test_same_seed_same_heads_and_another_seed_others() -> None:
    rows = [np.arange(90)]
    first, again, other = (train([s], rows, steps=20, dropout=0.3) for s in (5, 5, 6))
    assert torch.equal(first.parameters, again.parameters)
    assert not torch.allclose(first.parameters, other.parameters)


def test_fewer_cells_than_a_batch() -> None:
    model = train([0], [np.array([0, 1, 2])], steps=5, batch=64)
    assert torch.isfinite(model.parameters).all()


def test_batches_cover_every_cell_once_an_epoch_in_all_views() -> None:
    rows = np.arange(10, 60)
    stream = BatchStream([0], [rows], n_views=8, batch=25, steps=400)
    drawn = np.concatenate([stream.block(step)[1] for step in (0, 128, 256, 384)])
    assert stream.block(399)[0] == 384
    assert drawn.shape == (400, 1, 25)
    cells, views = drawn // 8, drawn % 8
    for epoch in cells.reshape(-1, 50):
        assert np.array_equal(np.sort(epoch), rows)
    assert np.allclose(np.bincount(views.ravel()) / views.size, 1 / 8, atol=0.01)


def test_models_of_one_seed_and_the_same_cells_share_an_order() -> None:
    rows, others = np.arange(50), np.arange(40)
    stream = BatchStream(
        [3, 4, 3, 3], [rows, rows, rows, others], n_views=1, batch=10, steps=9
    )
    assert stream.which.tolist() == [0, 1, 0, 2]
    alone = BatchStream([4], [rows], n_views=1, batch=10, steps=9)
    assert np.array_equal(stream.block(0)[1][:, 1], alone.block(0)[1][:, 0])


def test_dropout_silences_the_asked_share_and_keeps_the_mean() -> None:
    generators = [np.random.Generator(np.random.SFC64(seed)) for seed in (1, 2)]
    stream = DropoutStream(generators, (16,), 16, 0.3)
    factors = torch.stack([stream.draw()[0].clone() for _ in range(100)])
    assert factors.shape == (100, 2, 16, 16)
    assert float((factors == 0).float().mean()) == pytest.approx(0.3, abs=0.01)
    assert float(factors.max()) == pytest.approx(1 / 0.7, rel=1e-4)
    assert not torch.equal(factors[:, 0], factors[:, 1])


class Halve:
    """A topology rule that once drops every second weight of the first layer."""

    def __init__(self) -> None:
        self.dense_gradient: Tensor | None = None

    def next_change(self, step: int) -> int:
        return next((s for s in (5, 20) if s >= step), NEVER)

    def due(self, step: int) -> Tensor:
        return torch.tensor([True, step == 5])

    def change(self, step: int, model: BatchedMLP, optimiser: BatchedAdam) -> None:
        if step == 20:
            self.dense_gradient = model.gradient[:1].clone()
            return
        model.mask = torch.ones_like(model.parameters)
        model.mask[:, model.slices[0][0]][:, ::2] = 0
        model.parameters.mul_(model.mask)


@pytest.mark.parametrize("compiled", COMPILED)
def test_a_topology_rule_sees_the_dense_gradient_and_its_mask_is_kept(
    compiled: bool,
) -> None:
    rule = Halve()
    options = {"rule": rule, "compiled": compiled}
    model = train([0, 1], [np.arange(90)] * 2, steps=40, **options)
    assert model.mask is not None
    silent = model.mask == 0
    assert silent.any()
    assert not model.parameters[silent].any()
    assert rule.dense_gradient is not None
    assert rule.dense_gradient[silent[:1]].any()


def test_training_reports_and_stops_when_asked() -> None:
    latents, y = data()
    token, seen = CancelToken(), []

    def listen(event: object) -> None:
        seen.append(event)
        token.cancel()

    with pytest.raises(Cancelled):
        train_batched(
            BatchedMLP((6, 4, 1), [0]),
            latents,
            y,
            [np.arange(90)],
            [0],
            n_classes=2,
            steps=100,
            on_event=listen,
            token=token,
        )
    assert [type(event) for event in seen] == [Step]
