from __future__ import annotations

import numpy as np
import pytest

from napari_cellsci.formulas import kernels, kernels_plain, tokens
from napari_cellsci.formulas.blocks import rows_in_blocks, workspace
from napari_cellsci.formulas.expression import Expression
from napari_cellsci.formulas.fitting import fit, losses
from napari_cellsci.formulas.fronts import loss_on
from napari_cellsci.formulas.published import PUBLISHED

NAMES = ("z3", "z17", "z21", "z29")
ROOM = 26
KINDS = {"hinge": 0, "logistic": 1, "mse": 2}
MORE = [
    "log(abs(z3) + 0.5) / (z17 - 3.1) + sqrt(square(z21))",
    "abs(sin(1.3 * z3) - 0.2) * -0.7",
    "exp(0.3 * z3 - 0.1) / log(3.2 + abs(z17))",
    "1.5",
    "sin(200 * z3) + sin(0.5)",
]


@pytest.fixture
def rows():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(300, 4))
    y = np.where(rng.random(300) < 0.3, 1.0, -1.0)
    w = rng.uniform(0.5, 2, 300)
    return x, y, w, rows_in_blocks(x, y, w)


def encoded(texts):
    parts = [tokens.encode(Expression.parse(t).root, NAMES, ROOM) for t in texts]
    codes, values, lengths = zip(*parts, strict=True)
    return np.stack(codes), np.stack(values), np.array(lengths)


def test_codes_and_trees_are_the_same() -> None:
    for formula in PUBLISHED:
        found = formula.expression.root
        code = tokens.encode(found, NAMES, ROOM)
        assert tokens.decode(*code, NAMES) == found
    minus = tokens.encode(Expression.parse("-z3").root, NAMES, ROOM)
    assert str(Expression(tokens.decode(*minus, NAMES))) == "-1.0 * z3"


@pytest.mark.parametrize("room", [kernels, kernels_plain], ids=["compiled", "plain"])
@pytest.mark.parametrize("loss", KINDS)
def test_losses_are_those_of_the_expressions(room, loss: str, rows) -> None:
    x, y, w, blocks = rows
    texts = [*(p.text for p in PUBLISHED), *MORE]
    code, value, length = encoded(texts)
    found = np.empty(len(texts))
    room.losses(code, value, length, blocks, KINDS[loss], workspace(ROOM), found)
    columns = dict(zip(NAMES, x.T, strict=True))
    wanted = [loss_on(Expression.parse(t)(columns), y, w, loss) for t in texts]
    np.testing.assert_allclose(found, wanted, rtol=1e-8)


@pytest.mark.parametrize("room", [kernels, kernels_plain], ids=["compiled", "plain"])
def test_what_is_not_finite_costs_without_bound(room, rows) -> None:
    code, value, length = encoded(["log(z3)", "1 / (z3 - z3)", "exp(exp(exp(exp(9))))"])
    found = np.empty(3)
    room.losses(code, value, length, rows[3], 0, workspace(ROOM), found)
    assert np.isinf(found).all()


@pytest.mark.parametrize("room", [kernels, kernels_plain], ids=["compiled", "plain"])
@pytest.mark.parametrize("loss", ["logistic", "mse"])
def test_gradients_are_finite_differences(room, loss: str, rows) -> None:
    blocks, kind = rows[3], KINDS[loss]
    texts = [*(p.text for p in PUBLISHED[1:7]), *MORE]
    code, value, length = encoded(texts)
    n, work = len(texts), workspace(ROOM)
    pull, curve = np.zeros((n, 10)), np.zeros((n, 10, 10))
    known = np.zeros(n, bool)
    room.pulls(code, value, length, blocks, kind, 0.2, work, pull, curve, known)
    assert known.all()
    for p in range(n):
        places = np.flatnonzero(code[p] == tokens.CONSTANT)
        places = places[places < length[p]][::-1]
        for c, place in enumerate(places):
            step, ends = 1e-6, []
            for sign in (1, -1):
                moved = value[p : p + 1].copy()
                moved[0, place] += sign * step
                out = np.empty(1)
                room.losses(
                    code[p : p + 1], moved, length[p : p + 1], blocks, kind, work, out
                )
                ends.append(out[0])
            slope = (ends[0] - ends[1]) / (2 * step)
            assert pull[p, c] == pytest.approx(slope, rel=1e-4, abs=1e-6), texts[p]
        assert (np.linalg.eigvalsh(curve[p]) > -1e-8).all()


def test_fitting_finds_the_numbers_and_never_loses(rows) -> None:
    x, _, w, _ = rows
    columns = dict(zip(NAMES, x.T, strict=True))
    truth = Expression.parse("0.7 * z29 * exp(0.4 * z3) - 1.1")
    blocks = rows_in_blocks(x, truth(columns), w)
    code, value, length = encoded(["0.2 * z29 * exp(0.9 * z3) - 0.1", "z3", "log(z3)"])
    work = workspace(ROOM)
    before = losses(code, value, length, blocks, 2, work)
    loss = before.copy()
    fit(code, value, length, loss, blocks, 2, 40, work)
    assert loss[0] < 1e-12
    numbers = Expression(tokens.decode(code[0], value[0], length[0], NAMES)).numbers
    np.testing.assert_allclose(numbers, truth.numbers, rtol=1e-5)
    assert (loss <= before).all()


def test_fitting_the_hinge_is_near_the_linear_programme(rows) -> None:
    from scipy.optimize import linprog

    x, y, w, blocks = rows
    code, value, length = encoded(["0.1*z3 + 0.1*z17 + 0.1*z21 + 0.1*z29 - 0.5"])
    loss = losses(code, value, length, blocks, 0, workspace(ROOM))
    fit(code, value, length, loss, blocks, 0, 60, workspace(ROOM))
    n = len(y)
    design = np.c_[x, -np.ones(n)] * y[:, None]
    # min Σ w ξ  with  ξ ≥ 0 and ξ ≥ 1 − y f
    best = linprog(
        np.r_[np.zeros(5), w / w.sum()],
        A_ub=np.c_[-design, -np.eye(n)],
        b_ub=-np.ones(n),
        bounds=[(None, None)] * 5 + [(0, None)] * n,
    )
    assert loss[0] <= best.fun * 1.02
