"""Scheme 1: CNNs that score crops directly (arXiv 2402.03115, section 3)."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from napari_cellsci.cells.fitting import fit_spec
from napari_cellsci.cells.spec import CropSpec
from napari_cellsci.errors import InputError
from napari_cellsci.heads.batched import random_streams
from napari_cellsci.heads.cnn_network import NETWORKS, CropMembers, CropNet, Network
from napari_cellsci.heads.headset import HeadSet
from napari_cellsci.heads.heldout import UnseenScores, describe, partition
from napari_cellsci.heads.keeping import Keeper, identity_of
from napari_cellsci.heads.losses import (
    class_weights,
    decide,
    loss,
    n_outputs,
    wanted_outputs,
)
from napari_cellsci.heads.splits import Indices, check_labels
from napari_cellsci.heads.streams import CellStream
from napari_cellsci.heads.training import model_seed
from napari_cellsci.representation.normalise import normalise
from napari_cellsci.representation.views import N_VIEWS, dihedral_each
from napari_cellsci.tasks import CancelToken, Done, OnEvent, Step, ignore

_REPORT_EVERY = 10
_STEPS, _STEPS_PER_CLASS = 200, 60
"""Least steps for two classes, and for each class beyond them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CNNConfig:
    """How CNNs are built and trained.

    Parameters
    ----------
    models : int
        CNNs trained from different seeds; the score is their mean.
    network : {"strided", "pooled"}
        Four strided convolutions and three dense layers (arXiv 2402.03115), or three
        convolutions with pooling and one dense layer (Isaksson 2018).
    steps : int, optional
        Gradient steps of each CNN at least; by default 200 for two classes and 60 more
        for each further one.
    epochs : int
        Passes over the labelled crops, if that is more than `steps`.
    batch : int
        Crops per step.
    learning_rate : float
        Of Adam at its peak; it rises over a tenth of the steps and falls as a cosine.
    weight_decay : float
        Decoupled from the gradient.
    dropout : float
        After each hidden activation of the head.
    label_smoothing : float
        Share of certainty the labels lack; keeps scores comparable to logits.
    balanced : bool
        Weight the classes by the inverse of their frequency.
    folds : int
        Parts into which the tracks are divided; each CNN is trained without one of
        them. 1 is a single split for all CNNs.
    test : float
        Share held out by a single split.
    seed : int
    """

    models: int = 10
    network: Network = "strided"
    steps: int | None = None
    epochs: int = 10
    batch: int = 64
    learning_rate: float = 3e-3
    weight_decay: float = 1e-4
    dropout: float = 0.3
    label_smoothing: float = 0.02
    balanced: bool = True
    folds: int = 5
    test: float = 0.1
    seed: int = 0

    def __post_init__(self) -> None:
        if self.models < 1 or (self.steps is not None and self.steps < 1):
            raise InputError("Train at least one CNN for at least one step.")
        if self.network not in NETWORKS:
            raise InputError(
                f"The network of CNNs is one of {', '.join(NETWORKS)}, not "
                f"{self.network!r}."
            )
        for name in ("dropout", "label_smoothing"):
            if not 0 <= getattr(self, name) < 1:
                raise InputError(
                    f"{name} must be at least 0 and below 1, not {getattr(self, name)}."
                )

    def total_steps(self, n_cells: int, n_classes: int = 2) -> int:
        """Return the gradient steps for so many training cells and classes."""
        least = self.steps
        if least is None:
            least = _STEPS + _STEPS_PER_CLASS * max(n_classes - 2, 0)
        return max(least, self.epochs * -(-n_cells // self.batch))


def train_cnn(
    crops: npt.NDArray[Any],
    spec: CropSpec,
    y: npt.NDArray[np.integer],
    groups: npt.NDArray[np.generic],
    config: CNNConfig | None = None,
    n_classes: int = 2,
    *,
    class_names: Sequence[str] | None = None,
    run_dir: Path | None = None,
    on_event: OnEvent = ignore,
    token: CancelToken | None = None,
) -> HeadSet:
    """Train K CNNs on labelled crops.

    CNNs are too slow to be trained once for the report and again for use. Each is
    trained without one part of the tracks, the parts taking turns, and all are kept.
    A held-out cell is judged by the mean of those CNNs only that have not seen it; the
    mean of all K, which is used on new cells, should do a little better.

    Parameters
    ----------
    crops : array of shape (n, C, S, S)
        Raw crops of the labelled cells, possibly memory-mapped.
    spec : CropSpec
        How they were cut; says how they are normalised. What that needs of data and
        does not have yet is fitted to these crops.
    y : int array of shape (n,)
        Classes from 0; with two classes, 1 is the one with scores ≥ 0.
    groups : array of shape (n,)
        The track (and movie) of each cell.
    config : CNNConfig, optional
    n_classes : int
    class_names : sequence of str, optional
        For messages.
    run_dir : Path, optional
        Where CNNs that are complete are kept; training that was stopped goes on with
        the next.
    on_event : callable
    token : CancelToken, optional

    Returns
    -------
    HeadSet

    Raises
    ------
    InputError
        If a class has fewer than two cells or only one track, or crops do not fit
        their specification.
    Cancelled
        If the token is cancelled; nothing is kept but in `run_dir`.
    """
    config = config or CNNConfig()
    target, groups = np.asarray(y, np.int64), np.asarray(groups)
    check_labels(target, groups, n_classes, class_names)
    if len(crops) != len(y):
        raise InputError(f"{len(y)} labels came with {len(crops)} crops.")
    spec = fit_spec(spec, crops, on_event=on_event, token=token)
    outputs = n_outputs(n_classes)
    shape: dict[str, Any] = {
        "channels": spec.n_channels,
        "size": spec.size,
        "outputs": outputs,
        "network": config.network,
        "dropout": config.dropout,
    }
    parts = partition(groups, target, config.folds, config.test, config.seed)
    unseen = UnseenScores.empty(config.models, len(y), outputs)
    keeper = None
    if run_dir is not None:
        digest = hashlib.sha256(np.ascontiguousarray(crops[:]).tobytes()).hexdigest()
        identity = identity_of(1, asdict(config), spec.hash, digest, target.tobytes())
        keeper = Keeper(run_dir, identity, on_event)
    networks: list[CropNet] = []
    right: list[float] = []
    steps = config.total_steps(len(y), n_classes)
    for k in range(config.models):
        train, test = parts[k % len(parts)]
        seed = model_seed(config.seed, k)
        network = CropNet(**shape, seed=seed)
        report = _Reporter(on_event, k * steps, config.models * steps)
        kept = None if keeper is None else keeper.read(f"cnn{k}")
        if kept is not None:
            network.load_state_dict(kept)
            network.eval()
        else:
            _train_one(
                network, crops, spec, target, train, seed, steps, config, report, token
            )
            if keeper is not None:
                keeper.write(f"cnn{k}", (k + 1) * steps, network.state_dict())
        own = CropMembers(spec, [network], shape)
        unseen.scores[k, test] = own.scores(crops[test], token=token)[0]
        unseen.fold[test] = k % len(parts)
        networks.append(network)
        right.append(float((decide(unseen.scores[k, test]) == target[test]).mean()))
        if kept is None:
            report.judged(steps, right)
    report_, calibration = unseen.judge(
        target, groups, n_classes, describe(parts[: config.models], groups)
    )
    on_event(Done("Training CNNs"))
    return HeadSet(
        scheme=1,
        n_classes=n_classes,
        members=CropMembers(spec, networks, shape),
        calibration=calibration,
        report=report_,
        config={**asdict(config), "labels": len(y)},
    )


@dataclass(frozen=True, slots=True)
class _Reporter:
    """Counts the steps of one CNN among those of all."""

    on_event: OnEvent
    before: int
    total: int

    def __call__(self, step: int, value: Tensor) -> None:
        done = self.before + step
        self.on_event(Step(done, self.total, {"loss": float(value.detach())}))

    def judged(self, steps: int, accuracy: list[float]) -> None:
        """Tell how well the CNNs so far do on the cells that were held out."""
        done = self.before + steps
        self.on_event(Step(done, self.total, {}, {"held_out": tuple(accuracy)}))


def _learning_rate(step: int, steps: int) -> float:
    """Return the factor of the learning rate: a short rise, then half a cosine."""
    rise = max(steps // 10, 1)
    if step < rise:
        return (step + 1) / rise
    return 0.5 * (1 + math.cos(math.pi * (step - rise) / max(steps - rise, 1)))


def _train_one(
    network: CropNet,
    crops: npt.NDArray[Any],
    spec: CropSpec,
    y: npt.NDArray[np.int64],
    rows: Indices,
    seed: int,
    steps: int,
    config: CNNConfig,
    report: _Reporter,
    token: CancelToken | None,
) -> None:
    n_classes = int(y.max()) + 1
    weights = class_weights(y[rows], n_classes, config.balanced)
    wanted = wanted_outputs(y, n_classes, config.label_smoothing)
    stream = CellStream(rows, random_streams(seed)[1], N_VIEWS)
    optimiser = torch.optim.AdamW(
        network.parameters(), config.learning_rate, weight_decay=config.weight_decay
    )
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimiser, lambda step: _learning_rate(step, steps)
    )
    network.train()
    for step in range(1, steps + 1):
        if token is not None:
            token.raise_if_cancelled()
        cell, view = np.divmod(stream.draw(config.batch), N_VIEWS)
        x = dihedral_each(normalise(crops[cell], spec), torch.from_numpy(view))
        x = x.contiguous(memory_format=torch.channels_last)
        target = torch.from_numpy(wanted[cell])
        value = loss(network(x), target, torch.from_numpy(weights[y[cell]]))
        optimiser.zero_grad(set_to_none=True)
        value.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        schedule.step()
        if step % _REPORT_EVERY == 0 or step == steps:
            report(step, value)
    network.eval()
