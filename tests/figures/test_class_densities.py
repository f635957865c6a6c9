from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from napari_cellsci.figures.latent_map import DensityFigure, save_densities
from napari_cellsci.labels.classes import OKABE_ITO
from napari_cellsci.representation.separation import class_densities, separation


def test_nine_classes_of_twenty_latents_are_drawn_with_their_key(
    tmp_path: Path,
) -> None:
    rng = np.random.default_rng(0)
    codes = rng.integers(-1, 9, 300)
    z = rng.normal(size=(300, 20)) + np.linspace(0, 3, 20) * codes[:, None] / 9
    names = [f"early anaphase {k}" for k in range(9)]
    colors = [OKABE_ITO[k % len(OKABE_ITO)] for k in range(9)]
    shown = DensityFigure(
        [f"z{d}" for d in range(20)],
        class_densities(z, codes, 9),
        separation(z, codes, np.arange(300) // 3),
        names,
        colors,
    )
    assert shown.separation.ranked()[0] > 12  # where the classes lie farthest apart
    save_densities(tmp_path / "classes.png", shown)
    with Image.open(tmp_path / "classes.png") as picture:
        width, height = picture.size
        # White margins left and right: nothing runs over the edge of the figure.
        edge = np.asarray(picture.convert("L"))[:, [0, 1, width - 2, width - 1]]
    assert (edge == 255).all()
    assert height > width / 2
