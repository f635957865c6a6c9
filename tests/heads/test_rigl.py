"""Modified RigL: budgets, schedule, what is kept and grown, and what is reset."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_cellsci.errors import InputError
from napari_cellsci.heads.batched import BatchedAdam, BatchedMLP
from napari_cellsci.heads.engine import compiled_steps
from napari_cellsci.heads.rigl import (
    RiglConfig,
    RiglRule,
    erdos_renyi_budgets,
    moving_share,
)
from napari_cellsci.heads.sizes import active_weights
from napari_cellsci.heads.training import NEVER, HeadTraining, model_seed

PAPER = (32, 16, 16, 16, 1)
COMPILED = [False] if compiled_steps() is None else [False, True]


def config(models: int = 1, **options: object) -> RiglConfig:
    given: dict[str, object] = {
        "sparsity": 0.951,
        "interval": 115,
        "alpha": 0.758,
        "warmup": 0,
        "end": 1000,
        **options,
    }
    for name, kind in (("sparsity", float), ("interval", int), ("alpha", float)):
        given[name] = np.broadcast_to(np.asarray(given[name], kind), models).copy()
    return RiglConfig(**given)


def data(n: int = 90, d: int = 6) -> tuple[torch.Tensor, np.ndarray]:
    rng = np.random.default_rng(3)
    z = rng.normal(size=(n, 8, d)).astype(np.float32)
    y = (z[:, :, 0].mean(1) + z[:, :, 1].mean(1) > 0).astype(np.int64)
    return torch.from_numpy(z), y


def training(
    seeds: list[int],
    rigl: RiglConfig,
    steps: int = 200,
    sizes: tuple[int, ...] = (6, 8, 8, 1),
    **options: object,
) -> HeadTraining:
    z, y = data()
    model = BatchedMLP(sizes, seeds)
    rule = RiglRule(model, rigl)
    rows = [np.arange(len(y))] * len(seeds)
    return HeadTraining(
        model, z, y, rows, seeds, n_classes=2, steps=steps, rule=rule, **options
    )


def test_published_budgets() -> None:
    n = sum(a * b for a, b in pairwise(PAPER))
    assert erdos_renyi_budgets(PAPER, (1 - 0.951) * n) == (19, 13, 12, 7)
    assert sum(erdos_renyi_budgets(PAPER, (1 - 0.95) * n)) == 52
    assert sum(erdos_renyi_budgets(PAPER, (1 - 0.96) * n)) == 42
    assert sum(erdos_renyi_budgets(PAPER, (1 - 0.97) * n)) == 31


@given(
    sizes=st.lists(st.integers(1, 40), min_size=2, max_size=5),
    share=st.floats(0.0, 1.0),
)
@settings(deadline=None, max_examples=200)
def test_budgets_fit_and_follow_erdos_renyi(sizes: list[int], share: float) -> None:
    places = [a * b for a, b in pairwise(sizes)]
    active = share * sum(places)
    try:
        budgets = erdos_renyi_budgets(sizes, active)
    except InputError as error:
        assert "choose a lower sparsity" in str(error)  # noqa: PT017
        return
    assert sum(budgets) == round(active)
    assert all(1 <= b <= n for b, n in zip(budgets, places, strict=True))
    raw = [(a + b) / (a * b) for a, b in pairwise(sizes)]
    free = [b < n for b, n in zip(budgets, places, strict=True)]
    scales = [
        b / (r * n) for b, r, n, f in zip(budgets, raw, places, free, strict=True) if f
    ]
    widths = [1.01 / (r * n) for r, n, f in zip(raw, places, free, strict=True) if f]
    for one, width in zip(scales, widths, strict=True):
        for other, gap in zip(scales, widths, strict=True):
            assert abs(one - other) <= width + gap


def test_the_share_that_moves_falls_as_a_cosine() -> None:
    assert moving_share(0, 600, 0.758) == pytest.approx(0.758)
    assert moving_share(300, 600, 0.758) == pytest.approx(0.379)
    assert moving_share(600, 600, 0.758) == pytest.approx(0, abs=1e-15)


@given(
    sparsity=st.lists(st.floats(0.3, 0.85), min_size=1, max_size=4),
    interval=st.integers(1, 40),
    alpha=st.floats(0, 1),
    hidden=st.lists(st.integers(3, 9), min_size=1, max_size=3),
    compiled=st.sampled_from(COMPILED),
)
@settings(deadline=None, max_examples=25)
def test_budgets_hold_at_every_step(
    sparsity: list[float],
    interval: int,
    alpha: float,
    hidden: list[int],
    compiled: bool,
) -> None:
    k, warmup, end = len(sparsity), 15, 60
    rigl = config(
        k, sparsity=sparsity, interval=interval, alpha=alpha, warmup=warmup, end=end
    )
    run = training(
        list(range(k)), rigl, steps=90, sizes=(6, *hidden, 1), compiled=compiled
    )
    model = run.model
    before = None
    for step in range(90):
        assert run.step == step
        run.advance(step + 1)
        layers = torch.stack([m.sum((1, 2)) for m in model.masks], 1).long()
        if step < warmup:
            assert (active_weights(model.masks) == model.n_weights).all()
            continue
        assert torch.equal(layers, run.rule.budgets)
        assert not model.parameters[model.mask == 0].any()
        assert not run.optimiser.first[model.mask == 0].any()
        if step >= warmup + end or (step - warmup) % interval:
            assert torch.equal(model.mask, before)
        before = model.mask.clone()


def changed_once(zero_regrow: bool = False) -> tuple[BatchedMLP, ...]:
    """Return a head before and after one update whose gradient is known."""
    model = BatchedMLP((4, 3, 1), [0])
    rule = RiglRule(
        model,
        config(sparsity=0.4, interval=10, alpha=0.5, end=100, zero_regrow=zero_regrow),
    )
    optimiser = BatchedAdam(model)
    generator = torch.Generator().manual_seed(0)
    model.gradient.copy_(torch.randn(model.gradient.shape, generator=generator))
    optimiser.first.fill_(1)
    optimiser.second.fill_(1)
    before = model.select([0])
    before.gradient.copy_(model.gradient)
    assert rule.due(0).tolist() == [True]
    rule.change(0, model, optimiser)
    return before, model, optimiser, rule


@pytest.mark.parametrize("zero_regrow", [False, True])
def test_what_is_kept_by_magnitude_and_grown_by_gradient(zero_regrow: bool) -> None:
    before, after, optimiser, rule = changed_once(zero_regrow)
    for layer, (weights, biases) in enumerate(before.slices):
        n = int(rule.budgets[0, layer])
        k = math.floor(0.5 * n)
        w, g = before.parameters[0, weights], before.gradient[0, weights].abs()
        keep = set(w.abs().argsort(descending=True)[: n - k].tolist())
        rest = [i for i in g.argsort(descending=True).tolist() if i not in keep]
        expected = keep | set(rest[:k])
        mask = after.mask[0, weights]
        assert set(mask.nonzero()[:, 0].tolist()) == expected
        for i in range(len(w)):
            stays = i in keep or (i in expected and not zero_regrow)
            value = float(w[i]) if stays else 0.0
            assert float(after.parameters[0, weights][i]) == value
            kept = 1.0 if i in keep else 0.0
            assert float(optimiser.first[0, weights][i]) == kept
            assert float(optimiser.second[0, weights][i]) == kept
        # Biases are never masked and keep their moments.
        assert after.mask[0, biases].all()
        assert optimiser.first[0, biases].all()


@pytest.mark.parametrize("compiled", COMPILED)
def test_an_update_takes_the_place_of_a_gradient_step(compiled: bool) -> None:
    rigl = config(2, sparsity=0.5, interval=[10, 7], warmup=20, end=50)
    run = training([0, 1], rigl, steps=60, compiled=compiled)
    run.advance(27)
    before = run.model.parameters.clone()
    run.advance(28)  # the second head is due, 7 steps after the warm-up
    _, second = (run.model.parameters - before).abs()
    active = run.model.mask[1] != 0
    fresh = before[1] == 0
    assert not second[active & ~fresh].any()
    biases = torch.ones(run.model.parameters.shape[1], dtype=torch.bool)
    biases[run.model.weight_positions] = False
    assert not second[biases].any()
    assert (run.model.parameters[0] != before[0])[biases].any()


@pytest.mark.parametrize("compiled", COMPILED)
def test_batched_equals_separate_runs(compiled: bool) -> None:
    seeds = [model_seed(0, k) for k in range(3)]
    settings_ = {
        "sparsity": [0.5, 0.7, 0.6],
        "interval": [10, 13, 7],
        "alpha": [0.3, 0.7, 0.5],
    }
    fixed = {"warmup": 40, "end": 90}
    l1 = np.array([0.0, 0.1, 0.3])
    rigl = config(3, **settings_, **fixed)
    together = training(seeds, rigl, l1=l1, input_l1=l1[::-1].copy(), compiled=compiled)
    together.advance()
    for k in range(3):
        own = {name: value[k] for name, value in settings_.items()}
        alone = training(
            [seeds[k]],
            config(1, **own, **fixed),
            l1=l1[k],
            input_l1=l1[::-1][k],
            compiled=compiled,
        )
        alone.advance()
        assert torch.equal(together.model.mask[k], alone.model.mask[0])
        gap = together.model.parameters[k] - alone.model.parameters[0]
        assert float(gap.abs().max()) <= (0 if compiled else 1e-6)
        theirs, own_film = together.rule.history.film(k), alone.rule.history.film(0)
        assert np.array_equal(theirs.steps, own_film.steps)
        assert np.array_equal(theirs.masks, own_film.masks)


@pytest.mark.parametrize("compiled", COMPILED)
@pytest.mark.parametrize("stop", [33, 64, 150])
def test_resumed_equals_uninterrupted(stop: int, compiled: bool) -> None:
    rigl = config(2, sparsity=0.6, interval=[10, 8], warmup=40, end=90)
    whole, first, second = (
        training([0, 1], rigl, l1=0.1, compiled=compiled) for _ in range(3)
    )
    whole.advance()
    first.advance(stop)
    second.load_state_dict(first.state_dict())
    second.advance()
    assert torch.equal(second.model.parameters, whole.model.parameters)
    assert torch.equal(second.model.mask, whole.model.mask)
    assert torch.equal(second.optimiser.second, whole.optimiser.second)
    for k in range(2):
        mine, theirs = second.rule.history.film(k), whole.rule.history.film(k)
        assert np.array_equal(mine.masks, theirs.masks)
        assert np.array_equal(mine.steps, theirs.steps)


def test_gradual_sparsity_ends_at_the_budget() -> None:
    rigl = config(1, sparsity=0.8, interval=10, warmup=20, end=100, gradual=True)
    run = training([0], rigl)
    counts = []
    for step in range(21, 131, 10):
        run.advance(step)
        counts.append(int(active_weights(run.model.masks)[0]))
    assert counts[0] == run.model.n_weights
    assert counts == sorted(counts, reverse=True)
    assert counts[-1] == int(run.rule.budgets.sum())
    assert len(set(counts)) > 5


def test_inputs_that_are_forbidden_stay_so() -> None:
    z, y = data()
    model = BatchedMLP((6, 8, 8, 1), [0, 1])
    model.mask = torch.ones_like(model.parameters)
    model.masks[0][:, :, 3:] = 0
    rule = RiglRule(model, config(2, sparsity=0.7, interval=5, end=100))
    run = HeadTraining(
        model, z, y, [np.arange(90)] * 2, [0, 1], n_classes=2, steps=150, rule=rule
    )
    run.advance()
    assert not model.masks[0][:, :, 3:].any()
    assert not model.weights[0][:, :, 3:].any()
    n = round(0.3 * (48 + 64 + 8))
    assert active_weights(model.masks).tolist() == [n, n]


def test_the_history_begins_dense_and_ends_with_the_mask() -> None:
    z, y = data()
    model = BatchedMLP((6, 8, 8, 1), [0, 1, 2])
    rule = RiglRule(
        model,
        config(3, sparsity=0.6, interval=[10, 20, 30], warmup=20, end=100),
        recorded=2,
        probe=(z[:, 0], y),
    )
    run = HeadTraining(
        model, z, y, [np.arange(90)] * 3, [0, 1, 2], n_classes=2, steps=150, rule=rule
    )
    run.advance()
    assert rule.history.n_models == 2
    for k, updates in enumerate((10, 5)):
        film = rule.history.film(k)
        assert film.masks[0].all()
        assert film.steps[1] == 20
        assert len(film.steps) == updates + 1
        final = model.mask[k, model.weight_positions].numpy() != 0
        assert np.array_equal(film.masks[-1], final)
        assert (film.accuracy[1:] > 0.3).all()


def test_a_gradient_that_is_no_number_is_told() -> None:
    model = BatchedMLP((4, 3, 1), [0])
    rule = RiglRule(model, config(sparsity=0.4, interval=10))
    model.gradient.fill_(math.nan)
    with pytest.raises(InputError, match="gradient is not finite"):
        rule.change(0, model, BatchedAdam(model))


@pytest.mark.parametrize("compiled", COMPILED)
def test_latents_that_are_no_numbers_are_told(compiled: bool) -> None:
    z, y = data()
    z[:, :, 2] = math.nan
    run = HeadTraining(
        BatchedMLP((6, 4, 1), [0]),
        z,
        y,
        [np.arange(90)],
        [0],
        n_classes=2,
        steps=20,
        compiled=compiled,
    )
    with pytest.raises(InputError, match="diverged"):
        run.advance()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"sparsity": 1.0}, "sparsity of 1 is impossible"),
        ({"sparsity": -0.1}, "sparsity of -0.1 is impossible"),
        ({"sparsity": math.nan}, "sparsity of nan is impossible"),
        ({"alpha": 1.5}, "0 to 1"),
        ({"interval": 0}, "at least one step"),
    ],
)
def test_settings_out_of_range_are_told(options: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        config(**options)


def test_a_budget_of_zero_is_told() -> None:
    with pytest.raises(InputError, match="choose a lower sparsity"):
        RiglRule(BatchedMLP(PAPER, [0]), config(sparsity=0.999))
    with pytest.raises(InputError, match="do not fit"):
        erdos_renyi_budgets((2, 2, 1), 7)


def test_nothing_moves_after_the_end() -> None:
    model = BatchedMLP((6, 8, 8, 1), [0])
    rule = RiglRule(model, config(sparsity=0.6, interval=7, warmup=10, end=30))
    assert [rule.next_change(s) for s in (0, 10, 11, 38, 39)] == [10, 10, 17, 38, NEVER]
