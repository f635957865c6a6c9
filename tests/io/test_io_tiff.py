"""TIFF in its dialects, written by tifffile."""

from __future__ import annotations

import gc
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import tifffile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from napari_cellsci.errors import InputError
from napari_cellsci.io._lazy import PagedArray
from napari_cellsci.io._ome_xml import OmeValues, parse_ome
from napari_cellsci.io._tiff import open_tiff
from napari_cellsci.io.movies import open_movie

OME = {
    "axes": "TCZYX",
    "PhysicalSizeX": 325.0,
    "PhysicalSizeXUnit": "nm",
    "PhysicalSizeY": 325.0,
    "PhysicalSizeYUnit": "nm",
    "TimeIncrement": 4.0,
    "TimeIncrementUnit": "min",
    "Channel": {"Name": ["H2B", "tubulin"]},
}


def ramp(*shape: int, dtype: str = "u2") -> npt.NDArray[Any]:
    return (np.arange(np.prod(shape)) % 60_000).reshape(shape).astype(dtype)


@pytest.mark.parametrize("options", [{}, {"compression": "zlib"}, {"tile": (16, 16)}])
def test_ome_tiff_says_axes_sizes_and_names(
    tmp_path: Path, options: dict[str, Any]
) -> None:
    data = ramp(5, 2, 4, 20, 30)
    path = tmp_path / "dish.ome.tif"
    tifffile.imwrite(path, data, ome=True, metadata=OME, **options)
    movie = open_movie(path)
    assert (movie.axes, movie.name) == ("TCZYX", "dish")
    assert movie.pixel_size == pytest.approx(0.325)
    assert movie.frame_interval == 240
    assert movie.channel_names == ("H2B", "tubulin")
    for t in (0, 4):
        np.testing.assert_array_equal(movie.frame(t, ("tubulin",), 3), data[t, 1:, 3])
        np.testing.assert_array_equal(movie.frame(t, (0, 1)), data[t].max(axis=1))


def test_ome_tiff_over_several_files(tmp_path: Path) -> None:
    data = ramp(2, 5, 20, 30)
    names = [tmp_path / f"c{i}.ome.tif" for i in range(2)]
    ids = [f"urn:uuid:11111111-1111-1111-1111-11111111111{i}" for i in range(2)]
    planes = "".join(
        f'<TiffData FirstC="{c}" FirstT="{t}" FirstZ="0" IFD="{t}" PlaneCount="1">'
        f'<UUID FileName="{names[c].name}">{ids[c]}</UUID></TiffData>'
        for c in range(2)
        for t in range(5)
    )
    for c, path in enumerate(names):
        xml = (
            '<?xml version="1.0" encoding="UTF-8"?>'
            '<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06" '
            f'UUID="{ids[c]}"><Image ID="Image:0"><Pixels ID="Pixels:0" Type="uint16" '
            'DimensionOrder="XYZTC" SizeX="30" SizeY="20" SizeZ="1" SizeC="2" '
            'SizeT="5" PhysicalSizeX="0.5" PhysicalSizeY="0.5">'
            f"{planes}</Pixels></Image></OME>"
        )
        with tifffile.TiffWriter(path) as writer:
            for t in range(5):
                writer.write(
                    data[c, t],
                    contiguous=False,
                    description=xml if t == 0 else None,
                    metadata=None,
                )
    movie = open_movie(names[0])
    assert (movie.axes, movie.pixel_size) == ("TCYX", 0.5)
    np.testing.assert_array_equal(movie.frame(3, (0, 1)), data[:, 3])
    np.testing.assert_array_equal(movie.frame(0, (1,)), data[1:, 0])


def test_times_of_the_planes_stand_in_for_the_increment(tmp_path: Path) -> None:
    path = tmp_path / "dish.ome.tif"
    times = {"DeltaT": [0.0, 30.0, 60.5, 90.0], "DeltaTUnit": ["s"] * 4}
    metadata = {"axes": "TYX", "Plane": times}
    tifffile.imwrite(path, ramp(4, 20, 30), ome=True, metadata=metadata)
    assert open_movie(path).frame_interval == 30


@pytest.mark.parametrize("unit", ["micron", "um", "\\u00B5m"])
def test_imagej_tiff_with_units(tmp_path: Path, unit: str) -> None:
    data = ramp(5, 4, 2, 20, 30)
    path = tmp_path / "dish.tif"
    tifffile.imwrite(
        path,
        data,
        imagej=True,
        resolution=(1 / 0.645, 1 / 0.645),
        metadata={"axes": "TZCYX", "unit": unit, "finterval": 1800.0},
    )
    movie = open_movie(path)
    assert movie.axes == "TCZYX"
    assert movie.pixel_size == pytest.approx(0.645, rel=1e-6)
    assert movie.frame_interval == 1800
    np.testing.assert_array_equal(movie.frame(3, (1,)), data[3, :, 1].max(0)[None])


@pytest.mark.parametrize(
    "options",
    [
        {"imagej": True, "metadata": {"axes": "TYX", "unit": "pixel"}},
        {"imagej": True, "metadata": {"axes": "TYX"}},
        {"imagej": True, "metadata": {"axes": "TYX", "unit": "inch"}},
        {"metadata": {"axes": "TYX"}},
        {"metadata": {"axes": "TYX"}, "resolutionunit": "INCH"},
    ],
)
def test_a_resolution_without_a_unit_is_not_a_pixel_size(
    tmp_path: Path, options: dict[str, Any]
) -> None:
    path = tmp_path / "dish.tif"
    resolution = (3.0, 3.0) if options.get("resolutionunit") is None else (96.0, 96.0)
    if "inch" in str(options):
        resolution = (0.0, 0.0)
    tifffile.imwrite(path, ramp(5, 20, 30), resolution=resolution, **options)
    assert open_movie(path).pixel_size is None


def test_a_resolution_per_centimetre_is_one(tmp_path: Path) -> None:
    path = tmp_path / "dish.tif"
    tifffile.imwrite(
        path, ramp(5, 20, 30), resolution=(31250, 31250), resolutionunit="CENTIMETER"
    )
    assert open_movie(path).pixel_size == pytest.approx(0.32)


def test_pixels_that_are_not_square_are_not_known(tmp_path: Path) -> None:
    path = tmp_path / "dish.ome.tif"
    tifffile.imwrite(
        path, ramp(5, 2, 4, 20, 30), ome=True, metadata=OME | {"PhysicalSizeY": 650.0}
    )
    assert open_movie(path).pixel_size is None


@pytest.mark.parametrize("byteorder", ["<", ">"])
def test_plain_stacks_are_movies(tmp_path: Path, byteorder: Any) -> None:
    data = ramp(5, 20, 30)
    path = tmp_path / "dish.tif"
    tifffile.imwrite(path, data, byteorder=byteorder)
    movie = open_movie(path)
    assert (movie.axes, movie.pixel_size, movie.frame_interval) == ("TYX", None, None)
    assert isinstance(movie.data, np.memmap)
    assert movie.frame(2).dtype.isnative
    np.testing.assert_array_equal(movie.frame(2)[0], data[2])


@pytest.mark.parametrize("metadata", [None, {}])
def test_pages_written_one_by_one_are_frames(tmp_path: Path, metadata: Any) -> None:
    data = ramp(5, 20, 30)
    path = tmp_path / "dish.tif"
    with tifffile.TiffWriter(path) as writer:
        for frame in data:
            writer.write(frame, contiguous=False, metadata=metadata)
    movie = open_movie(path)
    assert movie.axes == "TYX"
    for t in range(5):
        np.testing.assert_array_equal(movie.frame(t)[0], data[t])


def test_planar_samples_are_channels(tmp_path: Path) -> None:
    data = ramp(5, 2, 20, 30)
    path = tmp_path / "dish.tif"
    tifffile.imwrite(
        path,
        data,
        photometric="minisblack",
        planarconfig="separate",
        compression="zlib",
    )
    movie = open_movie(path)
    assert movie.axes == "TCYX"
    np.testing.assert_array_equal(movie.frame(4, (1, 0)), data[4, ::-1])


def test_a_folder_of_tiffs_is_a_movie(tmp_path: Path) -> None:
    data = ramp(12, 20, 30)
    for t, frame in enumerate(data):
        tifffile.imwrite(tmp_path / f"t{t}.tif", frame, compression="zlib")
    movie = open_movie(tmp_path)
    assert (movie.axes, movie.n_frames) == ("TYX", 12)
    np.testing.assert_array_equal(movie.frame(10)[0], data[10])
    tifffile.imwrite(tmp_path / "t3.tif", data[0, :5])
    with pytest.raises(InputError, match="Frame 3"):
        movie.frame(3)


def test_only_the_asked_pages_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "dish.tif"
    data = ramp(6, 2, 3, 20, 30)
    metadata = {"axes": "TCZYX"}
    tifffile.imwrite(path, data, ome=True, metadata=metadata, compression="zlib")
    read: list[int] = []
    original = tifffile.TiffFile.asarray

    def counting(self: Any, key: int, **options: Any) -> Any:
        read.append(key)
        return original(self, key, **options)

    monkeypatch.setattr(tifffile.TiffFile, "asarray", counting)
    movie = open_movie(path)
    assert read == []
    movie.frame(4, (1,), z=2)
    assert read == [4 * 6 + 1 * 3 + 2]
    read.clear()
    movie.frame(2, (0,))
    assert read == [12, 13, 14]


def test_a_large_stack_is_mapped_not_read(tmp_path: Path) -> None:
    path = tmp_path / "large.tif"
    shape = (1000, 512, 512)
    stack = tifffile.memmap(path, shape=shape, dtype="uint16", bigtiff=True)
    stack[777, 3, 4] = 9
    stack.flush()
    del stack
    movie = open_movie(path)
    assert isinstance(movie.data, np.memmap)
    frame = movie.frame(777)
    assert type(frame) is np.ndarray
    assert frame[0, 3, 4] == 9


def test_the_file_is_closed_with_the_movie(tmp_path: Path) -> None:
    path = tmp_path / "dish.tif"
    tifffile.imwrite(path, ramp(5, 20, 30), compression="zlib")
    movie = open_movie(path)
    movie.frame(0)
    del movie
    gc.collect()  # a file left open is a ResourceWarning, which is an error here


def test_colour_is_refused_unless_named(tmp_path: Path) -> None:
    path = tmp_path / "dish.tif"
    tifffile.imwrite(path, ramp(5, 20, 30, 3, dtype="u1"), photometric="rgb")
    with pytest.raises(InputError, match="RGB"):
        open_movie(path)
    tifffile.imwrite(path, ramp(20, 30, 3, dtype="u1"), photometric="rgb")
    with pytest.raises(InputError, match="RGB"):
        open_movie(path)


def test_a_colour_axis_can_be_named_otherwise(tmp_path: Path) -> None:
    path = tmp_path / "dish.tif"
    data = ramp(3, 20, 30, dtype="u1")
    tifffile.imwrite(path, data, photometric="rgb", planarconfig="separate")
    with pytest.raises(InputError, match="axes='TYX'"):
        open_movie(path)
    np.testing.assert_array_equal(open_movie(path, axes="TYX").frame(2)[0], data[2])


@pytest.mark.parametrize(
    "content", [b"II*\0", b"not a tiff", b"\x89PNG\r\n", b"MM\0*\0"]
)
def test_foreign_files_are_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "dish.tif"
    path.write_bytes(content)
    with pytest.raises(InputError, match="not a whole TIFF"):
        open_movie(path)


def test_several_series_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "dish.ome.tif"
    with tifffile.TiffWriter(path, ome=True) as writer:
        for _ in range(2):
            writer.write(ramp(5, 20, 30), metadata={"axes": "TYX"})
    with pytest.raises(InputError, match="2 image series"):
        open_movie(path)


def test_a_thumbnail_beside_the_movie_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "dish.tif"
    with tifffile.TiffWriter(path) as writer:
        writer.write(ramp(8, 8), contiguous=False)
        writer.write(ramp(5, 20, 30), contiguous=False)
    assert open_movie(path).data.shape == (5, 20, 30)


def test_missing_codecs_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "dish.tif"
    tifffile.imwrite(path, ramp(5, 20, 30), compression="zlib")
    monkeypatch.setattr(tifffile.TIFF, "DECOMPRESSORS", {}, raising=False)
    with pytest.raises(InputError, match="ADOBE_DEFLATE: install the package imagec"):
        open_movie(path)


STACKS: dict[str, dict[str, Any]] = {
    "plain": {},
    "imagej": {"imagej": True, "metadata": {"axes": "TYX"}},
    "ome": {"ome": True, "metadata": {"axes": "TYX"}},
    "pages": {"metadata": None},
    "zip": {"compression": "zlib"},
    "zip pages": {"compression": "zlib", "metadata": None},
    "tiles": {"compression": "zlib", "tile": (16, 16)},
}


@settings(
    deadline=None,
    max_examples=60,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(kind=st.sampled_from(sorted(STACKS)), part=st.floats(0, 1, exclude_max=True))
def test_a_cut_file_never_opens_as_a_shorter_movie(
    tmp_path: Path, kind: str, part: float
) -> None:
    data = ramp(5, 20, 30)
    path = tmp_path / "cut.tif"
    tifffile.imwrite(path, data, **STACKS[kind])
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * part)])
    try:
        movie = open_movie(path)
        frames = [movie.frame(t)[0] for t in range(movie.n_frames)]
    except InputError:
        return
    np.testing.assert_array_equal(frames, data)


def test_the_real_movie(real_data: Path) -> None:
    path = real_data / "hela" / "movie.tif"
    movie = open_movie(path)
    assert (movie.axes, movie.n_frames, movie.shape) == ("TYX", 20, (700, 1100))
    assert (movie.dtype, movie.pixel_size) == (np.uint16, None)
    assert isinstance(open_tiff(path).data, PagedArray)
    np.testing.assert_array_equal(movie.frame(13)[0], tifffile.imread(path, key=13))


def test_broken_ome_metadata_say_nothing() -> None:
    assert parse_ome("<OME><Image>") == OmeValues()
    assert parse_ome("<OME></OME>") == OmeValues()
    pixels = '<Pixels PhysicalSizeX="2" PhysicalSizeXUnit="pixel"/>'
    assert parse_ome(f"<OME><Image>{pixels}</Image></OME>") == OmeValues()
