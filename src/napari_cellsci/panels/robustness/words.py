"""What the Robustness panel says. Knows nothing of Qt."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_cellsci.panels.robustness.desk import AttackDesk, Moved

if TYPE_CHECKING:
    from napari_cellsci.representation.atlas import LatentAtlas


def epsilon_in_words(
    desk: AttackDesk | None, epsilon: float, noise: float | None
) -> str:
    """Return what an ε is: grey levels and camera noise, or standard deviations."""
    if desk is None:
        return f"ε = {epsilon:.3g}"
    if desk.choice.space == "latent":
        return f"ε = {epsilon:.2f} standard deviations of each latent"
    words = f"ε = {epsilon:.3f} · {epsilon * desk.grey:.3g} grey levels"
    if noise:
        words += f" · {epsilon / noise:.2g} × camera noise"
    return words


def seen_in_words(desk: AttackDesk, moved: Moved, atlas: LatentAtlas | None) -> str:
    """Return one line on what is seen."""
    classes = desk.bundle.classes
    if desk.broken:
        return "The score of this cell, or its gradient, is not a finite number."
    if desk.dead:
        return "Nothing in this picture moves the score: its gradient is zero."
    if desk.choice.space == "latent" and desk.choice.mask == ():
        return "Tick the latents that may move."
    before = classes[desk.decided] if desk.decided >= 0 else "no class"
    after = classes[moved.decided] if moved.decided >= 0 else "no class"
    if moved.epsilon == 0:
        return f"Unchanged: {before}. Drag ε to move every pixel by as much."
    if desk.choice.space == "latent":
        what = "each latent moves by ε the way that counts most"
    else:
        what = "each pixel moves by ε the way that counts most"
    start = f"{before} becomes {after}" if before != after else f"still {before}"
    lead = desk.lead_of
    scored = "" if lead is None else f" The score is the lead of {lead} over the next."
    latents = desk.moved_latents(moved.epsilon)
    told = ""
    if latents is not None and atlas is not None:
        active = [d for d in range(len(latents)) if atlas[d].active]
        top = sorted(active, key=lambda d: -abs(latents[d]))[:2]
        named = [f"{atlas[d].label} {latents[d]:+.2f}" for d in top if latents[d]]
        told = f" Its code moves most in {' and '.join(named)}." if named else ""
    return f"{start[0].upper()}{start[1:]}: {what}.{told}{scored}"


def smallest_in_words(desk: AttackDesk, epsilon: float) -> str:
    """Return how small a change is enough."""
    if not np.isfinite(epsilon):
        return "No change up to the end of the slider changes its class."
    if epsilon == 0:
        return "It is there already."
    unit = "standard deviations"
    size = f"{epsilon:.3g} {unit}"
    if desk.choice.space == "image":
        size = f"ε = {epsilon:.3g}, {epsilon * desk.grey:.3g} grey levels,"
    return f"{size} are enough to change its class."
