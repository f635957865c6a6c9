from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_cellsci.errors import InputError
from napari_cellsci.formulas import evolution as ev
from napari_cellsci.formulas import tokens
from napari_cellsci.formulas.expression import Expression
from napari_cellsci.formulas.islands import IslandSearch, Recipe, _rules
from napari_cellsci.formulas.spec import Candidate, SearchSpec
from napari_cellsci.formulas.variation import Dice, complexity_of, lawful

NAMES = ("z3", "z17", "z21")
SMALL = Recipe(islands=4, steps=320, batch=256)


def data(n: int = 400, seed: int = 0):
    x = np.random.default_rng(seed).normal(size=(n, 3))
    columns = dict(zip(NAMES, x.T, strict=True))
    return x, columns


def search(x, y, w=None, recipe=SMALL, **given) -> list[Candidate]:
    spec = SearchSpec(**{"evaluations": 30_000, **given})
    w = np.ones(len(y)) if w is None else w
    return IslandSearch(x, y, w, NAMES, spec, recipe).search()


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 10_000), st.booleans())
def test_children_are_formulas_within_the_rules(seed: int, nested: bool) -> None:
    spec = SearchSpec(maxsize=12, nested=nested, evaluations=1)
    rules = _rules(spec, 3)
    rng = np.random.default_rng(seed)
    dice = Dice(rng.random(50_000), np.zeros(1, np.int64))
    brood, pop = ev.empty_brood(24, 12), ev.empty_population(24, 12)
    ev.settlers(brood, 5, rules, dice)
    knobs = ev.Knobs(0, 1.0, 1e-3, 20.0, 5, 0.9, 0.3, 0.3)
    counts = np.ones(13)
    for _ in range(8):
        pop.code[:], pop.value[:] = brood.code, brood.value
        keep = brood.length > 0
        pop.length[:] = np.where(keep, brood.length, 1)
        pop.code[~keep, 0] = tokens.CONSTANT
        pop.size[:] = np.where(keep, brood.size, 1)
        pop.cost[:] = rng.random(24)
        for p in range(24):
            root = tokens.decode(pop.code[p], pop.value[p], pop.length[p], NAMES)
            assert Expression(root).size == pop.length[p]
            assert Expression(root).complexity() == pop.size[p] <= 12
            assert complexity_of(pop.code[p], pop.length[p], rules) == pop.size[p]
            assert lawful(pop.code[p], pop.length[p], rules)
            if not nested:
                assert not _nests(root)
        ev.breed(pop, brood, rules, knobs, counts, dice)


def _nests(node, inside: bool = False) -> bool:
    here = node.op in ("sin", "exp")
    return (here and inside) or any(_nests(arg, inside or here) for arg in node.args)


def test_numbers_are_folded_as_they_are() -> None:
    texts = ["z3 + (2 - 3 * square(0.5))", "exp(1) * z17 / sqrt(2)", "log(-1) + z3"]
    for text in texts:
        found = Expression.parse(text)
        code, value, length = tokens.encode(found.root, NAMES, 20)
        short = ev.fold(code, value, length)
        folded = Expression(tokens.decode(code, value, short, NAMES))
        _, columns = data(5)
        np.testing.assert_allclose(folded(columns), found(columns))
    assert short == length, "what is not defined stays"


def test_a_formula_is_found_and_the_front_falls() -> None:
    x, columns = data()
    truth = Expression.parse("z3 * z17 - 1.5 * square(z21)")
    front = search(x, truth(columns), loss="mse", operators="plain", maxsize=12)
    losses = [found.loss for found in front]
    sizes = [found.complexity for found in front]
    assert losses == sorted(losses, reverse=True)
    assert sizes == sorted(set(sizes))
    assert front[-1].loss < 1e-6
    assert all(found.expression.complexity() == found.complexity for found in front)
    allowed = {"+", "-", "*", "/", "square", "abs", "number", "name", "neg"}
    for found in front:
        assert {node.op for node in found.expression.root.walk()} <= allowed
    keys = [found.expression.twin_key() for found in front]
    assert len(set(keys)) == len(keys)


def test_the_same_budget_finds_the_same_on_any_number_of_threads() -> None:
    x, columns = data(300)
    y = np.where(columns["z3"] * columns["z17"] > 0.3, 1.0, -1.0)
    one, two = (search(x, y, cores=cores, seed=3) for cores in (1, 2))
    assert one == two
    assert one != search(x, y, seed=4)


def test_few_cells_of_one_class_do_not_end_at_minus_one() -> None:
    x, columns = data(1500, seed=2)
    f = columns["z17"] * columns["z3"] - 1.2
    y = np.where(f >= 0, 1.0, -1.0)
    assert 0.05 < (y > 0).mean() < 0.15
    best = search(x, y, evaluations=60_000)[-1].expression(columns) >= 0
    assert best[y > 0].mean() > 0.5


def test_weights_move_the_border() -> None:
    x, columns = data(800, seed=3)
    noise = np.random.default_rng(0).normal(size=800)
    y = np.where(columns["z3"] + noise > 1.2, 1.0, -1.0)
    heavy = np.where(y > 0, 10.0, 1.0)
    plain, weighted = (
        (search(x, y, w, maxsize=7)[-1].expression(columns) >= 0).mean()
        for w in (np.ones(800), heavy)
    )
    assert weighted > plain


def test_a_standstill_begins_half_of_the_islands_anew() -> None:
    x, columns = data(200)
    recipe = Recipe(islands=4, steps=64, batch=128, patience=3)
    spec = SearchSpec(loss="mse", evaluations=20_000, maxsize=7)
    running = IslandSearch(x, columns["z3"], np.ones(200), NAMES, spec, recipe)
    begun = []
    begin = running._begin

    def counted(island) -> int:
        begun.append(island)
        return begin(island)

    running._begin = counted  # type: ignore[method-assign]
    front = running.search()
    assert len(begun) > 4
    assert front[-1].loss == 0.0


def test_constant_latents_are_no_trouble() -> None:
    x, columns = data(200)
    x[:, 1] = 2.0
    y = np.where(columns["z3"] > 0, 1.0, -1.0)
    front = search(x, y, evaluations=5_000)
    assert math.isfinite(front[-1].loss)


def test_stopping_keeps_what_was_found() -> None:
    x, columns = data(200)
    y = np.where(columns["z3"] > 0, 1.0, -1.0)
    spec = SearchSpec(evaluations=10**9)
    running = IslandSearch(x, y, np.ones(200), NAMES, spec, SMALL)
    fractions: list[float] = []
    front = running.search(fractions.append, lambda: len(fractions) == 2)
    assert len(fractions) == 2
    assert front


def test_time_is_a_budget_too() -> None:
    x, columns = data(200)
    ticks = iter(range(1000))
    running = IslandSearch(
        x,
        np.sign(columns["z3"]),
        np.ones(200),
        NAMES,
        SearchSpec(seconds=3.0),
        SMALL,
    )
    running.search(clock=lambda: float(next(ticks)))
    assert running.meetings == 3


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"operators": "all"}, "Operators are"),
        ({"loss": "l1"}, "The loss is"),
        ({"maxsize": 3}, "needs room"),
        ({"seconds": 0}, "more than 0"),
        ({"cores": 0}, "at least one core"),
        ({"weights": {"sin": 0}}, "at least 1"),
    ],
)
def test_settings_that_make_no_sense_are_refused(given, says: str) -> None:
    with pytest.raises(InputError, match=says):
        SearchSpec(**given)
