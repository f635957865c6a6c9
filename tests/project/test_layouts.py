from __future__ import annotations

import numpy as np
import pytest

from napari_cellsci.project import Project
from napari_cellsci.representation import umap_layout as module


def test_a_umap_is_computed_once_and_again_when_cells_join(
    ready: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def lay_out(z: np.ndarray, **_: object) -> np.ndarray:
        asked.append(len(z))
        return np.asarray(z[:, :2], np.float32)

    monkeypatch.setattr(module, "umap_layout", lay_out)
    assert not ready.has_umap()
    first = ready.umap()
    assert first.shape == (len(ready), 2)
    assert ready.has_umap()
    np.testing.assert_array_equal(ready.umap(ready.encoder()), first)
    n = len(ready)
    image = np.random.default_rng(0).integers(0, 999, (2, 64, 64)).astype(np.uint16)
    ready.add_movie(image, np.array([[1, 0, 30, 30], [1, 1, 31, 31]]), pixel_size=0.5)
    assert not ready.has_umap()
    again = ready.umap()
    assert again.shape == (n + 2, 2)
    assert asked == [n, n + 2]
    np.testing.assert_array_equal(again[:n], first)
