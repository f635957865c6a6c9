from __future__ import annotations

import numpy as np
from napari.layers import Image, Labels, Layer, Tracks

from napari_cellsci.cells.simulator import SimulationConfig, simulate
from napari_cellsci.viewer import adapters
from napari_cellsci.viewer.sample import layers_of


def test_the_sample_is_three_layers_that_lie_on_each_other_with_units() -> None:
    movie = simulate(SimulationConfig(frames=5, cells=6, size=96))
    image, labels, tracks = (Layer.create(*layer) for layer in layers_of(movie))
    assert isinstance(image, Image)
    assert isinstance(labels, Labels)
    assert isinstance(tracks, Tracks)
    assert adapters.known_pixel_size(image) == 0.333
    assert adapters.known_frame_interval(image) == 240
    assert adapters.masks_from_layer(labels, image, "TYX") is labels.data
    table = adapters.tracks_from_layer(tracks, image, "TYX").table
    np.testing.assert_allclose(table[["y", "x"]], movie.tracks[["y", "x"]])
    assert adapters.looks_tracked(labels.data)
