"""What latents owe to a second look at a cell: turned, or among other cells.

Some crops of each batch are encoded twice. Turned, their latents ought to turn with
them (`symmetry`). With the surroundings of another crop, latents of elongation ought to
stay as they are: elongation is the cell's own, yet unasked such a latent also follows
the side on which neighbours lie, for that has the same symmetry. Neither asks for
anything that is known of the cells.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import torch
from torch import Tensor

from napari_cellsci.representation.symmetry import (
    divergence,
    layout,
    symmetry_loss,
)
from napari_cellsci.representation.views import dihedral_each

EVERY = 4
"""One crop in so many is looked at again."""
INSIDE = 9 / 32
"""Radius of what is taken for the cell, as a part of the crop's width: 6 µm of the
usual 21.3 µm. Of a longer cell the ends count as surroundings."""
_SOFT = 1.5 / 64
_PARTNER = 2
"""How many rows on the crop lies whose surroundings are taken."""


class SecondLook(NamedTuple):
    """Crops that are encoded a second time.

    Parameters
    ----------
    crops : Tensor (t + e, C, S, S)
        The turned ones, then those among other surroundings.
    turned, elements : Tensor (t,) of int
        Rows that were turned, and by which element of the group.
    moved : Tensor (e,) of int
        Rows that were put among other surroundings.
    """

    crops: Tensor
    turned: Tensor
    elements: Tensor
    moved: Tensor


def look_again(
    x: Tensor, elements: Tensor | None, surround: bool, first: int = 0
) -> SecondLook | None:
    """Choose crops of a batch and make what is seen at a second look.

    Processes that share a batch choose what one would choose if each one's part is a
    multiple of `EVERY`. An exchanged crop is not normalised again.

    Parameters
    ----------
    x : Tensor (n, C, S, S)
        Normalised crops.
    elements : Tensor (n,) of int, optional
        Group elements by which to turn; None turns none.
    surround : bool
        Whether to exchange surroundings.
    first : int
        Row of the first of these crops in the whole batch, of which other processes
        have other parts.

    Returns
    -------
    SecondLook or None
        None if nothing is asked for.
    """
    rows = torch.arange(len(x), device=x.device)
    none = rows[:0]
    turn = (first + rows) % EVERY
    turned = none if elements is None else rows[turn == 0]
    moved = rows[turn == 1] if surround else none
    if not len(turned) and not len(moved):
        return None
    by = none if elements is None else elements.to(x.device)[turned]
    crops = []
    if len(turned):
        crops.append(dihedral_each(x[turned], by))
    if len(moved):
        crops.append(exchanged(x, moved, (moved + _PARTNER) % len(x)))
    return SecondLook(torch.cat(crops), turned, by, moved)


def exchanged(x: Tensor, rows: Tensor, others: Tensor) -> Tensor:
    """Put the middle of the crops `rows` into the surroundings of the crops `others`.

    Parameters
    ----------
    x : Tensor (n, C, S, S)
    rows, others : Tensor (m,) of int

    Returns
    -------
    Tensor (m, C, S, S)
    """
    inside = middle(x.shape[-1]).to(x)
    mixed = inside * x[rows] + (1 - inside) * x[others]
    if x.is_contiguous(memory_format=torch.channels_last):
        mixed = mixed.contiguous(memory_format=torch.channels_last)
    return mixed


@cache
def middle(size: int) -> Tensor:
    """Return the share (S, S) of each pixel that belongs to the middle, soft-edged."""
    r = torch.arange(size) - (size - 1) / 2
    distance = (r[:, None] ** 2 + r[None, :] ** 2).sqrt()
    return torch.sigmoid((INSIDE * size - distance) / (_SOFT * size))


def of_the_cell(latent: int) -> list[int]:
    """Return the latents that must not heed the surroundings: those of elongation."""
    return [d for d, kind in enumerate(layout(latent)) if kind in ("B1", "B2")]


def asymmetry(mu: Tensor, logvar: Tensor, look: SecondLook) -> Tensor:
    """Return how far the latents of turned crops are from turned latents (nats).

    `mu` and `logvar` (n + t + e, D) are those of the batch and of the second look.
    """
    first = len(mu) - len(look.crops)
    again = slice(first, first + len(look.turned))
    return symmetry_loss(
        mu[look.turned], logvar[look.turned], mu[again], logvar[again], look.elements
    )


def heed(mu: Tensor, logvar: Tensor, look: SecondLook) -> Tensor:
    """Return how much latents of elongation follow other surroundings (nats).

    The divergence between what they are in a crop and after the exchange; parameters as
    `asymmetry`.
    """
    again = slice(len(mu) - len(look.moved), None)
    own = of_the_cell(mu.shape[1])
    before = mu[look.moved][:, own], logvar[look.moved][:, own]
    return divergence(*before, mu[again][:, own], logvar[again][:, own])
