"""Pairs of latents that carry a turning property together.

Nothing in a β-TCVAE ties the two numbers of an elongation, e·cos 2θ and e·sin 2θ, to
the image axes: two latents may carry them turned by any angle. Neither latent then has
a signature of its own, but within their plane there is one direction that follows the
axes and one that follows the diagonals.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_cellsci.representation.signature import (
    COMPONENTS,
    FAMILIES,
    covariances,
)

Doubles = NDArray[np.float64]

MIN_FAMILY = 0.5
"""Variance within the family that both members of a pair must have."""
MIN_PURITY = 0.6
"""Mean share that both directions of a pair must reach."""
_RIDGE = 1e-9


@dataclass(frozen=True, slots=True)
class Pair:
    """Two latents that span a plane with one direction for each member of a family.

    Parameters
    ----------
    latents : tuple of int
        The two numbers; the first follows the first component more closely.
    family : tuple of str
        ("axes", "diagonals") or ("x", "y").
    directions : array (2, 2)
        Rows: weights of the two latents, each in units of its standard deviation, that
        follow each member of the family.
    purity : float
        Mean share of those directions' variance that is the component's own.
    alone : float
        The same for the latents taken one by one.
    """

    latents: tuple[int, int]
    family: tuple[str, str]
    directions: Doubles
    purity: float
    alone: float

    @property
    def turn(self) -> float:
        """Degrees by which the first direction leaves the first latent, −90 to 90."""
        first = self.directions[0]
        angle = float(np.degrees(np.arctan2(first[1], first[0])))
        return (angle + 90) % 180 - 90

    @property
    def turned(self) -> bool:
        """Whether the two must be read together."""
        return self.purity - self.alone >= 0.1


def find_pairs(views: NDArray[np.float32], candidates: Sequence[int]) -> list[Pair]:
    """Find the pairs among some latents, best first; each latent is in one at most.

    Parameters
    ----------
    views : array (n, 8, D)
        Latents of the eight views of each cell.
    candidates : sequence of int
        The latents that carry information.
    """
    chosen = list(candidates)
    if len(chosen) < 2 or len(views) < 2:
        return []
    parts = covariances(views[:, :, chosen])
    found = []
    for family in FAMILIES:
        members = [COMPONENTS.index(name) for name in family]
        found += _of_family(parts, members, family, chosen)
    found.sort(key=lambda pair: -pair.purity)
    return _disjoint(found)


def _of_family(
    parts: Doubles, members: list[int], family: tuple[str, str], chosen: list[int]
) -> list[Pair]:
    total = np.einsum("cdd->d", parts)
    own = np.einsum("cdd->cd", parts[members])
    with np.errstate(invalid="ignore", divide="ignore"):
        shares = np.where(total > 1e-12, own / total, 0)
    able = np.flatnonzero(shares.sum(axis=0) >= MIN_FAMILY)
    found = []
    for place, p in enumerate(able):
        for q in able[place + 1 :]:
            first, second = (p, q) if shares[0, p] >= shares[0, q] else (q, p)
            both = np.ix_([first, second], [first, second])
            plane = parts[:, both[0], both[1]]
            directions, reached = plane_directions(plane, members)
            alone = (shares[0, first] + shares[1, second]) / 2
            if reached.min() >= MIN_PURITY:
                found.append(
                    Pair(
                        (chosen[first], chosen[second]),
                        family,
                        directions,
                        float(reached.mean()),
                        float(alone),
                    )
                )
    return found


def plane_directions(plane: Doubles, members: Sequence[int]) -> tuple[Doubles, Doubles]:
    """Find the directions of a plane that follow two components most purely.

    Parameters
    ----------
    plane : array (…, 6, 2, 2)
        Covariance of two latents within each component.
    members : sequence of two int
        Numbers of the two components.

    Returns
    -------
    directions : array (…, 2, 2)
        Unit rows of weights, for latents in units of their standard deviations. The
        sign is such that the greater weight is positive.
    reached : array (…, 2)
        Share of each direction's variance that is its component's own.
    """
    total = plane.sum(axis=-3)
    scale = np.sqrt(np.maximum(np.einsum("...ii->...i", total), _RIDGE))
    outer = scale[..., :, None] * scale[..., None, :]
    total = total / outer + _RIDGE * np.eye(2)
    root = np.linalg.cholesky(total)
    inverse = np.linalg.inv(root)
    directions, reached = [], []
    for member in members:
        own = plane[..., member, :, :] / outer
        white = inverse @ own @ np.swapaxes(inverse, -1, -2)
        values, vectors = np.linalg.eigh(white)
        weights = np.einsum("...ji,...j->...i", inverse, vectors[..., :, -1])
        weights = weights / np.linalg.norm(weights, axis=-1, keepdims=True)
        larger = np.take_along_axis(
            weights, np.abs(weights).argmax(axis=-1, keepdims=True), axis=-1
        )
        directions.append(weights * np.sign(larger))
        reached.append(values[..., -1])
    return np.stack(directions, axis=-2), np.clip(np.stack(reached, axis=-1), 0, 1)


def _disjoint(pairs: list[Pair]) -> list[Pair]:
    taken: set[int] = set()
    kept = []
    for pair in pairs:
        if not taken & set(pair.latents):
            taken |= set(pair.latents)
            kept.append(pair)
    return kept
