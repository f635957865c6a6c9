from __future__ import annotations

from pathlib import Path
from typing import Any

import dask.array as da
import numpy as np
import pytest
import tifffile
from napari.layers import Image, Labels, Tracks

from napari_cellsci.errors import InputError
from napari_cellsci.viewer import adapters

T, Y, X = 5, 40, 50


@pytest.fixture
def stack() -> Any:
    rng = np.random.default_rng(0)
    return rng.integers(0, 4000, (T, Y, X)).astype(np.uint16)


def track_points() -> Any:
    """Two tracks in the order in which nobody would write them."""
    rows = [[2, 3, 8.0, 9.0], [1, 0, 5.0, 6.0], [2, 2, 7.0, 8.0], [1, 1, 5.5, 6.5]]
    return np.array(rows)


def test_nothing_is_assumed_of_a_layer_without_units(stack: Any) -> None:
    layer = Image(stack, scale=(1, 0.3, 0.3))
    assert adapters.known_pixel_size(layer) is None
    assert adapters.known_frame_interval(layer) is None
    movie = adapters.movie_source(layer).open()
    assert (movie.axes, movie.pixel_size, movie.frame_interval) == ("TYX", None, None)


def test_units_give_pixel_size_and_frame_interval(stack: Any) -> None:
    layer = Image(stack, scale=(4, 645, 645), units=("minute", "nm", "nm"))
    movie = adapters.movie_source(layer).open()
    assert movie.pixel_size == pytest.approx(0.645)
    assert movie.frame_interval == pytest.approx(240)


def test_what_the_user_gives_wins_over_units(stack: Any) -> None:
    layer = Image(stack, scale=(1, 2, 2), units=("pixel", "um", "um"))
    source = adapters.movie_source(layer, pixel_size=0.5, frame_interval=60)
    assert (source.open().pixel_size, source.open().frame_interval) == (0.5, 60)


def test_pixels_that_are_not_square_have_no_size(stack: Any) -> None:
    layer = Image(stack, scale=(1, 1, 2), units=("pixel", "um", "um"))
    assert adapters.known_pixel_size(layer) is None


def test_rgb_and_too_few_axes_are_refused() -> None:
    with pytest.raises(InputError, match="RGB"):
        adapters.movie_source(Image(np.zeros((5, 20, 20, 3), np.uint8), rgb=True))
    with pytest.raises(InputError, match="2 axes"):
        adapters.movie_source(Image(np.zeros((20, 20))))


def test_the_finest_level_of_a_pyramid_is_used(stack: Any) -> None:
    layer = Image([stack, stack[:, ::2, ::2]], multiscale=True)
    np.testing.assert_array_equal(
        adapters.movie_source(layer).open().frame(2)[0], stack[2]
    )


@pytest.mark.parametrize(
    ("labels", "extra", "axes"),
    [
        (("t", "c", "y", "x"), None, "TCYX"),
        (("time", "z", "y", "x"), None, "TZYX"),
        (("t", "z", "y", "x"), "C", "TCYX"),
        (("-4", "-3", "-2", "-1"), "Z", "TZYX"),
    ],
)
def test_a_fourth_axis_is_what_labels_or_the_user_say(
    labels: tuple[str, ...], extra: Any, axes: str
) -> None:
    layer = Image(np.zeros((T, 3, Y, X)), axis_labels=labels)
    assert adapters.axes_of(layer, extra) == axes
    assert adapters.movie_source(layer, extra=extra).open().axes == axes


def test_dask_stays_lazy(stack: Any) -> None:
    read: list[int] = []

    def load(block: Any, block_info: Any = None) -> Any:
        read.append(block_info[0]["chunk-location"][0])
        return block

    lazy = da.from_array(stack, chunks=(1, Y, X)).map_blocks(
        load, dtype=stack.dtype, meta=np.empty((0, 0, 0), stack.dtype)
    )
    layer = Image(lazy, contrast_limits=(0, 1))
    read.clear()
    movie = adapters.movie_source(layer).open()
    assert read == []
    np.testing.assert_array_equal(movie.frame(3)[0], stack[3])
    assert set(read) == {3}


def test_an_unchanged_file_is_opened_again_from_the_file(
    stack: Any, tmp_path: Path
) -> None:
    path = tmp_path / "movie.tif"
    tifffile.imwrite(path, stack, imagej=True, metadata={"axes": "TYX"})
    layer = Image(stack.copy())
    object.__setattr__(layer.source, "path", str(path))
    assert adapters.movie_source(layer).open().path == path
    layer.data[0] += 1
    assert adapters.movie_source(layer).open().path is None


@pytest.mark.parametrize("scale", [(1, 1, 1), (4, 0.3, 0.3)])
@pytest.mark.parametrize("translate", [(0, 0, 0), (8, -3, 5)])
def test_tracks_come_in_the_images_pixels_and_frames(
    stack: Any, scale: tuple[float, ...], translate: tuple[float, ...]
) -> None:
    image = Image(stack, scale=scale, translate=translate)
    points = track_points()
    world = points.copy()
    world[:, 1:] = points[:, 1:] * scale + translate
    # The same places in a layer with another scale and translation.
    tracks = Tracks(points, scale=scale, translate=translate)
    shifted = points.copy()
    shifted[:, 1:] = (world[:, 1:] - [0, 1, 1]) / [1, 0.5, 0.5]
    other = Tracks(shifted, scale=(1, 0.5, 0.5), translate=(0, 1, 1))
    ordered = points[np.lexsort((points[:, 1], points[:, 0]))]
    for layer in (tracks, other):
        table = adapters.tracks_from_layer(layer, image, "TYX").table
        found = table[["track_id", "t", "y", "x"]].to_numpy()
        np.testing.assert_allclose(found, ordered, atol=1e-6)


def test_times_between_frames_are_refused(stack: Any) -> None:
    image = Image(stack, scale=(2, 1, 1))
    tracks = Tracks([[1, 0, 1, 1], [1, 1, 1, 1]])
    with pytest.raises(InputError, match="between the frames"):
        adapters.tracks_from_layer(tracks, image, "TYX")


def test_the_lineage_comes_along(stack: Any) -> None:
    points = [[1, 0, 5, 5], [1, 1, 5, 5], [2, 2, 4, 4], [3, 2, 6, 6]]
    tracks = Tracks(points, graph={2: [1], 3: [1]})
    found = adapters.tracks_from_layer(tracks, Image(stack), "TYX")
    assert found.graph == {2: [1], 3: [1]}


def test_tracks_without_planes_lie_on_a_stack_and_those_with_planes_keep_them() -> None:
    image = Image(np.zeros((T, 3, Y, X)))
    flat = adapters.tracks_from_layer(Tracks(track_points()), image, "TZYX")
    assert flat.table["y"].tolist() == [5.0, 5.5, 7.0, 8.0]
    assert "z" not in flat.table
    deep = np.insert(track_points(), 2, [0, 1, 2, 1], axis=1)
    found = adapters.tracks_from_layer(Tracks(deep), image, "TZYX")
    assert found.table["z"].tolist() == [1.0, 1.0, 2.0, 0.0]
    in_channels = adapters.tracks_from_layer(Tracks(deep), image, "TCYX")
    assert in_channels.table["x"].tolist() == [6.0, 6.5, 8.0, 9.0]


def test_masks_must_lie_on_the_image_pixel_by_pixel(stack: Any) -> None:
    image = Image(stack, scale=(1, 0.5, 0.5))
    masks = np.zeros((T, Y, X), int)
    assert (
        adapters.masks_from_layer(Labels(masks, scale=(1, 0.5, 0.5)), image, "TYX")
        is masks
    )
    assert adapters.masks_from_layer(Labels(masks), image, "TYX") is masks
    for wrong in (
        Labels(masks[:, 1:], scale=(1, 0.5, 0.5)),
        Labels(masks, scale=(1, 0.5, 0.5), translate=(0, 1, 0)),
    ):
        with pytest.raises(InputError, match="pixel by pixel"):
            adapters.masks_from_layer(wrong, image, "TYX")
    with pytest.raises(InputError, match="2 axes"):
        adapters.masks_from_layer(Labels(masks[0]), image, "TYX")


def test_binary_masks_follow_nothing() -> None:
    masks = np.zeros((3, 40, 40), np.uint8)
    masks[:, 5:15, 5:15] = 255
    assert adapters.looks_tracked(masks)  # one object, and so one cell
    masks[:, 25:35, 25:35] = 255
    assert not adapters.looks_tracked(masks)


def test_tracked_masks_are_told_from_masks_numbered_anew() -> None:
    masks = np.zeros((4, 30, 30), int)
    for t in range(4):
        masks[t, 2 + t : 12 + t, 2:12] = 1
        masks[t, 15:25, 15:25] = 2
    assert adapters.looks_tracked(masks)
    anew = masks.copy()
    for t in range(4):
        anew[t][masks[t] > 0] += 10 * t
    assert not adapters.looks_tracked(anew)
    assert not adapters.looks_tracked(np.zeros((4, 5, 5), int))


def test_layers_that_most_likely_lack_a_common_scale_are_pointed_out(
    stack: Any,
) -> None:
    tracks = Tracks([[1, 0, 39, 49], [1, 1, 39, 49]])
    assert adapters.hint_of_mismatch(tracks, Image(stack)) is None
    # In µm the movie is larger than the tracks, which are in px.
    hint = adapters.hint_of_mismatch(tracks, Image(stack, scale=(1, 3, 3)))
    assert hint is not None
    assert "scale" in hint
