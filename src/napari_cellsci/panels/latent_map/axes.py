"""What the axes of the map can be: latents, principal components, UMAP, the score."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_cellsci.panels._choice import Choice
from napari_cellsci.panels.latents.service import Code
from napari_cellsci.representation.embedding import Components
from napari_cellsci.representation.umap_layout import HOW_TO_INSTALL, umap_installed

SCORE = "score"
COMPONENTS = 4
"""Principal components that are offered."""
_LATENT, _COMPONENT, _UMAP = "z", "pc", "umap"


def latent_key(index: int) -> str:
    """Return the key of a latent."""
    return f"{_LATENT}{index}"


def component_key(number: int) -> str:
    """Return the key of a principal component, from 0."""
    return f"{_COMPONENT}{number}"


def latent_of(key: str) -> int | None:
    """Return the number of the latent that a key means, if it means one."""
    number = key.removeprefix(_LATENT)
    return int(number) if key.startswith(_LATENT) and number.isdigit() else None


def is_umap(key: str) -> bool:
    """Return whether a key means a coordinate of the UMAP."""
    return key.startswith(_UMAP)


def axes_of(code: Code, parts: Components, scored: bool) -> list[list[Choice]]:
    """Return what an axis can be, in groups: active latents, others, inactive ones."""
    active, inactive = [], []
    for index in code.order():
        if code.is_active(index):
            active.append(
                Choice(latent_key(index), code.label(index), _tip(code, index))
            )
        else:
            words = f"{code.label(index)} · inactive"
            tip = "Carries no information: the same for all cells"
            inactive.append(Choice(latent_key(index), words, tip))
    others = [
        Choice(
            component_key(i),
            f"PC {i + 1} ({100 * share:.0f} %)",
            "Principal component: the direction in which the cells differ most, then "
            "next most; in brackets its part of the whole variance",
        )
        for i, share in enumerate(parts.share[:COMPONENTS])
    ]
    why_not = "" if umap_installed() else HOW_TO_INSTALL
    others += [
        Choice(
            f"{_UMAP}{i}",
            f"UMAP {i + 1}",
            "A map that keeps similar cells together; distances between groups mean "
            "little. Takes a while the first time",
            why_not,
        )
        for i in range(2)
    ]
    why_not = "" if scored else "Score the cells first"
    others.append(Choice(SCORE, "score", "The classifier's score f", why_not))
    return [group for group in (active, others, inactive) if group]


def _tip(code: Code, index: int) -> str:
    return "" if code.atlas is None else code.atlas[index].why


def coordinate(
    key: str,
    code: Code,
    parts: Components,
    plane: NDArray[np.float32] | None,
    score: NDArray[Any] | None,
) -> NDArray[np.float32]:
    """Return one coordinate of all cells (n,); NaN where it is not known."""
    latent = latent_of(key)
    if latent is not None and latent < code.size:
        return np.asarray(code.latents[:, latent])
    if key.startswith(_COMPONENT):
        i = int(key.removeprefix(_COMPONENT))
        if i < len(parts.share):
            return parts.project(code.latents)[:, i]
    if is_umap(key) and plane is not None:
        return plane[:, int(key.removeprefix(_UMAP))]
    if key == SCORE and score is not None:
        return np.asarray(score, np.float32)
    return np.full(len(code.latents), np.nan, np.float32)


def placed_on(
    key: str,
    z: NDArray[np.float32],
    parts: Components,
    score: NDArray[np.float32],
) -> NDArray[np.float32] | None:
    """Return one coordinate of codes (k, D) that are no cells'; None if it has none."""
    latent = latent_of(key)
    if latent is not None:
        return z[:, latent] if latent < z.shape[1] else None
    if key.startswith(_COMPONENT):
        i = int(key.removeprefix(_COMPONENT))
        return parts.project(z)[:, i] if i < len(parts.share) else None
    return score if key == SCORE else None
