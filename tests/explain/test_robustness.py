"""What attacks say of models whose truth is known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from napari_cellsci.explain.attacks.gradient import gradient
from napari_cellsci.explain.attacks.target import Target
from napari_cellsci.explain.noise import noise_of
from napari_cellsci.explain.robustness import (
    Curve,
    accuracy_curve,
    energy_share,
    half_life,
    over_views,
)
from napari_cellsci.explain.transplant import cell_regions, transplanted
from napari_cellsci.explain.verdict import Findings, changed_share, judge

SIZE = 32


def weighing(weights: Tensor) -> Target:
    """Return a model that adds up pixels by weights (S, S)."""

    def read(x: Tensor) -> Tensor:
        return (x * weights).sum((1, 2, 3))[:, None]

    return Target(read, "crops", None)


def scene(n: int = 12) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return crops, own objects, others: bright or dim cells, some with neighbours."""
    y, x = np.mgrid[:SIZE, :SIZE] - SIZE / 2
    own = np.broadcast_to(y**2 + x**2 < 25, (n, SIZE, SIZE)).copy()
    others = np.zeros_like(own)
    others[::2, 2:9, 2:9] = True
    crops = np.full((n, 1, SIZE, SIZE), 100.0, np.float32)
    crops[:, 0][own] = 300
    crops[:, 0][others] = 200
    crops += np.arange(n, dtype=np.float32)[:, None, None, None]
    return crops, own, others


def test_energy_lies_where_a_model_looks() -> None:
    weights = torch.zeros(SIZE, SIZE)
    weights[12:20, 12:20] = 1
    region = np.zeros((3, SIZE, SIZE), bool)
    region[:, 12:20, 12:20] = True
    x = torch.randn(3, 1, SIZE, SIZE, generator=torch.Generator().manual_seed(0))
    reference = torch.zeros(3, dtype=torch.long)
    for model, expected in ((weighing(weights), 1.0), (weighing(1 - weights), 0.0)):
        found = gradient(model, x, reference, "image")
        share, area = energy_share(found.values, region)
        np.testing.assert_allclose(share, expected)
        np.testing.assert_allclose(area, 64 / SIZE**2)
    still = gradient(weighing(weights * 0), x, reference, "image")
    assert still.dead.all()
    assert np.isnan(energy_share(still.values, region)[0]).all()


def test_a_symmetric_model_is_the_same_from_all_sides() -> None:
    x = torch.randn(20, 1, SIZE, SIZE, generator=torch.Generator().manual_seed(0))
    even = over_views(weighing(torch.ones(SIZE, SIZE)), x)
    assert even.same == 1
    assert even.wobble < 1e-3
    slope = torch.linspace(-1, 1, SIZE).expand(SIZE, SIZE)
    lopsided = over_views(weighing(slope), x)
    assert lopsided.same < 0.2
    assert lopsided.wobble > 0.5


def test_curves_count_who_is_still_right() -> None:
    weights = torch.ones(SIZE, SIZE) / SIZE**2
    level = torch.linspace(-1, 1, 41)[:, None, None, None]
    x = level.expand(41, 1, SIZE, SIZE).clone()
    y = (level[:, 0, 0, 0] >= 0).long().numpy()
    curve = accuracy_curve([weighing(weights)] * 2, x, y, [0, 0.26, 0.5, 2], "image")
    # A cell at level v is right as long as |v| is larger than ε.
    exact = [np.mean(np.abs(level.numpy().ravel()) > e - 1e-6) for e in (0.26, 0.5)]
    np.testing.assert_allclose(curve.mean[1:3], exact, atol=0.05)
    assert curve.mean[0] == 1
    assert curve.mean[-1] == 0
    assert (curve.sd == 0).all()
    assert curve.at(0.13)[0] == pytest.approx((1 + curve.mean[1]) / 2)
    assert 0.26 < half_life(curve) <= 0.55
    flat = Curve((0.0, 1.0), np.array([[0.9, 0.8]]), 10)
    assert np.isnan(half_life(flat))


def test_a_transplanted_cell_keeps_itself_and_gets_another_s_neighbours() -> None:
    crops, own, others = scene()
    made, done = transplanted(crops, own, others, seed=1)
    assert done.any()
    for before, after, mine in zip(crops, made, own, strict=True):
        np.testing.assert_array_equal(before[0][mine], after[0][mine])
    corner = made[:, 0, 3:8, 3:8].mean((1, 2)) > 150
    had = others.any((1, 2))
    assert (corner != had).any()
    # Models that look at the cell do not mind; those that look around it do.
    inside = torch.from_numpy(own[0].astype(np.float32))
    around = torch.zeros(SIZE, SIZE)
    around[:10, :10] = 1
    for weights, minds in ((inside, False), (around, True)):
        f = [
            weighing(weights).read(torch.from_numpy(c))[:, 0].numpy()
            for c in (crops, made)
        ]
        assert (np.abs(f[1] - f[0]).max() > 100) == minds
    again, _ = transplanted(crops, own, others, seed=1)
    np.testing.assert_array_equal(made, again)


def test_the_region_of_a_cell_is_its_object_or_a_disc() -> None:
    _, own, _ = scene(3)
    own[1] = False
    regions = cell_regions(own, 3, SIZE)
    assert (regions[0] >= own[0]).all()
    assert own[0].sum() < regions[0].sum() < 3 * own[0].sum()
    np.testing.assert_array_equal(regions[1], cell_regions(None, 1, SIZE)[0])


@pytest.fixture
def good() -> Findings:
    return Findings(
        accuracy=0.98,
        swapped={"interphase": (2, 100), "metaphase": (3, 60)},
        swap_shift=0.2,
        around_latents=0.97,
        own_latents=0.4,
        outside=0.8,
        inside=0.5,
        probe=0.2,
        energy=0.7,
        area=0.2,
        noise=0.05,
        at_noise=0.96,
        half=0.4,
        same=0.99,
        wobble=0.05,
        blank_class="interphase",
        blank_score=-2.0,
        blank_flagged=True,
    )


def test_verdicts_follow_the_numbers(good: Findings) -> None:
    verdict = judge(good)
    assert verdict.shortcut == "no"
    assert "own shape and size" in verdict.sentence
    assert "4% of its decisions" in verdict.sentence
    assert [check.standing for check in verdict.checks] == ["pass"] * 4
    swapped = {"interphase": (11, 100), "metaphase": (15, 60)}
    assert changed_share(swapped) == pytest.approx((0.11 + 0.25) / 2)
    bad = judge(replace(good, swapped=swapped, around_latents=0.6))
    assert bad.shortcut == "yes"
    assert "takes a shortcut" in bad.sentence
    assert "from 98% to 60%" in bad.sentence
    # Without objects the attack on latents can only warn.
    warned = judge(replace(good, swapped=None, around_latents=0.6))
    assert warned.shortcut == "partly"
    told = judge(replace(good, swapped=None, around_latents=None))
    assert told.shortcut == "unknown"
    assert "are not told apart" in told.sentence
    few = judge(replace(good, swapped={"interphase": (2, 9), "metaphase": (0, 8)}))
    assert few.shortcut == "no"
    assert "too few to tell" in few.sentence
    assert "Nothing speaks for a shortcut" in few.sentence
    shaky = judge(replace(good, at_noise=0.6, same=0.7, blank_flagged=False))
    assert [c.standing for c in shaky.checks] == ["pass", "fail", "fail", "fail"]
    blind = judge(replace(good, noise=None, at_noise=None, half=float("nan")))
    assert blind.checks[1].standing == "unknown"
    assert "no change up to" in blind.checks[1].sentence


def test_noise_is_read_per_channel() -> None:
    rng = np.random.default_rng(0)
    frame = np.stack([rng.normal(0, s, (64, 64)) for s in (1.0, 5.0)])
    np.testing.assert_allclose(noise_of(frame), (1, 5), rtol=0.1)
