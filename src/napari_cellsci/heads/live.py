"""Heads that follow the labelling: trained in seconds, with what unseen tracks say.

Besides the heads that score all cells, a few are trained without each part of the
tracks, and some of those on fewer labels: together they tell which labels look wrong
and whether more labels would help. All of them are one batched computation.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
import numpy.typing as npt

from napari_cellsci.heads.batched import BatchedMLP
from napari_cellsci.heads.calibrate import fit_calibration
from napari_cellsci.heads.dense import DenseConfig
from napari_cellsci.heads.evaluate import (
    balanced_accuracy,
    balanced_accuracy_of,
    bootstrap_interval,
)
from napari_cellsci.heads.headset import HeadSet, LatentMembers
from napari_cellsci.heads.heldout import UnseenScores, describe
from napari_cellsci.heads.labelled import LabelledLatents
from napari_cellsci.heads.losses import decide
from napari_cellsci.heads.training import model_seed, train_batched
from napari_cellsci.labels.checks import CurvePoint
from napari_cellsci.tasks import CancelToken, OnEvent, ignore

MODELS, UNSEEN = 10, 2
"""Heads for all cells, and heads per part of the tracks."""
STEPS, MOST_STEPS, PER_LABEL = 400, 600, 2
"""Gradient steps at least, at most, and for every label in between."""
SHARES = (0.25, 0.5)
"""Parts of the labels on which further heads are trained, for the learning curve."""


@dataclass(frozen=True, eq=False, slots=True)
class LiveHeads:
    """What one quick training tells.

    Parameters
    ----------
    heads : HeadSet
    unseen : float64 array (n, C)
        Calibrated probabilities of heads that have not seen the cell's track.
    curve : tuple of CurvePoint
        From few labels to all.
    """

    heads: HeadSet
    unseen: npt.NDArray[np.float64]
    curve: tuple[CurvePoint, ...]


def train_live(
    latents: npt.NDArray[np.floating],
    y: npt.NDArray[np.integer],
    groups: npt.NDArray[np.generic],
    n_classes: int = 2,
    *,
    models: int = MODELS,
    steps: int | None = None,
    class_names: Sequence[str] | None = None,
    seed: int = 0,
    on_event: OnEvent = ignore,
    token: CancelToken | None = None,
) -> LiveHeads:
    """Train heads quickly on labelled latents.

    Parameters
    ----------
    latents : array (n, views, D) or (n, D)
    y : int array (n,)
        Classes from 0.
    groups : array (n,)
        The track of each cell; no track is both trained and tested on.
    n_classes, models, seed : int
    steps : int, optional
        Gradient steps; by default more for more labels.
    class_names : sequence of str, optional
        For messages.
    on_event, token

    Raises
    ------
    InputError
        If a class has fewer than two cells or only one track.
    Cancelled
    """
    known = LabelledLatents.check(
        latents, y, groups, n_classes, class_names=class_names, folds=5, seed=seed
    )
    if steps is None:
        steps = int(np.clip(PER_LABEL * len(known), STEPS, MOST_STEPS))
    config = DenseConfig(
        models=models, min_steps=steps, epochs=1, dropout=0.0, folds=5, seed=seed
    )
    rows = _rows(known, models, seed)
    seeds = [model_seed(seed, k) for k in range(len(rows))]
    n_in, n_out = known.sizes_of_ends
    network = BatchedMLP((n_in, *config.hidden, n_out), seeds)
    train_batched(
        network,
        known.latents,
        known.y,
        rows,
        seeds,
        n_classes=n_classes,
        steps=steps,
        batch=config.batch,
        learning_rate=3e-3,
        label_smoothing=config.label_smoothing,
        on_event=on_event,
        token=token,
    )
    return _judged(known, network, models, config)


def _rows(
    known: LabelledLatents, models: int, seed: int
) -> list[npt.NDArray[np.int64]]:
    """Return the cells each head learns from: all; all but a part; some of those."""
    rows = [np.arange(len(known))] * models
    rng = np.random.default_rng(seed)
    for share in (1.0, *SHARES):
        for train, _ in known.parts:
            for _ in range(UNSEEN):
                rows.append(train if share == 1 else _some(train, known.y, share, rng))
    return rows


def _some(
    rows: npt.NDArray[np.int64],
    y: npt.NDArray[np.int64],
    share: float,
    rng: np.random.Generator,
) -> npt.NDArray[np.int64]:
    """Return a share of the cells of every class, one of each at least."""
    kept = []
    for c in np.unique(y[rows]):
        mine = rng.permutation(rows[y[rows] == c])
        kept.append(mine[: max(1, round(share * len(mine)))])
    return np.sort(np.concatenate(kept))


def _judged(
    known: LabelledLatents, network: BatchedMLP, models: int, config: DenseConfig
) -> LiveHeads:
    outputs = network.outputs(known.latents[:, 0].contiguous()).numpy()
    tables = []
    for number in range(1 + len(SHARES)):
        unseen = UnseenScores.empty(UNSEEN, len(known), network.sizes[-1])
        for part, (_, test) in enumerate(known.parts):
            first = models + UNSEEN * (number * len(known.parts) + part)
            unseen.scores[:, test] = outputs[first : first + UNSEEN, test]
            unseen.fold[test] = part
        tables.append(unseen)
    method = describe(known.parts, known.groups)
    report, calibration = tables[0].judge(
        known.y, known.groups, known.n_classes, method
    )
    heads = HeadSet(
        scheme=2,
        n_classes=known.n_classes,
        members=LatentMembers(network.select(range(models))),
        calibration=calibration,
        report=report,
        config={**asdict(config), "hidden": list(config.hidden), "labels": len(known)},
    )
    means = [table.scores.mean(0) for table in tables]
    probabilities = fit_calibration(means[0], known.y).probabilities(means[0])
    points = [
        _point(known, decide(mean), max(2, round(share * len(known))))
        for mean, share in zip(means, (1.0, *SHARES), strict=True)
    ]
    curve = (*points[1:], points[0])
    return LiveHeads(heads, probabilities, curve)


def _point(
    known: LabelledLatents, predicted: npt.NDArray[np.int64], labels: int
) -> CurvePoint:
    low, high = bootstrap_interval(
        known.y,
        predicted,
        known.groups,
        balanced_accuracy_of,
        n_classes=known.n_classes,
    )
    return CurvePoint(labels, balanced_accuracy(known.y, predicted), low, high)
