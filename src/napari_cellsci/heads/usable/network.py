"""The network of the cell filter (Isaksson 2018): two convolutions and two layers."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from napari_cellsci.cells.spec import CropSpec
from napari_cellsci.errors import InputError
from napari_cellsci.heads.batched import random_streams
from napari_cellsci.heads.cnn_network import Dropout
from napari_cellsci.heads.losses import class_weights
from napari_cellsci.heads.streams import CellStream
from napari_cellsci.representation.normalise import normalise
from napari_cellsci.representation.views import N_VIEWS, dihedral_each
from napari_cellsci.tasks import CancelToken, OnEvent, Progress, Step, ignore

_AT_ONCE = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class FilterConfig:
    """How cell filters are trained and compared.

    Parameters
    ----------
    runs : int
        Times that the labelled tracks are divided anew, each filter is trained on one
        part and judged on the other.
    test : float
        Share of the labelled cells that is judged.
    steps : int
        Gradient steps of the CNN.
    batch : int
        Crops per step.
    learning_rate : float
        Of Adam.
    dropout : float
        Behind the layer of 500.
    balanced : bool
        Weight the classes by the inverse of their frequency, so that little junk
        among many cells counts as much as they.
    seed : int
    """

    runs: int = 10
    test: float = 0.2
    steps: int = 200
    batch: int = 50
    learning_rate: float = 1e-4
    dropout: float = 0.2
    balanced: bool = True
    seed: int = 0

    def __post_init__(self) -> None:
        if self.runs < 1 or self.steps < 1:
            raise InputError("Train a filter at least once, for at least one step.")
        if not 0 < self.test < 1:
            raise InputError(
                f"The share of cells to judge lies between 0 and 1, not at {self.test}."
            )
        if not 0 <= self.dropout < 1:
            raise InputError(
                f"dropout must be at least 0 and below 1, not {self.dropout}."
            )


class FilterNet(nn.Module):
    """Conv 3 × 3 (20), maximum of 2 × 2, conv 3 × 3 (50), maximum, 500, one output.

    Parameters
    ----------
    channels, size : int
        Of a crop.
    dropout : float
        Behind the layer of 500.
    seed : int
    """

    def __init__(
        self, channels: int, size: int, *, dropout: float = 0.2, seed: int = 0
    ) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, 20, 3, padding=1)
        self.second = nn.Conv2d(20, 50, 3, padding=1)
        self.dense = nn.Linear(50 * (size // 4) ** 2, 500)
        self.dropout = Dropout(dropout)
        self.last = nn.Linear(500, 1)
        generator = torch.Generator().manual_seed(seed)
        self.dropout.generator = generator
        for layer in (self.first, self.second, self.dense, self.last):
            bound = 1 / math.sqrt(layer.weight[0].numel())
            for parameter in layer.parameters():
                nn.init.uniform_(parameter, -bound, bound, generator=generator)

    def forward(self, x: Tensor) -> Tensor:
        """Return the logit of being usable (n,) of normalised crops (n, C, S, S)."""
        # Channels last halves what convolutions of so few channels cost on a CPU.
        x = x.contiguous(memory_format=torch.channels_last)
        # The maximum first: it commutes with ReLU and leaves a quarter to compute.
        x = F.relu(F.max_pool2d(self.first(x), 2))
        x = F.relu(F.max_pool2d(self.second(x), 2))
        x = self.dropout(F.relu(self.dense(x.flatten(1))))
        return cast(Tensor, self.last(x)).squeeze(1)


def train_network(
    crops: npt.NDArray[Any],
    spec: CropSpec,
    usable: npt.NDArray[np.bool_],
    config: FilterConfig,
    seed: int,
    *,
    on_event: OnEvent = ignore,
    token: CancelToken | None = None,
    before: int = 0,
    total: int | None = None,
) -> FilterNet:
    """Train the network on labelled crops, in all eight views.

    Parameters
    ----------
    crops : array (n, C, S, S)
        Raw.
    spec : CropSpec
        How they were cut.
    usable : bool array (n,)
    config : FilterConfig
    seed : int
    on_event, token
    before, total : int
        Steps of networks before this one, and of all.

    Raises
    ------
    Cancelled
        If the token is cancelled.
    """
    y = np.asarray(usable, np.int64)
    weights = class_weights(y, 2, config.balanced)
    network = FilterNet(spec.n_channels, spec.size, dropout=config.dropout, seed=seed)
    optimiser = torch.optim.Adam(network.parameters(), config.learning_rate, fused=True)
    stream = CellStream(np.arange(len(y)), random_streams(seed)[1], N_VIEWS)
    network.train()
    for step in range(1, config.steps + 1):
        if token is not None:
            token.raise_if_cancelled()
        cell, view = np.divmod(stream.draw(config.batch), N_VIEWS)
        x = dihedral_each(normalise(crops[cell], spec), torch.from_numpy(view))
        value = F.binary_cross_entropy_with_logits(
            network(x),
            torch.from_numpy(y[cell].astype(np.float32)),
            torch.from_numpy(weights[y[cell]]),
        )
        optimiser.zero_grad(set_to_none=True)
        value.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        if step % 10 == 0 or step == config.steps:
            loss = {"loss": float(value.detach())}
            on_event(Step(before + step, total or config.steps, loss))
    return network.eval()


def network_probability(
    network: FilterNet,
    crops: Any,
    spec: CropSpec,
    *,
    on_event: OnEvent = ignore,
    token: CancelToken | None = None,
) -> npt.NDArray[np.float64]:
    """Return the probability of being usable (n,) of raw crops (n, C, S, S)."""
    found = np.empty(len(crops), np.float64)
    with torch.inference_mode():
        for start in range(0, len(crops), _AT_ONCE):
            if token is not None:
                token.raise_if_cancelled()
            part = slice(start, start + _AT_ONCE)
            x = normalise(np.ascontiguousarray(crops[part]), spec)
            found[part] = torch.sigmoid(network(x)).numpy()
            done = min(start + _AT_ONCE, len(crops))
            on_event(Progress("Filtering", done, len(crops)))
    return found
