"""How nuclei move: persistent walks, soft repulsion, colonies, cleared mitoses."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from napari_cellsci.cells.simulator.config import SimulationConfig
from napari_cellsci.cells.simulator.lineage import ANAPHASE, INTERPHASE, Lineage
from napari_cellsci.tasks import CancelToken

_SUBSTEPS = 4
_RELAXATION = (
    40  # frames of repulsion before the movie, so that founders do not overlap
)
_COLONY = 12  # founders in a colony
_RAMP = 6  # frames over which a cell's surroundings clear before its prometaphase
_NEUTRAL = (
    0.36  # inward pull of unlinked mitoses: offsets the space that old cells hold
)
_CONTACT = 1.06  # distance at which nuclei repel, in sums of their radii
_PERSISTENCE = 0.75  # correlation of the velocity from frame to frame


@dataclass(slots=True)
class _World:
    """State of all tracks; index 0 is unused."""

    yx: np.ndarray
    velocity: np.ndarray
    colony: np.ndarray
    centres: np.ndarray


def mitotic_pull(lineage: Lineage, config: SimulationConfig) -> np.ndarray:
    """How strongly each row clears (+) or gathers (−) its neighbours, −1 to 1.

    A fraction ``|config.confounder|`` of the mitoses does, from a few frames before
    prometaphase until the daughters part.
    """
    chosen = config.rng("confounder").random(lineage.n_tracks) < abs(config.confounder)
    ramp = np.clip(1 - lineage.remaining / _RAMP, 0, 1)
    strength = np.where(chosen, np.sign(config.confounder), -_NEUTRAL)
    return np.asarray(ramp * strength[lineage.track - 1])


def _place_founders(
    rng: np.random.Generator, config: SimulationConfig, lineage: Lineage
) -> _World:
    n_colonies = max(1, round(config.cells / _COLONY))
    radius = _colony_radius(config, np.array([config.cells / n_colonies]))[0]
    inset = min(0.8 * radius, 0.45 * config.size)
    centres = np.empty((0, 2))
    for _ in range(n_colonies):
        candidates = rng.uniform(inset, config.size - inset, (24, 2))
        gaps = np.linalg.norm(candidates[:, None] - centres[None], axis=2)
        best = gaps.min(1).argmax() if len(centres) else 0
        centres = np.vstack([centres, candidates[best]])
    member = rng.permutation(np.arange(config.cells) % n_colonies)
    colony = np.concatenate([[0], member[lineage.family]])
    polar = rng.uniform(0, 2 * np.pi, config.cells)
    reach = radius * np.sqrt(rng.random(config.cells))
    yx = np.zeros((lineage.n_tracks + 1, 2))
    yx[1 : config.cells + 1] = (
        centres[member] + np.stack([np.sin(polar), np.cos(polar)], 1) * reach[:, None]
    )
    return _World(yx, np.zeros_like(yx), colony, centres)


def _colony_radius(config: SimulationConfig, members: np.ndarray) -> np.ndarray:
    return np.asarray(
        config.radius_px * np.sqrt(np.maximum(members, 1) / config.density)
    )


def _pairs(yx: np.ndarray, reach: float) -> tuple[np.ndarray, np.ndarray]:
    from scipy.spatial import cKDTree

    pairs = cKDTree(yx).query_pairs(reach, output_type="ndarray")
    return pairs[:, 0], pairs[:, 1]


def _push(
    yx: np.ndarray, radius: np.ndarray, pull: np.ndarray, window: float
) -> np.ndarray:
    """Displacement of every cell in one substep, from its neighbours."""
    clear = 0.64 * window
    contact_reach = 2 * _CONTACT * float(radius.max())
    i, j = _pairs(yx, max(contact_reach, 1.4 * clear * bool(pull.any())))
    source, target = np.concatenate([i, j]), np.concatenate([j, i])
    gap = yx[target] - yx[source]
    distance = np.maximum(np.hypot(gap[:, 0], gap[:, 1]), 1e-6)
    direction = gap / distance[:, None]
    contact = _CONTACT * (radius[source] + radius[target])
    outward = np.maximum(clear - distance, 0) * np.maximum(pull[source], 0) * 0.22
    inward = np.maximum(distance - contact, 0) * np.minimum(pull[source], 0) * 0.06
    on_target = 0.2 * np.maximum(contact - distance, 0) + outward + inward
    on_source = -0.15 * (outward + inward)
    total = np.empty_like(yx)
    for axis in range(2):
        along = direction[:, axis]
        total[:, axis] = np.bincount(target, on_target * along, len(yx))
        total[:, axis] += np.bincount(source, on_source * along, len(yx))
    return total


def _gather(world: _World, tracks: np.ndarray, config: SimulationConfig) -> np.ndarray:
    """Pull of the colony on cells that strayed from it."""
    colony = world.colony[tracks]
    members = np.bincount(colony, minlength=len(world.centres))
    inward = world.centres[colony] - world.yx[tracks]
    distance = np.maximum(np.hypot(inward[:, 0], inward[:, 1]), 1e-6)
    excess = np.maximum(distance - _colony_radius(config, members)[colony], 0)
    return np.asarray(inward / distance[:, None] * excess[:, None] * 0.04)


def _confine(yx: np.ndarray, config: SimulationConfig) -> np.ndarray:
    margin = min(0.35 * config.radius_px + 1, 0.3 * config.size)
    return np.asarray(np.clip(yx, margin, config.size - 1 - margin))


class _Divisions:
    """Places daughters on either side of the plate and drives them apart."""

    def __init__(self, lineage: Lineage, angle: np.ndarray, radius: float) -> None:
        first = np.concatenate([[0], np.flatnonzero(np.diff(lineage.track)) + 1])
        self.birth = np.full(lineage.n_tracks + 1, -1)
        self.birth[1:] = lineage.t[first]
        self.parent = np.concatenate([[0], lineage.parent])
        self.normal = np.zeros((lineage.n_tracks + 1, 2))
        last = np.concatenate([first[1:] - 1, [len(lineage.t) - 1]])
        self.after_pair = np.zeros(lineage.n_tracks + 1)
        daughters = np.flatnonzero(self.parent)
        mothers = last[self.parent[daughters] - 1]
        side = np.where(np.arange(len(daughters)) % 2, -1.0, 1.0)
        plate = angle[mothers]
        self.normal[daughters] = side[:, None] * np.stack(
            [-np.sin(plate), np.cos(plate)], 1
        )
        self.after_pair[daughters] = lineage.paired[mothers]
        self.daughters = daughters
        self.radius = radius

    def born(self, world: _World, t: int) -> None:
        """Put the tracks born at `t` beside their mother's last position."""
        new = self.daughters[self.birth[self.daughters] == t]
        start = self.radius * (0.35 + 0.35 * self.after_pair[new])
        world.yx[new] = world.yx[self.parent[new]] + self.normal[new] * start[:, None]
        world.velocity[new] = 0

    def separate(
        self, world: _World, tracks: np.ndarray, stage: np.ndarray, progress: np.ndarray
    ) -> None:
        """Drive sisters in anaphase to the distance their progress asks for."""
        moving = (stage == ANAPHASE) & (self.parent[tracks] > 0)
        own = tracks[moving]
        first = np.searchsorted(self.daughters, own) % 2 == 0  # sisters are i, i + 1
        sister = own + np.where(first, 1, -1)
        middle = (world.yx[own] + world.yx[sister]) / 2
        wanted = self.radius * (
            0.45 + 0.35 * self.after_pair[own] + 0.45 * progress[moving]
        )
        target = middle + self.normal[own] * wanted[:, None]
        world.yx[own] += 0.5 * (target - world.yx[own])


def move(
    lineage: Lineage,
    radius: np.ndarray,
    angle: np.ndarray,
    config: SimulationConfig,
    token: CancelToken | None = None,
) -> np.ndarray:
    """Centre (y, x) of every row, shape (rows, 2), in pixels.

    Parameters
    ----------
    lineage : Lineage
        Who is there.
    radius : ndarray, shape (rows,)
        Room a nucleus takes (px).
    angle : ndarray, shape (rows,)
        Long axis; daughters leave along the normal of their mother's last one.
    config : SimulationConfig
        Density, motility, confounder.
    token : CancelToken, optional
        Stops between frames.
    """
    rng = config.rng("motion")
    world = _place_founders(rng, config, lineage)
    divisions = _Divisions(lineage, angle, config.radius_px)
    pull = mitotic_pull(lineage, config)
    by_time = np.argsort(lineage.t, kind="stable")
    bounds = np.searchsorted(lineage.t[by_time], np.arange(config.frames + 1))
    speed = config.motility / config.pixel_size
    yx = np.empty((len(lineage.t), 2))
    for t in range(-_RELAXATION, config.frames):
        if token is not None:
            token.raise_if_cancelled()
        rows = by_time[bounds[max(t, 0)] : bounds[max(t, 0) + 1]]
        tracks = lineage.track[rows]
        if t > 0:
            divisions.born(world, t)
            kick = rng.normal(0, speed * np.sqrt(1 - _PERSISTENCE**2), (len(rows), 2))
            world.velocity[tracks] = _PERSISTENCE * world.velocity[tracks] + kick
        calm = np.where(lineage.stage[rows] != INTERPHASE, 0.4, 1.0)[:, None] * (t > 0)
        for _ in range(_SUBSTEPS):
            step = world.velocity[tracks] * calm / _SUBSTEPS
            step += _push(world.yx[tracks], radius[rows], pull[rows], config.window_px)
            step += _gather(world, tracks, config)
            world.yx[tracks] = _confine(world.yx[tracks] + step, config)
            if t > 0:
                divisions.separate(
                    world, tracks, lineage.stage[rows], lineage.progress[rows]
                )
        if t >= 0:
            yx[rows] = world.yx[tracks]
    return yx
