"""Filters side by side on cells they have not seen, divided by track several times."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_cellsci.errors import InputError
from napari_cellsci.heads.evaluate import balanced_accuracy, confusion
from napari_cellsci.heads.splits import check_labels, split_by_group
from napari_cellsci.heads.training import model_seed
from napari_cellsci.heads.usable.curve import (
    NAMED,
    THRESHOLDS,
    Curve,
    area_under_roc,
    rates,
)
from napari_cellsci.heads.usable.judges import Method, Sights, train_judge
from napari_cellsci.heads.usable.network import FilterConfig
from napari_cellsci.tasks import CancelToken, OnEvent, Progress, ignore

Classes = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class MethodReport:
    """What one kind of filter gets right on held-out cells.

    Parameters
    ----------
    method : {"cnn", "logistic", "size"}
    accuracy, balanced_accuracy, area : arrays (runs,)
        At a threshold of 0.5; `area` is that under the ROC curve.
    confusion : int array (2, 2)
        Summed over runs, at 0.5. Rows: junk, usable; columns: filtered out, kept.
    curve : Curve
    """

    method: Method
    accuracy: npt.NDArray[np.float64]
    balanced_accuracy: npt.NDArray[np.float64]
    area: npt.NDArray[np.float64]
    confusion: npt.NDArray[np.int64]
    curve: Curve

    @property
    def threshold(self) -> float:
        """The threshold that is proposed; the size rule has but one."""
        return 0.5 if self.method == "size" else self.curve.best

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values; `from_dict` reads them back."""
        return {
            "method": self.method,
            "accuracy": self.accuracy.tolist(),
            "balanced_accuracy": self.balanced_accuracy.tolist(),
            "area_under_roc": self.area.tolist(),
            "confusion": self.confusion.tolist(),
            "threshold": self.threshold,
            "false_positives_at": {
                f"{t:g}": self.curve.at(t)["false_positives"] for t in NAMED
            },
            "curve": {
                "threshold": THRESHOLDS.tolist(),
                "false_positives": self.curve.false_positives.tolist(),
                "false_positives_sd": self.curve.false_sd.tolist(),
                "true_positives": self.curve.true_positives.tolist(),
                "true_positives_sd": self.curve.true_sd.tolist(),
            },
        }

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> MethodReport:
        """Rebuild a report from `to_dict`."""
        curve = values["curve"]
        names = ("false_positives", "true_positives")
        columns = [np.asarray(curve[name], np.float64) for name in names]
        columns += [np.asarray(curve[f"{name}_sd"], np.float64) for name in names]
        return cls(
            method=values["method"],
            accuracy=np.asarray(values["accuracy"], np.float64),
            balanced_accuracy=np.asarray(values["balanced_accuracy"], np.float64),
            area=np.asarray(values["area_under_roc"], np.float64),
            confusion=np.asarray(values["confusion"], np.int64),
            curve=Curve(*columns),
        )


def compare_filters(
    cells: Sights,
    usable: npt.NDArray[np.bool_],
    groups: npt.NDArray[np.generic],
    methods: Sequence[Method],
    config: FilterConfig | None = None,
    *,
    names: tuple[str, str] = ("junk", "usable"),
    on_event: OnEvent = ignore,
    token: CancelToken | None = None,
) -> list[MethodReport]:
    """Train and judge each kind of filter on the same divisions of the tracks.

    Parameters
    ----------
    cells : Sights
        The labelled cells.
    usable : bool array (n,)
    groups : array (n,)
        The track (and movie) of each cell; none is both learned from and judged.
    methods : sequence of {"cnn", "logistic", "size"}
    config : FilterConfig, optional
    names : tuple of str
        What junk and usable cells are called, for messages.
    on_event, token

    Returns
    -------
    list of MethodReport
        In the order of `methods`.

    Raises
    ------
    InputError
        If there are too few labels of one of the two, or no sizes for the size rule.
    Cancelled
        If the token is cancelled.
    """
    config = config or FilterConfig()
    y = np.asarray(usable, np.int64)
    check_labels(y, np.asarray(groups), 2, names)
    if "size" in methods and cells.sizes is None:
        raise InputError(
            "The sizes of the cells are not known, which the size rule needs: leave it "
            "out, or add masks."
        )
    seen: dict[Method, list[tuple[Classes, npt.NDArray[np.float64]]]] = {
        method: [] for method in methods
    }
    total = config.runs * config.steps
    for run in range(config.runs):
        on_event(Progress("Comparing filters", run, config.runs))
        seed = model_seed(config.seed, run)
        train, test = split_by_group(groups, y, config.test, seed)
        learned, judged = cells.of(train), cells.of(test)
        for method in methods:
            if token is not None:
                token.raise_if_cancelled()
            judge = train_judge(
                method,
                learned,
                usable[train],
                config,
                seed,
                on_event=on_event,
                token=token,
                before=run * config.steps,
                total=total,
            )
            p = judge.probability(judged, on_event=ignore, token=token)
            seen[method].append((y[test], p))
    on_event(Progress("Comparing filters", config.runs, config.runs))
    return [report_on(method, seen[method]) for method in methods]


def report_on(
    method: Method, runs: Sequence[tuple[Classes, npt.NDArray[np.float64]]]
) -> MethodReport:
    """Report on classes (1 is usable) and probabilities of the cells of each run."""
    called = [(y, (p >= 0.5).astype(np.int64)) for y, p in runs]
    return MethodReport(
        method=method,
        accuracy=np.array([float((y == c).mean()) for y, c in called]),
        balanced_accuracy=np.array([balanced_accuracy(y, c) for y, c in called]),
        area=np.array([area_under_roc(p, y == 1) for y, p in runs]),
        confusion=np.sum([confusion(y, c, 2) for y, c in called], axis=0),
        curve=Curve.of([rates(p, y == 1) for y, p in runs]),
    )
