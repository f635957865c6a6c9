"""Which encoder is meant: one of the project, of a bundle, of a folder, or shipped."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TypeAlias

from napari_cellsci.errors import InputError
from napari_cellsci.project.bench import Bench
from napari_cellsci.project.bundles import (
    Bundle,
    shipped_bundle,
    shipped_encoder_hash,
)
from napari_cellsci.project.latent_names import adopt
from napari_cellsci.project.models import (
    SHIPPED,
    load_bundle,
    load_encoder,
    read_bundles,
    read_encoders,
)
from napari_cellsci.representation.encoder import KIND as ENCODER_KIND
from napari_cellsci.representation.encoder import Encoder

EncoderLike: TypeAlias = str | os.PathLike[str] | Bundle | Encoder | None


def find_encoder(bench: Bench, source: EncoderLike) -> Encoder | None:
    """Return the encoder that is meant: an object, a name, "shipped", or a folder.

    Raises
    ------
    InputError
        If there is nothing like that.
    """
    if source is None or isinstance(source, Encoder):
        return source
    if isinstance(source, Bundle):
        return _of_bundle(bench, source)
    name = os.fspath(source)
    if name == SHIPPED:
        return _of_bundle(bench, shipped_bundle())
    if name in [info.name for info in read_encoders(bench)]:
        return load_encoder(bench, name)
    if name in [info.name for info in read_bundles(bench)]:
        return _of_bundle(bench, load_bundle(bench, name))
    if (Path(name) / "model.json").is_file():
        return _load_folder(bench, Path(name))
    known = ", ".join(info.name for info in read_encoders(bench)) or "none yet"
    raise InputError(
        f"There is no encoder {name!r}: the project has {known}; {SHIPPED!r} and "
        "folders of saved classifiers work too."
    )


def encoder_name(bench: Bench, encoder: Encoder, asked: EncoderLike = None) -> str:
    """Return the name by which `find_encoder` finds an encoder.

    Of one that is neither the project's nor the shipped one, what it was asked for by,
    or its hash.
    """
    for info in read_encoders(bench):
        if info.hash == encoder.hash:
            return info.name
    if encoder.hash == shipped_encoder_hash():
        return SHIPPED
    return asked if isinstance(asked, str) else encoder.hash


def _of_bundle(bench: Bench, bundle: Bundle) -> Encoder:
    """Return a bundle's encoder, and keep what its latents are called."""
    if bundle.encoder is None:
        raise InputError(f"The classifier {bundle.name!r} has no encoder.")
    adopt(bench, bundle)
    return bundle.encoder


def _load_folder(bench: Bench, folder: Path) -> Encoder:
    try:
        description = json.loads((folder / "model.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        description = None
    if isinstance(description, dict) and description.get("kind") == ENCODER_KIND:
        return Encoder.load(folder)
    return _of_bundle(bench, Bundle.load(folder))
