"""What attacks say of a model in plain words, with the numbers behind every word.

The paper asks whether a model looks at what biology says it should (arXiv 2402.03115,
section 6): its domain constraints are the checks here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

import numpy as np

Standing: TypeAlias = Literal["pass", "warn", "fail", "unknown"]

SWAPPED_FINE, SWAPPED_BAD = 0.06, 0.10
"""Share of decisions that may change when a cell moves among other neighbours."""
LEAST_SWAPPED = 30
"""Decisions from which that share is believed."""
LATENT_BAD = 0.15
"""Accuracy that may be lost to latents of position and neighbourhood at ε = 1."""
NOISE_FINE, NOISE_BAD = 0.05, 0.20
"""Accuracy that may be lost to a change of the size of the camera's noise."""
VIEWS_FINE, VIEWS_BAD = 0.95, 0.85
"""Share of cells that must be called the same in all eight views."""


@dataclass(frozen=True, slots=True)
class Check:
    """One of the paper's domain constraints, held against one model.

    Parameters
    ----------
    key, title : str
    standing : {"pass", "warn", "fail", "unknown"}
    sentence : str
        What was found, with its numbers.
    numbers : dict
    """

    key: str
    title: str
    standing: Standing
    sentence: str
    numbers: Mapping[str, float | str | None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """What was measured of one classifier; None where it could not be.

    Parameters
    ----------
    swapped : dict of str to (changed, n), optional
        By class: how many of n decisions changed when cells were put among the
        neighbours of others.
    swap_shift : float, optional
        Root mean square change of the score then, in its sd over cells.
    accuracy : float
        Without any attack.
    around_latents, own_latents : float, optional
        Accuracy when latents of position and neighbourhood, or of morphology, move by
        one sd.
    outside, inside : float, optional
        Accuracy when only pixels outside, or inside, of the cell change by `probe`.
    probe : float
    energy, area : float
        Share of the gradient's energy on the cell, and of the crop's area.
    noise : float, optional
        The camera's noise in units of normalised pixels.
    at_noise : float, optional
        Accuracy under an attack of that size.
    half : float
        ε (image) at which half of the accuracy is lost; NaN if never.
    same, wobble : float
        Over the eight views.
    blank_class : str
        What a blank crop is scored as.
    blank_score : float
    blank_flagged : bool
    """

    accuracy: float
    swapped: Mapping[str, tuple[int, int]] | None
    swap_shift: float | None
    around_latents: float | None
    own_latents: float | None
    outside: float
    inside: float
    probe: float
    energy: float
    area: float
    noise: float | None
    at_noise: float | None
    half: float
    same: float
    wobble: float
    blank_class: str
    blank_score: float
    blank_flagged: bool


@dataclass(frozen=True, slots=True)
class Verdict:
    """One model judged.

    Parameters
    ----------
    shortcut : {"no", "partly", "yes", "unknown"}
        Whether it changes its mind over background and neighbours.
    sentence : str
    checks : tuple of Check
    """

    shortcut: Literal["no", "partly", "yes", "unknown"]
    sentence: str
    checks: tuple[Check, ...]


def judge(found: Findings) -> Verdict:
    """Put what was measured into words."""
    checks = (_central(found), _pixels(found), _views(found), _blank(found))
    central = checks[0]
    shortcut: Literal["no", "partly", "yes", "unknown"] = (
        {"pass": "no", "warn": "partly", "fail": "yes", "unknown": "unknown"}
    )[central.standing]  # type: ignore[assignment]
    opening = {
        "no": "It decides by the cell's own shape and size.",
        "partly": "It decides mostly by the cell itself, and a little by what is "
        "around it.",
        "yes": "It takes a shortcut: it changes its mind over background and "
        "neighbours.",
        "unknown": "Whether it looks at the cell or around it could not be told.",
    }[shortcut]
    if shortcut == "no" and not _enough(found.swapped):
        opening = "Nothing speaks for a shortcut, but little could be tried."
    return Verdict(shortcut, f"{opening} {central.sentence}", checks)


def changed_share(swapped: Mapping[str, tuple[int, int]]) -> float:
    """Return the share of changed decisions, every class weighing alike."""
    shares = [changed / n for changed, n in swapped.values() if n]
    return float(np.mean(shares)) if shares else float("nan")


def _enough(swapped: Mapping[str, tuple[int, int]] | None) -> bool:
    """Return whether so many decisions were tried among other neighbours to count."""
    return swapped is not None and sum(n for _, n in swapped.values()) >= LEAST_SWAPPED


def _central(found: Findings) -> Check:
    title = "Looks at the cell only"
    numbers: dict[str, float | str | None] = {
        "energy_on_cell": found.energy,
        "area_of_cell": found.area,
        "accuracy_outside_attacked": found.outside,
        "accuracy_inside_attacked": found.inside,
        "around_latents": found.around_latents,
        "own_latents": found.own_latents,
        "swap_shift": found.swap_shift,
    }
    said, standings = [], []
    if found.swapped is not None:
        share = changed_share(found.swapped)
        numbers["swapped"] = share
        if np.isfinite(share):
            by_class = ", ".join(
                f"{changed} of {n} {name}"
                for name, (changed, n) in found.swapped.items()
                if n
            )
            said.append(
                f"Among the neighbours of other cells, {share:.0%} of its decisions "
                f"change ({by_class})."
            )
            if _enough(found.swapped):
                standings.append(_grade(share, SWAPPED_FINE, SWAPPED_BAD))
            else:
                said.append("These are too few to tell.")
    else:
        said.append("Cells and neighbours are not told apart in these pictures.")
    if found.around_latents is not None:
        lost = found.accuracy - found.around_latents
        said.append(
            "Moving only latents of position and neighbourhood by 1 sd takes its "
            f"accuracy from {found.accuracy:.0%} to {found.around_latents:.0%}"
            + (
                f"; only those of the cell's own shape, to {found.own_latents:.0%}."
                if found.own_latents is not None
                else "."
            )
        )
        # Attacks find more than the world holds: on their own they only warn.
        if not standings:
            standings.append("warn" if lost > LATENT_BAD else "pass")
    standing: Standing = standings[0] if standings else "unknown"
    return Check("central", title, standing, " ".join(said), numbers)


def _pixels(found: Findings) -> Check:
    title = "Not upset by single pixels"
    half = (
        "no change up to ε = 1 halves its accuracy"
        if not np.isfinite(found.half)
        else f"half of it is lost at ε = {found.half:.2f}"
    )
    numbers = {"noise": found.noise, "at_noise": found.at_noise, "half": found.half}
    if found.noise is None or found.at_noise is None:
        words = f"Under attack, {half}; the camera's noise is not known."
        return Check("pixels", title, "unknown", words, numbers)
    lost = found.accuracy - found.at_noise
    ratio = f", {found.half / found.noise:.1f} × that" if found.half > 0 else ""
    sentence = (
        f"A worst-case change as small as the camera's noise (ε = {found.noise:.2f}) "
        f"leaves {found.at_noise:.0%} of {found.accuracy:.0%} right; {half}{ratio}."
    )
    standing = _grade(lost, NOISE_FINE, NOISE_BAD)
    return Check("pixels", title, standing, sentence, numbers)


def _views(found: Findings) -> Check:
    standing = _grade(1 - found.same, 1 - VIEWS_FINE, 1 - VIEWS_BAD)
    sentence = (
        f"{found.same:.0%} of cells are called the same however they are turned or "
        f"mirrored; turning moves the score by {found.wobble:.2f} of what cells "
        "differ by."
    )
    numbers = {"same": found.same, "wobble": found.wobble}
    return Check("views", "The same from all eight sides", standing, sentence, numbers)


def _blank(found: Findings) -> Check:
    answered = np.isfinite(found.blank_score)
    standing: Standing = "pass" if answered and found.blank_flagged else "fail"
    flagged = "flagged as blank" if found.blank_flagged else "not flagged"
    answer = (
        f"scores {found.blank_score:+.2f} ({found.blank_class})"
        if answered
        else "has no score"
    )
    return Check(
        "blank",
        "A blank picture is answered and flagged",
        standing,
        f"An empty crop {answer} and is {flagged}.",
        {
            "score": found.blank_score,
            "class": found.blank_class,
            "flagged": float(found.blank_flagged),
        },
    )


def _grade(value: float, fine: float, bad: float) -> Standing:
    if not np.isfinite(value):
        return "unknown"
    return "pass" if value <= fine else "warn" if value <= bad else "fail"
