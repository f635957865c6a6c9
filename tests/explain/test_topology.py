from __future__ import annotations

import itertools
import json
from pathlib import Path

import networkx as nx
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_cellsci.errors import InputError
from napari_cellsci.explain.activity import outputs
from napari_cellsci.explain.streams import stream_of, stream_through, sub_network
from napari_cellsci.explain.topology import Node, Topology, neuron_name
from napari_cellsci.heads.batched import BatchedMLP
from napari_cellsci.heads.headset import HeadSet, LatentMembers

ROLES = {
    "input": [Node(0, 0)],
    "unused": [Node(0, 1), Node(0, 2), Node(0, 3), Node(0, 4)],
    "hidden": [Node(1, 0), Node(2, 0)],
    "constant": [Node(1, 2)],
    "dead": [Node(1, 1), Node(2, 1)],
    "output": [Node(3, 0)],
}


def random_topology(seed: int, density: float) -> Topology:
    rng = np.random.default_rng(seed)
    sizes = (6, 5, 4, 1)
    masks = [
        rng.random((n_out, n_in)) < density for n_in, n_out in itertools.pairwise(sizes)
    ]
    return Topology(
        tuple(rng.normal(size=mask.shape) * mask for mask in masks),
        tuple(masks),
        tuple(rng.normal(size=len(mask)) for mask in masks),
    )


def graph_of(topology: Topology) -> nx.DiGraph:
    graph = nx.DiGraph()
    graph.add_nodes_from(topology.nodes())
    graph.add_edges_from((e.source, e.target) for e in topology.edges())
    return graph


def pairs(part: object) -> set[tuple[Node, Node]]:
    return {(e.source, e.target) for e in part.edges}  # type: ignore[attr-defined]


def test_every_neuron_has_its_role(known: Topology) -> None:
    for role, nodes in ROLES.items():
        assert list(known.nodes(role)) == nodes  # type: ignore[arg-type]
    assert known.inputs == (0,)
    assert known.n_active == 7
    assert not known.is_constant
    assert known.bias(Node(2, 0)) == pytest.approx(-0.1)
    assert known.bias(Node(0, 3)) == 0


def test_a_neuron_with_one_input_and_one_listener_only_bends(known: Topology) -> None:
    assert known.passes_through(Node(1, 0))
    # Its other input is a constant, which is part of its bias.
    assert known.passes_through(Node(2, 0))
    assert not known.passes_through(Node(1, 1))
    assert not known.passes_through(Node(0, 0))


def test_neurons_have_short_names() -> None:
    assert [neuron_name(node, 3) for node in (Node(0, 29), Node(2, 5), Node(3, 0))] == [
        "z29",
        "h2.5",
        "f",
    ]


@given(st.integers(0, 10_000), st.floats(0.05, 0.8))
@settings(deadline=None, max_examples=30)
def test_reachability_and_streams_are_those_of_the_graph(
    seed: int, density: float
) -> None:
    topology = random_topology(seed=seed, density=density)
    graph = graph_of(topology)
    output = topology.output
    heard = nx.ancestors(graph, output) | {output}
    inputs = [Node(0, i) for i in range(topology.sizes[0])]
    reached = set(inputs).union(*(nx.descendants(graph, node) for node in inputs))
    for node in topology.nodes():
        assert topology.heard[node.layer][node.number] == (node in heard)
        assert topology.reached[node.layer][node.number] == (node in reached)
    node = Node(1, seed % topology.sizes[1])
    up = nx.ancestors(graph, node) | {node}
    down = nx.descendants(graph, node) | {node}
    wanted = {(a, b) for a, b in graph.edges if b in up} | {
        (a, b) for a, b in graph.edges if a in down and b in heard
    }
    assert pairs(stream_through(topology, node)) == wanted


@given(st.integers(0, 10_000), st.sets(st.integers(0, 5), min_size=1))
@settings(deadline=None, max_examples=30)
def test_a_sub_network_is_all_paths_that_avoid_what_is_excluded(
    seed: int, sources: set[int]
) -> None:
    topology = random_topology(seed=seed, density=0.5)
    graph = graph_of(topology)
    target = Node(2, seed % topology.sizes[2])
    excluded = {Node(0, i) for i in range(6)} - {Node(0, i) for i in sources}
    chosen = [Node(0, i) for i in sorted(sources)]
    tainted = excluded.union(*(nx.descendants(graph, node) for node in excluded))
    free = graph.subgraph((set(graph) - tainted) | {target})
    wanted: set[tuple[Node, Node]] = set()
    for node in chosen:
        if target in free:
            for path in nx.all_simple_paths(free, node, target):
                wanted |= set(itertools.pairwise(path))
    found = sub_network(topology, chosen, [target], excluded)
    assert pairs(found) == wanted
    assert found.n_edges == len(wanted)
    if not excluded:
        return
    whole = sub_network(topology, chosen, [target])
    assert pairs(found) <= pairs(whole)


def test_paths_end_at_a_cut_through_the_network() -> None:
    topology = random_topology(seed=0, density=1.0)
    cut = [Node(1, i) for i in range(topology.sizes[1])]
    found = sub_network(topology, [Node(0, 0), *cut], [topology.output])
    assert found.inputs == ()
    assert found.n_edges == 5 * 4 + 4


def test_the_stream_of_all_inputs_is_all_that_matters(known: Topology) -> None:
    assert pairs(stream_of(known, range(5))) == {
        (Node(0, 0), Node(1, 0)),
        (Node(1, 0), Node(2, 0)),
        (Node(2, 0), Node(3, 0)),
    }
    assert stream_of(known, [1, 3]).n_edges == 0
    assert stream_of(known, [0]).nodes >= {Node(0, 0), Node(3, 0)}


@given(st.integers(0, 10_000), st.floats(0, 1))
@settings(deadline=None, max_examples=20)
def test_json_gives_the_same_network_back(seed: int, density: float) -> None:
    topology = random_topology(seed=seed, density=density)
    again = Topology.from_json(json.loads(json.dumps(topology.to_json())))
    for name in ("weights", "masks", "biases"):
        for a, b in zip(getattr(topology, name), getattr(again, name), strict=True):
            assert np.array_equal(a, b)


def test_json_is_written_with_what_is_known_of_it(
    known: Topology, tmp_path: Path
) -> None:
    known.save_json(tmp_path / "net.json", {"names": {"z0": "size"}})
    values = json.loads((tmp_path / "net.json").read_text(encoding="utf-8"))
    assert values["names"] == {"z0": "size"}
    assert values["active_weights"] == 7
    assert Topology.from_json(values).inputs == (0,)


@pytest.mark.parametrize(
    "change",
    [
        {"format": "something else"},
        {"edges": [[9, 0, 0, 1.0]]},
        {"edges": [[1, -1, 0, 1.0]]},
        {"edges": [[1, 0, 0, "much"]]},
        {"sizes": [5, 3]},
        {"biases": [[0.0]]},
        {"biases": [[0.0] * 3, [0.0] * 2, [float("nan")]]},
    ],
)
def test_damaged_json_is_refused_in_one_sentence(
    known: Topology, change: dict[str, object]
) -> None:
    with pytest.raises(InputError):
        Topology.from_json({**known.to_json(), **change})


def heads(network: BatchedMLP) -> HeadSet:
    return HeadSet(
        scheme=3,
        n_classes=2,
        members=LatentMembers(network),
        calibration=None,  # type: ignore[arg-type]
        report=None,  # type: ignore[arg-type]
    )


def test_the_network_of_a_member_computes_what_the_member_does() -> None:
    network = BatchedMLP((6, 4, 4, 1), [1, 2, 3])
    rng = np.random.default_rng(0)
    network.mask = torch.from_numpy(
        (rng.random(network.parameters.shape) < 0.6).astype(np.float32)
    )
    network.parameters.mul_(network.mask)
    z = rng.normal(size=(50, 6)).astype(np.float32)
    expected = network.outputs(torch.from_numpy(z)).numpy()
    for member in range(3):
        topology = Topology.of(heads(network), member)
        assert topology.sizes == (6, 4, 4, 1)
        np.testing.assert_allclose(outputs(topology, z), expected[member], atol=1e-6)
        assert topology.n_active == int(sum(m[member].sum() for m in network.masks))
    with pytest.raises(InputError, match="no head 3"):
        Topology.of(heads(network), 3)


def test_a_dense_member_is_all_connections_and_its_size_that_of_the_paper() -> None:
    topology = Topology.of(heads(BatchedMLP((32, 16, 16, 16, 1), [0])))
    assert topology.n_active == topology.n_places == 1040
    assert topology.expression_size("tree") == 8641
    assert len(topology.inputs) == 32


def test_a_network_without_inputs_is_constant() -> None:
    network = BatchedMLP((4, 3, 1), [0])
    network.mask = torch.zeros_like(network.parameters)
    topology = Topology.of(heads(network))
    assert topology.is_constant
    assert topology.inputs == ()
    assert topology.n_active == 0


def test_heads_on_crops_are_no_network_of_latents() -> None:
    class Crops:
        n_models = 1
        input = "crops"

    foreign = HeadSet(
        scheme=1,
        n_classes=2,
        members=Crops(),  # type: ignore[arg-type]
        calibration=None,  # type: ignore[arg-type]
        report=None,  # type: ignore[arg-type]
    )
    with pytest.raises(InputError, match="scheme 1"):
        Topology.of(foreign)


def test_arrays_that_do_not_fit_are_refused() -> None:
    ones = np.ones((2, 3))
    with pytest.raises(InputError, match="do not fit"):
        Topology((ones,), (ones > 0,), (np.zeros(3),))
    with pytest.raises(InputError, match="not finite"):
        Topology((ones * np.nan,), (ones > 0,), (np.zeros(2),))
    with pytest.raises(InputError, match="at least one"):
        Topology((), (), ())


def test_nothing_of_it_can_be_changed(known: Topology) -> None:
    with pytest.raises(ValueError, match="read-only"):
        known.weights[0][0, 0] = 5
    with pytest.raises(InputError, match="no neuron 9"):
        known.check(Node(1, 9))
