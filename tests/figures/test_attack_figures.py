"""Attacks drawn, from numbers made up."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from napari_cellsci.errors import InputError
from napari_cellsci.explain.robustness import IMAGE_STEPS, LATENT_STEPS, Curve
from napari_cellsci.explain.verdict import Findings, judge
from napari_cellsci.figures.attacks import draw_robustness, save_robustness
from napari_cellsci.project.robustness import ModelRobustness, Robustness


@pytest.fixture
def found() -> Robustness:
    findings = Findings(
        accuracy=0.98,
        swapped={"interphase": (20, 100), "metaphase": (3, 60)},
        swap_shift=0.2,
        around_latents=0.6,
        own_latents=0.4,
        outside=0.8,
        inside=0.5,
        probe=0.2,
        energy=0.7,
        area=0.2,
        noise=0.05,
        at_noise=0.96,
        half=0.4,
        same=0.99,
        wobble=0.05,
        blank_class="interphase",
        blank_score=-2.0,
        blank_flagged=True,
    )
    fall = np.exp(-np.array(IMAGE_STEPS))[None] * [[0.9], [1.0]]
    models = []
    for scheme in (1, 2):
        curves = {"image": Curve(IMAGE_STEPS, fall, 40)}
        if scheme == 2:
            for kind in ("latent", "around", "own"):
                curves[kind] = Curve(LATENT_STEPS, fall, 40)
        models.append(
            ModelRobustness(
                bundle=f"model {scheme}",
                scheme=scheme,
                models=2,
                curves=curves,
                smallest={"interphase": np.array([0.1, np.inf])},
                alike={"size z3": 0.4},
                findings=findings,
                verdict=judge(findings),
            )
        )
    return Robustness(
        models=tuple(models),
        cells={"interphase": 30},
        noise=0.05,
        grey=200.0,
        colours={"interphase": "#0072B2"},
    )


def test_curves_are_drawn_with_the_verdicts(found: Robustness, tmp_path: Path) -> None:
    for name in ("a.svg", "a.png", "a.pdf"):
        save_robustness(found, tmp_path / name)
        assert (tmp_path / name).stat().st_size > 1000
    image, latent, smallest = (f for f in draw_robustness(found).subfigs[0].axes)
    solid = [line for line in image.lines if len(line.get_xdata()) == 21]
    assert len(solid) == 2
    np.testing.assert_allclose(
        solid[0].get_ydata(), found.models[0].curves["image"].mean
    )
    assert sum(len(line.get_xdata()) == 21 for line in latent.lines) == 3
    line = smallest.lines[0]
    assert line.get_color() == "#0072B2"
    assert line.get_ydata()[-1] == 0.5  # the other cell never changes
    with pytest.raises(InputError, match="drawn as"):
        save_robustness(found, tmp_path / "a.doc")


def test_the_table_has_a_line_for_every_point(found: Robustness) -> None:
    table = found.table()
    assert len(table) == 21 * 5 + 2 * 2
    assert set(table["attack"]) == {"image", "latent", "around", "own", "smallest"}
    cells = table[table["attack"] == "smallest"]
    assert cells["epsilon"].tolist() == pytest.approx([0.1, np.nan] * 2, nan_ok=True)
    assert set(cells["class"]) == {"interphase"}
    values = found.to_dict()
    assert values["models"][0]["shortcut"] == "yes"
    assert values["models"][0]["smallest_epsilon"]["interphase"]["changed"] == 1
