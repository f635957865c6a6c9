from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_cellsci.errors import InputError
from napari_cellsci.explain.activity import (
    activations,
    class_scores,
    contribution,
    drivers,
    outputs,
)
from napari_cellsci.explain.response import Response, arrows, gradient, respond
from napari_cellsci.explain.topology import Node, Topology

SIZES = (6, 5, 4, 1)


def random_network(seed: int, density: float = 0.6) -> Topology:
    rng = np.random.default_rng(seed)
    shapes = list(zip(SIZES[1:], SIZES[:-1], strict=True))
    masks = tuple(rng.random(shape) < density for shape in shapes)
    weights = tuple(rng.normal(size=mask.shape) * mask for mask in masks)
    return Topology(weights, masks, tuple(rng.normal(size=n) for n in SIZES[1:]))


def by_torch(topology: Topology) -> torch.nn.Sequential:
    """Return the same network made of torch's own layers."""
    layers: list[torch.nn.Module] = []
    for weight, bias in zip(topology.weights, topology.biases, strict=True):
        linear = torch.nn.Linear(*weight.T.shape, dtype=torch.float64)
        linear.weight.data = torch.from_numpy(weight.copy())
        linear.bias.data = torch.from_numpy(bias.copy())
        layers += [linear, torch.nn.Mish()]
    return torch.nn.Sequential(*layers[:-1])


def test_activations_are_those_of_torch() -> None:
    topology = random_network(0)
    z = np.random.default_rng(1).normal(size=(40, 6)) * 3
    found = activations(topology, z)
    x = torch.from_numpy(z)
    np.testing.assert_array_equal(found[0], z)
    net = by_torch(topology)
    for layer, stop in enumerate((2, 4, 5), start=1):
        np.testing.assert_allclose(found[layer], net[:stop](x).detach(), atol=1e-12)
    np.testing.assert_array_equal(outputs(topology, z), found[-1])


def test_a_neuron_can_be_held() -> None:
    topology = random_network(2)
    z = np.random.default_rng(1).normal(size=(9, 6))
    value = np.linspace(-1, 1, 9)
    found = activations(topology, z, {Node(1, 2): value, Node(0, 3): 0.5})
    np.testing.assert_array_equal(found[1][:, 2], value)
    assert (found[0][:, 3] == 0.5).all()
    usual = activations(topology, found[0])
    assert not np.allclose(found[-1], usual[-1])


def test_latents_of_another_width_are_refused() -> None:
    with pytest.raises(InputError, match="reads 6 latents"):
        activations(random_network(0), np.zeros((3, 5)))


@given(st.integers(0, 1000))
@settings(deadline=None, max_examples=15)
def test_contributions_and_offset_add_up_to_the_weighted_sum(seed: int) -> None:
    topology = random_network(seed)
    at = np.random.default_rng(seed).normal(size=6)
    target = [Node(2, seed % 4), topology.output][seed % 2]
    found = respond(topology, [Node(0, 1), Node(0, 4)], target, at=at, steps=7)
    net = by_torch(topology)
    rows = np.tile(at, (49, 1))
    x, y = np.meshgrid(*found.axes)
    rows[:, 1], rows[:, 4] = x.ravel(), y.ravel()
    stop = 2 * target.layer - 1
    expected = net[:stop](torch.from_numpy(rows)).detach()[:, target.number]
    np.testing.assert_allclose(found.total.ravel(), expected, atol=1e-10)
    if found.is_output:
        np.testing.assert_array_equal(found.said, found.total)
    else:
        np.testing.assert_allclose(
            found.said.ravel(), torch.nn.functional.mish(expected), atol=1e-10
        )


def test_an_input_without_a_path_contributes_nothing(known: Topology) -> None:
    found = respond(known, [Node(0, 1)], known.output, at=np.zeros(5), steps=5)
    np.testing.assert_array_equal(found.values, 0)
    assert found.offset == pytest.approx(float(outputs(known, np.zeros((1, 5)))[0, 0]))


def test_excluded_paths_are_part_of_the_offset() -> None:
    # h1.0 reads z0 alone, h1.1 reads z0 and z1; both reach the output.
    first = np.array([[1.0, 0.0], [1.0, 1.0]])
    second = np.array([[2.0, -3.0]])
    net = Topology(
        (first, second), (first != 0, second != 0), (np.zeros(2), np.zeros(1))
    )
    at = np.array([0.0, 0.4])
    pure = respond(net, [Node(0, 0)], net.output, at=at, steps=9, exclude=[Node(0, 1)])
    mish = torch.nn.functional.mish
    x = torch.from_numpy(pure.axes[0])
    np.testing.assert_allclose(pure.values, 2 * mish(x), atol=1e-12)
    assert pure.offset == pytest.approx(-3 * float(mish(torch.tensor(0.4))))


@given(st.integers(0, 1000))
@settings(deadline=None, max_examples=15)
def test_gradients_are_those_of_autograd(seed: int) -> None:
    topology = random_network(seed)
    rng = np.random.default_rng(seed)
    at, points = rng.normal(size=6), rng.normal(size=(12, 2)) * 2
    found = gradient(topology, [Node(0, 0), Node(0, 5)], topology.output, points, at=at)
    rows = torch.from_numpy(np.tile(at, (12, 1)))
    rows[:, 0], rows[:, 5] = (
        torch.from_numpy(points[:, 0]),
        torch.from_numpy(points[:, 1]),
    )
    rows.requires_grad_(True)
    by_torch(topology)(rows).sum().backward()
    assert rows.grad is not None
    np.testing.assert_allclose(found, rows.grad[:, [0, 5]], atol=1e-10)


def test_a_cut_of_hidden_neurons_can_be_the_input() -> None:
    topology = random_network(5, density=1.0)
    at = np.random.default_rng(0).normal(size=6)
    cut = [Node(1, 0), Node(1, 3)]
    found = respond(
        topology, cut, topology.output, at=at, ranges=[(-0.3, 2), (0, 1)], steps=5
    )
    h = activations(topology, at[None])[1]
    rows = np.tile(h, (25, 1))
    x, y = np.meshgrid(*found.axes)
    rows[:, 0], rows[:, 3] = x.ravel(), y.ravel()
    upper = by_torch(topology)[2:]
    expected = upper(torch.from_numpy(rows)).detach().numpy().reshape(5, 5)
    np.testing.assert_allclose(found.total, expected, atol=1e-10)
    points, slopes = arrows(topology, found, at=at, count=3)
    step = 1e-5
    for i in range(2):
        moved = np.tile(h, (9, 1))
        moved[:, [0, 3]] = points
        ahead, back = moved.copy(), moved.copy()
        ahead[:, [0, 3][i]] += step
        back[:, [0, 3][i]] -= step
        difference = upper(torch.from_numpy(ahead)) - upper(torch.from_numpy(back))
        np.testing.assert_allclose(
            slopes[:, i], difference.detach()[:, 0] / (2 * step), atol=1e-6
        )


def test_a_neuron_that_is_held_stops_what_would_pass_through_it() -> None:
    topology = random_network(5, density=1.0)
    at = np.random.default_rng(0).normal(size=6)
    held = {Node(1, 2): 0.7, Node(2, 1): -0.2, Node(0, 3): 1.5}
    found = respond(
        topology, [Node(0, 0), Node(0, 1)], topology.output, at=at, steps=5, held=held
    )
    rows = np.tile(at, (25, 1))
    x, y = np.meshgrid(*found.axes)
    rows[:, 0], rows[:, 1] = x.ravel(), y.ravel()
    expected = outputs(topology, rows, held)[:, 0].reshape(5, 5)
    np.testing.assert_allclose(found.total, expected, atol=1e-10)
    points, slopes = arrows(topology, found, at=at, held=held, count=2)
    step = 1e-5
    for i in range(2):
        ahead, back = np.tile(at, (4, 1)), np.tile(at, (4, 1))
        ahead[:, :2], back[:, :2] = points, points
        ahead[:, i] += step
        back[:, i] -= step
        difference = outputs(topology, ahead, held) - outputs(topology, back, held)
        np.testing.assert_allclose(
            slopes[:, i], difference[:, 0] / (2 * step), atol=1e-6
        )


@pytest.mark.parametrize(
    ("inputs", "target", "words"),
    [
        ([], Node(3, 0), "one or two"),
        ([Node(0, 0), Node(0, 0)], Node(3, 0), "different"),
        ([Node(0, 0), Node(0, 1), Node(0, 2)], Node(3, 0), "one or two"),
        ([Node(2, 0)], Node(2, 1), "later layer"),
        ([Node(0, 9)], Node(3, 0), "no neuron"),
    ],
)
def test_what_cannot_be_drawn_is_told(
    inputs: list[Node], target: Node, words: str
) -> None:
    with pytest.raises(InputError, match=words):
        respond(random_network(0), inputs, target, at=np.zeros(6))


def test_what_a_neuron_contributes_is_lost_without_it(known: Topology) -> None:
    z = np.random.default_rng(0).normal(size=(200, 5))
    score = outputs(known, z)[:, 0]
    dead = contribution(known, z, Node(2, 1))
    np.testing.assert_array_equal(dead, 0)
    lost = contribution(known, z, Node(0, 0))
    usual = z.copy()
    usual[:, 0] = np.median(z[:, 0])
    np.testing.assert_allclose(lost, score - outputs(known, usual)[:, 0], atol=1e-12)


def test_drivers_are_the_cells_with_the_highest_activation(known: Topology) -> None:
    z = np.random.default_rng(0).normal(size=(200, 5))
    z[7, 0] = np.nan
    value = activations(known, z)[1][:, 0]
    rows = drivers(known, z, Node(1, 0), 10)
    assert 7 not in rows
    assert list(value[rows]) == sorted(np.delete(value, 7), reverse=True)[:10]
    low = drivers(known, z, Node(0, 0), 3, least=True)
    assert list(z[low, 0]) == sorted(np.delete(z[:, 0], 7))[:3]
    assert len(drivers(known, z, Node(1, 0), 500)) == 199


def test_a_response_keeps_what_it_was_asked(known: Topology) -> None:
    found = respond(known, [Node(0, 0)], Node(2, 0), at=np.zeros(5))
    assert isinstance(found, Response)
    assert found.values.shape == (101,)
    assert found.axes[0][[0, -1]].tolist() == [-3, 3]
    assert not found.is_output


@pytest.mark.parametrize("code", range(3))
def test_one_of_several_outputs_responds_by_its_lead(code: int) -> None:
    rng = np.random.default_rng(3)
    sizes = (4, 5, 3)
    weights = [rng.normal(size=(b, a)) for a, b in pairwise(sizes)]
    masks = [np.ones(weight.shape, bool) for weight in weights]
    biases = [rng.normal(size=n) for n in sizes[1:]]
    net, at = Topology(tuple(weights), tuple(masks), tuple(biases)), rng.normal(size=4)
    axes, target = [Node(0, 2), Node(0, 0)], Node(2, code)
    held = {Node(1, 1): 0.3}
    found = respond(net, axes, target, at=at, steps=5, held=held)
    for j, i in np.ndindex(5, 5):
        z = at.copy()
        z[2], z[0] = found.axes[0][i], found.axes[1][j]
        out = outputs(net, z[None], held)[0]
        lead = out[code] - np.delete(out, code).max()
        assert found.total[j, i] == pytest.approx(lead)
        assert (found.total[j, i] >= 0) == (out.argmax() == code)
    point, step = np.array([[0.2, -0.4]]), 1e-5
    slope = gradient(net, axes, target, point, at=at, held=held)[0]
    for k in range(2):
        ends = []
        for sign in (1, -1):
            z = at.copy()
            z[[2, 0]] = point[0]
            z[[2, 0][k]] += sign * step
            ends.append(class_scores(outputs(net, z[None], held))[0, code])
        assert slope[k] == pytest.approx((ends[0] - ends[1]) / (2 * step), rel=1e-4)
    with pytest.raises(InputError, match="lead of a class"):
        respond(net, axes, target, at=at, exclude=[Node(1, 0)])


def test_a_class_leads_where_its_output_is_the_largest() -> None:
    several = np.random.default_rng(0).normal(size=(3, 50, 4))
    leads = class_scores(several)
    assert leads.shape == several.shape
    for code in range(4):
        others = np.delete(several, code, axis=-1).max(-1)
        np.testing.assert_allclose(leads[..., code], several[..., code] - others)
    one = several[..., :1]
    np.testing.assert_array_equal(class_scores(one), one)
