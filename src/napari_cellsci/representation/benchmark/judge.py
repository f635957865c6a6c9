"""What is measured of a trained encoder on cells of movies it has never seen."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_cellsci.errors import TrainingError
from napari_cellsci.representation.benchmark.cells import NAMED, NEIGHBOURS, KnownCells
from napari_cellsci.representation.disentangle import disentanglement
from napari_cellsci.representation.encoder import Encoder
from napari_cellsci.representation.explained import (
    Explained,
    importances,
    make_folds,
    varying_latents,
)


def judge(encoder: Encoder, cells: KnownCells, seed: int = 0) -> dict[str, Any]:
    """Measure an encoder on unseen cells.

    Returns
    -------
    dict
        ``named`` (see `named_score`), ``pair`` (mean R² of the best pairs), ``mig``,
        ``sap``, ``disentanglement``, ``completeness``, ``informativeness`` over the
        factors `cells.NAMED`; ``neighbours`` (R² from all latents); ``accuracy`` (of a
        linear classifier of the phases, balanced, held out by track); ``mse``;
        ``active`` latents and ``gaussian_tc`` as training found them; ``factors``
        (`Explained.to_dict`).

    Raises
    ------
    TrainingError
        If the latents of all cells are the same.
    """
    z, error = encoder.encode_with_error(cells.crops)
    if not len(varying_latents(z.astype(np.float64))):
        raise TrainingError(
            "The encoder gives all cells the same latents: train it for longer, or "
            "lower what limits its code."
        )
    found = disentanglement(z, cells.factors(NAMED), cells.groups, seed)
    crowd = importances(z, cells.factors((NEIGHBOURS,)), cells.groups, seed)[1]
    metrics = encoder.record.get("metrics", {})
    return {
        "named": named_score(found.explained),
        "pair": float(np.mean([two.r2 for two in found.explained.pair.values()])),
        "mig": found.mig.score,
        "sap": found.sap.score,
        "disentanglement": found.dci.disentanglement,
        "completeness": found.dci.completeness,
        "informativeness": found.dci.informativeness,
        "neighbours": float(crowd[0]),
        "accuracy": phase_accuracy(z, cells.labels, cells.groups, seed),
        "mse": float(error.mean()),
        "active": metrics.get("active"),
        "gaussian_tc": metrics.get("gaussian_tc"),
        "factors": found.explained.to_dict(),
    }


def named_score(told: Explained) -> float:
    """Return how far each factor is told by one latent or pair, and by no other.

    The mean over factors of R² from the best pair times that pair's share of the
    importance: 1 if every factor has latents of its own that tell all of it.
    """
    beyond = told.beyond
    return float(
        np.mean([max(two.r2, 0) * (1 - beyond[k]) for k, two in told.pair.items()])
    )


def phase_accuracy(
    z: NDArray[Any], labels: NDArray[np.int64], groups: NDArray[Any], seed: int = 0
) -> float | None:
    """Return the balanced accuracy of a linear classifier on unseen tracks.

    None if a class has too few cells to hold some out.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import balanced_accuracy_score

    known = labels >= 0
    codes = np.asarray(z[known], np.float64)[:, varying_latents(np.asarray(z[known]))]
    codes = (codes - codes.mean(0)) / codes.std(0)
    y, tracks = labels[known], groups[known]
    if len(np.unique(tracks)) < 3:
        return None
    called = np.empty_like(y)
    for train, held in make_folds(len(y), tracks, seed):
        if len(np.unique(y[train])) < 2:
            return None
        line = LogisticRegression(class_weight="balanced", max_iter=1_000)
        called[held] = line.fit(codes[train], y[train]).predict(codes[held])
    return float(balanced_accuracy_score(y, called))
