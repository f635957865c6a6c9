"""Lineage graphs cut into tracks, against networkx."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_cellsci.io._lineage import segments

nx = pytest.importorskip("networkx")


def test_a_division_makes_three_segments() -> None:
    nodes, frames = [10, 11, 12, 13, 14], [0, 1, 2, 2, 3]
    edges = [(10, 11), (11, 12), (11, 13), (13, 14)]
    segment, graph = segments(nodes, frames, edges)
    assert segment.tolist() == [1, 1, 2, 3, 3]
    assert graph == {2: [1], 3: [1]}


def test_a_merge_names_both_parents() -> None:
    segment, graph = segments([1, 2, 3], [0, 0, 1], [(1, 3), (3, 2)])
    assert segment.tolist() == [1, 2, 3]
    assert graph == {3: [1, 2]}


def test_no_edges_and_unknown_spots() -> None:
    segment, graph = segments([5, 6], [0, 1], np.empty((0, 2), int))
    assert (segment.tolist(), graph) == ([1, 2], {})
    segment, graph = segments([5, 6], [0, 1], [(5, 99), (99, 6)])
    assert (segment.tolist(), graph) == ([1, 2], {})


@settings(deadline=None, max_examples=60)
@given(st.data())
def test_segments_equal_a_graph_library(data: st.DataObject) -> None:
    n = data.draw(st.integers(1, 12))
    frames = data.draw(st.lists(st.integers(0, 6), min_size=n, max_size=n))
    ids = data.draw(st.permutations(range(100, 100 + n)))
    pairs = [(i, j) for i in range(n) for j in range(n) if frames[i] < frames[j]]
    chosen = data.draw(st.lists(st.sampled_from(pairs), unique=True)) if pairs else []
    flipped = [
        (ids[j], ids[i]) if k % 2 else (ids[i], ids[j])
        for k, (i, j) in enumerate(chosen)
    ]
    segment, graph = segments(ids, frames, flipped)

    full = nx.DiGraph(chosen)
    full.add_nodes_from(range(n))
    through = [
        (i, j) for i, j in chosen if full.out_degree(i) == 1 and full.in_degree(j) == 1
    ]
    parts = nx.Graph(through)
    parts.add_nodes_from(range(n))
    expected = {frozenset(part) for part in nx.connected_components(parts)}
    found = {frozenset(np.flatnonzero(segment == s).tolist()) for s in set(segment)}
    assert found == expected
    assert set(segment.tolist()) == set(range(1, len(expected) + 1))
    links = {(segment[j], segment[i]) for i, j in chosen if (i, j) not in through}
    assert {(c, p) for c, parents in graph.items() for p in parents} == links
