"""Which crops a training step sees: splits, batch order, and what names the data."""

from __future__ import annotations

import hashlib
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_cellsci.cells.spec import CropSpec
from napari_cellsci.errors import InputError
from napari_cellsci.representation.views import N_VIEWS

Rows = NDArray[np.int64]
FINGERPRINT_ROWS = 256
UNKNOWN = -1
"""Label of a crop whose class is not known."""


class CropArray(Protocol):
    """Raw crops (n, C, S, S): an array, a memory map or a view over several of them."""

    @property
    def shape(self) -> tuple[int, ...]:
        """(n, C, S, S)."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of the raw pixels."""

    def __len__(self) -> int: ...

    def __getitem__(self, rows: Any, /) -> Any: ...


def check_crops(crops: CropArray, spec: CropSpec, *, least: int = 1) -> None:
    """Refuse arrays that are not crops of `spec`, or too few of them.

    Raises
    ------
    InputError
        If shape, dtype or number do not fit.
    """
    expected = (spec.n_channels, spec.size, spec.size)
    if len(crops.shape) != 4 or tuple(crops.shape[1:]) != expected:
        raise InputError(
            f"Crops of shape (n, {', '.join(map(str, expected))}) are expected, "
            f"not {tuple(crops.shape)}."
        )
    if np.dtype(crops.dtype).kind not in "buif":
        raise InputError(f"Crops must be real numbers, not {crops.dtype}.")
    if len(crops) < least:
        raise InputError(f"At least {least} crops are needed, not {len(crops)}.")


def read_rows(crops: CropArray, rows: Rows) -> NDArray[Any]:
    """Copy some crops into memory; `rows` ascend, so a disk is read one way only."""
    return np.ascontiguousarray(crops[rows])


def sample_rows(n: int, wanted: int) -> Rows:
    """Return up to `wanted` row numbers evenly spread over 0 … n − 1."""
    return np.unique(np.linspace(0, n - 1, min(n, wanted)).round().astype(np.int64))


def fingerprint(crops: CropArray) -> dict[str, Any]:
    """Return what tells this data set from another: shape, dtype, a digest of a sample.

    Up to `FINGERPRINT_ROWS` crops are read, evenly spread.
    """
    rows = sample_rows(len(crops), FINGERPRINT_ROWS)
    sample = read_rows(crops, rows)
    return {
        "shape": [int(n) for n in crops.shape],
        "dtype": str(crops.dtype),
        "sha256": hashlib.sha256(sample.tobytes()).hexdigest()[:16],
    }


def split_rows(
    n: int, groups: NDArray[Any] | None, share: float, seed: int
) -> tuple[Rows, Rows]:
    """Split rows into training and validation, whole groups at a time.

    Parameters
    ----------
    n : int
        Number of rows.
    groups : array (n,), optional
        Rows of equal value stay together (cells of one track look alike).
    share : float
        Share of the rows for validation; reached as closely as groups allow.
    seed : int
        Of the shuffle.

    Returns
    -------
    tuple of array
        Row numbers, both ascending. Validation is empty if `share` is 0 or if it would
        leave fewer than two rows to train on.

    Raises
    ------
    InputError
        If `groups` has another length.
    """
    everything = np.arange(n, dtype=np.int64)
    if groups is None:
        labels = everything
    else:
        if len(groups) != n:
            raise InputError(f"There are {n} crops but {len(groups)} groups.")
        labels = np.unique(np.asarray(groups), return_inverse=True)[1].ravel()
    sizes = np.bincount(labels)
    order = np.random.default_rng(seed).permutation(len(sizes))
    taken = np.cumsum(sizes[order]) <= round(share * n)
    held_out = np.zeros(len(sizes), bool)
    held_out[order[taken]] = True
    validation = held_out[labels]
    if n - int(validation.sum()) < 2:
        return everything, everything[:0]
    return everything[~validation], everything[validation]


def checked_labels(labels: NDArray[Any] | None, n: int) -> Tensor:
    """Return the class of each crop (n,) as int64, −1 where it is not known.

    Raises
    ------
    InputError
        If there are none, their number is another, or fewer than two classes occur.
    """
    if labels is None:
        raise InputError(
            "The objective asks for labels (label_weight), but none were given."
        )
    values = np.asarray(labels)
    if values.shape != (n,) or values.dtype.kind not in "biu":
        raise InputError(
            f"One whole number per crop is expected as its label, −1 where it is not "
            f"known: {n} of them, not {values.dtype} of shape {values.shape}."
        )
    values = values.astype(np.int64)
    if len(np.unique(values[values != UNKNOWN])) < 2 or values.min() < UNKNOWN:
        raise InputError("The labels must name at least two classes, from 0 on.")
    return torch.from_numpy(values)


class BatchOrder:
    """An endless, reproducible stream of batches of rows and their views.

    Every crop is seen once before any is seen again. The state is a few numbers,
    however many crops there are.

    Parameters
    ----------
    rows : array of int
        Rows to draw from.
    batch : int
        Rows per batch; fewer if there are fewer.
    seed : int
        Of the order and the views.
    """

    def __init__(self, rows: Rows, batch: int, seed: int) -> None:
        self._rows = rows
        self.batch = min(batch, len(rows))
        self._rng = np.random.default_rng(seed)
        self._start_epoch()

    def _start_epoch(self) -> None:
        self._epoch_state = self._rng.bit_generator.state
        self._order = self._rng.permutation(len(self._rows))
        self._position = 0

    def __next__(self) -> tuple[Rows, NDArray[np.int64]]:
        """Return (batch,) ascending rows and (batch,) elements of the dihedral group.

        What is left of an epoch and makes no full batch is skipped: it is another part
        every time, and a batch never holds a crop twice.
        """
        if self._position + self.batch > len(self._order):
            self._start_epoch()
        chosen = self._order[self._position : self._position + self.batch]
        self._position += self.batch
        views = self._rng.integers(N_VIEWS, size=self.batch)
        return np.sort(self._rows[chosen]), views

    def state(self) -> dict[str, Any]:
        """Return JSON values from which `restore` continues the same stream."""
        return {
            "epoch": self._epoch_state,
            "now": self._rng.bit_generator.state,
            "position": self._position,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Continue the stream from a `state` taken with the same rows and batch."""
        self._rng.bit_generator.state = state["epoch"]
        self._start_epoch()
        self._rng.bit_generator.state = state["now"]
        self._position = int(state["position"])
