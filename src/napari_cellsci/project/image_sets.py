"""Sets of images of single cells as parts of a project."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from napari_cellsci.disk import refuse_taken
from napari_cellsci.io.images import ImageSet, name_of
from napari_cellsci.io.movies import natural_key
from napari_cellsci.labels import Labels
from napari_cellsci.labels.classes import checked_names
from napari_cellsci.project.arrays import ArrayRooms, ArrayWriter
from napari_cellsci.project.bench import Bench
from napari_cellsci.project.creation import cut_into, new_project
from napari_cellsci.project.image_choice import ImageChoice
from napari_cellsci.project.image_files import COPY, SHEET, copy_length, copy_of
from napari_cellsci.project.image_reading import ImageOptions, NewImages, read_images
from napari_cellsci.project.movie_files import relative_to
from napari_cellsci.project.movies import (
    MovieInfo,
    insert_movie,
    read_movies,
    unique_name,
)
from napari_cellsci.project.store import Store
from napari_cellsci.project.tables import insert_cells, insert_images, read_cells
from napari_cellsci.tasks import CancelToken, Log, OnEvent, ignore

NAMELESS = ("class 1", "class 2")
"""Classes of images of which nothing is said; they can be renamed at any time."""


def classes_of(new: NewImages) -> tuple[str, ...]:
    """Return the classes that the labels or the folders of images say, in order."""
    names = sorted(set(new.labels["class"]), key=natural_key)
    if len(names) == 1:
        names.append("other" if names[0] != "other" else NAMELESS[0])
    return checked_names(names or NAMELESS)


def create(
    folder: Path,
    source: Any,
    options: ImageOptions,
    choose: ImageChoice,
    *,
    classes: Sequence[str] | None,
    on_event: OnEvent = ignore,
    token: CancelToken | None = None,
) -> None:
    """Make a project of images, whole or not at all; see `Project.create`."""
    refuse_taken(folder)
    new = read_images(source, options, choose, on_event=on_event, token=token)
    if classes is None:
        classes = classes_of(new)
    with new_project(folder, new.spec, classes) as (store, home):
        add_images(store, home, folder, new, on_event=on_event, token=token)
        cells = read_cells(store, read_movies(store))
        take_labels(Labels(store, lambda: cells), new, 0)


def take_labels(labels: Labels, new: NewImages, first: int) -> None:
    """Label images, the first of which is the cell `first`."""
    if len(new.labels):
        rows = new.labels.assign(cell=new.labels["cell"] + first)
        labels.import_cells(rows, labels.who)


def tell_known(bench: Bench, new: NewImages, on_event: OnEvent) -> None:
    """Warn if images are in the project already."""
    sets = [info for info in bench.movies() if info.is_images]
    known = [digest for info in sets for digest in bench.images_of(info)["digest"]]
    twice = int(new.images.table["digest"].isin(set(known) - {""}).sum())
    if twice:
        on_event(
            Log(
                f"{twice:,} of these images are in the project already: they count "
                "twice, and figures on held-out cells come out too good.",
                "warning",
            )
        )


def tell_size(new: NewImages, on_event: OnEvent) -> None:
    """Say how large the crops are, and what becomes of other images."""
    edge, spec = new.sheet.edge, new.spec
    longer = new.images.table[["height", "width"]].max(axis=1)
    said = f"Crops are {spec.size} × {spec.size} px"
    if edge != spec.size:
        said += f" and show {edge} × {edge} px of an image"
    ways = {one.how for one in spec.sizing} or {"mean"}
    larger, smaller = int((longer > edge).sum()), int((longer < edge).sum())
    if ways == {"resize"}:
        parts = ["every image is scaled to fit"]
    else:
        parts = [
            text
            for count, text in (
                (smaller, f"{smaller:,} smaller image(s) are padded"),
                (larger, f"{larger:,} larger ones are cropped around their centre"),
            )
            if count
        ]
    on_event(Log(f"{said}{': ' if parts else ''}{'; '.join(parts)}."))


def add_images(
    store: Store,
    home: Path,
    folder: Path,
    new: NewImages,
    *,
    on_event: OnEvent = ignore,
    token: CancelToken | None = None,
) -> str:
    """Crop images and make them part of a project, whole or not at all.

    The parameters are those of `creation.add_movie`.

    Returns
    -------
    str
        The name of the set, unique in the project.
    """
    token = token or CancelToken()
    images, cells = new.images, new.cells
    tell_size(new, on_event)
    with ArrayRooms(home, store).writing() as writer:
        copied = images.path is None
        if copied:
            _copy(writer, images)
        shape = (1, images.n_channels, *new.sheet.shape)
        sheet = writer.new(SHEET, shape, images.dtype, file_name=f"{images.name}.sheet")
        cut_into(writer, images, cells, new.spec, None, on_event, token, sheet[0])
        writer.flush()
        token.raise_if_cancelled()
        with store.transaction() as inside:
            known = read_movies(store)
            name = unique_name(images.name, [info.name for info in known])
            first = sum(info.n_cells for info in known)
            info = _describe(new, name, folder, first, copied)
            movie_id = insert_movie(inside, info)
            writer.register(inside, movie_id)
            insert_cells(inside, movie_id, first, cells)
            insert_images(inside, first, images.table)
    return name


def _copy(writer: ArrayWriter, images: ImageSet) -> None:
    copy = writer.new(
        COPY, (copy_length(images),), images.dtype, file_name=f"{images.name}.images"
    )
    start = 0
    for pixels in copy_of(images):
        copy[start : start + len(pixels)] = pixels
        start += len(pixels)


def _describe(
    new: NewImages, name: str, folder: Path, first: int, copied: bool
) -> MovieInfo:
    images, path = new.images, new.images.path
    reading: dict[str, Any] = {} if path is None else {"stem": name_of(path)}
    reading["skipped"] = [
        {"image": one.source, "reason": one.reason} for one in images.skipped
    ]
    if images.tile is not None:
        reading["tile"] = list(images.tile)
    return MovieInfo(
        name=name,
        kind="images",
        reading=reading,
        path=path,
        relative_path=None if path is None else relative_to(path, folder),
        copied=copied,
        axes="TCYX",
        axes_given=images.axes_given,
        n_frames=1,
        n_channels=images.n_channels,
        n_planes=1,
        shape=new.sheet.shape,
        dtype=images.dtype.str,
        pixel_size=images.pixel_size,
        frame_interval=None,
        fingerprint={"sample": images.fingerprint},
        first_cell=first,
        n_cells=len(images),
    )
