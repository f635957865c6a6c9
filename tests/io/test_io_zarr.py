"""zarr arrays and OME-Zarr images of both zarr formats."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr

from napari_cellsci.errors import InputError
from napari_cellsci.io.movies import open_movie

AXES = [
    {"name": "t", "type": "time", "unit": "minute"},
    {"name": "c", "type": "channel"},
    {"name": "z", "type": "space", "unit": "micrometer"},
    {"name": "y", "type": "space", "unit": "micrometer"},
    {"name": "x", "type": "space", "unit": "micrometer"},
]
DATA = np.random.default_rng(1).integers(0, 999, (4, 2, 3, 16, 18)).astype(np.uint16)


def write_ome_zarr(path: Path, zarr_format: Any = 2, **changes: Any) -> Path:
    """An image in two resolutions, by the letter of NGFF 0.4 and 0.5."""
    group = zarr.open_group(path, mode="w", zarr_format=zarr_format)
    for level, data in enumerate((DATA, DATA[..., ::2, ::2])):
        array = group.create_array(
            str(level),
            shape=data.shape,
            dtype=data.dtype,
            chunks=(1, 1, *data.shape[2:]),
        )
        array[:] = data
    scales = [[1.0, 1.0, 2.0, 0.25, 0.25], [1.0, 1.0, 2.0, 0.5, 0.5]]
    multiscale = {
        "axes": AXES,
        "datasets": [
            {
                "path": str(i),
                "coordinateTransformations": [{"type": "scale", "scale": scale}],
            }
            for i, scale in enumerate(scales)
        ],
        "coordinateTransformations": [{"type": "scale", "scale": [4, 1, 1, 1, 1]}],
    } | changes
    metadata = {
        "multiscales": [multiscale],
        "omero": {"channels": [{"label": "H2B"}, {"label": "DIC"}]},
    }
    group.attrs.update(metadata if zarr_format == 2 else {"ome": metadata})
    return path


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_ome_zarr_says_axes_sizes_and_names(tmp_path: Path, zarr_format: int) -> None:
    movie = open_movie(write_ome_zarr(tmp_path / "dish.ome.zarr", zarr_format))
    assert (movie.axes, movie.name, movie.data.shape) == ("TCZYX", "dish", DATA.shape)
    assert (movie.pixel_size, movie.frame_interval) == (0.25, 240)
    assert movie.channel_names == ("H2B", "DIC")
    np.testing.assert_array_equal(movie.frame(3, ("DIC",)), DATA[3, 1:].max(axis=1))


def test_a_scale_without_a_unit_is_not_a_pixel_size(tmp_path: Path) -> None:
    axes = [{k: v for k, v in axis.items() if k != "unit"} for axis in AXES]
    movie = open_movie(write_ome_zarr(tmp_path / "dish.zarr", axes=axes))
    assert (movie.pixel_size, movie.frame_interval) == (None, None)


def test_old_ome_zarr_without_axes_is_tczyx(tmp_path: Path) -> None:
    path = write_ome_zarr(tmp_path / "dish.zarr")
    group = zarr.open_group(path, mode="r+")
    multiscale = dict(group.attrs["multiscales"][0])
    del multiscale["axes"], multiscale["coordinateTransformations"]
    group.attrs["multiscales"] = [multiscale]
    assert open_movie(path).axes == "TCZYX"


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_a_plain_array_with_or_without_names(tmp_path: Path, zarr_format: Any) -> None:
    path = tmp_path / "plain.zarr"
    array = zarr.create_array(
        path, shape=(4, 16, 18), dtype="u2", zarr_format=zarr_format, chunks=(1, 16, 18)
    )
    array[:] = DATA[:, 0, 0]
    movie = open_movie(path)
    assert (movie.axes, movie.name) == ("TYX", "plain")
    np.testing.assert_array_equal(movie.frame(2)[0], DATA[2, 0, 0])


def test_names_of_dimensions_order_the_axes(tmp_path: Path) -> None:
    array = zarr.create_array(
        tmp_path / "named.zarr",
        shape=(16, 18, 4, 2),
        dtype="u2",
        chunks=(16, 18, 1, 1),
        dimension_names=["y", "x", "time", "c"],
    )
    array[:] = DATA[:, :, 0].transpose(2, 3, 0, 1)
    for source in (tmp_path / "named.zarr", array):
        movie = open_movie(source)
        assert movie.axes == "TCYX"
        np.testing.assert_array_equal(movie.frame(3, (1, 0)), DATA[3, ::-1, 0])


def test_xarray_names_in_format_2(tmp_path: Path) -> None:
    path = tmp_path / "named.zarr"
    array = zarr.create_array(path, shape=(2, 4, 16, 18), dtype="u2", zarr_format=2)
    array.attrs["_ARRAY_DIMENSIONS"] = ["c", "t", "y", "x"]
    assert open_movie(path).data.shape == (4, 2, 16, 18)


def test_a_collection_of_one_image_is_entered(tmp_path: Path) -> None:
    path = tmp_path / "collection.zarr"
    zarr.open_group(path, mode="w", zarr_format=2).create_group("OME")
    write_ome_zarr(path / "0")
    assert open_movie(path).pixel_size == 0.25
    write_ome_zarr(path / "1")
    with pytest.raises(InputError, match="holds 0, 1, not one image"):
        open_movie(path)
    assert open_movie(path / "1").pixel_size == 0.25


def test_only_the_chunks_of_the_frame_are_needed(tmp_path: Path) -> None:
    path = write_ome_zarr(tmp_path / "dish.zarr")
    for chunk in (path / "0").iterdir():
        if chunk.name.startswith(("0.", "1.", "3.", "2.0")):
            chunk.write_bytes(b"broken")
    movie = open_movie(path)
    np.testing.assert_array_equal(movie.frame(2, (1,)), DATA[2, 1:].max(axis=1))
    with pytest.raises(InputError, match="Frame 1 of dish cannot be read"):
        movie.frame(1)


def test_damaged_zarr_is_refused(tmp_path: Path) -> None:
    path = write_ome_zarr(tmp_path / "dish.zarr")
    shutil.rmtree(path / "0")
    with pytest.raises(InputError, match="damaged OME-Zarr"):
        open_movie(path)
    (path / ".zgroup").write_text("{")
    with pytest.raises(InputError, match="cannot be opened as zarr"):
        open_movie(path)


def test_a_plate_is_refused(tmp_path: Path) -> None:
    group = zarr.open_group(tmp_path / "plate.zarr", mode="w")
    group.attrs["ome"] = {"plate": {"wells": []}}
    with pytest.raises(InputError, match="plate"):
        open_movie(tmp_path / "plate.zarr")


def test_axes_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    path = write_ome_zarr(tmp_path / "dish.zarr", axes=AXES[1:])
    with pytest.raises(InputError, match="damaged OME-Zarr"):
        open_movie(path)


@pytest.mark.parametrize("zarr_format", [2, 3])
@pytest.mark.parametrize("inside", ["", "dish.ome.zarr"])
def test_a_zipped_image_is_read_in_place(
    tmp_path: Path, zarr_format: int, inside: str
) -> None:
    folder = write_ome_zarr(tmp_path / "made" / "dish.ome.zarr", zarr_format)
    root = folder if not inside else folder.parent
    packed = shutil.make_archive(str(tmp_path / "dish.ome.zarr"), "zip", root)
    shutil.rmtree(folder)
    movie = open_movie(packed)
    assert (movie.axes, movie.name, movie.data.shape) == ("TCZYX", "dish", DATA.shape)
    assert movie.pixel_size == 0.25
    np.testing.assert_array_equal(movie.frame(2, ("DIC",), 1), DATA[2, 1:, 1])


def test_a_zipped_array_of_labels_is_tracks(tmp_path: Path) -> None:
    from napari_cellsci.io.tracks import read_tracks

    labels = np.zeros((3, 8, 9), np.uint16)
    labels[:, 2:4, 3:6] = 5
    zarr.save(tmp_path / "a.zarr", labels)
    packed = shutil.make_archive(str(tmp_path / "a"), "zip", tmp_path / "a.zarr")
    tracks = read_tracks(packed)
    assert tracks.table["track_id"].tolist() == [5, 5, 5]
    assert tracks.masks_path == Path(packed)


def test_other_archives_are_refused(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "movie.tif").write_bytes(b"some bytes")
    packed = shutil.make_archive(str(tmp_path / "a"), "zip", tmp_path / "in")
    with pytest.raises(InputError, match=r"archive without a zarr image: unpack it"):
        open_movie(packed)
    whole = Path(packed).read_bytes()
    Path(packed).write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match="not a whole ZIP file"):
        open_movie(packed)
