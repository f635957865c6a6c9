"""Labelled latents, checked and divided, as every head on latents needs them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from napari_cellsci.errors import InputError
from napari_cellsci.heads.batched import BatchedMLP
from napari_cellsci.heads.calibrate import Calibration
from napari_cellsci.heads.evaluate import HeldOut
from napari_cellsci.heads.heldout import UnseenScores, describe, partition
from napari_cellsci.heads.losses import n_outputs
from napari_cellsci.heads.splits import Indices, check_labels

_MANY = 2000


@dataclass(frozen=True, slots=True)
class LabelledLatents:
    """Latents of labelled cells and the parts of the tracks that are held out in turn.

    Parameters
    ----------
    latents : Tensor of shape (n, views, D)
        Of every view; the first is the crop as it is.
    y : int array of shape (n,)
    groups : array of shape (n,)
    n_classes : int
    parts : list of (train, test)
    """

    latents: Tensor
    y: npt.NDArray[np.int64]
    groups: npt.NDArray[np.generic]
    n_classes: int
    parts: list[tuple[Indices, Indices]]

    @classmethod
    def check(
        cls,
        latents: npt.NDArray[np.floating],
        y: npt.NDArray[np.integer],
        groups: npt.NDArray[np.generic],
        n_classes: int,
        *,
        class_names: Sequence[str] | None = None,
        folds: int | None = None,
        test: float = 0.1,
        seed: int = 0,
    ) -> LabelledLatents:
        """Check what was given and divide it by track.

        Parameters
        ----------
        latents : array of shape (n, views, D) or (n, D)
        y : int array of shape (n,)
            Classes from 0.
        groups : array of shape (n,)
            The track (and movie) of each cell.
        n_classes : int
        class_names : sequence of str, optional
            For messages.
        folds : int, optional
            By default 5, or a single split from 2,000 cells on.
        test : float
            Share held out by a single split.
        seed : int

        Raises
        ------
        InputError
            If a class has fewer than two cells or only one track, or latents are not
            finite.
        """
        target, groups = np.asarray(y, np.int64), np.asarray(groups)
        check_labels(target, groups, n_classes, class_names)
        table = np.asarray(latents, np.float32)
        table = table[:, None] if table.ndim == 2 else table
        if len(table) != len(target) or not np.isfinite(table).all():
            raise InputError(
                "The latents of the labelled cells are missing or not finite: encode "
                "the cells again."
            )
        folds = folds or (5 if len(target) < _MANY else 1)
        parts = partition(groups, target, folds, test, seed)
        tensor = torch.from_numpy(np.ascontiguousarray(table))
        return cls(tensor, target, groups, n_classes, parts)

    def __len__(self) -> int:
        return len(self.y)

    @property
    def fingerprint(self) -> str:
        """What tells these labels and latents from others."""
        digest = hashlib.sha256(self.latents.numpy().tobytes())
        for array in (self.y, np.unique(self.groups, return_inverse=True)[1]):
            digest.update(np.asarray(array, np.int64).tobytes())
        return digest.hexdigest()[:16]

    @property
    def rows(self) -> list[Indices]:
        """Training cells: all of them, and then those of each part."""
        return [np.arange(len(self.y)), *(train for train, _ in self.parts)]

    @property
    def sizes_of_ends(self) -> tuple[int, int]:
        """Inputs and outputs of a head."""
        return self.latents.shape[2], n_outputs(self.n_classes)

    def judge(self, network: BatchedMLP, models: int) -> tuple[HeldOut, Calibration]:
        """Report on heads by the cells they were trained without.

        Parameters
        ----------
        network : BatchedMLP
            `models` heads trained on all cells, and then as many for each part.
        models : int
        """
        unseen = UnseenScores.empty(models, len(self.y), network.sizes[-1])
        outputs = network.outputs(self.latents[:, 0].contiguous()).numpy()
        for part, (_, test) in enumerate(self.parts):
            first = (part + 1) * models
            unseen.scores[:, test] = outputs[first : first + models, test]
            unseen.fold[test] = part
        method = describe(self.parts, self.groups)
        return unseen.judge(self.y, self.groups, self.n_classes, method)
