"""Which points of a plane a lasso holds, and which is nearest; fast for 100,000."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.int64]


class PlanePoints:
    """Points of a plane that can be asked for by place.

    Parameters
    ----------
    xy : array (n, 2)
        Points with a coordinate that is not finite are never found.
    """

    def __init__(self, xy: NDArray[Any]) -> None:
        self.xy = np.asarray(xy, np.float32).reshape(-1, 2)

    def __len__(self) -> int:
        return len(self.xy)

    @cached_property
    def finite(self) -> NDArray[np.bool_]:
        """Which points lie anywhere."""
        return np.isfinite(self.xy).all(axis=1)

    @cached_property
    def _by_y(self) -> tuple[Rows, NDArray[np.float64], NDArray[np.float64]]:
        """Rows, x and y of the finite points in the order of y."""
        rows = np.flatnonzero(self.finite)
        rows = rows[np.argsort(self.xy[rows, 1], kind="stable")]
        points = self.xy[rows].astype(np.float64)
        return rows, points[:, 0].copy(), points[:, 1].copy()

    def inside(self, polygon: NDArray[Any]) -> Rows:
        """Return the rows, ascending, of the points inside a polygon (k, 2).

        A point is inside if a ray from it crosses the outline an odd number of times;
        the polygon may cross itself, and need not be closed. Each edge is held only
        against the points at its height, so that the cost hardly grows with k.
        """
        corners = np.asarray(polygon, np.float64).reshape(-1, 2)
        if len(corners) < 3:
            return np.empty(0, np.int64)
        rows, x, y = self._by_y
        odd = np.zeros(len(rows), bool)
        for (x0, y0), (x1, y1) in zip(
            corners, np.roll(corners, -1, axis=0), strict=True
        ):
            low, high = (y0, y1) if y0 <= y1 else (y1, y0)
            start, stop = np.searchsorted(y, (low, high), side="left")
            if start == stop:
                continue
            at = x0 + (y[start:stop] - y0) / (y1 - y0) * (x1 - x0)
            odd[start:stop] ^= x[start:stop] < at
        return np.sort(rows[odd])

    def within(self, corner: tuple[float, float], other: tuple[float, float]) -> Rows:
        """Return the rows, ascending, of the points in an upright rectangle."""
        low, high = np.minimum(corner, other), np.maximum(corner, other)
        return np.flatnonzero(((self.xy >= low) & (self.xy <= high)).all(axis=1))

    def nearest(
        self,
        point: tuple[float, float],
        unit: tuple[float, float] = (1.0, 1.0),
        reach: float = np.inf,
    ) -> int | None:
        """Return the row of the point nearest to a place, or None.

        Parameters
        ----------
        point : tuple of float
        unit : tuple of float
            Length of one unit of distance along x and y, say of a pixel on screen.
        reach : float
            How far the point may be, in these units.
        """
        if not self.finite.any():
            return None
        x = (self.xy[:, 0] - np.float32(point[0])) / np.float32(unit[0])
        y = (self.xy[:, 1] - np.float32(point[1])) / np.float32(unit[1])
        distance = np.where(self.finite, x * x + y * y, np.inf)
        best = int(np.argmin(distance))
        return best if distance[best] <= reach * reach else None
