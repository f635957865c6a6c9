"""What is drawn: bright bodies with an outline and a texture, one row each."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

N_NUCLEOLI = 4


@dataclass(slots=True)
class Blobs:
    """Bright bodies to draw; a nucleus is one, an unsplit anaphase two; arrays (n, …).

    Attributes
    ----------
    row : int64
        Row of the truth the blob belongs to; −1 for what is not tracked.
    t : int64
        Frame.
    yx : float, (n, 2)
        Centre (px).
    area, ratio, angle, bend, power : float
        Outline, see `shapes`; area in px².
    waves : float32, (n, 24)
        Waviness of the outline.
    flatness : float
        Exponent k of the thickness ``√(1 − ρ^k)`` across the body.
    light : float
        Brightness, 1 for a mid-interphase nucleus.
    fine, coarse, strands : float
        Strength of the three textures.
    hole, rim : float
        Dark centre, bright envelope.
    nucleoli : float32, (n, N_NUCLEOLI, 4)
        u, v, radius (all relative to the half axes) and depth.
    texture_at : float, (n, 2)
        Where in the texture fields the body's centre lies (µm).
    defocus : float
        Fraction of the light out of focus.
    """

    row: np.ndarray
    t: np.ndarray
    yx: np.ndarray
    area: np.ndarray
    ratio: np.ndarray
    angle: np.ndarray
    bend: np.ndarray
    power: np.ndarray
    waves: np.ndarray
    flatness: np.ndarray
    light: np.ndarray
    fine: np.ndarray
    coarse: np.ndarray
    strands: np.ndarray
    hole: np.ndarray
    rim: np.ndarray
    nucleoli: np.ndarray
    texture_at: np.ndarray
    defocus: np.ndarray

    def __len__(self) -> int:
        return len(self.t)

    def take(self, rows: np.ndarray, **changes: Any) -> Blobs:
        """Return the blobs at `rows`, with some columns replaced."""
        taken = Blobs(**{f.name: getattr(self, f.name)[rows] for f in fields(self)})
        return replace(taken, **changes)

    @staticmethod
    def joined(parts: list[Blobs]) -> Blobs:
        """Return the blobs of all parts, one after the other."""
        return Blobs(
            **{
                f.name: np.concatenate([getattr(part, f.name) for part in parts])
                for f in fields(Blobs)
            }
        )
