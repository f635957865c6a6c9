from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from napari_cellsci.errors import InputError
from napari_cellsci.representation import umap_layout as module
from napari_cellsci.representation.umap_layout import umap_installed, umap_layout
from napari_cellsci.tasks import Cancelled, CancelToken, Progress

STAND_IN = """
import time
class UMAP:
    def __init__(self, n_neighbors, random_state, n_jobs):
        self.n, self.seed = n_neighbors, random_state
    def fit_transform(self, z):
        if len(z) == 11:
            raise ValueError("eleven cells are unlucky")
        if len(z) == 12:
            time.sleep(600)
        return z[:, :2] + self.seed + self.n
"""


@pytest.fixture
def stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A package called umap that the child process finds."""
    (tmp_path / "umap.py").write_text(STAND_IN, encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setattr(module, "umap_installed", lambda: True)


def test_the_child_lays_out_what_it_is_given(stand_in: None) -> None:
    z = np.random.default_rng(0).normal(size=(20, 4)).astype(np.float32)
    events: list[object] = []
    plane = umap_layout(z, seed=2, on_event=events.append)
    np.testing.assert_allclose(plane, z[:, :2] + 2 + 15, rtol=1e-5)
    assert isinstance(events[0], Progress)


def test_its_failure_is_one_sentence(stand_in: None) -> None:
    with pytest.raises(InputError, match="UMAP failed: ValueError: eleven cells"):
        umap_layout(np.zeros((11, 3)))


def test_it_is_stopped_in_the_middle(stand_in: None) -> None:
    token = CancelToken()

    def cancel(event: object) -> None:
        token.cancel()

    with pytest.raises(Cancelled):
        umap_layout(np.zeros((12, 3)), on_event=cancel, token=token)


def test_too_few_cells_or_no_package_are_told(
    stand_in: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(InputError, match="at least 10 cells"):
        umap_layout(np.zeros((3, 3)))
    monkeypatch.setattr(module, "umap_installed", lambda: False)
    with pytest.raises(InputError, match=r"pip install 'napari-cellsci\[umap\]'"):
        umap_layout(np.zeros((30, 3)))


@pytest.mark.skipif(not umap_installed(), reason="umap-learn is not installed")
def test_two_clouds_stay_apart_and_the_seed_decides() -> None:
    z = np.random.default_rng(1).normal(size=(60, 5))
    z[30:] += 20
    plane = umap_layout(z)
    spread = plane[:30].std(axis=0).max() + plane[30:].std(axis=0).max()
    assert np.linalg.norm(plane[:30].mean(0) - plane[30:].mean(0)) > spread
    np.testing.assert_array_equal(plane, umap_layout(z))
    assert "umap" not in sys.modules
