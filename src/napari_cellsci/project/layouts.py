"""Planes in which all cells of a project are laid out: made once, then read."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from napari_cellsci.project import codes
from napari_cellsci.project.arrays import Key
from napari_cellsci.project.bench import Bench
from napari_cellsci.tasks import CancelToken, OnEvent, ignore

if TYPE_CHECKING:
    from napari_cellsci.representation.encoder import Encoder

_STEM = "umap-"


def umap(
    bench: Bench,
    encoder: Encoder,
    *,
    on_event: OnEvent = ignore,
    token: CancelToken | None = None,
) -> NDArray[np.float32]:
    """Return the UMAP (n, 2) of all cells' latents; another cell makes it anew."""
    from napari_cellsci.representation.umap_layout import umap_layout

    infos = bench.movies()
    key = Key("latents", encoder.hash, f"{_STEM}{sum(i.n_cells for i in infos)}")
    parts = [bench.rooms.load(key, info.id) for info in infos]
    known = [part for part in parts if part is not None]
    if len(known) == len(infos):
        return np.concatenate(known)
    z, _ = codes.latents(bench, encoder, on_event=on_event, token=token)
    active = encoder.active
    plane = umap_layout(
        z[:, active] if active.any() else z, on_event=on_event, token=token
    )
    _keep(bench, key, plane)
    return plane


def kept_umap(bench: Bench, encoder: Encoder) -> bool:
    """Return whether the UMAP of all present cells has been made."""
    infos = bench.movies()
    key = Key("latents", encoder.hash, f"{_STEM}{sum(i.n_cells for i in infos)}")
    return all(bench.rooms.load(key, info.id) is not None for info in infos)


def _keep(bench: Bench, key: Key, plane: NDArray[np.float32]) -> None:
    """Save a plane in place of those of fewer cells."""
    with bench.rooms.writing() as writer:
        for info in bench.movies():
            name = f"{info.name}.{key.variant}"
            writer.save(key, plane[info.rows], movie_id=info.id, file_name=name)
        writer.flush()
        with bench.store.transaction() as inside:
            inside.execute(
                "DELETE FROM arrays WHERE kind = ? AND key = ? AND variant LIKE ?",
                (key.kind, key.made_by, f"{_STEM}%"),
            )
            writer.register(inside)
