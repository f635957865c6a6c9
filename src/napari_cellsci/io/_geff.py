"""Tracks from the Graph Exchange File Format (GEFF)."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from napari_cellsci.errors import InputError
from napari_cellsci.io._label_images import open_labels
from napari_cellsci.io._lazy import ArrayLike
from napari_cellsci.io._lineage import segments
from napari_cellsci.io._raw import reason
from napari_cellsci.io._table import Tracks, tracks_from_table
from napari_cellsci.io._units import is_length, micrometres
from napari_cellsci.tasks import Log, OnEvent, ignore


def read_geff(
    path: Path, *, pixel_size: float | None = None, on_event: OnEvent = ignore
) -> Tracks:
    """Read a lineage graph; tracks are its tracklets, or its unbranched stretches.

    Node properties that are plain numbers become columns. Positions in a physical unit
    are divided by `pixel_size` (µm). Label images that the graph names as related are
    its masks; where they cannot be used, a warning says so.

    Raises
    ------
    InputError
        If the package geff is not installed, the file is not valid, has no time or
        position, or its unit needs a pixel size that is not given.

    Notes
    -----
    Source: liveimagetrackingtools.org/geff, specification 1.
    """
    try:
        from geff import GeffReader
    except ImportError as error:
        raise InputError(
            f"Reading {path.name} needs the package geff: install it with "
            "pip install 'napari-cellsci[geff]'."
        ) from error
    try:
        reader = GeffReader(path)
        reader.read_node_props()
        graph = reader.build()
    except Exception as error:  # geff passes on whatever zarr and pydantic raise
        raise InputError(
            f"{path.name} is not a valid GEFF ({reason(error)}): export it again."
        ) from error
    metadata = graph["metadata"]
    properties = {name: _plain(values) for name, values in graph["node_props"].items()}
    table = pd.DataFrame({k: v for k, v in properties.items() if v is not None})
    axes = _axes(metadata, table, path.name)
    for name, axis in axes.items():
        table[name] = table[axis.name if hasattr(axis, "name") else axis]
        if name != "t":
            table[name] = _pixels(table[name], axis, pixel_size, path.name)
    ids, parents = _tracks_of(graph, metadata, table)
    table["track_id"] = ids
    table["node"] = graph["node_ids"].astype(np.float64)
    table = table.drop(columns=["parent", "label_id"], errors="ignore")
    place, masks, named = _masks(path, metadata, on_event)
    tracked = False
    if named is not None and named in table and not table[named].isna().any():
        table["label_id"] = table[named].to_numpy(np.int64)
        tracked = bool((table["label_id"] == table["track_id"]).all())
    return tracks_from_table(
        table,
        graph=parents,
        masks=masks,
        masks_tracked=tracked and masks is not None,
        masks_path=place,
        name=path.name,
    )


def _masks(
    path: Path, metadata: Any, on_event: OnEvent
) -> tuple[Path | None, ArrayLike | None, str | None]:
    """Return place and pixels of the label images, and what names a node's label."""
    related = [one for one in metadata.related_objects or () if one.type == "labels"]
    if not related:
        return None, None, None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # reading the older name is deprecated
        named = getattr(related[0], "node_prop", None) or related[0].label_prop
    place = (path / related[0].path).resolve()
    try:
        if not place.exists():
            raise InputError(f"There is no file or folder {place}.")
        return place, open_labels(place), named
    except InputError as error:
        sentence = f"The masks that {path.name} names are not used: {error}"
        on_event(Log(sentence, "warning"))
        return None, None, named


def _plain(values: dict[str, Any]) -> npt.NDArray[Any] | None:
    """Return a property of one number a node, NaN where it is missing."""
    array = np.asarray(values["values"])
    if array.ndim != 1 or array.dtype.kind not in "uifb":
        return None
    missing = values.get("missing")
    if missing is None or not missing.any():
        return array
    return np.where(missing, np.nan, array.astype(np.float64))


def _axes(metadata: Any, table: pd.DataFrame, name: str) -> dict[str, Any]:
    axes = {axis.name: axis for axis in metadata.axes or ()}
    time = [axis for axis in axes.values() if axis.type == "time"]
    space = [axis for axis in axes.values() if axis.type == "space"]
    found: dict[str, Any] = {}
    for column in ("t", "z", "y", "x"):
        if column in axes:
            found[column] = axes[column]
        elif not axes and column in table:
            found[column] = column
    if "t" not in found and len(time) == 1:
        found["t"] = time[0]
    if not {"y", "x"} <= found.keys() and len(space) in (2, 3):
        found.update(zip("zyx"[3 - len(space) :], space, strict=True))
    if not {"t", "y", "x"} <= found.keys():
        raise InputError(
            f"{name} does not say which properties are time and position: export it "
            "with the axes t, y and x."
        )
    return found


def _pixels(
    values: pd.Series[Any], axis: Any, pixel_size: float | None, name: str
) -> pd.Series[Any]:
    unit = getattr(axis, "unit", None)
    if not is_length(unit):
        return values
    if pixel_size is None:
        raise InputError(
            f"The positions in {name} are in {unit}: give the pixel size (µm) to turn "
            "them into pixels."
        )
    return values * ((micrometres(1.0, unit) or 1.0) / pixel_size)


def _tracks_of(
    graph: Any, metadata: Any, table: pd.DataFrame
) -> tuple[npt.NDArray[np.int64], dict[int, list[int]]]:
    nodes, edges = graph["node_ids"], graph["edge_ids"]
    named = (metadata.track_node_props or {}).get("tracklet")
    if named is None or named not in table or table[named].isna().any():
        return segments(nodes, table["t"], edges)
    ids = table[named].to_numpy(np.int64)
    track_of = dict(zip(nodes.tolist(), ids.tolist(), strict=True))
    pairs = {
        (track_of[child], track_of[parent])
        for parent, child in np.asarray(edges).reshape(-1, 2).tolist()
        if track_of[child] != track_of[parent]
    }
    parents: dict[int, list[int]] = {}
    for child, parent in sorted(pairs):
        parents.setdefault(child, []).append(parent)
    return ids, parents
