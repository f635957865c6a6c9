"""Which connections each head had, from the first step to the last."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from napari_cellsci.errors import BundleError

Bools = npt.NDArray[np.bool_]
_NAMES = ("initial", "model", "step", "accuracy", "offset", "toggled")


@dataclass(frozen=True, slots=True)
class Film:
    """The masks of one head in time.

    Attributes
    ----------
    steps : int array of shape (U,)
        The gradient step from which each mask holds; 0 is the first.
    masks : bool array of shape (U, W)
        Which weights are active: layer by layer, a neuron's inputs side by side.
    accuracy : float array of shape (U,)
        On training cells at that moment; NaN where it was not measured.
    """

    steps: npt.NDArray[np.int64]
    masks: Bools
    accuracy: npt.NDArray[np.float64]


class MaskHistory:
    """Records the weights that change at every update, a few bytes for each.

    Parameters
    ----------
    initial : bool array of shape (K, W)
        The masks before the first step.
    """

    def __init__(self, initial: Bools) -> None:
        self._initial = np.array(initial, bool)
        self._now = self._initial.copy()
        self._model: list[int] = []
        self._step: list[int] = []
        self._accuracy: list[float] = []
        self._toggled: list[npt.NDArray[np.int32]] = []

    @property
    def n_models(self) -> int:
        """Number of heads K."""
        return len(self._initial)

    @property
    def n_weights(self) -> int:
        """Weights W of a head, active or not."""
        return int(self._initial.shape[1])

    def record(
        self,
        step: int,
        models: npt.NDArray[np.int64],
        masks: Bools,
        accuracy: npt.NDArray[np.floating] | None = None,
    ) -> None:
        """Note new masks.

        Parameters
        ----------
        step : int
            The gradient step from which they hold.
        models : int array of shape (m,)
        masks : bool array of shape (m, W)
        accuracy : array of shape (m,), optional
        """
        known = np.full(len(models), np.nan) if accuracy is None else accuracy
        for model, mask, value in zip(models, masks, known, strict=True):
            self._model.append(int(model))
            self._step.append(int(step))
            self._accuracy.append(float(value))
            changed = np.flatnonzero(mask != self._now[model])
            self._toggled.append(changed.astype(np.int32))
            self._now[model] = mask

    def film(self, model: int) -> Film:
        """Return all masks of one head, the first one included."""
        entries = [e for e, owner in enumerate(self._model) if owner == model]
        masks = [self._initial[model]]
        for entry in entries:
            mask = masks[-1].copy()
            mask[self._toggled[entry]] ^= True
            masks.append(mask)
        return Film(
            np.array([0, *(self._step[e] for e in entries)], np.int64),
            np.stack(masks),
            np.array([np.nan, *(self._accuracy[e] for e in entries)]),
        )

    def select(self, models: list[int]) -> MaskHistory:
        """Return the history of some heads, in that order."""
        chosen = MaskHistory(self._initial[models])
        for new, old in enumerate(models):
            for entry, owner in enumerate(self._model):
                if owner == old:
                    chosen._append(new, entry, self)
        return chosen

    def _append(self, model: int, entry: int, source: MaskHistory) -> None:
        self._model.append(model)
        self._step.append(source._step[entry])
        self._accuracy.append(source._accuracy[entry])
        self._toggled.append(source._toggled[entry])
        self._now[model][source._toggled[entry]] ^= True

    def state_dict(self) -> dict[str, Tensor]:
        """Return tensors that `from_state` reads back."""
        lengths = [len(changed) for changed in self._toggled]
        offset = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)
        empty = np.empty(0, np.int32)
        arrays = (
            np.packbits(self._initial, axis=1),
            np.array(self._model, np.int32),
            np.array(self._step, np.int32),
            np.array(self._accuracy, np.float32),
            offset,
            np.concatenate([*self._toggled, empty]),
        )
        return {
            name: torch.from_numpy(np.ascontiguousarray(array))
            for name, array in zip(_NAMES, arrays, strict=True)
        }

    @classmethod
    def from_state(cls, state: dict[str, Tensor], n_weights: int) -> MaskHistory:
        """Rebuild a history from `state_dict`.

        Raises
        ------
        BundleError
            If the tensors contradict each other or the number of weights.
        """
        try:
            packed, model, step, accuracy, offset, toggled = (
                state[name].numpy() for name in _NAMES
            )
            initial = np.unpackbits(packed, axis=1, count=n_weights).astype(bool)
        except (KeyError, ValueError) as error:
            raise BundleError(f"The history of masks is damaged ({error}).") from error
        whole = (
            packed.shape[1] == -(-n_weights // 8)
            and len(model) == len(step) == len(accuracy) == len(offset) - 1
            and offset[0] == 0
            and offset[-1] == len(toggled)
            and (np.diff(offset) >= 0).all()
            and _within(model, len(initial))
            and _within(toggled, n_weights)
        )
        if not whole:
            raise BundleError("The history of masks is damaged.")
        history = cls(initial)
        for entry, owner in enumerate(model):
            changed = toggled[offset[entry] : offset[entry + 1]].astype(np.int32)
            history._model.append(int(owner))
            history._step.append(int(step[entry]))
            history._accuracy.append(float(accuracy[entry]))
            history._toggled.append(changed)
            history._now[owner][changed] ^= True
        return history


def _within(values: npt.NDArray[np.integer], end: int) -> bool:
    return not len(values) or (values.min() >= 0 and values.max() < end)
