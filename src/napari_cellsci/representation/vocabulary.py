"""The words for what latents follow: measured properties, flows and symmetries."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

Place = Literal["morphology", "position", "neighbourhood"]


@dataclass(frozen=True, slots=True)
class Factor:
    """A measured property and what follows it.

    Parameters
    ----------
    component : str
        How it transforms when the picture is turned (`signature.COMPONENTS`).
    place : {"morphology", "position", "neighbourhood"}
        What it is a property of.
    name : str
        What a latent is called that follows it.
    low, high : str
        What little and much of it look like.
    """

    component: str
    place: Place
    name: str
    low: str
    high: str

    def words(self, sign: float) -> tuple[str, str]:
        """Return what low and high values of a latent look like that follows it."""
        return (self.low, self.high) if sign > 0 else (self.high, self.low)


def _factor(name: str, component: str, place: Place, low: str, high: str) -> Factor:
    return Factor(component, place, name, low, high)


FACTORS: Mapping[str, Factor] = {
    "area": _factor("size", "invariant", "morphology", "smaller", "larger"),
    "eccentricity": _factor(
        "elongation", "invariant", "morphology", "rounder", "longer"
    ),
    "elongation_axes": _factor(
        "elongation along the axes", "axes", "morphology", "wide", "tall"
    ),
    "elongation_diagonals": _factor(
        "elongation along the diagonals",
        "diagonals",
        "morphology",
        "long along ╱",
        "long along ╲",
    ),
    "offset_x": _factor("offset in x", "x", "position", "left", "right"),
    "offset_y": _factor("offset in y", "y", "position", "up", "down"),
    "solidity": _factor("compactness", "invariant", "morphology", "ragged", "compact"),
    "brightness": _factor(
        "brightness", "invariant", "morphology", "dimmer", "brighter"
    ),
    "neighbours": _factor("neighbours", "invariant", "neighbourhood", "fewer", "more"),
    "neighbours_x": _factor(
        "neighbours in x", "x", "neighbourhood", "on the left", "on the right"
    ),
    "neighbours_y": _factor("neighbours in y", "y", "neighbourhood", "above", "below"),
    "neighbours_axes": _factor(
        "neighbours along the axes",
        "axes",
        "neighbourhood",
        "left and right",
        "above and below",
    ),
    "neighbours_diagonals": _factor(
        "neighbours along the diagonals",
        "diagonals",
        "neighbourhood",
        "along ╱",
        "along ╲",
    ),
}
"""Measured properties by name; see `cells.factors`."""

FLOW_FACTORS: Mapping[str, str] = {
    "x": "offset_x",
    "y": "offset_y",
    "size": "area",
    "axes": "elongation_axes",
    "diagonals": "elongation_diagonals",
}
"""The property that each flow of `motion.FLOWS` changes, in the same direction."""

READINGS: Mapping[str, str] = {
    "invariant": "unchanged by turning",
    "chiral": "changed by mirrors alone",
    "axes": "changes sign under quarter turns, not under mirrors of an axis",
    "diagonals": "changes sign under quarter turns, not under transposition",
    "x": "turns with the picture, along x",
    "y": "turns with the picture, along y",
}
"""What a signature alone says."""


@dataclass(frozen=True, slots=True)
class FactorPair:
    """Two properties that turn into one another.

    Parameters
    ----------
    factors : tuple of str
        Both properties.
    family : tuple of str
        Their components.
    stem : str
        What a latent is called that follows a mixture, before its angle.
    folds : int
        2 for an axis without direction (elongation), 1 for a direction.
    """

    factors: tuple[str, str]
    family: tuple[str, str]
    stem: str
    folds: int

    def angle(self, first: float, second: float) -> float:
        """Return the direction in which a mixture grows, in degrees as seen.

        0 is to the right, 90 upwards, below 180 for an axis without direction.

        Parameters
        ----------
        first, second : float
            How the mixture follows both properties.
        """
        if self.folds == 2:
            # Counted from the rows' axis towards the falling diagonal.
            turn = np.arctan2(second, first) / 2
            down, right = np.cos(turn), np.sin(turn)
        else:
            right, down = first, second
        seen = np.degrees(np.arctan2(-down, right))
        return float(np.round(seen) % (180 if self.folds == 2 else 360))

    def words(self, angle: float) -> tuple[str, str]:
        """Return what low and high values look like if the mixture grows at `angle`."""
        if self.folds == 2:
            across = (angle + 90) % 180
            what = "long at" if self.stem == "elongation" else "at"
            return f"{what} {across:.0f}°", f"{what} {angle:.0f}°"
        return f"towards {(angle + 180) % 360:.0f}°", f"towards {angle:.0f}°"

    def name(self, angle: float) -> str:
        """Return what a latent is called that grows at `angle`."""
        return f"{self.stem} at {angle % 180:.0f}°"


FACTOR_PAIRS: tuple[FactorPair, ...] = (
    FactorPair(
        ("elongation_axes", "elongation_diagonals"),
        ("axes", "diagonals"),
        "elongation",
        2,
    ),
    FactorPair(("offset_x", "offset_y"), ("x", "y"), "offset", 1),
    FactorPair(
        ("neighbours_axes", "neighbours_diagonals"),
        ("axes", "diagonals"),
        "neighbours on both sides",
        2,
    ),
    FactorPair(("neighbours_x", "neighbours_y"), ("x", "y"), "neighbours", 1),
)


def factor_of(name: str) -> Factor | None:
    """Return what is known of a measured property, also of further channels."""
    if name in FACTORS:
        return FACTORS[name]
    stem, _, channel = name.rpartition("_")
    if stem == "brightness" and channel.isdigit():
        return replace(FACTORS[stem], name=f"brightness of channel {channel}")
    return None


def factor_called(name: str) -> str | None:
    """Return the measured property that a latent of this name follows, if it is one."""
    wanted = name.casefold()
    for key, factor in FACTORS.items():
        if factor.name == wanted:
            return key
    channel = re.fullmatch(r"brightness of channel (\d+)", wanted)
    return channel and f"brightness_{channel[1]}"


def pair_called(name: str) -> tuple[FactorPair, float] | None:
    """Return the pair and the angle that a name like ``elongation at 30°`` means."""
    found = re.fullmatch(r"(.+) at (\d+)°", name.casefold())
    for pair in FACTOR_PAIRS:
        if found is not None and found[1] == pair.stem:
            return pair, float(found[2])
    return None


def place_called(name: str) -> Place | None:
    """Return what a name speaks of; None if it is in a person's own words."""
    pair, key = pair_called(name), factor_called(name)
    factor = factor_of(pair[0].factors[0] if pair else key or "")
    return None if factor is None else factor.place
