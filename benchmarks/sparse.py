"""Head-steps per second of sparse heads against separate torch networks with masks.

    python benchmarks/sparse.py [--threads 2] [--whole] [--cpu]

The baseline is what a textbook would write for one head: nn.Sequential,
torch.optim.Adam (also its fused form), gradients and weights multiplied by masks, the
batches drawn in one call. K heads cost it K times one. All forms take turns for several
rounds; a rate is the median of the rounds, and ratios are those of one run. A head-step
is one gradient step of one head (32-16-16-16-1) at batch 64.

With --cpu, processor time is measured instead of the wall's: on a machine that does
other work too, that is the fairer ratio, and one thread is then the figure to read.

Then whole pieces of work: ten heads of scheme 3 for 100 epochs, and the search of 200
settings × 5 runs × 40 epochs on 7,219 cells, of which one batch of ten trials is
measured, or with --whole everything.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from functools import cache
from itertools import pairwise

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from napari_cellsci.heads.batched import BatchedMLP
from napari_cellsci.heads.engine import compiled_steps
from napari_cellsci.heads.labelled import LabelledLatents
from napari_cellsci.heads.rigl import RiglConfig, RiglRule, erdos_renyi_budgets
from napari_cellsci.heads.search import SearchConfig, search_sparse
from napari_cellsci.heads.training import HeadTraining, model_seed
from napari_cellsci.heads.trials import TrialBench

CELLS, VIEWS, LATENT, BATCH = 7219, 8, 32, 64
SIZES = (LATENT, 16, 16, 16, 1)
WEIGHTS = sum(a * b for a, b in pairwise(SIZES))
STEPS_PER_EPOCH = -(-CELLS // BATCH)
# A step multiplies every weight with the batch forward, for its own gradient, and,
# but for the first layer, for the gradient of the layer below; two flops each time.
FLOPS = 2 * BATCH * (2 * WEIGHTS + WEIGHTS - SIZES[0] * SIZES[1])


clock = time.perf_counter


@cache
def data(cells: int = CELLS) -> tuple[torch.Tensor, np.ndarray]:
    """Return latents (n, 8, 32) and two classes that overlap."""
    rng = np.random.default_rng(0)
    z = rng.normal(size=(cells, VIEWS, LATENT)).astype(np.float32)
    y = (z[:, :, :4].mean((1, 2)) + 0.2 * rng.normal(size=cells) > 0).astype(np.int64)
    return torch.from_numpy(z), y


def plain(steps: int, fused: bool) -> None:
    """Train one masked head with torch's own parts."""
    z, y = data()
    table, target = z.reshape(-1, LATENT), torch.from_numpy(y).float()
    layers: list[nn.Module] = []
    for n_in, n_out in pairwise(SIZES[:-1]):
        layers += [nn.Linear(n_in, n_out), nn.Mish()]
    network = nn.Sequential(*layers, nn.Linear(SIZES[-2], 1))
    masks = [torch.ones_like(p) for p in network.parameters()]
    for mask in masks[::2]:
        mask.bernoulli_(0.05)
    optimiser = torch.optim.Adam(network.parameters(), 1e-3, fused=fused)
    cell = torch.randint(CELLS, (steps, BATCH))
    index = cell * VIEWS + torch.randint(VIEWS, (steps, BATCH))
    for step in range(steps):
        outputs = network(table.index_select(0, index[step])).squeeze(1)
        wanted = target.index_select(0, cell[step])
        loss = F.binary_cross_entropy_with_logits(outputs, wanted)
        optimiser.zero_grad()
        loss.backward()
        for parameter, mask in zip(network.parameters(), masks, strict=True):
            parameter.grad.mul_(mask)
        optimiser.step()
        with torch.no_grad():
            for parameter, mask in zip(network.parameters(), masks, strict=True):
                parameter.mul_(mask)


def training(
    k: int, steps: int, *, compiled: bool, sparse: bool, shared: bool = False
) -> HeadTraining:
    """Return K heads ready to train, dense or with the paper's budgets."""
    z, y = data()
    seeds = [0 if shared else model_seed(0, member) for member in range(k)]
    model = BatchedMLP(SIZES, seeds)
    if sparse:
        rng = np.random.default_rng(0)
        model.mask = torch.ones_like(model.parameters)
        budgets = erdos_renyi_budgets(SIZES, 0.049 * WEIGHTS)
        for mask, budget in zip(model.masks, budgets, strict=True):
            for own in mask.flatten(1):
                own.zero_()[rng.choice(own.numel(), budget, replace=False)] = 1
        model.parameters.mul_(model.mask)
    rows = np.arange(CELLS)
    return HeadTraining(
        model,
        z,
        y,
        [rows] * k,
        seeds,
        n_classes=2,
        steps=steps,
        batch=BATCH,
        compiled=compiled,
    )


def rate_of(run: Callable[[int], None], heads: int, steps: int) -> float:
    """Return head-steps per second."""
    start = clock()
    run(steps)
    return steps * heads / (clock() - start)


def batched_form(
    k: int, compiled: bool, sparse: bool, shared: bool = False
) -> Callable[[int], None]:
    """Return a function that trains K heads for some steps, set-up not counted."""
    held = training(k, 10**7, compiled=compiled, sparse=sparse, shared=shared)

    def run(steps: int) -> None:
        held.advance(held.step + steps)

    return run


def rates(rounds: int, budget: int) -> tuple[float, dict[str, float]]:
    """Print head-steps per second and ratios to the baseline."""
    forms: dict[str, tuple[Callable[[int], None], int]] = {
        "torch Adam, masks": (lambda n: plain(n, False), 1),
        "torch fused Adam, masks": (lambda n: plain(n, True), 1),
    }
    kinds = [("torch", False)]
    if compiled_steps() is not None:
        kinds.append(("compiled", True))
    for label, compiled in kinds:
        for k in (1, 10, 50):
            for sparse in (False, True):
                name = f"{label}, K = {k}, {'51 weights' if sparse else 'dense'}"
                forms[name] = (batched_form(k, compiled, sparse), k)
        name = f"{label}, K = 50, 51 weights, one order"
        forms[name] = (batched_form(50, compiled, True, shared=True), 50)
    found: dict[str, list[float]] = {name: [] for name in forms}
    for run, _ in forms.values():
        run(10)  # compiled and drawn once
    for _ in range(rounds):
        for name, (run, heads) in forms.items():
            steps = max(budget // max(heads // 2, 1), 60)
            found[name].append(rate_of(run, heads, steps))
    median = {name: statistics.median(values) for name, values in found.items()}
    base = median["torch Adam, masks"], median["torch fused Adam, masks"]
    print(f"{'head-steps/s':38s} {'rate':>9s} {'× Adam':>7s} {'× fused':>8s}")
    for name, value in median.items():
        print(f"{name:38s} {value:9,.0f} {value / base[0]:7.1f} {value / base[1]:8.1f}")
    return base[0], median


def roofline(median: dict[str, float], threads: int) -> None:
    """Say how far dense steps are from what this processor multiplies at best."""
    a, b = torch.randn(512, 512), torch.randn(512, 512)
    best = 0.0
    for _ in range(40):
        start = clock()
        torch.mm(a, b)
        best = max(best, 2 * 512**3 / (clock() - start))
    name = "compiled, K = 50, dense"
    if name in median:
        share = median[name] * FLOPS / best
        print(
            f"large matrix products reach {best / 1e9:.0f} GFLOP/s on {threads} "
            f"thread(s); dense compiled steps {share:.0%} of that"
        )


def ten_heads() -> float:
    """Train ten heads of scheme 3 for 100 epochs by RigL; return seconds."""
    z, y = data()
    seeds = [model_seed(0, member) for member in range(10)]
    model = BatchedMLP(SIZES, seeds)
    steps = 100 * STEPS_PER_EPOCH
    warmup = 20 * STEPS_PER_EPOCH
    config = RiglConfig(
        sparsity=np.full(10, 0.951),
        interval=np.full(10, 115),
        alpha=np.full(10, 0.758),
        warmup=warmup,
        end=round(0.75 * (steps - warmup)),
    )
    rule = RiglRule(model, config)
    rows = [np.arange(CELLS)] * 10
    run = HeadTraining(model, z, y, rows, seeds, n_classes=2, steps=steps, rule=rule)
    start = clock()
    run.advance()
    return clock() - start


def search(whole: bool, base: float) -> None:
    """Time the search, or one batch of it, and compare with separate networks."""
    z, y = data(round(CELLS / 0.9))
    groups = np.arange(len(y))
    nominal = 200 * 5 * 40 * STEPS_PER_EPOCH
    config = SearchConfig(steps=40 * STEPS_PER_EPOCH, folds=1)
    start = clock()
    if whole:
        search_sparse(z.numpy(), y, groups, config)
        seconds = clock() - start
        print(f"the search of 200 × 5 × 40 epochs: {seconds:.0f} s", end="")
    else:
        known = LabelledLatents.check(z.numpy(), y, groups, 2, folds=1)
        bench = TrialBench(known, config)
        settings = [
            {"sparsity": 0.95 + 0.002 * t, "interval": 100 + 10 * t, "alpha": 0.8}
            for t in range(10)
        ]
        bench.run(settings)
        first = clock() - start
        start = clock()
        bench.run(settings)
        again = clock() - start
        seconds = first + 19 * again
        print(
            f"ten trials of five runs: {first:.2f} s with the warm-up, {again:.2f} s "
            f"after it; 200 trials: {seconds:.0f} s",
            end="",
        )
    ratio = nominal / seconds / base
    print(
        f" = {nominal / seconds:,.0f} head-steps/s as the paper counts them, "
        f"{ratio:.0f} × separate networks ({nominal / base / 60:.0f} min)"
    )


def main() -> None:
    """Print rates, ratios and whole pieces of work."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--budget", type=int, default=1000)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--whole", action="store_true", help="the whole search")
    parser.add_argument("--cpu", action="store_true", help="processor time")
    options = parser.parse_args()
    if options.cpu:
        global clock
        clock = time.process_time
    torch.set_num_threads(1)
    print("one thread")
    base, median = rates(options.rounds, options.budget)
    roofline(median, 1)
    for threads in sorted({1, options.threads}):
        torch.set_num_threads(threads)
        seconds = statistics.median(ten_heads() for _ in range(3))
        steps = 10 * 100 * STEPS_PER_EPOCH
        print(
            f"\n{threads} thread(s)\nten heads of scheme 3, 100 epochs: {seconds:.2f} s"
            f" = {steps / seconds / base:.0f} × separate networks"
        )
        search(options.whole, base)


if __name__ == "__main__":
    main()
