r"""How each latent changes when the picture is turned or mirrored.

Turning a crop is exact: the eight views of a square form the dihedral group D4, and
whatever a latent measures must follow one of its irreducible representations or a mix
of them. Size does not change. Elongation along the axes changes its sign under a
quarter turn but not under a mirror of x. Position turns with the picture. This tells
latents apart without any annotation.

For every cell the latent is a function of the eight views. An orthonormal basis of such
functions splits its variance into six parts that sum to one, without any assumption:

==========  ============  ===========  ================  ============================
component   quarter turn  mirror of x  transposition     what follows it
==========  ============  ===========  ================  ============================
invariant   \+            \+           \+                size, brightness
chiral      \+            −            −                 handedness
axes        −             \+           −                 elongation, cos 2θ
diagonals   −             −            \+                elongation, sin 2θ
x           turns into y  −            becomes y         offset in x
y           turns into x  \+           becomes x         offset in y
==========  ============  ===========  ================  ============================

The last two rows are the two-dimensional representation E, split by the mirror of x.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from napari_cellsci.errors import InputError
from napari_cellsci.representation.views import N_VIEWS, compose, inverse

Doubles = NDArray[np.float64]

COMPONENTS = ("invariant", "chiral", "axes", "diagonals", "x", "y")
FAMILIES = (("axes", "diagonals"), ("x", "y"))
"""Components that a turn of the code mixes: they are sought in pairs of latents."""
MIRROR_X = 4
_CHARACTERS = {
    # identity, half turn, quarter turns, mirrors of x and y, transpositions
    "invariant": (1, 1, 1, 1, 1),
    "chiral": (1, 1, 1, -1, -1),
    "axes": (1, 1, -1, 1, -1),
    "diagonals": (1, 1, -1, -1, 1),
    "E": (2, -2, 0, 0, 0),
}
_CLASS = (0, 2, 1, 2, 3, 4, 3, 4)
"""Conjugacy class of each view of `views.dihedral`."""


@cache
def projectors() -> Doubles:
    """Return the orthogonal projectors (6, 8, 8) on functions of the eight views.

    For an irreducible representation of degree d with character χ:
    ``P[g, h] = d/8 · χ(g h⁻¹)`` (Serre, Linear Representations of Finite Groups, §2.6);
    that of E is split by the parity under the mirror of x.
    """
    views = range(N_VIEWS)

    def isotypic(name: str) -> Doubles:
        character = _CHARACTERS[name]
        values = [
            [character[_CLASS[compose(g, inverse(h))]] for h in views] for g in views
        ]
        return np.array(values) * character[0] / N_VIEWS

    mirrored = np.zeros((N_VIEWS, N_VIEWS))
    for g in views:
        mirrored[g, compose(MIRROR_X, g)] = 1
    dipole, one = isotypic("E"), np.eye(N_VIEWS)
    split = [dipole @ (one - mirrored) / 2, dipole @ (one + mirrored) / 2]
    return np.stack([*map(isotypic, COMPONENTS[:4]), *split])


@cache
def _basis() -> tuple[Doubles, NDArray[np.int64]]:
    """Return an orthonormal basis (8, 8) of columns, and the component of each."""
    columns, owners = [], []
    for owner, projector in enumerate(projectors()):
        values, vectors = np.linalg.eigh(projector)
        kept = vectors[:, values > 0.5]
        columns.append(kept)
        owners += [owner] * kept.shape[1]
    return np.concatenate(columns, axis=1), np.array(owners)


@dataclass(frozen=True)
class Energies:
    """Sums over the cells of each group, from which shares are made quickly.

    Parameters
    ----------
    count : array (G,)
        Cells of each group.
    squares : array (G, 6, D)
        Energy of each component.
    means : array (G, D)
        Sum of each cell's mean over its views.
    """

    count: Doubles
    squares: Doubles
    means: Doubles

    def shares(self, weights: Doubles | None = None) -> Doubles:
        """Return the shares of variance (…, 6, D); NaN where a latent is constant.

        Parameters
        ----------
        weights : array (…, G), optional
            How often each group is counted; once by default.
        """
        if weights is None:
            weights = np.ones(len(self.count))
        n = np.maximum(weights @ self.count, 1e-12)[..., None]
        flat = self.squares.reshape(len(self.squares), -1)
        energy = (weights @ flat).reshape(*weights.shape[:-1], *self.squares.shape[1:])
        energy = energy / n[..., None]
        energy[..., 0, :] -= (weights @ self.means / n) ** 2
        energy = np.maximum(energy, 0)
        total = energy.sum(axis=-2, keepdims=True)
        # Rounding leaves crumbs of the mean's square: below them there is no variance.
        crumbs = 1e-12 * (1 + (self.squares.sum() / self.count.sum()))
        with np.errstate(invalid="ignore", divide="ignore"):
            shares: Doubles = np.where(total > crumbs, energy / total, np.nan)
        return shares


def component_owners() -> NDArray[np.int64]:
    """Return the component (number) of each of the eight basis functions."""
    return _basis()[1]


def coordinates(views: NDArray[np.floating]) -> Doubles:
    """Return each cell's coordinates (n, 8, D) in the basis of components.

    Raises
    ------
    InputError
        If `views` has another shape than (n, 8, D).
    """
    if views.ndim != 3 or views.shape[1] != N_VIEWS:
        raise InputError(
            f"Latents of the {N_VIEWS} views are expected, (n, {N_VIEWS}, D), not an "
            f"array of shape {views.shape}."
        )
    basis, _ = _basis()
    found: Doubles = np.einsum("gk,ngd->nkd", basis, views.astype(np.float64))
    return found


def energies(views: NDArray[np.float32], groups: NDArray[np.int64]) -> Energies:
    """Sum the energy of every component over the cells of each group.

    Parameters
    ----------
    views : array (n, 8, D)
        Latents of the eight views of each cell.
    groups : int array (n,)
        0 … G − 1, for example the track.
    """
    _, owners = _basis()
    coords = coordinates(views)
    n_groups = int(groups.max(initial=-1)) + 1
    squares = np.zeros((n_groups, len(COMPONENTS), views.shape[2]))
    for component in range(len(COMPONENTS)):
        mine = (coords[:, owners == component] ** 2).sum(axis=1) / N_VIEWS
        np.add.at(squares[:, component], groups, mine)
    means = np.zeros((n_groups, views.shape[2]))
    np.add.at(means, groups, views.astype(np.float64).mean(axis=1))
    count = np.bincount(groups, minlength=n_groups).astype(np.float64)
    return Energies(count, squares, means)


def covariances(
    views: NDArray[np.float32], weights: NDArray[np.float64] | None = None
) -> Doubles:
    """Return the covariance of the latents within each component (6, D, D).

    They sum to the covariance over all cells and views.
    """
    _, owners = _basis()
    coords = coordinates(views)
    share = np.ones(len(views)) if weights is None else weights
    share = share / share.sum()
    # The overall mean belongs to the first basis function, which is constant.
    mean = np.einsum("n,nkd->kd", share, coords)
    mean[owners != 0] = 0
    coords = coords - mean
    out = np.empty((len(COMPONENTS), views.shape[2], views.shape[2]))
    for component in range(len(COMPONENTS)):
        part = coords[:, owners == component]
        weighted = part * share[:, None, None]
        out[component] = np.einsum("nkd,nke->de", weighted, part) / N_VIEWS
    return out


def correlations(views: NDArray[np.float32]) -> Doubles:
    """Return how a latent of a turned view follows that of the view itself (D, 8).

    1 means unchanged, −1 that the sign turns; averaged over all views as start.
    """
    values = views.astype(np.float64)
    values = values - values.mean(axis=(0, 1))
    power = (values**2).mean(axis=(0, 1))
    out = np.zeros((views.shape[2], N_VIEWS))
    for g in range(N_VIEWS):
        order = [compose(g, h) for h in range(N_VIEWS)]
        product = (values[:, order] * values).mean(axis=(0, 1))
        with np.errstate(invalid="ignore", divide="ignore"):
            out[:, g] = np.where(power > 1e-12, product / power, np.nan)
    return out


def equivariance(views: NDArray[np.float32], groups: NDArray[np.int64]) -> float:
    """Return how well latents of turned crops follow from those of the crops (R²).

    A linear map is fitted for each of the seven turns on half of the groups and judged
    on the others, over all latents together. NaN with fewer than 20 cells in a half.
    """
    fitted = groups % 2 == 0
    rows = min(int(fitted.sum()), int((~fitted).sum()))
    if views.shape[2] == 0 or rows < max(20, 2 * views.shape[2]):
        return float("nan")
    values = views.astype(np.float64)
    ones = np.ones((len(values), 1))
    start = np.concatenate([values[:, 0], ones], axis=1)
    turned = values[:, 1:].reshape(len(values), -1)
    slopes = np.linalg.lstsq(start[fitted], turned[fitted], rcond=None)[0]
    residual = turned[~fitted] - start[~fitted] @ slopes
    total = turned[~fitted] - turned[fitted].mean(axis=0)
    power = float((total**2).sum())
    return 1 - float((residual**2).sum()) / power if power > 0 else float("nan")
