"""Latents turned so that as few as possible speak of both a cell and its surroundings.

Symmetry ties each latent to a representation of the square's group (`symmetry`), but
several latents share one: elongation of the cell along the axes, and neighbours along
them. Among these the objective hardly prefers one basis to another, for any rotation
leaves a standard normal prior and the pixels as they were. So the basis is chosen by an
experiment: everything around the cell is erased (`surroundings`), and the first latent
of each representation becomes the direction that changes least by it, as measured by
the correlation of samples before and after; the next the best among those orthogonal
to it, and so on. Samples, not means: a latent that is hardly used may faintly echo
another, and by its mean alone it would look as good. Rotations are folded into the
weights. Nothing needs to be known of the cells.
"""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from napari_cellsci.representation.encoder import Encoder
from napari_cellsci.representation.networks import TCVAE
from napari_cellsci.representation.surroundings import (
    objects_in,
    without_surroundings,
)
from napari_cellsci.representation.symmetry import layout

Array = NDArray[np.float64]

CELLS = 2_000
"""Crops that are looked at."""
LEAST = 200
"""Of these, crops that must show a cell with something around it."""
_ACTIVE = 0.02
"""Variance of the mean below which a latent carries nothing and is left alone."""
_SWEEPS = 50


def aligned(encoder: Encoder, crops: NDArray[Any]) -> Encoder:
    """Turn the latents of a symmetric encoder within their representations.

    Parameters
    ----------
    encoder : Encoder
        Trained with ``config.symmetry``.
    crops : array (n, C, S, S)
        Raw crops; some thousand are enough.

    Returns
    -------
    Encoder
        A new one without reference, or `encoder` itself: if it has no symmetry, if its
        latents are quantised, or if too few crops show an object with others around
        it. Means turn exactly; variances as if those of the latents turned into one
        another were alike.
    """
    config = encoder.config
    if not config.symmetry or config.quantise:
        return encoder
    found = objects_in(encoder.normalise(crops).cpu().numpy())
    if found is None:
        return encoder
    own, others = found
    both = own.any(axis=(1, 2)) & others.any(axis=(1, 2))
    if both.sum() < LEAST:
        return encoder
    alone = without_surroundings(crops[both], own[both], others[both])
    before, after = (centred(encoder.encode(x)) for x in (crops[both], alone))
    return rotated(encoder, rotation(before, after, noise_of(encoder, crops[both])))


def rotation(before: Array, after: Array, noise: Array) -> Array:
    """Return the rotation (D, D) of latents, whose columns are the new directions.

    Parameters
    ----------
    before, after : array (n, D)
        Centred latents of crops, and of the same crops without their surroundings.
    noise : array (D,)
        Mean variance of their posteriors.
    """
    latent = before.shape[1]
    kinds = layout(latent)
    active = before.var(axis=0) > _ACTIVE
    result = np.eye(latent)
    for kind in ("A1", "A2", "B1", "B2"):
        own = [i for i in range(latent) if kinds[i] == kind and active[i]]
        if len(own) > 1:
            turned = most_kept(before[:, own], after[:, own], noise[own])
            result[np.ix_(own, own)] = in_place(turned)
    x = [i for i, kind in enumerate(kinds) if kind == "Ex" and active[i]]
    y = [i + 1 for i in x]
    if len(x) > 1:
        turned = in_place(_of_directions(before, after, x, y))
        result[np.ix_(x, x)] = result[np.ix_(y, y)] = turned
    return result


def most_kept(before: Array, after: Array, noise: Array) -> Array:
    """Return orthonormal directions (k, k), by how well each outlasts the erasing.

    The first maximises the covariance of before and after (n, k) over the mean variance
    of their samples, to which the posteriors add `noise` (k,); each further one does so
    among the directions orthogonal to those before it.
    """
    from scipy.linalg import eigh, null_space

    shared = before.T @ after + after.T @ before
    total = before.T @ before + after.T @ after + 2 * len(before) * np.diag(noise)
    chosen = np.zeros((len(shared), 0))
    free = np.eye(len(shared))
    while free.shape[1]:
        inside = free.T @ total @ free
        inside += 1e-9 * max(np.trace(inside), 1e-12) * np.eye(len(inside))
        vectors = eigh(free.T @ shared @ free, inside)[1]
        best = free @ vectors[:, -1]
        chosen = np.column_stack([chosen, best / np.linalg.norm(best)])
        free = null_space(chosen.T)
    return chosen


def _of_directions(before: Array, after: Array, x: list[int], y: list[int]) -> Array:
    """Return one rotation for the x and the y components of directions.

    How far a cell lies off the middle shows in everything around it, too, so the place
    is not what outlasts the erasing best. Directions are turned until what the erasing
    changes and what it leaves are both uncorrelated between latents.
    """
    change = before - after
    changed = change[:, x].T @ change[:, x] + change[:, y].T @ change[:, y]
    left = after[:, x].T @ after[:, x] + after[:, y].T @ after[:, y]
    return diagonalise([m / max(np.trace(m), 1e-12) for m in (changed, left)])


def diagonalise(matrices: list[Array]) -> Array:
    """Return the rotation that makes symmetric matrices jointly most diagonal.

    Jacobi rotations by closed-form angles (Cardoso and Souloumiac 1996).

    Parameters
    ----------
    matrices : list of array (k, k)
    """
    size = len(matrices[0])
    stack = np.stack(matrices)
    turned = np.eye(size)
    for _ in range(_SWEEPS):
        largest = 0.0
        for p in range(size):
            for q in range(p + 1, size):
                gaps = stack[:, p, p] - stack[:, q, q]
                ties = 2 * stack[:, p, q]
                angle = 0.25 * np.arctan2(
                    2 * (gaps * ties).sum(), (gaps**2 - ties**2).sum()
                )
                cos, sin = np.cos(angle), np.sin(angle)
                step = np.eye(size)
                step[[p, q], [p, q]] = cos
                step[p, q], step[q, p] = -sin, sin
                stack = step.T @ stack @ step
                turned = turned @ step
                largest = max(largest, abs(angle))
        if largest < 1e-9:
            break
    return turned


def in_place(turned: Array) -> Array:
    """Order directions so that each latent changes least, and so that none flips."""
    from scipy.optimize import linear_sum_assignment

    columns = linear_sum_assignment(-np.abs(turned))[1]
    ordered = turned[:, columns]
    return np.asarray(ordered * np.where(np.diag(ordered) < 0, -1.0, 1.0))


@torch.inference_mode()
def noise_of(encoder: Encoder, crops: NDArray[Any]) -> Array:
    """Return the mean variance of the posteriors of raw crops, latent by latent."""
    logvar = encoder.network.encoder(encoder.normalise(crops))[1]
    return np.asarray(logvar.exp().mean(0).cpu(), np.float64)


def centred(latents: NDArray[Any]) -> Array:
    """Return latents (n, D) less their mean, in double precision."""
    values = np.asarray(latents, np.float64)
    return np.asarray(values - values.mean(axis=0))


def rotated(encoder: Encoder, turned: Array) -> Encoder:
    """Return an encoder whose latents are ``z @ turned``, by folding it into weights.

    Parameters
    ----------
    encoder : Encoder
        Left as it is.
    turned : array (D, D)
        A rotation.
    """
    network = deepcopy(encoder.network)
    matrix = torch.from_numpy(turned)
    if not isinstance(network, TCVAE) or network.encoder.logvar is None:
        raise TypeError("Only Gaussian latents can be turned.")
    first, logvar = network.decoder.body[0], network.encoder.logvar
    assert isinstance(first, nn.Linear)
    with torch.no_grad():
        for layer, mix in ((network.encoder.mean, matrix), (logvar, matrix**2)):
            layer.weight.copy_(mix.T @ layer.weight.cpu().double())
            layer.bias.copy_(mix.T @ layer.bias.cpu().double())
        first.weight.copy_(first.weight.cpu().double() @ matrix)
    return Encoder(encoder.spec, encoder.config, network, encoder.record)
