"""Predicting one channel of a cell from another, and what is left unsaid.

The next step that the thesis proposes (Isaksson 2018, outlook): what a network cannot
tell of the second channel from the first is what the second channel is needed for.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from napari_cellsci.cells.fitting import fit_spec
from napari_cellsci.cells.spec import CropSpec
from napari_cellsci.errors import BundleError, InputError
from napari_cellsci.representation.channel_scores import ChannelReport, Sums
from napari_cellsci.representation.normalise import normalise
from napari_cellsci.representation.storage import read_model, write_model
from napari_cellsci.representation.unet import UNet
from napari_cellsci.representation.views import N_VIEWS, dihedral_each
from napari_cellsci.tasks import CancelToken, Done, OnEvent, Progress, Step, ignore

KIND, SCHEMA = "channel model", 1
_BATCH = 256
_REPORT_EVERY = 10
Parts = Sequence[tuple[NDArray[np.int64], NDArray[np.int64]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelConfig:
    """How the networks are built and trained.

    Parameters
    ----------
    steps : int
        Gradient steps of each network.
    batch : int
        Crops per step.
    width : int
        Filters of the U-Net at full size; a multiple of 4.
    learning_rate : float
        Of Adam at its start; it falls as a cosine.
    folds : int
        Parts of the groups; each network is trained without one of them, and every
        cell is judged by the one that has not seen its group.
    seed : int
    """

    steps: int = 300
    batch: int = 32
    width: int = 8
    learning_rate: float = 4e-3
    folds: int = 3
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("steps", "batch"):
            if getattr(self, name) < 1:
                raise InputError(f"{name} must be at least 1.")
        if self.width < 4 or self.width % 4:
            raise InputError(f"The width must be a multiple of 4, not {self.width}.")
        if self.folds < 2:
            raise InputError("Cells are judged in at least two parts (folds).")
        if not self.learning_rate > 0:
            raise InputError("The learning rate must be positive.")


@dataclass(frozen=True, eq=False)
class ChannelModel:
    """K networks that predict one channel from another.

    Parameters
    ----------
    spec : CropSpec
        Of the crops, with both channels.
    source, target : int
        Channels of the movie.
    networks : tuple of UNet
    config : ChannelConfig
    report : ChannelReport
    """

    spec: CropSpec
    source: int
    target: int
    networks: tuple[UNet, ...]
    config: ChannelConfig
    report: ChannelReport = field(repr=False)

    @property
    def places(self) -> tuple[int, int]:
        """Where the two channels lie in a crop."""
        channels = self.spec.channels
        return channels.index(self.source), channels.index(self.target)

    def predict(
        self, crops: NDArray[Any], member: int | None = None
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return what the channel should look like, and what it does (n, S, S).

        Both normalised as the crops' specification says; the residual is the second
        less the first.

        Parameters
        ----------
        crops : array (n, C, S, S)
            Raw crops.
        member : int, optional
            One network; by default the mean of all.
        """
        of, to = self.places
        chosen = self.networks if member is None else [self.networks[member]]
        x = normalise(np.asarray(crops), self.spec)
        with torch.no_grad():
            made = sum(network(x[:, of : of + 1]) for network in chosen)
        assert isinstance(made, Tensor)
        return (made[:, 0] / len(chosen)).numpy(), x[:, to].numpy()

    @property
    def hash(self) -> str:
        """Twelve hexadecimal digits that tell this model from others."""
        digest = hashlib.sha256(repr(sorted(self._meta().items())).encode())
        for value in self._tensors().values():
            digest.update(value.contiguous().numpy().tobytes())
        return digest.hexdigest()[:12]

    def _meta(self) -> dict[str, Any]:
        return {
            "spec": self.spec.to_dict(),
            "source": self.source,
            "target": self.target,
            "config": asdict(self.config),
            "report": self.report.to_dict(),
        }

    def _tensors(self) -> dict[str, Tensor]:
        return {
            f"{k}.{name}": value
            for k, network in enumerate(self.networks)
            for name, value in network.state_dict().items()
        }

    def save(self, folder: Path) -> None:
        """Write ``model.json`` and ``weights.safetensors`` into a folder."""
        head = {"kind": KIND, "schema": SCHEMA, "models": len(self.networks)}
        write_model(folder, {**head, **self._meta()}, self._tensors())

    @classmethod
    def load(cls, folder: Path) -> ChannelModel:
        """Read what `save` wrote.

        Raises
        ------
        BundleError
            If it is damaged, foreign or newer than this version.
        """
        described, tensors = read_model(folder, kind=KIND, schema=SCHEMA)
        try:
            config = ChannelConfig(**described["config"])
            networks = []
            for k in range(int(described["models"])):
                network = UNet(width=config.width).eval()
                own = {
                    name.removeprefix(f"{k}."): value
                    for name, value in tensors.items()
                    if name.startswith(f"{k}.")
                }
                network.load_state_dict(own)
                networks.append(network)
            return cls(
                CropSpec.from_dict(described["spec"]),
                int(described["source"]),
                int(described["target"]),
                tuple(networks),
                config,
                ChannelReport.from_dict(described["report"]),
            )
        except (KeyError, TypeError, ValueError, RuntimeError) as error:
            raise BundleError(
                f"{folder} holds no channel model that can be read: {error}."
            ) from error


@dataclass(frozen=True, eq=False)
class TrainedChannel:
    """A model with what it says of the cells it was made from.

    Parameters
    ----------
    model : ChannelModel
    residual : float array (n,)
        Mean squared residual of each cell over the variance of the channel: 0 is told
        wholly, 1 as badly as by the mean. NaN for cells that were not looked at.
    member : int array (n,)
        The network that has not seen the cell's group; −1 for none.
    """

    model: ChannelModel
    residual: NDArray[np.float32]
    member: NDArray[np.int64]


def train_channel_model(
    crops: Any,
    spec: CropSpec,
    source: int,
    target: int,
    groups: NDArray[Any],
    parts: Parts,
    config: ChannelConfig | None = None,
    *,
    on_event: OnEvent = ignore,
    token: CancelToken | None = None,
) -> TrainedChannel:
    """Learn to predict one channel from another, and judge it on unseen groups.

    Parameters
    ----------
    crops : array or CropStore (n, C, S, S)
        Raw crops.
    spec : CropSpec
        How they were cut; what its normalisation has to learn is fitted to them.
    source, target : int
        Channels of the movie.
    groups : array (n,)
        For the intervals: cells of equal value (a track) resemble each other.
    parts : sequence of (train, test)
        Rows; the test parts together are the cells that are judged, each once.
    config : ChannelConfig, optional
    on_event, token

    Raises
    ------
    InputError
        If the crops have no such channels, or both are the same.
    Cancelled
        If the token asks for it.
    """
    config = config or ChannelConfig()
    check_channels(spec, source, target)
    spec = fit_spec(spec, crops, on_event=on_event, token=token)
    of, to = spec.channels.index(source), spec.channels.index(target)
    sums = Sums.empty(len(crops))
    networks = []
    for k, (train, test) in enumerate(parts):
        said = _Said(on_event, k * config.steps, len(parts) * config.steps)
        seed = config.seed + k
        networks.append(
            _train_one(crops, spec, (of, to), train, config, seed, said, token)
        )
        line = _Line.fit(crops, spec, (of, to), train, token)
        for rows in _batches(test):
            _check(token)
            x = normalise(np.asarray(crops[rows]), spec)
            with torch.no_grad():
                made = networks[-1](x[:, of : of + 1])[:, 0]
            sums.add(rows, k, x[:, to], (line.mean, line(x[:, of]), made))
        on_event(Progress("Judging networks", k + 1, len(parts)))
    report = sums.report(groups)
    on_event(Done("Predicting a channel"))
    model = ChannelModel(spec, source, target, tuple(networks), config, report)
    return TrainedChannel(model, sums.residual(), sums.member)


def check_channels(spec: CropSpec, source: int, target: int) -> None:
    """Refuse channels between which nothing can be predicted.

    Raises
    ------
    InputError
    """
    if spec.n_channels < 2:
        raise InputError(
            "The crops have one channel, and predicting one from another takes two: "
            "make a project with several channels (`--channel`)."
        )
    for channel in (source, target):
        if channel not in spec.channels:
            known = ", ".join(map(str, spec.channels))
            raise InputError(
                f"The crops have no channel {channel}; they have {known} (counted "
                "from 0)."
            )
    if source == target:
        raise InputError("A channel is predicted from another one: name two.")


@dataclass(frozen=True, slots=True)
class _Said:
    on_event: OnEvent
    before: int
    total: int

    def __call__(self, step: int, loss: Tensor) -> None:
        done = self.before + step
        self.on_event(Step(done, self.total, {"loss": float(loss.detach())}))


def _train_one(
    crops: Any,
    spec: CropSpec,
    places: tuple[int, int],
    rows: NDArray[np.int64],
    config: ChannelConfig,
    seed: int,
    said: _Said,
    token: CancelToken | None,
) -> UNet:
    of, to = places
    network = UNet(width=config.width, seed=seed).train()
    optimiser = torch.optim.Adam(network.parameters(), config.learning_rate)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, _falling(config.steps))
    rng = np.random.default_rng(seed)
    for step in range(1, config.steps + 1):
        _check(token)
        chosen = rng.choice(rows, config.batch, replace=len(rows) < config.batch)
        view = torch.from_numpy(rng.integers(0, N_VIEWS, len(chosen)))
        x = dihedral_each(normalise(np.asarray(crops[chosen]), spec), view)
        loss = nn.functional.mse_loss(network(x[:, of : of + 1]), x[:, to : to + 1])
        optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        schedule.step()
        if step % _REPORT_EVERY == 0 or step == config.steps:
            said(step, loss)
    return network.eval()


def _falling(steps: int) -> Callable[[int], float]:
    """Return half a cosine from 1 to 0."""

    def factor(step: int) -> float:
        return 0.5 * (1 + math.cos(math.pi * step / steps))

    return factor


@dataclass(frozen=True, eq=False, slots=True)
class _Line:
    """Each pixel from the same pixel of the other channel, and the mean image."""

    mean: Tensor
    slope: Tensor
    offset: Tensor

    @classmethod
    def fit(
        cls,
        crops: Any,
        spec: CropSpec,
        places: tuple[int, int],
        rows: NDArray[np.int64],
        token: CancelToken | None,
    ) -> _Line:
        of, to = places
        size = (spec.size, spec.size)
        x, y, xx, xy = (torch.zeros(size, dtype=torch.float64) for _ in range(4))
        for some in _batches(rows):
            _check(token)
            both = normalise(np.asarray(crops[some]), spec).double()
            a, b = both[:, of], both[:, to]
            x, y = x + a.sum(0), y + b.sum(0)
            xx, xy = xx + (a * a).sum(0), xy + (a * b).sum(0)
        n = len(rows)
        x, y = x / n, y / n
        spread = xx / n - x * x
        slope = (xy / n - x * y) / spread.clamp_min(1e-9)
        return cls(y.float(), slope.float(), (y - slope * x).float())

    def __call__(self, x: Tensor) -> Tensor:
        return self.slope * x + self.offset


def _batches(rows: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    return [rows[start : start + _BATCH] for start in range(0, len(rows), _BATCH)]


def _check(token: CancelToken | None) -> None:
    if token is not None:
        token.raise_if_cancelled()
