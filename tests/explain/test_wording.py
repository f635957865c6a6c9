from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch

from napari_cellsci.explain.effects import (
    direction_in_words,
    direction_of,
    input_effects,
)
from napari_cellsci.explain.response import Response
from napari_cellsci.explain.topology import Node, Topology
from napari_cellsci.explain.wording import (
    in_words,
    shape_of,
    shapes_along,
    symmetries,
)

CLASSES = ("interphase", "metaphase")
X = np.linspace(-3, 3, 101)


def curve(function: Callable[..., np.ndarray], offset: float = 0.0) -> Response:
    return Response((Node(0, 0),), Node(2, 0), (X,), function(X), offset, True)


def plane(function: Callable[..., np.ndarray], low: float = -3) -> Response:
    y = np.linspace(low, 3, 101)
    values = function(X[None, :], y[:, None]) + np.zeros((101, 101))
    return Response((Node(0, 0), Node(0, 1)), Node(2, 0), (X, y), values, 0.0, True)


@pytest.mark.parametrize(
    ("function", "shape"),
    [
        (lambda x: 2 * x, "rises"),
        (lambda x: -np.exp(x), "falls"),
        (lambda x: (x - 1) ** 2, "valley"),
        (lambda x: -np.abs(x), "peak"),
        (lambda x: np.sin(3 * x), "winds"),
        (lambda x: 0 * x, "flat"),
        (lambda x: np.tanh(5 * x) + 0.002 * np.sin(20 * x), "rises"),
    ],
)
def test_curves_are_told_apart(
    function: Callable[[np.ndarray], np.ndarray], shape: str
) -> None:
    assert shape_of(function(X)) == shape


def test_a_fall_below_the_tolerance_of_the_whole_range_is_flat() -> None:
    assert shape_of(0.001 * X, span=10.0) == "flat"
    assert shape_of(0.001 * X) == "rises"


def test_maps_are_read_along_both_inputs() -> None:
    assert shapes_along(plane(lambda x, y: x - y**2)) == ["rises", "peak"]
    assert shapes_along(plane(lambda x, y: x * y)) == ["winds", "winds"]
    assert shapes_along(plane(lambda x, y: x + 0 * y)) == ["rises", "flat"]
    # Where the other input silences it, a line may be flat.
    assert shapes_along(plane(lambda x, y: np.maximum(y, 0) * x)) == ["rises", "winds"]


@pytest.mark.parametrize(
    ("function", "holding"),
    [
        (lambda x, y: x**2 + 0 * y, set()),
        (lambda x, y: x**2 + y, {0}),
        (lambda x, y: np.abs(y) + x, {1}),
        (lambda x, y: x + y, {2}),
        (lambda x, y: x - y, {3}),
        (lambda x, y: x**2 + y**2, {0, 1, 2, 3, 4}),
        (lambda x, y: x * y, {2, 3, 4}),
        (lambda x, y: np.exp(x) + y, set()),
    ],
)
def test_symmetries_are_found_and_no_others(
    function: Callable[..., np.ndarray], holding: set[int]
) -> None:
    found = symmetries(plane(function))
    assert {i for i, item in enumerate(found) if item.holds} == holding


def test_symmetry_needs_a_range_that_has_it() -> None:
    assert symmetries(plane(lambda x, y: x**2 + y**2, low=-2)) == []
    assert "not tested" in in_words(plane(lambda x, y: x + y, low=-2), "ab")


def test_a_curve_in_one_sentence() -> None:
    assert in_words(curve(lambda x: 2 * x - 1), ["size z29"], classes=CLASSES) == (
        "The score rises with size z29, from interphase to metaphase at 0.5; "
        "no symmetry (tested from −3 to 3)."
    )
    said = in_words(curve(lambda x: x**2, -1), ["aspect z17"], classes=CLASSES)
    assert "falls and then rises with aspect z17, turning at 0" in said
    assert "changing sides at −1 and 1" in said
    assert "the same for aspect z17 and −aspect z17, to 1% of its range" in said
    assert "always metaphase" in in_words(
        curve(lambda x: np.tanh(x), 5), ["z1"], classes=CLASSES
    )
    assert in_words(curve(lambda x: 0 * x), ["z1"]) == (
        "The score does not depend on z1 (tested from −3 to 3)."
    )


def test_a_map_in_one_sentence() -> None:
    said = in_words(plane(lambda x, y: x + y), ["a z1", "b z2"], classes=CLASSES)
    assert said.startswith("The score rises with a z1 and rises with b z2, metaphase")
    assert "change places" in said
    said = in_words(plane(lambda x, y: x * y), ["a z1", "b z2"], "h1.0")
    assert said.startswith("H1.0 depends on a z1 and b z2 together;")
    said = in_words(plane(lambda x, y: np.maximum(y, 0) * x), ["a z1", "b z2"], "h1.0")
    assert "rises with a z1; how it goes with b z2 depends on a z1" in said


def one_input_each(*functions: str) -> Topology:
    """Return a network whose inputs act on their own: up, down or ends."""
    n = len(functions)
    first, second = np.zeros((2 * n, n)), np.zeros((1, 2 * n))
    for i, kind in enumerate(functions):
        first[2 * i, i], first[2 * i + 1, i] = 1.0, -1.0
        second[0, 2 * i : 2 * i + 2] = {
            "up": (1, 0),
            "down": (0, 1),
            "ends": (1, 1),
            "middle": (-1, -1),
            "none": (0, 0),
        }[kind]
    masks = (first != 0, second != 0)
    return Topology((first, second), masks, (np.zeros(2 * n), np.zeros(1)))


def test_effects_have_the_direction_they_were_built_with() -> None:
    net = one_input_each("up", "ends", "down", "none", "middle")
    rng = np.random.default_rng(0)
    z = rng.normal(size=(4000, 5)) * [1, 1, 2, 1, 0.5]
    found = input_effects(net, z)
    assert {e.index: e.direction for e in found} == {
        0: "up",
        1: "ends",
        2: "down",
        4: "middle",
    }
    strengths = [e.strength for e in found]
    assert strengths == sorted(strengths, reverse=True)
    assert found[0].index == 2
    assert sum(e.share for e in found) == pytest.approx(1)
    up = next(e for e in found if e.index == 0)
    assert up.low < 0 < up.high
    assert up.range == pytest.approx((-2.33, 2.33), abs=0.3)


def test_the_strength_is_the_root_mean_square_of_what_is_lost() -> None:
    net = one_input_each("up", "down")
    z = np.random.default_rng(1).normal(size=(500, 2))
    mish = torch.nn.functional.mish
    value = mish(torch.from_numpy(z[:, 0]))
    usual = mish(torch.tensor(float(np.median(z[:, 0])), dtype=torch.float64))
    effect = next(e for e in input_effects(net, z) if e.index == 0)
    assert effect.strength == pytest.approx(float(((value - usual) ** 2).mean().sqrt()))


def test_a_constant_network_has_no_effects() -> None:
    zero = np.zeros((1, 3))
    net = Topology((zero,), (zero != 0,), (np.ones(1),))
    assert input_effects(net, np.zeros((5, 3))) == ()


def test_a_latent_that_never_varies_has_no_effect() -> None:
    found = input_effects(one_input_each("up"), np.full((20, 1), 0.3))
    assert found[0].direction == "none"
    assert found[0].share == 0


@pytest.mark.parametrize(
    ("low", "high", "direction"),
    [
        (-1, 1, "up"),
        (1, -1, "down"),
        (0.1, 1, "up"),
        (1, 0.1, "down"),
        (-1, 0.1, "up"),
        (1, 1, "ends"),
        (-1, -1, "middle"),
        (0.1, -0.1, "mixed"),
    ],
)
def test_directions(low: float, high: float, direction: str) -> None:
    assert direction_of(low, high, 1.0) == direction


def test_directions_in_words() -> None:
    said = [
        direction_in_words(d, CLASSES, "small", "large")
        for d in ("up", "down", "ends", "middle")
    ]
    assert said == [
        "large → metaphase",
        "small → metaphase",
        "both ends → metaphase",
        "both ends → interphase",
    ]
