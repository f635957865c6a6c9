"""What is known of a latent, in words a biologist can check."""

from __future__ import annotations

import math
from collections import Counter

from napari_cellsci.representation.atlas import LatentAtlas, LatentInfo
from napari_cellsci.representation.naming import LEAST_RHO
from napari_cellsci.viewer.readout import significant

CATEGORY_TIPS = {
    "morphology": "Changes what the cell itself looks like",
    "position": "Shifts the cell within the crop",
    "neighbourhood": "Changes the surroundings more than the cell",
    "inactive": "Carries no information: the same for all cells",
}
TOGETHER_TIP = (
    "Total correlation: how far the active latents vary together (that of a Gaussian "
    "with their covariance); 0 if each varies by itself"
)
SHARES = {
    "invariant": "stays the same however the picture is turned",
    "chiral": "changes its sign in a mirror only",
    "axes": "changes its sign when the picture is turned by 90°",
    "diagonals": "changes its sign when turned by 90° or mirrored",
    "x": "follows left and right",
    "y": "follows up and down",
}


def named_words(atlas: LatentAtlas) -> str:
    """Return how many latents have names, and whose word these are."""
    named = [info for info in atlas.active if info.name is not None]
    if not named:
        return "none named"
    counts = Counter(str(info.origin).removeprefix("named ") for info in named)
    parts = [f"{n} {words}" for words, n in counts.most_common()]
    whose = next(iter(counts)) if len(counts) == 1 else ", ".join(parts)
    return f"{len(named)} named ({whose})"


def in_short(atlas: LatentAtlas) -> tuple[str, str]:
    """Return what the card says of all latents: how things stand, and what to do."""
    active = len(atlas.active)
    words = f"{active} of {len(atlas)} latents carry information, {named_words(atlas)}."
    if not active:
        return words, (
            "All cells look the same to this encoder: it was trained too briefly, "
            "or β is too large."
        )
    waiting, doubted = waiting_words(atlas), doubt_words(atlas)
    hint = "" if waiting or doubted else "Drag on a strip to change the cell."
    masks = "" if atlas.measured else "Without masks symmetry names nothing for sure."
    parts = (waiting, doubted, masks, together_words(atlas), hint)
    return words, " ".join(filter(None, parts))


def doubt_words(atlas: LatentAtlas) -> str:
    """Return how many names these cells alone would not give; "" if none."""
    count = len(atlas.doubted)
    if not count:
        return ""
    what = "1 name is" if count == 1 else f"{count} names are"
    return f"{what} not borne out by these cells."


def together_words(atlas: LatentAtlas) -> str:
    """Return how far the active latents vary together; "" if that is not known."""
    if not math.isfinite(atlas.total_correlation):
        return ""
    shared = significant(atlas.total_correlation, 2)
    return f"Total correlation {shared} nats."


def waiting_words(atlas: LatentAtlas) -> str:
    """Return how many names wait for a person's word; "" if none does."""
    count = len(atlas.proposals)
    if not count:
        return ""
    what = "1 name waits" if count == 1 else f"{count} names wait"
    return f"{what} for your word (✓)."


def activity(info: LatentInfo) -> str:
    """Return how much a latent carries, in numbers."""
    return (
        f"{significant(info.kl)} nats per cell (the information it carries); "
        f"variance {significant(info.variance)} (1 is that of the prior)"
    )


def evidence(info: LatentInfo) -> list[str]:
    """Return why a latent is called what it is called, a sentence a line."""
    lines = [info.why] if info.why else []
    if info.component is not None:
        share = info.shares.get(info.component, math.nan)
        what = SHARES.get(info.component, info.component)
        sure = f"{info.stability:.0%} of resamples of tracks agree"
        lines.append(f"Symmetry: {share:.0%} of it {what}; {sure}.")
    for name, found in sorted(
        info.correlations.items(), key=lambda item: -abs(item[1].spearman)
    )[:2]:
        if abs(found.spearman) >= LEAST_RHO:
            values = (found.spearman, found.low, found.high)
            rho, low, high = (significant(value, 2) for value in values)
            lines.append(
                f"Measured: rank correlation with {name} {rho} [{low}–{high}]."
            )
    if math.isfinite(info.centre_share):
        lines.append(f"{info.centre_share:.0%} of its effect is where the cell lies.")
    return lines


def describe(info: LatentInfo, waiting: str | None = None) -> str:
    """Return everything a tooltip says of a latent.

    Parameters
    ----------
    info : LatentInfo
    waiting : str, optional
        The name that waits for a person's word (`LatentAtlas.proposals`).
    """
    lines = [info.label]
    if waiting is not None and info.named_by == "evidence":
        lines.append(f"Found by itself: “{waiting}”. ✓ accepts it, F2 changes it.")
    elif waiting is not None:
        lines.append(
            f"Perhaps “{waiting}”, but the evidence does not agree: ✓ accepts."
        )
    else:
        lines.append("F2 or a double click on the name changes it.")
    return "\n".join([*lines, *evidence(info)])
