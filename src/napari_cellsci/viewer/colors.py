"""The colours of classes and scores, the same in layers, galleries and plots.

The palette is that of Okabe and Ito (2008), which people with any common form of colour
blindness can tell apart.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from napari_cellsci.labels.classes import OKABE_ITO

FloatArray: TypeAlias = NDArray[np.float32]

NEGATIVE, POSITIVE = OKABE_ITO[:2]
"""Colours of f < 0 and f ≥ 0: interphase blue and metaphase vermilion."""
UNLABELLED = "#8C8C8C"
NEUTRAL = "#C4C4C4"
"""Middle of the score map, where the classifier cannot tell."""
SELECTED = "#FFFFFF"
CLIP_QUANTILE = 0.98
N_BINS = 255
"""Colours a label layer tells apart; 0 stays the background."""


def rgba(color: str, alpha: float = 1.0) -> FloatArray:
    """Return ``#rrggbb`` as four floats from 0 to 1."""
    digits = color.lstrip("#")
    parts = [int(digits[i : i + 2], 16) / 255 for i in (0, 2, 4)]
    return np.array([*parts, alpha], dtype=np.float32)


def colors_of_codes(
    codes: NDArray[np.integer[Any]], palette: Sequence[str], alpha: float = 1.0
) -> FloatArray:
    """Return one colour per class code.

    Parameters
    ----------
    codes : array (n,) of int
        Positions in `palette`; negative means unlabelled.
    palette : sequence of str
        One ``#rrggbb`` per class.
    alpha : float
        Opacity.

    Returns
    -------
    array (n, 4) of float32
    """
    table = np.stack([rgba(color, alpha) for color in (*palette, UNLABELLED)])
    return table[np.where(codes < 0, len(palette), codes)]


@dataclass(frozen=True, slots=True)
class ScoreScale:
    """The diverging map of scores: blue, neutral grey at 0, vermilion, symmetric.

    Parameters
    ----------
    limit : float
        |f| at which the colours saturate.
    negative, positive : str
        Colours of the two ends.
    """

    limit: float = 1.0
    negative: str = NEGATIVE
    positive: str = POSITIVE

    @classmethod
    def of(cls, scores: NDArray[np.floating[Any]]) -> ScoreScale:
        """Return the scale that saturates at the 98th percentile of |f|."""
        finite = np.abs(scores[np.isfinite(scores)])
        limit = float(np.quantile(finite, CLIP_QUANTILE)) if finite.size else 1.0
        return cls(limit if limit > 0 else 1.0)

    def _table(self, n: int) -> FloatArray:
        ends = np.stack([rgba(c) for c in (self.negative, NEUTRAL, self.positive)])
        at = np.linspace(0, 1, n)
        columns = [np.interp(at, [0, 0.5, 1], ends[:, i]) for i in range(4)]
        return np.stack(columns, axis=1).astype(np.float32)

    def bins(self, scores: NDArray[np.floating[Any]]) -> NDArray[np.uint8]:
        """Return the bin of each score, 1 to 255 with 128 at zero; NaN is bin 0."""
        known = np.isfinite(scores)
        half = N_BINS // 2
        clipped = np.clip(np.where(known, scores, 0) / self.limit, -1, 1)
        found = np.rint(clipped * half) + half + 1
        return np.where(known, found, 0).astype(np.uint8)

    def bin_colors(self) -> FloatArray:
        """Return the colours of bins 0 to 255; bin 0 is unlabelled grey."""
        return np.concatenate([rgba(UNLABELLED)[np.newaxis], self._table(N_BINS)])

    def colors(
        self, scores: NDArray[np.floating[Any]], alpha: float = 1.0
    ) -> FloatArray:
        """Return one colour per score, grey where it is NaN.

        Parameters
        ----------
        scores : array (n,)
        alpha : float
            Opacity.

        Returns
        -------
        array (n, 4) of float32
        """
        table = self.bin_colors()
        table[:, 3] = alpha
        return table[self.bins(scores)]

    def ticks(self) -> tuple[float, ...]:
        """Return the five scores a legend names, symmetric about 0."""
        step = _round_down(self.limit / 2)
        return tuple(step * i for i in (-2, -1, 0, 1, 2))


def _round_down(value: float) -> float:
    """Return the largest 1, 2, 2.5 or 5 times a power of ten up to `value`."""
    power = 10.0 ** np.floor(np.log10(value))
    steps: Sequence[float] = (1, 2, 2.5, 5)
    return float(power * max(s for s in steps if s * power <= value * (1 + 1e-9)))
