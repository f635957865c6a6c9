"""Images of single cells, opened and matched to labels; nothing is written."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from napari_cellsci.cells.image_crops import Sheet, sheet_of
from napari_cellsci.cells.spec import CropSpec
from napari_cellsci.errors import InputError
from napari_cellsci.io.image_names import read_groups
from napari_cellsci.io.images import ImageSet, Tile, open_images
from napari_cellsci.io.labels_csv import read_labels_csv
from napari_cellsci.labels.cells import CellIndex
from napari_cellsci.labels.importing import match_rows
from napari_cellsci.project.image_choice import ImageChoice
from napari_cellsci.project.movies import (
    refuse_bad_pixel_size,
)
from napari_cellsci.tasks import CancelToken, Log, OnEvent, ignore


@dataclass(frozen=True)
class ImageOptions:
    """How images are read.

    Parameters
    ----------
    axes, tile, name, pixel_size
        As for `io.images.open_images`.
    labels : Path, optional
        CSV of images, with their classes and groups.
    group_by : str, optional
        The column of `labels` that says which images belong together.
    """

    axes: str | None = None
    tile: Tile | None = None
    name: str | None = None
    pixel_size: float | None = None
    labels: Path | None = None
    group_by: str | None = None


@dataclass(frozen=True)
class NewImages:
    """A set of images, read and checked but not yet part of a project.

    Parameters
    ----------
    images : ImageSet
    spec : CropSpec
        How they are cropped.
    labels : DataFrame
        Columns cell (place in the set's table) and class.
    """

    images: ImageSet
    spec: CropSpec
    labels: pd.DataFrame

    @property
    def sheet(self) -> Sheet:
        """Where the images are shown."""
        return sheet_of(self.images, self.spec)

    @property
    def cells(self) -> pd.DataFrame:
        """One cell per image: its place on the sheet, its original size."""
        table, centres = self.images.table, self.sheet.centres()
        return pd.DataFrame(
            {
                "track_id": table["number"].to_numpy(np.int64),
                "t": 0,
                "y": centres[:, 0].astype(np.float64),
                "x": centres[:, 1].astype(np.float64),
                "original_height": table["height"].to_numpy(np.int64),
                "original_width": table["width"].to_numpy(np.int64),
            }
        )


def refuse_both(image: Any, tracks: Any, masks: Any) -> None:
    """Refuse parts of a movie beside images of single cells."""
    if not (image is None and tracks is None and masks is None):
        raise InputError(
            "A project begins with a movie or with images of single cells: give one, "
            "and add the other afterwards."
        )


def refuse_neither(image: Any, labels: Any, group_by: Any, tile: Any) -> None:
    """Refuse a project of nothing, and options of images where there is a movie."""
    if image is None:
        raise InputError(
            "There is nothing to crop: give a movie with its tracks (--image, "
            "--tracks), or images of single cells (--images)."
        )
    if not (labels is None and group_by is None and tile is None):
        raise InputError(
            "labels, group_by and tile are about images of single cells: labels of a "
            "movie are read afterwards (`cellsci import-labels`)."
        )


def read_images(
    source: Any,
    options: ImageOptions,
    choose: ImageChoice | CropSpec,
    *,
    on_event: OnEvent = ignore,
    token: CancelToken | None = None,
) -> NewImages:
    """Open images, with their groups; nothing is written.

    Parameters
    ----------
    source
        As for `io.images.open_images`.
    options : ImageOptions
    choose : ImageChoice or CropSpec
        How these images are to be cropped.

    Raises
    ------
    InputError
        If anything about them cannot be used.
    """
    refuse_bad_pixel_size(options.pixel_size)
    images = open_images(
        source,
        axes=options.axes,
        tile=options.tile,
        name=options.name,
        pixel_size=options.pixel_size,
        on_event=on_event,
        token=token,
    )
    if options.labels is not None:
        groups, unknown = read_groups(options.labels, options.group_by, images.table)
        images.table["group"] = groups
        if unknown and options.group_by is not None:
            said = f"{options.labels.name} groups {unknown} image(s) that are not here."
            on_event(Log(said, "warning"))
    elif options.group_by:
        raise InputError("Groups are read from a table: give it with --labels too.")
    spec = choose if isinstance(choose, CropSpec) else choose(images)
    spec.window(images.pixel_size)
    if max(spec.channels) >= images.n_channels:
        raise InputError(
            f"The crops of this project have the channels "
            f"{', '.join(map(str, spec.channels))}, but the images of {images.name} "
            f"have {images.n_channels}."
        )
    return NewImages(images, spec, _labels(images, options.labels, on_event))


def _labels(images: ImageSet, csv: Path | None, on_event: OnEvent) -> pd.DataFrame:
    """Match labels to images; those of a table win over those of class folders."""
    table = images.table
    said = table["class"].to_dict()
    if csv is not None:
        rows = read_labels_csv(csv, may_be_empty=True)
        rows["movie"] = rows["movie"].mask(rows["movie"] == "", images.name)
        cells = pd.DataFrame({"movie": images.name, "image": table["name"], "t": 0})
        cells["track_id"] = table["number"]
        if len(rows):
            matches, unmatched = match_rows(rows, CellIndex(cells), 0.0, csv)
            said |= dict(zip(matches["cell"], matches["class"], strict=True))
            _tell_unmatched(csv, unmatched, on_event)
    found = {cell: name for cell, name in said.items() if name}
    return pd.DataFrame(
        {"cell": np.array(list(found), np.int64), "class": list(found.values())}
    )


def _tell_unmatched(csv: Path, unmatched: pd.DataFrame, on_event: OnEvent) -> None:
    if not len(unmatched):
        return
    some = [f"row {row.row}: {row.reason}" for row in unmatched.head(3).itertuples()]
    more = f" and {len(unmatched) - 3} more" if len(unmatched) > 3 else ""
    sentence = f"{csv.name} labels images that are not here ({'; '.join(some)}{more})."
    on_event(Log(sentence, "warning"))
