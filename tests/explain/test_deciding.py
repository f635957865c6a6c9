"""Which term or path makes a score another one."""

from __future__ import annotations

import numpy as np
import pytest

from napari_cellsci.explain.activity import outputs
from napari_cellsci.explain.deciding import deciding_path, deciding_term
from napari_cellsci.explain.topology import Node, Topology
from napari_cellsci.formulas.expression import Expression

BEFORE, AFTER = np.array([0.0, 1.0, 2.0]), np.array([1.0, 1.5, 2.0])


def test_the_term_that_changed_most_decides() -> None:
    formula = Expression.parse("3*z0 - 8*z1 + exp(z2)")
    found = deciding_term(formula, BEFORE, AFTER, {"z1": "size"})
    assert found is not None
    assert found.change == pytest.approx(-4)
    assert found.text == "−8 · size"


def test_terms_that_are_undefined_or_alone_decide_nothing() -> None:
    assert deciding_term(Expression.parse("z0*z1"), BEFORE, AFTER) is None
    found = deciding_term(Expression.parse("log(z0) + z1"), BEFORE, AFTER)
    assert found is not None
    assert found.text == "z1"


def network(*weights: list[list[float]]) -> Topology:
    arrays = tuple(np.array(weight, float) for weight in weights)
    masks = tuple(array != 0 for array in arrays)
    return Topology(arrays, masks, tuple(np.zeros(len(a)) for a in arrays))


def test_the_path_leads_from_the_latent_that_moved_to_the_output() -> None:
    made = network([[1, 0, 0], [0, 5, 0]], [[4, 0.1]])
    assert deciding_path(made, BEFORE, AFTER) == (Node(0, 0), Node(1, 0), Node(2, 0))
    made = network([[1, 0, 0], [0, 5, 0]], [[0.01, 3]])
    path = deciding_path(made, BEFORE, AFTER)
    assert path == (Node(0, 1), Node(1, 1), Node(2, 0))
    cut = tuple(mask.copy() for mask in made.masks)
    cut[0][1, 1] = False
    weights = tuple(w * m for w, m in zip(made.weights, cut, strict=True))
    without = Topology(weights, cut, made.biases)
    moved = np.diff(outputs(made, np.stack([BEFORE, AFTER]))[:, 0])
    less = np.diff(outputs(without, np.stack([BEFORE, AFTER]))[:, 0])
    assert abs(less) < 0.1 * abs(moved)


def test_without_a_change_there_is_no_path() -> None:
    made = network([[1, 0, 0], [0, 5, 0]], [[4, 0.1]])
    assert deciding_path(made, BEFORE, BEFORE) == ()
