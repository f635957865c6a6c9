from __future__ import annotations

import numpy as np
import pytest

from napari_cellsci.figures.formula_text import ink_of, lines_of, set_formula
from napari_cellsci.formulas import Expression, FormulaError
from napari_cellsci.formulas.published import PUBLISHED
from napari_cellsci.heads.evaluate import balanced_accuracy
from napari_cellsci.panels.expressions import candidates as lists
from napari_cellsci.panels.expressions import verdict as verdicts
from napari_cellsci.panels.expressions import words
from napari_cellsci.panels.expressions.bench import Bench
from napari_cellsci.panels.expressions.boundary import (
    Held,
    axes_of,
    boundary,
    said_of,
    span_of,
)
from napari_cellsci.panels.expressions.code import as_function
from napari_cellsci.panels.expressions.parts import spread_of
from napari_cellsci.panels.expressions.start import first_formula
from napari_cellsci.panels.expressions.subject import Subject

N = 600


@pytest.fixture
def subject() -> Subject:
    """Cells whose class is the sign of z0 + z1² − 1, a third of them labelled."""
    rng = np.random.default_rng(0)
    z = rng.normal(size=(N, 4)).astype(np.float32)
    truth = z[:, 0].astype(float) + z[:, 1].astype(float) ** 2 - 1
    labels = np.where(np.arange(N) % 3 == 0, truth >= 0, -1).astype(np.int64)
    network = truth + 0.3 * rng.normal(size=N)
    names = {"z0": "size", "z1": "gap to others", "z2": "gap to others"}
    return Subject(
        z, labels, np.arange(N) // 6, ("interphase", "metaphase"), network, names
    )


def test_names_can_be_typed_and_unknown_ones_are_marked(subject: Subject) -> None:
    assert subject.aliases == {"size": "z0"}  # the other name is that of two latents
    assert subject.read("size + z1").names == ("z0", "z1")
    with pytest.raises(FormulaError, match="z0 to z3") as error:
        subject.read("z0 + z10")
    assert (error.value.start, error.value.end) == (5, 8)
    assert subject.label("z0") == "size z0"
    assert subject.label("z3") == "z3"


def test_verdict_counts_what_is_right_agrees_and_is_not_defined(
    subject: Subject,
) -> None:
    formula = subject.read("log(z0)")
    scores = subject.scores(formula)
    verdict = verdicts.judge(subject, formula)
    rows = np.flatnonzero(subject.labels >= 0)
    y, undefined = subject.labels[rows], ~np.isfinite(scores[rows])
    called = np.where(undefined, 1 - y, scores[rows] >= 0)
    assert verdict.labelled == len(rows)
    assert verdict.accuracy == pytest.approx((called == y).mean())
    assert verdict.balanced == pytest.approx(balanced_accuracy(y, called))
    assert verdict.outcomes.undefined == (~np.isfinite(scores)).sum() > 0
    assert np.isinf(verdict.loss)
    assert subject.network is not None
    same = np.isfinite(scores) & ((scores >= 0) == (subject.network >= 0))
    assert verdict.agreement == pytest.approx(same.mean())
    assert set(verdicts.against_network(subject, scores)) == set(np.flatnonzero(~same))
    wrong = verdicts.against_labels(subject, scores)
    assert set(wrong) == set(rows[called != y])
    line = verdicts.judge(subject, subject.read("z0"))
    hinge = np.maximum(0, 1 - (2 * y - 1) * subject.latents[rows, 0])
    assert line.loss == pytest.approx(hinge.mean(), rel=1e-6)
    low, high = verdicts.interval(subject, subject.scores(subject.read("z0")))
    assert low <= line.balanced <= high


def test_only_held_out_cells_count_where_they_are_known(subject: Subject) -> None:
    from dataclasses import replace

    held = np.arange(N) < N // 2
    part = replace(subject, held=held)
    assert part.is_held_out
    assert set(part.judged) == set(np.flatnonzero(held & (subject.labels >= 0)))
    assert not replace(subject, held=~(subject.labels >= 0)).is_held_out


def test_half_typed_text_keeps_the_last_formula(subject: Subject) -> None:
    bench, seen = Bench(), []
    bench.judged.connect(lambda: seen.append(bench.written))
    bench.take(subject)
    bench.write("z0 + square(z1) - 1")
    first = bench.written
    assert first is not None
    assert first.verdict.balanced == 1
    bench.write("z0 + square(z1) - ")
    assert bench.written is first
    assert bench.error is not None
    assert bench.error.start == 17
    bench.write("z0 + square(z1) - 2")
    assert bench.error is None
    assert bench.written is not first
    bench.undo()  # the half-typed text was no step
    assert bench.text == "z0 + square(z1) - 1"
    assert bench.written is not None
    assert bench.written.expression == first.expression
    bench.redo()
    assert bench.text == "z0 + square(z1) - 2"
    assert not bench.can_redo
    bench.undo()
    bench.write("z0")
    assert not bench.can_redo
    n = len(seen)
    bench.write("z0 ")  # the same formula: nothing is judged again
    assert len(seen) == n
    bench.take(None, keep=False)
    assert bench.written is None
    assert not bench.can_undo


def test_the_list_stars_the_smallest_good_formula_and_merges_twins(
    subject: Subject,
) -> None:
    texts = ["z0", "z0 + square(z1) - 1", "square(z1) - 1 + z0", "z1*z1 + z0 - 1.01"]
    texts += ["z0 + square(z1) - 1 + 0.001*exp(z2)", "z2"]
    found = lists.merged(lists.judged(subject, subject.read(t), "x") for t in texts)
    assert len(found) == 5
    sizes = [one.verdict.size for one in found]
    assert sizes == sorted(sizes)
    best = lists.chosen(found)
    assert best is not None
    assert str(best.expression) == str(subject.read(texts[1]))
    front = lists.front(found)
    rates = [one.verdict.balanced for one in front]
    assert rates == sorted(set(rates))
    assert lists.chosen([]) is None
    # The error agrees with the bootstrap over the same tracks.
    scores = subject.scores(subject.read("z0"))
    low, high = verdicts.interval(subject, scores)
    assert lists.standard_error(subject, scores) == pytest.approx(
        (high - low) / 3.92, rel=0.3
    )


def test_without_labels_nothing_is_claimed(subject: Subject) -> None:
    from dataclasses import replace

    bare = replace(subject, labels=np.full(N, -1), network=None)
    bench = Bench()
    bench.take(bare)
    bench.write("z0")
    assert bench.written is not None
    assert np.isnan(bench.written.verdict.balanced)
    assert "No labelled cells" in words.about_labels(bench.written)
    assert words.about_network(bench.written, "net") == ""
    assert lists.chosen([lists.judged(bare, bare.read("z0"), "x")]) is None
    assert first_formula(bare) == "z0"


def test_the_first_formula_is_a_line_over_what_matters(subject: Subject) -> None:
    formula = subject.read(first_formula(subject, 2))
    assert "z0" in formula.names
    assert verdicts.judge(subject, formula).balanced > 0.7


def test_the_first_formula_finds_a_rare_class(subject: Subject) -> None:
    from dataclasses import replace

    rare = (subject.latents[:, 0] > 1.6).astype(np.int64)
    rare[::30] = 1 - rare[::30]
    assert 0 < rare.mean() < 0.15
    one = replace(subject, labels=rare)
    assert verdicts.judge(one, one.read(first_formula(one, 2))).balanced > 0.7


def test_the_copied_function_gives_the_scores(subject: Subject) -> None:
    bench = Bench()
    bench.take(subject)
    bench.write("size*exp(z1) - 0.5")
    assert bench.written is not None
    source = as_function(bench.written)
    room: dict[str, object] = {}
    exec(source, room)
    f = room["f"]
    assert callable(f)
    found = f(subject.latents[:, 0], subject.latents[:, 1])
    np.testing.assert_allclose(found, bench.written.scores, rtol=1e-4, atol=1e-6)
    assert "size" in source
    assert "metaphase" in source


def test_formulas_are_set_within_the_width_there_is() -> None:
    for published in PUBLISHED:
        formula = published.expression
        for width in (200.0, 330.0):
            found = set_formula(formula, {}, width, points=13, dpi=96)
            assert found is not None
            assert found.ink.max() > 200
            assert found.ink.shape[1] <= 1.45 * width
    names = {"z29": "size z29", "z3": "gap_50% z3"}
    h1 = PUBLISHED[0].expression
    wide = set_formula(h1, names, 900, points=13, dpi=96)
    narrow = set_formula(h1, names, 230, points=13, dpi=96)
    assert wide is not None
    assert wide.named
    assert narrow is not None
    assert narrow.ink.shape[1] <= 230
    assert len(lines_of(h1, {})) == 2
    assert ink_of("z_{3}", 12, 96) is ink_of("z_{3}", 12, 96)
    assert Expression.parse("z3").latex(names=names)


def test_parts_are_terms_and_factors_with_both_classes_along_them(
    subject: Subject,
) -> None:
    bench = Bench()
    bench.take(subject)
    bench.write("z0*(square(z1) + 1) - exp(z2) - 2")
    assert bench.written is not None
    parts = spread_of(bench.written)
    assert [(part.title, str(part.expression)) for part in parts[1:]] == [
        ("+", "z0 * (square(z1) + 1.0)"),
        ("×", "z0"),
        ("×", "square(z1) + 1.0"),
        ("−", "exp(z2)"),
    ]
    for part in parts:
        assert part.labelled
        assert len(part.edges) == len(part.below) + 1
        assert part.above.sum() == pytest.approx(1, abs=0.1)
    assert parts[0].edges[0] < 0 < parts[0].edges[-1]


def test_the_boundary_is_that_of_the_formula(subject: Subject) -> None:
    formula = subject.read("z0 + square(z1) - z2")
    assert set(axes_of(subject, formula, ("z1",))) > {"z1"}
    assert axes_of(subject, formula, ("z2", "z0")) == ("z2", "z0")
    # Where z2 and z3 move alone, nothing is ever below 0.
    deep = subject.read("exp(z2) + exp(z3) + 9*z0")
    assert "z0" in axes_of(subject, deep)
    held = Held(("z0", "z1"), {"z2": 0.7})
    response = boundary(subject, formula, held)
    x, y = response.axes
    low, high = span_of(subject, "z0")
    assert (x[0], x[-1]) == (low, high)
    expected = x[None] + y[:, None] ** 2 - 0.7
    cut = np.abs(response.total).max()
    np.testing.assert_allclose(response.total, np.clip(expected, -cut, cut))
    assert "metaphase in" in said_of(response, subject.classes)
    curve = boundary(subject, subject.read("log(z0)"), Held(("z0",), {}))
    assert np.isnan(curve.total).mean() == pytest.approx((x < 0).mean(), abs=0.02)
    assert "No value in" in said_of(curve, subject.classes)
    never = boundary(subject, subject.read("0 - exp(z0)"), Held(("z0",), {}))
    assert "Everything here is interphase" in said_of(never, subject.classes)


def test_formulas_of_a_search_are_compared_by_what_was_held_out(
    subject: Subject,
) -> None:
    good = lists.judged(subject, subject.read("z0 + square(z1) - 1"), "search", 0.6)
    line = lists.judged(subject, subject.read("z0"), "by hand")
    assert good.rate == 0.6
    assert line.rate == line.verdict.balanced > 0.6
    assert lists.chosen([good, line]) is line
    assert "held out" in dict(words.numbers(good))
