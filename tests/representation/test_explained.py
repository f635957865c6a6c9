"""What `explained` says of codes whose answer is known."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from napari_cellsci.errors import InputError
from napari_cellsci.representation.explained import (
    FOLDS,
    concentration,
    explained,
    importances,
    make_folds,
)

N = 1_500


@pytest.fixture(scope="module")
def z() -> np.ndarray:
    return np.random.default_rng(0).normal(size=(N, 6))


@pytest.fixture(scope="module")
def report(z: np.ndarray) -> Any:
    turned = (z[:, 3] + z[:, 4]) / np.sqrt(2)
    factors = {
        "size": np.expm1(z[:, 0]).clip(max=8),  # monotone, not linear
        "valley": np.abs(z[:, 1]),
        "product": z[:, 2] * z[:, 3],
        "turned": turned,
        "three": z[:, 0] + z[:, 1] + z[:, 2],
        "noise": np.random.default_rng(1).normal(size=N),
    }
    return explained(z, factors)


def test_a_factor_in_one_latent_needs_no_other(report: Any) -> None:
    for name, latent in (("size", 0), ("valley", 1)):
        assert report.single[name].latent == latent
        assert report.single[name].r2 > 0.95
        assert report.all[name] > 0.9
        assert report.importance[name][latent] > 0.95
        assert report.sparsity[name] > 0.9


def test_a_pair_is_found_even_where_neither_tells_anything_alone(report: Any) -> None:
    assert report.pair["product"].latents == (2, 3)
    assert report.pair["product"].r2 > 0.95
    assert report.single["product"].r2 < 0.05
    assert report.pair["turned"].latents == (3, 4)
    assert report.pair["turned"].r2 > 0.98
    assert 0.4 < report.single["turned"].r2 < 0.6
    assert report.beyond["turned"] < 0.05


def test_three_latents_are_not_a_pair(report: Any) -> None:
    assert report.all["three"] > 0.95
    assert 0.6 < report.pair["three"].r2 < 0.72
    assert 0.25 < report.beyond["three"] < 0.4


def test_noise_is_told_by_nothing(report: Any) -> None:
    assert report.all["noise"] < 0.05
    assert report.single["noise"].r2 < 0.02
    assert report.pair["noise"].r2 < 0.05


def test_the_report_is_json(report: Any) -> None:
    values = json.loads(json.dumps(report.to_dict()))
    assert values["size"]["latent"] == 0
    assert values["product"]["latents"] == [2, 3]
    assert len(values["three"]["importance"]) == 6


def test_constant_latents_keep_their_place(z: np.ndarray) -> None:
    padded = np.zeros((N, 9))
    padded[:, [2, 5, 8]] = z[:, :3]
    found = explained(padded, {"size": z[:, 1]})
    assert found.single["size"].latent == 5
    assert np.flatnonzero(found.importance["size"])[0] >= 2
    assert found.importance["size"][[0, 1, 3, 4, 6, 7]].sum() == 0


def test_one_latent_is_its_own_pair(z: np.ndarray) -> None:
    found = explained(z[:, :1], {"size": z[:, 0]})
    assert found.pair["size"].latents == (0, 0)
    assert found.sparsity["size"] == 1


def test_groups_are_held_out_whole() -> None:
    rng = np.random.default_rng(3)
    track = np.repeat(np.arange(30), 40)
    # A code that names the track, and a factor that is a property of the track alone.
    code = np.stack([track + 0.01 * rng.normal(size=1200), rng.normal(size=1200)], 1)
    factor = rng.normal(size=30)[track]
    leaky, honest = (explained(code, {"f": factor}, g) for g in (None, track))
    assert leaky.all["f"] > 0.9
    assert honest.all["f"] < 0.3


def test_folds_part_no_group_and_are_even() -> None:
    groups = np.repeat(np.arange(40), np.random.default_rng(0).integers(1, 30, 40))
    folds = make_folds(len(groups), groups, 0)
    held = [h for _, h in folds]
    assert len(folds) == FOLDS
    assert np.array_equal(np.sort(np.concatenate(held)), np.arange(len(groups)))
    assert max(map(len, held)) - min(map(len, held)) < 30
    for train, out in folds:
        assert not set(groups[train]) & set(groups[out])


def test_importances_are_those_of_the_report(z: np.ndarray) -> None:
    factors = {"a": z[:, 4], "b": z[:, 5] ** 2}
    matrix, r2 = importances(z, factors)
    found = explained(z, factors)
    assert np.array_equal(matrix[:, 0], found.importance["a"])
    assert r2[1] == found.all["b"]
    assert matrix.sum(0) == pytest.approx([1, 1])


def test_concentration_of_shares() -> None:
    assert concentration(np.array([0, 1, 0])) == 1
    assert concentration(np.ones(5)) == pytest.approx(0)
    assert concentration(np.zeros(5)) == 0
    assert concentration(np.ones(1)) == 1


@pytest.mark.parametrize(
    ("codes", "factors", "groups", "words"),
    [
        (np.zeros((9, 2)), {"a": np.arange(9)}, None, "constant"),
        (np.full((9, 2), np.nan), {"a": np.arange(9)}, None, "NaN"),
        (np.eye(9), {"a": np.arange(8)}, None, "9 cells"),
        (np.eye(9), {"a": np.ones(9)}, None, "'a' is constant"),
        (np.eye(9), {"a": np.r_[np.nan, np.ones(8)]}, None, "not known"),
        (np.eye(9), {}, None, "at least one factor"),
        (np.eye(9), {"a": np.arange(9)}, np.arange(9) > 3, "At least 3 groups"),
        (np.eye(9), {"a": np.arange(9)}, np.arange(8), "8 groups"),
        (np.ones(9), {"a": np.arange(9)}, None, "shape"),
    ],
)
def test_what_cannot_be_judged_is_refused(
    codes: Any, factors: Any, groups: Any, words: str
) -> None:
    with pytest.raises(InputError, match=words):
        explained(codes, factors, groups)
