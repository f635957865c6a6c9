from __future__ import annotations

import numpy as np
import pytest

from napari_cellsci.explain.formula_reading import (
    FormulaReading,
    in_words,
    read_formula,
)
from napari_cellsci.formulas import Expression
from napari_cellsci.formulas.published import PUBLISHED

RNG = np.random.default_rng(3)
CELLS = {name: RNG.normal(size=4000) for name in ("z3", "z17", "z21", "z29")}
HINGE = [formula for formula in PUBLISHED if formula.name.startswith("H")]
CLASSES = ("interphase", "metaphase")


def read(text: str) -> FormulaReading:
    return read_formula(Expression.parse(text), CELLS)


@pytest.mark.parametrize("formula", HINGE, ids=lambda formula: formula.name)
def test_what_is_said_of_the_published_formulas_holds(formula: object) -> None:
    expression = formula.expression  # type: ignore[attr-defined]
    reading = read_formula(expression, CELLS)
    rng = np.random.default_rng(8)
    fresh = {name: rng.choice(CELLS[name], 3000) for name in CELLS}
    f = expression(fresh)
    for name in ("z17", "z21"):
        assert reading.pull(name).even
        np.testing.assert_allclose(expression({**fresh, name: -fresh[name]}), f)
    assert not reading.pull("z29").even
    for pull in reading.pulls:
        step = 0.05 * (np.sign(fresh[pull.name]) if pull.even else 1.0)
        moved = expression({**fresh, pull.name: fresh[pull.name] + step}) - f
        ways = {"up": moved >= -1e-9, "down": moved <= 1e-9}
        if pull.way in ways:
            assert ways[pull.way].mean() > 0.99
        elif pull.where is not None:
            part = pull.where(fresh)
            clear = np.abs(part) > 0.2
            agree = (part > 0) == (moved > 0)
            assert agree[clear].mean() > 0.97
    assert reading.vetoes
    for veto in reading.vetoes:
        value = veto.what(fresh)
        out = value >= veto.limit if veto.side == "above" else value <= veto.limit
        assert out.any()
        assert (f[out] >= 0).mean() < 0.01


def test_the_first_formula_reads_as_the_paper_says() -> None:
    reading = read_formula(HINGE[0].expression, CELLS)
    assert reading.pull("z29").way == "up"
    assert reading.pull("z3").way == "down"
    for name in ("z17", "z21"):
        pull = reading.pull(name)
        assert pull.way == "depends"
        assert str(pull.where) == "z29"
    said = in_words(reading, CLASSES, _label)
    assert said[0].startswith(
        "metaphase where size z29 · (z17² + z21²) is at least exp"
    )
    assert "size z29: more of it always pulls towards metaphase." in said
    assert "z3: more of it always pulls towards interphase." in said
    assert (
        "z17: farther from 0, whatever its sign, pulls towards metaphase where size "
        "z29 is above 0, elsewhere towards interphase." in said
    )
    vetoed = {str(veto.what): veto.side for veto in reading.vetoes}
    assert vetoed["z29"] == "below"
    assert vetoed["z3"] == "above"
    assert any(line.startswith("Veto: size z29 below") for line in said)


def _label(name: str) -> str:
    return "size z29" if name == "z29" else name


def test_a_difference_decides_which_way_the_others_pull() -> None:
    reading = read("(z29-z3)*(abs(z17)+square(z21)) - 2.88")
    where = reading.pull("z17").where
    assert where is not None
    assert str(where) == "z29 - z3"
    assert {str(veto.what) for veto in reading.vetoes} >= {"z29 - z3"}


def test_numbers_stand_alone_where_they_can() -> None:
    cases = {
        "-1.01 - z3": "metaphase where z3 is at most −1.01; else interphase.",
        "-z3": "metaphase where z3 is at most 0; else interphase.",
        "z3 - 2 + z29": "metaphase where z3 + z29 is at least 2; else interphase.",
        "z3 + 0.5 - z29": "metaphase where z3 + 0.5 is at least z29; else interphase.",
        "-1.6*z3 - z29*2 - 5": "metaphase where 1.6 · z3 + z29 · 2 is at most −5; "
        "else interphase.",
        "-2*z3*(z29 - 1) - 1": "metaphase where 2 · z3 · (z29 − 1) is at most −1; "
        "else interphase.",
        "1 - z3 - 3 + z29": "metaphase where z29 is at least z3 + 2; else interphase.",
    }
    for text, said in cases.items():
        assert in_words(read(text), CLASSES)[0] == said
    # Of one latent there is no more to say than that.
    assert len(in_words(read("-1.01 - z3"), CLASSES)) == 2


def test_odd_ends_are_told() -> None:
    constant = read_formula(Expression.parse("1 - 3"), CELLS)
    assert in_words(constant, CLASSES) == ["It is constant: every cell is interphase."]
    nothing = read("z3 - z3 + z29")
    assert nothing.pull("z3").way == "none"
    assert "z3: makes no difference." in in_words(nothing, CLASSES)
    half = read("log(z3)")
    assert half.undefined == pytest.approx(0.5, abs=0.05)
    assert "no value" in in_words(half, CLASSES)[-1]
    waves = read("sin(3*z3)")
    assert waves.pull("z3").way == "depends"
    assert "of the combinations" in in_words(waves, CLASSES)[1]
    assert read("-square(z3) - 1").vetoes == ()  # it is never metaphase anyway
