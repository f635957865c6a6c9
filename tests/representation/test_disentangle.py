"""Scores of disentanglement on constructed codes and against independent ones."""

from __future__ import annotations

import json
from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import entropy, ortho_group, spearmanr
from sklearn.ensemble import GradientBoostingRegressor
from sklearn.linear_model import LassoCV, LinearRegression
from sklearn.metrics import mutual_info_score

from napari_cellsci.errors import InputError
from napari_cellsci.representation.disentangle import (
    BINS,
    dci,
    disentanglement,
    mig,
    sap,
    udr,
)

N = 1_500
K = 4
SEED = 4
"""Of a turn that is far from a mere exchange of axes."""


@pytest.fixture(scope="module")
def v() -> np.ndarray:
    return np.random.default_rng(0).normal(size=(N, K))


def named(v: np.ndarray) -> dict[str, np.ndarray]:
    return {f"v{k}": v[:, k] for k in range(v.shape[1])}


def turned(v: np.ndarray) -> np.ndarray:
    return v @ ortho_group.rvs(v.shape[1], random_state=SEED)


def test_the_factors_themselves_score_one(v: np.ndarray) -> None:
    code = np.stack([-np.exp(v[:, 2]), v[:, 0], v[:, 3], 5 * v[:, 1]], 1)
    found = disentanglement(code, named(v))
    # Plug-in information of independent variables is not quite 0.
    assert found.mig.score == pytest.approx(1, abs=0.06)
    assert found.sap.per_factor["v0"] == pytest.approx(1, abs=0.01)
    assert found.dci.disentanglement > 0.97
    assert found.dci.completeness > 0.97
    assert found.dci.informativeness > 0.97


def test_a_random_turn_scores_low(v: np.ndarray) -> None:
    found = disentanglement(turned(v), named(v))
    assert found.mig.score < 0.3
    assert found.sap.score < 0.5
    assert found.dci.disentanglement < 0.5
    assert found.dci.completeness < 0.5
    assert found.dci.informativeness > 0.85  # Nothing is lost, only mixed.


def test_a_duplicate_leaves_no_gap(v: np.ndarray) -> None:
    twice = np.hstack([v, -v])
    assert mig(twice, named(v)).score == pytest.approx(0, abs=1e-9)
    assert sap(twice, named(v)).score == pytest.approx(0, abs=1e-9)
    # Each latent still tells one factor, but no factor has only one.
    found = dci(twice, named(v))
    assert found.disentanglement > 0.95
    assert found.completeness < 0.95


def test_constant_latents_change_nothing(v: np.ndarray) -> None:
    padded = np.zeros((N, 7))
    padded[:, [1, 3, 4, 6]] = turned(v)
    padded[:, 0] = 3.0
    plain, with_constants = (disentanglement(z, named(v)) for z in (turned(v), padded))
    assert with_constants.mig == plain.mig
    assert with_constants.sap == plain.sap
    assert with_constants.dci.disentanglement == plain.dci.disentanglement
    assert with_constants.dci.completeness == plain.dci.completeness
    assert with_constants.dci.importance.shape == (7, K)


def test_a_constant_code_is_refused(v: np.ndarray) -> None:
    with pytest.raises(InputError, match="constant"):
        mig(np.ones((N, 2)), named(v))


@settings(deadline=None, max_examples=15)
@given(st.integers(0, 10_000), st.integers(2, 6))
def test_order_sign_and_scale_of_latents_do_not_matter(seed: int, width: int) -> None:
    rng = np.random.default_rng(seed)
    z = rng.normal(size=(300, width))
    y = {"y": z @ rng.normal(size=width) + rng.normal(size=300)}
    other = z[:, rng.permutation(width)] * rng.uniform(0.1, 9, width)
    assert sap(other, y).score == pytest.approx(sap(z, y).score, abs=1e-9)
    assert mig(other, y).score == pytest.approx(mig(z, y).score, abs=1e-9)
    assert 0 <= mig(z, y).score <= 1
    assert sap(-z, y).score == pytest.approx(sap(z, y).score, abs=1e-9)


def test_mig_equals_sklearns_information_of_pandas_bins(v: np.ndarray) -> None:
    z = np.hstack([turned(v), v[:, :1] + 0.5])
    for binning, cut in (("count", pd.qcut), ("width", pd.cut)):
        factor = cut(v[:, 1], BINS, labels=False)
        told = [
            mutual_info_score(cut(z[:, d], BINS, labels=False), factor)
            for d in range(z.shape[1])
        ]
        first, second = sorted(told)[:-3:-1]
        expected = (first - second) / mutual_info_score(factor, factor)
        found = mig(z, {"v": v[:, 1]}, binning=binning)  # type: ignore[arg-type]
        # The two differ in the edge to which a value on it belongs.
        assert found.score == pytest.approx(expected, abs=0.01)


def test_factors_of_few_values_keep_them() -> None:
    rng = np.random.default_rng(1)
    count = rng.poisson(1.0, 2_000).astype(float)
    exact = mig(count[:, None] + 1e-3 * rng.normal(size=(2_000, 1)), {"n": count})
    # Bins of equal count part the levels of the code, not those of the factor.
    assert exact.score > 0.85


def test_sap_equals_the_gap_of_two_regressions(v: np.ndarray) -> None:
    z, y = turned(v), v[:, 0]
    r2 = [LinearRegression().fit(z[:, [d]], y).score(z[:, [d]], y) for d in range(K)]
    first, second = sorted(r2)[:-3:-1]
    assert sap(z, {"y": y}).score == pytest.approx(first - second)


def dci_of(importance: np.ndarray) -> tuple[float, float]:
    """D and C of importances (D, K), as disentanglement_lib computes them.

    Locatello et al. 2019 after Eastwood & Williams 2018: one minus the entropy of each
    row (column) in units of its largest, weighted by the share of the importance.
    """
    rows = 1 - entropy(importance.T + 1e-11, base=importance.shape[1])
    columns = 1 - entropy(importance + 1e-11, base=importance.shape[0])
    share = importance / importance.sum()
    return float(rows @ share.sum(1)), float(columns @ share.sum(0))


def by_boosting(z: np.ndarray, v: np.ndarray) -> np.ndarray:
    """Importances as in disentanglement_lib: of impurity, in boosted trees."""
    trees = GradientBoostingRegressor(n_estimators=60, subsample=0.5, random_state=0)
    return np.stack([trees.fit(z, y).feature_importances_ for y in v.T], 1)


def by_lasso(z: np.ndarray, v: np.ndarray) -> np.ndarray:
    """Importances as in Eastwood & Williams: sizes of the weights of a lasso."""
    z = (z - z.mean(0)) / z.std(0)
    return np.abs(np.stack([LassoCV(cv=3).fit(z, y).coef_ for y in v.T], 1))


def test_dci_follows_from_its_importances(v: np.ndarray) -> None:
    wide = np.hstack([turned(v), v[:, :2]])
    found = dci(wide, named(v))
    expected = dci_of(found.importance)
    assert (found.disentanglement, found.completeness) == pytest.approx(expected)


@pytest.mark.parametrize("code", ["a pair turned by 20°", "turned", "twice"])
def test_dci_is_near_that_of_sklearns_boosted_trees(v: np.ndarray, code: str) -> None:
    turn = np.eye(K)
    cos, sin = np.cos(0.35), np.sin(0.35)
    turn[:2, :2] = [[cos, -sin], [sin, cos]]
    codes = {
        "a pair turned by 20°": v @ turn,
        "turned": turned(v),
        "twice": np.hstack([v, -(v**3)]),
    }
    found, expected = dci(codes[code], named(v)), dci_of(by_boosting(codes[code], v))
    scores = (found.disentanglement, found.completeness)
    assert scores == pytest.approx(expected, abs=0.04)


def test_dci_is_that_of_sklearns_lasso_where_latents_are_noisy(v: np.ndarray) -> None:
    """Impurity counts what trees learn of noise; weights and unseen cells do not."""
    noisy = v + np.random.default_rng(1).normal(0, 0.7, v.shape)
    found, expected = dci(noisy, named(v)), dci_of(by_lasso(noisy, v))
    scores = (found.disentanglement, found.completeness)
    assert scores == pytest.approx(expected, abs=0.04)
    assert dci_of(by_boosting(noisy, v))[0] < scores[0] - 0.1


def test_noise_is_no_disentanglement(v: np.ndarray) -> None:
    noise = {"n": np.random.default_rng(9).normal(size=N)}
    found = dci(v, noise)
    assert (found.disentanglement, found.completeness) == (0, 0)
    assert found.informativeness == 0


def test_everything_is_json(v: np.ndarray) -> None:
    found = disentanglement(v, {"a": v[:, 0]})
    values = json.loads(json.dumps(found.to_dict()))
    assert set(values) == {"mig", "sap", "dci", "explained"}
    assert values["explained"]["a"]["latent"] == 0


def test_udr_of_the_same_latents_in_another_order() -> None:
    v = np.random.default_rng(2).normal(size=(8_000, 5))
    same = [v, -v[:, [3, 1, 4, 0, 2]], 2 * v[:, ::-1]]
    mixed = [v @ ortho_group.rvs(5, random_state=s) for s in (1, 2, 3)]
    assert np.all(udr(same) > 0.93)
    assert np.all(udr(mixed) < 0.6)


def test_udr_equals_the_formula_term_by_term(v: np.ndarray) -> None:
    codes = [turned(v), v, v[:, :3] ** 3]
    expected = np.zeros((3, 3))
    for a, b in combinations(range(3), 2):
        r = np.array(
            [[abs(spearmanr(x, y)[0]) for y in codes[b].T] for x in codes[a].T]
        )
        total = sum(r[:, j].max() ** 2 / r[:, j].sum() for j in range(r.shape[1]))
        total += sum(r[i].max() ** 2 / r[i].sum() for i in range(r.shape[0]))
        expected[a, b] = expected[b, a] = total / sum(r.shape)
    medians = [np.median(np.delete(expected[a], a)) for a in range(3)]
    np.testing.assert_allclose(udr(codes), medians, atol=1e-12)


def test_udr_looks_at_active_latents_only(v: np.ndarray) -> None:
    rng = np.random.default_rng(5)
    codes = [np.hstack([v, 0.01 * rng.normal(size=(N, 3))]) for _ in range(2)]
    active = [np.arange(7) < K] * 2
    np.testing.assert_allclose(udr(codes, active), udr([v, v]))
    assert np.all(udr(codes) < udr(codes, active))
    nothing = [np.zeros(7, bool)] * 2
    assert np.all(udr(codes, nothing) == 0)


def test_udr_needs_two_encoders_and_the_same_cells(v: np.ndarray) -> None:
    with pytest.raises(InputError, match="two encoders"):
        udr([v])
    with pytest.raises(InputError, match="same cells"):
        udr([v, v[1:]])
