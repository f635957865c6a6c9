"""Random settings of every knob, wide enough to train on for other people's movies."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from napari_cellsci.cells.simulator.config import SimulationConfig


def random_config(
    seed: int, *, frames: int = 16, cells: int = 32, **fixed: Any
) -> SimulationConfig:
    """Draw the settings of a movie from some imaginary laboratory.

    Microscopes from sharp and quiet to blurred and noisy, cameras of 8 to 16 bits with
    small or large offsets and sometimes saturated by plates, nuclei of 4.2 to 9 µm
    radius with much or little texture, sparse or crowded fields, debris. Cycles are
    short, so that every movie holds many mitoses.

    Parameters
    ----------
    seed : int
        Seed of the settings and of the movie itself.
    frames, cells : int
        Length of the movie and nuclei in its first frame.
    **fixed
        Knobs to set rather than draw; see `SimulationConfig`.

    Returns
    -------
    SimulationConfig
    """
    rng = np.random.default_rng([int(seed), 0x5EED])
    drawn = {"frames": frames, "cells": cells, "seed": seed}
    drawn |= _cells(rng, frames)
    drawn |= _optics(rng, drawn["nucleus_radius"]) | _camera(rng)
    merged = drawn | fixed
    merged.setdefault("size", _frame_size(rng, merged))
    return SimulationConfig(**merged)


def _log(rng: np.random.Generator, low: float, high: float) -> float:
    return math.exp(rng.uniform(math.log(low), math.log(high)))


def _chance(rng: np.random.Generator, probability: float, value: float) -> float:
    """Return `value` with the given probability, else 0."""
    return value if rng.random() < probability else 0.0


def _cells(rng: np.random.Generator, frames: int) -> dict[str, Any]:
    radius = _log(rng, 4.2, 9.0)
    return {
        "cycle_length": max(8.0, frames * rng.uniform(0.8, 1.6)),
        "nucleus_radius": radius,
        "size_spread": rng.uniform(0.05, 0.25),
        "overlap": rng.uniform(0.2, 0.9),
        "irregularity": _log(rng, 0.02, 0.10),
        "plate_length": rng.uniform(0.65, 1.1),
        "plate_ratio": rng.uniform(2.3, 4.2),
        "raggedness": _log(rng, 0.4, 2.2),
        "en_face": rng.uniform(0.0, 0.03),
        "unsplit_anaphase": rng.uniform(0.0, 0.6),
        "density": rng.uniform(0.1, 0.6),
        "motility": _log(rng, 0.1, 1.2),
        "confounder": rng.uniform(-0.4, 1.0),
        "texture": _log(rng, 0.06, 0.5),
        "texture_scale": min(_log(rng, 1.0, 3.2), 0.4 * radius),
        "nucleoli": _chance(rng, 0.8, rng.uniform(0.1, 1.0)),
        "rim": _chance(rng, 0.6, rng.uniform(0.0, 0.5)),
        "compaction": rng.uniform(0.4, 0.9),
        "brightness_spread": rng.uniform(0.05, 0.6),
        "haze": _log(rng, 0.005, 0.25),
        "debris": rng.uniform(0.0, 5.0),
        "junk": 0.0,
    }


def _optics(rng: np.random.Generator, radius: float) -> dict[str, Any]:
    """Nuclei are at least 18 px across: below that, nobody tells the phases apart."""
    pixel_size = min(_log(rng, 0.2, 0.75), radius / 9)
    return {
        "pixel_size": pixel_size,
        "blur": max(min(_log(rng, 0.18, 0.95), 0.12 * radius), 0.45 * pixel_size),
        "defocus": rng.uniform(0.0, 0.35),
        "background": _log(rng, 0.01, 0.6),
        "unevenness": rng.uniform(0.0, 0.5),
        "localisation_error": rng.uniform(0.1, 0.8) / pixel_size,
    }


def _camera(rng: np.random.Generator) -> dict[str, Any]:
    """Grey levels of a mean nucleus are drawn first; gain and saturation follow."""
    signal = _log(rng, 25, 3000)
    bits = int(rng.choice([8, 12, 16], p=[0.25, 0.35, 0.4]))
    top = 2**bits - 1
    offset = {8: rng.uniform(0, 20), 12: rng.uniform(0, 300), 16: 0.0}[bits]
    if bits == 16:
        offset = 32_768.0 if rng.random() < 0.25 else rng.uniform(50, 2000)
    # Mean nuclei at 15 to 60 % of the range: at the upper end plates saturate.
    level = _log(rng, 0.15, 0.6) if bits == 8 else _log(rng, 0.02, 0.5)
    return {
        "signal": signal,
        "read_noise": min(_log(rng, 0.5, 10), signal / 10),
        "gain": level * (top - offset) / signal,
        "offset": offset,
        "saturation": top,
    }


def _frame_size(rng: np.random.Generator, knobs: dict[str, Any]) -> int:
    """Edge of a frame that nuclei cover to 6 to 18 % at first (px)."""
    radius = knobs["nucleus_radius"] / knobs["pixel_size"]
    edge = radius * math.sqrt(knobs["cells"] * math.pi / rng.uniform(0.06, 0.18))
    return int(np.clip(16 * round(edge / 16), 128, 2048))
