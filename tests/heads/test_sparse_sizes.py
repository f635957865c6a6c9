"""Active weights and expression sizes against the published figures."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch

from napari_cellsci.heads.sizes import (
    active_weights,
    dense_expression_size,
    dense_weights,
    expression_size,
    used_inputs,
)

PAPER = (32, 16, 16, 16, 1)


def masks_of(sizes: tuple[int, ...], k: int = 1) -> list[torch.Tensor]:
    return [torch.ones(k, n_out, n_in) for n_in, n_out in pairwise(sizes)]


def tree_size(masks: list[torch.Tensor]) -> int:
    """Count the nodes of every neuron's tree: sums, products, numbers, arguments."""
    nodes = 0
    for layer, mask in enumerate(masks):
        for neuron in mask[0].tolist():
            inputs = sum(value != 0 for value in neuron)
            if inputs:
                # b + w·x + w·x: M products, M weights, M inputs, M sums, one bias.
                linear = inputs + inputs + inputs + inputs + 1
                # x · tanh(log(1 + exp(x))): x twice, and six nodes around it.
                hidden = 2 * linear + 6
                nodes += linear if layer == len(masks) - 1 else hidden
    return nodes


def test_published_sizes_of_the_dense_heads() -> None:
    assert dense_weights(PAPER) == 1040
    assert dense_expression_size(PAPER) == 8641
    assert dense_expression_size(PAPER, batch_norm=True) == 9697
    # Two outputs, as one sentence of the paper has it, would give other figures.
    assert dense_weights((32, 16, 16, 16, 2)) == 1056
    assert dense_expression_size((32, 16, 16, 16, 2)) == 8706
    assert dense_expression_size((32, 16, 16, 16, 2), batch_norm=True) == 9762


def test_both_conventions_of_equation_14() -> None:
    masks = masks_of(PAPER)
    assert active_weights(masks).tolist() == [1040]
    assert expression_size(masks, "tree").tolist() == [8641]
    assert expression_size(masks, "paper").tolist() == [8641 - 48 * 7]


def test_only_neurons_with_inputs_count() -> None:
    masks = [torch.zeros(2, 3, 4), torch.zeros(2, 1, 3)]
    masks[0][0, 1, :2] = 1
    masks[1][0, 0, 1] = 1
    assert active_weights(masks).tolist() == [3, 0]
    assert expression_size(masks).tolist() == [8 * 2 + 1 + 4 + 1, 0]
    assert expression_size(masks, "tree").tolist() == [8 * 2 + 8 + 4 + 1, 0]
    assert used_inputs(masks).tolist() == [[True, True, False, False], [False] * 4]


@pytest.mark.parametrize("seed", range(4))
def test_the_tree_convention_counts_nodes(seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    masks = [
        (torch.rand(1, n_out, n_in, generator=generator) < 0.3).float()
        for n_in, n_out in pairwise((5, 4, 4, 2))
    ]
    assert expression_size(masks, "tree").tolist() == [tree_size(masks)]
