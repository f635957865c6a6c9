"""β-TCVAE training and encoding against the same networks written plainly.

    OMP_NUM_THREADS=1 python benchmarks/tcvae.py

The plain form is what a textbook would write: NCHW tensors, nearest up-sampling before
each convolution, torch's Mish, the (M, M, D) densities by autograd, the default Adam.
It is given normalised crops, while ours starts from raw uint16, draws a view for every
crop and reads its metrics, as in real training. All forms run in turn, several rounds;
rates are those of the fastest round and ratios are of these.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Callable
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor, nn

from napari_cellsci.cells.spec import CropSpec
from napari_cellsci.representation.config import EncoderConfig
from napari_cellsci.representation.encoder import Encoder
from napari_cellsci.representation.normalise import normalise
from napari_cellsci.representation.train import new_fabric
from napari_cellsci.representation.vae_run import VAERun

SPEC = CropSpec(fov_px=64)
CROPS = 2_048


def raw_crops() -> np.ndarray:
    """Blurred blobs on an offset camera; contents do not matter for speed."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:64, :64] - 31.5
    widths = rng.uniform(50, 250, (CROPS, 1, 1, 1))
    blobs = 900 * np.exp(-(x**2 + y**2) / widths)
    return (32768 + blobs + rng.normal(0, 20, blobs.shape)).astype(np.uint16)


class Plain(nn.Module):
    """The networks of a configuration, in torch's own building blocks."""

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        act = {"mish": nn.Mish, "silu": nn.SiLU, "relu": nn.ReLU}[config.activation]
        layers: list[nn.Module] = []
        for before, after in pairwise((1, *config.filters)):
            layers += [nn.Conv2d(before, after, 4, 2, 1), act()]
        layers += [nn.Flatten(), nn.Linear(1024, config.hidden), act()]
        self.body = nn.Sequential(*layers)
        self.mean = nn.Linear(config.hidden, config.latent)
        self.logvar = nn.Linear(config.hidden, config.latent)
        layers = [nn.Linear(config.latent, config.hidden), act()]
        layers += [nn.Linear(config.hidden, 1024), act(), nn.Unflatten(1, (64, 4, 4))]
        for before, after in pairwise((*reversed(config.filters), 1)):
            if config.decoder == "upsample":
                layers += [nn.Upsample(scale_factor=2)]
                layers += [nn.Conv2d(before, after, 3, padding=1), act()]
            else:
                layers += [nn.ConvTranspose2d(before, after, 4, 2, 1), act()]
        self.decoder = nn.Sequential(*layers[:-1])

    def loss(self, x: Tensor, n_data: int, beta: float) -> Tensor:
        """Return the objective with the leave-one-out estimator."""
        hidden = self.body(x)
        mu, logvar = self.mean(hidden), self.logvar(hidden).clamp(-10, 10)
        z = mu + torch.randn_like(mu) * (logvar / 2).exp()
        recon = (self.decoder(z) - x).square().sum() / (2 * len(x))
        kl = 0.5 * (mu.square() + logvar.exp() - logvar - 1).sum(1).mean()
        m = len(x)
        weights = torch.full((m, m), math.log((n_data - 1) / (n_data * (m - 1))))
        weights.fill_diagonal_(-math.log(n_data))
        log_q = -0.5 * (
            (z[:, None] - mu).square() * (-logvar).exp()
            + logvar
            + math.log(2 * math.pi)
        )
        joint = (log_q.sum(2) + weights).logsumexp(1)
        product = (log_q + weights[..., None]).logsumexp(1).sum(1)
        return recon + kl + (beta - 1) * (joint - product).mean()


def plain_trainer(config: EncoderConfig, x: Tensor) -> Callable[[], None]:
    """Return a function that takes one plain step."""
    network = Plain(config)
    adam = torch.optim.Adam(network.parameters(), config.learning_rate)

    def step() -> None:
        batch = x[torch.randperm(len(x))[: config.batch]]
        loss = network.loss(batch, len(x), config.beta)
        adam.zero_grad()
        loss.backward()
        adam.step()

    return step


def our_trainer(config: EncoderConfig, crops: np.ndarray) -> Callable[[], object]:
    """Return a function that takes one step of a real run."""
    return VAERun(crops, SPEC, config, new_fabric(config)).advance


def fastest(
    jobs: dict[str, Callable[[], object]], repeats: int, rounds: int
) -> dict[str, float]:
    """Run the jobs in turn; return the CPU seconds a call of each took at best."""
    best = dict.fromkeys(jobs, math.inf)
    for job in jobs.values():
        job()
    for _ in range(rounds):
        for name, job in jobs.items():
            for _ in range(repeats):
                start = time.process_time()
                job()
                best[name] = min(best[name], time.process_time() - start)
    return best


def training(crops: np.ndarray, repeats: int, rounds: int) -> None:
    x = normalise(crops, SPEC)
    presets = {
        name: EncoderConfig.preset(name, device="cpu") for name in ("paper", "good")
    }
    jobs: dict[str, Callable[[], object]] = {}
    for name, config in presets.items():
        jobs[f"{name}, plain"] = plain_trainer(config, x)
        jobs[f"{name}, ours"] = our_trainer(config, crops)
    seconds = fastest(jobs, repeats, rounds)
    for name, taken in seconds.items():
        batch = presets[name.split(",")[0]].batch
        print(f"train {name:14s} {batch / taken:8.0f} images/s")
    rate = {n: presets[n.split(",")[0]].batch / s for n, s in seconds.items()}
    base = rate["paper, plain"]
    for name, goal in (("paper, ours", 2.2), ("good, ours", 3.5)):
        print(f"{name} / paper, plain: {rate[name] / base:.2f} (goal {goal})")


def encoding(crops: np.ndarray, repeats: int, rounds: int) -> None:
    x = normalise(crops, SPEC)
    for name in ("paper", "good"):
        config = EncoderConfig.preset(name, device="cpu")
        run = VAERun(crops, SPEC, config, new_fabric(config))
        encoder = Encoder(SPEC, config, run.network)
        plain = Plain(config).eval()

        @torch.inference_mode()
        def naive(plain: Plain = plain) -> None:
            for batch in x.split(256):
                plain.mean(plain.body(batch))

        @torch.inference_mode()
        def resident(encoder: Encoder = encoder) -> None:
            for batch in x.split(64):
                encoder.latent_mean(batch)

        jobs = {
            "plain, resident normalised tensor": naive,
            "ours, resident normalised tensor": resident,
            "ours, raw uint16": lambda encoder=encoder: encoder.encode(crops),
            "ours, raw, with error": lambda e=encoder: e.encode_with_error(crops),
            "ours, raw, eight views": lambda e=encoder: e.encode(crops, views=True),
        }
        for job, taken in fastest(jobs, repeats, rounds).items():
            print(f"encode {name}: {job:34s} {len(crops) / taken:8.0f} crops/s")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=3, help="calls per round")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    torch.set_num_threads(1)
    crops = raw_crops()
    training(crops, options.repeats, options.rounds)
    encoding(crops, options.repeats, options.rounds)


if __name__ == "__main__":
    main()
