"""Which part of a plane is in view, how it maps to pixels, and where its ticks are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

_BULK = (0.005, 0.995)
_FAR = 0.6
"""Cells further out than this part of the bulk's width do not widen the view."""
_MARGIN = 0.05
_STEPS = (1.0, 2.0, 2.5, 5.0, 10.0)


@dataclass(frozen=True, slots=True)
class PlaneView:
    """An upright rectangle of the plane, shown in a window of some pixels.

    Parameters
    ----------
    left, right, bottom, top : float
        Of the plane.
    width, height : float
        Of the window (px); y runs down there.
    """

    left: float = -3.0
    right: float = 3.0
    bottom: float = -3.0
    top: float = 3.0
    width: float = 100.0
    height: float = 100.0

    @property
    def scale(self) -> tuple[float, float]:
        """Pixels per unit along x, and along y (negative)."""
        across = self.width / (self.right - self.left)
        return across, -self.height / (self.top - self.bottom)

    @property
    def unit(self) -> tuple[float, float]:
        """Size of a pixel in the plane."""
        x, y = self.scale
        return 1 / x, -1 / y

    @property
    def offset(self) -> tuple[float, float]:
        """Pixel of the plane's origin."""
        x, y = self.scale
        return -self.left * x, -self.top * y

    def to_pixels(self, xy: NDArray[Any]) -> NDArray[np.float64]:
        """Return pixels (n, 2) of points of the plane."""
        points = np.asarray(xy, np.float64).reshape(-1, 2)
        return points * np.array(self.scale) + np.array(self.offset)

    def to_plane(self, pixels: Any) -> NDArray[np.float64]:
        """Return points of the plane (n, 2) of pixels."""
        points = np.asarray(pixels, np.float64).reshape(-1, 2)
        return (points - np.array(self.offset)) / np.array(self.scale)

    def resized(self, width: float, height: float) -> PlaneView:
        """Return the same part of the plane in another window."""
        sides = (self.left, self.right, self.bottom, self.top)
        return PlaneView(*sides, max(width, 1.0), max(height, 1.0))

    def zoomed(self, pixel: tuple[float, float], factor: float) -> PlaneView:
        """Return the view `factor` times as large, the point under a pixel staying."""
        x, y = self.to_plane(pixel)[0]
        left, right = (x + (side - x) / factor for side in (self.left, self.right))
        bottom, top = (y + (side - y) / factor for side in (self.bottom, self.top))
        return PlaneView(left, right, bottom, top, self.width, self.height)

    def moved(self, dx: float, dy: float) -> PlaneView:
        """Return the view after its content was dragged by pixels."""
        x, y = self.unit
        sides = (self.left - dx * x, self.right - dx * x)
        heights = (self.bottom + dy * y, self.top + dy * y)
        return PlaneView(*sides, *heights, self.width, self.height)

    def fitted(self, xy: NDArray[Any]) -> PlaneView:
        """Return the view that holds all points, but for a few that lie far off."""
        points = np.asarray(xy, np.float64).reshape(-1, 2)
        points = points[np.isfinite(points).all(axis=1)]
        if not len(points):
            return PlaneView(width=self.width, height=self.height)
        (left, right), (bottom, top) = (_span(points[:, axis]) for axis in (0, 1))
        return PlaneView(left, right, bottom, top, self.width, self.height)


def _span(values: NDArray[np.float64]) -> tuple[float, float]:
    low, high = np.quantile(values, _BULK)
    reach = _FAR * (high - low)
    start = max(float(values.min()), float(low - reach))
    stop = min(float(values.max()), float(high + reach))
    margin = _MARGIN * (stop - start) or 0.5
    return start - margin, stop + margin


def ticks(low: float, high: float, most: int) -> tuple[list[float], int]:
    """Return up to about `most` round numbers between two, and their decimals.

    Two or more if there is any room: a single number shows no scale.
    """
    found = _ticks(low, high, max(most, 1))
    for more in range(max(most, 1) + 1, max(most, 1) + 4):
        if len(found[0]) < 2:
            found = _ticks(low, high, more)
    return found


def _ticks(low: float, high: float, most: int) -> tuple[list[float], int]:
    rough = (high - low) / most
    power = 10.0 ** np.floor(np.log10(rough))
    step = next(s * power for s in _STEPS if s * power >= rough * (1 - 1e-9))
    first, last = int(np.ceil(low / step - 1e-9)), int(np.floor(high / step + 1e-9))
    decimals = max(0, -int(np.floor(np.log10(step) + 1e-9)))
    if abs(step / 10.0**-decimals - round(step / 10.0**-decimals)) > 1e-6:
        decimals += 1  # steps of 2.5
    return [i * step for i in range(first, last + 1)], decimals
