"""Link the objects of per-frame masks into tracks with divisions."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Sequence
from itertools import count
from typing import Any, TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from napari_cellsci.cells._masks import Labels, check_masks, read_labels
from napari_cellsci.errors import InputError
from napari_cellsci.io.tracks import Tracks
from napari_cellsci.tasks import CancelToken, OnEvent, Progress, ignore

Node: TypeAlias = tuple[int, int]
"""An object: its frame and its index there."""
Edge: TypeAlias = tuple[Node, Node]
Points: TypeAlias = NDArray[np.float64]
SPLIT_REACH = 1.25
"""Daughters part faster than cells move: how much farther they may be than a link."""


def link_masks(
    masks: Any,
    *,
    max_distance: float | None = None,
    max_gap: int = 1,
    splits: bool = True,
    on_event: OnEvent = ignore,
    token: CancelToken | None = None,
) -> Tracks:
    """Link objects from frame to frame by linear assignment (laptrack).

    Links, gaps and divisions as in Jaqaman et al., Nature Methods 5 (2008), with the
    squared distance between centroids as cost.

    Parameters
    ----------
    masks : array-like (T, Y, X) of integer labels
        0 is background; the same object may have another label in each frame. Each
        frame is read once.
    max_distance : float, optional
        How far a cell may move between frames (px); the median diameter of the objects
        unless given.
    max_gap : int
        Frames a cell may be missing.
    splits : bool
        Whether a cell may divide into two.
    on_event, token
        Listener and cancel token.

    Returns
    -------
    Tracks
        Ids count from 1 in order of appearance; a division ends its track and begins
        one for each daughter. ``label_id`` is the object's label in its frame.

    Raises
    ------
    InputError
        If the masks have no objects or other axes, or `max_distance` is not positive.
    Cancelled
        If the token asks for it.
    """
    token = token or CancelToken()
    check_masks(masks)
    if max_distance is not None and not 0 < max_distance < np.inf:
        raise InputError(
            f"The largest distance between frames must be positive, not {max_distance}."
        )
    frames = []
    for t in range(masks.shape[0]):
        token.raise_if_cancelled()
        frames.append(find_objects(read_labels(masks, t)))
        on_event(Progress("Reading masks", t + 1, masks.shape[0]))
    objects = pd.concat(frames, keys=range(len(frames)), names=["t", "index"])
    if not len(objects):
        raise InputError("The masks have no objects: every pixel is background (0).")
    if max_distance is None:
        max_distance = float(2 * np.sqrt(objects["area"].median() / np.pi))
    on_event(Progress("Linking objects", 0, 0))
    edges = _link(frames, max_distance, max_gap, splits, token)
    token.raise_if_cancelled()
    table, graph = _tracks_of(objects, edges)
    return Tracks(table=table, graph=graph, masks=masks, masks_tracked=False)


def find_objects(labels: Labels) -> pd.DataFrame:
    """Return ``label_id, y, x, area`` (px) of the objects of one frame, by label."""
    rows, columns = np.nonzero(labels > 0)
    ids, which, area = np.unique(
        labels[rows, columns], return_inverse=True, return_counts=True
    )
    return pd.DataFrame(
        {
            "label_id": ids.astype(np.int64),
            "y": np.bincount(which, rows, len(ids)) / area,
            "x": np.bincount(which, columns, len(ids)) / area,
            "area": area,
        }
    )


class _Watched(Sequence[Points]):
    """Points by frame that can be had until the token is cancelled.

    laptrack takes no token, but it comes back for the points of a frame again and
    again.

    Parameters
    ----------
    points : sequence of array (n, 2)
    token : CancelToken
    """

    def __init__(self, points: Sequence[Points], token: CancelToken) -> None:
        self._points, self._token = points, token

    def __len__(self) -> int:
        return len(self._points)

    def __getitem__(self, index: Any) -> Any:
        self._token.raise_if_cancelled()
        found = self._points[index]
        return _Watched(found, self._token) if isinstance(index, slice) else found


def _link(
    frames: list[pd.DataFrame],
    max_distance: float,
    max_gap: int,
    splits: bool,
    token: CancelToken,
) -> list[Edge]:
    """Return the links between objects, each (frame, index within it), in time."""
    points = [frame[["y", "x"]].to_numpy() for frame in frames]
    reach = (SPLIT_REACH * max_distance) ** 2 if splits else False
    # Left to itself, laptrack guesses from the data what it costs to leave an end
    # open, and then denies the only division of a short movie.
    open_end = reach or max_distance**2
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from laptrack import LapTrack

        tracker = LapTrack(
            cutoff=max_distance**2,
            gap_closing_cutoff=max_distance**2 if max_gap > 0 else False,
            gap_closing_max_frame_count=max_gap + 1,
            splitting_cutoff=reach,
            segment_start_cost=open_end,
            segment_end_cost=open_end,
            no_splitting_cost=open_end,
            no_merging_cost=open_end,
        )
        found = tracker.predict(_Watched(points, token))
    edges = sorted(
        ((int(a), int(i)), (int(b), int(j))) for (a, i), (b, j) in found.edges()
    )
    return _without_far_heirs(edges, points, max_distance)


def _without_far_heirs(
    edges: list[Edge], points: list[Points], max_distance: float
) -> list[Edge]:
    """Drop divisions into one: links that only the reach of divisions allowed."""
    branches = Counter(source for source, _ in edges)
    return [
        ((a, i), (b, j))
        for (a, i), (b, j) in edges
        if branches[a, i] > 1 or np.hypot(*(points[b][j] - points[a][i])) < max_distance
    ]


def _tracks_of(
    objects: pd.DataFrame, edges: list[Edge]
) -> tuple[pd.DataFrame, dict[int, list[int]]]:
    """Cut the forest of links into tracks without branches."""
    before = {target: source for source, target in edges}
    branches = Counter(source for source, _ in edges)
    track: dict[Node, int] = {}
    graph: dict[int, list[int]] = {}
    fresh = count(1)
    for node in objects.index:
        source = before.get(node)
        if source is not None and branches[source] == 1:
            track[node] = track[source]
            continue
        track[node] = next(fresh)
        if source is not None:
            graph[track[node]] = [track[source]]
    table = objects.reset_index()
    table["track_id"] = list(track.values())
    table["parent"] = [graph.get(i, [0])[0] for i in track.values()]
    columns = ["track_id", "t", "y", "x", "parent", "label_id"]
    table = table[columns].sort_values(["track_id", "t"], ignore_index=True)
    whole = dict.fromkeys(["track_id", "t", "parent", "label_id"], np.int64)
    return table.astype(whole), graph
