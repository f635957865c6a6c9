"""The record of masks: exact, small, and checked when it is read."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_cellsci.errors import BundleError
from napari_cellsci.heads.history import MaskHistory


@given(
    seed=st.integers(0, 10_000), models=st.integers(1, 4), weights=st.integers(1, 40)
)
@settings(deadline=None, max_examples=40)
def test_every_mask_comes_back(seed: int, models: int, weights: int) -> None:
    rng = np.random.default_rng(seed)
    initial = rng.random((models, weights)) < 0.9
    history = MaskHistory(initial)
    films = [[(0, mask)] for mask in initial]
    for step in range(1, 8):
        chosen = np.flatnonzero(rng.random(models) < 0.6)
        masks = rng.random((len(chosen), weights)) < 0.3
        history.record(step, chosen, masks, rng.random(len(chosen)))
        for model, mask in zip(chosen, masks, strict=True):
            films[model].append((step, mask))
    state = {name: value.clone() for name, value in history.state_dict().items()}
    for kept in (history, MaskHistory.from_state(state, weights)):
        for model, expected in enumerate(films):
            film = kept.film(model)
            assert film.steps.tolist() == [step for step, _ in expected]
            assert np.array_equal(film.masks, [mask for _, mask in expected])
            assert np.isnan(film.accuracy[0])
            assert np.isfinite(film.accuracy[1:]).all()
    order = list(rng.permutation(models))
    part = history.select(order)
    for new, old in enumerate(order):
        assert np.array_equal(part.film(new).masks, history.film(old).masks)
        assert np.array_equal(part.film(new).steps, history.film(old).steps)


def test_sixty_updates_take_a_few_kilobytes() -> None:
    rng = np.random.default_rng(0)
    history = MaskHistory(np.ones((1, 1040), bool))
    mask = np.zeros(1040, bool)
    mask[:51] = True
    for step in range(60):
        rng.shuffle(mask[:200])
        history.record(step, np.array([0]), mask[None])
    size = sum(t.numel() * t.element_size() for t in history.state_dict().values())
    assert size < 30_000


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("offset", torch.tensor([0, 3], dtype=torch.int32)),
        ("toggled", torch.tensor([0, 9], dtype=torch.int32)),
        ("model", torch.tensor([2], dtype=torch.int32)),
        ("step", torch.tensor([1, 2], dtype=torch.int32)),
        ("initial", torch.zeros(2, 5, dtype=torch.uint8)),
        ("initial", None),
    ],
)
def test_damage_is_told(name: str, value: torch.Tensor | None) -> None:
    history = MaskHistory(np.ones((2, 9), bool))
    history.record(4, np.array([1]), np.array([[False] * 2 + [True] * 7]))
    state = history.state_dict()
    MaskHistory.from_state(state, 9)
    if value is None:
        del state[name]
    else:
        state[name] = value
    with pytest.raises(BundleError, match="history of masks is damaged"):
        MaskHistory.from_state(state, 9)
