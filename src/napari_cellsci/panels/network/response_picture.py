"""A response with everything that is painted along with it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from qtpy.QtGui import QImage

from napari_cellsci.explain.response import Response
from napari_cellsci.explain.topology import Floats
from napari_cellsci.viewer.colors import ScoreScale


@dataclass(frozen=True, eq=False)
class ResponsePicture:
    """What is painted.

    Parameters
    ----------
    response : Response
    names : tuple of str
        Of its one or two inputs.
    target : str
    strips : tuple of list of QImage
        Decoded pictures along each input; empty lists where there are none.
    scale : ScoreScale
        Colours of the values.
    arrows : pair of arrays (n, 2), optional
        Points and gradients.
    cells : array (k, inputs)
        Where some of the cells lie.
    here : array (inputs,), optional
        Where the selected cell lies.
    """

    response: Response
    names: tuple[str, ...]
    target: str
    strips: tuple[list[QImage], ...]
    scale: ScoreScale
    arrows: tuple[Floats, Floats] | None = None
    cells: NDArray[np.floating] | None = None
    here: NDArray[np.floating] | None = None


def short(value: float) -> str:
    """Write a value beside an axis."""
    text = f"{value:.2g}" if abs(value) < 100 else f"{value:.0f}"
    return text.replace("-", "−")
