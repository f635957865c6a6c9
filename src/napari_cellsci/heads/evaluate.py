"""How often heads are right on cells they have not seen, and how sure that is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_cellsci.errors import InputError

Classes = npt.NDArray[np.int64]
Counts = npt.NDArray[np.int64]
Interval = tuple[float, float]
TRACK = "track"
_MEMBERS = ("member_accuracies", "member_balanced_accuracies")
Metric = Callable[[npt.NDArray[np.float64]], npt.NDArray[np.float64]]
"""Maps confusion matrices (..., C, C) to one number each."""


def confusion(y: Classes, predicted: Classes, n_classes: int) -> Counts:
    """Count cells by class (rows) and prediction (columns); shape (C, C)."""
    matrix = np.zeros((n_classes, n_classes), np.int64)
    np.add.at(matrix, (y, predicted), 1)
    return matrix


def accuracy_of(matrices: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return the share of cells on the diagonal of (..., C, C) confusion matrices."""
    total = matrices.sum((-2, -1))
    return _ratio(np.trace(matrices, axis1=-2, axis2=-1), total)


def recall_of(matrices: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return the share of each class that is right (..., C); NaN for absent ones."""
    return _ratio(np.diagonal(matrices, axis1=-2, axis2=-1), matrices.sum(-1))


def balanced_accuracy_of(
    matrices: npt.NDArray[np.float64],
) -> npt.NDArray[np.float64]:
    """Return the mean recall of the classes that occur."""
    recall = recall_of(matrices)
    present = ~np.isnan(recall)
    return _ratio(np.where(present, recall, 0).sum(-1), present.sum(-1))


def _ratio(part: npt.NDArray[Any], whole: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    result = np.full(np.broadcast(part, whole).shape, np.nan)
    np.divide(part, whole, out=result, where=whole > 0)
    return result


def accuracy(y: Classes, predicted: Classes) -> float:
    """Return the share of cells predicted as labelled."""
    return float(np.mean(y == predicted)) if len(y) else float("nan")


def balanced_accuracy(y: Classes, predicted: Classes) -> float:
    """Return the mean over the classes in `y` of the share predicted right."""
    n_classes = int(max(y.max(initial=0), predicted.max(initial=0))) + 1
    return float(balanced_accuracy_of(confusion(y, predicted, n_classes).astype(float)))


def bootstrap_interval(
    y: Classes,
    predicted: Classes,
    groups: npt.NDArray[np.generic],
    metric: Metric = accuracy_of,
    *,
    n_classes: int | None = None,
    draws: int = 2000,
    level: float = 0.95,
    seed: int = 0,
) -> Interval:
    """Return a percentile bootstrap interval of a metric, resampling whole groups.

    Cells of one track resemble each other, so that the tracks, not the cells, are the
    independent observations. The interval is widened to contain the point estimate.
    Where not a single cell is wrong every resample is perfect and says nothing: the
    lower end is then the exact binomial (Clopper–Pearson) bound with the tracks as
    trials, ``((1 − level)/2)^(1/tracks)``.

    Parameters
    ----------
    y, predicted : int arrays of shape (n,)
    groups : array of shape (n,)
        The track (and movie) of each cell.
    metric : callable
        Of confusion matrices (..., C, C).
    n_classes : int, optional
    draws : int
        Resamples.
    level : float
        Nominal coverage.
    seed : int

    Returns
    -------
    tuple of float
        Lower and upper end.

    Raises
    ------
    InputError
        If there are no cells.
    """
    if len(y) == 0:
        raise InputError("No held-out cells: nothing can be said about accuracy.")
    n_classes = n_classes or int(max(y.max(), predicted.max())) + 1
    names, number = np.unique(groups, return_inverse=True)
    per_group = np.zeros((len(names), n_classes, n_classes))
    np.add.at(per_group, (number, y, predicted), 1)
    point = float(metric(per_group.sum(0)))
    tail = (1 - level) / 2
    if point == 1.0:
        used = _tracks_that_count(per_group, metric)
        return tail ** (1 / used), 1.0
    rng = np.random.default_rng(seed)
    weight = rng.multinomial(len(names), np.full(len(names), 1 / len(names)), draws)
    resampled = weight @ per_group.reshape(len(names), -1)
    values = metric(resampled.reshape(draws, n_classes, n_classes))
    low, high = np.nanquantile(values, [tail, 1 - tail])
    return min(float(low), point), max(float(high), point)


def _tracks_that_count(per_group: npt.NDArray[np.float64], metric: Metric) -> int:
    return max(int((~np.isnan(metric(per_group))).sum()), 1)


def expected_calibration_error(
    probabilities: npt.NDArray[np.floating], y: Classes, bins: int = 10
) -> float:
    """Return the mean gap between confidence and accuracy (arXiv 1706.04599, eq. 3).

    Parameters
    ----------
    probabilities : array of shape (n, C)
        Of each class; rows sum to 1.
    y : int array of shape (n,)
    bins : int
        Of equal width in confidence.
    """
    confidence = probabilities.max(1)
    right = probabilities.argmax(1) == y
    where = np.minimum((confidence * bins).astype(np.int64), bins - 1)
    gap = np.zeros(bins)
    np.add.at(gap, where, confidence - right)
    return float(np.abs(gap).sum() / max(len(y), 1))


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassResult:
    """One class among the held-out cells.

    Attributes
    ----------
    cells, tracks, right : int
        Labelled cells, tracks they are in, cells predicted right.
    recall : float
        ``right / cells``.
    interval : tuple of float
        95% bootstrap interval of `recall` over tracks.
    precision : float
        Share of the cells called this class that are labelled so; NaN where none is
        called so, or in old bundles.
    precision_interval : tuple of float
        95% bootstrap interval of `precision` over tracks.
    """

    cells: int
    tracks: int
    right: int
    recall: float
    interval: Interval
    precision: float = float("nan")
    precision_interval: Interval = (float("nan"), float("nan"))


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldOut:
    """What heads get right on cells of tracks they were not trained on.

    Attributes
    ----------
    method : str
        How cells were held out, in a sentence.
    n_cells, n_tracks : int
        Held-out cells and their tracks.
    member_accuracy, member_accuracy_sd : float
        Mean and population standard deviation over the single heads.
    accuracy, balanced_accuracy : float
        Of the heads' mean score.
    accuracy_interval, balanced_accuracy_interval : tuple of float
        95% bootstrap intervals over tracks.
    confusion : tuple of tuple of int
        Rows are labels, columns predictions of the mean score.
    classes : tuple of ClassResult
    calibration_error : float
        Expected calibration error of the calibrated probability, cross-fitted.
    member_accuracies, member_balanced_accuracies : tuple of float
        Of the single heads, in order; empty in old bundles.
    unit : str
        What was held out together: tracks of a movie, or "group"s of images.
    """

    method: str
    n_cells: int
    n_tracks: int
    member_accuracy: float
    member_accuracy_sd: float
    accuracy: float
    accuracy_interval: Interval
    balanced_accuracy: float
    balanced_accuracy_interval: Interval
    confusion: tuple[tuple[int, ...], ...]
    classes: tuple[ClassResult, ...]
    calibration_error: float
    member_accuracies: tuple[float, ...] = ()
    member_balanced_accuracies: tuple[float, ...] = ()
    unit: str = TRACK

    def by(self, unit: str) -> HeldOut:
        """Return the same report in the words for other units than tracks."""
        return replace(self, unit=unit, method=self.method.replace(self.unit, unit))

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values; `from_dict` reads them back."""
        values = asdict(self)
        for name in _MEMBERS:
            if not values[name]:
                del values[name]
        if self.unit == TRACK:
            del values["unit"]
        for result in values["classes"]:
            if not np.isfinite(result["precision"]):
                del result["precision"], result["precision_interval"]
        return values

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> HeldOut:
        """Rebuild a report from `to_dict`.

        Raises
        ------
        TypeError, KeyError
            If a field is missing or unknown.
        """
        fixed = dict(values)
        for name in ("accuracy_interval", "balanced_accuracy_interval"):
            fixed[name] = tuple(values[name])
        for name in _MEMBERS:
            fixed[name] = tuple(values.get(name, ()))
        fixed["confusion"] = tuple(tuple(row) for row in values["confusion"])
        fixed["classes"] = tuple(
            ClassResult(**{**result, **_intervals(result)})
            for result in values["classes"]
        )
        return cls(**fixed)

    def summary(self, names: tuple[str, ...]) -> str:
        """Say the result in a few lines, every rate with its counts."""
        low, high = self.balanced_accuracy_interval
        first = (
            f"Balanced accuracy {self.balanced_accuracy:.1%} (95% interval {low:.1%} "
            f"to {high:.1%}) on {self.n_cells} held-out cells of "
            f"{self.n_tracks} {self.unit}s."
        )
        lines = [first]
        for name, result in zip(names, self.classes, strict=True):
            low, high = result.interval
            line = (
                f"{name}: {result.right} of {result.cells} right in {result.tracks} "
                f"{self.unit}s ({result.recall:.1%}, {low:.1%} to {high:.1%})"
            )
            if np.isfinite(result.precision):
                low, high = result.precision_interval
                line += (
                    f"; of those called so {result.precision:.1%} are ({low:.1%} to "
                    f"{high:.1%})"
                )
            lines.append(line + ".")
        lines.append(
            f"Single heads: accuracy {self.member_accuracy:.1%} ± "
            f"{self.member_accuracy_sd:.1%}; calibration error "
            f"{self.calibration_error:.3f}. {self.method}"
        )
        return "\n".join(lines)


def _intervals(result: dict[str, Any]) -> dict[str, Any]:
    """Return the intervals of a class as tuples; JSON has null for what is not known.

    Bundles made before precision was told lack it.
    """
    fixed: dict[str, Any] = {}
    for name in ("interval", "precision_interval"):
        if name in result:
            fixed[name] = tuple(_number(value) for value in result[name])
    for name in ("recall", "precision"):
        if name in result:
            fixed[name] = _number(result[name])
    return fixed


def _number(value: float | None) -> float:
    return float("nan") if value is None else float(value)


def _share(
    among: npt.NDArray[np.bool_],
    right: npt.NDArray[np.bool_],
    groups: npt.NDArray[np.generic],
) -> tuple[float, Interval]:
    """Return the share of some cells that is right, with its interval over tracks."""
    if not among.any():
        return float("nan"), (float("nan"), float("nan"))
    hit = right[among].astype(np.int64)
    interval = bootstrap_interval(np.ones_like(hit), hit, groups[among])
    return float(hit.sum()) / len(hit), interval


def _class_result(
    c: int, y: Classes, predicted: Classes, groups: npt.NDArray[np.generic]
) -> ClassResult:
    mine, right = y == c, (y == c) & (predicted == c)
    recall, interval = _share(mine, right, groups)
    precision, precision_interval = _share(predicted == c, right, groups)
    return ClassResult(
        cells=int(mine.sum()),
        tracks=len(np.unique(groups[mine])),
        right=int(right.sum()),
        recall=recall,
        interval=interval,
        precision=precision,
        precision_interval=precision_interval,
    )


def held_out_report(
    y: Classes,
    groups: npt.NDArray[np.generic],
    predicted: Classes,
    members: Sequence[tuple[Classes, Classes]],
    *,
    n_classes: int,
    calibration_error: float,
    method: str,
) -> HeldOut:
    """Gather what is known about held-out cells.

    Parameters
    ----------
    y, predicted : int arrays of shape (n,)
        Of the held-out cells only; `predicted` is the decision of the mean score.
    groups : array of shape (n,)
        Their tracks.
    members : sequence of (y, predicted)
        Labels and decisions of each single head on the cells it has not seen.
    n_classes : int
    calibration_error : float
    method : str
        How cells were held out.
    """
    matrix = confusion(y, predicted, n_classes)
    accuracies = [accuracy(*member) for member in members]
    balanced = [balanced_accuracy(*member) for member in members]
    return HeldOut(
        method=method,
        n_cells=len(y),
        n_tracks=len(np.unique(groups)),
        member_accuracy=float(np.mean(accuracies)),
        member_accuracy_sd=float(np.std(accuracies)),
        accuracy=accuracy(y, predicted),
        accuracy_interval=bootstrap_interval(y, predicted, groups, n_classes=n_classes),
        balanced_accuracy=float(balanced_accuracy_of(matrix.astype(float))),
        balanced_accuracy_interval=bootstrap_interval(
            y, predicted, groups, balanced_accuracy_of, n_classes=n_classes
        ),
        confusion=tuple(tuple(int(v) for v in row) for row in matrix),
        classes=tuple(_class_result(c, y, predicted, groups) for c in range(n_classes)),
        calibration_error=calibration_error,
        member_accuracies=tuple(accuracies),
        member_balanced_accuracies=tuple(balanced),
    )
