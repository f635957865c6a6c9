"""Which cells, in which view and with which neurons silenced, each model sees next."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from napari_cellsci.heads.batched import random_streams

_STEPS_AT_ONCE = 128
"""Steps whose cells and views are drawn in one call per model."""
_DROPOUT_STEPS = 8
"""Steps whose dropout is drawn in one call per model and layer; fits the cache."""


class CellStream:
    """One model's endless sequence of its own cells, shuffled anew every epoch.

    Batches run on across the end of an epoch, so that each has the same size even when
    a model has fewer cells than a batch holds.

    Parameters
    ----------
    rows : int array of shape (m,)
        The cells this model may see.
    rng : numpy.random.Generator
    n_views : int
        Views per cell; each is as likely.
    """

    def __init__(
        self, rows: npt.NDArray[np.int64], rng: np.random.Generator, n_views: int
    ) -> None:
        self._rows, self._rng, self._n_views = rows, rng, n_views
        self._pending = np.empty(0, np.int64)

    def draw(self, n: int) -> npt.NDArray[np.int64]:
        """Return the next `n` positions in the table of cells × views."""
        missing = n - len(self._pending)
        if missing > 0:
            epochs = -(-missing // len(self._rows))
            new = np.tile(self._rows, (epochs, 1))
            self._rng.permuted(new, axis=1, out=new)
            flat = new.ravel() * self._n_views
            flat += self._rng.integers(0, self._n_views, size=flat.size)
            self._pending = np.concatenate([self._pending, flat])
        drawn, self._pending = self._pending[:n], self._pending[n:]
        return drawn


class DropoutStream:
    """Dropout factors of all models: 0 for a silenced neuron, else 1/(1 − p).

    Parameters
    ----------
    generators : sequence of numpy.random.Generator
        One per model.
    widths : sequence of int
        Neurons of each hidden layer.
    batch : int
    dropout : float
        Probability of silence, rounded to a multiple of 2⁻¹⁶: sixteen random bits a
        neuron cost a fifth of a float and are enough.
    """

    def __init__(
        self,
        generators: Sequence[np.random.Generator],
        widths: Sequence[int],
        batch: int,
        dropout: float,
    ) -> None:
        self._generators = generators
        self._silent = round(dropout * 65536)
        self._factor = np.float32(65536 / (65536 - self._silent))
        self._buffers = [
            np.empty((_DROPOUT_STEPS, len(generators), batch, width), np.float32)
            for width in widths
        ]
        self._used = _DROPOUT_STEPS

    def draw(self) -> list[Tensor]:
        """Return the factors of one step per layer (K, B, width), until the next."""
        if self._used == _DROPOUT_STEPS:
            for buffer in self._buffers:
                self._fill(buffer)
            self._used = 0
        self._used += 1
        return [torch.from_numpy(buffer[self._used - 1]) for buffer in self._buffers]

    def _fill(self, buffer: npt.NDArray[np.float32]) -> None:
        shape = (buffer.shape[0], *buffer.shape[2:])
        n = int(np.prod(shape))
        for k, rng in enumerate(self._generators):
            bits = rng.bit_generator.random_raw(-(-n // 4)).view(np.uint16)[:n]
            awake = (bits >= self._silent).reshape(shape)
            np.multiply(awake, self._factor, out=buffer[:, k])


class BatchStream:
    """The cells of every step of K models, each from its own stream.

    Models of one seed that see the same cells see them in the same order, drawn once.

    Parameters
    ----------
    seeds : sequence of int
        One per model.
    rows : sequence of int arrays
        The training cells of each model.
    n_views, batch, steps : int
        Views per cell, cells per model and step, number of steps.

    Attributes
    ----------
    which : int array of shape (K,)
        The order, of those drawn, that each model follows.
    """

    def __init__(
        self,
        seeds: Sequence[int],
        rows: Sequence[npt.NDArray[np.int64]],
        *,
        n_views: int,
        batch: int,
        steps: int,
    ) -> None:
        orders: dict[tuple[int, int], int] = {}
        self._streams: list[CellStream] = []
        which = []
        for seed, row in zip(seeds, rows, strict=True):
            if (seed, id(row)) not in orders:
                orders[seed, id(row)] = len(self._streams)
                self._streams.append(CellStream(row, random_streams(seed)[1], n_views))
            which.append(orders[seed, id(row)])
        self.which = np.array(which, np.int64)
        self._rows = rows  # alive for as long as their ids count
        self._batch, self._steps = batch, steps
        self._end = 0
        self._block = np.empty((0, 0, 0), np.int64)

    def block(self, step: int) -> tuple[int, npt.NDArray[np.int64]]:
        """Return the block of steps that holds `step`, and where it begins.

        Returns
        -------
        start : int
        positions : int array of shape (steps, orders, B)
            In the table of cells × views.
        """
        while step >= self._end:
            count = min(_STEPS_AT_ONCE, self._steps - self._end)
            drawn = [stream.draw(count * self._batch) for stream in self._streams]
            block = np.stack(drawn).reshape(-1, count, self._batch)
            self._block = np.ascontiguousarray(block.transpose(1, 0, 2))
            self._end += count
        return self._end - len(self._block), self._block
