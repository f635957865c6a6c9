"""A cell under attack as pictures: in the panel, and for layers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_cellsci.panels.robustness.desk import AttackDesk, Moved, Picture
from napari_cellsci.panels.robustness.pictures import (
    Shot,
    diverging_image,
    grey_image,
)

if TYPE_CHECKING:
    from collections.abc import Mapping


def shots_of(desk: AttackDesk, moved: Moved, palette: Mapping[str, str]) -> list[Shot]:
    """Return original, attacked, difference, and what the decoder draws of both."""
    most = float(np.abs(moved.difference).max()) or 1.0
    like = desk.original
    shots = [
        _shot("original", desk.original, desk, desk.score, desk.decided, palette),
        _shot("attacked", moved.attacked, desk, moved.score, moved.decided, palette),
        Shot(
            diverging_image(moved.difference, most),
            "difference",
            f"±{most:.2g}" if moved.epsilon else "none",
        ),
    ]
    if desk.drawn is not None and moved.drawn is not None:
        for when, picture in (("before", desk.drawn), ("after", moved.drawn)):
            shots.append(Shot(grey_image(picture, like), "reconstruction", when))
    return shots


def _shot(
    title: str,
    picture: Picture,
    desk: AttackDesk,
    score: float,
    decided: int,
    palette: Mapping[str, str],
) -> Shot:
    classes = desk.bundle.classes
    name = classes[decided] if decided >= 0 else "no class"
    color = palette.get(name, "") if decided >= 0 else ""
    what = "f" if desk.lead_of is None else "lead"
    return Shot(
        grey_image(picture, desk.original), title, name, color, f"{what} = {score:+.2f}"
    )


def layer_pictures(desk: AttackDesk, moved: Moved) -> dict[str, Picture | None]:
    """Return what is shown as layers (C, S, S), by the keys of `AttackLayers`."""
    return {
        "original": desk.original,
        "attacked": moved.attacked,
        "difference": moved.difference,
        "drawn_before": desk.drawn,
        "drawn_after": moved.drawn,
    }
