"""Sets of images of single cells, from folders, stacks, montages and arrays."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from napari_cellsci.errors import InputError
from napari_cellsci.io._image_listing import (
    Entry,
    Listing,
    Skipped,
    Tile,
    cut_tiles,
    list_arrays,
    list_path,
)
from napari_cellsci.io._raw import reason
from napari_cellsci.tasks import CancelToken, Log, OnEvent, Progress, ignore

__all__ = ["ImageSet", "Skipped", "Tile", "open_images", "reopen_images"]

KEPT_BYTES = 1 << 28
"""Images of up to this many bytes in all stay in memory once they were read."""
_LISTED = 3


@dataclass(frozen=True, eq=False)
class ImageSet:
    """Images of single cells, which may differ in size, read one at a time.

    Parameters
    ----------
    name : str
        What the user calls it.
    table : DataFrame
        One row per image: number (its place in the source, from 0), name (unique),
        source (file and page), height and width (px), class and group ("" = not said),
        and digest ("" = not compared). Exact copies of one image are a group.
    entries : sequence of Entry
        The images in the order of the table.
    n_channels : int
        The same for all images.
    dtype : dtype
        Holds the pixels of all images.
    path : Path, optional
        The file or folder; None for arrays.
    axes_given : str, optional
        Axes as the user named them.
    tile : tuple of int, optional
        Height and width (px) of the tiles a montage was cut into, and width of the
        lines between them, if there are any.
    pixel_size : float, optional
        µm; None unless the user says so or all files agree.
    skipped : sequence of Skipped
        What could not be read.
    """

    name: str
    table: pd.DataFrame
    entries: Sequence[Entry]
    n_channels: int
    dtype: np.dtype[Any]
    path: Path | None = None
    axes_given: str | None = None
    tile: Tile | None = None
    pixel_size: float | None = None
    skipped: tuple[Skipped, ...] = ()
    kept: Mapping[int, NDArray[Any]] = field(default_factory=dict, repr=False)

    def __len__(self) -> int:
        return len(self.entries)

    @property
    def fingerprint(self) -> str:
        """What tells these images from others."""
        both = "\n".join([*self.table["name"], *self.table["digest"]])
        return hashlib.sha256(both.encode()).hexdigest()

    def image(self, row: int) -> NDArray[Any]:
        """Read the image of a row of the table as (C, H, W), in the set's type.

        Raises
        ------
        InputError
            If it cannot be read any more, or is another image now.
        """
        if row in self.kept:
            return self.kept[row].astype(self.dtype, copy=False)
        entry, known = self.entries[row], self.table["digest"].iat[row]
        pixels = _read(entry)[0]
        if known and _digest(pixels) != known:
            raise InputError(
                f"{entry.source} of {self.name!r} is not the image it was when it was "
                "added: bring the old file back."
            )
        return pixels.astype(self.dtype, copy=False)


def open_images(
    source: Any,
    *,
    axes: str | None = None,
    tile: Tile | None = None,
    name: str | None = None,
    pixel_size: float | None = None,
    on_event: OnEvent = ignore,
    token: CancelToken | None = None,
) -> ImageSet:
    """Open images of single cells, reading each once to check it.

    Parameters
    ----------
    source : path, array, sequence of arrays, or ImageSet
        A folder of image files (several subfolders are classes), or one file: a TIFF
        of many pages, npy, npz (the array ``images``, or the only one), zarr; an array
        (n, H, W), (n, C, H, W) or (n, H, W, C ≤ 4); or arrays of any sizes.
    axes : str, optional
        A letter per axis where they are misread: N counts images, C, Y, X.
    tile : tuple of int, optional
        Height and width (px) of the tiles that montages are cut into; a third number
        is the width of lines between tiles (px). Tiles of one grey level are left out.
    name : str, optional
        What to call the set; by default the file's or folder's name.
    pixel_size : float, optional
        µm; wins over the metadata.
    on_event, token
        Listener and cancel token. Files that cannot be read are skipped and told.

    Raises
    ------
    InputError
        If nothing can be read, or images differ in their number of channels.
    """
    if isinstance(source, ImageSet):
        return source
    token = token or CancelToken()
    path = Path(source).absolute() if isinstance(source, str | Path) else None
    called = name or ("images" if path is None else name_of(path))
    if path is None:
        found = list_arrays(source, axes, called)
    else:
        found = list_path(path, axes, name_of(path))
    if tile is not None:
        found = cut_tiles(found, tile)
    seen = _look(found, on_event, token)
    _refuse_none(seen, called)
    _refuse_other_channels(seen)
    _tell(seen, found, on_event)
    sizes = {size for size in seen.pixel_sizes if size is not None}
    agreed = len(sizes) == 1 and None not in seen.pixel_sizes
    return ImageSet(
        name=called,
        table=_table(seen),
        entries=seen.entries,
        n_channels=seen.shapes[0][0],
        dtype=_common_type(seen.dtypes),
        path=path,
        axes_given=axes,
        tile=tile,
        pixel_size=pixel_size or (sizes.pop() if agreed else None),
        skipped=tuple(seen.skipped),
        kept=seen.kept,
    )


def reopen_images(
    path: Path,
    *,
    name: str,
    stem: str,
    table: pd.DataFrame,
    n_channels: int,
    dtype: np.dtype[Any],
    axes: str | None = None,
    tile: Tile | None = None,
    pixel_size: float | None = None,
) -> ImageSet:
    """Open images that were read before, without reading them again.

    Parameters
    ----------
    path, name, axes, tile, pixel_size
        As for `open_images`.
    stem : str
        What the file was called by `name_of` when it was first read.
    table, n_channels, dtype
        As `open_images` found them.

    Raises
    ------
    InputError
        If images are missing. Whether each is the one it was, is seen when it is read.
    """
    found = list_path(path, axes, stem)
    if tile is not None:
        found = cut_tiles(found, tile)
    entries = {entry.name: entry for entry in found.entries}
    missing = [each for each in table["name"] if each not in entries]
    if missing:
        raise InputError(
            f"{path} has {len(missing)} of the images of {name!r} no more, for example "
            f"{missing[0]}: bring them back."
        )
    return ImageSet(
        name=name,
        table=table,
        entries=[entries[each] for each in table["name"]],
        n_channels=n_channels,
        dtype=dtype,
        path=path,
        axes_given=axes,
        tile=tile,
        pixel_size=pixel_size,
    )


@dataclass
class _Seen:
    """What was learned of the images by reading each once."""

    skipped: list[Skipped]
    entries: list[Entry] = field(default_factory=list)
    numbers: list[int] = field(default_factory=list)
    shapes: list[tuple[int, ...]] = field(default_factory=list)
    dtypes: list[np.dtype[Any]] = field(default_factory=list)
    digests: list[str] = field(default_factory=list)
    pixel_sizes: list[float | None] = field(default_factory=list)
    kept: dict[int, NDArray[Any]] = field(default_factory=dict)


def _look(found: Listing, on_event: OnEvent, token: CancelToken) -> _Seen:
    seen, room = _Seen(list(found.skipped)), KEPT_BYTES
    total = len(found.entries)
    for number, entry in enumerate(found.entries):
        token.raise_if_cancelled()
        try:
            pixels, pixel_size = _read(entry)
        except InputError as error:
            seen.skipped.append(Skipped(entry.source, str(error)))
            continue
        if room > 0:
            room -= pixels.nbytes
            seen.kept[len(seen.entries)] = np.ascontiguousarray(pixels)
        seen.entries.append(entry)
        seen.numbers.append(number)
        seen.shapes.append(pixels.shape)
        seen.dtypes.append(pixels.dtype)
        seen.digests.append(_digest(pixels))
        seen.pixel_sizes.append(pixel_size)
        on_event(Progress("Reading images", number + 1, total))
    if room <= 0:
        seen.kept.clear()
    return seen


def _read(entry: Entry) -> tuple[NDArray[Any], float | None]:
    try:
        pixels, pixel_size = entry.read()
    except InputError:
        raise
    except Exception as error:  # whatever the file or codec raises
        raise InputError(
            f"{entry.source} cannot be read ({reason(error)}): copy or export it again."
        ) from error
    if pixels.dtype.kind == "b":
        pixels = pixels.astype(np.uint8)
    if not pixels.size:
        raise InputError(f"{entry.source} has no pixels.")
    if pixels.dtype.kind == "f" and not np.isfinite(pixels).all():
        raise InputError(
            f"{entry.source} has pixels that are NaN or infinite: replace them, for "
            "example by 0."
        )
    native = pixels.dtype.newbyteorder("=")
    return pixels.astype(native, copy=False), pixel_size


def _digest(pixels: NDArray[Any]) -> str:
    shape = f"{pixels.shape} {pixels.dtype.str}".encode()
    whole = hashlib.sha256(shape + np.ascontiguousarray(pixels).tobytes())
    return whole.hexdigest()[:16]


def _refuse_none(seen: _Seen, called: str) -> None:
    if seen.entries:
        return
    if not seen.skipped:
        raise InputError(f"{called} has no images: every tile is of one grey level.")
    first = seen.skipped[0]
    raise InputError(
        f"None of the {len(seen.skipped)} image(s) of {called} can be read; the first: "
        f"{first.reason}"
    )


def _refuse_other_channels(seen: _Seen) -> None:
    for entry, shape in zip(seen.entries, seen.shapes, strict=True):
        if shape[0] != seen.shapes[0][0]:
            raise InputError(
                f"The images differ in their channels: {seen.entries[0].source} has "
                f"{seen.shapes[0][0]}, {entry.source} has {shape[0]}. Give images of "
                "one kind (a colour image has three)."
            )


def _common_type(dtypes: Sequence[np.dtype[Any]]) -> np.dtype[Any]:
    return np.dtype(np.result_type(*set(dtypes)))


def _table(seen: _Seen) -> pd.DataFrame:
    first: dict[str, str] = {}
    for entry, digest in zip(seen.entries, seen.digests, strict=True):
        first.setdefault(digest, entry.name)
    repeated = pd.Series(seen.digests).duplicated(keep=False).tolist()
    groups = [
        first[digest] if again else ""
        for digest, again in zip(seen.digests, repeated, strict=True)
    ]
    return pd.DataFrame(
        {
            "number": seen.numbers,
            "name": [entry.name for entry in seen.entries],
            "source": [entry.source for entry in seen.entries],
            "height": [shape[1] for shape in seen.shapes],
            "width": [shape[2] for shape in seen.shapes],
            "class": [entry.cls for entry in seen.entries],
            "group": groups,
            "digest": seen.digests,
        }
    )


def _tell(seen: _Seen, found: Listing, on_event: OnEvent) -> None:
    """Say what was left out, converted, or is there twice."""
    if seen.skipped:
        some = "; ".join(one.reason.rstrip(".") for one in seen.skipped[:_LISTED])
        more = len(seen.skipped) - _LISTED
        rest = f"; and {more} more" if more > 0 else ""
        said = f"{len(seen.skipped)} image(s) cannot be read and are left out: "
        on_event(Log(f"{said}{some}{rest}.", "warning"))
    if found.empty_tiles:
        on_event(Log(f"{found.empty_tiles} empty tile(s) are left out."))
    kinds = sorted({str(dtype) for dtype in seen.dtypes})
    if len(kinds) > 1:
        on_event(
            Log(
                f"The images are stored as {' and '.join(kinds)}: all become "
                f"{_common_type(seen.dtypes)}; their values stay as they are.",
                "warning",
            )
        )
    copies = len(seen.digests) - len(set(seen.digests))
    if copies:
        on_event(
            Log(
                f"{copies} image(s) are exact copies of others: copies are kept "
                "together when cells are divided for training and testing.",
                "warning",
            )
        )


def name_of(path: Path) -> str:
    """Return what a set of images is called: the folder's name, or the file's."""
    return (path.name if path.is_dir() else path.stem) or path.name
