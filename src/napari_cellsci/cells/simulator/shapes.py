"""Outlines of nuclei: bent superellipses with a wavy rim, and their exact moments.

A shape's own axes are u (long) and v (short). With ``n = (u/a, (v − bend)/b)`` the
outline is ``|n| = q(θ)``, θ the polar angle of n. Bending shears v only and q is scaled
to ``½∫q² dθ = π``, so the area is exactly ``π·a·b``. Angles follow
``skimage.measure.regionprops``: the long axis points along (dy, dx) = (cos φ, sin φ).
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

N_ANGLES = 192
HARMONICS = np.arange(2, 14)
_THETA = np.arange(N_ANGLES) * (2 * np.pi / N_ANGLES)
_BASIS = np.concatenate(
    [np.cos(np.outer(HARMONICS, _THETA)), np.sin(np.outer(HARMONICS, _THETA))]
)


def outline(waves: np.ndarray, power: np.ndarray) -> np.ndarray:
    """Radius q(θ) of outlines in units of their half axes.

    Parameters
    ----------
    waves : ndarray, shape (n, 24)
        Cosine then sine coefficients of harmonics 2 to 13, relative to the radius.
    power : ndarray, shape (n,)
        Exponent of the superellipse; 2 is an ellipse, more is boxier.

    Returns
    -------
    ndarray of float32, shape (n, N_ANGLES)
    """
    p = power[:, None]
    box = (np.abs(np.cos(_THETA)) ** p + np.abs(np.sin(_THETA)) ** p) ** (-1 / p)
    q = box * np.exp(np.clip(waves @ _BASIS, -0.7, 0.5))
    q /= np.sqrt(np.mean(q**2, axis=1, keepdims=True))
    return np.asarray(q, np.float32)


def half_axes(area: np.ndarray, ratio: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Half axes a ≥ b with ``π·a·b = area`` and ``a/b = ratio``."""
    b = np.sqrt(area / np.pi / ratio)
    return b * ratio, b


@dataclass(frozen=True, slots=True)
class Moments:
    """Zeroth to second central moments of polygons; arrays (n,), pixels."""

    area: np.ndarray
    y: np.ndarray
    x: np.ndarray
    yy: np.ndarray
    xx: np.ndarray
    yx: np.ndarray

    def axes(self) -> tuple[np.ndarray, np.ndarray]:
        """Aspect (a/b ≥ 1) and angle of the ellipses with the same moments."""
        mean, half = (self.yy + self.xx) / 2, (self.yy - self.xx) / 2
        spread = np.hypot(half, self.yx)
        aspect = np.sqrt((mean + spread) / np.maximum(mean - spread, 1e-9))
        return aspect, np.arctan2(self.yx, half) / 2

    def take(self, rows: np.ndarray) -> Moments:
        """Return the moments of some of the polygons."""
        return Moments(*(getattr(self, f.name)[rows] for f in fields(self)))

    def grouped(self, groups: np.ndarray, n: int) -> Moments:
        """Moments of unions of polygons that do not overlap, by group 0 to n − 1."""

        def total(values: np.ndarray) -> np.ndarray:
            return np.bincount(groups, values, minlength=n)

        area = total(self.area)
        y, x = total(self.area * self.y) / area, total(self.area * self.x) / area
        dy, dx = self.y - y[groups], self.x - x[groups]
        return Moments(
            area,
            y,
            x,
            total(self.area * (self.yy + dy * dy)) / area,
            total(self.area * (self.xx + dx * dx)) / area,
            total(self.area * (self.yx + dy * dx)) / area,
        )


def polygons(
    yx: np.ndarray,
    axes: tuple[np.ndarray, np.ndarray],
    angle: np.ndarray,
    bend: np.ndarray,
    q: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Vertices (y, x) of the outlines, each (n, N_ANGLES), in pixels."""
    a, b = (axis[:, None] for axis in axes)
    nu, nv = q * np.cos(_THETA), q * np.sin(_THETA)
    u, v = a * nu, b * nv + bend[:, None] * a * (nu**2 - 0.25)
    cos, sin = np.cos(angle)[:, None], np.sin(angle)[:, None]
    return yx[:, :1] + u * cos - v * sin, yx[:, 1:] + u * sin + v * cos


def polygon_moments(y: np.ndarray, x: np.ndarray) -> Moments:
    """Moments of closed polygons by Green's theorem; `y`, `x` are (n, vertices)."""
    y0, x0 = y.mean(1), x.mean(1)
    y, x = y - y0[:, None], x - x0[:, None]
    yn, xn = np.roll(y, -1, 1), np.roll(x, -1, 1)
    cross = x * yn - xn * y
    area = cross.sum(1) / 2
    cy = ((y + yn) * cross).sum(1) / (6 * area)
    cx = ((x + xn) * cross).sum(1) / (6 * area)
    yy = ((y * y + y * yn + yn * yn) * cross).sum(1) / (12 * area) - cy**2
    xx = ((x * x + x * xn + xn * xn) * cross).sum(1) / (12 * area) - cx**2
    yx = ((x * yn + 2 * x * y + 2 * xn * yn + xn * y) * cross).sum(1) / (
        24 * area
    ) - cy * cx
    return Moments(np.abs(area), cy + y0, cx + x0, yy, xx, yx)
