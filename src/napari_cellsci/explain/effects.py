"""Which inputs of a network matter to its score, and in which direction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from napari_cellsci.explain.activity import outputs
from napari_cellsci.explain.topology import Floats, Node, Topology

Direction: TypeAlias = Literal["up", "down", "ends", "middle", "mixed", "none"]

TAIL = 0.2
"""Part of the cells at either end of an input that its direction is read from."""
CLEAR = 0.25
"""How far an end must be from the middle to count, in units of the strength."""
CURVE_STEPS = 41


@dataclass(frozen=True, eq=False, slots=True)
class InputEffect:
    """What one input does to the score of cells.

    Parameters
    ----------
    index : int
        Number of the input.
    strength : float
        Root mean square, over cells, of how much the score changes when the input is
        set to its median.
    share : float
        Its part of the strengths of all inputs.
    low, high : float
        Mean of that change over the fifth of the cells with the lowest and the highest
        values: positive where these values raise the score.
    direction : {"up", "down", "ends", "middle", "mixed", "none"}
        "up": high values raise the score above low ones; "ends": both extremes raise
        it; "middle": both lower it; "mixed": none of these clearly.
    range : tuple of float
        1st and 99th percentile of the input over the cells.
    curve_x, curve_y : array (steps,)
        The score along the input, every other input at its median.
    """

    index: int
    strength: float
    share: float
    low: float
    high: float
    direction: Direction
    range: tuple[float, float]
    curve_x: Floats
    curve_y: Floats


def input_effects(
    topology: Topology, latents: NDArray[Any], output: int = 0
) -> tuple[InputEffect, ...]:
    """Return the effects of all inputs in use, the strongest first.

    Parameters
    ----------
    topology : Topology
    latents : array (n, D)
        Of the cells the effects are measured on.
    output : int
    """
    z = np.asarray(latents, np.float64)
    usual = np.median(z, axis=0)
    score = outputs(topology, z)[:, output]
    changes = {
        index: score - outputs(topology, z, {Node(0, index): usual[index]})[:, output]
        for index in topology.inputs
    }
    strengths = {k: float(np.sqrt((v**2).mean())) for k, v in changes.items()}
    whole = sum(strengths.values()) or 1.0
    found = []
    for index, change in changes.items():
        low, high = _ends(z[:, index], change)
        first, last = np.percentile(z[:, index], (1, 99))
        x = np.linspace(min(first, -3.0), max(last, 3.0), CURVE_STEPS)
        line = np.tile(usual, (len(x), 1))
        line[:, index] = x
        found.append(
            InputEffect(
                index,
                strengths[index],
                strengths[index] / whole,
                low,
                high,
                direction_of(low, high, strengths[index]),
                (float(first), float(last)),
                x,
                outputs(topology, line)[:, output],
            )
        )
    return tuple(sorted(found, key=lambda item: (-item.strength, item.index)))


def _ends(values: Floats, change: Floats) -> tuple[float, float]:
    low, high = np.quantile(values, (TAIL, 1 - TAIL))
    below, above = change[values <= low], change[values >= high]
    return float(below.mean()), float(above.mean())


def direction_of(low: float, high: float, strength: float) -> Direction:
    """Say which way an input works from what its two ends do to the score."""
    if strength <= 1e-9:
        return "none"
    ends = [
        0 if abs(end) < CLEAR * strength else int(np.sign(end)) for end in (low, high)
    ]
    match ends:
        case [1, 1]:
            return "ends"
        case [-1, -1]:
            return "middle"
        case [0, 0]:
            return "mixed"
    return "up" if ends[1] > ends[0] else "down"


def direction_in_words(
    direction: Direction, classes: Sequence[str], low: str = "low", high: str = "high"
) -> str:
    """Write a direction for people.

    Parameters
    ----------
    direction : Direction
    classes : sequence of str
        The class of scores below 0, and that of scores of 0 or more.
    low, high : str
        What cells with low and high values are like.
    """
    negative, positive = classes[0], classes[1]
    match direction:
        case "up":
            return f"{high} → {positive}"
        case "down":
            return f"{low} → {positive}"
        case "ends":
            return f"both ends → {positive}"
        case "middle":
            return f"both ends → {negative}"
        case "none":
            return "no effect on these cells"
    return "depends on the other latents"
