from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from napari_cellsci.errors import InputError
from napari_cellsci.figures.expressions import (
    FormulaPicture,
    components,
    draw,
    save_formula,
)
from napari_cellsci.formulas import Expression
from napari_cellsci.formulas.published import PUBLISHED


def picture(expression: Expression) -> FormulaPicture:
    rng = np.random.default_rng(0)
    columns = {name: rng.normal(size=300) for name in ("z3", "z17", "z21", "z29")}
    scores = expression(columns)
    codes = np.where(np.isfinite(scores), scores >= 0, -1).astype(np.int64)
    codes[::3] = -1
    names = {"z29": "size z29", "z3": "gap_% z3"}
    return FormulaPicture(
        expression, columns, codes, ("interphase", "metaphase"), names, "H1"
    )


def test_a_formula_is_drawn_with_its_parts(tmp_path: Path) -> None:
    first = PUBLISHED[0].expression
    assert [str(part) for part in components(first)] == [
        "z29",
        "square(z17) + square(z21)",
        "exp(exp(z3))",
    ]
    figure = draw(picture(first))
    titles = [axes.get_title() for axes in figure.axes]
    assert "score f" in titles
    assert any("where it decides" in title for title in titles)
    save_formula(picture(first), tmp_path / "formula.png")
    assert (tmp_path / "formula.png").stat().st_size > 5000
    with pytest.raises(InputError, match="gif"):
        save_formula(picture(first), tmp_path / "formula.gif")


def test_formulas_without_value_or_latent_are_no_trouble() -> None:
    draw(picture(Expression.parse("log(z3) + sqrt(z17)")))
    draw(picture(Expression.parse("log(0 - square(z3)) * z17")))
    with pytest.raises(InputError, match="reads no latent"):
        draw(picture(Expression.parse("1 + 2")))
