"""Where each of several classes wins, as inequalities."""

from __future__ import annotations

import numpy as np

from napari_cellsci.formulas import Expression
from napari_cellsci.formulas.regions import in_words, regions

X = np.random.default_rng(3).normal(size=(800, 2))
COLUMNS = dict(zip(("z0", "z1"), X.T, strict=True))
CLASSES = ("inter", "meta", "ana")


def of(*texts: str) -> list[Expression]:
    return [Expression.parse(text) for text in texts]


def test_inequalities_hold_exactly_where_a_class_wins() -> None:
    formulas = of("1 - square(z0)", "2*z0 - 1", "z1*z0 - 0.5")
    found = regions(formulas, CLASSES, COLUMNS)
    winner = np.argmax([formula(COLUMNS) for formula in formulas], axis=0)
    assert [region.name for region in found] == list(CLASSES)
    for k, region in enumerate(found):
        inside = np.ones(len(X), bool)
        for border in region.borders:
            inside &= border.inequality(COLUMNS) >= 0
        np.testing.assert_array_equal(inside, winner == k)
        assert region.share == (winner == k).mean()


def test_borders_that_follow_from_others_are_left_out() -> None:
    # Along one latent the outer classes never meet.
    found = regions(of("-z0 - 1", "0.3", "z0 - 1"), CLASSES, COLUMNS)
    assert [len(region.borders) for region in found] == [1, 2, 1]
    assert {border.rival for border in found[1].borders} == {"inter", "ana"}
    (border,) = found[2].borders
    assert border.rival == "meta"
    assert border.inequality.pretty() == "z0 − 1.3"
    assert border.cells == int((X[:, 0] < 1.3).sum())
    said = in_words(found, {"z0": "size z0"}.__getitem__)
    assert said[2][0].startswith("ana, ")
    assert said[2][1] == ["size z0 − 1.3 ≥ 0 (else rather meta)"]
    long = " + ".join(f"square(z{k % 2} - {k})" for k in range(6))
    found = regions(of(long, "z1", "-9"), CLASSES, COLUMNS)
    assert in_words(found)[1][1] == ["f(meta) ≥ f(inter)"]


def test_cells_without_a_value_count_nowhere() -> None:
    found = regions(of("log(z0)", "z1", "0.0"), CLASSES, COLUMNS)
    assert sum(region.share for region in found) == 1.0
    none = regions(of("log(0 - square(z0))", "z1", "0.0"), CLASSES, COLUMNS)
    assert [region.share for region in none] == [0.0] * 3
