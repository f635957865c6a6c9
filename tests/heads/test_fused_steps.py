"""Compiled steps against the same steps in torch."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from napari_cellsci.errors import InputError
from napari_cellsci.heads.batched import BatchedMLP
from napari_cellsci.heads.engine import OFF, compiled_steps
from napari_cellsci.heads.training import HeadTraining

pytestmark = pytest.mark.skipif(compiled_steps() is None, reason="numba is missing")


def run(compiled: bool, steps: int = 12, **options: object) -> HeadTraining:
    rng = np.random.default_rng(0)
    outputs = int(options.pop("outputs", 1))
    density = float(options.pop("density", 1))
    y = rng.integers(0, max(outputs, 2), 80)
    z = torch.from_numpy(rng.normal(size=(80, 8, 7)).astype(np.float32))
    model = BatchedMLP((7, 9, 5, outputs), [0, 1, 2])
    if density < 1:
        generator = torch.Generator().manual_seed(0)
        model.mask = torch.ones_like(model.parameters)
        for mask in model.masks:
            mask.copy_(torch.rand(mask.shape, generator=generator) < density)
        model.parameters.mul_(model.mask)
    rows = [np.arange(80), np.arange(50), np.arange(5)]
    training = HeadTraining(
        model,
        z,
        y,
        rows,
        [0, 1, 2],
        n_classes=max(outputs, 2),
        steps=steps,
        compiled=compiled,
        **options,
    )
    training.advance()
    return training


@pytest.mark.parametrize("outputs", [1, 3])
@pytest.mark.parametrize("batch", [16, 64, 150])
@pytest.mark.parametrize("density", [1.0, 0.3])
def test_the_same_steps_as_torch(outputs: int, batch: int, density: float) -> None:
    options = {"outputs": outputs, "batch": batch, "density": density}
    options |= {"label_smoothing": 0.05, "learning_rate": 3e-3}
    ours, theirs = run(True, **options), run(False, **options)
    for name in ("first", "second"):
        gap = getattr(ours.optimiser, name) - getattr(theirs.optimiser, name)
        assert float(gap.abs().max()) < 1e-6
    gap = ours.model.parameters - theirs.model.parameters
    assert float(gap.abs().max()) < 1e-5
    assert ours.optimiser.steps == theirs.optimiser.steps == 12


@pytest.mark.parametrize("penalty", ["l1", "input_l1"])
def test_the_same_penalties(penalty: str) -> None:
    options = {penalty: np.array([0.0, 0.5, 10.0]), "steps": 60}
    ours, theirs = run(True, **options), run(False, **options)
    zero = [t.model.weights[0] == 0 for t in (ours, theirs)]
    assert torch.equal(*zero)
    assert not zero[0][0].any()
    assert zero[0][2].any()
    gap = ours.model.parameters - theirs.model.parameters
    assert float(gap.abs().max()) < 1e-4


def test_extreme_scores_stay_finite() -> None:
    training = run(True, learning_rate=5.0, steps=80)
    assert torch.isfinite(training.model.parameters).all()


def test_threads_change_nothing() -> None:
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        one = run(True, steps=40)
        torch.set_num_threads(2)
        two = run(True, steps=40)
    finally:
        torch.set_num_threads(before)
    assert torch.equal(one.model.parameters, two.model.parameters)


def test_what_cannot_be_compiled_is_told_or_done_in_torch(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with pytest.raises(InputError, match="no dropout"):
        run(True, dropout=0.3)
    compiled_steps.cache_clear()
    monkeypatch.setenv(OFF, "1")
    try:
        assert compiled_steps() is None
        with pytest.raises(InputError, match="numba"):
            run(True)
    finally:
        monkeypatch.undo()
        compiled_steps.cache_clear()
