"""A training run of an InfoGAN: discriminator and generator take turns."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from napari_cellsci.errors import Collapsed, InputError
from napari_cellsci.representation.encoder import ACTIVE_NATS
from napari_cellsci.representation.infogan import (
    REACH,
    UNREAD,
    InfoGAN,
    code_loss,
    discriminator_loss,
    generator_loss,
    information_bound,
    roth_penalty,
    sample_code,
)
from napari_cellsci.representation.looks import variety
from napari_cellsci.representation.losses import gaussian_tc
from napari_cellsci.representation.quantise import information
from napari_cellsci.representation.run import COLLAPSE_STEP, TrainingRun

ALIKE = 0.05
"""Drawn crops that differ less than this, relative to real ones, are all the same."""
SURE = 0.98
"""From this share of right guesses on, the discriminator teaches nothing any more."""
PATIENCE = 4
"""Looks in a row after which a bad sign counts: GANs often recover from one."""
USUAL_SIZE = 32
"""Edge of a crop (px) whose pixels the weight `roth` is meant for."""
_BETAS = (0.5, 0.999)
_CHUNK = 64
_LIKE = 500
"""Crops whose codes are read back at a look."""


class GANRun(TrainingRun):
    """Networks, both optimisers, random streams and position of one run."""

    network: InfoGAN
    remedy = "lower the learning rate or raise roth"

    def _set_up(self) -> Mapping[str, torch.optim.Optimizer]:
        config, fabric = self.config, self.fabric
        if fabric.world_size > 1:
            raise InputError(
                "An InfoGAN trains in one process: use one device, or another kind."
            )
        fabric.to_device(self.network)
        self._unit = _noise_unit(self._validation)
        network, decay = self.network, config.weight_decay
        options: dict[str, Any] = {"lr": config.learning_rate, "betas": _BETAS}
        adam = torch.optim.AdamW if decay else torch.optim.Adam
        judging = [*network.encoder.parameters(), *network.critic.parameters()]
        drawing = list(network.decoder.parameters())
        return {
            "judge": adam(judging, weight_decay=decay, **options),
            "draw": adam(drawing, weight_decay=decay, **options),
        }

    def advance(self) -> dict[str, float]:
        """Take one step of the discriminator with Q, then one of the generator.

        Returns
        -------
        dict of float
            ``loss_d``, ``loss_g`` (nats), ``code_error`` (½‖c − μ‖² of drawn crops),
            ``penalty``, the gradients of the last step that looked at them, and
            ``roth``, its weight; ``real_right`` and ``drawn_right``, the shares that D
            guesses right; from the last look ``val_mse`` of real crops drawn anew from
            their code, ``val_kl``, ``gaussian_tc`` and ``active`` as of other kinds
            (see `quantise.information`), ``mi``, the bound on what drawn crops keep of
            their code (nats), and ``variety``, the standard deviation among drawn crops
            relative to real ones.

        Raises
        ------
        TrainingError
            If a loss is no longer finite, or all drawn crops are the same.
        """
        x, noise, *_ = self._next_batch()
        for optimiser in self.optimisers.values():
            for group in optimiser.param_groups:
                group["lr"] = self._learning_rate()
        with self._seeded():
            values = {**self._judge(x.contiguous(), noise), **self._draw(len(x))}
        self.step += 1
        self._refuse_divergence(values)
        self.metrics = {**values, **self._look()}
        return self.metrics

    @contextmanager
    def _seeded(self) -> Iterator[None]:
        """Let dropout, which knows torch's global state only, follow our stream."""
        (seed,) = torch.randint(2**31, (1,), generator=self.noise).tolist()
        device = self.fabric.device
        with torch.random.fork_rng([device] if device.type == "cuda" else []):
            torch.manual_seed(seed)
            yield

    def _judge(self, x: Tensor, noise: Tensor) -> dict[str, float]:
        """Train D to tell real from drawn crops, and Q to read the code of these."""
        config, network = self.config, self.network
        z = self._code(noise)
        with torch.no_grad():
            fake = network.decoder.draw(z, self._noise(len(z)))
            fake = network.decoder.exposed(fake, self.noise)
        due = bool(config.roth) and self.step % config.roth_every == 0
        x, fake = (crops.requires_grad_(due) for crops in (x, fake))
        # One after the other: batches of DCGANs hold one sort of crops.
        real_logits, _ = network.judge(x)
        fake_logits, read = network.judge(fake)
        loss = discriminator_loss(real_logits, fake_logits)
        code = code_loss(z, read)
        objective = loss + config.information * code
        roth = config.roth_at(self.step)
        penalty = float(self.metrics.get("penalty", 0.0))
        if due:
            unit = self._unit
            slopes = roth_penalty(real_logits, x, real=True, unit=unit)
            slopes += roth_penalty(fake_logits, fake, real=False, unit=unit)
            objective = objective + 0.5 * roth * config.roth_every * slopes
            penalty = float(slopes.detach())
        self._step("judge", objective)
        return {
            "loss_d": float(loss.detach()),
            "code_error": float(code.detach()),
            "penalty": penalty,
            "roth": roth,
            "real_right": float((real_logits > 0).float().mean()),
            "drawn_right": float((fake_logits < 0).float().mean()),
        }

    def _draw(self, n: int) -> dict[str, float]:
        """Train the generator to be taken for real and to keep its code readable."""
        z = sample_code(n, self.config.latent, self.noise).to(self.fabric.device)
        with self._judging_still():
            decoder = self.network.decoder
            fake = decoder.exposed(decoder.draw(z, self._noise(n)), self.noise)
            logits, read = self.network.judge(fake)
            loss = generator_loss(logits)
            self._step("draw", loss + self.config.information * code_loss(z, read))
        return {"loss_g": float(loss.detach())}

    @contextmanager
    def _judging_still(self) -> Iterator[None]:
        """Spend nothing on gradients of D and Q, which the generator's step leaves."""
        network = self.network
        judging = [*network.encoder.parameters(), *network.critic.parameters()]
        for parameter in judging:
            parameter.requires_grad_(False)
        yield
        for parameter in judging:
            parameter.requires_grad_(True)

    def _step(self, name: str, objective: Tensor) -> None:
        optimiser = self.optimisers[name]
        self.network.zero_grad()  # the other player's gradients, too
        objective.backward()  # type: ignore[no-untyped-call]
        optimiser.step()

    def _code(self, noise: Tensor) -> Tensor:
        """Make uniform codes of the normal draws that a batch comes with."""
        unit: Tensor = torch.special.ndtr(noise)
        return 2 * REACH * unit - REACH

    def _noise(self, n: int) -> Tensor:
        shape = (n, self.config.noise)
        return torch.randn(shape, generator=self.noise).to(self.fabric.device)

    @torch.inference_mode()
    def samples(self, n: int) -> Tensor:
        """Draw n crops from codes that are the same at every look."""
        self.network.eval()
        fake: Tensor = self.network.decoder(self._fixed_codes(n))
        self.network.train()
        return fake

    def _fixed_codes(self, n: int) -> Tensor:
        generator = torch.Generator().manual_seed(self.config.seed)
        return sample_code(n, self.config.latent, generator).to(self.fabric.device)

    @torch.inference_mode()
    def _validate(self) -> dict[str, float]:
        network, real = self.network, self._validation
        network.eval()
        z = self._fixed_codes(max(_LIKE, len(real)))
        camera = torch.Generator().manual_seed(self.config.seed)
        read, squares, mus = [], [], []
        sums = torch.zeros(2, 2, *real.shape[1:], dtype=torch.float64)
        for start in range(0, len(z), _CHUNK):
            x, code = (part[start : start + _CHUNK] for part in (real, z))
            fake = network.decoder(code)
            seen = network.decoder.exposed(fake, camera)
            read.append(network.encoder.mu(seen))
            sums[:, 1] += _sums(fake)
            if len(x):
                mu = network.encoder.mu(x)
                squares.append((network.decoder(mu) - x).square().mean((1, 2, 3)))
                sums[:, 0] += _sums(x) * (len(z) / len(real))
                mus.append(mu)
        error = ((torch.cat(read) - z) / REACH).square().mean(0)
        network.encoder.error.copy_(error)
        mu, logvar = torch.cat(mus), network.encoder.logvar
        kl = information(self.config, mu, logvar.expand(len(mu), -1))
        network.train()
        return {
            "val_mse": float(torch.cat(squares).mean()),
            "val_kl": float(kl.sum()),
            "gaussian_tc": gaussian_tc(mu, logvar.exp().expand(len(mu), -1)),
            "active": float((kl > ACTIVE_NATS).sum()),
            "variety": variety(sums, len(z)),
            "mi": float(information_bound(error.clamp(max=UNREAD)).sum()),
        }

    def _refuse_collapse(self) -> None:
        last = self.history[-PATIENCE:]
        if self.step < COLLAPSE_STEP or len(last) < PATIENCE:
            return
        if all(look["variety"] < ALIKE for look in last):
            raise Collapsed(
                f"After {self.step} steps all crops the generator draws are the same: "
                "raise roth or lower the learning rate."
            )

    def warnings(self) -> Iterator[str]:
        """Say once when the discriminator has long been right about nearly all."""
        if not self.looked:
            return
        self.history[-1]["right"] = min(
            self.metrics["real_right"], self.metrics["drawn_right"]
        )
        last = [look.get("right", 0.0) >= SURE for look in self.history]
        if len(last) < PATIENCE or self.step < COLLAPSE_STEP:
            return
        if all(last[-PATIENCE:]) and not any(last[-PATIENCE - 1 : -PATIENCE]):
            yield (
                "The discriminator tells real from drawn cells nearly without fail, so "
                "that the generator learns little from it: raise roth, or lower the "
                "learning rate."
            )


def _noise_unit(x: Tensor) -> Tensor:
    """Return what one unit of noise is to a pixel of crops (C, 1, 1).

    The penalty stands for noise of variance γ. It hides the same share of a cell
    whatever numbers the normalisation ends in (their standard deviation is the unit),
    and however finely the cell is sampled (noise of n times as many pixels averages
    out n times as well).
    """
    spread = x.transpose(0, 1).flatten(1).std(1).clamp(min=1e-3)
    return spread[:, None, None] * (x.shape[-1] / USUAL_SIZE)


def _sums(x: Tensor) -> Tensor:
    """Return sums and sums of squares (2, C, S, S) over crops."""
    double = x.cpu().double()  # MPS has no doubles
    return torch.stack([double.sum(0), double.square().sum(0)])
