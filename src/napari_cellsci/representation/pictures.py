"""What was seen at a look at an encoder that learns; loads no torch."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
NAMES = ("crops", "recon", "strips", "latents")


@dataclass(frozen=True, slots=True, eq=False)
class Pictures:
    """What an encoder makes of some crops, in the contrast of these crops.

    Attributes
    ----------
    crops, recon : uint8 arrays (n, C, S, S)
        Held-out crops and their reconstructions.
    strips : uint8 array (k, m, C, S, S)
        Pictures of the mean cell while one latent moves from −2.5 to 2.5.
    latents : int array (k,)
        Which latents these are: those with the most information, in order.
    """

    crops: Pixels
    recon: Pixels
    strips: Pixels
    latents: NDArray[np.int64]

    @classmethod
    def load(cls, path: Path) -> Pictures:
        """Read what `looks.take_look` wrote.

        Raises
        ------
        OSError, ValueError, KeyError
            If the file is missing or damaged.
        """
        with np.load(path, allow_pickle=False) as arrays:
            return cls(*(arrays[name] for name in NAMES))
