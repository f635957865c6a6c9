"""Principal components of latents: the plane in which a cloud of cells is widest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False, slots=True)
class Components:
    """Principal components, widest first.

    Parameters
    ----------
    mean : array (D,)
    directions : array (k, D)
        Unit vectors; the largest entry of each is positive.
    share : array (k,)
        Part of the whole variance that lies along each.
    """

    mean: Floats
    directions: Floats
    share: Floats

    def project(self, z: NDArray[Any]) -> NDArray[np.float32]:
        """Return the coordinates (n, k) of latents (n, D)."""
        # Folding the mean in afterwards spares a centred copy of all cells.
        offset = self.directions @ self.mean
        directions = self.directions.T.astype(np.float32)
        along = np.asarray(z, np.float32) @ directions - offset.astype(np.float32)
        return np.asarray(along, np.float32)


def principal_components(z: NDArray[Any], k: int | None = None) -> Components:
    """Return the `k` principal components of latents (n, D); by default all.

    Latents are not rescaled: one that carries nothing hardly varies, and should not
    be blown up to the size of the others.
    """
    values = np.asarray(z, np.float64)
    k = values.shape[1] if k is None else min(k, values.shape[1])
    mean = values.mean(axis=0) if len(values) else np.zeros(values.shape[1])
    centred = values - mean
    variance, vectors = np.linalg.eigh(centred.T @ centred / max(len(values), 1))
    directions = vectors.T[::-1]
    largest = np.take_along_axis(
        directions, np.abs(directions).argmax(axis=1)[:, np.newaxis], axis=1
    )
    directions = directions * np.where(largest < 0, -1.0, 1.0)
    variance = np.maximum(variance[::-1], 0)
    share = variance / max(float(variance.sum()), np.finfo(float).tiny)
    return Components(mean, directions[:k], share[:k])
