"""Ellipses whose code is known exactly: rendered, turned, and measured by moments."""

from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from napari_cellsci.representation.views import N_VIEWS, dihedral

SIZE = 32
TRUTH = ("size", "axes", "diagonals", "x", "y")


@dataclass(frozen=True)
class Ellipses:
    """Pictures (n, 1, S, S) and what they show (n,), in px and radians."""

    pictures: NDArray[np.float32]
    area: NDArray[np.float64]
    eccentricity: NDArray[np.float64]
    angle: NDArray[np.float64]
    y: NDArray[np.float64]
    x: NDArray[np.float64]

    @property
    def factors(self) -> dict[str, NDArray[np.float64]]:
        return {
            "area": self.area,
            "eccentricity": self.eccentricity,
            "elongation_axes": self.eccentricity * np.cos(2 * self.angle),
            "elongation_diagonals": self.eccentricity * np.sin(2 * self.angle),
            "offset_x": self.x,
            "offset_y": self.y,
        }


def render(
    radius: float, ratio: float, angle: float, y: float, x: float, size: int = SIZE
) -> NDArray[np.float32]:
    """Draw a soft ellipse (S, S); the long axis points along (cos, sin) of (y, x)."""
    place = np.arange(size) - (size - 1) / 2
    rows, columns = np.meshgrid(place - y, place - x, indexing="ij")
    u = rows * np.cos(angle) + columns * np.sin(angle)
    v = columns * np.cos(angle) - rows * np.sin(angle)
    long, short = radius * np.sqrt(ratio), radius / np.sqrt(ratio)
    edge = 1 - np.hypot(u / long, v / short)
    return np.asarray(1 / (1 + np.exp(-4 * radius / 3 * edge)), np.float32)


def ellipses(n: int = 300, seed: int = 0) -> Ellipses:
    rng = np.random.default_rng(seed)
    radius, ratio = rng.uniform(4, 8, n), rng.uniform(1.05, 2.2, n)
    angle, (y, x) = rng.uniform(0, np.pi, n), rng.uniform(-3, 3, (2, n))
    shapes = zip(radius, ratio, angle, y, x, strict=True)
    pictures = np.stack([render(*shape)[None] for shape in shapes])
    eccentricity = np.sqrt(1 - 1 / ratio**2)
    return Ellipses(pictures, np.pi * radius**2, eccentricity, angle, y, x)


def moments(pictures: NDArray[np.float32]) -> NDArray[np.float64]:
    """Measure size, both elongations and the position of pictures: (n, 5) `TRUTH`."""
    image = pictures[:, 0].astype(np.float64)
    place = np.arange(image.shape[-1]) - (image.shape[-1] - 1) / 2
    mass = image.sum((1, 2))
    y = (image.sum(2) * place).sum(1) / mass
    x = (image.sum(1) * place).sum(1) / mass
    yy = (image.sum(2) * place**2).sum(1) / mass - y**2
    xx = (image.sum(1) * place**2).sum(1) / mass - x**2
    yx = np.einsum("nij,i,j->n", image, place, place) / mass - y * x
    return np.stack(
        [np.sqrt(mass), (yy - xx) / (yy + xx), 2 * yx / (yy + xx), x, y], axis=1
    )


def view_codes(
    pictures: NDArray[np.float32], mix: NDArray[np.float64] | None = None
) -> NDArray[np.float32]:
    """Return the standardised code of all eight views (n, 8, D), optionally mixed."""
    batch = torch.from_numpy(pictures)
    turned = [moments(dihedral(batch, g).numpy()) for g in range(N_VIEWS)]
    codes = np.stack(turned, axis=1)
    codes = (codes - codes.mean((0, 1))) / codes.std((0, 1))
    return (codes if mix is None else codes @ mix).astype(np.float32)


def turned_plane(first: int, second: int, degrees: float) -> NDArray[np.float64]:
    """Return the matrix that turns two of the five numbers into one another."""
    mix = np.eye(len(TRUTH))
    cos, sin = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    mix[np.ix_([first, second], [first, second])] = [[cos, -sin], [sin, cos]]
    return mix


class Painter:
    """Stands in for an encoder whose decoder draws `TRUTH` exactly."""

    def __init__(self, mix: NDArray[np.float64] | None = None, latent: int = 5) -> None:
        self.config = SimpleNamespace(latent=latent)
        self.spec = SimpleNamespace(size=SIZE, n_channels=1)
        self.mix = np.eye(latent) if mix is None else mix

    def decode(self, z: NDArray[np.float32]) -> NDArray[np.float32]:
        out = np.zeros((len(z), 1, SIZE, SIZE), np.float32)
        for picture, (size, axes, diagonals, x, y) in zip(
            out, (np.asarray(z, np.float64) @ self.mix.T)[:, :5], strict=True
        ):
            ratio = np.exp(0.3 * np.hypot(axes, diagonals))
            angle = np.arctan2(diagonals, axes) / 2
            picture[0] = render(6 * np.exp(0.15 * size), ratio, angle, y, x)
        return out


@pytest.fixture(scope="session")
def shown() -> Ellipses:
    """Three hundred ellipses."""
    return ellipses()


@pytest.fixture(scope="session")
def views(shown: Ellipses) -> NDArray[np.float32]:
    """Their exact code in all eight views (300, 8, 5): `TRUTH`."""
    return view_codes(shown.pictures)


@pytest.fixture(scope="session")
def turned(views: NDArray[np.float32]) -> Any:
    """Return a function that turns two of the five numbers by some degrees."""

    def turn(first: int, second: int, degrees: float) -> NDArray[np.float32]:
        mix = turned_plane(first, second, degrees)
        return (views.astype(np.float64) @ mix).astype(np.float32)

    return turn


@pytest.fixture
def painter() -> Any:
    """Return a decoder that draws `TRUTH`, its latents turned if asked for."""

    def make(first: int = 1, second: int = 2, degrees: float = 0) -> Painter:
        return Painter(turned_plane(first, second, degrees))

    return make
