"""The eight ways to turn and mirror a square crop (the dihedral group D4)."""

from __future__ import annotations

import torch
from torch import Tensor

N_VIEWS = 8


def dihedral(batch: Tensor, g: int) -> Tensor:
    """Apply the group element `g` to square images.

    Parameters
    ----------
    batch : Tensor (..., S, S)
        Images; the last two axes are y and x.
    g : int
        0 to 7: ``g % 4`` quarter turns counter-clockwise, after a mirror of x if
        ``g >= 4``. 0 is the identity.

    Returns
    -------
    Tensor (..., S, S)
        A turned copy or view.
    """
    if not 0 <= g < N_VIEWS:
        raise ValueError(f"A square has {N_VIEWS} views, 0 to 7, not {g}.")
    mirrored = batch.flip(-1) if g >= 4 else batch
    return torch.rot90(mirrored, g % 4, (-2, -1)) if g % 4 else mirrored


def compose(g: int, h: int) -> int:
    """Return the element that applies `h` first and `g` after it."""
    turns = g % 4 + (h % 4 if g < 4 else -(h % 4))
    return turns % 4 + 4 * ((g >= 4) != (h >= 4))


def inverse(g: int) -> int:
    """Return the element that undoes `g`."""
    return g if g >= 4 else -g % 4


def dihedral_each(batch: Tensor, elements: Tensor) -> Tensor:
    """Turn every image of a batch by its own group element.

    Parameters
    ----------
    batch : Tensor (n, C, S, S)
        Images.
    elements : Tensor (n,) of int
        Group elements, 0 to 7.

    Returns
    -------
    Tensor (n, C, S, S)
        A new tensor.
    """
    out = torch.empty_like(batch)
    for g in range(N_VIEWS):
        chosen = torch.nonzero(elements == g).flatten()
        if len(chosen):
            out[chosen] = dihedral(batch[chosen], g)
    return out
