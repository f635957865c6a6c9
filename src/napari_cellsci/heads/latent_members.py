"""K heads that read latents."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from napari_cellsci.errors import InputError
from napari_cellsci.heads.batched import BatchedMLP
from napari_cellsci.tasks import CancelToken, OnEvent, Progress, ignore

Scores = npt.NDArray[np.float32]
_ROWS_AT_ONCE = 8192


@dataclass(frozen=True, slots=True)
class LatentMembers:
    """Heads on latents.

    Parameters
    ----------
    network : BatchedMLP
    """

    network: BatchedMLP

    @property
    def n_models(self) -> int:
        """Number of heads."""
        return self.network.n_models

    @property
    def input(self) -> Literal["latents"]:
        """What the heads look at."""
        return "latents"

    def scores(
        self,
        x: npt.ArrayLike,
        *,
        on_event: OnEvent = ignore,
        token: CancelToken | None = None,
    ) -> Scores:
        """Return every head's outputs.

        Parameters
        ----------
        x : array of shape (n, D) or (n, views, D)
            Latent means; of several views the first, the crop as it is, counts.
        on_event : callable
        token : CancelToken, optional

        Returns
        -------
        float32 array of shape (K, n, outputs)

        Raises
        ------
        InputError
            If the latents are of another width than the heads were trained on.
        """
        latents = np.asarray(x, np.float32)
        if latents.ndim == 3:
            latents = latents[:, 0]
        wanted = self.network.sizes[0]
        if latents.ndim != 2 or latents.shape[1] != wanted:
            raise InputError(
                f"These heads read {wanted} latents per cell, but an array of shape "
                f"{latents.shape} was given: use the encoder they were trained with."
            )
        n = len(latents)
        result = np.empty((self.n_models, n, self.network.sizes[-1]), np.float32)
        with torch.no_grad():
            for start in range(0, n, _ROWS_AT_ONCE):
                if token is not None:
                    token.raise_if_cancelled()
                part = slice(start, start + _ROWS_AT_ONCE)
                rows = torch.from_numpy(np.ascontiguousarray(latents[part]))
                result[:, part] = self.network.outputs(rows).numpy()
                on_event(Progress("Scoring", min(start + _ROWS_AT_ONCE, n), n))
        return result

    def outputs(self, x: Tensor) -> Tensor:
        """Return the outputs (K, n, outputs) of latents (n, D), differentiably."""
        return self.network.outputs(x)

    def select(self, models: list[int]) -> LatentMembers:
        """Return some of the heads."""
        return LatentMembers(self.network.select(models))

    def state_dict(self) -> dict[str, Tensor]:
        """Return the tensors that define the heads."""
        return self.network.state_dict()

    def meta(self) -> dict[str, Any]:
        """Return the JSON values that define the heads."""
        return {"sizes": list(self.network.sizes)}

    @classmethod
    def from_state(
        cls, meta: dict[str, Any], tensors: dict[str, Tensor]
    ) -> LatentMembers:
        """Rebuild heads from `meta` and `state_dict`."""
        return cls(BatchedMLP.from_state(meta["sizes"], tensors))
