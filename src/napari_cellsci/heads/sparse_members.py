"""Sparse heads with the history of their connections."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from torch import Tensor

from napari_cellsci.errors import BundleError
from napari_cellsci.heads.batched import BatchedMLP
from napari_cellsci.heads.history import MaskHistory
from napari_cellsci.heads.latent_members import LatentMembers
from napari_cellsci.heads.sizes import active_weights, expression_size, used_inputs

_ROOM = "history."


@dataclass(frozen=True, slots=True)
class SparseMembers(LatentMembers):
    """Sparse heads on latents.

    Parameters
    ----------
    network : BatchedMLP
        Pruned, with masks.
    history : MaskHistory
        From the dense beginning to the pruned end.
    """

    history: MaskHistory

    @property
    def active_weights(self) -> npt.NDArray[np.int64]:
        """Connections of each head (K,)."""
        return active_weights(self.network.masks)

    @property
    def used_inputs(self) -> npt.NDArray[np.bool_]:
        """Which latents each head reads (K, D)."""
        return used_inputs(self.network.masks)

    def select(self, models: list[int]) -> SparseMembers:
        """Return some of the heads."""
        return SparseMembers(self.network.select(models), self.history.select(models))

    def state_dict(self) -> dict[str, Tensor]:
        """Return the tensors that define the heads and their history."""
        history = self.history.state_dict()
        return {
            **self.network.state_dict(),
            **{f"{_ROOM}{name}": tensor for name, tensor in history.items()},
        }

    def meta(self) -> dict[str, Any]:
        """Return the JSON values that define the heads, and their sizes."""
        masks = self.network.masks
        return {
            "kind": "sparse",
            "sizes": list(self.network.sizes),
            "active_weights": self.active_weights.tolist(),
            "inputs": [np.flatnonzero(row).tolist() for row in self.used_inputs],
            "expression_size": {
                "paper": expression_size(masks, "paper").tolist(),
                "tree": expression_size(masks, "tree").tolist(),
            },
        }

    @classmethod
    def from_state(
        cls, meta: dict[str, Any], tensors: dict[str, Tensor]
    ) -> SparseMembers:
        """Rebuild heads from `meta` and `state_dict`, and check that they agree.

        Raises
        ------
        BundleError
            If masks, weights, history and sizes contradict each other.
        """
        network = BatchedMLP.from_state(meta["sizes"], tensors)
        history = MaskHistory.from_state(
            {
                name.removeprefix(_ROOM): tensor
                for name, tensor in tensors.items()
                if name.startswith(_ROOM)
            },
            network.n_weights,
        )
        members = cls(network, history)
        members._check(meta)
        return members

    def _check(self, meta: dict[str, Any]) -> None:
        mask = self.network.mask
        if mask is None or mask.shape != self.network.parameters.shape:
            raise BundleError("These sparse heads have no masks.")
        weights = mask[:, self.network.weight_positions].numpy()
        if not np.isin(weights, (0, 1)).all() or (mask != 0).sum() != mask.sum():
            raise BundleError("The masks of these heads hold more than zeros and ones.")
        if self.network.parameters[mask == 0].any():
            raise BundleError("Weights of these heads lie outside their masks.")
        if self.history.n_models != self.n_models:
            raise BundleError("Heads and the history of their masks do not match.")
        for k, own in enumerate(weights):
            if not np.array_equal(self.history.film(k).masks[-1], own != 0):
                raise BundleError(f"The history of head {k} ends with another mask.")
        if self.meta() != dict(meta):
            raise BundleError("The sizes of these heads are not those of their masks.")
