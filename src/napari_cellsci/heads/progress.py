"""What heads tell of themselves while they learn; it changes nothing of how."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from torch import Tensor

from napari_cellsci.heads.batched import BatchedMLP
from napari_cellsci.heads.losses import decide

_PROBES = 512
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Probe:
    """Cells on which heads are tried while they learn.

    Attributes
    ----------
    latents : Tensor (n, D)
        First views.
    y : int array (n,)
    unseen : bool array (K, n)
        Which of the cells each head is not trained on.
    """

    latents: Tensor
    y: npt.NDArray[np.int64]
    unseen: Bools

    @classmethod
    def of(
        cls,
        latents: Tensor,
        y: npt.NDArray[np.int64],
        rows: Sequence[npt.NDArray[np.int64]],
    ) -> Probe:
        """Choose up to 512 cells of all, spread evenly.

        Parameters
        ----------
        latents : Tensor (n, views, D)
        y : int array (n,)
        rows : sequence of K int arrays
            The cells that each head is trained on.
        """
        n = len(y)
        some = np.unique(np.linspace(0, n - 1, min(n, _PROBES)).astype(np.int64))
        unseen = np.ones((len(rows), n), bool)
        for k, row in enumerate(rows):
            unseen[k, row] = False
        return cls(latents[some, 0].contiguous(), y[some], unseen[:, some])

    def held_out(self, model: BatchedMLP) -> list[float | None]:
        """Return the accuracy of each head on cells it has not seen, None without."""
        latents = self.latents.to(model.parameters.dtype)
        right = decide(model.outputs(latents).numpy()) == self.y
        return [
            float(own[unseen].mean()) if unseen.any() else None
            for own, unseen in zip(right, self.unseen, strict=True)
        ]


class Moved:
    """Counts the connections that a rule drops and grows between two reports.

    Parameters
    ----------
    n_models : int
    """

    def __init__(self, n_models: int) -> None:
        self._dropped = np.zeros(n_models, np.int64)
        self._grown = np.zeros(n_models, np.int64)
        self._at: int | None = None

    def count(self, step: int, before: Tensor | None, model: BatchedMLP) -> None:
        """Take in a change of masks; `before` is None while heads were dense."""
        if model.mask is None:
            return
        now = model.mask[:, model.weight_positions] != 0
        was = now | True if before is None else before[:, model.weight_positions] != 0
        self._dropped += (was & ~now).sum(1).numpy()
        self._grown += (now & ~was).sum(1).numpy()
        self._at = step

    @property
    def metrics(self) -> dict[str, float]:
        """The step of the last change since the last report, if there was one."""
        return {} if self._at is None else {"changed_at": float(self._at)}

    def take(self) -> dict[str, list[float | None]]:
        """Return what was dropped and grown since the last report, and forget it."""
        if self._at is None:
            return {}
        told: dict[str, list[float | None]] = {
            "dropped": [float(n) for n in self._dropped],
            "grown": [float(n) for n in self._grown],
        }
        self._dropped[:] = self._grown[:] = 0
        self._at = None
        return told


def active_weights(model: BatchedMLP) -> npt.NDArray[np.int64]:
    """Return how many weights, biases aside, each head has (K,)."""
    if model.mask is None:
        return np.full(model.n_models, model.n_weights, np.int64)
    active = model.mask[:, model.weight_positions] != 0
    return active.sum(1).numpy().astype(np.int64)
