from __future__ import annotations

import numpy as np
import pytest

from napari_cellsci.formulas.choosing import (
    agreement,
    balanced_accuracy,
    choose,
    judge,
    pysr_choice,
)
from napari_cellsci.formulas.expression import Expression
from napari_cellsci.formulas.spec import Candidate


def front(*rows: tuple[float, str]) -> list[Candidate]:
    found = [(loss, Expression.parse(text)) for loss, text in rows]
    return [Candidate(one.complexity(), loss, one) for loss, one in found]


def cells(n: int = 2000):
    x = np.random.default_rng(0).normal(size=(n, 2))
    columns = {"z3": x[:, 0], "z17": x[:, 1]}
    noise = np.random.default_rng(1).normal(scale=0.05, size=n)
    y = (x[:, 0] + 0.02 * x[:, 1] + noise > 0).astype(np.int64)
    return columns, y, np.arange(n) // 4


def test_the_smallest_within_one_standard_error_is_chosen() -> None:
    columns, y, groups = cells()
    rows = front(
        (0.9, "1.0"), (0.3, "z17 - 0.2"), (0.1, "9*z3"), (0.09, "9*z3+0.2*z17")
    )
    judged = judge(rows, columns, y, groups)
    assert [one.candidate for one in judged] == rows
    assert judged[0].score == 0.5
    assert judged[3].score >= judged[2].score - judged[2].error
    assert choose(judged) == 2


def test_values_that_are_not_finite_are_wrong_and_counted() -> None:
    columns, y, groups = cells()
    (one,) = judge(front((0.1, "log(z3)")), columns, y, groups)
    assert one.undefined == int((columns["z3"] <= 0).sum())
    assert one.score <= 0.5


def test_the_error_is_over_tracks() -> None:
    rng = np.random.default_rng(0)
    y = np.repeat([0, 1], 500)
    track = np.arange(1000) // 10
    whole = rng.random(100) < 0.8
    right = whole[track]
    score, error = balanced_accuracy(right, y, track)
    _, alone = balanced_accuracy(right, y, np.arange(1000))
    assert error > 2 * alone
    draws = []
    for _ in range(300):
        again = rng.random(100) < 0.8
        draws.append(balanced_accuracy(again[track], y, track)[0])
    assert error == pytest.approx(np.std(draws), rel=0.3)
    assert balanced_accuracy(np.ones(1000, bool), y, track)[1] > 0
    assert 0 < score < 1


def test_pysrs_own_rule() -> None:
    rows = front((1.0, "1.0"), (0.9, "z3+1"), (0.2, "z3*z17+1"), (0.19, "z3*z17+1+z3"))
    assert pysr_choice(rows) == 2
    assert pysr_choice(rows[:1]) == 0


def test_runs_are_summarised_by_form_and_input() -> None:
    texts = ["2*z3 - 1", "z3*3 - 4", "z17 + z3", "4*z3-2"]
    found = agreement([Expression.parse(text) for text in texts])
    assert found.runs == 4
    assert found.forms[0][1] == 3
    assert found.inputs == {"z3": 1.0, "z17": 0.25}
    assert found.size == pytest.approx((5 * 3 + 3) / 4)
