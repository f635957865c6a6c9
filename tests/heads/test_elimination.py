"""Elimination: the schedule is met, what matters stays, and trials decide."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_cellsci.errors import InputError
from napari_cellsci.heads.batched import BatchedAdam, BatchedMLP
from napari_cellsci.heads.elimination import EliminationRule, Schedule
from napari_cellsci.heads.sizes import active_weights, used_inputs
from napari_cellsci.heads.training import NEVER, HeadTraining


def schedule(first: list[int], last: list[int] | None = None, **steps: int) -> Schedule:
    times = {"warmup": 20, "end": 120, "every": 10, "pace": 5, **steps}
    return Schedule(first=np.array(first), last=np.array(last or first), **times)


def training(
    plan: Schedule, steps: int = 200, hidden: int = 8, **options: object
) -> HeadTraining:
    """Return heads of which two of six inputs decide the class."""
    rng = np.random.default_rng(0)
    z = rng.normal(size=(300, 1, 6)).astype(np.float32)
    y = (z[:, 0, 0] - z[:, 0, 3] > 0).astype(np.int64)
    k = len(plan.first)
    model = BatchedMLP((6, hidden, 1), range(k))
    rows = [np.arange(300)] * k
    rule = EliminationRule(
        model,
        plan,
        torch.from_numpy(z[:, 0]),
        torch.from_numpy(y[:, None].astype(np.float32)),
        rows,
        **options,
    )
    return HeadTraining(
        model,
        torch.from_numpy(z),
        y,
        rows,
        list(range(k)),
        n_classes=2,
        steps=steps,
        learning_rate=1e-2,
        rule=rule,
    )


def test_weights_fall_to_the_first_target_and_then_one_by_one() -> None:
    run = training(schedule([20, 12], [14, 12]))
    counts = []
    for step in range(20, 200):
        run.advance(step + 1)
        counts.append(active_weights(run.model.masks))
    assert counts[0].tolist() == [56, 56]
    both = np.stack(counts)
    assert (np.diff(both, axis=0) <= 0).all()
    assert (both[100] <= [20, 12]).all()
    assert (both[130] <= [14, 12]).all()
    assert (both[-1] >= [10, 8]).all()


@given(
    first=st.lists(st.integers(6, 60), min_size=1, max_size=3),
    fewer=st.integers(0, 5),
    hidden=st.integers(3, 12),
)
@settings(deadline=None, max_examples=15)
def test_never_more_than_the_schedule_says(
    first: list[int], fewer: int, hidden: int
) -> None:
    plan = schedule(first, [n - fewer for n in first])
    run = training(plan, steps=170, hidden=hidden)
    start = torch.from_numpy(active_weights(run.model.masks))
    for step in plan.steps.tolist():
        run.advance(step + 1)
        left = active_weights(run.model.masks)
        assert (left <= plan.target(step, start).numpy()).all()
        assert not run.model.parameters[run.model.mask == 0].any()
        assert not run.optimiser.second[run.model.mask == 0].any()


def test_inputs_that_say_nothing_leave() -> None:
    run = training(schedule([8] * 5, end=600), steps=1200)
    run.advance()
    used = used_inputs(run.model.masks)
    assert used[:, [0, 3]].all()
    assert used.sum() <= 12


def test_the_watch_sees_heads_before_they_shrink_and_history_is_kept() -> None:
    seen: list[tuple[int, int]] = []

    def watch(step: int, model: BatchedMLP) -> None:
        seen.append((step, int(active_weights(model.masks)[0])))

    rng = np.random.default_rng(1)
    probe = torch.from_numpy(rng.normal(size=(9, 6)).astype(np.float32))
    run = training(
        schedule([10, 10]), watch=watch, recorded=1, probe=(probe, np.zeros(9, int))
    )
    run.advance()
    assert seen[0] == (20, 56)
    assert seen[-1][0] == 120
    history = run.rule.history
    assert history.n_models == 1
    film = history.film(0)
    assert film.masks[0].all()
    final = run.model.mask[0, run.model.weight_positions].numpy() != 0
    assert np.array_equal(film.masks[-1], final)
    assert np.isfinite(film.accuracy[1:]).all()


def test_on_trial_the_true_rise_in_loss_decides() -> None:
    model = BatchedMLP((3, 1), [0])
    model.parameters.copy_(torch.tensor([[2.0, 1.0, 0.5, 0.0]]))
    z = torch.zeros(40, 3)
    z[:, 1] = torch.linspace(-2, 2, 40)  # only the second input ever varies
    wanted = (z[:, 1:2] > 0).float()
    plan = schedule([1], warmup=0, end=0)
    rule = EliminationRule(model, plan, z, wanted, [np.arange(40)])
    optimiser = BatchedAdam(model)
    optimiser.second.copy_(torch.tensor([[9.0, 1e-9, 4.0, 0.0]]))
    rule.change(0, model, optimiser)
    assert model.masks[0][0, 0].tolist() == [0, 1, 0]


def test_resumed_equals_uninterrupted() -> None:
    whole, first, second = (training(schedule([12, 9])) for _ in range(3))
    whole.advance()
    first.advance(77)
    second.load_state_dict(first.state_dict())
    second.advance()
    assert torch.equal(second.model.parameters, whole.model.parameters)
    assert np.array_equal(
        second.rule.history.film(1).masks, whole.rule.history.film(1).masks
    )


def test_the_schedule_ends() -> None:
    rule = training(schedule([10], [8])).rule
    assert [rule.next_change(s) for s in (0, 21, 112, 121, 126, 131)] == [
        20,
        30,
        120,
        125,
        130,
        NEVER,
    ]


def test_what_is_no_number_is_told() -> None:
    run = training(schedule([10]))
    run.model.parameters[0, 0] = math.nan
    with pytest.raises(InputError, match="not finite"):
        run.rule.change(30, run.model, run.optimiser)


def test_targets_out_of_range_are_told() -> None:
    with pytest.raises(InputError, match="at least one weight"):
        schedule([0])
    with pytest.raises(InputError, match="not more in the end"):
        schedule([5], [6])
