"""The state of one training run: advance it a step, save it, restore it.

`TrainingRun` holds what runs of every kind share; `vae_run` and `gan_run` say what a
step is, and what is looked at now and then.
"""

from __future__ import annotations

import hashlib
import math
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from napari_cellsci.cells.spec import CropSpec
from napari_cellsci.errors import BundleError, DataChanged, Diverged, InputError
from napari_cellsci.representation.config import EncoderConfig
from napari_cellsci.representation.data import (
    BatchOrder,
    CropArray,
    Rows,
    checked_labels,
    fingerprint,
    read_rows,
    split_rows,
)
from napari_cellsci.representation.encoder import Encoder
from napari_cellsci.representation.layers import Network
from napari_cellsci.representation.networks import new_network
from napari_cellsci.representation.normalise import normalise
from napari_cellsci.representation.pixels import pixel_bounds
from napari_cellsci.representation.storage import read_model, write_model
from napari_cellsci.representation.views import dihedral_each

if TYPE_CHECKING:
    from lightning_fabric import Fabric

KIND = "a napari-cellsci training run"
SCHEMA = 1
VALIDATION_ROWS = 1_024
_CHECKPOINT = "checkpoint"
COLLAPSE_STEP = 500
"""Before this step an encoder may still be about to find its first latent."""
_LR_WARMUP = 0.03


class TrainingRun(ABC):
    """Networks, optimiser, random streams and position of one run.

    Parameters
    ----------
    crops : array or memory map (n, C, S, S)
        Raw crops.
    spec : CropSpec
        How they were cut.
    config : EncoderConfig
        What to train.
    fabric : Fabric
        Device, precision and processes; launched.
    groups : array (n,), optional
        Kept together by the validation split.
    labels : int array (n,), optional
        Class of each crop, −1 where it is not known; used if ``config.label_weight``.

    Attributes
    ----------
    network : Network
        What is trained.
    optimisers : dict of str to Optimizer
        By the names their moments have in checkpoints.
    """

    network: Network
    optimisers: Mapping[str, torch.optim.Optimizer]
    remedy = "lower the learning rate"
    """What to do if the loss is no longer a number."""

    def __init__(
        self,
        crops: CropArray,
        spec: CropSpec,
        config: EncoderConfig,
        fabric: Fabric,
        groups: NDArray[Any] | None = None,
        labels: NDArray[Any] | None = None,
    ) -> None:
        self.crops, self.spec, self.config, self.fabric = crops, spec, config, fabric
        self.labels = (
            checked_labels(labels, len(crops)) if config.label_weight else None
        )
        self.step = 0
        self.metrics: dict[str, float] = {}
        self.history: list[dict[str, float]] = []
        self._validated: dict[str, float] = {}
        n = len(crops)
        self.train_rows, self.validation_rows = split_rows(
            n, groups, config.validation, config.seed
        )
        self.identity = _identity(crops, spec, config, self.train_rows)
        if self.labels is not None:
            self.identity["labels"] = _digest(self.labels.numpy())
        world = fabric.world_size
        batch = min(config.batch, len(self.train_rows)) // world * world
        if batch < 2 * world:
            raise InputError(
                f"{len(self.train_rows)} crops are too few for {world} processes."
            )
        order_seed, noise_seed = (
            int(s.generate_state(1)[0])
            for s in np.random.SeedSequence(config.seed).spawn(2)
        )
        self.order = BatchOrder(self.train_rows, batch, order_seed)
        self.noise = torch.Generator().manual_seed(noise_seed)
        classes = 0 if self.labels is None else int(self.labels.max()) + 1
        bounds = pixel_bounds(spec)
        self.network = new_network(config, spec.n_channels, spec.size, classes, bounds)
        self._validation = self._validation_crops()
        self.optimisers = self._set_up()

    @abstractmethod
    def _set_up(self) -> Mapping[str, torch.optim.Optimizer]:
        """Bring the networks to their device; return the optimisers."""

    @abstractmethod
    def advance(self) -> dict[str, float]:
        """Take one gradient step and return its metrics.

        Raises
        ------
        TrainingError
            If it cannot go on.
        """

    @abstractmethod
    def _validate(self) -> dict[str, float]:
        """Look at the validation crops; return what is seen."""

    def warnings(self) -> Iterator[str]:
        """Yield what is to be said of the last step, each thing once."""
        yield from ()

    def samples(self, n: int) -> Tensor | None:
        """Draw n crops from nothing, if that is what is learnt here."""
        return None

    @property
    def looked(self) -> bool:
        """Whether the last step ended with a look at the validation crops."""
        return bool(self.history) and self.history[-1]["step"] == self.step

    @property
    def validation_crops(self) -> Tensor:
        """Normalised crops (n, C, S, S) that are looked at now and then."""
        return self._validation

    @property
    def summary(self) -> str:
        """What is trained on what, in a sentence."""
        return (
            f"Training for {self.config.steps} steps on {len(self.train_rows)} crops, "
            f"{len(self.validation_rows)} kept for validation, on "
            f"{self.fabric.device.type}."
        )

    def agreed(self, wish: bool) -> bool:
        """Whether the first process wishes to stop; all hear the same answer."""
        if self.fabric.world_size == 1:
            return wish
        return bool(self.fabric.broadcast(wish))

    def _next_batch(self) -> tuple[Tensor, Tensor, slice, Tensor | None]:
        """Return this process's crops, its noise, its rows in the joint batch; labels.

        The labels, if any, are those of the joint batch.
        """
        rows, views = next(self.order)
        noise = torch.randn(
            (len(rows), self.config.latent), generator=self.noise, dtype=torch.float32
        )
        share = len(rows) // self.fabric.world_size
        mine = slice(
            self.fabric.global_rank * share, (self.fabric.global_rank + 1) * share
        )
        raw = read_rows(self.crops, rows[mine])
        device = self.fabric.device
        x = normalise(raw, self.spec, device=device, rows=rows[mine])
        x = dihedral_each(x, torch.from_numpy(views[mine]).to(device))
        x = x.contiguous(memory_format=torch.channels_last)
        labels = None if self.labels is None else self.labels[rows].to(device)
        return x, noise[mine].to(device), mine, labels

    def _refuse_divergence(self, values: dict[str, float]) -> None:
        if not all(math.isfinite(value) for value in values.values()):
            raise Diverged(
                f"Training diverged at step {self.step}: the loss is no longer a "
                f"number; {self.remedy}."
            )

    def _look(self) -> dict[str, float]:
        """Look at the validation crops when it is time; return the last look."""
        every = max(1, min(250, self.config.steps // 20))
        if self.step % every and self.step != self.config.steps:
            return self._validated
        self._validated = self._validate()
        self._refuse_divergence(self._validated)
        self.history.append({"step": self.step, **self._validated})
        self._refuse_collapse()
        return self._validated

    @abstractmethod
    def _refuse_collapse(self) -> None:
        """Raise `Collapsed` if the last look shows that nothing is learnt."""

    def _learning_rate(self) -> float:
        c = self.config
        if c.schedule == "constant":
            return c.learning_rate
        warmup = max(1, round(_LR_WARMUP * c.steps))
        ramp = min(1.0, (self.step + 1) / warmup)
        return (
            c.learning_rate * ramp * 0.5 * (1 + math.cos(math.pi * self.step / c.steps))
        )

    def _validation_crops(self) -> Tensor:
        """Normalise the crops that are looked at now and then."""
        rows = self.validation_rows if len(self.validation_rows) else self.train_rows
        rows = rows[:: -(-len(rows) // VALIDATION_ROWS)]
        raw = read_rows(self.crops, rows)
        x = normalise(raw, self.spec, device=self.fabric.device, rows=rows)
        if not bool((x != x[:, :, :1, :1]).any()):
            raise InputError("All crops are blank: there is nothing to learn from.")
        return x

    def start_from(self, encoder: Encoder) -> None:
        """Take over the weights of another encoder.

        Raises
        ------
        InputError
            If it is built otherwise or made for crops of another size.
        """
        for name in self.config.architecture | encoder.config.architecture:
            mine, theirs = getattr(self.config, name), getattr(encoder.config, name)
            if theirs != mine:
                raise InputError(
                    f"The encoder to start from has {name} {theirs}, these settings "
                    f"{mine}; use the same."
                )
        shapes = [(s.n_channels, s.size) for s in (self.spec, encoder.spec)]
        if shapes[0] != shapes[1]:
            raise InputError(
                "The encoder to start from was made for crops with "
                f"{shapes[1][0]} channel(s) of {shapes[1][1]} px, these have "
                f"{shapes[0][0]} of {shapes[0][1]} px."
            )
        # The label head, if there is one, starts anew.
        self.network.load_state_dict(encoder.network.state_dict(), strict=False)

    def save(self, folder: Path) -> Path:
        """Write a checkpoint; the one before it is kept until this one is complete.

        Returns
        -------
        Path
            The checkpoint's description.
        """
        tensors = {
            f"network.{k}": v.cpu() for k, v in self.network.state_dict().items()
        }
        for own, optimiser in self.optimisers.items():
            for index, state in optimiser.state_dict()["state"].items():
                for name, value in state.items():
                    tensors[f"{own}.{index}.{name}"] = value.cpu()
        tensors["noise"] = self.noise.get_state()
        description = {
            "kind": KIND,
            "schema": SCHEMA,
            "step": self.step,
            "identity": self.identity,
            "config": self.config.to_dict(),
            "order": self.order.state(),
            "metrics": self.metrics,
            "validated": self._validated,
            "history": self.history,
        }
        weights = f"{_CHECKPOINT}-{self.step}"
        write_model(folder, description, tensors, name=_CHECKPOINT, weights=weights)
        for old in folder.glob(f"{_CHECKPOINT}-*.safetensors"):
            if old.stem != weights:
                old.unlink(missing_ok=True)
        return folder / f"{_CHECKPOINT}.json"

    def restore(self, folder: Path) -> None:
        """Continue from the checkpoint in a folder.

        Raises
        ------
        InputError
            If it belongs to other crops or settings.
        BundleError
            If it is missing or damaged.
        """
        description, tensors = read_model(
            folder, kind=KIND, schema=SCHEMA, name=_CHECKPOINT
        )
        for what, value in self.identity.items():
            if description.get("identity", {}).get(what) != value:
                raise DataChanged(
                    f"The run in {folder} was started with other {what}; resume it "
                    "with the same, or start a new run."
                )
        try:
            self._restore(description, tensors)
        except (KeyError, TypeError, ValueError, RuntimeError) as error:
            raise BundleError(f"The checkpoint in {folder} is damaged.") from error

    def _restore(self, description: dict[str, Any], tensors: dict[str, Tensor]) -> None:
        own = "network."
        network = {k[len(own) :]: t for k, t in tensors.items() if k.startswith(own)}
        self.network.load_state_dict(network)
        for name, optimiser in self.optimisers.items():
            _restore_moments(optimiser, name, tensors)
        self.noise.set_state(tensors["noise"])
        self.order.restore(description["order"])
        self.step = int(description["step"])
        self.metrics = dict(description["metrics"])
        self._validated = dict(description["validated"])
        self.history = list(description["history"])


def _restore_moments(
    optimiser: torch.optim.Optimizer, own: str, tensors: dict[str, Tensor]
) -> None:
    """Give an optimiser back the moments that are called ``own.index.name``."""
    moments: dict[int, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        group, _, rest = name.partition(".")
        if group == own:
            index, _, moment = rest.partition(".")
            moments.setdefault(int(index), {})[moment] = tensor
    # The fused optimiser walks weights and moments in memory order, so moments must
    # lie in memory like their weights (channels last).
    every: list[nn.Parameter] = [
        p for group in optimiser.param_groups for p in group["params"]
    ]
    for position, parameter in enumerate(every):
        for kind, value in moments.get(position, {}).items():
            if value.shape == parameter.shape:
                like = torch.empty_like(parameter, device="cpu")
                moments[position][kind] = like.copy_(value)
    groups = optimiser.state_dict()["param_groups"]
    optimiser.load_state_dict({"state": moments, "param_groups": groups})


def _identity(
    crops: CropArray, spec: CropSpec, config: EncoderConfig, train_rows: Rows
) -> dict[str, Any]:
    """Return what must agree for a run to be resumed."""
    settings = config.to_dict()
    for name in ("device", "log_every", "checkpoint_every"):
        del settings[name]  # These change no result.
    return {
        "crops": spec.to_dict(),
        "data": fingerprint(crops),
        "groups": _digest(train_rows),
        "settings": settings,
    }


def _digest(array: NDArray[Any]) -> str:
    return hashlib.sha256(array.tobytes()).hexdigest()[:16]
