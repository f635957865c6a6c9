"""Failing pictures on the map, from codes made up."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from napari_cellsci.figures.latent_map import MapFigure, draw_map
from napari_cellsci.panels.latent_map.guests import failing_guests
from napari_cellsci.project.failing import ORIGINAL
from napari_cellsci.representation.embedding import principal_components


def standing(current: int, axes: tuple[str, str], encoder: str = "e") -> Any:
    codes = {
        ORIGINAL: np.zeros(3, np.float32),
        "blank": np.array([1, 2, 3], np.float32),
        "dim": np.array([4, 5, 6], np.float32),
    }
    answers = {name: SimpleNamespace(score=float(z[0])) for name, z in codes.items()}
    bundle = SimpleNamespace(name="b", encoder=SimpleNamespace(hash=encoder))
    service = SimpleNamespace(
        failures=SimpleNamespace(cell=7, codes={"b": codes}, answers={"b": answers}),
        opened=SimpleNamespace(bundle=bundle),
    )
    session: Any = SimpleNamespace(current=current, service=lambda kind: service)
    code: Any = SimpleNamespace(encoder=SimpleNamespace(hash="e"))
    cells = np.random.default_rng(0).normal(size=(20, 3)).astype(np.float32)
    return failing_guests(session, code, principal_components(cells), axes)


def test_failures_lie_where_their_codes_say() -> None:
    found = standing(7, ("z2", "z0"))
    assert found.names == ("Blank", "Dim")
    np.testing.assert_allclose(found.xy, [[3, 1], [6, 4]])
    assert standing(7, ("pc0", "score")).xy.shape == (2, 2)
    assert not standing(8, ("z2", "z0")).names  # another cell is selected
    assert not standing(7, ("z2", "z0"), encoder="other").names
    assert not standing(7, ("umap0", "umap1")).names


def test_the_figure_names_them() -> None:
    found = standing(7, ("z2", "z0"))
    shown = MapFigure(
        np.zeros((1, 2)), np.ones((1, 4)), np.array([0]), ("x", "y"),
        guests=found.xy, guest_names=found.names,
    )  # fmt: skip
    axes = Figure().subplots()
    draw_map(axes, shown)
    assert {text.get_text() for text in axes.texts} == {"Blank", "Dim"}
