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
    MIRROR_X,
    component_owners,
    coordinates,
    covariances,
)
from napari_cellsci.representation.views import N_VIEWS, compose

Doubles = NDArray[np.float64]

MIN_FAMILY = 0.5
"""Variance within the family that both members of a pair must have."""
MIN_PURITY = 0.6
"""Mean share that both directions of a pair must reach."""
LIKENESS = 0.2
"""Weight of unlikeness against purity and closure: it decides between equals."""
QUARTER_TURN = 1
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


def find_pairs(
    views: NDArray[np.float32],
    candidates: Sequence[int],
    traits: NDArray[np.float64] | None = None,
) -> list[Pair]:
    """Find the pairs among some latents, best first; each latent is in one at most.

    Two latents belong together if turning the picture never leads out of their plane
    (*closure*). Where several fit equally well, those are paired that are most alike in
    what else is known of them.

    Parameters
    ----------
    views : array (n, 8, D)
        Latents of the eight views of each cell.
    candidates : sequence of int
        The latents that carry information.
    traits : array (D, k), optional
        What makes latents alike, for example where they act; each of order one.
    """
    chosen = list(candidates)
    if len(chosen) < 2 or len(views) < 2:
        return []
    parts = covariances(views[:, :, chosen])
    lags = lag_covariances(views[:, :, chosen], (QUARTER_TURN, MIRROR_X))
    alike = None if traits is None else np.nan_to_num(traits[chosen])
    found: list[tuple[float, Pair]] = []
    for family in FAMILIES:
        found += _of_family(parts, lags, alike, family, chosen)
    found.sort(key=lambda scored: -scored[0])
    return _disjoint([pair for _, pair in found])


def _of_family(
    parts: Doubles,
    lags: Doubles,
    alike: Doubles | None,
    family: tuple[str, str],
    chosen: list[int],
) -> list[tuple[float, Pair]]:
    members = [COMPONENTS.index(name) for name in family]
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
            if reached.min() < MIN_PURITY:
                continue
            closed = closure(plane.sum(axis=0), lags[:, both[0], both[1]])
            far = 0.0 if alike is None else np.abs(alike[p] - alike[q]).mean()
            pair = Pair(
                latents=(chosen[first], chosen[second]),
                family=family,
                directions=directions,
                purity=float(reached.mean()),
                alone=float((shares[0, first] + shares[1, second]) / 2),
            )
            found.append((pair.purity + 2 * closed - LIKENESS * float(far), pair))
    return found


def lag_covariances(views: NDArray[np.floating], elements: Sequence[int]) -> Doubles:
    """Return the covariance of latents of turned views with the views' own (G, D, D).

    Averaged over all eight views as start; rows belong to the turned ones.
    """
    values = views - views.mean(axis=(0, 1), dtype=np.float64)
    out = []
    for g in elements:
        turned = values[:, [compose(g, h) for h in range(N_VIEWS)]]
        out.append(np.einsum("nhd,nhe->de", turned, values) / (len(views) * N_VIEWS))
    return np.stack(out)


def closure(covariance: Doubles, lags: Doubles) -> float:
    """Return how much of a plane turns into the plane itself, 0 to 1.

    The part of the variance of the turned latents that is a linear function of the
    two, the least over the given turns.

    Parameters
    ----------
    covariance : array (2, 2)
    lags : array (G, 2, 2)
        From `lag_covariances`.
    """
    scale = np.sqrt(np.maximum(np.diag(covariance), _RIDGE))
    outer = scale[:, None] * scale
    inverse = np.linalg.inv(covariance / outer + _RIDGE * np.eye(2))
    kept = [np.trace(lag / outer @ inverse @ (lag / outer).T) / 2 for lag in lags]
    return float(np.clip(min(kept), 0, 1))


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


@dataclass(frozen=True)
class PlaneSums:
    """Sums over groups of cells from which a pair is judged in many resamples.

    Parameters
    ----------
    count : array (G,)
        Cells with all properties.
    parts : array (G, 6, 2, 2)
        Products of the two latents within each component.
    x, xx : array (G, 2), (G, 2, 2)
        Latents of the cells as they are, standardised, and their products.
    y, yy, xy : array (G, F), (G, F), (G, 2, F)
        Properties, standardised, their squares, and products with the latents.
    """

    count: Doubles
    parts: Doubles
    x: Doubles
    xx: Doubles
    y: Doubles
    yy: Doubles
    xy: Doubles

    @classmethod
    def of(
        cls,
        views: NDArray[np.float32],
        values: NDArray[np.float64],
        groups: NDArray[np.int64],
    ) -> PlaneSums:
        """Sum up the latents (n, 8, 2) and properties (n, F) of groups (n,)."""
        n_groups = int(groups.max(initial=-1)) + 1
        centred = views - views.mean(axis=(0, 1), dtype=np.float64)
        spread = np.maximum(centred.std(axis=(0, 1)), _RIDGE)
        products = component_products(centred / spread)
        whole = np.isfinite(values).all(axis=1)
        x, y = _standard(views[whole, 0]), _standard(values[whole])
        mine = groups[whole]

        def summed(part: Doubles, where: NDArray[np.int64]) -> Doubles:
            out = np.zeros((n_groups, *part.shape[1:]))
            np.add.at(out, where, part)
            return out

        return cls(
            count=np.bincount(mine, minlength=n_groups).astype(np.float64),
            parts=summed(products, groups),
            x=summed(x, mine),
            xx=summed(x[:, :, None] * x[:, None, :], mine),
            y=summed(y, mine),
            yy=summed(y**2, mine),
            xy=summed(x[:, :, None] * y[:, None, :], mine),
        )

    def directions(
        self, members: Sequence[int], columns: Sequence[int], weights: Doubles
    ) -> tuple[Doubles, Doubles]:
        """Find both directions in each resample, and how they follow two properties.

        Parameters
        ----------
        members, columns : sequence of two int
            Numbers of the components and of the properties.
        weights : array (B, G)
            How often each group is counted.

        Returns
        -------
        reached, rho : array (B, 2)
            Shares, and correlations of each direction with its own property.
        """
        plane = np.einsum("bg,gcij->bcij", weights, self.parts)
        found, reached = plane_directions(plane, members)
        every = self._correlations(found, weights)
        return reached, np.stack(
            [every[:, place, column] for place, column in enumerate(columns)], axis=-1
        )

    def leads(self, members: Sequence[int], columns: Sequence[int]) -> bool:
        """Whether each direction follows its own property more than any other."""
        once = np.ones((1, len(self.count)))
        plane = np.einsum("bg,gcij->bcij", once, self.parts)
        found, _ = plane_directions(plane, members)
        every = np.abs(self._correlations(found, once))[0]
        return bool((every.argmax(axis=-1) == np.array(columns)).all())

    def follow(self, columns: Sequence[int]) -> Doubles:
        """Return how each latent (rows) follows two properties (columns) (2, 2)."""
        once = np.ones((1, len(self.count)))
        every = self._correlations(np.eye(2)[None], once)[0]
        return np.asarray(every[:, list(columns)])

    def _correlations(self, directions: Doubles, weights: Doubles) -> Doubles:
        """Correlate directions (B, 2, 2) with all properties: (B, 2, F)."""
        n = np.maximum(weights @ self.count, 1)
        x, y = weights @ self.x / n[:, None], weights @ self.y / n[:, None]
        xx = np.einsum("bg,gij->bij", weights, self.xx) / n[:, None, None]
        xy = np.einsum("bg,gif->bif", weights, self.xy) / n[:, None, None]
        own = xx - x[:, :, None] * x[:, None, :]
        both = xy - x[:, :, None] * y[:, None, :]
        spread_y = np.sqrt(np.maximum(weights @ self.yy / n[:, None] - y**2, 0))
        power = np.einsum("bdi,bij,bdj->bd", directions, own, directions)
        scale = np.sqrt(np.maximum(power, 0))[:, :, None] * spread_y[:, None, :]
        together = np.einsum("bdi,bif->bdf", directions, both)
        found: Doubles = np.where(
            scale > _RIDGE, together / np.maximum(scale, _RIDGE), 0.0
        )
        return found.clip(-1, 1)


def component_products(views: NDArray[np.floating]) -> Doubles:
    """Return each cell's products of two latents within the components (n, 6, 2, 2)."""
    coords = coordinates(views)
    owners = component_owners()
    out = np.empty((len(views), len(COMPONENTS), 2, 2))
    for component in range(len(COMPONENTS)):
        part = coords[:, owners == component]
        out[:, component] = np.einsum("nki,nkj->nij", part, part)
    return out


def _standard(values: NDArray[np.floating]) -> Doubles:
    """Return columns of zero mean and unit variance; far values are brought to ±4."""
    centred = values - values.mean(axis=0, dtype=np.float64)
    spread = centred.std(axis=0)
    return np.asarray(np.clip(centred / np.where(spread > 0, spread, 1), -4, 4))


def _disjoint(pairs: list[Pair]) -> list[Pair]:
    taken: set[int] = set()
    kept = []
    for pair in pairs:
        if not taken & set(pair.latents):
            taken |= set(pair.latents)
            kept.append(pair)
    return kept
