"""From light to grey levels: optics, uneven illumination, photons, read-out."""

from __future__ import annotations

import numpy as np

from napari_cellsci.cells.simulator.config import SimulationConfig

_SOFT = 1.1  # standard deviation of out-of-focus light (µm)


def illumination(rng: np.random.Generator, size: int, unevenness: float) -> np.ndarray:
    """Smooth brightness of the field, (size, size), from 1 down to 1 − `unevenness`.

    A bright spot near the middle fades into a slope of random direction.
    """
    y, x = np.meshgrid(*2 * (np.linspace(-1, 1, size),), indexing="ij")
    centre, slope = rng.uniform(-0.3, 0.3, 2), rng.uniform(-0.5, 0.5, 2)
    fall = (y - centre[0]) ** 2 + (x - centre[1]) ** 2 + slope[0] * y + slope[1] * x
    fall = (fall - fall.min()) / max(np.ptp(fall), 1e-9)
    return np.asarray(1 - unevenness * fall, np.float32)


def through_optics(
    sharp: np.ndarray, soft: np.ndarray, config: SimulationConfig
) -> np.ndarray:
    """Blur light in focus by the point-spread function, the rest by much more."""
    from scipy.ndimage import gaussian_filter

    near = config.blur / config.pixel_size
    far = np.hypot(config.blur, _SOFT) / config.pixel_size
    image = gaussian_filter(sharp, near, truncate=3.5) if near else sharp.copy()
    if soft.any():
        image += gaussian_filter(soft, far, truncate=3.0)
    return np.asarray(image)


def expose(
    light: np.ndarray,
    field: np.ndarray,
    config: SimulationConfig,
    rng: np.random.Generator,
) -> np.ndarray:
    """Grey levels (uint16) of `light`, 1 for a mid-interphase nucleus.

    Electrons are Poisson with mean ``signal·field·(light + background)``; the grey
    level is ``offset + gain·(electrons + N(0, read_noise))``, so its variance is
    ``gain²·(mean electrons + read_noise²)`` plus 1/12 for rounding.
    """
    electrons = rng.poisson(config.signal * field * (light + config.background))
    grey = electrons.astype(np.float32)
    grey += config.read_noise * rng.standard_normal(light.shape, dtype=np.float32)
    grey = np.rint(config.offset + config.gain * grey)
    return np.asarray(np.clip(grey, 0, config.saturation), np.uint16)
