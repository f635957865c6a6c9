"""Heads on real nuclei: a HeLa movie with hand labels, held out by track."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from napari_cellsci.cells.crops import crop_frame
from napari_cellsci.cells.normalise import zscore
from napari_cellsci.cells.spec import CropSpec
from napari_cellsci.explain.ood import OOD_THRESHOLD, OodReference
from napari_cellsci.heads.cnn import CNNConfig, train_cnn
from napari_cellsci.heads.dense import DenseConfig, train_dense
from napari_cellsci.heads.evaluate import HeldOut
from napari_cellsci.heads.headset import SparseMembers
from napari_cellsci.heads.sparse import SparseConfig, train_sparse

CLASSES = ["interphase", "metaphase"]
SPEC = CropSpec(fov_um=21.3)
PIXEL_SIZE = 0.645


@dataclass
class Real:
    """Labelled cells: class names, tracks, raw crops, linear codes and their error."""

    names: np.ndarray
    tracks: np.ndarray
    crops: np.ndarray
    codes: np.ndarray
    error: np.ndarray
    background: np.ndarray

    @property
    def known(self) -> np.ndarray:
        return np.isin(self.names, CLASSES)

    @property
    def y(self) -> np.ndarray:
        return (self.names[self.known] == "metaphase").astype(np.int64)


def views(x: np.ndarray) -> np.ndarray:
    """Return the eight turned and mirrored forms (n, 8, C, S, S)."""
    turned = [np.rot90(m, k, (-2, -1)) for m in (x, x[..., ::-1]) for k in range(4)]
    return np.stack(turned, 1)


@pytest.fixture(scope="module")
def real(real_data: Path) -> Real:
    import tifffile

    folder = real_data / "hela"
    movie = tifffile.imread(folder / "movie.tif")
    labels = pd.concat(
        [pd.read_csv(folder / f) for f in ("labels.csv", "labels_other.csv")],
        ignore_index=True,
    )
    tracked = pd.read_csv(folder / "tracks.csv").iloc[::8]

    def cut(cells: pd.DataFrame) -> np.ndarray:
        crops = np.empty((len(cells), 1, 64, 64), movie.dtype)
        for t in cells.t.unique():
            here = np.flatnonzero(cells.t == t)
            yx = cells[["y", "x"]].to_numpy()[here]
            crops[here] = crop_frame(movie[t][None], yx, SPEC, PIXEL_SIZE)
        return crops

    def small(crops: np.ndarray) -> np.ndarray:
        x = zscore(crops).reshape(-1, 1, 16, 4, 16, 4).mean((3, 5))
        return x.reshape(-1, 1, 16, 16)

    raw, around = cut(labels), small(cut(tracked)).reshape(-1, 256)
    mean = around.mean(0)
    axes = np.linalg.svd(around - mean, full_matrices=False)[2][:32].T
    spread = ((around - mean) @ axes).std(0)
    pixels = views(small(raw)).reshape(len(raw), 8, 256) - mean
    codes = pixels @ axes
    residual = pixels[:, 0] - codes[:, 0] @ axes.T
    return Real(
        labels["class"].to_numpy(str),
        labels.track_id.to_numpy(),
        raw,
        codes / spread,
        np.square(residual).mean(1),
        (around - mean) @ axes / spread,
    )


def wrong(report: HeldOut) -> tuple[int, int]:
    """Return the interphase and the metaphase cells that are wrong."""
    first, second = report.classes
    return first.cells - first.right, second.cells - second.right


def test_dense_heads_on_hand_labels(real: Real) -> None:
    config = DenseConfig(models=3, min_steps=600)
    codes, tracks = real.codes[real.known], real.tracks[real.known]
    interphase, metaphase = wrong(train_dense(codes, real.y, tracks, config).report)
    assert interphase <= 0.03 * 137
    assert metaphase <= 1


def test_sparse_heads_keep_the_accuracy_of_dense_ones(real: Real) -> None:
    codes, tracks = real.codes[real.known], real.tracks[real.known]
    dense = train_dense(codes, real.y, tracks, DenseConfig(models=5)).report
    config = SparseConfig(models=5, scouts=5)
    sparse = train_sparse(codes, real.y, tracks, config)
    assert sparse.report.balanced_accuracy >= 0.98 * dense.balanced_accuracy
    assert isinstance(sparse.members, SparseMembers)
    assert sparse.members.active_weights.max() <= 25
    assert sparse.members.used_inputs.sum(1).max() <= 8


def test_what_was_never_taught_is_told_apart(real: Real) -> None:
    taught = real.known
    reference = OodReference.fit(
        real.codes[taught],
        real.error[taught],
        real.y,
        real.tracks[taught],
        background=real.background,
    )
    strange = reference.score(real.codes, real.error) > OOD_THRESHOLD
    share = pd.Series(strange).groupby(real.names).mean()
    assert share["interphase"] <= 0.08
    assert share["junk_debris"] >= 0.9
    assert share["junk_too_dim"] >= 0.5
    assert share["prometaphase"] >= 0.3
    assert share["ana_telophase"] >= 0.3


@pytest.mark.slow
def test_cnns_on_hand_labels(real: Real) -> None:
    crops, tracks = real.crops[real.known], real.tracks[real.known]
    config = CNNConfig(models=5)
    report = train_cnn(crops, SPEC, real.y, tracks, config).report
    interphase, metaphase = wrong(report)
    assert interphase <= 0.03 * 137
    assert metaphase <= 1
