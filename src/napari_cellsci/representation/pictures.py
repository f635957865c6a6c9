"""What was seen at a look at an encoder that learns; loads no torch."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
NAMES = ("crops", "recon", "strips", "latents", "drawn")


@dataclass(frozen=True, slots=True, eq=False)
class Pictures:
    """What an encoder makes of some crops, in the contrast of these crops.

    Attributes
    ----------
    crops, recon : uint8 arrays (n, C, S, S)
        Held-out crops and their reconstructions.
    strips : uint8 array (k, m, C, S, S)
        Pictures of the mean cell while one latent moves from −2.5 to 2.5, or over the
        range of an InfoGAN's code.
    latents : int array (k,)
        Which latents these are: those with the most information, in order.
    drawn : uint8 array (m, C, S, S)
        Crops drawn from nothing by a GAN; none of other encoders.
    """

    crops: Pixels
    recon: Pixels
    strips: Pixels
    latents: NDArray[np.int64]
    drawn: Pixels = field(default_factory=lambda: np.zeros((0, 1, 1, 1), np.uint8))

    @classmethod
    def load(cls, path: Path) -> Pictures:
        """Read what `looks.take_look` wrote.

        Raises
        ------
        OSError, ValueError, KeyError
            If the file is missing or damaged.
        """
        with np.load(path, allow_pickle=False) as arrays:
            # Looks of earlier versions drew nothing new.
            return cls(**{n: arrays[n] for n in NAMES if n in arrays or n != NAMES[-1]})
