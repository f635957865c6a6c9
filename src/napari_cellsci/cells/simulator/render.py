"""Draws one frame's bodies: light in focus, light out of focus, and labels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from napari_cellsci.cells.simulator.blobs import N_NUCLEOLI, Blobs
from napari_cellsci.cells.simulator.shapes import (
    N_ANGLES,
    Moments,
    half_axes,
    outline,
    polygon_moments,
    polygons,
)
from napari_cellsci.cells.simulator.texture import STEP, Textures, look_up

_BUCKET = 16  # patches are grouped by edges rounded up to this many px


@dataclass(slots=True)
class Canvas:
    """What one frame holds before the optics; arrays (size, size).

    Attributes
    ----------
    sharp, soft : ndarray of float32
        Light in and out of focus, 1 for a mid-interphase nucleus.
    labels : ndarray of int64
        Track ids, 0 between the nuclei.
    """

    sharp: np.ndarray
    soft: np.ndarray
    labels: np.ndarray
    depth: (
        np.ndarray
    )  # ρ of the nucleus that holds the pixel; the more central one wins

    @classmethod
    def blank(cls, size: int) -> Canvas:
        """Return an empty frame."""
        shape = (size, size)
        sharp, soft = np.zeros((2, *shape), np.float32)
        return cls(
            sharp, soft, np.zeros(shape, np.int64), np.full(shape, 2, np.float32)
        )


def draw(
    canvas: Canvas, blobs: Blobs, ids: np.ndarray, textures: Textures, pixel_size: float
) -> Moments:
    """Add blobs to the canvas and return the moments of their exact outlines.

    Parameters
    ----------
    canvas : Canvas
        Changed in place.
    blobs : Blobs
        The bodies of one frame.
    ids : ndarray, shape (n,)
        Label each body writes, 0 for none.
    textures : Textures
        Shared fields.
    pixel_size : float
        µm per pixel.
    """
    q = outline(blobs.waves, blobs.power)
    a, b = half_axes(blobs.area, blobs.ratio)
    y, x = polygons(blobs.yx, (a, b), blobs.angle, blobs.bend, q)
    reach = np.maximum(np.ptp(y, axis=1), np.ptp(x, axis=1)) / 2 + 2
    middle = np.stack([(y.max(1) + y.min(1)) / 2, (x.max(1) + x.min(1)) / 2], axis=1)
    edge = (np.ceil(2 * reach / _BUCKET) * _BUCKET).astype(int)
    for width in np.unique(edge):
        rows = np.flatnonzero(edge == width)
        corner = np.round(middle[rows]).astype(int) - width // 2
        body = _Bodies(blobs.take(rows), a[rows], b[rows], q[rows], corner, width)
        rho, light = body.render(textures, pixel_size)
        _paste(canvas, corner, rho, light, blobs.defocus[rows], ids[rows])
    return polygon_moments(y, x)


@dataclass(slots=True)
class _Bodies:
    """Bodies drawn on patches of the same width, `corner` their first pixel (n, 2)."""

    blobs: Blobs
    a: np.ndarray
    b: np.ndarray
    q: np.ndarray
    corner: np.ndarray
    width: int

    def render(
        self, textures: Textures, pixel_size: float
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return ρ (1 on the outline) and light, each (n, width, width) float32."""
        u, v = self._own_axes()
        a, b, bend = (_tall(c) for c in (self.a, self.b, self.blobs.bend))
        nu = u / a
        nv = (v - bend * a * (nu * nu - 0.25)) / b
        radius = np.hypot(nu, nv)
        sector = np.arctan2(nv, nu) * np.float32(N_ANGLES / (2 * np.pi))
        index = np.rint(sector).astype(np.int32) % N_ANGLES
        index += (np.arange(len(self.q), dtype=np.int32) * N_ANGLES)[:, None, None]
        rho = radius / self.q.ravel()[index]
        inside = np.maximum(1 - rho ** _tall(self.blobs.flatness), 0)
        light = np.sqrt(inside) * self._chromatin(u, v, textures, pixel_size)
        light *= self._structure(nu, nv, rho)
        return rho, light * _tall(self.blobs.light)

    def _own_axes(self) -> tuple[np.ndarray, np.ndarray]:
        grid = np.arange(self.width, dtype=np.float32)
        start = (self.corner - self.blobs.yx).astype(np.float32)
        dy = (grid[None] + start[:, :1])[:, :, None]
        dx = (grid[None] + start[:, 1:])[:, None, :]
        cos, sin = _tall(np.cos(self.blobs.angle)), _tall(np.sin(self.blobs.angle))
        return dy * cos + dx * sin, dx * cos - dy * sin

    def _chromatin(
        self, u: np.ndarray, v: np.ndarray, textures: Textures, pixel_size: float
    ) -> np.ndarray:
        scale = np.float32(pixel_size / STEP)
        at = self.blobs.texture_at / STEP
        row = (u * scale + _tall(at[:, 0])).astype(np.int32)
        column = (v * scale + _tall(at[:, 1])).astype(np.int32)
        total = 1 + _tall(self.blobs.fine) * look_up(textures.fine, row, column)
        total += _tall(self.blobs.coarse) * look_up(textures.coarse, row, column)
        if self.blobs.strands.any():
            total += _tall(self.blobs.strands) * look_up(textures.strands, row, column)
        return np.asarray(np.maximum(total, 0.05))

    def _structure(self, nu: np.ndarray, nv: np.ndarray, rho: np.ndarray) -> np.ndarray:
        factor = 1 + _tall(self.blobs.rim) * np.exp(-(((rho - 0.88) / 0.09) ** 2))
        if self.blobs.hole.any():
            factor *= 1 - _tall(self.blobs.hole) * np.exp(-((rho / 0.42) ** 4))
        if self.blobs.nucleoli[..., 3].any():
            aspect = _tall(np.sqrt(self.a / self.b))
            for k in range(N_NUCLEOLI):
                cu, cv, radius, depth = (_tall(c) for c in self.blobs.nucleoli[:, k].T)
                far = ((nu - cu) * aspect) ** 2 + ((nv - cv) / aspect) ** 2
                factor *= 1 - depth * np.exp(
                    -((far / np.maximum(radius, 1e-3) ** 2) ** 2)
                )
        return np.asarray(factor)


def _tall(column: np.ndarray) -> np.ndarray:
    """Shape a column (n,) so that it multiplies patches (n, height, width)."""
    return np.asarray(column, np.float32)[:, None, None]


def _paste(
    canvas: Canvas,
    corner: np.ndarray,
    rho: np.ndarray,
    light: np.ndarray,
    defocus: np.ndarray,
    ids: np.ndarray,
) -> None:
    size, width = canvas.sharp.shape[0], rho.shape[1]
    for i, (y, x) in enumerate(corner.tolist()):
        rows = slice(max(y, 0), min(y + width, size))
        columns = slice(max(x, 0), min(x + width, size))
        if rows.stop <= rows.start or columns.stop <= columns.start:
            continue
        own = (
            slice(rows.start - y, rows.stop - y),
            slice(columns.start - x, columns.stop - x),
        )
        patch, place = light[i][own], (rows, columns)
        canvas.sharp[place] += (1 - defocus[i]) * patch
        canvas.soft[place] += defocus[i] * patch
        if ids[i]:
            nearer = (rho[i][own] <= 1) & (rho[i][own] < canvas.depth[place])
            canvas.labels[place][nearer] = ids[i]
            canvas.depth[place][nearer] = rho[i][own][nearer]
