"""Scheme 2: dense heads on latents (arXiv 2402.03115, section 3)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from napari_cellsci.errors import InputError
from napari_cellsci.heads.batched import BatchedMLP
from napari_cellsci.heads.headset import HeadSet, LatentMembers
from napari_cellsci.heads.keeping import Keeper, identity_of
from napari_cellsci.heads.labelled import LabelledLatents
from napari_cellsci.heads.training import model_seed, train_batched
from napari_cellsci.tasks import CancelToken, Done, OnEvent, ignore


@dataclass(frozen=True, slots=True, kw_only=True)
class DenseConfig:
    """How dense heads are built and trained.

    Parameters
    ----------
    models : int
        Heads trained from different seeds; the score is their mean.
    hidden : tuple of int
        Widths of the hidden layers.
    epochs : int
        Passes over the labelled cells, if that is more than `min_steps`.
    min_steps : int
        Gradient steps at least: few labels make short epochs.
    batch : int
        Cells per step and head.
    dropout : float
        Probability that a hidden neuron is silenced in a step.
    learning_rate : float
        Of Adam.
    label_smoothing : float
        Share of certainty the labels lack; keeps the scores of few, separable cells
        finite, so that they stay comparable to logits. The paper has 0.
    balanced : bool
        Weight the classes by the inverse of their frequency.
    folds : int, optional
        Parts into which the tracks are divided for the held-out report; 1 is a single
        split. By default 5, or 1 from 2,000 labelled cells on.
    test : float
        Share held out by a single split.
    seed : int
    """

    models: int = 10
    hidden: tuple[int, ...] = (16, 16, 16)
    epochs: int = 100
    min_steps: int = 1000
    batch: int = 64
    dropout: float = 0.3
    learning_rate: float = 1e-3
    label_smoothing: float = 0.02
    balanced: bool = True
    folds: int | None = None
    test: float = 0.1
    seed: int = 0

    def __post_init__(self) -> None:
        if self.models < 1:
            raise InputError("Train at least one head.")
        for name in ("dropout", "label_smoothing"):
            if not 0 <= getattr(self, name) < 1:
                raise InputError(
                    f"{name} must be at least 0 and below 1, not {getattr(self, name)}."
                )

    def steps(self, n_cells: int) -> int:
        """Return the gradient steps for so many training cells."""
        return max(self.epochs * -(-n_cells // self.batch), self.min_steps)


def train_dense(
    latents: npt.NDArray[np.floating],
    y: npt.NDArray[np.integer],
    groups: npt.NDArray[np.generic],
    config: DenseConfig | None = None,
    n_classes: int = 2,
    *,
    class_names: Sequence[str] | None = None,
    run_dir: Path | None = None,
    on_event: OnEvent = ignore,
    token: CancelToken | None = None,
) -> HeadSet:
    """Train K dense heads on labelled latents.

    The heads that are returned learn from all labelled cells. The report and the
    calibration come from further heads, K for each part of the tracks, which are
    trained without that part and judged on it. All heads of all parts are one batched
    computation.

    Parameters
    ----------
    latents : array of shape (n, views, D) or (n, D)
        Latent means of the labelled cells. Every view is trained on; the first, the
        crop as it is, is tested on.
    y : int array of shape (n,)
        Classes from 0; with two classes, 1 is the one with scores ≥ 0.
    groups : array of shape (n,)
        The track (and movie) of each cell; no track is both trained and tested on.
    config : DenseConfig, optional
    n_classes : int
    class_names : sequence of str, optional
        For messages.
    run_dir : Path, optional
        Where half-trained heads are kept; training that was stopped goes on there.
    on_event : callable
    token : CancelToken, optional

    Returns
    -------
    HeadSet

    Raises
    ------
    InputError
        If a class has fewer than two cells or only one track, or latents are not
        finite.
    Cancelled
        If the token is cancelled; nothing is kept but in `run_dir`.
    """
    config = config or DenseConfig()
    known = LabelledLatents.check(
        latents,
        y,
        groups,
        n_classes,
        class_names=class_names,
        folds=config.folds,
        test=config.test,
        seed=config.seed,
    )
    seeds = [
        model_seed(config.seed, part, k)
        for part in range(len(known.rows))
        for k in range(config.models)
    ]
    n_in, n_out = known.sizes_of_ends
    network = BatchedMLP((n_in, *config.hidden, n_out), seeds)
    keeper = None
    if run_dir is not None:
        identity = identity_of(2, asdict(config), known.fingerprint, n_out)
        keeper = Keeper(run_dir, identity, on_event)
    train_batched(
        network,
        known.latents,
        known.y,
        [part for part in known.rows for _ in range(config.models)],
        seeds,
        n_classes=n_classes,
        steps=config.steps(len(known)),
        batch=config.batch,
        dropout=config.dropout,
        learning_rate=config.learning_rate,
        label_smoothing=config.label_smoothing,
        balanced=config.balanced,
        on_event=on_event,
        token=token,
        keeper=keeper,
    )
    report, calibration = known.judge(network, config.models)
    on_event(Done("Training heads"))
    return HeadSet(
        scheme=2,
        n_classes=n_classes,
        members=LatentMembers(network.select(range(config.models))),
        calibration=calibration,
        report=report,
        config={**asdict(config), "hidden": list(config.hidden), "labels": len(known)},
    )
