"""Bright things that are no nuclei: specks, fibres, blobs, apoptotic fragments."""

from __future__ import annotations

import numpy as np

from napari_cellsci.cells.simulator.blobs import N_NUCLEOLI, Blobs
from napari_cellsci.cells.simulator.config import SimulationConfig

KINDS = ("speck", "fibre", "blob", "apoptotic")
_DRIFT = 0.12  # µm per frame


def _one(
    rng: np.random.Generator, kind: str, config: SimulationConfig
) -> dict[str, np.ndarray]:
    """Columns of the bodies of one piece, centred at zero; lengths in µm."""
    radius = config.nucleus_radius
    n = int(rng.integers(3, 8)) if kind == "apoptotic" else 1
    away = np.zeros((n, 2))
    defocus, ratio, bend = np.full(n, 0.1), np.ones(n), np.zeros(n)
    if kind == "speck":
        size, light = rng.uniform(0.4, 1.0, n), rng.uniform(1, 5, n)
        ratio = rng.uniform(1, 1.8, n)
    elif kind == "fibre":
        ratio, bend = rng.uniform(5, 12, n), 0.3 * rng.standard_normal(n)
        size, light = rng.uniform(1.0, 1.7, n), rng.uniform(0.7, 4, n)
    elif kind == "blob":
        size, light = radius * rng.uniform(0.5, 1.3, n), rng.uniform(0.2, 1.2, n)
        ratio, defocus = rng.uniform(1, 1.6, n), np.full(n, 0.95)
    else:
        size = radius * rng.uniform(0.12, 0.45, n)
        away = radius * 0.45 * rng.standard_normal((n, 2)) * (np.arange(n) > 0)[:, None]
        light, ratio = rng.uniform(1.5, 5, n), rng.uniform(1, 1.3, n)
    return {"away": away, "size": size, "light": light, "ratio": ratio, "bend": bend,
            "defocus": defocus}  # fmt: skip


def make_debris(
    rng: np.random.Generator, n: int, config: SimulationConfig, *, first_row: int = -1
) -> Blobs | None:
    """Draw `n` pieces that stay, drifting, through the whole movie.

    Parameters
    ----------
    rng : numpy.random.Generator
        Where everything is drawn from.
    n : int
        Number of pieces.
    config : SimulationConfig
        Frame, pixel size, size of nuclei.
    first_row : int
        Truth row of the first piece at frame 0; piece k at frame t gets
        ``first_row + k·frames + t``. −1 leaves all of them untracked.
    """
    parts = [_piece(rng, config, first_row, k) for k in range(n)]
    return Blobs.joined(parts) if parts else None


def _piece(
    rng: np.random.Generator, config: SimulationConfig, first_row: int, k: int
) -> Blobs:
    kind = KINDS[int(rng.integers(len(KINDS)))]
    one, frames, px = _one(rng, kind, config), config.frames, config.pixel_size
    n = len(one["size"])
    margin = min(0.5 * config.radius_px + 1, 0.3 * config.size)
    walk = np.cumsum(rng.normal(0, _DRIFT / px, (frames, 2)), axis=0)
    centre = rng.uniform(margin, config.size - 1 - margin, 2) + walk
    centre = np.clip(centre, margin, config.size - 1 - margin)
    waves = (0.03 * rng.standard_normal((n, 24))).astype(np.float32)
    angle, at = rng.uniform(-np.pi / 2, np.pi / 2, n), rng.uniform(0, 80, (n, 2))

    def every(column: np.ndarray) -> np.ndarray:
        return np.tile(column, (frames,) + (1,) * (column.ndim - 1))

    t = np.repeat(np.arange(frames), n)
    row = np.full(frames * n, -1) if first_row < 0 else first_row + k * frames + t
    flat = np.zeros(frames * n)
    return Blobs(
        row=row,
        t=t,
        yx=np.repeat(centre, n, axis=0) + every(one["away"] / px),
        area=every(np.pi * (one["size"] / px) ** 2),
        ratio=every(one["ratio"]),
        angle=every(angle),
        bend=every(one["bend"]),
        power=flat + 2.1,
        waves=every(waves),
        flatness=flat + 2.2,
        light=every(one["light"]),
        fine=flat + 0.15,
        coarse=flat + 0.2,
        strands=flat,
        hole=flat,
        rim=flat,
        nucleoli=np.zeros((frames * n, N_NUCLEOLI, 4)),
        texture_at=every(at),
        defocus=every(one["defocus"]),
    )
