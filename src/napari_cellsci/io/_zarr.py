"""Zarr arrays and OME-Zarr images (zarr formats 2 and 3), opened lazily."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from napari_cellsci.errors import InputError
from napari_cellsci.io._raw import RawStack, reason
from napari_cellsci.io._units import micrometres, number, seconds, square

_MARKERS = ("zarr.json", ".zarray", ".zgroup", ".zattrs")


def is_zarr(path: Path) -> bool:
    """Whether the folder or ZIP file holds a zarr array or group."""
    if path.is_dir():
        return any((path / marker).exists() for marker in _MARKERS)
    return path.suffix.lower() == ".zip" and _zipped_root(path) is not None


def _zipped_root(path: Path) -> str | None:
    """Return the folder within a ZIP file where its zarr begins, None without one."""
    from zipfile import BadZipFile, ZipFile

    try:
        with ZipFile(path) as archive:
            names = archive.namelist()
    except (BadZipFile, OSError) as error:
        raise InputError(
            f"{path} is not a whole ZIP file ({reason(error)}): copy or export it "
            "again."
        ) from error
    roots = [name.rpartition("/")[0] for name in names if _is_marker(name)]
    return min(roots, key=len, default=None)


def _is_marker(name: str) -> bool:
    return name.rpartition("/")[2] in _MARKERS


def zarr_attributes(path: Path) -> dict[str, Any]:
    """Return the attributes of the array or group at `path`.

    Raises
    ------
    InputError
        If it is not zarr, or is damaged.
    """
    return dict(_open(path).attrs)


def open_zarr(path: Path) -> RawStack:
    """Open an OME-Zarr image or a zarr array.

    A group is read as OME-Zarr (versions 0.1 to 0.5, the finest resolution), as a
    ``bioformats2raw`` collection of one image, or as a group of exactly one array.

    Raises
    ------
    InputError
        If it is not zarr, is damaged, or does not say which image is meant.
    """
    return _read_node(_open(path), path)


def _read_node(node: Any, path: Path) -> RawStack:
    if _is_array(node):
        return describe_array(node)
    attributes = dict(node.attrs)
    ome = attributes.get("ome", attributes)
    if isinstance(ome, Mapping) and ome.get("multiscales"):
        return _open_multiscale(node, ome, path)
    if isinstance(ome, Mapping) and ("plate" in ome or "well" in ome):
        raise InputError(
            f"{path} is a plate of many images: name one of them, for example "
            f"{path.name}/A/1/0."
        )
    return _open_only_child(node, path)


def describe_array(array: Any) -> RawStack:
    """Describe a zarr array by its dimension names, where it has them."""
    names = getattr(array.metadata, "dimension_names", None)
    names = names or array.attrs.get("_ARRAY_DIMENSIONS")
    if not names or len(names) != array.ndim:
        return RawStack(array)
    letters = [_letter({"name": name or ""}) for name in names]
    if len(set(letters)) < len(letters) or not {"Y", "X"} <= {*letters}:
        return RawStack(array)
    return RawStack(array, axes="".join(letters))


def _open(path: Path) -> Any:
    import zarr

    try:
        if path.is_file():
            store = zarr.storage.ZipStore(path, mode="r")
            return zarr.open(store, path=_zipped_root(path) or "", mode="r")
        return zarr.open(path, mode="r")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"{path} cannot be opened as zarr ({reason(error)}): copy or export it "
            "again."
        ) from error


def _is_array(node: Any) -> bool:
    return hasattr(node, "shape")


def _open_only_child(group: Any, path: Path) -> RawStack:
    children = [name for name in sorted(group.keys()) if name.lower() != "ome"]
    if len(children) == 1:
        return _read_node(group[children[0]], path / children[0])
    listed = ", ".join(children[:5]) or "nothing"
    raise InputError(
        f"{path} is a zarr group that holds {listed}, not one image: name the image "
        "inside it."
    )


def _open_multiscale(group: Any, ome: Mapping[str, Any], path: Path) -> RawStack:
    try:
        multiscale = ome["multiscales"][0]
        dataset = multiscale["datasets"][0]
        array = group[dataset["path"]]
        axes = [
            axis if isinstance(axis, Mapping) else {"name": axis}
            for axis in multiscale.get("axes", "tczyx")
        ]
        letters = _letters(axes)
        scale = _scale(len(axes), dataset, multiscale)
        names = (
            [channel.get("label", "") for channel in ome.get("omero", {})["channels"]]
            if ome.get("omero", {}).get("channels")
            else []
        )
    except (KeyError, IndexError, TypeError, AttributeError) as error:
        raise InputError(
            f"{path} is a damaged OME-Zarr image ({reason(error)} is missing): copy or "
            "export it again."
        ) from error
    if not _is_array(array) or array.ndim != len(axes):
        raise InputError(
            f"{path} is a damaged OME-Zarr image: its axes do not fit its array; "
            "export it again."
        )
    unit = {
        letter: axis.get("unit") for letter, axis in zip(letters, axes, strict=True)
    }
    size = dict(zip(letters, scale, strict=True))
    return RawStack(
        array,
        axes=letters,
        pixel_size=square(
            *(micrometres(size.get(axis), unit.get(axis)) for axis in "XY")
        ),
        frame_interval=seconds(size.get("T"), unit.get("T")),
        channel_names=tuple(names) if all(names) else (),
    )


def _letter(axis: Mapping[str, Any]) -> str:
    name = str(axis.get("name", "")).lower()
    if name in ("t", "time", "frame"):
        return "T"
    if name in ("c", "channel", "channels"):
        return "C"
    if name in ("z", "y", "x"):
        return name.upper()
    return {"time": "T", "channel": "C"}.get(str(axis.get("type", "")), "Q")


def _letters(axes: Sequence[Mapping[str, Any]]) -> str:
    letters = [_letter(axis) for axis in axes]
    space = [i for i, axis in enumerate(axes) if axis.get("type") == "space"]
    if not {"Y", "X"} <= {*letters} and len(space) in (2, 3):
        for i, letter in zip(space, "ZYX"[-len(space) :], strict=True):
            letters[i] = letter
    return "".join(letters)


def _scale(
    ndim: int, dataset: Mapping[str, Any], multiscale: Mapping[str, Any]
) -> list[float | None]:
    factors = [
        [number(factor) or 0.0 for factor in transform["scale"]]
        for owner in (dataset, multiscale)
        for transform in owner.get("coordinateTransformations", ())
        if transform.get("type") == "scale"
    ]
    if not factors or any(len(factor) != ndim for factor in factors):
        return [None] * ndim
    return [math.prod(along) for along in zip(*factors, strict=True)]
