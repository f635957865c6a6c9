"""A training run of a variational autoencoder: β-TCVAE or β-VAE."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

import torch
from torch import Tensor
from torch.nn import functional as F

from napari_cellsci.errors import Collapsed
from napari_cellsci.representation.data import UNKNOWN
from napari_cellsci.representation.encoder import ACTIVE_NATS
from napari_cellsci.representation.looks import variety
from napari_cellsci.representation.losses import (
    Loss,
    beta_tcvae_loss,
    beta_vae_loss,
    coarse_error,
    focus_weights,
    gaussian_tc,
    reconstruction_error,
)
from napari_cellsci.representation.networks import Posterior
from napari_cellsci.representation.pixels import bernoulli_error
from napari_cellsci.representation.quantise import information, quantised_loss
from napari_cellsci.representation.run import COLLAPSE_STEP, TrainingRun
from napari_cellsci.representation.second_look import asymmetry, heed, look_again
from napari_cellsci.representation.views import N_VIEWS

CHUNK = 64


class VAERun(TrainingRun):
    """Networks, optimiser, random streams and position of one run."""

    remedy = "lower the learning rate or raise sigma_x"

    def _set_up(self) -> Mapping[str, torch.optim.Optimizer]:
        config, fabric = self.config, self.fabric
        fused = fabric.device.type in ("cpu", "cuda")
        adam = torch.optim.AdamW if config.weight_decay else torch.optim.Adam
        self.adam = adam(
            self.network.parameters(),
            config.learning_rate,
            weight_decay=config.weight_decay,
            fused=fused,
        )
        self.model, self.optimiser = fabric.setup(self.network, self.adam)
        self._weights = self._pixel_weights()
        return {"adam": self.adam}

    def _pixel_weights(self) -> Tensor | None:
        """Return what pixels count (C, S, S) or (S, S), None if all count alike.

        A Gaussian pixel's deviation is meant in standard deviations of its channel,
        whatever these are in normalised pixels.
        """
        config, units = self.config, torch.tensor(self.spec.units)
        weights = None
        if config.focus:
            weights = focus_weights(self.spec.size, config.focus)
        if config.pixels == "gaussian" and bool((units != 1).any()):
            weights = (1 if weights is None else weights) / units[:, None, None] ** 2
        return None if weights is None else weights.to(self.fabric.device)

    def advance(self) -> dict[str, float]:
        """Take one gradient step and return its metrics.

        Returns
        -------
        dict of float
            ``loss``, ``recon`` (nats per crop, as ``focus`` and ``coarse`` weigh it),
            ``mse`` (per normalised pixel, all alike, so that it can be held against
            ``val_mse``), ``kl`` and, of a β-TCVAE, ``mi``, ``tc``, ``dw`` (nats) of the
            batch and the ``beta`` in force, with
            ``symmetry`` also this process's ``asymmetry``, with ``surround`` its
            ``heed``, with labels its ``label_loss`` (nats); from the last look at the
            validation crops ``val_mse``, ``val_kl``, ``gaussian_tc`` (nats) and
            ``active``, the number of latents in use, and ``variety``, the standard
            deviation of the reconstructions among crops relative to the crops' own.

        Raises
        ------
        TrainingError
            If the loss is no longer finite, or no latent carries information.
        """
        x, noise, rows, labels = self._next_batch()
        n = len(x)
        surround = bool(self.config.surround)
        again = look_again(x, self._elements(rows), surround, rows.start)
        if again is not None:
            x = torch.cat([x, again.crops])
        for group in self.adam.param_groups:
            group["lr"] = self._learning_rate()
        beta = self.config.beta_at(self.step)
        recon, z, mu, logvar, logits = self.model(x, noise)
        loss = self._loss(x[:n], Posterior(recon, z, mu[:n], logvar[:n]), beta, rows)
        objective, extra = loss.loss, dict[str, float]()
        asked: dict[str, tuple[float, Tensor]] = {}
        if again is not None and len(again.turned):
            unturned = asymmetry(mu, logvar, again)
            asked["asymmetry"] = self.config.symmetry, unturned
        if again is not None and len(again.moved):
            asked["heed"] = self.config.surround, heed(mu, logvar, again)
        if labels is not None:
            told = self._label_loss(logits, labels, rows)
            asked["label_loss"] = self.config.label_weight, told
        for name, (weight, term) in asked.items():
            objective = objective + weight * term
            extra[name] = float(term.detach())
        self.optimiser.zero_grad()
        self.fabric.backward(objective)
        self.optimiser.step()
        self.step += 1
        read = self._read(loss, x[:n], recon)
        self.metrics = {**read, **extra, "beta": beta, **self._look()}
        return self.metrics

    def _label_loss(self, logits: Tensor, labels: Tensor, rows: slice) -> Tensor:
        """Return this process's part of the mean cross-entropy of labelled crops."""
        known = int((labels >= 0).sum())
        total = F.cross_entropy(
            logits, labels[rows], ignore_index=UNKNOWN, reduction="sum"
        )
        # Gradients are averaged over processes.
        return cast(Tensor, total * (self.fabric.world_size / max(known, 1)))

    def _elements(self, rows: slice) -> Tensor | None:
        """Return by which view to turn each of this process's crops, if by any."""
        if not self.config.symmetry:
            return None
        total = (rows.stop - rows.start) * self.fabric.world_size
        every = torch.randint(1, N_VIEWS, (total,), generator=self.noise)
        return every[rows]

    def _loss(self, x: Tensor, p: Posterior, beta: float, rows: slice) -> Loss:
        c = self.config
        error = self._error(x, p.recon)
        if c.quantise:
            return quantised_loss(error, p.mu, c.quantise)
        if c.kind == "bvae":
            return beta_vae_loss(error, p.mu, p.logvar, beta)
        gathered = None
        if self.fabric.world_size > 1:
            both = self.fabric.all_gather(
                torch.stack([p.mu, p.logvar]), sync_grads=True
            )
            # (world, 2, m, D) to (2, M, D), in the order of the ranks.
            mu, logvar = both.transpose(0, 1).flatten(1, 2)
            gathered = (mu, logvar, rows)
        return beta_tcvae_loss(
            error,
            p.z,
            p.mu,
            p.logvar,
            n_data=len(self.train_rows),
            alpha=c.alpha,
            beta=beta,
            gamma=c.gamma,
            estimator=c.estimator,
            gathered=gathered,
        )

    def _error(self, x: Tensor, recon: Tensor) -> Tensor:
        """Return the negative log likelihood of crops, up to a constant."""
        scale = self.network.decoder.output.scale
        if scale is not None:
            unit = scale.to_unit(x)
            return bernoulli_error(unit, recon, self._weights)
        sigma_x, coarse = self.config.sigma_x, self.config.coarse
        error = reconstruction_error(x, recon, sigma_x, self._weights)
        if coarse:
            error = error + coarse * coarse_error(x, recon, sigma_x, self._weights)
        return error

    def _read(self, loss: Loss, x: Tensor, recon: Tensor) -> dict[str, float]:
        """Read the terms of a step; refuse to go on if they are not finite."""
        terms = torch.stack([term.detach() for term in loss])
        if self.fabric.world_size > 1:
            terms = self.fabric.all_reduce(terms)
        values = dict(zip(Loss._fields, terms.tolist(), strict=True))
        self._refuse_divergence(values)
        if self.config.kind == "bvae":
            values = {name: values[name] for name in ("loss", "recon", "kl")}
        values["mse"] = self._squares(values["recon"], x, recon.detach())
        return values

    def _squares(self, nats: float, x: Tensor, recon: Tensor) -> float:
        """Return the mean square error of a pixel, whatever the objective weighs."""
        config = self.config
        plain = self._weights is None and not config.coarse
        if plain and config.pixels == "gaussian":
            return nats * 2 * config.sigma_x**2 / x[0].numel()
        drawn = self.network.decoder.output(recon)
        squares = (drawn - x).square().mean()
        if self.fabric.world_size > 1:
            squares = self.fabric.all_reduce(squares)
        return float(squares)

    def _refuse_collapse(self) -> None:
        warmed = self.step >= self.config.beta_warmup * self.config.steps
        if self.step >= COLLAPSE_STEP and warmed and not self._validated["active"]:
            raise Collapsed(
                f"The encoder has learnt nothing after {self.step} steps (no latent "
                "carries information): lower beta or sigma_x, or check the crops."
            )

    @torch.inference_mode()
    def _validate(self) -> dict[str, float]:
        self.network.eval()
        squares, mus, logvars = [], [], []
        sums = torch.zeros(2, 2, *self._validation.shape[1:], dtype=torch.float64)
        for x in torch.split(self._validation, CHUNK):
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
