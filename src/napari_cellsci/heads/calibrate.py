"""From scores to probabilities, fitted on cells the heads have not seen."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from napari_cellsci.heads.evaluate import expected_calibration_error

Array = npt.NDArray[np.float64]
_MIN_SLOPE = 1e-3
"""Per standard deviation of the scores."""


def _sigmoid(x: Array) -> Array:
    return np.asarray(0.5 * (1 + np.tanh(0.5 * x)))


@dataclass(frozen=True, slots=True)
class Calibration:
    """Probability of the classes given the heads' mean score.

    One output: ``sigmoid(a·f + b)`` (Platt). More: ``softmax(a·f)``, `b` unused
    (temperature 1/a). The slope is positive, so that a higher score never means a
    lower probability.

    Parameters
    ----------
    a, b : float
        Slope and offset.
    """

    a: float = 1.0
    b: float = 0.0

    def probabilities(self, scores: npt.NDArray[np.floating]) -> Array:
        """Return the probability of each class.

        Parameters
        ----------
        scores : array of shape (n, outputs)

        Returns
        -------
        array of shape (n, C)
            Rows sum to 1.
        """
        f = np.asarray(scores, np.float64)
        if f.shape[1] == 1:
            second = _sigmoid(self.a * f[:, 0] + self.b)
            return np.stack([1 - second, second], 1)
        z = self.a * f
        z = np.exp(z - z.max(1, keepdims=True))
        return np.asarray(z / z.sum(1, keepdims=True))


def fit_calibration(
    scores: npt.NDArray[np.floating], y: npt.NDArray[np.int64]
) -> Calibration:
    """Fit a calibration to out-of-fold scores.

    Parameters
    ----------
    scores : array of shape (n, outputs)
        Mean scores of heads that have not seen these cells.
    y : int array of shape (n,)
    """
    f = np.asarray(scores, np.float64)
    if len(f) == 0 or len(np.unique(y)) < 2:
        return Calibration()
    return _platt(f[:, 0], y) if f.shape[1] == 1 else _temperature(f, y)


def _platt(f: Array, y: npt.NDArray[np.int64]) -> Calibration:
    """Fit by Newton's method with the smoothed targets of Lin, Lin & Weng (2007)."""
    positive, negative = float((y == 1).sum()), float((y == 0).sum())
    target = np.where(y == 1, (positive + 1) / (positive + 2), 1 / (negative + 2))
    spread = float(f.std()) or 1.0
    design = np.stack([f / spread, np.ones_like(f)], 1)
    theta = np.array([0.0, np.log((positive + 1) / (negative + 1))])
    value = _platt_loss(design, target, theta)
    for _ in range(100):
        p = _sigmoid(design @ theta)
        gradient = design.T @ (p - target)
        hessian = (design * (p * (1 - p))[:, None]).T @ design + 1e-12 * np.eye(2)
        move, size = np.linalg.solve(hessian, gradient), 1.0
        while size > 1e-10:
            candidate = theta - size * move
            new = _platt_loss(design, target, candidate)
            if new <= value - 1e-4 * size * float(gradient @ move):
                theta, value = candidate, new
                break
            size /= 2
        if size <= 1e-10 or float(np.abs(gradient).max()) < 1e-9 * len(f):
            break
    slope = max(float(theta[0]), _MIN_SLOPE) / spread
    return Calibration(slope, float(theta[1]))


def _platt_loss(design: Array, target: Array, theta: Array) -> float:
    z = design @ theta
    return float(np.sum(np.logaddexp(0, z) - target * z))


def _temperature(f: Array, y: npt.NDArray[np.int64]) -> Calibration:
    """Fit one temperature (arXiv 1706.04599, section 4.2)."""
    from scipy.optimize import minimize_scalar

    rows = np.arange(len(y))

    def loss(log_a: float) -> float:
        p = Calibration(float(np.exp(log_a))).probabilities(f)
        return float(-np.log(np.maximum(p[rows, y], 1e-300)).mean())

    best = minimize_scalar(loss, bounds=(-6.0, 4.0), method="bounded")
    return Calibration(float(np.exp(best.x)))


def cross_fitted_error(
    scores: npt.NDArray[np.floating],
    y: npt.NDArray[np.int64],
    fold: npt.NDArray[np.int64],
) -> float:
    """Return the expected calibration error of probabilities fitted on other folds.

    Parameters
    ----------
    scores : array of shape (n, outputs)
        Out-of-fold mean scores.
    y : int array of shape (n,)
    fold : int array of shape (n,)
        Which part each cell was held out in; a single part is judged on itself.
    """
    parts = np.unique(fold)
    n_classes = 2 if scores.shape[1] == 1 else scores.shape[1]
    probabilities = np.empty((len(y), n_classes))
    for part in parts:
        here = fold == part
        others = ~here if len(parts) > 1 else here
        fitted = fit_calibration(scores[others], y[others])
        probabilities[here] = fitted.probabilities(scores[here])
    return expected_calibration_error(probabilities, y)
