"""Ordinary cells are rarely called strange, strange ones are."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from napari_cellsci.errors import BundleError, InputError
from napari_cellsci.explain.ood import OOD_THRESHOLD, OodReference
from napari_cellsci.explain.typical import (
    Tail,
    product_of_uniforms,
    robust_moments,
    two_sided,
)

D = 8


def cells(n: int, seed: int, rare: float = 0.2) -> tuple[np.ndarray, ...]:
    """Return latents, errors and classes; the rare class is narrow in two latents."""
    rng = np.random.default_rng(seed)
    y = (rng.random(n) < rare).astype(np.int64)
    z = rng.normal(size=(n, D))
    z[:, :2] = np.where(y[:, None] == 1, [2.5, -2] + 0.3 * z[:, :2], z[:, :2])
    return z, np.exp(rng.normal(size=n) * 0.3), y


@pytest.fixture(scope="module")
def reference() -> OodReference:
    z, error, y = cells(300, 0)
    return OodReference.fit(z, error, y)


def test_few_ordinary_cells_are_called_strange(reference: OodReference) -> None:
    z, error, y = cells(4000, 1)
    strange = reference.score(z, error) > OOD_THRESHOLD
    assert strange.mean() < 0.08
    assert strange[y == 1].mean() < 0.12


def test_with_few_labels_too() -> None:
    shares = []
    for seed in range(10):
        z, error, y = cells(80, 10 + seed)
        few = OodReference.fit(z, error, y, np.arange(80) // 2)
        new, new_error, _ = cells(1000, 50 + seed)
        shares.append(np.mean(few.score(new, new_error) > OOD_THRESHOLD))
    assert np.mean(shares) < 0.08


def test_far_cells_are_strange_in_every_direction(reference: OodReference) -> None:
    for direction in np.concatenate([np.eye(D), -np.eye(D)]):
        score = reference.score(60 * direction[None], np.ones(1))
        assert score[0] > 0.99


def test_a_class_in_between_or_beyond_is_strange(reference: OodReference) -> None:
    rng = np.random.default_rng(2)
    z = rng.normal(size=(500, D))
    beyond = z.copy()
    beyond[:, :2] = [4.5, -3.6] + 0.3 * z[:, :2]
    score = reference.score(beyond, np.ones(500))
    assert np.mean(score > OOD_THRESHOLD) > 0.8


def test_what_the_encoder_cannot_draw_is_strange(reference: OodReference) -> None:
    z, _, _ = cells(50, 3)
    assert np.all(reference.score(z, np.full(50, 30.0)) > 0.99)


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 10_000))
def test_the_score_rises_on_the_way_out(reference: OodReference, seed: int) -> None:
    rng = np.random.default_rng(seed)
    direction = rng.normal(size=D)
    steps = np.linspace(8, 60, 20)[:, None] * direction / np.linalg.norm(direction)
    score = reference.score(steps, np.ones(20))
    # The class it is measured from may change on the way.
    assert np.all(np.diff(score) > -5e-3)
    worse = reference.score(np.zeros((20, D)), np.linspace(1, 20, 20))
    assert np.all(np.diff(worse) >= 0)


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 10_000), st.floats(0.1, 100))
def test_scores_lie_between_0_and_1(
    reference: OodReference, seed: int, scale: float
) -> None:
    rng = np.random.default_rng(seed)
    score = reference.score(rng.normal(size=(20, D)) * scale, rng.exponential(size=20))
    assert score.dtype == np.float32
    assert score.min() >= 0
    assert score.max() <= 1


def test_values_that_are_not_finite_are_far_outside(reference: OodReference) -> None:
    z = np.zeros((3, D))
    z[1, 2] = np.nan
    assert list(reference.score(z, np.array([1, 1, np.inf]))[1:]) == [1, 1]


def test_without_labels_or_errors() -> None:
    z, error, _ = cells(6000, 4, rare=0)
    plain = OodReference.fit(z)
    new, _, _ = cells(2000, 5, rare=0)
    assert np.mean(plain.score(new) > OOD_THRESHOLD) == pytest.approx(0.05, abs=0.02)
    assert plain.score(np.full((1, D), 20.0))[0] > 0.99
    both = OodReference.fit(z, error)
    assert np.mean(both.score(z, error) > OOD_THRESHOLD) < 0.08


def test_views_and_background_are_taken() -> None:
    rng = np.random.default_rng(6)
    z, error, y = cells(60, 6)
    views = z[:, None] + 0.05 * rng.normal(size=(60, 8, D))
    background, _, _ = cells(500, 7)
    fitted = OodReference.fit(views, error, y, background=background)
    assert np.array_equal(fitted.score(views, error), fitted.score(views[:, 0], error))


def test_a_latent_that_never_moves_does_no_harm() -> None:
    z, error, y = cells(100, 8)
    z[:, 5] = 0
    fitted = OodReference.fit(z, error, y)
    new, new_error, _ = cells(300, 9)
    new[:, 5] = 0
    assert np.mean(fitted.score(new, new_error) > OOD_THRESHOLD) < 0.12


def test_a_reference_survives_being_written_and_read(reference: OodReference) -> None:
    meta = json.loads(json.dumps(reference.meta()))
    again = OodReference.from_arrays(meta, reference.arrays())
    z, error, _ = cells(200, 10)
    assert np.allclose(again.score(z, error), reference.score(z, error), atol=1e-3)


def test_damaged_references_are_refused(reference: OodReference) -> None:
    arrays = reference.arrays()
    with pytest.raises(BundleError, match="cannot be read"):
        OodReference.from_arrays(reference.meta(), {})
    with pytest.raises(BundleError, match="cannot be read"):
        OodReference.from_arrays({"cells": 3}, arrays)
    arrays["1.axes"] = arrays["1.axes"][:-1]
    with pytest.raises(BundleError, match="class 1 do not fit"):
        OodReference.from_arrays(reference.meta(), arrays)


def test_too_little_is_refused() -> None:
    z, _, y = cells(20, 11)
    with pytest.raises(InputError, match="At least two cells"):
        OodReference.fit(z[:1])
    with pytest.raises(InputError, match="finite latents"):
        OodReference.fit(np.full((4, D), np.nan))
    with pytest.raises(InputError, match="one track"):
        OodReference.fit(z, None, y, y)


def test_the_tail_is_that_of_the_distribution() -> None:
    rng = np.random.default_rng(12)
    tail = Tail.fit(np.exp(rng.normal(size=20_000)))
    at = np.array([0.2, 1.0, 3.0, 7.0])
    expected = stats.norm.sf(np.log(at))
    assert np.allclose(tail.survival(at), expected, atol=0.01)
    assert len(tail.values) <= 512
    assert tail.survival(np.empty(0)).shape == (0,)


def test_one_strange_value_hardly_widens_the_spread() -> None:
    values = np.random.default_rng(13).normal(size=20)
    spoilt = np.append(values, 40.0)
    assert robust_moments(spoilt)[1] < 1.5 * robust_moments(values)[1]
    many = np.random.default_rng(14).normal(size=100_000)
    assert robust_moments(many) == pytest.approx((0, 1), abs=0.01)


def test_combinations_of_shares() -> None:
    rng = np.random.default_rng(15)
    p, q = rng.random((2, 100_000))
    combined = np.sort(product_of_uniforms(p, q))
    assert np.allclose(combined, np.linspace(0, 1, 100_000), atol=0.01)
    x = rng.normal(size=(50, 1))
    expected = 2 * stats.t.sf(np.abs(x[:, 0]), 9)
    assert np.allclose(two_sided(x, 10), expected)
    assert np.all(two_sided(np.zeros((3, 2)), 10) == 1)
