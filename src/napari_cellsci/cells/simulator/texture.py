"""Fields of chromatin texture: periodic noise of one band of wavelengths."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

FIELD = 512
"""Edge of a field (samples); a power of two, so that indices wrap by masking."""
STEP = 0.17
"""Distance between samples of a field (µm)."""


@dataclass(frozen=True, slots=True)
class Textures:
    """Fields of zero mean and unit variance, (FIELD, FIELD) float32."""

    fine: np.ndarray
    coarse: np.ndarray
    strands: np.ndarray


def band_noise(
    rng: np.random.Generator, wavelength: float, octaves: float = 0.5
) -> np.ndarray:
    """Periodic Gaussian noise around one wavelength (µm), log-normal in frequency."""
    frequency = np.hypot(
        np.fft.fftfreq(FIELD, STEP)[:, None], np.fft.rfftfreq(FIELD, STEP)[None]
    )
    frequency[0, 0] = 1e-9
    band = np.exp(-0.5 * (np.log2(frequency * wavelength) / octaves) ** 2)
    field = np.fft.irfft2(np.fft.rfft2(rng.standard_normal((FIELD, FIELD))) * band)
    return np.asarray(field / field.std(), np.float32)


def make_textures(rng: np.random.Generator, wavelength: float) -> Textures:
    """Draw the fields of one movie; `wavelength` is that of the fine texture (µm)."""
    threads = band_noise(rng, 1.7, 0.35)
    ridges = np.exp(-0.5 * (threads / 0.45) ** 2)  # crests along the zero lines
    ridges = (ridges - ridges.mean()) / ridges.std()
    return Textures(
        fine=band_noise(rng, wavelength),
        coarse=band_noise(rng, 4 * wavelength),
        strands=np.asarray(ridges, np.float32),
    )


def look_up(field: np.ndarray, row: np.ndarray, column: np.ndarray) -> np.ndarray:
    """Nearest samples at integer positions, wrapping around."""
    mask = FIELD - 1
    return np.asarray(field.ravel()[((row & mask) * FIELD) + (column & mask)])
