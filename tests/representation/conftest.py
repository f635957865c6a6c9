"""Small synthetic cells and small encoders for the tests of this room."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from napari_cellsci.cells.spec import CropSpec
from napari_cellsci.representation.config import EncoderConfig
from napari_cellsci.representation.encoder import Encoder
from napari_cellsci.representation.networks import new_network


def ellipses(n: int, size: int = 32, seed: int = 0) -> NDArray[np.uint16]:
    """Bright ellipses of random size, turn and place on an offset camera."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:size, :size] - (size - 1) / 2
    out = np.empty((n, 1, size, size), np.uint16)
    for crop in out:
        a, b = rng.uniform(size / 10, size / 4, 2)
        angle = rng.uniform(0, np.pi)
        dy, dx = rng.uniform(-3, 3, 2)
        u = (x - dx) * np.cos(angle) + (y - dy) * np.sin(angle)
        v = (y - dy) * np.cos(angle) - (x - dx) * np.sin(angle)
        inside = (u / a) ** 2 + (v / b) ** 2 < 1
        crop[0] = 32768 + 500 * inside + rng.normal(0, 15, (size, size))
    return out


@pytest.fixture(scope="session")
def spec() -> CropSpec:
    return CropSpec(size=32, fov_px=32)


@pytest.fixture(scope="session")
def crops() -> NDArray[np.uint16]:
    return ellipses(96)


@pytest.fixture(scope="session")
def small() -> dict[str, Any]:
    """Settings of a run of a second or two."""
    return {
        "latent": 6,
        "filters": (4, 4, 8, 8),
        "hidden": 16,
        "batch": 16,
        "steps": 12,
        "beta": 2.0,
        "log_every": 1,
        "checkpoint_every": 5,
        "device": "cpu",
    }


@pytest.fixture
def encoder(spec: CropSpec, small: dict[str, Any]) -> Encoder:
    """An untrained encoder; most promises do not depend on training."""
    config = EncoderConfig(**small)
    reference = {"kl": np.linspace(0, 1, 6, dtype=np.float32)}
    return Encoder(spec, config, new_network(config, 1, 32), {"seed": 0}, reference)
