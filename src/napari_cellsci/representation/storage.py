"""Tensors and their description on disk: written whole, checked when read."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from napari_cellsci.errors import BundleError, InputError


def write_atomically(path: Path, content: bytes) -> None:
    """Replace a file by `content`; a kill leaves the old or the new one, never half."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write_model(
    folder: Path,
    description: Mapping[str, Any],
    tensors: Mapping[str, Tensor],
    *,
    name: str = "model",
    weights: str = "weights",
) -> None:
    """Write ``<weights>.safetensors``, then ``<name>.json`` that vouches for it.

    Parameters
    ----------
    folder : Path
        Made if needed.
    description : mapping
        JSON values; the name and digest of the weights are added.
    tensors : mapping of str to Tensor
        What the weights file holds.
    name, weights : str
        Stems of the two files.

    Raises
    ------
    InputError
        If the folder cannot be written.
    """
    content = save({key: value.contiguous() for key, value in tensors.items()})
    file = f"{weights}.safetensors"
    record = {
        **description,
        "weights": {"file": file, "sha256": hashlib.sha256(content).hexdigest()},
    }
    text = json.dumps(record, indent=1, allow_nan=False)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_atomically(folder / file, content)
        write_atomically(folder / f"{name}.json", text.encode())
    except OSError as error:
        raise InputError(
            f"{folder} cannot be written ({error.strerror}); free some space or choose "
            "another folder."
        ) from error


def read_model(
    folder: Path, *, kind: str, schema: int, name: str = "model"
) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Read what `write_model` wrote, and trust nothing unchecked.

    Parameters
    ----------
    folder : Path
        Where the files lie.
    kind : str
        What the description must say it is.
    schema : int
        The newest schema this version understands.
    name : str
        Stem of the description.

    Raises
    ------
    BundleError
        If a file is missing, cut, altered, foreign or newer than this version.
    """
    path = folder / f"{name}.json"
    description = _read_description(path)
    if description.get("kind") != kind:
        raise BundleError(f"{path} does not describe {kind}.")
    found = description.get("schema")
    if not isinstance(found, int) or found > schema:
        raise BundleError(
            f"{path} was written by a newer version of napari-cellsci (schema {found}, "
            f"known up to {schema}); update the plugin."
        )
    return description, _read_weights(folder, path, description)


def _read_description(path: Path) -> dict[str, Any]:
    try:
        description = json.loads(path.read_bytes())
    except (FileNotFoundError, NotADirectoryError) as error:
        raise BundleError(f"There is no saved model: {path} is missing.") from error
    except (OSError, ValueError) as error:
        raise BundleError(f"{path} is damaged and cannot be read: {error}.") from error
    if not isinstance(description, dict):
        raise BundleError(f"{path} is damaged: it holds no description.")
    return cast(dict[str, Any], description)


def _read_weights(
    folder: Path, path: Path, description: dict[str, Any]
) -> dict[str, Tensor]:
    try:
        # Only the name counts: a description must not reach outside its folder.
        file = folder / Path(description["weights"]["file"]).name
        digest = description["weights"]["sha256"]
        content = file.read_bytes()
    except (KeyError, TypeError) as error:
        raise BundleError(f"{path} is damaged: it names no weights.") from error
    except OSError as error:
        raise BundleError(f"The weights beside {path} cannot be read.") from error
    if hashlib.sha256(content).hexdigest() != digest:
        raise BundleError(
            f"{file} is damaged or was altered: it does not match {path.name}."
        )
    try:
        return cast(dict[str, Tensor], load(content))
    except SafetensorError as error:
        raise BundleError(f"{file} is not a safetensors file.") from error
