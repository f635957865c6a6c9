"""From spots and links to tracks that neither split nor merge."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt


def segments(
    nodes: npt.ArrayLike, t: npt.ArrayLike, edges: npt.ArrayLike
) -> tuple[npt.NDArray[np.int64], dict[int, list[int]]]:
    """Cut a lineage graph at its splits and merges.

    Parameters
    ----------
    nodes : array (N,)
        Ids of the spots.
    t : array (N,)
        Their frames.
    edges : array (M, 2)
        Pairs of ids; an edge runs from the earlier spot to the later one. Edges to
        unknown spots, or within a frame, are left out.

    Returns
    -------
    segment : ndarray (N,) of int64
        The segment of each spot, numbered from 1 by first frame, then by spot order.
    graph : dict
        Parents of each segment that has some.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    ids, frames = np.asarray(nodes), np.asarray(t)
    n = len(ids)
    source, target = _positions(ids, frames, np.asarray(edges).reshape(-1, 2))
    out = np.bincount(source, minlength=n)
    into = np.bincount(target, minlength=n)
    goes_on = (out[source] == 1) & (into[target] == 1)
    links = coo_array(
        (np.ones(int(goes_on.sum())), (source[goes_on], target[goes_on])), shape=(n, n)
    )
    _, component = connected_components(links, directed=False)
    order = np.lexsort((np.arange(n), frames))
    _, first = np.unique(component[order], return_index=True)
    number = np.empty(len(first), np.int64)
    number[np.argsort(first)] = np.arange(1, len(first) + 1)
    segment = number[component]
    graph: dict[int, list[int]] = {}
    for parent, child in sorted(
        set(zip(segment[source[~goes_on]], segment[target[~goes_on]], strict=True))
    ):
        graph.setdefault(int(child), []).append(int(parent))
    return segment, graph


def _positions(
    ids: npt.NDArray[Any], frames: npt.NDArray[Any], edges: npt.NDArray[Any]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    if not len(ids) or not len(edges):
        return np.empty(0, np.int64), np.empty(0, np.int64)
    order = np.argsort(ids, kind="stable")
    at = np.minimum(np.searchsorted(ids, edges, sorter=order), len(ids) - 1)
    rows = order[at]
    rows = rows[(ids[rows] == edges).all(axis=1)]
    rows = rows[frames[rows[:, 0]] != frames[rows[:, 1]]]
    later = np.argsort(frames[rows], axis=1, kind="stable")
    rows = np.unique(np.take_along_axis(rows, later, axis=1), axis=0)
    return rows[:, 0], rows[:, 1]
