"""Head-steps per second: K dense heads in one buffer against one torch network each.

    OMP_NUM_THREADS=1 python benchmarks/heads.py

The baseline is what a textbook would write for one head: nn.Sequential, nn.Dropout,
torch.optim.Adam (also its fused form), the batches drawn per epoch in one call. K heads
cost it K times one. All forms take turns for several rounds; a rate is the fastest
round's, since other work on the machine only ever slows a round down. A head-step is
one gradient step of one head at batch 64.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from functools import cache
from itertools import pairwise

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from napari_cellsci.heads.batched import BatchedMLP
from napari_cellsci.heads.training import model_seed, train_batched

CELLS, VIEWS, LATENT, BATCH = 7219, 8, 32, 64
SIZES = (LATENT, 16, 16, 16, 1)


@cache
def data() -> tuple[torch.Tensor, np.ndarray]:
    """Return latents (n, 8, 32) and two classes that overlap."""
    rng = np.random.default_rng(0)
    z = rng.normal(size=(CELLS, VIEWS, LATENT)).astype(np.float32)
    y = (z[:, :, :4].mean((1, 2)) + 0.2 * rng.normal(size=CELLS) > 0).astype(np.int64)
    return torch.from_numpy(z), y


def plain(steps: int, dropout: float, fused: bool) -> None:
    """Train one head with torch's own parts."""
    z, y = data()
    table, target = z.reshape(-1, LATENT), torch.from_numpy(y).float()
    layers: list[nn.Module] = []
    for n_in, n_out in pairwise(SIZES[:-1]):
        layers += [nn.Linear(n_in, n_out), nn.Mish()]
        layers += [nn.Dropout(dropout)] if dropout else []
    network = nn.Sequential(*layers, nn.Linear(SIZES[-2], 1))
    optimiser = torch.optim.Adam(network.parameters(), 1e-3, fused=fused)
    cell = torch.randint(CELLS, (steps, BATCH))
    index = cell * VIEWS + torch.randint(VIEWS, (steps, BATCH))
    for step in range(steps):
        outputs = network(table.index_select(0, index[step])).squeeze(1)
        wanted = target.index_select(0, cell[step])
        loss = F.binary_cross_entropy_with_logits(outputs, wanted)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()


def batched(k: int, steps: int, dropout: float) -> None:
    """Train K heads in one buffer."""
    z, y = data()
    seeds = [model_seed(0, member) for member in range(k)]
    rows = [np.arange(CELLS)] * k
    train_batched(
        BatchedMLP(SIZES, seeds),
        z,
        y,
        rows,
        seeds,
        n_classes=2,
        steps=steps,
        batch=BATCH,
        dropout=dropout,
    )


def rate(run: Callable[[int], None], heads: int, steps: int) -> float:
    """Return head-steps per second, a few microseconds of set-up included."""
    start = time.perf_counter()
    run(steps)
    return steps * heads / (time.perf_counter() - start)


def main() -> None:
    """Print rates and ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=600)
    parser.add_argument("--heads", type=int, nargs="+", default=[1, 10, 50])
    options = parser.parse_args()
    torch.set_num_threads(1)
    for dropout in (0.0, 0.3):
        forms: dict[str, tuple[Callable[[int], None], int]] = {
            "torch Adam": (lambda n, p=dropout: plain(n, p, False), 1),
            "torch Adam, fused": (lambda n, p=dropout: plain(n, p, True), 1),
        }
        for k in options.heads:
            forms[f"batched, K = {k}"] = (lambda n, k=k, p=dropout: batched(k, n, p), k)
        best = dict.fromkeys(forms, 0.0)
        for _ in range(options.rounds):
            for name, (run, heads) in forms.items():
                steps = max(options.steps // max(heads // 5, 1), 50)
                best[name] = max(best[name], rate(run, heads, steps))
        base = best["torch Adam"], best["torch Adam, fused"]
        print(f"\ndropout {dropout}: head-steps/s, × torch Adam, × fused")
        for name, value in best.items():
            ratios = f"{value / base[0]:6.1f} {value / base[1]:6.1f}"
            print(f"{name:20s} {value:9,.0f} {ratios}")


if __name__ == "__main__":
    main()
