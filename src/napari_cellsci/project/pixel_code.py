"""A linear code of crops, for telling unusual ones where there is no encoder."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_cellsci.cells.normalise import zscore

Floats = NDArray[np.float32]
EDGE = 16
"""Crops are averaged down to this edge (px) first."""
LENGTH = 16
"""Principal components kept, at most."""
_BATCH = 2048


@dataclass(frozen=True, slots=True)
class PixelCode:
    """Principal components of normalised crops, averaged down to 16 × 16 px.

    Parameters
    ----------
    mean : array (C·16·16,)
    components : array (D, C·16·16)
        Orthonormal rows.
    clip : float
        Of the normalisation.
    """

    mean: Floats
    components: Floats
    clip: float

    @classmethod
    def fit(cls, crops: Any, clip: float) -> PixelCode:
        """Fit to raw crops (n, C, S, S), S a multiple of 16, in all eight views.

        A cell is no stranger for lying the other way round.
        """
        small = _small(crops, clip)
        views = [_flat(view) for view in _views(small)]
        mean = np.mean([view.mean(axis=0) for view in views], axis=0)
        scatter = sum((view - mean).T @ (view - mean) for view in views)
        axes = np.linalg.eigh(np.asarray(scatter, np.float64))[1].T[::-1]
        # One direction at least stays out, so that there is a residual to measure.
        kept = min(LENGTH, max(1, len(small) - 2))
        return cls(mean.astype(np.float32), axes[:kept].astype(np.float32), clip)

    def encode_with_error(self, crops: Any) -> tuple[Floats, Floats]:
        """Return the code (n, D) and the mean squared residual (n,) of raw crops."""
        pixels = _flat(_small(crops, self.clip)) - self.mean
        code = pixels @ self.components.T
        residual = pixels - code @ self.components
        error = np.square(residual).mean(axis=1)
        return code.astype(np.float32), error.astype(np.float32)

    def encode_views(self, crops: Any) -> Floats:
        """Return the codes of all eight views of raw crops (n, 8, D)."""
        views = _views(_small(crops, self.clip))
        codes = [(_flat(view) - self.mean) @ self.components.T for view in views]
        return np.stack(codes, axis=1).astype(np.float32)

    def meta(self) -> dict[str, Any]:
        """Return plain JSON values; with `arrays`, `from_arrays` reads them."""
        return {"clip": self.clip}

    def arrays(self) -> dict[str, Floats]:
        """Return the arrays that define it."""
        return {"mean": self.mean, "components": self.components}

    @classmethod
    def from_arrays(cls, meta: dict[str, Any], arrays: dict[str, Floats]) -> PixelCode:
        """Rebuild a code from `meta` and `arrays`."""
        return cls(arrays["mean"], arrays["components"], float(meta["clip"]))


def _small(crops: Any, clip: float) -> Floats:
    """Return normalised crops averaged down, (n, C, 16, 16)."""
    parts = []
    for start in range(0, max(len(crops), 1), _BATCH):
        x = zscore(np.asarray(crops[start : start + _BATCH]), clip)
        n, c, s, _ = x.shape
        step = s // EDGE
        blocks = x.reshape(n, c, EDGE, step, EDGE, step).mean(axis=(3, 5))
        parts.append(blocks.astype(np.float32))
    return np.concatenate(parts)


def _flat(small: Floats) -> Floats:
    n, *rest = small.shape
    return small.reshape(n, int(np.prod(rest)))


def _views(small: Floats) -> list[Floats]:
    """Return the eight views (turned, and mirrored and turned); the first is as is."""
    mirrored = (small, small[..., ::-1])
    return [np.rot90(one, turns, (-2, -1)) for one in mirrored for turns in range(4)]
