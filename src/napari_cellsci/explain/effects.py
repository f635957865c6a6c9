"""Which inputs of a network matter to its score, and in which direction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from napari_cellsci.explain.activity import class_scores, outputs
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
    """Return the effects of all inputs in use on one score, the strongest first.

    Parameters
    ----------
    topology : Topology
    latents : array (n, D)
        Of the cells the effects are measured on.
    output : int
        Of several outputs, the one whose lead over the others is the score.
    """
    return effects_by_output(topology, latents)[output]


def effects_by_output(
    topology: Topology, latents: NDArray[Any]
) -> tuple[tuple[InputEffect, ...], ...]:
    """Return, for every output, the effects of all inputs in use; see `input_effects`.

    Scores are those of `activity.class_scores`.
    """
    z = np.asarray(latents, np.float64)
    usual = np.median(z, axis=0)
    scores = class_scores(outputs(topology, z))
    found: list[list[InputEffect]] = [[] for _ in range(scores.shape[1])]
    for index in topology.inputs:
        without = outputs(topology, z, {Node(0, index): usual[index]})
        changes = scores - class_scores(without)
        first, last = np.percentile(z[:, index], (1, 99))
        x = np.linspace(min(first, -3.0), max(last, 3.0), CURVE_STEPS)
        line = np.tile(usual, (len(x), 1))
        line[:, index] = x
        curves = class_scores(outputs(topology, line))
        for output, effects in enumerate(found):
            change = changes[:, output]
            strength = float(np.sqrt((change**2).mean()))
            low, high = _ends(z[:, index], change)
            effects.append(
                InputEffect(
                    index,
                    strength,
                    0.0,
                    low,
                    high,
                    direction_of(low, high, strength),
                    (float(first), float(last)),
                    x,
                    curves[:, output],
                )
            )
    return tuple(_ranked(effects) for effects in found)


def _ranked(effects: Sequence[InputEffect]) -> tuple[InputEffect, ...]:
    """Return effects with their shares, the strongest first."""
    whole = sum(item.strength for item in effects) or 1.0
    shared = [replace(item, share=item.strength / whole) for item in effects]
    return tuple(sorted(shared, key=lambda item: (-item.strength, item.index)))


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


def cause_in_words(direction: Direction, low: str = "low", high: str = "high") -> str:
    """Say which values raise a score: "larger", "both ends", "neither end"."""
    match direction:
        case "up":
            return high
        case "down":
            return low
        case "ends":
            return "both ends"
        case "middle":
            return "neither end"
        case "none":
            return "no effect on these cells"
    return "depends on the other latents"


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
