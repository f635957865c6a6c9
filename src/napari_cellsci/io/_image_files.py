"""Files of images: found in folders, and opened as arrays."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from napari_cellsci.errors import InputError
from napari_cellsci.io._lazy import PagedArray
from napari_cellsci.io._raw import RawStack, check_exists, reason
from napari_cellsci.io._tiff import TIFF_SUFFIXES, open_tiff
from napari_cellsci.io._zarr import is_zarr, open_zarr

PICTURES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".jp2")
SUFFIXES = (*TIFF_SUFFIXES, *PICTURES, ".npy")
"""What is taken for an image in a folder."""
STACKS = (*SUFFIXES, ".npz", ".zarr", ".zip")


@dataclass(frozen=True, slots=True)
class Found:
    """An image file in a folder, and the class its folder says, if any."""

    path: Path
    name: str
    cls: str


def image_files(folder: Path) -> list[Found]:
    """List the image files of a folder and its subfolders, in natural order.

    Two or more subfolders with images are classes, called as they are.
    """
    from napari_cellsci.io.movies import natural_key

    found = sorted(
        _walk(folder),
        key=lambda path: natural_key(path.relative_to(folder).as_posix()),
    )
    parts = [path.relative_to(folder).parts for path in found]
    folders = {each[0] for each in parts if len(each) > 1}
    several = len(folders) > 1 or (folders and any(len(each) == 1 for each in parts))
    return [
        Found(path, "/".join(each), each[0] if several and len(each) > 1 else "")
        for path, each in zip(found, parts, strict=True)
    ]


def _walk(folder: Path) -> Iterator[Path]:
    for path in folder.iterdir():
        if path.name.startswith((".", "__")):
            continue
        if path.is_dir():
            if not is_zarr(path):
                yield from _walk(path)
        elif path.suffix.lower() in SUFFIXES:
            yield path


def open_image_file(path: Path) -> list[RawStack]:
    """Open a file of one or more images; TIFF and zarr stay on disk.

    A TIFF file whose images differ in size is several stacks, else there is one.

    Raises
    ------
    InputError
        If it is missing, foreign, damaged, or needs pickle.
    """
    check_exists(path)
    suffix = path.suffix.lower()
    if suffix in (".npy", ".npz"):
        return [RawStack(_numpy_file(path))]
    if is_zarr(path):
        return [open_zarr(path)]
    if suffix in TIFF_SUFFIXES:
        return _tiff_file(path)
    if suffix in PICTURES:
        return [_picture(path)]
    raise InputError(
        f"{path} is not an image file that can be read: give TIFF, PNG, JPEG, npy, npz "
        "or zarr, or a folder of them."
    )


def _tiff_file(path: Path) -> list[RawStack]:
    import tifffile

    whole = open_tiff(path)  # refuses what is damaged
    with tifffile.TiffFile(path) as tif:
        parts = [(part.shape, part.dtype, part.axes) for part in tif.series]
    if len({part[:2] for part in parts}) < 2:
        return [whole]
    return [
        RawStack(
            PagedArray((1,), shape, dtype, _SeriesReader(path, number)),
            axes="Q" + axes,
            pixel_size=whole.pixel_size,
        )
        for number, (shape, dtype, axes) in enumerate(parts)
    ]


@dataclass(frozen=True, slots=True)
class _SeriesReader:
    """Reads one of several images of a TIFF file."""

    path: Path
    number: int

    def __call__(self, page: int) -> NDArray[Any]:
        import tifffile

        return np.asarray(tifffile.imread(self.path, series=self.number))


def _numpy_file(path: Path) -> Any:
    try:
        if path.suffix.lower() == ".npy":
            return np.load(path, mmap_mode="r", allow_pickle=False)
        with np.load(path, allow_pickle=False) as archive:
            return archive[_which(archive.files, path)]
    except InputError:
        raise
    except ValueError as error:
        if "pickle" in str(error):
            raise InputError(
                f"{path} holds Python objects, which are never loaded because they can "
                "run programs: save the images as a plain array of numbers."
            ) from error
        raise InputError(_damaged(path, error)) from error
    except (OSError, EOFError, BadZipFile, KeyError) as error:
        raise InputError(_damaged(path, error)) from error


def _which(names: list[str], path: Path) -> str:
    if "images" in names:
        return "images"
    if len(names) == 1:
        return names[0]
    raise InputError(
        f"{path} holds the arrays {', '.join(names[:6]) or 'none'}: call the one with "
        "the images 'images', or save it alone."
    )


def _damaged(path: Path, error: BaseException) -> str:
    return f"{path} cannot be read ({reason(error)}): copy or export it again."


def _picture(path: Path) -> RawStack:
    """Read a picture as grey (Y, X) or colour (Y, X, 3); transparency is left out."""
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(path) as picture:
            pixels = _plain(picture)
    except (OSError, ValueError, SyntaxError, UnidentifiedImageError) as error:
        raise InputError(_damaged(path, error)) from error
    return RawStack(pixels, axes="YXS" if pixels.ndim == 3 else "YX")


def _plain(picture: Any) -> NDArray[Any]:
    if picture.mode in ("1", "LA"):
        return np.asarray(picture.convert("L"))
    if picture.mode in ("P", "PA", "RGBA", "CMYK", "YCbCr", "HSV", "LAB", "RGBX"):
        return np.asarray(picture.convert("RGB"))
    pixels = np.asarray(picture)
    # 16-bit grey pictures are read as 32-bit integers by older versions of Pillow
    if pixels.dtype == np.int32 and pixels.min() >= 0 and pixels.max() < 1 << 16:
        return pixels.astype(np.uint16)
    return pixels
