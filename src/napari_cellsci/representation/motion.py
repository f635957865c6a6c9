"""How a latent moves what it shows: shift, growth, stretch, told from the decoder.

To first order, an object that flows along a field v changes a picture I by ``−v·∇I``.
The change a latent makes is compared with the flows of a shift, a dilation, two
stretches and a turn. This tells a position from other things that turn with the
picture (a triangle, a neighbour at one side), and it gives every sign a meaning, all
without any measurement of cells.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from napari_cellsci.representation.encoder import Encoder

FLOWS = ("x", "y", "size", "axes", "diagonals", "turn")
"""To the right, downwards, larger, taller, longer along the falling diagonal, turns."""
_STEP = 1.0
_RIDGE = 1e-9


def motions(
    encoder: Encoder,
    latent: int,
    anchors: NDArray[Any],
    region: NDArray[Any] | None = None,
    delta: float = _STEP,
) -> dict[str, float]:
    """Measure which flows the effect of a latent consists of.

    ``dec(z + δ·e_d) − dec(z − δ·e_d)`` is regressed on the flows of the picture between
    the two, with the picture itself and a constant as further terms, because normalised
    pixels change with contrast too. Of several channels the one counts in which a flow
    explains most: what grows in one channel may do something else in another.

    Parameters
    ----------
    encoder : Encoder
    latent : int
        Number of the latent, from 0.
    anchors : array (k, D)
        Latents of the cells that are changed.
    region : array (S, S), optional
        Weights of the pixels, for example where the cell lies.
    delta : float
        How far the latent is moved either way.

    Returns
    -------
    dict of str to float
        For each of `FLOWS` the part of the effect (of its squares) that this flow
        alone explains, 0 to 1, with the sign of the direction in which the latent
        grows.
    """
    anchors = np.asarray(anchors, np.float32)
    step = np.zeros(anchors.shape[1], np.float32)
    step[latent] = delta
    pictures = encoder.decode(np.concatenate([anchors + step, anchors - step]))
    above, below = np.split(pictures.astype(np.float64), 2)
    effect, middle = above - below, (above + below) / 2
    weights = np.ones(effect.shape[-2:]) if region is None else np.sqrt(region)
    best, explained = np.zeros(len(FLOWS)), 0.0
    for channel in range(effect.shape[1]):
        picture = middle[:, channel]
        terms = [*flows(picture), picture, np.ones_like(picture)]
        target = (effect[:, channel] * weights).ravel()
        parts = _signed_parts(np.stack(terms) * weights, target)
        here = float(np.abs(parts).max() * (target @ target))
        if here > explained:
            best, explained = parts, here
    return dict(zip(FLOWS, best.tolist(), strict=True))


def flows(pictures: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return what each of `FLOWS` changes in pictures (…, S, S): (6, …, S, S)."""
    down, right = np.gradient(pictures, axis=(-2, -1))
    size = pictures.shape[-1]
    place = np.arange(size) - (size - 1) / 2
    y, x = np.meshgrid(place, place, indexing="ij")
    return -np.stack(
        [
            right,
            down,
            x * right + y * down,
            y * down - x * right,
            y * right + x * down,
            x * down - y * right,
        ]
    )


def leading_flow(parts: Mapping[str, float]) -> str | None:
    """Return the flow that explains most, None if there is none."""
    found = max(parts, key=lambda name: abs(parts[name]), default=None)
    return found if found is not None and abs(parts[found]) > 0 else None


def _signed_parts(
    terms: NDArray[np.float64], target: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return signed squared semi-partial correlations of the first six terms."""
    columns = terms.reshape(len(terms), -1)
    scale = np.linalg.norm(columns, axis=1)
    columns = columns / np.where(scale > 0, scale, 1)[:, None]
    power = float(target @ target)
    if power <= 0:
        return np.zeros(len(FLOWS))
    inverse = np.linalg.inv(columns @ columns.T + _RIDGE * np.eye(len(columns)))
    slopes = inverse @ (columns @ target)
    parts = np.sign(slopes) * slopes**2 / np.diag(inverse) / power
    found: NDArray[np.float64] = np.clip(parts[: len(FLOWS)], -1, 1)
    return np.where(scale[: len(FLOWS)] > 0, found, 0.0)
