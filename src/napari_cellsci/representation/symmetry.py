"""Latents that know the symmetry of a square: what turning a crop does to each of them.

A crop has no top: its eight dihedral views show the same cell. Nothing in the objective
of a β-TCVAE tells which latents may change between them, so elongation comes as a pair
of latents turned at random against the image axes. Here every latent is tied to one
irreducible representation of the dihedral group D4, and the posterior is asked to
follow: μ(g·x) = ρ(g) μ(x). Size and texture then live in latents that no view changes,
elongation along the axes and along the diagonals in two kinds of latents that change
their sign, offsets in pairs (x, y). No truth about the cells enters.
"""

from __future__ import annotations

from functools import cache
from typing import Literal, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_cellsci.representation.views import N_VIEWS

Irrep: TypeAlias = Literal["A1", "A2", "B1", "B2", "Ex", "Ey"]

# Two latents of elongation of each kind, one for the cell and one for what lies around
# it: with one, both share it. No loss says which is which; `alignment` turns the cell's
# to the front, and `second_look` presses on both, as it cannot know either. Directions
# come in more pairs, for each neighbour has one. Whatever is left does not change
# between views.
_FIRST: tuple[Irrep, ...] = (
    *("A1", "Ex", "Ey", "B1", "B2", "A1", "Ex", "Ey", "A1", "A1"),
    *("Ex", "Ey", "B1", "B2", "A1", "Ex", "Ey", "A2"),
)


def layout(latent: int) -> tuple[Irrep, ...]:
    """Return the representation of each of `latent` latents.

    A1
        The same in all views: size, roundness, contrast.
    B1, B2
        Elongation along the axes (cos 2θ), along the diagonals (sin 2θ).
    Ex, Ey
        Always together: the x and y components of a direction.
    A2
        The sign of a chirality.
    """
    rest: list[Irrep] = ["A1"] * (latent - len(_FIRST))
    kinds = [*_FIRST[:latent], *rest]
    if kinds[-1] == "Ex":  # Its partner did not fit.
        kinds[-1] = "A1"
    return tuple(kinds)


@cache
def representation(latent: int) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Return ρ(g) of all views as signed permutations of the latents.

    Returns
    -------
    source : array (8, D) of int
    sign : array (8, D) of ±1
        Latent d of view g equals ``sign[g, d]`` times latent ``source[g, d]`` of the
        crop itself.
    """
    kinds = layout(latent)
    source = np.tile(np.arange(latent), (N_VIEWS, 1))
    sign = np.ones((N_VIEWS, latent), np.float32)
    for g in range(N_VIEWS):
        matrix = _on_directions(g)
        flipped = float(np.linalg.det(matrix))
        swapped = bool(abs(matrix[0, 1]) > 0.5)
        for d, kind in enumerate(kinds):
            if kind == "A2":
                sign[g, d] = flipped
            elif kind == "B1":
                sign[g, d] = -1 if swapped else 1
            elif kind == "B2":
                sign[g, d] = -flipped if swapped else flipped
            elif kind in ("Ex", "Ey"):
                row = 0 if kind == "Ex" else 1
                column = int(np.argmax(np.abs(matrix[row])))
                source[g, d] = d + column - row
                sign[g, d] = matrix[row, column]
    return source, sign


def turn_latents(z: Tensor, elements: Tensor) -> Tensor:
    """Apply ρ(g) to each latent vector.

    Parameters
    ----------
    z : Tensor (n, D)
    elements : Tensor (n,) of int
        Group elements as in `views.dihedral`.
    """
    source, sign = (torch.from_numpy(a) for a in representation(z.shape[1]))
    elements = elements.cpu()
    turned = z.gather(1, source[elements].to(z.device))
    return turned * sign[elements].to(z)


def permute_variances(logvar: Tensor, elements: Tensor) -> Tensor:
    """Return log-variances (n, D) of turned latents: signs do not matter to them."""
    source = torch.from_numpy(representation(logvar.shape[1])[0])
    return logvar.gather(1, source[elements.cpu()].to(logvar.device))


def symmetry_loss(
    mu: Tensor,
    logvar: Tensor,
    turned_mu: Tensor,
    turned_logvar: Tensor,
    elements: Tensor,
) -> Tensor:
    """Return how far the posteriors of turned crops are from the turned posteriors.

    The mean over crops of the symmetrised divergence
    ½ KL(q(z|g·x) ‖ ρ(g) q(z|x)) + ½ KL(ρ(g) q(z|x) ‖ q(z|g·x)).

    Parameters
    ----------
    mu, logvar : Tensor (n, D)
        Posteriors of crops.
    turned_mu, turned_logvar : Tensor (n, D)
        Posteriors of the same crops, each seen in the view `elements`.
    elements : Tensor (n,) of int
        Group elements as in `views.dihedral`.

    Returns
    -------
    Tensor
        Nats per crop; zero for an encoder that follows the symmetry exactly.
    """
    mu = turn_latents(mu, elements)
    logvar = permute_variances(logvar, elements)
    return divergence(mu, logvar, turned_mu, turned_logvar)


def divergence(mu: Tensor, logvar: Tensor, mu2: Tensor, logvar2: Tensor) -> Tensor:
    """Return half the sum of KL both ways between diagonal Gaussians (n, D).

    Nats, the mean over the n.
    """
    squared = (mu - mu2).square()
    ratio = logvar - logvar2
    both = squared * (torch.exp(-logvar) + torch.exp(-logvar2))
    spread = torch.exp(ratio) + torch.exp(-ratio) - 2
    return 0.25 * (both + spread).sum(1).mean()


def _on_directions(g: int) -> NDArray[np.float64]:
    """Return what a view does to the components (x, y) of a direction, y downward."""
    mirror = np.diag([-1.0, 1.0]) if g >= 4 else np.eye(2)
    # A quarter turn counter-clockwise on the screen takes right to up, down to right.
    quarter = np.array([[0.0, 1.0], [-1.0, 0.0]])
    return np.asarray(np.linalg.matrix_power(quarter, g % 4) @ mirror)
