from __future__ import annotations

from itertools import combinations, pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_cellsci.explain.layout import (
    Layout,
    _apart,
    count_crossings,
    every_place,
    lay_out,
)
from napari_cellsci.explain.topology import Node, Topology


def network(
    sizes: tuple[int, ...], density: float, seed: int, scale: float = 1.0
) -> Topology:
    rng = np.random.default_rng(seed)
    shapes = list(zip(sizes[1:], sizes[:-1], strict=True))
    masks = tuple(rng.random(shape) < density for shape in shapes)
    weights = tuple(scale * rng.normal(size=mask.shape) * mask for mask in masks)
    return Topology(weights, masks, tuple(np.zeros(n) for n in sizes[1:]))


def rows_of(layout: Layout) -> list[list[Node]]:
    return [layout.layer(i) for i in range(len(layout.topology.sizes))]


@given(st.integers(0, 10_000), st.floats(0, 0.5))
@settings(deadline=None, max_examples=30)
def test_all_that_matters_is_drawn_once_within_the_frame(
    seed: int, density: float
) -> None:
    topology = network((8, 5, 4, 1), density, seed)
    layout = lay_out(topology, most=1000)
    wanted = set(topology.nodes("input", "output"))
    assert wanted <= set(layout.places)
    for edge in layout.edges:
        assert topology.heard[edge.target.layer][edge.target.number]
    assert layout.folded == 8 - len(topology.inputs)
    assert layout.hidden_inputs == 0
    for row in rows_of(layout):
        xs = [layout.places[node][0] for node in row]
        assert all(0 <= x <= 1 for x in xs)
        assert all(b - a >= 1 / max(layout.widest, 2) - 1e-9 for a, b in pairwise(xs))


@given(st.integers(0, 10_000))
@settings(deadline=None, max_examples=20)
def test_crossings_are_counted_as_by_hand_and_become_no_more(seed: int) -> None:
    topology = network((6, 5, 3, 1), 0.5, seed)
    layout = lay_out(topology, most=1000)
    rows = rows_of(layout)
    place = {node: i for row in rows for i, node in enumerate(row)}
    by_hand = sum(
        (place[a.source] - place[b.source]) * (place[a.target] - place[b.target]) < 0
        for a, b in combinations(layout.edges, 2)
        if a.source.layer == b.source.layer
    )
    assert count_crossings(rows, layout.edges) == by_hand
    assert by_hand <= count_crossings([sorted(row) for row in rows], layout.edges)


def test_a_ladder_is_drawn_without_crossings() -> None:
    # Input i feeds neuron 3 − i: sorted by number, every pair would cross.
    eye = np.eye(4)[::-1].copy()
    out = np.ones((1, 4))
    topology = Topology((eye, out), (eye > 0, out > 0), (np.zeros(4), np.zeros(1)))
    layout = lay_out(topology)
    assert count_crossings(rows_of(layout), layout.edges) == 0


def test_the_mirror_image_that_fits_is_taken() -> None:
    topology = network((4, 3, 1), 0.8, 3)
    for sign in (1.0, -1.0):
        lean = {i: sign * (i - 1.5) for i in range(4)}
        layout = lay_out(topology, lean=lean)
        pull = [lean[node.number] for node in layout.layer(0)]
        assert sum((i - 1.5) * p for i, p in enumerate(pull)) >= 0


def test_a_dense_network_shows_its_strongest_connections() -> None:
    topology = network((32, 16, 16, 16, 1), 1.0, 0)
    layout = lay_out(topology, most=60)
    assert 50 <= len(layout.edges) <= 60
    assert len(layout.layer(0)) == 8
    assert not layout.whole
    assert layout.folded == 0
    assert layout.hidden_inputs == 32 - len(layout.layer(0))
    ends = {node for edge in layout.edges for node in (edge.source, edge.target)}
    below = {edge.target for edge in layout.edges}
    above = {edge.source for edge in layout.edges}
    for node in ends:
        assert node.layer == 0 or node in below
        assert node == topology.output or node in above
    shown = [abs(edge.weight) for edge in layout.edges]
    assert shown == sorted(shown)


def test_inputs_that_matter_are_drawn_with_their_strongest_path() -> None:
    topology = network((12, 4, 3, 1), 1.0, 2)
    chosen = {1, 2, 5, 7, 8, 9, 10, 11}
    layout = lay_out(topology, most=40, matter=dict.fromkeys(chosen, 1.0))
    assert {node.number for node in layout.layer(0)} == chosen
    a, b, c = (np.abs(weight) for weight in topology.weights)
    drawn = {(e.source.layer, e.source.number, e.target.number) for e in layout.edges}
    for i in chosen:
        strength = a[:, i, None] * b.T * c[0]
        j, k = np.unravel_index(np.argmax(strength), strength.shape)
        assert {(0, i, j), (1, j, k), (2, k, 0)} <= drawn
    assert layout.hidden_inputs == 4


def test_a_constant_network_is_its_output_alone() -> None:
    zero = np.zeros((1, 3))
    topology = Topology((zero,), (zero != 0,), (np.ones(1),))
    layout = lay_out(topology)
    assert layout.edges == ()
    assert list(layout.places) == [topology.output]
    assert layout.folded == 3
    assert layout.strongest == 1


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
@settings(deadline=None, max_examples=40)
def test_places_that_want_to_touch_are_parted(wanted: list[float]) -> None:
    found = _apart(np.array(wanted), 0.125)
    assert (np.diff(found) >= 0.125 - 1e-9).all()
    assert found.min() >= 0
    assert found.max() <= 1


def test_places_far_enough_apart_stay_where_they_want_to_be() -> None:
    wanted = np.array([0.2, 0.5, 0.8])
    np.testing.assert_allclose(_apart(wanted, 0.2), wanted)


@pytest.mark.parametrize("density", [0.0, 0.1, 1.0])
def test_every_neuron_has_a_place_of_its_own_for_the_history(density: float) -> None:
    topology = network((32, 16, 16, 16, 1), density, 1)
    drawn = lay_out(topology)
    places = every_place(topology, drawn)
    assert len(places) == 81
    assert len(set(places.values())) == 81
    for layer in range(5):
        live = drawn.layer(layer)
        assert sorted(live, key=lambda node: places[node]) == live


def test_of_a_large_network_the_paths_to_one_output_are_drawn() -> None:
    topology = network((12, 10, 4), 0.9, 3)
    matter = {3: 2.0, 5: 1.0}
    for output in range(4):
        layout = lay_out(topology, most=30, matter=matter, output=output)
        assert layout.output == output
        assert 10 < len(layout.edges) <= 30
        ends = {e.target.number for e in layout.edges if e.target.layer == 2}
        assert ends == {output}
        # Whole paths: what enters a hidden neuron goes on to the output.
        on = {e.source for e in layout.edges if e.target.layer == 2}
        assert {e.target for e in layout.edges if e.target.layer == 1} == on
        assert [node.number for node in sorted(layout.layer(2))] == [0, 1, 2, 3]


def test_a_small_network_is_drawn_whole_whatever_is_looked_at() -> None:
    topology = network((4, 3, 3), 0.9, 1)
    assert lay_out(topology, output=2).edges == lay_out(topology).edges
    assert lay_out(topology, output=2).output is None
