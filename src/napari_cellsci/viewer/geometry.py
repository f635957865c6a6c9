"""Where things are: between a layer's own coordinates, the world, and another layer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from napari.layers import Layer

Points = NDArray[np.float64]


@dataclass(frozen=True, eq=False, slots=True)
class Affine:
    """An affine map ``x ↦ matrix · x + offset``."""

    matrix: NDArray[np.float64]
    offset: NDArray[np.float64]

    @classmethod
    def to_world(cls, layer: Layer) -> Affine:
        """Return the map from a layer's data to the world.

        Read off its values, so that scale, translation, rotation, shear and affine of
        the layer all count.
        """
        ndim = layer.ndim
        offset = np.asarray(layer.data_to_world(np.zeros(ndim)), dtype=np.float64)
        columns = [
            np.asarray(layer.data_to_world(unit), dtype=np.float64) - offset
            for unit in np.eye(ndim)
        ]
        return cls(np.stack(columns, axis=1), offset)

    def __call__(self, points: Points) -> Points:
        """Map points (n, ndim)."""
        return points @ self.matrix.T + self.offset

    def inverse(self) -> Affine:
        """Return the map back."""
        matrix = np.linalg.inv(self.matrix)
        return Affine(matrix, -matrix @ self.offset)

    def restricted(self, axes: tuple[int, ...]) -> Affine:
        """Return the map of some axes only, as if the others were not there."""
        picked = np.ix_(axes, axes)
        return Affine(self.matrix[picked], self.offset[list(axes)])

    def after(self, first: Affine) -> Affine:
        """Return the map that applies `first`, then this."""
        return Affine(self.matrix @ first.matrix, self(first.offset[np.newaxis])[0])


def is_identity(there: Affine, tolerance: float = 1e-3) -> bool:
    """Whether a map leaves everything where it is (to 1/1000)."""
    ndim = len(there.offset)
    return bool(
        np.allclose(there.matrix, np.eye(ndim), atol=tolerance)
        and np.allclose(there.offset, 0, atol=tolerance)
    )


def layer_transform(layer: Layer) -> dict[str, Any]:
    """Return the keyword arguments that place a new layer exactly on `layer`."""
    return {
        # Copies: a layer hands out its own arrays.
        "scale": np.array(layer.scale, dtype=np.float64),
        "translate": np.array(layer.translate, dtype=np.float64),
        "rotate": layer.rotate,
        "shear": layer.shear,
        "affine": layer.affine,
        "units": layer.units,
        "axis_labels": layer.axis_labels,
    }
