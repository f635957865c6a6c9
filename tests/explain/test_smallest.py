from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_cellsci.explain.smallest import SmallestChanges, by_class

INF = float("inf")


@settings(deadline=None, max_examples=50)
@given(st.lists(st.floats(0, 1) | st.just(INF), min_size=1, max_size=30))
def test_the_line_counts_the_cells_that_have_changed(epsilons: list[float]) -> None:
    one = SmallestChanges("a", "b", np.sort(epsilons))
    x, share = one.steps(1.0)
    assert len(x) == len(share)
    assert (np.diff(x) >= 0).all()
    assert (np.diff(share) >= 0).all()
    for at in (0.0, 0.5, 1.0):
        counted = np.mean(np.array(epsilons) <= at)
        assert share[x <= at][-1] == pytest.approx(counted)
    half = one.quartiles[1]
    assert np.mean(np.array(epsilons) <= half) >= 0.5
    assert np.mean(np.array(epsilons) < half) < 0.5


def test_cells_that_withstand_count_in_the_words() -> None:
    first, second = by_class({"a": [0.3, INF, 0.1], "b": [INF, INF, 0.2], "c": []})
    assert first.words == "a → another class"
    assert first.in_words().endswith("half by ε = 0.3 [0.1–more]; 2 of 3 cells change")
    assert second.in_words() == "b → another class: 1 of 3 cells change"
    (pair, _) = by_class({"a": [0.2], "b": [0.1]})
    assert (pair.start, pair.end, pair.changed) == ("a", "b", 1)
