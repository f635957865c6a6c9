from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from napari.layers import Image, Labels, Layer

from napari_cellsci.errors import InputError
from napari_cellsci.viewer import adapters
from napari_cellsci.viewer.opening import open_layers, placed


def test_a_movie_brings_its_axes_and_units(tmp_path: Path) -> None:
    path = tmp_path / "dish.ome.tif"
    metadata = {
        "axes": "TCYX",
        "PhysicalSizeX": 0.5,
        "PhysicalSizeXUnit": "µm",
        "PhysicalSizeY": 0.5,
        "PhysicalSizeYUnit": "µm",
        "TimeIncrement": 120,
        "TimeIncrementUnit": "s",
    }
    data = np.arange(3 * 2 * 20 * 30, dtype=np.uint16).reshape(3, 2, 20, 30)
    tifffile.imwrite(path, data, ome=True, metadata=metadata)
    layer: Any = Layer.create(*open_layers("Image", path)[0])
    assert adapters.axes_of(layer) == "TCYX"
    assert adapters.known_pixel_size(layer) == pytest.approx(0.5)
    assert adapters.known_frame_interval(layer) == pytest.approx(120)
    assert adapters.file_of(layer) == path
    source = adapters.movie_source(layer)
    assert source.open().path == path


def test_a_movie_without_units_gets_none(tmp_path: Path) -> None:
    path = tmp_path / "dish.tif"
    tifffile.imwrite(path, np.zeros((5, 20, 30), np.uint16), metadata={"axes": "TYX"})
    layer: Any = Layer.create(*open_layers("Image", path)[0])
    assert adapters.known_pixel_size(layer) is None
    assert adapters.known_frame_interval(layer) is None


@pytest.mark.parametrize("axes", ["TYX", "TZYX", "TCYX"])
def test_tracks_lie_on_the_image_they_were_opened_for(
    tmp_path: Path, axes: str
) -> None:
    path = tmp_path / "tracks.csv"
    path.write_text("track_id,t,y,x,parent\n2,1,3,4,1\n1,0,5,6,0\n2,2,7,8,1\n")
    shape = (3, *(4,) * (len(axes) - 3), 20, 30)
    image = Image(
        np.zeros(shape),
        scale=(2, *(3,) * (len(axes) - 3), 0.5, 0.5),
        translate=(1, *(0,) * (len(axes) - 3), 10, 20),
        axis_labels=tuple(axes.lower()),
    )
    layer: Any = Layer.create(*placed(open_layers("Tracks", path)[0], image))
    assert layer.ndim == image.ndim
    assert dict(layer.graph) == {2: [1]}
    found = adapters.tracks_from_layer(layer, image, axes).table
    assert found[["track_id", "t", "y", "x"]].to_numpy().tolist() == [
        *([1, 0, 5, 6], [2, 1, 3, 4], [2, 2, 7, 8])
    ]


@pytest.mark.parametrize("axes", ["TYX", "TZYX", "TCYX"])
def test_masks_lie_on_the_image_they_were_opened_for(tmp_path: Path, axes: str) -> None:
    masks = np.zeros((5, 20, 30), np.uint16)
    masks[:, 3, 4] = np.arange(5) + 1
    tifffile.imwrite(tmp_path / "masks.tif", masks, metadata={"axes": "TYX"})
    shape = (5, *(4,) * (len(axes) - 3), 20, 30)
    scale = (2, *(3,) * (len(axes) - 3), 0.5, 0.5)
    image = Image(np.zeros(shape), scale=scale, axis_labels=tuple(axes.lower()))
    found = placed(open_layers("Labels", tmp_path / "masks.tif")[0], image)
    layer: Any = Layer.create(*found)
    assert layer.ndim == image.ndim
    assert tuple(image.scale) == scale
    np.testing.assert_array_equal(adapters.masks_from_layer(layer, image, axes), masks)
    # On every plane of the third frame it shows the third frame.
    for plane in range(4 if image.ndim == 4 else 1):
        place = (2, *(plane,) * (image.ndim - 3), 3, 4)
        index = np.rint(layer.world_to_data(image.data_to_world(place))).astype(int)
        assert layer.data[tuple(index.tolist())] == 3


def test_masks_that_were_never_scaled_are_meant_pixel_by_pixel() -> None:
    masks = np.zeros((5, 20, 30), np.uint16)
    image = Image(np.zeros((5, 20, 30)), scale=(2, 0.5, 0.5))
    plain = Labels(masks)
    assert adapters.masks_from_layer(plain, image, "TYX") is masks
    with pytest.raises(InputError, match="do not lie on each other"):
        adapters.masks_from_layer(Labels(masks, translate=(0, 0, 4)), image, "TYX")
    with pytest.raises(InputError, match="do not lie on each other"):
        adapters.masks_from_layer(Labels(masks[:, 1:]), image, "TYX")


def test_nothing_is_laid_on_nothing(tmp_path: Path) -> None:
    labels = np.zeros((5, 20, 30), np.uint16)
    labels[:, 2:5, 2:5] = 4
    tifffile.imwrite(tmp_path / "masks.tif", labels, metadata={"axes": "TYX"})
    masks, tracks = open_layers("Tracks", tmp_path / "masks.tif")
    assert (masks[2], tracks[2]) == ("labels", "tracks")
    assert placed(masks, None) is masks
    with pytest.raises(InputError, match="There is no file"):
        open_layers("Labels", tmp_path / "gone.tif")
