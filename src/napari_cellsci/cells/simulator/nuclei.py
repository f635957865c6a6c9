"""What each cell looks like at each frame: size, outline, orientation, chromatin."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from napari_cellsci.cells.simulator.blobs import N_NUCLEOLI, Blobs
from napari_cellsci.cells.simulator.config import SimulationConfig
from napari_cellsci.cells.simulator.lineage import (
    ANAPHASE,
    INTERPHASE,
    METAPHASE,
    PROMETAPHASE,
    Lineage,
)
from napari_cellsci.cells.simulator.shapes import HARMONICS

# Area over that of a mid-interphase nucleus, against age in interphase: as small as a
# plate at birth, or (knob `overlap` at 0) never.
_AGES = np.array([0.0, 0.05, 0.15, 0.3, 0.5, 1.0])
_GROWTH = np.array([0.24, 0.31, 0.42, 0.62, 0.85, 1.40])
_GROWTH_APART = np.array([0.62, 0.66, 0.72, 0.80, 0.92, 1.35])
_ELONGATED = 0.42  # fraction of tracks that become elongated where overlap is 1
_ROOM = 0.85  # least room a cell takes, in radii of the mean nucleus
_PLATE_FILL = 1.08  # area of a plate over length² / ratio, in areas of the nucleus
_SMOOTH = np.array([1, 0.8, 0.6, 0.35, 0.2, 0.1, 0, 0, 0, 0, 0, 0]) / 1.5
_RAGGED = np.array([0, 0, 0.5, 0.7, 1, 1, 1, 1, 1, 0.9, 0.8, 0.7]) / 2.5


@dataclass(slots=True)
class Traits:
    """What is drawn once for a track, spread over its rows; arrays (rows, …)."""

    scale: np.ndarray  # area relative to the mean cell
    light: np.ndarray
    elongation: np.ndarray  # a/b when grown
    irregularity: np.ndarray
    plate_length: np.ndarray  # in diameters of the mean nucleus
    plate_ratio: np.ndarray
    en_face: np.ndarray
    raggedness: np.ndarray
    ring: np.ndarray  # how much of a ring the prometaphase is
    defocus: np.ndarray
    bend: np.ndarray
    nucleoli: np.ndarray
    texture_at: np.ndarray


@dataclass(slots=True)
class Nuclei:
    """Looks of every row before it is placed, and the room it takes; arrays (rows,)."""

    blobs: Blobs
    radius: np.ndarray


def _traits(lineage: Lineage, config: SimulationConfig) -> Traits:
    rng = config.rng("traits")
    n, families = lineage.n_tracks, lineage.family.max() + 1
    own, shared = rng.standard_normal((2, n)), rng.standard_normal((2, families))
    mixed = 0.5 * own + np.sqrt(0.75) * shared[:, lineage.family]
    round_ratio = 1 + rng.lognormal(np.log(0.2), 0.5, n)
    long_ratio = rng.uniform(1.9, 3.1, n)
    elongated = rng.random(n) < _ELONGATED * config.overlap
    en_face = rng.random(n) < config.en_face
    # Tilted plates look wider: the projected width adds that of the tilted disc.
    ratio = config.plate_ratio * rng.lognormal(0.04, 0.14, n)
    ratio = 1 / np.hypot(1 / ratio, 0.1 * rng.standard_normal(n))
    values = (
        np.exp(config.size_spread * mixed[0]),
        np.exp(config.brightness_spread * mixed[1]),
        np.where(elongated, long_ratio, round_ratio),
        config.irregularity * rng.lognormal(-0.1, 0.45, n),
        config.plate_length * rng.lognormal(0, 0.08, n),
        np.where(en_face, rng.uniform(1.05, 1.35, n), ratio),
        en_face,
        config.raggedness * rng.lognormal(-0.05, 0.35, n),
        np.where(rng.random(n) < 0.4, rng.uniform(0.3, 0.9, n), 0),
        np.minimum(config.defocus * rng.exponential(1, n), 0.9),
        rng.standard_normal(n),
        _nucleoli(rng, n, config.nucleoli),
        rng.uniform(0, 100, (n, 2)),
    )
    return Traits(*(value[lineage.track - 1] for value in values))


def _nucleoli(rng: np.random.Generator, n: int, depth: float) -> np.ndarray:
    polar, reach = (
        rng.uniform(0, 2 * np.pi, (n, N_NUCLEOLI)),
        rng.uniform(0, 0.62, (n, N_NUCLEOLI)),
    )
    there = np.arange(N_NUCLEOLI) < rng.integers(0, N_NUCLEOLI + 1, n)[:, None]
    radius = rng.uniform(0.12, 0.26, (n, N_NUCLEOLI))
    dark = np.minimum(depth * rng.uniform(0.5, 1.3, (n, N_NUCLEOLI)), 0.95) * there
    return np.stack(
        [reach * np.cos(polar), reach * np.sin(polar), radius, dark], axis=2
    )


def _pick(lineage: Lineage, *values: Any) -> np.ndarray:
    """Choose per row among values for inter-, prometa-, meta- and anaphase."""
    order = (INTERPHASE, PROMETAPHASE, METAPHASE, ANAPHASE)
    masks = [lineage.stage == code for code in order]
    shape = lineage.stage.shape
    return np.select(masks, [np.broadcast_to(value, shape) for value in values])


def _wander(
    rng: np.random.Generator, lineage: Lineage, width: int, memory: float
) -> np.ndarray:
    """Unit-variance noise (rows, width) that keeps `memory` of itself each frame."""
    noise = rng.standard_normal((len(lineage.t), width))
    index = np.arange(len(noise))
    new = np.concatenate([[True], np.diff(lineage.track) != 0])
    rank = index - np.maximum.accumulate(np.where(new, index, 0))
    fresh = np.sqrt(1 - memory**2)
    order = np.argsort(rank, kind="stable")
    bounds = np.searchsorted(rank[order], np.arange(rank.max() + 2))
    for step in range(1, len(bounds) - 1):
        rows = order[bounds[step] : bounds[step + 1]]
        noise[rows] = memory * noise[rows - 1] + fresh * noise[rows]
    return noise


def _relative_area(
    lineage: Lineage, traits: Traits, config: SimulationConfig
) -> np.ndarray:
    """Area of the nucleus, or of one plate in anaphase, over the mean nucleus's."""
    overlap = config.overlap
    growth = overlap * _GROWTH + (1 - overlap) * _GROWTH_APART
    plate = _PLATE_FILL * traits.plate_length**2 / traits.plate_ratio
    plate = np.where(traits.en_face, 0.8 * traits.plate_length**2, plate)
    return _pick(
        lineage,
        np.interp(lineage.progress, _AGES, growth),
        0.85 - 0.35 * lineage.progress,
        plate,
        0.17 + 0.04 * lineage.progress,
    )


def _ramp(x: np.ndarray, low: float, high: float) -> np.ndarray:
    s = np.clip((x - low) / (high - low), 0, 1)
    return np.asarray(s * s * (3 - 2 * s))


def _ratio(lineage: Lineage, traits: Traits, jitter: np.ndarray) -> np.ndarray:
    age = lineage.progress
    grown = _ramp(age, 0.2, 0.4) * (1 - 0.9 * _ramp(age, 0.93, 1.0))
    newborn = 0.35 * (1 - _ramp(age, 0, 0.08))
    young = 1.15 + newborn
    interphase = np.exp((1 - grown) * np.log(young) + grown * np.log(traits.elongation))
    ratio = _pick(
        lineage,
        1 + (interphase - 1) * np.exp(0.12 * jitter),
        1.12 + 0.35 * age + 0.08 * np.abs(jitter),
        traits.plate_ratio * np.exp(0.05 * jitter),
        2.6 - 0.7 * age,
    )
    return np.asarray(np.maximum(ratio, 1.0))


def _light(
    lineage: Lineage, traits: Traits, area: np.ndarray, config: SimulationConfig
) -> np.ndarray:
    replicated = 1 + _ramp(lineage.progress, 0.3, 0.8)
    dna = _pick(lineage, replicated, 2.0, 2.0, 1.0)
    return np.asarray(traits.light * (dna / area / 1.5) ** config.compaction)


def _angles(lineage: Lineage, config: SimulationConfig) -> np.ndarray:
    """Long axis of every row: slow turning, redrawn for the plate, then inherited."""
    rng = config.rng("angles")
    turn = rng.normal(0, 0.07, len(lineage.t))
    start = rng.uniform(-np.pi / 2, np.pi / 2, lineage.n_tracks)
    plate = rng.uniform(-np.pi / 2, np.pi / 2, lineage.n_tracks)
    angle = np.empty(len(turn))
    last = np.empty(lineage.n_tracks)
    first = np.flatnonzero(np.diff(lineage.track, prepend=0))
    for i, rows in enumerate(np.split(np.arange(len(turn)), first[1:])):
        parent = lineage.parent[i]
        base = last[parent - 1] if parent else start[i]
        own = base + np.cumsum(turn[rows])
        mitotic = lineage.remaining[rows] <= 0
        own[mitotic] = plate[i] + np.cumsum(turn[rows][mitotic])
        angle[rows] = own
        last[i] = own[-1]
    return angle


def _strands(lineage: Lineage, traits: Traits) -> np.ndarray:
    usual = _pick(lineage, 0.0, 0.9, 0.17, 0.25)
    return np.asarray(np.minimum(usual * traits.raggedness, 1.1))


def describe_nuclei(lineage: Lineage, config: SimulationConfig) -> Nuclei:
    """Decide the looks of every row; positions are still missing (zero)."""
    rng = config.rng("looks")
    traits = _traits(lineage, config)
    n = len(lineage.t)
    relative = _relative_area(lineage, traits, config)
    area = relative * traits.scale * np.pi * config.radius_px**2
    ratio = _ratio(lineage, traits, _wander(rng, lineage, 1, 0.9)[:, 0])
    smooth, ragged = _wander(rng, lineage, 24, 0.93), _wander(rng, lineage, 24, 0.4)
    rough = traits.raggedness * _pick(lineage, 0.0, 0.08, 0.045, 0.05)
    rough = np.minimum(rough, 0.13)  # more would tear the outline into spikes
    gentle = traits.irregularity * _pick(lineage, 1.0, 0.8, 0.3, 0.3)
    waves = smooth * np.tile(_SMOOTH, 2) * gentle[:, None]
    waves += ragged * np.tile(_RAGGED, 2) * rough[:, None]
    drift = np.cumsum(rng.normal(0, 0.03, (n, 2)), axis=0)
    age = lineage.progress
    condensing = _ramp(age, 0.93, 1.0)
    mitotic = lineage.stage != INTERPHASE
    hole = _pick(lineage, 0.0, traits.ring, 0.55 * traits.en_face, 0.0)
    nucleoli = traits.nucleoli.copy()
    nucleoli[mitotic, :, 3] = 0
    blobs = Blobs(
        row=np.arange(n),
        t=lineage.t,
        yx=np.zeros((n, 2)),
        area=area,
        ratio=ratio,
        angle=_angles(lineage, config),
        bend=_pick(lineage, 1.6 * gentle, 0.05, 0.10, 0.22) * traits.bend,
        power=_pick(lineage, 2.1, 2.1, np.where(traits.en_face, 2.0, 2.7), 2.4),
        waves=waves,
        flatness=_pick(lineage, 5.0, 3.0, 3.0, 2.8),
        light=_light(lineage, traits, relative, config),
        fine=config.texture * _pick(lineage, 1 + 0.5 * condensing, 0.6, 0.1, 0.2),
        coarse=config.texture * _pick(lineage, 0.35, 0.5, 0.3, 0.3),
        strands=_strands(lineage, traits),
        hole=hole,
        rim=config.rim * _pick(lineage, 1.0, 0.0, 0.0, 0.0),
        nucleoli=nucleoli,
        texture_at=traits.texture_at + drift,
        defocus=traits.defocus,
    )
    # Small nuclei keep the room of their cytoplasm; plates cannot, they are thin.
    room = np.maximum(np.sqrt(area / np.pi) * ratio**0.25, _ROOM * config.radius_px)
    apart = lineage.stage == ANAPHASE
    return Nuclei(blobs, np.where(apart, 0.5 * config.radius_px, room))


def place(nuclei: Nuclei, lineage: Lineage, yx: np.ndarray, radius_px: float) -> Blobs:
    """Put every nucleus at its centre; an unsplit anaphase becomes two plates."""
    blobs = nuclei.blobs.take(np.arange(len(yx)), yx=yx)
    pairs = np.flatnonzero(lineage.paired)
    single = blobs.take(np.flatnonzero(~lineage.paired))
    angle = blobs.angle[pairs]
    normal = np.stack([-np.sin(angle), np.cos(angle)], axis=1)
    bend = np.abs(blobs.bend[pairs])
    parts = [single]
    for side in (-1.0, 1.0):
        shift = side * normal * 0.42 * radius_px
        parts.append(blobs.take(pairs, yx=yx[pairs] + shift, bend=side * bend))
    return Blobs.joined(parts)


assert len(HARMONICS) == len(_SMOOTH) == len(_RAGGED)
