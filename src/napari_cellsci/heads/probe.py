"""What a code tells of the classes: small probes, judged on groups they have not seen.

The probe is that of the thesis (Isaksson 2018, section 3.6): two hidden layers on the
latents, Adam and early stopping. A linear probe beside it says how much of what the
code tells lies open.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from napari_cellsci.errors import InputError
from napari_cellsci.heads.evaluate import (
    Interval,
    accuracy_of,
    balanced_accuracy_of,
    bootstrap_interval,
    confusion,
    recall_of,
)
from napari_cellsci.heads.losses import class_weights
from napari_cellsci.heads.splits import (
    Indices,
    check_labels,
    folds_by_group,
    split_by_group,
)
from napari_cellsci.tasks import CancelToken, Done, OnEvent, Progress, ignore

FLOOR = 0.05
"""Latents with less than this share of the largest spread are not blown up further."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeConfig:
    """How the probe is built, trained and judged.

    Parameters
    ----------
    hidden : tuple of int
        Widths of the hidden layers (ReLU).
    learning_rate : float
        Of Adam.
    epochs, patience : int
        Passes over the training cells at most, and passes without a lower loss on the
        cells set aside after which training stops.
    batch : int
        Cells per step.
    set_aside : float
        Share of the training cells (whole groups) that early stopping looks at.
    folds : int
        Parts of the groups, each judged once by probes trained on the others.
    members : int
        Probes trained for each part, with other groups set aside; the mean of their
        probabilities decides. A single one depends on which few cells of a rare class
        stop it.
    seed : int
    """

    hidden: tuple[int, ...] = (128, 64)
    learning_rate: float = 1e-3
    epochs: int = 300
    patience: int = 20
    batch: int = 64
    set_aside: float = 0.15
    folds: int = 5
    members: int = 7
    seed: int = 0

    def __post_init__(self) -> None:
        if min(self.hidden, default=0) < 1:
            raise InputError("A probe needs hidden layers of at least one neuron each.")
        if self.folds < 2:
            raise InputError("A probe is judged in at least two parts (folds).")
        for name in ("epochs", "patience", "batch", "members"):
            if getattr(self, name) < 1:
                raise InputError(f"{name} of a probe must be at least 1.")
        if not self.learning_rate > 0:
            raise InputError("The learning rate of a probe must be positive.")
        if not 0 < self.set_aside < 1:
            raise InputError("The share set aside must lie between 0 and 1.")


@dataclass(frozen=True, eq=False, slots=True)
class Judged:
    """Predictions of cells in groups that were not trained on, and how good they are.

    Parameters
    ----------
    predicted : int array (n,)
    confusion : int array (C, C)
        Rows are labels, columns predictions.
    accuracy, balanced_accuracy : float
    accuracy_interval, interval : tuple of float
        95% bootstrap intervals of both over groups.
    """

    predicted: NDArray[np.int64]
    confusion: NDArray[np.int64]
    accuracy: float
    accuracy_interval: Interval
    balanced_accuracy: float
    interval: Interval

    @property
    def recall(self) -> NDArray[np.float64]:
        """Share of each class that is predicted right (C,)."""
        return recall_of(self.confusion.astype(float))


@dataclass(frozen=True, eq=False, slots=True)
class Probed:
    """A probe of two hidden layers and a linear one on the same parts.

    Parameters
    ----------
    mlp, linear : Judged
    folds : int
    """

    mlp: Judged
    linear: Judged
    folds: int


def judge(
    y: NDArray[np.int64],
    predicted: NDArray[np.int64],
    groups: NDArray[np.generic],
    n_classes: int,
) -> Judged:
    """Say how good predictions of unseen cells are."""
    matrix = confusion(y, predicted, n_classes)
    return Judged(
        predicted,
        matrix,
        float(accuracy_of(matrix.astype(float))),
        bootstrap_interval(y, predicted, groups, n_classes=n_classes),
        float(balanced_accuracy_of(matrix.astype(float))),
        bootstrap_interval(
            y, predicted, groups, balanced_accuracy_of, n_classes=n_classes
        ),
    )


def difference(
    y: NDArray[np.int64],
    first: NDArray[np.int64],
    second: NDArray[np.int64],
    groups: NDArray[np.generic],
    *,
    draws: int = 2000,
    seed: int = 0,
) -> tuple[float, Interval]:
    """Return the gain in balanced accuracy of `first` over `second`, and its interval.

    Both judged the same cells, so whole groups are drawn for both at once: what makes
    a group hard for both does not widen the 95% interval.

    Parameters
    ----------
    y, first, second : int arrays (n,)
        Labels and two predictions of the same cells.
    groups : array (n,)
    draws : int
        Resamples of the bootstrap.
    seed : int
    """
    names, number = np.unique(groups, return_inverse=True)
    n_classes = int(max(y.max(), first.max(), second.max())) + 1
    matrices = np.zeros((2, len(names), n_classes, n_classes))
    for matrix, predicted in zip(matrices, (first, second), strict=True):
        np.add.at(matrix, (number.ravel(), y, predicted), 1)
    point = np.subtract(*balanced_accuracy_of(matrices.sum(1)))
    rng = np.random.default_rng(seed)
    weight = rng.multinomial(len(names), np.full(len(names), 1 / len(names)), draws)
    drawn = np.einsum("dg,sgab->sdab", weight, matrices)
    gaps = np.subtract(*balanced_accuracy_of(drawn))
    low, high = np.nanquantile(gaps, [0.025, 0.975])
    return float(point), (min(float(low), float(point)), max(float(high), float(point)))


def probe(
    z: NDArray[Any],
    y: NDArray[np.integer[Any]],
    groups: NDArray[np.generic],
    n_classes: int,
    config: ProbeConfig | None = None,
    *,
    class_names: Sequence[str] | None = None,
    on_event: OnEvent = ignore,
    token: CancelToken | None = None,
) -> Probed:
    """Probe a code for the classes, held out by group.

    Parameters
    ----------
    z : array (n, D)
        Latents.
    y : int array (n,)
        Classes from 0.
    groups : array (n,)
        Cells of equal value (a track) are never both trained on and judged.
    n_classes : int
    config : ProbeConfig, optional
    class_names : sequence of str, optional
        For messages.
    on_event, token

    Raises
    ------
    InputError
        If a class has fewer than two cells or only one group.
    Cancelled
        If the token asks for it.
    """
    config = config or ProbeConfig()
    target = np.asarray(y, np.int64)
    values = np.asarray(z, np.float32)
    check_labels(target, groups, n_classes, class_names)
    if len(values) != len(target):
        raise InputError(f"{len(target)} labels came with {len(values)} codes.")
    parts = folds_by_group(groups, target, config.folds, config.seed)
    scaled = np.stack([_scaled(values, train) for train, _ in parts])
    many, each = np.tile(scaled, (config.members, 1, 1)), parts * config.members
    networks = _fit(many, target, groups, each, n_classes, config, on_event, token)
    predicted = np.zeros((2, len(target)), np.int64)
    for k, (train, test) in enumerate(parts):
        x = torch.from_numpy(scaled[k][test])
        with torch.no_grad():
            chances = networks.of(slice(k, None, len(parts)))(x).softmax(2).mean(0)
        predicted[0, test] = chances.argmax(1).numpy()
        predicted[1, test] = _linear(scaled[k], target, train, test)
    on_event(Done("Probing"))
    mlp, linear = (judge(target, row, groups, n_classes) for row in predicted)
    return Probed(mlp, linear, len(parts))


def _scaled(z: NDArray[np.float32], train: Indices) -> NDArray[np.float32]:
    """Return latents in units of their spread among the training cells."""
    spread = z[train].std(0)
    least = max(FLOOR * float(spread.max(initial=0.0)), 1e-6)
    scaled = (z - z[train].mean(0)) / np.maximum(spread, least)
    return np.asarray(scaled, np.float32)


def _linear(
    z: NDArray[np.float32], y: NDArray[np.int64], train: Indices, test: Indices
) -> NDArray[np.int64]:
    from sklearn.linear_model import LogisticRegression

    if len(np.unique(y[train])) < 2:
        return np.full(len(test), y[train][0])
    model = LogisticRegression(class_weight="balanced", max_iter=2000)
    found = model.fit(z[train], y[train]).predict(z[test])
    return np.asarray(found, np.int64)


class _Probes(nn.Module):
    """K independent networks of the same shape, computed together."""

    def __init__(self, widths: Sequence[int], models: int, seed: int) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(seed)
        self.weights, self.biases = nn.ParameterList(), nn.ParameterList()
        for n_in, n_out in pairwise(widths):
            # The default of torch.nn.Linear: uniform within ±1/√fan-in, biases too.
            drawn = torch.rand(models, n_in + 1, n_out, generator=generator)
            drawn = (2 * drawn - 1) / n_in**0.5
            self.weights.append(nn.Parameter(drawn[:, :-1].clone()))
            self.biases.append(nn.Parameter(drawn[:, -1:].clone()))

    def of(self, some: slice) -> Callable[[Tensor], Tensor]:
        """Return some of the networks, which map latents (n, D) to logits (k, n, C)."""
        count = len(range(*some.indices(len(self.weights[0]))))

        def outputs(x: Tensor) -> Tensor:
            return self._through(x.expand(count, *x.shape), some)

        return outputs

    def forward(self, x: Tensor) -> Tensor:
        """Return logits (K, n, C) of latents (K, n, D)."""
        return self._through(x, slice(None))

    def _through(self, x: Tensor, some: slice) -> Tensor:
        last = len(self.weights) - 1
        for k, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            x = torch.baddbmm(bias[some], x, weight[some])
            x = x if k == last else x.relu()
        return x


@dataclass(slots=True)
class _Kept:
    """The best state of each of K networks so far, and for how long it has been."""

    loss: Tensor
    since: Tensor
    state: dict[str, Tensor]

    @classmethod
    def of(cls, networks: nn.Module, models: int) -> _Kept:
        state = {name: value.clone() for name, value in networks.state_dict().items()}
        return cls(torch.full((models,), torch.inf), torch.zeros(models), state)

    def see(self, networks: nn.Module, loss: Tensor) -> None:
        """Keep those networks whose loss on the cells set aside is the lowest yet."""
        better = loss < self.loss
        self.loss = torch.where(better, loss, self.loss)
        self.since = torch.where(better, 0, self.since + 1)
        for name, value in networks.state_dict().items():
            self.state[name][better] = value[better]


def _fit(
    z: NDArray[np.float32],
    y: NDArray[np.int64],
    groups: NDArray[np.generic],
    parts: Sequence[tuple[Indices, Indices]],
    n_classes: int,
    config: ProbeConfig,
    on_event: OnEvent,
    token: CancelToken | None,
) -> _Probes:
    """Train a network per part, each until its groups set aside gain no more."""
    x, target = torch.from_numpy(z), torch.from_numpy(y)
    fit, aside = _set_aside(y, groups, parts, config)
    weights = np.stack([class_weights(y[t], n_classes, True) for t, _ in parts])
    cell_weight = torch.from_numpy(weights)[:, target]
    networks = _Probes((z.shape[2], *config.hidden, n_classes), len(parts), config.seed)
    optimiser = torch.optim.Adam(networks.parameters(), config.learning_rate)
    kept = _Kept.of(networks, len(parts))
    rng = np.random.default_rng(config.seed)
    which = torch.arange(len(parts))[:, None]
    for epoch in range(config.epochs):
        if token is not None:
            token.raise_if_cancelled()
        on_event(Progress("Probing", epoch, config.epochs))
        for rows in _batches(fit, config.batch, rng):
            logits = networks(x[which, rows])
            loss = _losses(logits, target[rows], cell_weight[which, rows]).sum()
            optimiser.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
        with torch.no_grad():
            value = _losses(networks(x), target.expand(len(parts), -1), aside)
        kept.see(networks, value)
        if bool((kept.since >= config.patience).all()):
            break
    networks.load_state_dict(kept.state)
    return networks


def _set_aside(
    y: NDArray[np.int64],
    groups: NDArray[np.generic],
    parts: Sequence[tuple[Indices, Indices]],
    config: ProbeConfig,
) -> tuple[list[Indices], Tensor]:
    """Return the cells each network learns from, and the weight of those set aside."""
    fit, weight = [], np.zeros((len(parts), len(y)), np.float32)
    for k, (train, _) in enumerate(parts):
        share, seed = config.set_aside, config.seed + k
        learn, look = split_by_group(groups[train], y[train], share, seed)
        fit.append(train[learn])
        classes = class_weights(y[train[look]], int(y.max()) + 1, True)
        weight[k, train[look]] = classes[y[train[look]]]
    return fit, torch.from_numpy(weight)


def _batches(
    fit: Sequence[Indices], batch: int, rng: np.random.Generator
) -> Iterator[Tensor]:
    """Deal out one pass over the largest part (K, B); smaller ones begin again."""
    longest = max(len(rows) for rows in fit)
    dealt = torch.from_numpy(
        np.stack([np.resize(rng.permutation(rows), longest) for rows in fit])
    )
    for start in range(0, longest, batch):
        yield dealt[:, start : start + batch]


def _losses(logits: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    """Return each network's weighted mean cross-entropy (K,)."""
    found = nn.functional.cross_entropy(
        logits.transpose(1, 2), target, reduction="none"
    )
    return (found * weight).sum(1) / weight.sum(1).clamp_min(1e-12)
