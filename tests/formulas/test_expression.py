from __future__ import annotations

import contextlib
import importlib.util

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_cellsci.errors import InputError
from napari_cellsci.formulas import Expression, FormulaError, Outcomes
from napari_cellsci.formulas.nodes import (
    BINARY,
    NEGATE,
    UNARY,
    Node,
    apply,
    number,
    variable,
)
from napari_cellsci.formulas.published import PUBLISHED

NAMES = ("z3", "z17", "z21", "z29")


def latents(n: int = 200, seed: int = 0) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    return {name: rng.normal(size=n) for name in NAMES}


def trees(most: int = 12) -> st.SearchStrategy[Node]:
    numbers = st.floats(-5, 5, allow_nan=False).map(number)
    leaf = st.one_of(numbers, st.sampled_from(NAMES).map(variable))

    def extend(below: st.SearchStrategy[Node]) -> st.SearchStrategy[Node]:
        one = st.builds(apply, st.sampled_from((*UNARY, NEGATE)), below)
        two = st.builds(apply, st.sampled_from(BINARY), below, below)
        return st.one_of(one, two)

    return st.recursive(leaf, extend, max_leaves=most)


@pytest.mark.parametrize("formula", PUBLISHED, ids=lambda formula: formula.name)
def test_published_formulas_are_read_and_have_their_size(formula) -> None:
    found = formula.expression
    assert set(found.names) <= set(NAMES)
    assert (found.size == formula.size) == formula.size_agrees
    assert np.isfinite(found(latents())).all()
    # The paper's limit is on PySR's complexity, its tables count nodes.
    assert found.complexity() >= found.size


def test_precedence_is_that_of_mathematics() -> None:
    cases = {
        "1 - 2 - 3": -4,
        "8 / 4 / 2": 1,
        "2 + 3 * 4": 14,
        "-2^2": -4,
        "(-2)^2": 4,
        "-2 * 3": -6,
        "2 * -3": -6,
        "2 - -3": 5,
        "--2": 2,
        "2^2^2": 16,
        "2.5f0 + 1.0e-5 + 1f-3 + .5 + 2.": 2.5 + 1e-5 + 1e-3 + 0.5 + 2,
        "3² − 2·2 ÷ 4 × 1": 8,
        "+4": 4,
        "abs(-3) + sqrt(square(2)) + exp(0) + log(1) + sin(0)": 6,
        "3**2": 9,
    }
    for text, value in cases.items():
        assert float(Expression.parse(text)()) == pytest.approx(value), text


@pytest.mark.parametrize(
    ("text", "start", "end", "says"),
    [
        ("", 0, 0, "no formula yet"),
        ("z3 + ", 4, 4, "ends too early"),
        ("z3 + * z4", 5, 6, "missing before"),
        ("(z3 + z4", 0, 1, "never closed"),
        ("z3 + z4)", 7, 8, "never opened"),
        ("z3 z4", 3, 5, "operator is missing"),
        ("2 z4", 2, 4, "operator is missing"),
        ("tan(z3)", 0, 3, "no function 'tan'"),
        ("z3 + z5", 5, 7, "no 'z5'"),
        ("sin + 2", 0, 3, "needs an argument"),
        ("z3^3", 3, 4, "Only squares"),
        ("z3 + $", 5, 6, "does not belong"),
        ("sin()", 4, 5, "nothing in these"),
        ("1e999", 0, 5, "too large"),
        ("__import__('os')", 11, 12, "does not belong"),
        ("z3.real", 2, 3, "does not belong"),
    ],
)
def test_errors_mark_their_place(text: str, start: int, end: int, says: str) -> None:
    with pytest.raises(FormulaError, match=says.replace("(", r"\(")) as caught:
        Expression.parse(text, ("z3", "z4"))
    assert (caught.value.start, caught.value.end) == (start, end)


@settings(deadline=None, max_examples=150)
@given(
    st.one_of(
        st.text(max_size=40),
        st.text("z3 +-*/()^2.e1f sinexpabs", max_size=60),
    )
)
def test_any_text_is_read_or_refused_in_its_place(text: str) -> None:
    try:
        found = Expression.parse(text)
    except FormulaError as error:
        refused = error
    else:
        assert Expression.parse(str(found)) == found
        return
    assert 0 <= refused.start <= refused.end <= len(text)
    assert str(refused)


@pytest.mark.parametrize(
    "text", ["(" * 3000, "-" * 3000, "sin(" * 900, "z3+" * 1000 + "z3", "z" * 5000]
)
def test_endless_text_is_refused(text: str) -> None:
    with pytest.raises(FormulaError, match=r"at most|nested too deeply"):
        Expression.parse(text)


@settings(deadline=None, max_examples=60)
@given(trees())
def test_text_reads_back_as_the_same_tree(root: Node) -> None:
    found = Expression(root)
    assert Expression.parse(str(found)) == found


@settings(deadline=None, max_examples=60)
@given(trees())
def test_what_people_read_has_the_same_values(root: Node) -> None:
    found, columns = Expression(root), latents(20)
    wanted = found(columns)
    for text in (found.text(), found.pretty(None).replace("|", "¦")):
        if "¦" in text:
            continue
        shown = Expression.parse(text)(columns)
        _assert_close(shown, wanted)
    source = found.python("f", "A score.")
    room: dict[str, object] = {}
    exec(source, room)
    # Python's own numbers refuse to be divided by 0, where NumPy's are infinite.
    with np.errstate(all="ignore"), contextlib.suppress(ZeroDivisionError):
        own = room["f"](**{name: columns[name] for name in found.names})  # type: ignore[operator]
        _assert_close(np.broadcast_to(own, 20), wanted)


def _assert_close(found: np.ndarray, wanted: np.ndarray, rtol: float = 1e-6) -> None:
    """Compare where both are defined; sums may be regrouped."""
    both = np.isfinite(found) & np.isfinite(wanted)
    scale = np.maximum(1.0, np.abs(wanted[both]))
    assert (np.abs(found[both] - wanted[both]) <= rtol * scale).all()


def test_values_equal_sympy() -> None:
    import sympy

    columns = latents(5)
    for formula in PUBLISHED:
        found = formula.expression
        symbols = [sympy.Symbol(name, real=True) for name in found.names]
        own = sympy.lambdify(symbols, found.sympy(), "numpy")
        wanted = own(*(columns[name] for name in found.names))
        np.testing.assert_allclose(found(columns), wanted, rtol=1e-12)


def test_derivatives_equal_finite_differences() -> None:
    rng = np.random.default_rng(1)
    step = 1e-6
    for op in (*UNARY, NEGATE, *BINARY):
        args = [variable("a"), variable("b")][: 2 if op in BINARY else 1]
        # Wrapped, so that the chain rule and the numbers are in it too.
        root = apply("*", number(1.3), apply(op, *args))
        root = apply("+", root, apply("square", apply("-", root, number(0.4))))
        found = Expression(root)
        columns = {"a": rng.uniform(0.2, 2, 50), "b": rng.uniform(0.2, 2, 50)}
        _, slopes = found.gradient(columns)
        for name in found.names:
            up = found({**columns, name: columns[name] + step})
            down = found({**columns, name: columns[name] - step})
            np.testing.assert_allclose(
                slopes[name], (up - down) / (2 * step), rtol=1e-5, atol=1e-6
            )
        _, by_number = found.gradient_by_numbers(columns)
        numbers = np.array(found.numbers)
        for k in range(len(numbers)):
            move = np.eye(len(numbers))[k] * step
            up = found.with_numbers(numbers + move)(columns)
            down = found.with_numbers(numbers - move)(columns)
            np.testing.assert_allclose(
                by_number[k], (up - down) / (2 * step), rtol=1e-5, atol=1e-6
            )


@settings(deadline=None, max_examples=100)
@given(trees(16))
def test_simplification_keeps_values_and_where_they_are_defined(root: Node) -> None:
    found = Expression(root)
    short = found.simplified()
    assert short.complexity() <= found.complexity()
    columns = latents(40)
    before, after = found(columns), short(columns)
    # Sums that cancel keep the digits of their largest part, not their own.
    largest = max(
        float(np.nanmax(np.where(np.isfinite(part), np.abs(part), 0), initial=1.0))
        for node in found.root.walk()
        for part in [Expression(node)(columns)]
    )
    if largest > 1e6:
        return
    both = np.isfinite(before) & np.isfinite(after)
    assert (np.abs(before[both] - after[both]) <= 1e-6 * largest**2).all()
    assert not (~np.isfinite(before) & np.isfinite(after)).any()


def test_simplification_finds_the_usual() -> None:
    cases = {
        "z3 + 0": "z3",
        "1 * z3": "z3",
        "2 * (3 * z3)": "6 * z3",
        "z3 * z3": "square(z3)",
        "z3 - (-z17)": "z3 + z17",
        "square(abs(z3))": "square(z3)",
        "sqrt(square(z3))": "abs(z3)",
        "z3 + z3 + z3": "3 * z3",
        "exp(2) * 1": str(np.exp(2)),
        "(z3 + 1) - 1": "z3",
        "z3 * 0": "0",
    }
    for before, after in cases.items():
        wanted = Expression.parse(after).twin_key()
        short = Expression.parse(before).simplified()
        assert short.twin_key() == wanted, before
        assert short.size <= Expression.parse(after).size, before


def test_simplification_does_not_make_values_out_of_none() -> None:
    for text in ("z3 / z3", "log(z3) - log(z3)", "0 * sqrt(z3)", "1 / 0 + z3"):
        found = Expression.parse(text)
        columns = {"z3": np.array([-1.0, 0.0, 1.0])}
        assert np.array_equal(
            np.isfinite(found(columns)), np.isfinite(found.simplified()(columns))
        )


def test_twins_are_told() -> None:
    one = Expression.parse("(z29 - 0.44*z3)*(z17^2 + z21^2) - 2.56")
    twins = [
        "(square(z21) + z17*z17)*(z29 - z3*0.44) + -2.56",
        "z29*z17^2 + z29*z21^2 - 0.44*z3*(z17^2 + z21^2) - 2.56",
        "-(2.56 - (2*z29 - 0.88*z3)*(abs(z17)^2 + z21^2)/2)",
    ]
    for text in twins:
        assert Expression.parse(text).twin_key() == one.twin_key()
    assert Expression.parse("z29*(z17^2+z21^2)").twin_key() != one.twin_key()


def test_forms_forget_numbers_and_scale() -> None:
    h4, h10 = (
        next(p for p in PUBLISHED if p.name == name).expression
        for name in ("H4", "H10")
    )
    assert h4.form() == h10.form()
    other = Expression.parse("(z29+0.44*z3)*(z17^2+3*z21^2) - 2.56")
    assert other.form() != h10.form()


@settings(deadline=None, max_examples=50)
@given(st.floats(0.01, 5), st.floats(0.01, 5), st.floats(0.1, 9))
def test_forms_do_not_depend_on_rounding(a: float, b: float, c: float) -> None:
    wanted = Expression.parse("(z29-0.44*z3)*(z17^2+z21^2) - 2.56").form()
    for text in (
        f"-{b} - (z3 / {a} - z29)*(z17^2 + z21^2)",
        f"(z21^2 + z17^2) * ((z29 - z3*{a}) / {c}) - {b}",
        f"{c} * ({a}*z29 - z3) * (z17^2 + z21^2) - {b}",
    ):
        if 1.0 not in (a, b, c, a / c, c * a):
            assert Expression.parse(text).form() == wanted


def test_latex_and_pretty_of_a_published_formula() -> None:
    h7 = next(p for p in PUBLISHED if p.name == "H7").expression
    assert h7.pretty() == (
        "0.71 · (z17² + z21²) · (z29 − z3 / (1.4 · sqrt(|z3|))) − 2.11"
    )
    latex = h7.latex(names={"z3": "size 50% z3"})
    assert r"\frac{\mathrm{size\ 50\%\ z3}}{1.4\,\sqrt{\left|" in latex
    assert "z_{29}" in latex
    if importlib.util.find_spec("matplotlib"):
        from matplotlib.mathtext import MathTextParser

        for formula in PUBLISHED:
            MathTextParser("path").parse(f"${formula.expression.latex()}$")
        MathTextParser("path").parse(f"${latex}$")


def test_signs_are_written_once() -> None:
    assert Expression.parse("z3 + -2*z4 - -1").pretty() == "z3 − 2 · z4 + 1"
    assert Expression.parse("-1*z3/2 - z4").pretty() == "−1 · z3 / 2 − z4"
    assert Expression.parse("z3 + (-2 + z4)").pretty() == "z3 − 2 + z4"
    assert Expression.parse("z3 - (-2 + z4)").pretty() == "z3 − (−2 + z4)"
    assert Expression.parse("z3 - (z4 - 1)").text() == "z3 - (z4 - 1.0)"
    assert Expression.parse("0.00001*z3").latex() == r"1.00 \times 10^{-5}\,z_{3}"


def test_values_that_are_not_finite_are_an_outcome_of_their_own() -> None:
    found = Expression.parse("log(z3)")
    assert found.outcomes({"z3": np.array([0.5, 2.0, 0.0, -1.0])}) == Outcomes(1, 1, 2)


def test_a_constant_is_as_long_as_its_columns() -> None:
    assert Expression.parse("2")({"z3": np.zeros(3)}).tolist() == [2, 2, 2]
    assert Expression.parse("z3*0+2")(z3=[1, 2]).tolist() == [2, 2]


def test_missing_columns_are_named() -> None:
    with pytest.raises(InputError, match="reads z4, but only z3 is given"):
        Expression.parse("z3 + z4")({"z3": np.zeros(3)})


def test_terms_and_factors() -> None:
    h1 = PUBLISHED[0].expression
    first, second = h1.terms()
    assert (first.sign, second.sign) == (1, -1)
    assert second.expression.pretty() == "exp(exp(z3))"
    assert [f.pretty() for f in first.expression.factors()] == ["z29", "z17² + z21²"]
