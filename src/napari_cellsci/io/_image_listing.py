"""Where the images of a set are: one entry per image, before any is looked at."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from napari_cellsci.errors import InputError
from napari_cellsci.io._image_arrays import Pages, pages_of
from napari_cellsci.io._image_files import Found, image_files, open_image_file
from napari_cellsci.io._raw import RawStack, check_exists
from napari_cellsci.io._zarr import describe_array, is_zarr

Pixels: TypeAlias = NDArray[Any]
Tile: TypeAlias = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Skipped:
    """A file or page that could not be read, and why."""

    source: str
    reason: str


@dataclass(frozen=True, slots=True)
class Entry:
    """Where one image is.

    Parameters
    ----------
    name : str
        Unique within the set.
    source : str
        File, and page or tile, in words.
    cls : str
        The class its folder says, or "".
    read : callable
        Returns the pixels (C, H, W), and the pixel size (µm) if its file tells it.
    """

    name: str
    source: str
    cls: str
    read: Callable[[], tuple[Pixels, float | None]]


@dataclass
class Listing:
    """The images of a source, and what is no image after all."""

    entries: list[Entry] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)
    empty_tiles: int = 0


def list_path(path: Path, axes: str | None, called: str) -> Listing:
    """List the images of a folder or a file.

    Raises
    ------
    InputError
        If there are none, or the one file cannot be read.
    """
    check_exists(path)
    if not path.is_dir() or is_zarr(path):
        return Listing(list(_pages(open_image_file(path), axes, path.name, called)))
    files = image_files(path)
    if not files:
        raise InputError(
            f"{path} has no images: choose a folder of TIFF, PNG, JPEG or npy files, "
            "or of a folder of them for each class."
        )
    if axes is None or "N" not in axes.upper():
        return Listing([_file_entry(file, axes) for file in files])
    found = Listing()
    for file in files:
        try:
            parts = open_image_file(file.path)
            found.entries += _pages(parts, axes, file.name, file.name, file.cls)
        except InputError as error:
            found.skipped.append(Skipped(file.name, str(error)))
    return found


def list_arrays(source: Any, axes: str | None, called: str) -> Listing:
    """List the images of an array, or of a sequence of arrays of any sizes.

    Raises
    ------
    InputError
        If they are no images.
    """
    if hasattr(source, "metadata") and hasattr(source, "attrs"):
        return Listing(list(_pages([describe_array(source)], axes, called, called)))
    if all(hasattr(source, name) for name in ("shape", "dtype", "ndim")):
        return Listing(list(_pages([RawStack(source)], axes, called, called)))
    images = [np.asarray(one) for one in source]
    if not images:
        raise InputError("There are no images in the list: give at least one.")
    found = Listing()
    for number, image in enumerate(images):
        where = f"image {number}"
        pages = pages_of(RawStack(image), axes, where, single=True)
        found.entries.append(
            Entry(
                _numbered(called, number, len(images)),
                where,
                "",
                _PageReader(pages, 0, None),
            )
        )
    return found


def cut_tiles(found: Listing, tile: Tile) -> Listing:
    """Cut every image of a listing, a montage, into tiles; see `open_images`.

    Raises
    ------
    InputError
        If a montage is not a whole number of tiles.
    """
    if len(tile) not in (2, 3):
        raise InputError(
            f"Tiles are told by height, width and the lines between them, not {tile}."
        )
    height, width, gap = (*tile, 0)[:3]
    if min(height, width) < 1:
        raise InputError(f"A tile has at least one pixel, not {height} × {width}.")
    if gap < 0:
        raise InputError(f"The lines between tiles are 0 px wide or more, not {gap}.")
    cut = Listing(skipped=list(found.skipped))
    last: dict[str, Any] = {}
    for entry in found.entries:
        try:
            pixels, _ = entry.read()
        except InputError as error:
            cut.skipped.append(Skipped(entry.source, str(error)))
            continue
        for place in _places(pixels, tile, entry.source):
            part = pixels[place]
            if (height, width) != (1, 1) and all(
                channel.min() == channel.max() for channel in part
            ):
                cut.empty_tiles += 1
                continue
            row = place[1].start // (height + gap)
            column = place[2].start // (width + gap)
            cut.entries.append(
                Entry(
                    f"{entry.name} r{row:02d} c{column:02d}",
                    f"{entry.source}, row {row}, column {column}",
                    entry.cls,
                    _TileReader(entry, place, last),
                )
            )
    return cut


def _places(
    pixels: Pixels, tile: Tile, source: str
) -> Iterator[tuple[slice, slice, slice]]:
    height, width = pixels.shape[1:]
    gap = tile[2] if len(tile) > 2 else 0
    rows, columns = _starts(height, tile[0], gap), _starts(width, tile[1], gap)
    if rows is None or columns is None:
        between = f" with lines of {gap} px between them" if gap else ""
        raise InputError(
            f"{source} is {height} px high and {width} px wide, which is not a whole "
            f"number of tiles of {tile[0]} × {tile[1]} px{between}: give the height "
            "and width of a tile, and the width of the lines between tiles."
        )
    for y in rows:
        for x in columns:
            yield slice(None), slice(y, y + tile[0]), slice(x, x + tile[1])


def _starts(length: int, tile: int, gap: int) -> range | None:
    """Return where tiles begin along an axis; None if they do not fill it.

    Lines lie between tiles, and either at both borders of the montage or at none.
    """
    for border in (0, gap):
        if (length - 2 * border + gap) % (tile + gap) == 0:
            return range(border, length - tile + 1, tile + gap)
    return None


def _file_entry(file: Found, axes: str | None) -> Entry:
    return Entry(file.name, file.name, file.cls, _FileReader(file.path, axes))


def _pages(
    parts: Sequence[RawStack], axes: str | None, source: str, called: str, cls: str = ""
) -> Iterator[Entry]:
    divided = [(pages_of(part, axes, source, single=False), part) for part in parts]
    total = sum(pages.count for pages, _ in divided)
    number = 0
    for pages, part in divided:
        for page in range(pages.count):
            reader = _PageReader(pages, page, part.pixel_size)
            where = f"{source}, page {number}" if total > 1 else source
            yield Entry(_numbered(called, number, total), where, cls, reader)
            number += 1


def _numbered(called: str, number: int, total: int) -> str:
    return f"{called} {number:0{len(str(total - 1))}d}" if total > 1 else called


@dataclass(frozen=True, slots=True)
class _PageReader:
    """Reads one image of an array."""

    pages: Pages
    page: int
    pixel_size: float | None

    def __call__(self) -> tuple[Pixels, float | None]:
        return self.pages.read(self.page), self.pixel_size


@dataclass(frozen=True, slots=True)
class _FileReader:
    """Reads a file that is one image."""

    path: Path
    axes: str | None

    def __call__(self) -> tuple[Pixels, float | None]:
        parts = open_image_file(self.path)
        if len(parts) > 1:
            raise InputError(
                f"{self.path} holds {len(parts)} images of several sizes: give it by "
                "itself, or save each as a file."
            )
        pages = pages_of(parts[0], self.axes, str(self.path), single=True)
        return pages.read(0), parts[0].pixel_size


@dataclass(frozen=True, slots=True)
class _TileReader:
    """Reads one tile of a montage; `last` holds the montage that was read last."""

    entry: Entry
    place: tuple[slice, slice, slice]
    last: dict[str, Any]

    def __call__(self) -> tuple[Pixels, float | None]:
        if self.last.get("entry") is not self.entry:
            self.last.update(entry=self.entry, read=self.entry.read())
        pixels, pixel_size = self.last["read"]
        return pixels[self.place], pixel_size
