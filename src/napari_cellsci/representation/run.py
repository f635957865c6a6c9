"""The state of one training run: advance it a step, save it, restore it."""

from __future__ import annotations

import hashlib
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from napari_cellsci.cells.spec import CropSpec
from napari_cellsci.errors import (
    BundleError,
    Collapsed,
    DataChanged,
    Diverged,
    InputError,
)
from napari_cellsci.representation.config import EncoderConfig
from napari_cellsci.representation.data import (
    UNKNOWN,
    BatchOrder,
    CropArray,
    Rows,
    checked_labels,
    fingerprint,
    read_rows,
    split_rows,
)
from napari_cellsci.representation.encoder import ACTIVE_NATS, Encoder
from napari_cellsci.representation.looks import variety
from napari_cellsci.representation.losses import (
    Loss,
    beta_tcvae_loss,
    focus_weights,
    gaussian_tc,
)
from napari_cellsci.representation.networks import Posterior, new_network
from napari_cellsci.representation.normalise import normalise
from napari_cellsci.representation.quantise import information, quantised_loss
from napari_cellsci.representation.storage import read_model, write_model
from napari_cellsci.representation.symmetry import symmetry_loss
from napari_cellsci.representation.views import N_VIEWS, dihedral_each

if TYPE_CHECKING:
    from lightning_fabric import Fabric

KIND = "a napari-cellsci training run"
SCHEMA = 1
VALIDATION_ROWS = 1_024
_CHECKPOINT = "checkpoint"
_CHUNK = 64
_COLLAPSE_STEP = 500
"""Before this step an encoder may still be about to find its first latent."""
_LR_WARMUP = 0.03
_TURNED_EVERY = 4
"""Where symmetry is asked for, one crop in four is encoded in a second view."""


class TrainingRun:
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
    """

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
        self.network = new_network(config, spec.n_channels, spec.size, classes)
        fused = fabric.device.type in ("cpu", "cuda")
        adam = torch.optim.AdamW if config.weight_decay else torch.optim.Adam
        self.adam = adam(
            self.network.parameters(),
            config.learning_rate,
            weight_decay=config.weight_decay,
            fused=fused,
        )
        self.model, self.optimiser = fabric.setup(self.network, self.adam)
        self._weights = (
            focus_weights(spec.size, config.focus).to(fabric.device)
            if config.focus
            else None
        )
        self._validation = self._validation_crops()

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

    def advance(self) -> dict[str, float]:
        """Take one gradient step and return its metrics.

        Returns
        -------
        dict of float
            ``loss``, ``recon`` (nats per crop), ``mse`` (per normalised pixel, with
            ``focus`` weighted by it), ``kl``, ``mi``, ``tc``, ``dw`` (nats) of the
            batch and the ``beta`` in force, with ``symmetry`` also this process's
            ``asymmetry``, with labels its ``label_loss`` (nats); from the last look at
            the validation crops ``val_mse``, ``val_kl``, ``gaussian_tc`` (nats) and
            ``active``, the number of latents in use, and ``variety``, the standard
            deviation of the reconstructions among crops relative to the crops' own.

        Raises
        ------
        TrainingError
            If the loss is no longer finite, or no latent carries information.
        """
        x, noise, rows, labels = self._next_batch()
        chosen, elements = self._turned_again(rows)
        n = len(x)
        if len(chosen):
            x = torch.cat([x, dihedral_each(x[chosen], elements)])
        for group in self.adam.param_groups:
            group["lr"] = self._learning_rate()
        beta = self.config.beta_at(self.step)
        recon, z, mu, logvar, logits = self.model(x, noise)
        loss = self._loss(x[:n], Posterior(recon, z, mu[:n], logvar[:n]), beta, rows)
        objective, extra = loss.loss, dict[str, float]()
        if len(chosen):
            asymmetry = symmetry_loss(
                mu[chosen], logvar[chosen], mu[n:], logvar[n:], elements
            )
            objective = objective + self.config.symmetry * asymmetry
            extra["asymmetry"] = float(asymmetry.detach())
        if labels is not None:
            told = self._label_loss(logits, labels, rows)
            objective = objective + self.config.label_weight * told
            extra["label_loss"] = float(told.detach())
        self.optimiser.zero_grad()
        self.fabric.backward(objective)
        self.optimiser.step()
        self.step += 1
        read = self._read(loss, x)
        self.metrics = {**read, **extra, "beta": beta, **self._look()}
        return self.metrics

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

    def _label_loss(self, logits: Tensor, labels: Tensor, rows: slice) -> Tensor:
        """Return this process's part of the mean cross-entropy of labelled crops."""
        known = int((labels >= 0).sum())
        total = F.cross_entropy(
            logits, labels[rows], ignore_index=UNKNOWN, reduction="sum"
        )
        # Gradients are averaged over processes.
        return cast(Tensor, total * (self.fabric.world_size / max(known, 1)))

    def _turned_again(self, rows: slice) -> tuple[Tensor, Tensor]:
        """Choose which of this process's crops are seen in a second view, and in which.

        Returns
        -------
        chosen : Tensor (m,) of int
            Rows among this process's crops; none unless symmetry is asked for.
        elements : Tensor (m,) of int
        """
        here = torch.arange(rows.start, rows.stop)
        if not self.config.symmetry:
            return here[:0], here[:0]
        total = len(here) * self.fabric.world_size
        every = torch.randint(1, N_VIEWS, (total,), generator=self.noise)
        chosen = torch.nonzero(here % _TURNED_EVERY == 0).flatten()
        device = self.fabric.device
        return chosen.to(device), every[here[chosen]].to(device)

    def _loss(self, x: Tensor, p: Posterior, beta: float, rows: slice) -> Loss:
        c = self.config
        if c.quantise:
            return quantised_loss(x, p.recon, p.mu, c, self._weights)
        gathered = None
        if self.fabric.world_size > 1:
            both = self.fabric.all_gather(
                torch.stack([p.mu, p.logvar]), sync_grads=True
            )
            # (world, 2, m, D) to (2, M, D), in the order of the ranks.
            mu, logvar = both.transpose(0, 1).flatten(1, 2)
            gathered = (mu, logvar, rows)
        return beta_tcvae_loss(
            x,
            p.recon,
            p.z,
            p.mu,
            p.logvar,
            n_data=len(self.train_rows),
            alpha=c.alpha,
            beta=beta,
            gamma=c.gamma,
            sigma_x=c.sigma_x,
            estimator=c.estimator,
            weights=self._weights,
            gathered=gathered,
        )

    def _read(self, loss: Loss, x: Tensor) -> dict[str, float]:
        """Read the terms of a step; refuse to go on if they are not finite."""
        terms = torch.stack([term.detach() for term in loss])
        if self.fabric.world_size > 1:
            terms = self.fabric.all_reduce(terms)
        values = dict(zip(Loss._fields, terms.tolist(), strict=True))
        self._refuse_divergence(values)
        pixels = x[0].numel()
        values["mse"] = values["recon"] * 2 * self.config.sigma_x**2 / pixels
        return values

    def _refuse_divergence(self, values: dict[str, float]) -> None:
        if not all(math.isfinite(value) for value in values.values()):
            raise Diverged(
                f"Training diverged at step {self.step}: the loss is no longer a "
                "number; lower the learning rate or raise sigma_x."
            )

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
        if not bool(x.any()):
            raise InputError("All crops are blank: there is nothing to learn from.")
        return x

    def _look(self) -> dict[str, float]:
        """Look at the validation crops when it is time; return the last look."""
        every = max(1, min(250, self.config.steps // 20))
        if self.step % every and self.step != self.config.steps:
            return self._validated
        self._validated = self._validate()
        self._refuse_divergence(self._validated)
        self.history.append({"step": self.step, **self._validated})
        warmed = self.step >= self.config.beta_warmup * self.config.steps
        if self.step >= _COLLAPSE_STEP and warmed and not self._validated["active"]:
            raise Collapsed(
                f"The encoder has learnt nothing after {self.step} steps (no latent "
                "carries information): lower beta or sigma_x, or check the crops."
            )
        return self._validated

    @torch.inference_mode()
    def _validate(self) -> dict[str, float]:
        self.network.eval()
        squares, mus, logvars = [], [], []
        sums = torch.zeros(2, 2, *self._validation.shape[1:], dtype=torch.float64)
        for x in torch.split(self._validation, _CHUNK):
            mu, logvar = self.network.encoder(x)
            recon = self.network.decoder(mu)
            squares.append((recon - x).square().mean((1, 2, 3)))
            both = torch.stack([x, recon]).cpu().double()  # MPS has no doubles
            sums += torch.stack([both.sum(1), both.square().sum(1)])
            mus.append(mu)
            logvars.append(logvar)
        self.network.train()
        mu, logvar = torch.cat(mus), torch.cat(logvars)
        kl = information(self.config, mu, logvar)
        return {
            "val_mse": float(torch.cat(squares).mean()),
            "val_kl": float(kl.sum()),
            "gaussian_tc": gaussian_tc(mu, logvar.exp()),
            "active": float((kl > ACTIVE_NATS).sum()),
            "variety": variety(sums, len(self._validation)),
        }

    def start_from(self, encoder: Encoder) -> None:
        """Take over the weights of another encoder.

        Raises
        ------
        InputError
            If it is built otherwise or made for crops of another size.
        """
        mine, theirs = self.config.to_dict(), encoder.config.to_dict()
        for name in self.config.architecture | encoder.config.architecture:
            if theirs[name] != mine[name]:
                raise InputError(
                    f"The encoder to start from has {name} {theirs[name]}, these "
                    f"settings {mine[name]}; use the same."
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
        for index, state in self.adam.state_dict()["state"].items():
            for name, value in state.items():
                tensors[f"adam.{index}.{name}"] = value.cpu()
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
        network: dict[str, Tensor] = {}
        moments: dict[int, dict[str, Tensor]] = {}
        for name, tensor in tensors.items():
            group, _, rest = name.partition(".")
            if group == "network":
                network[rest] = tensor
            elif group == "adam":
                index, _, moment = rest.partition(".")
                moments.setdefault(int(index), {})[moment] = tensor
        self.network.load_state_dict(network)
        # The fused optimiser walks weights and moments in memory order, so moments
        # must lie in memory like their weights (channels last).
        for position, parameter in enumerate(self.network.parameters()):
            for kind, value in moments.get(position, {}).items():
                if value.shape == parameter.shape:
                    like = torch.empty_like(parameter, device="cpu")
                    moments[position][kind] = like.copy_(value)
        groups = self.adam.state_dict()["param_groups"]
        self.adam.load_state_dict({"state": moments, "param_groups": groups})
        self.noise.set_state(tensors["noise"])
        self.order.restore(description["order"])
        self.step = int(description["step"])
        self.metrics = dict(description["metrics"])
        self._validated = dict(description["validated"])
        self.history = list(description["history"])


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
