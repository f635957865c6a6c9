"""Carrying a training through many steps at once, in compiled code, on threads."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from types import ModuleType

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from napari_cellsci.heads.batched import BatchedAdam, BatchedMLP

OFF = "CELLSCI_NO_NUMBA"
"""Environment variable that keeps training in torch."""
_SHARES = 4
"""Shares of the models that each thread takes on average."""


@cache
def compiled_steps() -> ModuleType | None:
    """Return `heads.fused`, or None where numba is missing or not wanted."""
    if os.environ.get(OFF):
        return None
    try:
        from napari_cellsci.heads import fused
    except ImportError:
        return None
    return fused


@cache
def _pool(threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads, thread_name_prefix="cellsci-heads")


class FusedSteps:
    """Takes the steps of a training in `heads.fused`.

    Parameters
    ----------
    fused : module
    model : BatchedMLP
        Of float32; changed in place.
    optimiser : BatchedAdam
        Changed in place.
    table : Tensor of shape (n · views, D)
    n_views : int
    wanted : Tensor of shape (n, outputs)
    weight : Tensor of shape (K, n)
    """

    def __init__(
        self,
        fused: ModuleType,
        model: BatchedMLP,
        optimiser: BatchedAdam,
        table: Tensor,
        n_views: int,
        wanted: Tensor,
        weight: Tensor,
    ) -> None:
        self._fused, self._model, self._optimiser = fused, model, optimiser
        arrays = (np.ascontiguousarray(t.numpy()) for t in (table, wanted, weight))
        table_, wanted_, weight_ = arrays
        self._data = fused.Data(table_, n_views, wanted_, weight_)
        self._sizes = np.array(model.sizes, np.int64)
        self._models = np.arange(model.n_models)
        self._spare: list[object] = []

    def retire(self, models: Tensor) -> None:
        """Leave some models (bool, K) as they are from now on."""
        self._models = self._models[~models.numpy()[self._models]]

    def __call__(
        self,
        block: npt.NDArray[np.int64],
        which: npt.NDArray[np.int64],
        due: Tensor | None,
    ) -> Tensor:
        """Take the steps of a block.

        Parameters
        ----------
        block : int array of shape (steps, orders, B)
            Rows of the table.
        which : int array of shape (K,)
            The order each model follows.
        due : bool Tensor of shape (K,), optional
            Models that take no last step; their dense gradient is written instead.

        Returns
        -------
        Tensor of shape (K, B, outputs)
            The outputs in the last step.
        """
        model, optimiser = self._model, self._optimiser
        k = model.n_models
        none = np.zeros(k, np.bool_)
        outputs = np.zeros((k, block.shape[2], model.sizes[-1]), np.float32)
        state = self._fused.State(
            model.parameters.numpy(),
            optimiser.first.numpy(),
            optimiser.second.numpy(),
            model.gradient.numpy(),
            np.ones(model.parameters.shape, np.bool_)
            if model.mask is None
            else model.mask.numpy() != 0,
        )
        steps, settings = np.ascontiguousarray(block), self._settings()

        def run(models: npt.NDArray[np.int64]) -> None:
            work = self._workspace()
            self._fused.train_models(
                models,
                self._sizes,
                state,
                none if due is None else due.numpy(),
                self._data,
                steps,
                which,
                optimiser.steps,
                settings,
                outputs,
                work,
            )
            self._spare.append(work)

        threads = torch.get_num_threads()
        if threads == 1 or len(self._models) < 2:
            run(self._models)
        else:
            # More shares than threads: none waits long for one that was held up.
            shares = min(len(self._models), _SHARES * threads)
            list(_pool(threads).map(run, np.array_split(self._models, shares)))
        optimiser.steps += len(block)
        return torch.from_numpy(outputs)

    def _workspace(self) -> object:
        try:
            return self._spare.pop()
        except IndexError:
            return self._fused.workspace(self._model.sizes)

    def _settings(self) -> object:
        optimiser, k = self._optimiser, self._model.n_models
        amounts = [
            np.zeros(k, np.float32)
            if strength is None
            else (optimiser.learning_rate * strength).numpy()
            for strength in (optimiser.l1, optimiser.input_l1)
        ]
        return self._fused.Settings(
            optimiser.learning_rate, *optimiser.betas, optimiser.eps, *amounts
        )
