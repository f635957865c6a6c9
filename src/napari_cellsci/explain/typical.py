"""How rare a value is among those of ordinary cells."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

_QUANTILES = 512
_ROWS_AT_ONCE = 4096
_CLIP = (0.1, 0.9)
_CLIPPED_SD = 0.8238
"""Standard deviation of a standard normal variable clipped at its 10% quantiles."""


def in_parts(rows: Array) -> Iterator[Array]:
    """Yield rows in parts that keep temporary arrays small; always at least one."""
    for start in range(0, max(len(rows), 1), _ROWS_AT_ONCE):
        yield rows[start : start + _ROWS_AT_ONCE]


def robust_moments(values: Array) -> tuple[Array, Array]:
    """Return mean and standard deviation along the first axis, strange values clipped.

    One mislabelled cell in twenty would otherwise double the deviation.
    """
    low, high = np.quantile(values, _CLIP, axis=0)
    clipped = np.clip(values, low, high)
    return clipped.mean(0), clipped.std(0) / _CLIPPED_SD


@dataclass(frozen=True, slots=True)
class Tail:
    """What share of ordinary cells have a larger value of some positive statistic.

    Few values describe a distribution badly and many describe it well. The share is
    therefore mixed from Student's t for the next logarithm, which counts for
    50/(n + 50), and the smoothed empirical distribution, for n/(n + 50).

    Parameters
    ----------
    values : float array of shape (m,)
        Sorted logarithms of the statistic, or as many quantiles of them.
    n : int
        Cells they stand for.
    """

    values: Array
    n: int

    @classmethod
    def fit(cls, statistic: npt.NDArray[np.floating]) -> Tail:
        """Describe the statistic of ordinary cells (n,), n ≥ 1."""
        logs = np.sort(_log(statistic))
        n = len(logs)
        if n > _QUANTILES:
            logs = np.quantile(logs, (np.arange(_QUANTILES) + 0.5) / _QUANTILES)
        return cls(logs, n)

    def survival(self, statistic: npt.NDArray[np.floating]) -> Array:
        """Return the share of ordinary cells beyond each value (n,)."""
        from scipy.special import ndtr, stdtr

        x = _log(statistic)
        mean, spread = robust_moments(self.values)
        spread = np.maximum(spread, 0.02)
        scale = spread * np.sqrt(1 + 1 / self.n)
        parametric = stdtr(max(self.n - 1, 1), -(x - mean) / scale)
        width = spread / np.sqrt(self.n)
        empirical = np.concatenate(
            [ndtr((self.values - p[:, None]) / width).mean(1) for p in in_parts(x)]
        )
        trust = self.n / (self.n + 50)
        return np.asarray((1 - trust) * parametric + trust * empirical)


def _log(statistic: npt.NDArray[np.floating]) -> Array:
    return np.asarray(np.log(np.maximum(np.asarray(statistic, np.float64), 1e-12)))


def two_sided(standardised: Array, n: int) -> Array:
    """Return the share of ordinary cells at least as far from the middle.

    Parameters
    ----------
    standardised : array of shape (m, axes)
        Deviations in units of the deviation of the next value (Student's t).
    n : int
        Cells from which the middle and the deviation were estimated.

    Returns
    -------
    array of shape (m,)
        The smallest share of any axis, corrected for their number.
    """
    from scipy.special import stdtr

    each = 2 * stdtr(max(n - 1, 1), -np.abs(standardised))
    return np.asarray(np.minimum(each.min(1) * standardised.shape[1], 1))


def product_of_uniforms(p: Array, q: Array) -> Array:
    """Return the chance that two uniform numbers have a product below ``p · q``.

    Fisher's way to combine two independent tests.
    """
    product = np.maximum(p * q, 1e-300)
    return np.asarray(np.minimum(product * (1 - np.log(product)), 1))
