"""Leaf and bias pruning: fewer weights, the same function."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_cellsci.heads.batched import BatchedMLP
from napari_cellsci.heads.pruning import prune
from napari_cellsci.heads.sizes import active_weights


def sparse(
    seed: int,
    density: float,
    dtype: torch.dtype = torch.float64,
    sizes: tuple[int, ...] = (6, 5, 5, 4, 1),
    models: int = 3,
) -> BatchedMLP:
    """Return heads with random masks and biases of the size of weights."""
    model = BatchedMLP(sizes, range(models), dtype)
    generator = torch.Generator().manual_seed(seed)
    model.parameters.mul_(3)
    model.mask = torch.ones_like(model.parameters)
    for mask in model.masks:
        mask.copy_(torch.rand(mask.shape, generator=generator) < density)
    model.parameters.mul_(model.mask)
    return model


def cells(n: int, width: int, dtype: torch.dtype) -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    return 2 * torch.randn(n, width, generator=generator, dtype=dtype)


@given(
    seed=st.integers(0, 10_000),
    density=st.floats(0.02, 0.8),
    outputs=st.sampled_from([1, 3]),
)
@settings(deadline=None, max_examples=60)
def test_the_function_stays_and_what_is_pruned_stays_pruned(
    seed: int, density: float, outputs: int
) -> None:
    model = sparse(seed, density, sizes=(6, 5, 5, 4, outputs))
    before = model.parameters.clone()
    x = cells(50, 6, torch.float64)
    pruned = prune(model)
    assert (pruned.model.outputs(x) - model.outputs(x)).abs().max() < 1e-12
    assert torch.equal(model.parameters, before)
    again = prune(pruned.model)
    assert torch.equal(again.model.parameters, pruned.model.parameters)
    assert torch.equal(again.model.mask, pruned.model.mask)
    removed = pruned.zero + pruned.leaf + pruned.bias
    left = active_weights(pruned.model.masks)
    assert np.array_equal(active_weights(model.masks) - removed, left)
    assert not (again.zero + again.leaf + again.bias).any()
    for mask, above in zip(
        pruned.model.masks[:-1], pruned.model.masks[1:], strict=True
    ):
        # A hidden neuron has inputs and outputs, or neither.
        assert torch.equal((mask != 0).any(2), (above != 0).any(1))


def test_single_precision_on_ten_thousand_inputs() -> None:
    model = sparse(0, 0.05, torch.float32, (32, 16, 16, 16, 1), models=10)
    x = cells(10_000, 32, torch.float32)
    difference = (prune(model).model.outputs(x) - model.outputs(x)).abs().max()
    assert difference < 1e-5


def chain() -> BatchedMLP:
    """Return one head 2-2-2-1 with every weight and bias 0.5."""
    model = BatchedMLP((2, 2, 2, 1), [0], torch.float64)
    model.parameters.fill_(0.5)
    model.mask = torch.ones_like(model.parameters)
    return model


def test_leaf_weights_go_all_the_way_down() -> None:
    model = chain()
    model.masks[2][0, 0, 1] = 0  # the output no longer hears the second neuron
    model.masks[1][0, 0, 1] = 0  # and so nobody hears the second of the first layer
    pruned = prune(model)
    assert [m[0].int().tolist() for m in pruned.model.masks] == [
        [[1, 1], [0, 0]],
        [[1, 0], [0, 0]],
        [[1, 0]],
    ]
    assert (pruned.leaf.tolist(), pruned.bias.tolist()) == ([4], [0])


def test_a_constant_cascades_into_the_last_bias() -> None:
    model = chain()
    model.masks[0].zero_()
    pruned = prune(model).model
    assert active_weights(pruned.masks).tolist() == [0]
    mish = torch.nn.functional.mish
    half = torch.tensor(0.5, dtype=torch.float64)
    below = half + 2 * 0.5 * mish(half)
    expected = half + 2 * 0.5 * mish(below)
    assert pruned.biases[2].item() == pytest.approx(expected.item(), abs=1e-15)
    assert not pruned.biases[0].any()
    assert not pruned.biases[1].any()


def test_weights_that_are_zero_go() -> None:
    model = chain()
    model.weights[0][0, 0, 0] = 0
    pruned = prune(model)
    assert pruned.zero.tolist() == [1]
    assert pruned.model.masks[0][0, 0].tolist() == [0, 1]


def test_a_dense_head_loses_nothing() -> None:
    model = BatchedMLP((6, 5, 1), [0, 1])
    pruned = prune(model)
    assert active_weights(pruned.model.masks).tolist() == [35, 35]
    assert torch.equal(pruned.model.parameters, model.parameters)
