"""Tracks from the HDF5 files of btrack, read without btrack."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from napari_cellsci.errors import InputError
from napari_cellsci.io._label_images import labels_at
from napari_cellsci.io._lazy import ArrayLike, HDF5Array
from napari_cellsci.io._raw import reason
from napari_cellsci.io._table import ALIASES, Tracks, tracks_from_table

if TYPE_CHECKING:
    import h5py

_COMPARE: dict[str, Callable[[Any, float], npt.NDArray[np.bool_]]] = {
    ">": operator.gt,
    "<": operator.lt,
    ">=": operator.ge,
    "<=": operator.le,
    "==": operator.eq,
    "=": operator.eq,
}


@dataclass(frozen=True)
class _Kind:
    """Points and lineage of one object type; coordinates as (t, first, second, z)."""

    ids: npt.NDArray[np.int64]
    coords: npt.NDArray[np.float64]
    dummy: npt.NDArray[np.bool_]
    columns: dict[str, npt.NDArray[Any]]
    lineage: npt.NDArray[np.int64]


def read_btrack(path: Path) -> Tracks:
    """Read btrack's ``.h5``: every object type that has tracks.

    Beside the usual columns there are ``root``, ``generation``, ``fate``, ``state``
    (the class btrack was given, -1 where it filled a gap), ``dummy`` (1 where it filled
    a gap) and the objects' own properties. Later object types get track ids after those
    of the earlier ones.

    The format says that coordinates are (t, x, y, z), and gap fillers always are, but
    some files hold their objects as (t, y, x). Where the file has label images or gap
    fillers, they decide; otherwise the format is believed.

    Raises
    ------
    InputError
        If it is not such a file, or is cut.

    Notes
    -----
    Source: btrack 0.4 to 0.7, ``btrack/io/hdf.py``.
    """
    import h5py

    try:
        with h5py.File(path, "r") as file:
            kinds = [
                _read_kind(file, name)
                for name in sorted(file["tracks"])
                if "tracks" in file[f"tracks/{name}"]
            ]
            masks = _masks(file, path)
    except InputError:
        raise
    except (OSError, KeyError, ValueError, IndexError, RuntimeError) as error:
        raise InputError(
            f"{path.name} is not a whole btrack file ({reason(error)}): track "
            "again, or choose the .h5 file that btrack wrote with its tracks."
        ) from error
    if not kinds:
        raise InputError(f"{path.name} holds no tracks: choose another file.")
    return _join(kinds, masks, path.name)


def _read_kind(file: h5py.File, name: str) -> _Kind:
    group, objects = file[f"tracks/{name}"], file[f"objects/{name}"]
    coords = objects["coords"][:].astype(np.float64)
    chosen = _filtered(objects, len(coords), group.attrs.get("f_expr"))
    fillers = group["dummies"][:] if "dummies" in group else np.empty((0, 5))
    refs = group["tracks"][:].astype(np.int64)
    lengths = np.diff(group["map"][:].astype(np.int64), axis=1)[:, 0]
    lineage = group["LBEPR"][:].astype(np.int64)
    fates = group["fates"][:] if "fates" in group else np.zeros(len(lineage), int)
    dummy = refs < 0
    rows = chosen[np.where(dummy, 0, refs)]
    points = np.where(
        dummy[:, None],
        fillers[np.where(dummy, -refs - 1, 0), :4] if dummy.any() else 0.0,
        coords[rows, :4],
    )
    columns: dict[str, npt.NDArray[Any]] = {"dummy": dummy.astype(np.int64)}
    labels = objects["labels"][:, 0] if "labels" in objects else np.zeros(len(coords))
    columns["state"] = np.where(dummy, -1, labels[rows]).astype(np.int64)
    if lineage.shape[1] > 5:
        columns["generation"] = np.repeat(lineage[:, 5], lengths)
    columns["root"] = np.repeat(lineage[:, 4], lengths)
    columns["fate"] = np.repeat(
        np.asarray(fates).reshape(len(lineage), -1)[:, 0], lengths
    )
    for key, values in objects.get("properties", {}).items():
        if key not in ALIASES and values.shape in ((len(coords),), (len(coords), 1)):
            flat = values[:].reshape(-1).astype(np.float64)
            columns.setdefault(key, np.where(dummy, np.nan, flat[rows]))
    return _Kind(np.repeat(lineage[:, 0], lengths), points, dummy, columns, lineage)


def _filtered(objects: h5py.Group, n: int, expression: Any) -> npt.NDArray[np.int64]:
    """Rows of the objects that were tracked; the filter is such as ``area>100``."""
    if expression is None:
        return np.arange(n)
    text = expression.decode() if isinstance(expression, bytes) else str(expression)
    match = re.fullmatch(r"\s*(\w+)\s*([<>=]+)\s*([0-9.]+)\s*", text)
    if match is None or match[2] not in _COMPARE:
        raise InputError(
            f"The objects were filtered by {text!r} before tracking, which cannot be "
            "repeated: export the tracks as CSV from napari."
        )
    where = objects.get("properties", objects)
    values = where[match[1]][:].reshape(n, -1)[:, 0]
    return np.flatnonzero(_COMPARE[match[2]](values, float(match[3])))


def _masks(file: h5py.File, path: Path) -> ArrayLike | None:
    if "segmentation/images" not in file or file["segmentation/images"].ndim != 3:
        return None
    return HDF5Array(path, "segmentation/images")


def _join(kinds: list[_Kind], masks: ArrayLike | None, name: str) -> Tracks:
    tables, graph, offset = [], {}, 0
    for number, kind in enumerate(kinds, start=1):
        swapped = _objects_are_yx(kind, masks)
        first, second = kind.coords[:, 1], kind.coords[:, 2]
        as_yx = np.full(len(first), swapped) & ~kind.dummy
        table = pd.DataFrame(
            {
                "track_id": kind.ids + offset,
                "t": kind.coords[:, 0],
                "y": np.where(as_yx, first, second),
                "x": np.where(as_yx, second, first),
                **kind.columns,
            }
        )
        table["root"] += offset
        if np.any(kind.coords[~kind.dummy, 3]):
            table["z"] = kind.coords[:, 3]
        if len(kinds) > 1:
            table["object_type"] = number
        tables.append(table)
        for child, _, _, parent in kind.lineage[:, :4].tolist():
            if parent not in (0, child):
                graph[child + offset] = [parent + offset]
        offset += int(kind.lineage[:, 0].max(initial=0))
    joined = pd.concat(tables, ignore_index=True)
    if masks is not None:
        joined["label_id"] = labels_at(masks, joined)
    return tracks_from_table(joined, graph=graph, masks=masks, name=name)


def _objects_are_yx(kind: _Kind, masks: ArrayLike | None) -> bool:
    if masks is not None:
        as_read, swapped = (
            np.count_nonzero(labels_at(masks, _points(kind, order)))
            for order in ((2, 1), (1, 2))
        )
        return bool(swapped > as_read)
    fillers = np.flatnonzero(kind.dummy)
    before = fillers - 1
    usable = (
        (before >= 0) & ~kind.dummy[before] & (kind.ids[before] == kind.ids[fillers])
    )
    here, there = kind.coords[fillers[usable]], kind.coords[before[usable]]
    straight = np.abs(here[:, [1, 2]] - there[:, [1, 2]]).sum()
    crossed = np.abs(here[:, [1, 2]] - there[:, [2, 1]]).sum()
    return bool(crossed < straight)


def _points(kind: _Kind, order: tuple[int, int]) -> pd.DataFrame:
    real = kind.coords[~kind.dummy]
    return pd.DataFrame(
        {"t": real[:, 0], "y": real[:, order[0]], "x": real[:, order[1]]}
    )
