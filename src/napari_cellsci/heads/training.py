"""The training loop of batched heads."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from napari_cellsci.errors import InputError
from napari_cellsci.heads.batched import BatchedAdam, BatchedMLP, random_streams
from napari_cellsci.heads.engine import FusedSteps, compiled_steps
from napari_cellsci.heads.keeping import Keeper
from napari_cellsci.heads.losses import (
    class_weights,
    loss,
    loss_gradient,
    wanted_outputs,
)
from napari_cellsci.heads.progress import Moved, Probe, active_weights
from napari_cellsci.heads.streams import BatchStream, DropoutStream
from napari_cellsci.tasks import CancelToken, OnEvent, Step, ignore

NEVER = 2**62
_REPORT_EVERY = 100


class TopologyRule(Protocol):
    """Decides which connections exist while the heads learn."""

    def next_change(self, step: int) -> int:
        """Return the first step from `step` on that changes a mask, or `NEVER`."""

    def due(self, step: int) -> Tensor:
        """Return the models (bool, K) that change in this step.

        They change topology instead of taking a gradient step.
        """

    def change(self, step: int, model: BatchedMLP, optimiser: BatchedAdam) -> None:
        """Read the dense gradient of the models that are due and change their masks."""

    def state_dict(self) -> dict[str, Tensor]:
        """Return what the rule remembers, apart from the model's mask."""

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Take up what `state_dict` returned."""


def model_seed(seed: int, *path: int) -> int:
    """Return the seed of one model, independent of its neighbours' seeds."""
    return int(np.random.SeedSequence([seed, *path]).generate_state(1)[0])


class HeadTraining:
    """K heads that learn together, each on its own cells and random streams.

    Parameters
    ----------
    model : BatchedMLP
        Changed in place.
    latents : Tensor of shape (n, views, D)
        Each view is drawn as often as any other.
    y : int array of shape (n,)
        Classes from 0.
    rows : sequence of K int arrays
        Which cells each model sees.
    seeds : sequence of K ints
    n_classes, steps, batch : int
    dropout : float
        Probability that a hidden neuron is silenced in a step.
    learning_rate : float
    label_smoothing : float
        See `losses.wanted_outputs`.
    balanced : bool
        Weight the classes by the inverse of their frequency.
    l1, input_l1 : array of shape (K,), optional
        See `BatchedAdam`.
    rule : TopologyRule, optional
        Grows and drops connections as training goes.
    compiled : bool, optional
        Whether to take steps in compiled code; by default where that is possible
        (numba is installed, no dropout, float32). Results agree up to rounding, which
        training amplifies.

    Attributes
    ----------
    step : int
        Gradient steps taken.
    optimiser : BatchedAdam
    """

    def __init__(
        self,
        model: BatchedMLP,
        latents: Tensor,
        y: npt.NDArray[np.int64],
        rows: Sequence[npt.NDArray[np.int64]],
        seeds: Sequence[int],
        *,
        n_classes: int,
        steps: int,
        batch: int = 64,
        dropout: float = 0.0,
        learning_rate: float = 1e-3,
        label_smoothing: float = 0.0,
        balanced: bool = True,
        l1: npt.ArrayLike | None = None,
        input_l1: npt.ArrayLike | None = None,
        rule: TopologyRule | None = None,
        compiled: bool | None = None,
    ) -> None:
        n, self.n_views, width = latents.shape
        dtype = model.parameters.dtype
        self.model, self.rule = model, rule
        self.steps, self.batch, self.step = steps, batch, 0
        self.optimiser = BatchedAdam(model, learning_rate, l1=l1, input_l1=input_l1)
        self.table = latents.reshape(n * self.n_views, width).to(dtype)
        wanted = wanted_outputs(y, n_classes, label_smoothing)
        self.wanted = torch.from_numpy(wanted).to(dtype)
        weights = [class_weights(y[row], n_classes, balanced)[y] for row in rows]
        self.weight = torch.from_numpy(np.stack(weights)).to(dtype)
        self._stream = BatchStream(
            seeds, rows, n_views=self.n_views, batch=batch, steps=steps
        )
        self._which = torch.from_numpy(self._stream.which)
        self._offsets = (torch.arange(model.n_models) * n).repeat_interleave(batch)
        self._probe = Probe.of(latents, y, rows)
        self._moved = Moved(model.n_models)
        self._silence = None
        if dropout:
            generators = [random_streams(seed)[2] for seed in seeds]
            self._silence = DropoutStream(generators, model.widths, batch, dropout)

        possible = not dropout and dtype == torch.float32
        fused = compiled_steps() if possible and compiled is not False else None
        if compiled and fused is None:
            raise InputError("Compiled steps need numba, float32 and no dropout.")
        self._fused = None
        if fused is not None:
            self._fused = FusedSteps(
                fused,
                model,
                self.optimiser,
                self.table,
                self.n_views,
                self.wanted,
                self.weight,
            )

    @property
    def done(self) -> bool:
        """Whether all steps have been taken."""
        return self.step >= self.steps

    def advance(
        self,
        until: int | None = None,
        *,
        on_event: OnEvent = ignore,
        token: CancelToken | None = None,
        keeper: Keeper | None = None,
    ) -> None:
        """Train up to a step, by default to the end.

        Parameters
        ----------
        until : int, optional
        on_event : callable
            Receives a `Step` with the mean loss of the heads now and then; for each
            head its accuracy on cells it is not trained on (``held_out``, None where
            there are none), its active ``weights``, and how many were ``dropped`` and
            ``grown`` since the last report.
        token : CancelToken, optional
        keeper : Keeper, optional
            Keeps the training now and then, and when it is cancelled or paused.

        Raises
        ------
        InputError
            If the loss is no longer finite.
        Cancelled
        """
        end = self.steps if until is None else min(until, self.steps)
        with torch.no_grad():
            while self.step < end:
                if token is not None:
                    self._listen(token, keeper)
                outputs, rows = self._some_steps(end)
                if keeper is not None:
                    keeper.visit(self)
                if self.step % _REPORT_EVERY == 1 or self.step == self.steps:
                    wanted, weight = self._asked(rows)
                    mean = float(loss(outputs, wanted, weight).mean())
                    if not np.isfinite(mean):
                        raise InputError(
                            "The heads diverged: their loss is not finite; lower the "
                            "learning rate, or check the latents."
                        )
                    if on_event is not ignore:
                        on_event(self._told(mean))

    def _listen(self, token: CancelToken, keeper: Keeper | None) -> None:
        """Stop if that is asked for, and let the training be kept before."""
        if keeper is not None and token.pausing:
            keeper.visit(self, now=True)
        if keeper is not None and token.cancelled:
            keeper.visit(self, now=True)
        token.raise_if_cancelled()

    def retire(self, models: Tensor) -> None:
        """Leave some models (bool, K) as they are from now on, where that saves time.

        Steps in torch take all models along; those retired mean nothing any more.
        """
        if self._fused is not None:
            self._fused.retire(models)

    def _some_steps(self, end: int) -> tuple[Tensor, Tensor]:
        """Take steps until something is to be done; return the last outputs and rows.

        Masks change, progress is reported and batches are drawn between such blocks.
        """
        start, block = self._stream.block(self.step)
        change = NEVER if self.rule is None else self.rule.next_change(self.step)
        report = (self.step + _REPORT_EVERY - 1) // _REPORT_EVERY * _REPORT_EVERY + 1
        stop = min(end, start + len(block), change + 1, report)
        if self._fused is None:
            stop = self.step + 1
        changing = stop == change + 1
        due = self.rule.due(change) if changing and self.rule is not None else None
        steps = block[self.step - start : stop - start]
        rows = torch.from_numpy(steps[-1])[self._which].view(-1)
        if self._fused is not None:
            outputs = self._fused(steps, self._stream.which, due)
        else:
            outputs = self._one_step(rows, due)
        if changing and self.rule is not None:
            self._change(change, self.rule)
        self.step = stop
        return outputs, rows

    def _change(self, step: int, rule: TopologyRule) -> None:
        """Let the rule change masks; count what it drops and grows."""
        before = None if self.model.mask is None else self.model.mask.clone()
        rule.change(step, self.model, self.optimiser)
        self._moved.count(step, before, self.model)

    def _told(self, mean: float) -> Step:
        """Return what is told of a step: the mean loss, and how each head does."""
        each: dict[str, list[float | None]] = {
            "held_out": self._probe.held_out(self.model),
            "weights": [float(n) for n in active_weights(self.model)],
        }
        return Step(
            self.step,
            self.steps,
            {"loss": mean, **self._moved.metrics},
            {**each, **self._moved.take()},
        )

    def _one_step(self, rows: Tensor, due: Tensor | None) -> Tensor:
        """Take one step in torch and return the outputs that it saw."""
        k, batch = self.model.n_models, self.batch
        x = self.table.index_select(0, rows).view(k, batch, -1)
        keep = self._silence.draw() if self._silence else None
        outputs = self.model.forward(x, keep)
        self.model.backward(loss_gradient(outputs, *self._asked(rows)))
        self.optimiser.step(due)
        return outputs

    def _asked(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Return what heads should say about rows of the table, and what it weighs."""
        k, batch = self.model.n_models, self.batch
        cell = rows.div(self.n_views, rounding_mode="floor")
        wanted = self.wanted.index_select(0, cell).view(k, batch, -1)
        weight = self.weight.view(-1).index_select(0, cell + self._offsets)
        return wanted, weight.view(k, batch)

    def state_dict(self) -> dict[str, Tensor]:
        """Return what `load_state_dict` needs to go on in the same way."""
        rule = {} if self.rule is None else self.rule.state_dict()
        return {
            **{f"rule.{name}": value for name, value in rule.items()},
            **self.model.state_dict(),
            "first": self.optimiser.first.clone(),
            "second": self.optimiser.second.clone(),
            "step": torch.tensor(self.step),
        }

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Go on where `state_dict` was taken, in training with the same settings.

        Batches are drawn again up to that step, so that those to come are the same.
        """
        self.model.parameters.copy_(state["parameters"])
        if "mask" in state:
            self.model.mask = state["mask"].clone()
        self.optimiser.first.copy_(state["first"])
        self.optimiser.second.copy_(state["second"])
        self.step = self.optimiser.steps = int(state["step"])
        rule = {
            name.removeprefix("rule."): value
            for name, value in state.items()
            if name.startswith("rule.")
        }
        if self.rule is not None and rule:
            self.rule.load_state_dict(rule)
        if self._silence is not None:
            for _ in range(self.step):
                self._silence.draw()


def train_batched(
    model: BatchedMLP,
    latents: Tensor,
    y: npt.NDArray[np.int64],
    rows: Sequence[npt.NDArray[np.int64]],
    seeds: Sequence[int],
    *,
    n_classes: int,
    steps: int,
    batch: int = 64,
    dropout: float = 0.0,
    learning_rate: float = 1e-3,
    label_smoothing: float = 0.0,
    balanced: bool = True,
    rule: TopologyRule | None = None,
    compiled: bool | None = None,
    on_event: OnEvent = ignore,
    token: CancelToken | None = None,
    keeper: Keeper | None = None,
) -> BatchedAdam:
    """Train K heads at once, from the first step to the last; see `HeadTraining`.

    Returns
    -------
    BatchedAdam
        The optimiser in its last state.
    """
    training = HeadTraining(
        model,
        latents,
        y,
        rows,
        seeds,
        n_classes=n_classes,
        steps=steps,
        batch=batch,
        dropout=dropout,
        learning_rate=learning_rate,
        label_smoothing=label_smoothing,
        balanced=balanced,
        rule=rule,
        compiled=compiled,
    )
    if keeper is not None:
        keeper.restore(training)
    training.advance(on_event=on_event, token=token, keeper=keeper)
    return training.optimiser
