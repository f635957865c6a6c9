"""Bundles on disk: a folder of two files, written whole, and checked on reading."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_cellsci.cells.spec import CropSpec
from napari_cellsci.disk import sync_folder, temporary_name
from napari_cellsci.errors import BundleError, InputError
from napari_cellsci.explain.ood import OodReference
from napari_cellsci.heads.headset import HeadSet
from napari_cellsci.project.pixel_code import PixelCode
from napari_cellsci.project.plain import plain, with_nan
from napari_cellsci.project.trouble import in_words
from napari_cellsci.representation.encoder import Encoder
from napari_cellsci.representation.storage import (
    read_model,
    write_atomically,
    write_model,
)

if TYPE_CHECKING:
    from napari_cellsci.project.bundles import Bundle

KIND = "a napari-cellsci classifier"
SCHEMA = 1
NAMES = "latents"
"""Key of the latents' names, which decide no score."""


def describe(bundle: Bundle) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Return the JSON values and the tensors that a bundle consists of."""
    described = {
        "kind": KIND,
        "schema": SCHEMA,
        "name": bundle.name,
        "spec": bundle.spec.to_dict(),
        "classes": list(bundle.classes),
        "heads": bundle.heads.meta(),
        "ood": bundle.ood.meta(),
        "encoder": None if bundle.encoder is None else bundle.encoder.meta(),
        "pixels": None if bundle.pixels is None else bundle.pixels.meta(),
        "record": dict(bundle.record),
    }
    if bundle.latent_names:
        described[NAMES] = dict(sorted(bundle.latent_names.items()))
    rooms: dict[str, Mapping[str, Tensor]] = {
        "heads": bundle.heads.state_dict(),
        "ood": _as_tensors(bundle.ood.arrays()),
    }
    if bundle.encoder is not None:
        rooms["encoder"] = bundle.encoder.state_dict()
    if bundle.pixels is not None:
        rooms["pixels"] = _as_tensors(bundle.pixels.arrays())
    tensors = {
        f"{room}.{name}": tensor
        for room, found in rooms.items()
        for name, tensor in found.items()
    }
    # As it will be read back: the digest is taken of this form.
    return {key: plain(value) for key, value in described.items()}, tensors


def digest(described: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> str:
    """Return the SHA-256 of what `describe` returns."""
    found = hashlib.sha256(json.dumps(described, sort_keys=True).encode())
    for name, tensor in sorted(tensors.items()):
        array = tensor.detach().cpu().contiguous().numpy()
        found.update(f"{name} {array.dtype.str} {array.shape}".encode())
        found.update(array.tobytes())
    return found.hexdigest()


def save(bundle: Bundle, folder: Path) -> None:
    """Write a bundle; see `Bundle.save`."""
    if folder.exists() and not (folder / "model.json").is_file():
        raise InputError(f"{folder} exists and is not a classifier: choose another.")
    described, tensors = describe(bundle)
    described["digest"] = digest(described, tensors)
    with in_words(folder):
        folder.parent.mkdir(parents=True, exist_ok=True)
        temporary = folder.parent / f"{temporary_name()}-{folder.name}"
        try:
            write_model(temporary, described, tensors)
            _put(temporary, folder)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)


def rename_latents(folder: Path, names: Mapping[int, str]) -> None:
    """Give the latents of a saved bundle other names; the weights stay as they are.

    Raises
    ------
    BundleError
        If the bundle is damaged.
    """
    described, tensors = read_model(folder, kind=KIND, schema=SCHEMA)
    weights = described.pop("weights")
    if described.pop("digest", None) != digest(described, tensors):
        raise BundleError(f"{folder / 'model.json'} was altered after it was saved.")
    wanted = {str(index): name for index, name in sorted(names.items())}
    if described.pop(NAMES, {}) == wanted:
        return
    if wanted:
        described[NAMES] = wanted
    described["digest"] = digest(described, tensors)
    text = json.dumps({**described, "weights": weights}, indent=1, allow_nan=False)
    with in_words(folder):
        write_atomically(folder / "model.json", text.encode())


def _put(new: Path, place: Path) -> None:
    """Give a finished folder its name; an older folder of that name goes."""
    old = place.with_name(f"{temporary_name()}-old")
    if place.exists():
        os.rename(place, old)
    try:
        os.rename(new, place)
    except OSError:
        if old.exists():
            os.rename(old, place)
        raise
    sync_folder(place.parent)
    shutil.rmtree(old, ignore_errors=True)


def load(folder: Path) -> dict[str, Any]:
    """Read and check what `save` wrote; return the fields of `Bundle`.

    Raises
    ------
    BundleError
        If a file is missing, cut, altered, foreign, or of a newer schema.
    """
    described, tensors = read_model(folder, kind=KIND, schema=SCHEMA)
    described.pop("weights", None)
    if described.pop("digest", None) != digest(described, tensors):
        raise BundleError(
            f"{folder / 'model.json'} was altered after it was saved: get a fresh copy "
            "of the classifier."
        )
    try:
        return _fields(described, tensors)
    except BundleError:
        raise
    except (KeyError, TypeError, ValueError) as error:
        raise BundleError(
            f"{folder} cannot be read as a classifier: {error}."
        ) from error


def _fields(
    described: Mapping[str, Any], tensors: Mapping[str, Tensor]
) -> dict[str, Any]:
    # A class without held-out cells has no recall; JSON cannot say so otherwise.
    report = with_nan(described["heads"]["report"])
    heads = {**described["heads"], "report": report}
    ood = _as_arrays(_room(tensors, "ood"))
    encoder = pixels = None
    if described["encoder"] is not None:
        state = _room(tensors, "encoder")
        encoder = Encoder.from_state(described["encoder"], state)
    if described["pixels"] is not None:
        arrays = _as_arrays(_room(tensors, "pixels"))
        pixels = PixelCode.from_arrays(described["pixels"], arrays)
    return {
        "name": str(described["name"]),
        "spec": CropSpec.from_dict(described["spec"]),
        "classes": tuple(described["classes"]),
        "heads": HeadSet.from_state(heads, _room(tensors, "heads")),
        "ood": OodReference.from_arrays(described["ood"], ood),
        "encoder": encoder,
        "pixels": pixels,
        "record": dict(described["record"]),
        "latent_names": _latent_names(described.get(NAMES, {})),
    }


def _latent_names(found: Any) -> dict[int, str]:
    """Read names by number; what they hold is checked by the bundle."""
    if not isinstance(found, dict):
        raise TypeError("the names of its latents are no table")
    return {int(index): name for index, name in found.items()}


def _room(tensors: Mapping[str, Tensor], room: str) -> dict[str, Tensor]:
    start = f"{room}."
    return {
        name.removeprefix(start): tensor
        for name, tensor in tensors.items()
        if name.startswith(start)
    }


def _as_tensors(arrays: Mapping[str, NDArray[np.float32]]) -> dict[str, Tensor]:
    return {name: torch.from_numpy(array.copy()) for name, array in arrays.items()}


def _as_arrays(tensors: Mapping[str, Tensor]) -> dict[str, NDArray[Any]]:
    return {name: tensor.numpy() for name, tensor in tensors.items()}
