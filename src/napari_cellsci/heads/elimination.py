"""Gradual elimination: weights leave one after another, those that matter least first.

Magnitude alone is a poor judge, since a weight on a latent that says nothing is never
moved and keeps the size it was born with. Here a weight is judged by magnitude times
the root mean square of its gradient, the square root of the rise in loss that a second-
order expansion with the empirical Fisher information foretells (optimal brain damage,
LeCun et al. 1989). Once few weights are left, those that come out lowest are taken away
on trial, and the true rise in loss decides.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from napari_cellsci.errors import InputError
from napari_cellsci.heads.batched import BatchedAdam, BatchedMLP
from napari_cellsci.heads.history import MaskHistory
from napari_cellsci.heads.losses import decide, loss
from napari_cellsci.heads.pruning import prune
from napari_cellsci.heads.rigl import largest
from napari_cellsci.heads.training import NEVER

_FEW = 80
"""Weights from which on they are taken away on trial."""
_ON_TRIAL = 16
"""Weights of each head that are tried at once."""

Watch = Callable[[int, BatchedMLP], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """How many weights are left, and when.

    Parameters
    ----------
    warmup : int
        Dense gradient steps before the first weight leaves.
    end : int
        The step at which `first` is reached; the excess over it falls with the third
        power of the time left.
    every : int
        Steps between eliminations on the way.
    first, last : int arrays of shape (K,)
        Active weights of each head at `end`, and in the very end.
    pace : int
        Steps after which one more weight leaves, between the two.
    """

    warmup: int
    end: int
    every: int
    first: npt.NDArray[np.int64]
    last: npt.NDArray[np.int64]
    pace: int = 1

    def __post_init__(self) -> None:
        if (self.last < 1).any() or (self.first < self.last).any():
            raise InputError(
                "A head keeps at least one weight, and not more in the end than before."
            )

    @property
    def steps(self) -> npt.NDArray[np.int64]:
        """The steps in which weights leave, in order."""
        way = np.arange(self.warmup, self.end, max(self.every, 1))
        later = np.arange(int((self.first - self.last).max()) + 1)
        return np.concatenate([way, self.end + self.pace * later])

    def target(self, step: int, weights: Tensor) -> Tensor:
        """Return the weights left after `step`, starting from `weights` (K,)."""
        first, last = torch.from_numpy(self.first), torch.from_numpy(self.last)
        if step >= self.end:
            return torch.maximum(first - (step - self.end) // self.pace, last)
        left = (1 - (step - self.warmup) / max(self.end - self.warmup, 1)) ** 3
        return first + ((weights - first).clamp(min=0) * left).floor().long()


class EliminationRule:
    """Lets weights of K heads go by a schedule; a `TopologyRule`.

    Weights that the model's mask forbids when the rule is made stay forbidden.

    Parameters
    ----------
    model : BatchedMLP
    schedule : Schedule
    latents : Tensor of shape (n, D)
    wanted : Tensor of shape (n, outputs)
        What heads should say about the cells by which weights are judged.
    rows : sequence of K int arrays
        The cells on which each head's weights are tried.
    recorded : int, optional
        How many models, the first ones, have their masks recorded; all by default.
    probe : tuple of (Tensor of shape (m, D), int array of shape (m,)), optional
        Cells on which the accuracy of those is measured.
    watch : callable, optional
        Called with a step and the model before weights leave in that step.

    Attributes
    ----------
    history : MaskHistory
    """

    def __init__(
        self,
        model: BatchedMLP,
        schedule: Schedule,
        latents: Tensor,
        wanted: Tensor,
        rows: Sequence[npt.NDArray[np.int64]],
        *,
        recorded: int | None = None,
        probe: tuple[Tensor, npt.NDArray[np.int64]] | None = None,
        watch: Watch | None = None,
    ) -> None:
        self._schedule, self._steps = schedule, schedule.steps
        self._latents, self._wanted, self._rows = latents, wanted, rows
        self._probe, self._watch = probe, watch
        self._positions = model.weight_positions
        if model.mask is None:
            model.mask = torch.ones_like(model.parameters)
        model.parameters.mul_(model.mask)
        initial = model.mask[:, self._positions] != 0
        self._weights = initial.sum(1)
        self._recorded = model.n_models if recorded is None else recorded
        self.history = MaskHistory(initial[: self._recorded].numpy())

    def next_change(self, step: int) -> int:
        """Return the first step from `step` on in which weights leave, or `NEVER`."""
        place = int(np.searchsorted(self._steps, step))
        return int(self._steps[place]) if place < len(self._steps) else NEVER

    def due(self, step: int) -> Tensor:
        """Return no model: all take their gradient step before weights leave."""
        return torch.zeros(len(self._weights), dtype=torch.bool)

    def change(self, step: int, model: BatchedMLP, optimiser: BatchedAdam) -> None:
        """Let weights go until the schedule is met.

        Raises
        ------
        InputError
            If weights or gradients are not finite.
        """
        if self._watch is not None:
            self._watch(step, model)
        assert model.mask is not None
        active = model.mask[:, self._positions] != 0
        excess = active.sum(1) - self._schedule.target(step, self._weights)
        if not (excess > 0).any():
            return
        saliency = self._saliency(model, optimiser)
        few = active.sum(1) <= _FEW
        for k in (few & (excess > 0)).nonzero()[:, 0].tolist():
            self._try(k, int(excess[k]), saliency[k], active[k], model)
        keep = largest(saliency, active, active.sum(1) - excess)
        model.mask[:, self._positions] *= keep
        self._settle(model, optimiser)
        self._record(step, model)

    def _saliency(self, model: BatchedMLP, optimiser: BatchedAdam) -> Tensor:
        weight = model.parameters[:, self._positions]
        saliency = weight.abs() * optimiser.second[:, self._positions].sqrt()
        if not torch.isfinite(saliency).all():
            raise InputError(
                "Weights or gradients are not finite, so none can be judged: check the "
                "latents, or lower the learning rate."
            )
        return saliency

    def _try(
        self, k: int, excess: int, saliency: Tensor, active: Tensor, model: BatchedMLP
    ) -> None:
        """Take low weights of head k away on trial; those missed least rank lowest."""
        candidates = active.nonzero()[:, 0]
        n = min(max(_ON_TRIAL, 2 * excess), len(candidates))
        candidates = candidates[saliency[candidates].argsort()[:n]]
        variants = model.select([k] * n)
        variants.parameters[torch.arange(n), self._positions[candidates]] = 0
        rows = torch.from_numpy(self._rows[k])
        wanted = self._wanted[rows].expand(n, -1, -1)
        outputs = variants.outputs(self._latents[rows])
        missed = loss(outputs, wanted, torch.ones(len(rows)))
        order = missed.argsort()
        saliency[candidates[order]] = torch.linspace(-n, -1, n)

    def _settle(self, model: BatchedMLP, optimiser: BatchedAdam) -> None:
        """Let go of what no longer matters, and forget the moments of what left."""
        assert model.mask is not None
        pruned = prune(model).model
        assert pruned.mask is not None
        model.parameters.copy_(pruned.parameters)
        model.mask.copy_(pruned.mask)
        optimiser.first.mul_(model.mask)
        optimiser.second.mul_(model.mask)

    def state_dict(self) -> dict[str, Tensor]:
        """Return the history so far."""
        return self.history.state_dict()

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Take up the history that `state_dict` returned."""
        self.history = MaskHistory.from_state(state, len(self._positions))

    def _record(self, step: int, model: BatchedMLP) -> None:
        if not self._recorded:
            return
        assert model.mask is not None
        first = list(range(self._recorded))
        masks = model.mask[first][:, self._positions].numpy() != 0
        accuracy = None
        if self._probe is not None:
            x, y = self._probe
            outputs = model.select(first).outputs(x).numpy()
            accuracy = (decide(outputs) == y).mean(1)
        self.history.record(step, np.array(first), masks, accuracy)
