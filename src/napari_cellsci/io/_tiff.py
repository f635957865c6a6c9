"""TIFF, ImageJ TIFF and OME-TIFF, opened without reading their pixels."""

from __future__ import annotations

import logging
import math
import weakref
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from napari_cellsci.errors import InputError
from napari_cellsci.io._lazy import ArrayLike, PagedArray
from napari_cellsci.io._ome_xml import OmeValues, parse_ome
from napari_cellsci.io._raw import RawStack, reason
from napari_cellsci.io._units import micrometres, number, seconds, square

if TYPE_CHECKING:
    from tifffile import TiffFile, TiffPageSeries

TIFF_SUFFIXES = (".tif", ".tiff", ".btf", ".tf8", ".tf2", ".lsm")
LARGEST_PRINTED_PIXEL = 10.0
"""µm. A resolution in dots per inch or cm that gives more is meant for a printer."""

_DAMAGE = ("invalid page offset", "corrupted", "invalid value offset")


def open_tiff(path: Path) -> RawStack:
    """Open the image series of a TIFF file lazily.

    Uncompressed stacks are memory-mapped, others are read page by page.

    Raises
    ------
    InputError
        If the file is not a TIFF file, is cut, or holds several series of one size.
    """
    tif, twins = _parse(path)
    try:
        data = _stack(tif, twins, path)
        raw = _describe(tif, twins, data)
    except BaseException:
        tif.close()
        raise
    if isinstance(data, PagedArray):
        weakref.finalize(data, tif.close)
    else:
        tif.close()
    return raw


def open_tiff_folder(folder: Path, files: Sequence[Path]) -> RawStack:
    """Open a folder of TIFF files, one frame each, in the order given.

    Raises
    ------
    InputError
        If the first file cannot be read; a later one raises when it is read.
    """
    import tifffile

    def read(number: int) -> npt.NDArray[Any]:
        return np.asarray(tifffile.imread(files[number]))

    first = open_tiff(files[0])
    data = PagedArray((len(files),), first.data.shape, first.data.dtype, read)
    axes = first.axes or "YX"
    return RawStack(
        data,
        axes=("T" if "T" not in axes else "Q") + axes,
        pixel_size=first.pixel_size,
        frame_interval=first.frame_interval,
        channel_names=first.channel_names,
    )


@contextmanager
def _damage_reports() -> Iterator[list[str]]:
    """Collect what tifffile only logs: a cut file otherwise opens as a shorter one."""
    reports: list[str] = []

    class Collector(logging.Filter):
        def filter(self, record: logging.LogRecord) -> bool:
            message = record.getMessage()
            damage = any(word in message for word in _DAMAGE)
            if damage:
                reports.append(message)
            return not damage

    collector = Collector()
    logger = logging.getLogger("tifffile")
    logger.addFilter(collector)
    try:
        yield reports
    finally:
        logger.removeFilter(collector)


def _parse(path: Path) -> tuple[TiffFile, list[TiffPageSeries]]:
    """Open the file and list its largest image series, walking to the last page."""
    import tifffile

    tif = None
    try:
        with _damage_reports() as reports:
            tif = tifffile.TiffFile(path)
            sizes = [math.prod(series.shape) for series in tif.series]
            twins = [
                s for s, n in zip(tif.series, sizes, strict=True) if n == max(sizes)
            ]
            for series in twins:
                _check_last_page(series, path)
        if reports:
            raise InputError(_cut(path))
        if not twins:
            raise InputError(f"{path} holds no image: choose another file.")
    except Exception as error:  # damaged bytes make tifffile raise anything
        if tif is not None:
            tif.close()
        if isinstance(error, InputError):
            raise
        raise InputError(
            f"{path} is not a whole TIFF file ({reason(error)}): copy or export it "
            "again."
        ) from error
    return tif, twins


def _check_last_page(series: TiffPageSeries, path: Path) -> None:
    """Refuse a cut file: the last page is the first one lost."""
    size = path.stat().st_size
    if _is_mappable(series):
        end = series.dataoffset + math.prod(series.shape) * series.dtype.itemsize
    elif series.is_multifile:
        return
    else:
        page = series[len(series) - 1]
        if page is None:
            raise InputError(_cut(path))
        pairs = zip(page.dataoffsets, page.databytecounts, strict=False)
        end = max((offset + count for offset, count in pairs), default=0)
    if end > size:
        raise InputError(_cut(path))


def _stack(tif: TiffFile, twins: list[TiffPageSeries], path: Path) -> ArrayLike:
    series = twins[0]
    shape, page_shape = series.shape, series.keyframe.shape
    if len(twins) > 1:
        return _frame_by_frame(tif, twins, path)
    if _is_mappable(series):
        return np.memmap(
            path,
            dtype=np.dtype(series.dtype).newbyteorder(tif.byteorder),
            mode="r",
            offset=series.dataoffset,
            shape=shape,
        )
    _check_codec(series, path)
    lead = shape[: len(shape) - len(page_shape)]
    if math.prod(lead) != len(series) or shape[len(lead) :] != page_shape:
        raise InputError(f"The pages of {path} do not make one stack: export it again.")

    def read(number: int) -> npt.NDArray[Any]:
        if series.is_multifile:
            return _read_from_its_file(series[number], path)
        return np.asarray(tif.asarray(key=number, series=series))

    return PagedArray(lead, page_shape, series.dtype, read)


def _read_from_its_file(page: Any, path: Path) -> npt.NDArray[Any]:
    """Read a page of an OME-TIFF over several files, which tifffile leaves closed."""
    if page is None:
        raise InputError(
            f"A frame that {path} speaks of was never saved: export it again."
        )
    file = page.parent.filehandle
    was_closed = file.closed
    if was_closed:
        file.open()
    try:
        return np.asarray(page.asarray())
    finally:
        if was_closed:
            file.close()


def _frame_by_frame(
    tif: TiffFile, twins: list[TiffPageSeries], path: Path
) -> PagedArray:
    """Join frames that were written one after the other, as programs in Python do."""
    first = twins[0]
    if tif.is_ome or any((s.axes, s.shape) != ("YX", first.shape) for s in twins):
        raise InputError(
            f"{path} holds {len(twins)} image series of the same size: save the one to "
            "be scored as a file of its own."
        )
    _check_codec(first, path)

    def read(number: int) -> npt.NDArray[Any]:
        return np.asarray(tif.asarray(series=twins[number]))

    return PagedArray((len(twins),), first.shape, first.dtype, read)


def _is_mappable(series: TiffPageSeries) -> bool:
    return (
        not series.is_multifile
        and series.keyframe.is_memmappable
        and series.dataoffset is not None
    )


def _check_codec(series: TiffPageSeries, path: Path) -> None:
    from tifffile import TIFF

    compression = series.keyframe.compression
    try:
        TIFF.DECOMPRESSORS[compression]
    except KeyError as error:
        raise InputError(
            f"{path} is compressed with {getattr(compression, 'name', compression)}: "
            "install the package imagecodecs, or save it uncompressed or with ZIP."
        ) from error


def _cut(path: Path) -> str:
    return f"{path} is cut: part of its frames is missing; copy or export it again."


def _describe(tif: TiffFile, twins: list[TiffPageSeries], data: ArrayLike) -> RawStack:
    series = twins[0]
    if tif.is_ome and tif.ome_metadata:
        values = parse_ome(tif.ome_metadata, _position(tif, series))
    elif tif.is_imagej and tif.imagej_metadata:
        values = _imagej(tif.imagej_metadata, series.keyframe)
    elif tif.is_lsm and tif.lsm_metadata:
        values = _lsm(tif.lsm_metadata)
    else:
        values = OmeValues(pixel_size=_printed_pixel(series.keyframe))
    axes = ("T" if len(twins) > 1 else "") + series.axes
    if "S" in axes and series.keyframe.photometric.name in ("MINISBLACK", "MINISWHITE"):
        axes = axes.replace("S", "Q" if "C" in axes else "C")
    return RawStack(
        data,
        axes=axes,
        pixel_size=values.pixel_size,
        frame_interval=values.frame_interval,
        channel_names=values.channel_names,
        c_is_certain=bool(tif.is_ome),
    )


def _position(tif: TiffFile, series: TiffPageSeries) -> int:
    return next(i for i, other in enumerate(tif.series) if other is series)


def _imagej(metadata: dict[str, Any], page: Any) -> OmeValues:
    unit = str(metadata.get("unit", ""))
    return OmeValues(
        pixel_size=square(*_resolution(page, unit)),
        frame_interval=seconds(
            number(metadata.get("finterval")), str(metadata.get("tunit", "s"))
        ),
    )


def _lsm(metadata: dict[str, Any]) -> OmeValues:
    edges = [micrometres(number(metadata.get(f"VoxelSize{a}")), "m") for a in "XY"]
    return OmeValues(
        pixel_size=square(*edges),
        frame_interval=seconds(number(metadata.get("TimeIntervall")), "s"),
    )


def _printed_pixel(page: Any) -> float | None:
    tag = page.tags.get("ResolutionUnit")
    unit = {2: "inch", 3: "cm"}.get(tag.value) if tag is not None else None
    if unit is None:
        return None
    edge = square(*_resolution(page, unit))
    return edge if edge is not None and edge <= LARGEST_PRINTED_PIXEL else None


def _resolution(page: Any, unit: str) -> tuple[float | None, float | None]:
    edges: list[float | None] = []
    for name in ("XResolution", "YResolution"):
        tag = page.tags.get(name)
        value = tag.value if tag is not None else None
        pixels, per = value if isinstance(value, tuple) and len(value) == 2 else (0, 1)
        edges.append(micrometres(per / pixels, unit) if pixels else None)
    return edges[0], edges[1]
