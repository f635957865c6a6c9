"""Crops of a whole project: cut once, then read from disk."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_cellsci.cells.spec import CropSpec
from napari_cellsci.errors import BundleError, InputError
from napari_cellsci.project.arrays import Key
from napari_cellsci.project.bench import Bench
from napari_cellsci.project.creation import cut_into
from napari_cellsci.project.crop_store import CropStore
from napari_cellsci.project.models import read_encoders
from napari_cellsci.project.movies import MovieInfo
from napari_cellsci.tasks import CancelToken, Log, OnEvent, ignore


def crops(
    bench: Bench,
    spec: CropSpec | None = None,
    *,
    on_event: OnEvent = ignore,
    token: CancelToken | None = None,
) -> CropStore:
    """Return the crops of all cells, cutting those that were never cut this way.

    Raises
    ------
    ProjectError
        If a movie is needed for that and is gone or changed.
    """
    spec = spec or bench.spec
    parts = [crops_of(bench, info, spec, on_event, token) for info in bench.movies()]
    return CropStore(parts)


def crops_of(
    bench: Bench,
    info: MovieInfo,
    spec: CropSpec,
    on_event: OnEvent,
    token: CancelToken | None,
) -> NDArray[Any]:
    """Return the crops of one movie's cells, cutting them if need be."""
    spec = spec.cut  # the same crops serve every normalisation
    key = Key("crops", spec.hash)
    found = bench.rooms.load(key, info.id)
    blank = bench.rooms.load(Key("crops", spec.hash, "blank"), info.id)
    if found is not None and blank is not None:
        return found
    if not info.is_images:  # each image is padded to the window, whatever its size
        spec.refuse_misfit(info.name, info.shape, info.pixel_size)
    source = bench.source(info)
    cells = bench.cells().iloc[info.rows]
    _forget(bench, "crops", spec.hash, info.id)
    with bench.rooms.writing() as writer:
        cut_into(writer, source, cells, spec, info.id, on_event, token)
        writer.flush()
        with bench.store.transaction() as inside:
            writer.register(inside)
    made = bench.rooms.load(key, info.id)
    assert made is not None
    return made


def _forget(bench: Bench, kind: str, made_by: str, movie_id: int) -> None:
    with bench.store.transaction() as inside:
        inside.execute(
            "DELETE FROM arrays WHERE kind = ? AND key = ? AND movie_id = ?",
            (kind, made_by, movie_id),
        )


def blank(bench: Bench, spec: CropSpec) -> NDArray[np.bool_]:
    """Return which crops are constant; they have been cut before."""
    parts = [
        bench.rooms.load(Key("crops", spec.cut.hash, "blank"), info.id)
        for info in bench.movies()
    ]
    return np.concatenate([part for part in parts if part is not None]).astype(bool)


def satisfy(bench: Bench, spec: CropSpec, whose: str) -> CropSpec:
    """Return `spec` with the channels and the plane that this project looks at.

    Raises
    ------
    BundleError
        If the movies of the project cannot be cropped that way.
    """
    if _of_some_channels(bench, spec):
        return spec
    if spec.n_channels != bench.spec.n_channels:
        raise BundleError(
            f"{whose} reads crops of {spec.n_channels} channel(s), but the crops of "
            f"this project have {bench.spec.n_channels}: choose another classifier, or "
            "make a project with those channels."
        )
    wanted = replace(spec, channels=bench.spec.channels, z=bench.spec.z)
    for info in bench.movies():
        try:
            wanted.window(info.pixel_size)
        except InputError as error:
            raise BundleError(
                f"{whose} needs crops {spec.fov_um:g} µm wide, but the pixel size of "
                f"{info.name!r} is not known: make the project with the pixel size."
            ) from error
    return wanted


def _of_some_channels(bench: Bench, spec: CropSpec) -> bool:
    """Return whether an encoder of this project was trained on some of its channels."""
    fewer = set(spec.channels) < set(bench.spec.channels)
    return fewer and any(
        info.summary.get("spec") == spec.to_dict() for info in read_encoders(bench)
    )


def tell_recut(bench: Bench, wanted: CropSpec, whose: str, on_event: OnEvent) -> None:
    """Say that crops other than the project's own are used."""
    difference = bench.spec.cut.mismatch(wanted.cut)
    if difference is not None:
        on_event(
            Log(
                f"{whose} was made for other crops than this project's ({difference}): "
                "the cells are cut again for it.",
                "warning",
            )
        )
