"""How latents follow measured properties: rank correlations and their resampling."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Doubles = NDArray[np.float64]


def ranks(values: NDArray[np.floating]) -> Doubles:
    """Return ranks of each column (n, k), centred, of unit variance; ties share theirs.

    Constant columns become 0.
    """
    ranked = np.zeros(values.shape)
    for column, given in zip(ranked.T, values.T, strict=True):
        # scipy.stats would do this too, but takes a second to import.
        _, place, count = np.unique(given, return_inverse=True, return_counts=True)
        column[:] = (np.cumsum(count) - (count - 1) / 2)[place]
    if len(values):
        ranked -= ranked.mean(axis=0)
        spread = ranked.std(axis=0)
        ranked /= np.where(spread > 0, spread, 1)
    return ranked


@dataclass(frozen=True)
class RankSums:
    """Sums of ranks and their products by group, for quick resampling.

    Ranks are those of the whole sample: a resample's own would differ by less than its
    sampling error.

    Parameters
    ----------
    count : array (G,)
    x, xx : array (G, D)
        Latents.
    y, yy : array (G, F)
        Properties.
    xy : array (G, D, F)
    """

    count: Doubles
    x: Doubles
    xx: Doubles
    y: Doubles
    yy: Doubles
    xy: Doubles

    @classmethod
    def of(
        cls,
        latents: NDArray[np.floating],
        factors: NDArray[np.floating],
        groups: NDArray[np.int64],
        n_groups: int,
    ) -> RankSums:
        """Rank latents (n, D) and factors (n, F) and sum them by group (n,)."""
        x, y = ranks(latents), ranks(factors)
        order = np.argsort(groups, kind="stable")
        bounds = np.searchsorted(groups[order], np.arange(n_groups + 1))
        x, y = x[order], y[order]
        xy = np.zeros((n_groups, x.shape[1], y.shape[1]))
        for group in range(n_groups):
            mine = slice(bounds[group], bounds[group + 1])
            xy[group] = x[mine].T @ y[mine]

        def summed(values: Doubles) -> Doubles:
            out = np.zeros((n_groups, values.shape[1]))
            np.add.at(out, groups[order], values)
            return out

        return cls(
            count=np.diff(bounds).astype(np.float64),
            x=summed(x),
            xx=summed(x**2),
            y=summed(y),
            yy=summed(y**2),
            xy=xy,
        )

    def correlations(self, weights: Doubles | None = None) -> Doubles:
        """Return Spearman's correlations (…, D, F); 0 where something is constant.

        Parameters
        ----------
        weights : array (…, G), optional
            How often each group is counted; once by default.
        """
        if weights is None:
            weights = np.ones(len(self.count))
        n = np.maximum(weights @ self.count, 1)[..., None]
        x, y = weights @ self.x / n, weights @ self.y / n
        spread_x = np.sqrt(np.maximum(weights @ self.xx / n - x**2, 0))
        spread_y = np.sqrt(np.maximum(weights @ self.yy / n - y**2, 0))
        flat = weights @ self.xy.reshape(len(self.xy), -1)
        product = flat.reshape(*weights.shape[:-1], *self.xy.shape[1:]) / n[..., None]
        scale = spread_x[..., :, None] * spread_y[..., None, :]
        together = product - x[..., :, None] * y[..., None, :]
        found: Doubles = np.where(
            scale > 1e-9, together / np.maximum(scale, 1e-9), 0.0
        ).clip(-1, 1)
        return found


def unique_parts(
    latents: NDArray[np.floating], factors: NDArray[np.floating]
) -> Doubles:
    """Return the part of each latent's variance that one property alone explains.

    The squared semi-partial correlation of ranks: what R² of the regression on all
    properties loses when that one is left out.

    Parameters
    ----------
    latents : array (n, D)
    factors : array (n, F)

    Returns
    -------
    array (D, F)
    """
    x, y = ranks(latents), ranks(factors)
    n, k = len(x), y.shape[1]
    between = y.T @ y / max(n, 1) + 1e-9 * np.eye(k)
    inverse = np.linalg.inv(between)
    slopes = (x.T @ y / max(n, 1)) @ inverse
    found: Doubles = np.clip(slopes**2 / np.diag(inverse), 0, 1)
    return found
