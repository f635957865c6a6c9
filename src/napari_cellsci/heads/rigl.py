"""Modified RigL: sparse heads whose connections move while they learn.

RigL (arXiv 1911.11134) with the dense warm-up of arXiv 2402.03115 (section 3 and
appendix B.3), for K heads at once, each with its own sparsity, interval and share of
connections that move.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from napari_cellsci.errors import InputError
from napari_cellsci.heads.batched import BatchedAdam, BatchedMLP
from napari_cellsci.heads.history import MaskHistory
from napari_cellsci.heads.losses import decide
from napari_cellsci.heads.training import NEVER


def erdos_renyi_budgets(sizes: Sequence[int], active: float) -> tuple[int, ...]:
    """Divide active weights over layers: density ∝ (n + m) / (n·m) for n × m weights.

    Layers that would be more than full become dense and the rest is divided again.
    Fractions are settled by the largest remainder, ties by the earlier layer.

    Parameters
    ----------
    sizes : sequence of int
        Widths from the input to the output.
    active : float
        Weights to divide; ``(1 − S)·N`` for a sparsity S of N weights.

    Raises
    ------
    InputError
        If a layer would get no weight, or there are fewer places than weights.
    """
    places = [n * m for n, m in pairwise(sizes)]
    raw = [(n + m) / (n * m) for n, m in pairwise(sizes)]
    total = round(active)
    if total > sum(places):
        raise InputError(
            f"{total} weights do not fit into layers of {_by(sizes)}: ask for at most "
            f"{sum(places)}."
        )
    dense: set[int] = set()
    while True:
        free = [layer for layer in range(len(places)) if layer not in dense]
        left = active - sum(places[layer] for layer in dense)
        scale = left / sum(raw[f] * places[f] for f in free) if free else 0.0
        full = [f for f in free if scale * raw[f] > 1]
        if not full:
            break
        highest = max(raw[f] for f in full)
        dense |= {f for f in full if raw[f] == highest}
    share = [
        float(n) if layer in dense else scale * raw[layer] * n
        for layer, n in enumerate(places)
    ]
    budgets = [
        min(math.floor(value + 1e-9), n) for value, n in zip(share, places, strict=True)
    ]
    order = sorted(range(len(places)), key=lambda layer: budgets[layer] - share[layer])
    for layer in order:
        if sum(budgets) < total and budgets[layer] < places[layer]:
            budgets[layer] += 1
    if min(budgets) < 1:
        raise InputError(
            f"{total} active weights leave layer {budgets.index(0) + 1} of "
            f"{_by(sizes)} without any: choose a lower sparsity."
        )
    return tuple(budgets)


def _by(sizes: Sequence[int]) -> str:
    return "-".join(str(size) for size in sizes)


def moving_share(
    tau: npt.ArrayLike, end: npt.ArrayLike, alpha: npt.ArrayLike
) -> npt.NDArray[np.float64]:
    """Return the share of connections that move, ``α/2·(1 + cos(π τ / T_end))``."""
    angle = np.pi * np.asarray(tau, float) / np.maximum(np.asarray(end, float), 1)
    return np.asarray(np.asarray(alpha, float) / 2 * (1 + np.cos(angle)))


@dataclass(frozen=True, slots=True, kw_only=True)
class RiglConfig:
    """When and how connections move, for K heads.

    Parameters
    ----------
    sparsity : array of shape (K,)
        Share S of the weights that is zero in the end.
    interval : int array of shape (K,)
        Gradient steps ΔT from one update to the next.
    alpha : array of shape (K,)
        Share of the connections that move in the first update.
    warmup : int
        Dense gradient steps before the first update.
    end : int
        Steps after the warm-up from which on nothing moves.
    gradual : bool
        Approach the final sparsity as ``1 − (1 − τ/T_end)³`` instead of at once.
    zero_regrow : bool
        Let a weight that is dropped and grown again in one update start at zero too;
        RigL's own code lets it keep its value.
    """

    sparsity: npt.NDArray[np.float64]
    interval: npt.NDArray[np.int64]
    alpha: npt.NDArray[np.float64]
    warmup: int
    end: int
    gradual: bool = False
    zero_regrow: bool = False

    def __post_init__(self) -> None:
        s, alpha = self.sparsity, self.alpha
        if not ((s >= 0) & (s < 1)).all():
            wrong = s[~((s >= 0) & (s < 1))][0]
            raise InputError(
                f"A sparsity of {wrong:g} is impossible: it is the share of weights "
                "that are zero, at least 0 and below 1."
            )
        if not ((alpha >= 0) & (alpha <= 1)).all():
            raise InputError("alpha, the share of connections that move, is 0 to 1.")
        if (self.interval < 1).any():
            raise InputError("The interval between updates is at least one step.")


class RiglRule:
    """Moves connections of K heads; a `TopologyRule`.

    Weights that the model's mask forbids when the rule is made stay forbidden.

    Parameters
    ----------
    model : BatchedMLP
    config : RiglConfig
    recorded : int, optional
        How many models, the first ones, have their masks recorded; all by default.
    probe : tuple of (Tensor of shape (n, D), int array of shape (n,)), optional
        Cells on which the accuracy at every update is measured.

    Attributes
    ----------
    history : MaskHistory
    budgets : int Tensor of shape (K, layers)
        Active weights in the end.
    """

    def __init__(
        self,
        model: BatchedMLP,
        config: RiglConfig,
        *,
        recorded: int | None = None,
        probe: tuple[Tensor, npt.NDArray[np.int64]] | None = None,
    ) -> None:
        self.config = config
        self._probe = probe
        self._positions = model.weight_positions
        if model.mask is None:
            model.mask = torch.ones_like(model.parameters)
        model.parameters.mul_(model.mask)
        self._allowed = [mask.flatten(1).clone() for mask in model.masks]
        self._places = torch.stack([a.sum(1) for a in self._allowed], 1).long()
        self.budgets = torch.tensor(
            [self._budget(model, k) for k in range(model.n_models)]
        )
        self._recorded = model.n_models if recorded is None else recorded
        initial = model.mask[: self._recorded, self._positions]
        self.history = MaskHistory(initial.numpy() != 0)

    def _budget(self, model: BatchedMLP, k: int) -> tuple[int, ...]:
        active = (1 - float(self.config.sparsity[k])) * model.n_weights
        n_inputs = int((model.masks[0][k] != 0).any(0).sum())
        sizes = (max(n_inputs, 1), *model.sizes[1:])
        places = sum(a * b for a, b in pairwise(sizes))
        return erdos_renyi_budgets(sizes, min(active, places))

    def next_change(self, step: int) -> int:
        """Return the first step from `step` on with an update, or `NEVER`."""
        tau = step - self.config.warmup
        due = self._due_from(max(tau, 0))
        due = due[due < self.config.end]
        return self.config.warmup + int(due.min()) if len(due) else NEVER

    def _due_from(self, tau: int) -> npt.NDArray[np.int64]:
        interval = self.config.interval
        return np.asarray(-(-tau // interval) * interval, np.int64)

    def due(self, step: int) -> Tensor:
        """Return the models (bool, K) that change in this step."""
        tau = step - self.config.warmup
        return torch.from_numpy(self._due_from(tau) == tau)

    def change(self, step: int, model: BatchedMLP, optimiser: BatchedAdam) -> None:
        """Drop and grow connections of the models whose time it is.

        Parameters
        ----------
        step : int
        model : BatchedMLP
            With the dense gradient of this step's batch.
        optimiser : BatchedAdam
            Its moments are zeroed for weights that were not kept.

        Raises
        ------
        InputError
            If a gradient is not finite.
        """
        tau = step - self.config.warmup
        models = self.due(step).nonzero()[:, 0]
        gradient = model.gradient[models]
        if not torch.isfinite(gradient).all():
            raise InputError(
                "The gradient is not finite, so no connection can be chosen by it: "
                "check the latents, or lower the learning rate."
            )
        share = moving_share(tau, self.config.end, self.config.alpha[models.numpy()])
        budgets = self._budgets_at(tau)[models]
        for layer, (weights, _) in enumerate(model.slices):
            self._move(
                models,
                weights,
                self._allowed[layer][models],
                budgets[:, layer],
                torch.from_numpy(share),
                model,
                optimiser,
            )
        self._record(step, models, model)

    def _budgets_at(self, tau: int) -> Tensor:
        if not self.config.gradual:
            return self.budgets
        # The last update is the last one that can reach the final budget.
        interval = torch.from_numpy(self.config.interval)
        last = torch.clamp((self.config.end - 1) // interval * interval, min=1)
        left = torch.clamp(1 - tau / last, min=0) ** 3
        more = (self._places - self.budgets) * left.unsqueeze(1)
        return self.budgets + more.floor().long()

    def _move(
        self,
        models: Tensor,
        weights: slice,
        allowed: Tensor,
        budget: Tensor,
        share: Tensor,
        model: BatchedMLP,
        optimiser: BatchedAdam,
    ) -> None:
        """Choose one layer's connections anew: keep by magnitude, grow by gradient."""
        assert model.mask is not None
        value = model.parameters[models, weights]
        active = model.mask[models, weights] != 0
        moving = (share * budget).floor().long()
        keep = largest(value.abs(), active, budget - moving)
        grow = largest(
            model.gradient[models, weights].abs(),
            (allowed != 0) & ~keep,
            budget - keep.sum(1),
        )
        new = keep | grow
        fresh = grow if self.config.zero_regrow else grow & ~active
        model.mask[models, weights] = new.to(model.mask.dtype)
        model.parameters[models, weights] = value.masked_fill(fresh | ~new, 0)
        for moment in (optimiser.first, optimiser.second):
            moment[models, weights] = moment[models, weights].masked_fill(~keep, 0)

    def state_dict(self) -> dict[str, Tensor]:
        """Return the history so far."""
        return self.history.state_dict()

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Take up the history that `state_dict` returned."""
        self.history = MaskHistory.from_state(state, len(self._positions))

    def _record(self, step: int, models: Tensor, model: BatchedMLP) -> None:
        models = models[models < self._recorded]
        if not len(models):
            return
        assert model.mask is not None
        masks = model.mask[models][:, self._positions].numpy() != 0
        accuracy = None
        if self._probe is not None:
            x, y = self._probe
            outputs = model.select(models.tolist()).outputs(x).numpy()
            accuracy = (decide(outputs) == y).mean(1)
        self.history.record(step, models.numpy(), masks, accuracy)


def largest(value: Tensor, among: Tensor, count: Tensor) -> Tensor:
    """Mark the `count` (m,) largest of `value` (m, n) `among` some; ties: the first."""
    order = value.masked_fill(~among, -torch.inf).argsort(
        dim=1, descending=True, stable=True
    )
    rank = torch.empty_like(order)
    rank.scatter_(1, order, torch.arange(value.shape[1]).expand_as(order))
    return among & (rank < count.unsqueeze(1))
