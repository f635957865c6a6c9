"""Is a cell like anything the classifier was taught? Out-of-distribution scores.

Three questions are asked of a cell. Is it near labelled cells of a class, in the
directions that set this class apart from all cells? Is it as far along the direction
that separates the classes as cells of this class are, neither short of them nor beyond
them? Can the encoder draw it at all? Each answer is the share of ordinary cells that
are as odd.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_cellsci.errors import BundleError, InputError
from napari_cellsci.explain.typical import (
    Array,
    Tail,
    in_parts,
    product_of_uniforms,
    robust_moments,
    two_sided,
)
from napari_cellsci.heads.splits import folds_by_group

OOD_THRESHOLD = 0.95
"""Cells scored above this are called out of distribution.

About one in twenty ordinary cells is called so, too.
"""

_ERROR_SHARE = 0.1
"""Part of the false alarms that is granted to the reconstruction error."""
_FLOOR = 0.05
"""Least weight of a direction in which a class is as wide as all cells are."""
_SHRINK = 0.05
_CONTRAST_SHRINK = 0.1
_LEAST_SPREAD = 0.1
_NEIGHBOURS = 3
_EXEMPLARS = 512
_ROWS = 5000
_FOLDS = 5


@dataclass(frozen=True, slots=True)
class Known:
    """What ordinary cells of one class look like.

    Parameters
    ----------
    axes : float array of shape (D, D)
        Maps latents to coordinates in which distances are meaningful.
    exemplars : float array of shape (e, D)
        Cells of this class in these coordinates, in all their views.
    tail : Tail
        Of the distance of held-out cells of this class from the exemplars.
    contrast : float array of shape (D + 1, classes − 1)
        Maps latents, and a 1, to standardised deviations from this class along the
        directions that separate the classes.
    """

    axes: Array
    exemplars: Array
    tail: Tail
    contrast: Array

    def survival(self, mu: Array) -> Array:
        """Return the share of cells of this class that are as odd as each cell (n,)."""
        near = self.tail.survival(nearest(mu, self.axes, self.exemplars))
        if self.contrast.shape[1] == 0:
            return near
        deviation = mu @ self.contrast[:-1] + self.contrast[-1]
        return product_of_uniforms(near, two_sided(deviation, self.tail.n))


def nearest(mu: Array, axes: Array, exemplars: Array) -> Array:
    """Return the mean distance of latents (n, D) to their nearest exemplars (n,)."""
    k = min(_NEIGHBOURS, len(exemplars))
    squares = np.einsum("ed,ed->e", exemplars, exemplars)
    result = []
    for part in in_parts(mu):
        x = part @ axes
        d2 = squares - 2 * (x @ exemplars.T)
        d2 += np.einsum("nd,nd->n", x, x)[:, None]
        closest = np.partition(d2, k - 1, axis=1)[:, :k]
        result.append(np.sqrt(np.maximum(closest, 0)).mean(1))
    return np.concatenate(result)


def class_axes(views: Array, within: Array, n: int, background: Array) -> Array:
    """Return coordinates in which directions that set a class apart weigh most.

    With all cells made white, the class's own covariance tells in which directions it
    is narrower than they are. A direction counts in units of the class's deviation
    there, with the weight ``1 − variance of the class / variance of all``: where the
    class is as wide as everything else, a deviation means nothing. This is the
    relative Mahalanobis distance (arXiv 2106.09022) with its negative terms left out,
    so that it grows in every direction.

    Parameters
    ----------
    views : array of shape (m, D)
        Latents of the class.
    within : array of shape (r, D)
        Deviations of all labelled cells from their classes' means; what is assumed of
        a class with few cells.
    n : int
        Cells of the class.
    background : array of shape (D, D)
        Covariance of all cells.
    """
    d = views.shape[1]
    white = np.linalg.cholesky(np.linalg.inv(background))
    own = _scatter((views - views.mean(0)) @ white)
    trust = n / (n + d)
    covariance = trust * own + (1 - trust) * _scatter(within @ white)
    variance, directions = np.linalg.eigh(_shrunk(covariance, _SHRINK))
    weight = np.maximum(1 - variance, _FLOOR)
    return np.asarray(white @ directions * np.sqrt(weight / variance))


def _scatter(deviations: Array) -> Array:
    return np.asarray(deviations.T @ deviations / len(deviations))


def _shrunk(covariance: Array, share: float) -> Array:
    d = len(covariance)
    level = max(float(np.trace(covariance)) / d, 1e-12)
    return np.asarray((1 - share) * covariance + share * level * np.eye(d))


def contrast_axes(of_class: dict[int, Array]) -> Array:
    """Return the directions that separate classes best (D, classes − 1).

    Linear discriminants: differences of the class means, seen where the classes are
    white. All classes count alike, however many cells they have.
    """
    means = np.stack([views.mean(0) for views in of_class.values()])
    spread = np.mean([_scatter(v - v.mean(0)) for v in of_class.values()], axis=0)
    shrunk = _shrunk(spread, _CONTRAST_SHRINK)
    white = np.linalg.cholesky(np.linalg.inv(shrunk))
    differences = (means - means.mean(0)) @ white
    directions = np.linalg.svd(differences, full_matrices=False)[2]
    return np.asarray(white @ directions[: len(of_class) - 1].T)


@dataclass(frozen=True, slots=True)
class _Shape:
    """One class as its training cells show it, not yet calibrated."""

    axes: Array
    exemplars: Array
    contrast: Array


def _shapes(
    mu: Array, y: npt.NDArray[np.int64], background: Array, seed: int
) -> dict[int, _Shape]:
    d = mu.shape[2]
    of_class = {int(c): mu[y == c].reshape(-1, d) for c in np.unique(y)}
    within = np.concatenate([v - v.mean(0) for v in of_class.values()])
    separating = contrast_axes(of_class)
    shapes = {}
    for c, views in of_class.items():
        axes = class_axes(views, within, int((y == c).sum()), background)
        along = views @ separating
        scale = np.maximum(along.std(0), 1e-9)
        contrast = np.vstack([separating, -along.mean(0)]) / scale
        exemplars = _subset(views, _EXEMPLARS, seed) @ axes
        shapes[c] = _Shape(axes, exemplars, contrast)
    return shapes


def _calibrate(shape: _Shape, distance: Array, deviation: Array) -> Known:
    """Set a class's measures by what its held-out cells score."""
    middle, spread = robust_moments(deviation)
    n = len(deviation)
    scale = np.maximum(spread, _LEAST_SPREAD) * np.sqrt(1 + 1 / n)
    contrast = shape.contrast.copy()
    contrast[-1] -= middle
    contrast /= scale
    return Known(shape.axes, shape.exemplars, Tail.fit(distance), contrast)


def _covariance(rows: Array) -> Array:
    from sklearn.covariance import ledoit_wolf

    # A latent that never moves has no scale of its own: a little is lent to it.
    return _shrunk(np.asarray(ledoit_wolf(rows)[0]), 1e-4)


def _subset(rows: Array, most: int, seed: int) -> Array:
    if len(rows) <= most:
        return rows
    chosen = np.random.default_rng(seed).choice(len(rows), most, replace=False)
    return np.asarray(rows[np.sort(chosen)])


def _with_views(mu: npt.NDArray[np.floating]) -> Array:
    latents = np.asarray(mu, np.float64)
    return latents[:, None] if latents.ndim == 2 else latents


@dataclass(frozen=True, slots=True)
class OodReference:
    """What ordinary cells look like; scores how far other cells are from them.

    Parameters
    ----------
    known : dict of int to Known
        The labelled classes; a single class 0 where there are no labels.
    error : Tail or None
        Of the reconstruction error of ordinary cells.
    """

    known: dict[int, Known]
    error: Tail | None = None

    @classmethod
    def fit(
        cls,
        mu: npt.NDArray[np.floating],
        error: npt.NDArray[np.floating] | None = None,
        y: npt.NDArray[np.integer] | None = None,
        groups: npt.NDArray[np.generic] | None = None,
        *,
        background: npt.NDArray[np.floating] | None = None,
        seed: int = 0,
    ) -> OodReference:
        """Learn what is ordinary.

        Everything is calibrated on cells of tracks that were left out in turn, so that
        new cells of the known classes are called out of distribution as rarely as
        `OOD_THRESHOLD` says.

        Parameters
        ----------
        mu : array of shape (n, D) or (n, views, D)
            Latents of ordinary cells: the labelled ones, or all where none are. All
            views are taken for known, the first for how a new cell is seen.
        error : array of shape (n,), optional
            Their reconstruction errors.
        y : int array of shape (n,), optional
            Their classes.
        groups : array of shape (n,), optional
            Their tracks; every cell is its own by default.
        background : array of shape (m, D) or (m, views, D), optional
            Latents of all cells, labelled or not; tells in which directions the
            classes are special. `mu` by default.
        seed : int

        Raises
        ------
        InputError
            If there are fewer than two cells, values are not finite, or all cells of
            a class are in one track.
        """
        latents = _with_views(mu)
        n = len(latents)
        if n < 2 or not np.isfinite(latents).all():
            raise InputError(
                "At least two cells with finite latents are needed to say what an "
                "ordinary cell looks like."
            )
        target = np.zeros(n, np.int64) if y is None else np.asarray(y, np.int64)
        group = np.arange(n) if groups is None else np.asarray(groups)
        around = latents if background is None else _with_views(background)
        rows = around.reshape(-1, latents.shape[2])
        covariance = _covariance(_subset(rows, _ROWS, seed))
        if y is None and n > _ROWS:
            chosen = np.random.default_rng(seed).permutation(n)[:_ROWS]
            latents, target, group = latents[chosen], target[chosen], group[chosen]
        known = _fit_known(latents, target, group, covariance, seed)
        return cls(known, None if error is None else Tail.fit(np.asarray(error)))

    def score(
        self,
        mu: npt.NDArray[np.floating],
        error: npt.NDArray[np.floating] | None = None,
    ) -> npt.NDArray[np.float32]:
        """Return how far each cell is from ordinary ones.

        With p the share of cells of the best-fitting class that are as odd, and q the
        share of ordinary cells with as large a reconstruction error, the score is
        ``1 − min(p/0.9, q/0.1, 1)``; by the union bound an ordinary cell exceeds s
        with a probability of about 1 − s at most.

        Parameters
        ----------
        mu : array of shape (n, D) or (n, views, D)
        error : array of shape (n,), optional
            Reconstruction errors; without them, or if the reference has none, the
            latents alone decide.

        Returns
        -------
        float32 array of shape (n,)
            0 for an ordinary cell to 1 far outside; latents or errors that are not
            finite count as far outside.
        """
        latents = _with_views(mu)[:, 0]
        finite = np.asarray(np.isfinite(latents).all(1))
        seen = np.where(finite[:, None], latents, 0)
        odd = np.max([one.survival(seen) for one in self.known.values()], axis=0)
        if self.error is not None and error is not None:
            residual = np.asarray(error, np.float64)
            finite = np.asarray(finite & np.isfinite(residual))
            rare = self.error.survival(np.where(finite, residual, 1))
            odd = np.minimum(odd / (1 - _ERROR_SHARE), rare / _ERROR_SHARE)
        return np.asarray(np.where(finite, 1 - np.minimum(odd, 1), 1), np.float32)

    def arrays(self) -> dict[str, npt.NDArray[np.float32]]:
        """Return the arrays that define the reference; `meta` has the rest."""
        found: dict[str, Array] = {}
        for c, one in self.known.items():
            found[f"{c}.axes"] = one.axes
            found[f"{c}.exemplars"] = one.exemplars
            found[f"{c}.tail"] = one.tail.values
            found[f"{c}.contrast"] = one.contrast
        if self.error is not None:
            found["error"] = self.error.values
        return {name: np.ascontiguousarray(a, np.float32) for name, a in found.items()}

    def meta(self) -> dict[str, Any]:
        """Return plain JSON values; with `arrays`, `from_arrays` reads them."""
        return {
            "cells": {str(c): one.tail.n for c, one in self.known.items()},
            "error_cells": None if self.error is None else self.error.n,
        }

    @classmethod
    def from_arrays(
        cls, meta: dict[str, Any], arrays: dict[str, npt.NDArray[np.floating]]
    ) -> OodReference:
        """Rebuild a reference from `meta` and `arrays`.

        Raises
        ------
        BundleError
            If something is missing or has another shape.
        """
        try:
            wide = {name: np.asarray(a, np.float64) for name, a in arrays.items()}
            known = {int(c): _read(wide, c, int(n)) for c, n in meta["cells"].items()}
            n_error = meta["error_cells"]
            error = None if n_error is None else Tail(wide["error"], int(n_error))
        except (KeyError, TypeError, ValueError, AttributeError) as problem:
            raise BundleError(
                f"The out-of-distribution reference cannot be read ({problem}): train "
                "or export the classifier again."
            ) from problem
        return cls(known, error)


def _fit_known(
    latents: Array,
    y: npt.NDArray[np.int64],
    groups: npt.NDArray[np.generic],
    covariance: Array,
    seed: int,
) -> dict[int, Known]:
    distance = np.full(len(y), np.nan)
    shapes = _shapes(latents, y, covariance, seed)
    deviation = np.full((len(y), max(len(shapes) - 1, 0)), np.nan)
    for train, test in folds_by_group(groups, y, _FOLDS, seed):
        if len(np.unique(y[train])) < len(shapes):
            raise InputError(
                "All cells of a class belong to one track: label this class in at "
                "least one more track."
            )
        for c, shape in _shapes(latents[train], y[train], covariance, seed).items():
            mine = test[y[test] == c]
            seen = latents[mine, 0]
            distance[mine] = nearest(seen, shape.axes, shape.exemplars)
            deviation[mine] = seen @ shape.contrast[:-1] + shape.contrast[-1]
    return {
        c: _calibrate(shape, distance[y == c], deviation[y == c])
        for c, shape in shapes.items()
    }


def _read(arrays: dict[str, Array], c: str, n: int) -> Known:
    tail = Tail(arrays[f"{c}.tail"], n)
    one = Known(
        arrays[f"{c}.axes"], arrays[f"{c}.exemplars"], tail, arrays[f"{c}.contrast"]
    )
    d = len(one.axes)
    if (
        one.axes.shape != (d, d)
        or one.exemplars.ndim != 2
        or one.exemplars.shape[1] != d
        or len(one.exemplars) == 0
        or one.contrast.ndim != 2
        or len(one.contrast) != d + 1
        or one.tail.values.ndim != 1
        or len(one.tail.values) == 0
    ):
        raise ValueError(f"the arrays of class {c} do not fit together")
    return one
