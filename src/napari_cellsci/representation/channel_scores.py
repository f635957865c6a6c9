"""How near predicted pictures come to those that are there, cell by cell and at all."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

METHODS = ("mean image", "linear", "U-Net")


@dataclass(frozen=True, slots=True)
class Accuracy:
    """How near predictions of unseen cells come to the channel.

    Parameters
    ----------
    r2 : float
        Share of the variance of all pixels that is told.
    interval : tuple of float
        Its 95% bootstrap interval over groups.
    psnr : float
        Peak signal-to-noise ratio (dB), the peak being the range of the channel.
    """

    r2: float
    interval: tuple[float, float]
    psnr: float


@dataclass(frozen=True, slots=True)
class ChannelReport:
    """How well a channel is predicted, beside what costs nothing.

    Parameters
    ----------
    mean_image, linear, unet : Accuracy
        The mean of the training pictures; each pixel from the same pixel of the other
        channel by a line of its own; and the network.
    gain : float
        R² of the network less that of the line.
    gain_interval : tuple of float
        Its 95% interval, groups drawn for both at once.
    n_cells, n_groups : int
    """

    mean_image: Accuracy
    linear: Accuracy
    unet: Accuracy
    gain: float
    gain_interval: tuple[float, float]
    n_cells: int
    n_groups: int

    def to_dict(self) -> dict[str, Any]:
        """Return JSON values; `from_dict` reads them back."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """Read what `to_dict` gave."""
        given = dict(values)
        for name in ("mean_image", "linear", "unet"):
            one = values[name]
            given[name] = Accuracy(one["r2"], tuple(one["interval"]), one["psnr"])
        return cls(**{**given, "gain_interval": tuple(values["gain_interval"])})


@dataclass(slots=True)
class Sums:
    """What of each cell's channel is told by each method, and what there is to tell."""

    errors: NDArray[np.float64]
    sums: NDArray[np.float64]
    member: NDArray[np.int64]
    low: float
    high: float

    @classmethod
    def empty(cls, n: int) -> Sums:
        """Return room for n cells."""
        empty = np.full((3, n), np.nan)
        sums = np.full((3, n), np.nan)
        return cls(empty, sums, np.full(n, -1, np.int64), math.inf, -math.inf)

    def add(
        self, rows: NDArray[np.int64], k: int, seen: Tensor, made: Sequence[Tensor]
    ) -> None:
        """Take in the pictures of some cells and what three methods say of them."""
        wide = seen.double().flatten(1)
        self.sums[:, rows] = torch.stack(
            [torch.full_like(wide[:, 0], wide.shape[1]), wide.sum(1), (wide**2).sum(1)]
        ).numpy()
        for errors, one in zip(self.errors, made, strict=True):
            errors[rows] = ((seen - one).double() ** 2).flatten(1).sum(1).numpy()
        self.member[rows] = k
        self.low = min(self.low, float(seen.min()))
        self.high = max(self.high, float(seen.max()))

    @property
    def variance(self) -> float:
        """Variance of all pixels of the channel."""
        n, first, second = np.nansum(self.sums, axis=1)
        return max(float(second / n - (first / n) ** 2), 1e-12)

    def residual(self) -> NDArray[np.float32]:
        """Return the network's mean squared error per cell over the variance."""
        return np.asarray(self.errors[2] / self.sums[0] / self.variance, np.float32)

    def report(self, groups: NDArray[Any], draws: int = 1000) -> ChannelReport:
        """Return R² and PSNR of all methods with intervals over groups."""
        seen = np.flatnonzero(self.member >= 0)
        names, number = np.unique(np.asarray(groups)[seen], return_inverse=True)
        values = np.concatenate([self.errors, self.sums])[:, seen]
        table = np.zeros((len(names), len(values)))
        np.add.at(table, number.ravel(), values.T)
        rng = np.random.default_rng(0)
        share = np.full(len(names), 1 / len(names))
        drawn = rng.multinomial(len(names), share, draws) @ table
        whole, spread = _told(table.sum(0)[None])[0], _told(drawn)
        mse = table[:, :3].sum(0) / table[:, 3].sum()
        peak = max(self.high - self.low, 1e-12)
        found = [
            Accuracy(
                float(whole[i]),
                _interval(spread[:, i], float(whole[i])),
                float(10 * np.log10(peak**2 / max(mse[i], 1e-12))),
            )
            for i in range(3)
        ]
        gain = float(whole[2] - whole[1])
        between = _interval(spread[:, 2] - spread[:, 1], gain)
        flat, line, unet = found
        return ChannelReport(flat, line, unet, gain, between, len(seen), len(names))


def _told(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return R² of three methods (m, 3) from sums (m, 6): errors, n, Σ, Σ²."""
    n, first, second = sums[:, 3], sums[:, 4], sums[:, 5]
    total = np.maximum(second - first**2 / n, 1e-12)
    return np.asarray(1 - sums[:, :3] / total[:, None])


def _interval(values: NDArray[np.float64], point: float) -> tuple[float, float]:
    low, high = np.quantile(values, [0.025, 0.975])
    return min(float(low), point), max(float(high), point)
