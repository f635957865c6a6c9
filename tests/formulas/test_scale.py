"""Formulas written without a scale that nothing speaks for."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_cellsci.formulas import Expression
from napari_cellsci.formulas.fronts import front_of
from napari_cellsci.formulas.islands import IslandSearch
from napari_cellsci.formulas.nodes import (
    BINARY,
    NEGATE,
    UNARY,
    Node,
    apply,
    number,
    variable,
)
from napari_cellsci.formulas.scale import tempered
from napari_cellsci.formulas.spec import SearchSpec

NAMES = ("z3", "z14")
X = np.random.default_rng(0).normal(size=(200, 2))
X[:, 1] += 0.3 * np.sign(X[:, 1])
COLUMNS = dict(zip(NAMES, X.T, strict=True))
Y = np.where(X[:, 1] < 0, 1.0, -1.0)


def trees() -> st.SearchStrategy[Node]:
    numbers = st.floats(-9, 9, allow_nan=False).map(lambda v: number(round(v, 3)))
    leaf = st.one_of(numbers, st.sampled_from(NAMES).map(variable))

    def extend(below: st.SearchStrategy[Node]) -> st.SearchStrategy[Node]:
        one = st.builds(apply, st.sampled_from((*UNARY, NEGATE)), below)
        two = st.builds(apply, st.sampled_from(BINARY), below, below)
        return st.one_of(one, two)

    return st.recursive(leaf, extend, max_leaves=10)


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("-3720/z14", "-z14"),
        ("z14/(-0.00784)", "-z14"),
        ("-21300*z14", "-z14"),
        ("2*z3 - 1", "z3 - 0.5"),
        ("0.5*(z14-0.62*z3)*square(z3)-2", "(z14 - 0.62*z3)*square(z3) - 4"),
        ("z3/(2*z14)", "z3*z14"),
        ("3*z3/square(z14)", "z3"),
        ("2/(4*z3-2)", "z3 - 0.5"),
        ("3*abs(z3*-4)-1.2", "abs(z3) - 0.1"),
        ("z3 - 2", "z3 - 2"),
        ("-1.5", "-1.5"),
        ("0*z3", "0*z3"),
        ("z3/0", "z3/0"),
    ],
)
def test_the_plainest_of_one_sign(text: str, plain: str) -> None:
    found = Expression.parse(text).unscaled()
    assert found.twin_key() == Expression.parse(plain).twin_key()
    assert found.complexity() <= Expression.parse(plain).complexity()


@settings(deadline=None, max_examples=150)
@given(trees())
def test_signs_stay_where_there_are_values(root: Node) -> None:
    found = Expression(root)
    short = found.unscaled()
    assert short.complexity() <= found.complexity()
    before, after = found(COLUMNS), short(COLUMNS)
    # What rounding alone keeps from 0, or within the range of numbers, has no sign.
    known = np.isfinite(before) & (np.abs(before) > 1e-6) & (np.abs(before) < 1e6)
    known &= np.isfinite(after) & (np.abs(after) > 1e-6)
    np.testing.assert_array_equal(before[known] > 0, after[known] > 0)


def test_a_free_scale_is_the_smallest_that_costs_nothing() -> None:
    spec, w = SearchSpec(seconds=1), np.ones(len(Y))
    for text in ("-3720/z14", "-21300*z14", "z14/(-0.00001)"):
        (found,) = front_of([Expression.parse(text).root], X, Y, w, NAMES, spec)
        assert found.loss == 0
        f = found.expression(COLUMNS)
        assert np.min(f * Y) == pytest.approx(1.0, rel=1e-6)
        assert found.expression.size == 3


def test_a_scale_that_says_something_stays() -> None:
    root = Expression.parse("-2*z14 + 0.1").root
    wrong = Y.copy()
    wrong[0] *= -1
    f = Expression(root)(COLUMNS)
    assert tempered(root, f, wrong) is root
    assert tempered(root, f[:0], Y[:0]) is root
    # Another scale would need a number more.
    longer = Expression.parse("z3 - 9*z14").root
    far = np.sign(Expression(longer)(COLUMNS)) * 5
    assert tempered(longer, far, np.sign(far)) is longer


def test_a_search_on_classes_apart_ends_without_enormous_numbers() -> None:
    spec = SearchSpec(evaluations=60_000, operators="plain")
    front = IslandSearch(X, Y, np.ones(len(Y)), NAMES, spec).search()
    best = front[-1]
    assert best.loss == 0
    nearest = np.abs(X[:, 1]).min()
    assert max(map(abs, best.expression.numbers)) < 2 / nearest
    assert best.expression.unscaled().pretty() == "−z14"
