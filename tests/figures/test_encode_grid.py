"""Grids of original, reconstructed and generated cells."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from napari_cellsci.errors import InputError
from napari_cellsci.figures.encode_grid import (
    EncodeGrid,
    describe_grid,
    draw_grid,
    save_grid,
    tiled,
)


def test_crops_are_laid_out_in_rows() -> None:
    crops = np.arange(5, dtype=np.float32)[:, None, None] * np.ones((1, 4, 4))
    picture = tiled(crops)
    assert picture.shape == (9, 14)
    assert picture[0, 5] == 1
    assert picture[5, 0] == 3
    assert np.isnan(picture[5:, 10:]).all()
    assert np.isnan(picture[4]).all()


def test_a_row_of_grids_for_each_channel() -> None:
    crops = np.random.default_rng(0).normal(size=(4, 3, 16, 16)).astype(np.float32)
    names = ("a", "b", "c")
    figure = draw_grid(EncodeGrid(crops, crops, crops, names, "three $channels"))
    titles = [axes.get_title() for axes in figure.axes]
    assert titles[:3] == ["original, a", "reconstructed, a", "generated, a"]
    assert len(titles) == 9


@pytest.mark.parametrize("kind", ["tcvae", "bvae", "infogan"])
def test_cells_of_a_project_are_redrawn(
    mitosis: Any, tmp_path: Path, kind: str
) -> None:
    from napari_cellsci.representation.config import EncoderConfig
    from napari_cellsci.representation.encoder import Encoder
    from napari_cellsci.representation.networks import new_network

    spec = mitosis.spec
    config = EncoderConfig(kind=kind, latent=4, filters=(2, 2, 4, 4), hidden=8)  # type: ignore[arg-type]
    network = new_network(config, spec.n_channels, spec.size)
    encoder = Encoder(spec, config, network)
    grid = describe_grid(mitosis, encoder, cells=9)
    assert grid.original.shape == grid.generated.shape == (9, 1, 64, 64)
    raw = mitosis.crops()[np.array([0])]
    np.testing.assert_allclose(grid.original[:1], encoder.normalise(raw), atol=1e-6)
    again = describe_grid(mitosis, encoder, cells=9)
    np.testing.assert_array_equal(grid.generated, again.generated)
    save_grid(grid, tmp_path / "grid.png")
    assert (tmp_path / "grid.png").stat().st_size > 1000


def test_nothing_to_draw_is_said(tmp_path: Path) -> None:
    none = np.zeros((0, 1, 16, 16), np.float32)
    with pytest.raises(InputError, match="no cells to draw"):
        save_grid(EncodeGrid(none, none, none, ("",), ""), tmp_path / "grid.png")
