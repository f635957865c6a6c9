"""Tracks of the Cell Tracking Challenge: a lineage file and tracked masks."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import numpy.typing as npt

from napari_cellsci.errors import InputError
from napari_cellsci.io._label_images import tracks_from_labels
from napari_cellsci.io._lazy import ArrayLike
from napari_cellsci.io._raw import reason, sizes
from napari_cellsci.io._table import Tracks, tracks_from_table
from napari_cellsci.io._tiff import TIFF_SUFFIXES, open_tiff_folder
from napari_cellsci.tasks import CancelToken, OnEvent, ignore

LINEAGE_FILES = ("man_track.txt", "res_track.txt")


def find_lineage(folder: Path) -> Path | None:
    """Return the lineage file of a folder or its ``TRA`` folder, if there is one."""
    for place in (folder, folder / "TRA"):
        for name in LINEAGE_FILES:
            if (place / name).is_file():
                return place / name
    return None


def read_ctc(
    lineage: Path, *, on_event: OnEvent = ignore, token: CancelToken | None = None
) -> Tracks:
    """Read ``man_track.txt`` or ``res_track.txt`` and the masks beside it.

    Raises
    ------
    InputError
        If the lineage is not rows of four numbers (label, begin, end, parent), masks
        are missing, or a mask holds a label at a frame where the lineage has none.

    Notes
    -----
    Source: celltrackingchallenge.net, "Naming and file content conventions".
    """
    rows = _read_rows(lineage)
    tracks = tracks_from_labels(
        _open_masks(lineage.parent),
        name=str(lineage.parent),
        on_event=on_event,
        token=token,
    )
    table = tracks.table
    begin = dict(rows[:, [0, 1]].tolist())
    end = dict(rows[:, [0, 2]].tolist())
    ids = table["track_id"]
    wrong = ~((table["t"] >= ids.map(begin)) & (table["t"] <= ids.map(end)))
    if wrong.any():
        row = table[wrong].iloc[0]
        raise InputError(
            f"{lineage.name} has no track {int(row['track_id'])} at frame "
            f"{int(row['t'])}, but its mask does ({int(wrong.sum())} such objects): "
            "the lineage and the masks are not of one result."
        )
    graph = {child: [parent] for child, _, _, parent in rows.tolist() if parent > 0}
    return tracks_from_table(
        table,
        graph=graph,
        masks=tracks.masks,
        masks_tracked=True,
        masks_path=lineage.parent,
        name=lineage.name,
    )


def _read_rows(lineage: Path) -> npt.NDArray[np.int64]:
    try:
        words = [line.split() for line in lineage.read_text().splitlines()]
        rows = [[int(word) for word in line] for line in words if line]
    except (OSError, ValueError) as error:
        raise InputError(
            f"{lineage} is not a lineage file ({reason(error)}): its lines are four "
            "whole numbers, label, begin, end and parent."
        ) from error
    if not rows or any(len(row) != 4 for row in rows):
        raise InputError(
            f"{lineage} is not a whole lineage file: its lines are four whole numbers, "
            "label, begin, end and parent."
        )
    return np.array(rows, np.int64)


def _open_masks(folder: Path) -> ArrayLike:
    numbered = {
        int(match[1]): file
        for file in folder.iterdir()
        if file.suffix.lower() in TIFF_SUFFIXES
        and (match := re.search(r"(\d+)$", file.stem))
    }
    if not numbered:
        raise InputError(
            f"{folder} has no mask images (mask000.tif … or man_track000.tif …): put "
            "them beside the lineage file."
        )
    missing = sorted(set(range(max(numbered) + 1)) - set(numbered))
    if missing:
        raise InputError(
            f"{folder} has no mask of frame {missing[0]} ({len(missing)} missing): "
            "copy the whole folder."
        )
    raw = open_tiff_folder(folder, [numbered[t] for t in sorted(numbered)])
    if raw.data.ndim != 3:
        raise InputError(
            f"The masks in {folder} are {sizes(raw.data.shape[1:])}, but must be "
            "single planes (y, x): project them, or export the tracks as CSV."
        )
    return raw.data
