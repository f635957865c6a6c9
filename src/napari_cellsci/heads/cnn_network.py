"""The network of scheme 1: a CNN with its head, from pixels to a score."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Literal, TypeAlias, cast, get_args

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from napari_cellsci.cells.spec import CropSpec
from napari_cellsci.representation.networks import Mish
from napari_cellsci.representation.normalise import normalise
from napari_cellsci.tasks import CancelToken, OnEvent, Progress, ignore

_CROPS_AT_ONCE = 512


class Dropout(nn.Module):
    """Dropout with its own generator, so that training depends on its seed alone.

    Parameters
    ----------
    p : float
        Probability that a neuron is silenced.
    """

    def __init__(self, p: float) -> None:
        super().__init__()
        self.p = p
        self.generator = torch.Generator()

    def forward(self, x: Tensor) -> Tensor:
        """Silence neurons while training."""
        if not self.training or self.p == 0:
            return x
        keep = torch.empty_like(x).bernoulli_(1 - self.p, generator=self.generator)
        return x * keep.div_(1 - self.p)


Network: TypeAlias = Literal["strided", "pooled"]
NETWORKS: tuple[Network, ...] = get_args(Network)


def _strided(
    channels: int,
    size: int,
    filters: Sequence[int],
    hidden: int,
    latent: int,
    head: Sequence[int],
    dropout: float,
) -> tuple[nn.Sequential, list[nn.Module], int]:
    """Return body and head of arXiv 2402.03115, and the width of what leaves them.

    Each convolution and each hidden layer of the head is followed by batch
    normalisation and Mish; the two layers of 256 by Mish alone; the vector of 32 that
    enters the head is linear, as latents are.
    """
    layers: list[nn.Module] = []
    for before, after in pairwise((channels, *filters)):
        layers += [nn.Conv2d(before, after, 4, 2, 1), nn.BatchNorm2d(after), Mish()]
    flat = filters[-1] * (size // 2 ** len(filters)) ** 2
    layers += [nn.Flatten(), nn.Linear(flat, hidden), Mish()]
    layers += [nn.Linear(hidden, hidden), Mish(), nn.Linear(hidden, latent)]
    top: list[nn.Module] = []
    for before, after in pairwise((latent, *head)):
        top += [nn.Linear(before, after), nn.BatchNorm1d(after), Mish()]
        top.append(Dropout(dropout))
    return nn.Sequential(*layers), top, head[-1]


def _pooled(
    channels: int, size: int, dropout: float
) -> tuple[nn.Sequential, list[nn.Module], int]:
    """Return body and head of the discriminative CNN of Isaksson 2018.

    Three convolutions of 3 × 3 (16, 32, 64 filters), each followed by batch
    normalisation, ReLU and the maximum of 2 × 2 px; a layer of 512 with batch
    normalisation, ReLU and dropout.
    """
    layers: list[nn.Module] = []
    for before, after in pairwise((channels, 16, 32, 64)):
        layers += [nn.Conv2d(before, after, 3, padding=1), nn.BatchNorm2d(after)]
        layers += [nn.ReLU(), nn.MaxPool2d(2)]
    flat, width = 64 * (size // 8) ** 2, 512
    top = [nn.Linear(flat, width), nn.BatchNorm1d(width), nn.ReLU(), Dropout(dropout)]
    return nn.Sequential(*layers, nn.Flatten()), top, width


class CropNet(nn.Module):
    """Convolutions, dense layers and a head, from a crop to its outputs.

    Parameters
    ----------
    channels, size : int
        Of a crop; the size is a multiple of 16.
    outputs : int
    network : {"strided", "pooled"}
        Four strided convolutions and three dense layers (arXiv 2402.03115), or three
        convolutions with pooling and one dense layer (Isaksson 2018).
    filters : sequence of int
        Of the strided network, as what follows but dropout and seed.
    hidden : int
        Width of the two dense layers.
    latent : int
        Width of the vector that enters the head.
    head : sequence of int
        Hidden widths of the head.
    dropout : float
        After each hidden activation of the head.
    seed : int
        Of the initial weights and of dropout.
    """

    def __init__(
        self,
        channels: int,
        size: int,
        outputs: int,
        *,
        network: Network = "strided",
        filters: Sequence[int] = (8, 16, 32, 64),
        hidden: int = 256,
        latent: int = 32,
        head: Sequence[int] = (16, 16, 16),
        dropout: float = 0.3,
        seed: int = 0,
    ) -> None:
        super().__init__()
        if network == "pooled":
            self.body, top, width = _pooled(channels, size, dropout)
        else:
            self.body, top, width = _strided(
                channels, size, filters, hidden, latent, head, dropout
            )
        self.head = nn.Sequential(*top, nn.Linear(width, outputs))
        self._seed(seed)
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def _seed(self, seed: int) -> None:
        generator = torch.Generator().manual_seed(seed)
        for module in self.modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                bound = 1 / math.sqrt(module.weight[0].numel())
                for parameter in module.parameters():
                    nn.init.uniform_(parameter, -bound, bound, generator=generator)
            elif isinstance(module, Dropout):
                module.generator = generator

    def forward(self, x: Tensor) -> Tensor:
        """Return the outputs (n, outputs) of normalised crops (n, C, S, S)."""
        return cast(Tensor, self.head(self.body(x)))


@dataclass(frozen=True, slots=True)
class CropMembers:
    """Heads on crops.

    Parameters
    ----------
    spec : CropSpec
        How the crops must have been cut; says how they are normalised.
    networks : list of CropNet
        In evaluation mode.
    shape : dict
        Keyword arguments of `CropNet`, JSON values.
    """

    spec: CropSpec
    networks: list[CropNet]
    shape: dict[str, Any] = field(default_factory=dict)

    @property
    def n_models(self) -> int:
        """Number of heads."""
        return len(self.networks)

    @property
    def input(self) -> Literal["crops"]:
        """What the heads look at."""
        return "crops"

    def scores(
        self,
        x: npt.ArrayLike,
        *,
        on_event: OnEvent = ignore,
        token: CancelToken | None = None,
    ) -> npt.NDArray[np.float32]:
        """Return every head's outputs.

        Parameters
        ----------
        x : array of shape (n, C, S, S)
            Raw crops, possibly memory-mapped.
        on_event : callable
        token : CancelToken, optional

        Returns
        -------
        float32 array of shape (K, n, outputs)

        Raises
        ------
        InputError
            If the crops have another shape than the specification says.
        """
        crops = x if isinstance(x, np.ndarray) else np.asarray(x)
        n, outputs = len(crops), self.shape["outputs"]
        result = np.empty((self.n_models, n, outputs), np.float32)
        with torch.inference_mode():
            for start in range(0, n, _CROPS_AT_ONCE):
                part = slice(start, start + _CROPS_AT_ONCE)
                batch = normalise(np.ascontiguousarray(crops[part]), self.spec)
                batch = batch.contiguous(memory_format=torch.channels_last)
                for k, network in enumerate(self.networks):
                    if token is not None:
                        token.raise_if_cancelled()
                    result[k, part] = network(batch).numpy()
                on_event(Progress("Scoring", min(start + _CROPS_AT_ONCE, n), n))
        return result

    def outputs(self, x: Tensor) -> Tensor:
        """Return the outputs (K, n, outputs) of normalised crops, differentiably."""
        return torch.stack([cast(Tensor, network(x)) for network in self.networks])

    def select(self, models: list[int]) -> CropMembers:
        """Return some of the heads."""
        return CropMembers(self.spec, [self.networks[k] for k in models], self.shape)

    def state_dict(self) -> dict[str, Tensor]:
        """Return the tensors that define the heads, named ``member.layer``."""
        return {
            f"{k}.{name}": tensor.contiguous().clone()
            for k, network in enumerate(self.networks)
            for name, tensor in network.state_dict().items()
        }

    def meta(self) -> dict[str, Any]:
        """Return the JSON values that define the heads."""
        return {"spec": self.spec.to_dict(), "shape": self.shape, "n": self.n_models}

    @classmethod
    def from_state(
        cls, meta: dict[str, Any], tensors: dict[str, Tensor]
    ) -> CropMembers:
        """Rebuild heads from `meta` and `state_dict`."""
        networks = []
        for k in range(meta["n"]):
            network = CropNet(**meta["shape"])
            own = {
                name.removeprefix(f"{k}."): tensor
                for name, tensor in tensors.items()
                if name.startswith(f"{k}.")
            }
            network.load_state_dict(own)
            networks.append(network.eval())
        return cls(CropSpec.from_dict(meta["spec"]), networks, dict(meta["shape"]))
