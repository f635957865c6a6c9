"""Searching the settings of modified RigL (arXiv 2402.03115, appendix B.4) by Optuna.

Ten trials of five heads are one batch of fifty heads. Run r of every trial begins with
the same weights and sees the same cells in the same order: differences between trials
are then those of their settings, and the dense warm-up, in which settings do not matter
yet, is trained once for all of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_cellsci.errors import InputError
from napari_cellsci.heads.labelled import LabelledLatents
from napari_cellsci.tasks import CancelToken, Done, OnEvent, Progress, Trial, ignore

Range = tuple[float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchConfig:
    """What is searched, and with how much effort.

    Parameters
    ----------
    trials : int
        Settings that are tried, those of earlier sittings included.
    runs : int
        Heads trained with each.
    steps : int, optional
        Gradient steps of a head; by default 40 epochs, and at least 1,200.
    at_once : int
        Trials trained as one batch.
    pareto : bool
        Search for all settings that nothing beats in both accuracy and number of
        weights, instead of the best sum of accuracy and sparsity.
    stop_early : bool
        Stop trials that are surely worse than the best one: their runs are compared
        pair by pair (one-sided t-test, p < 0.05). Not with `pareto`.
    sparsity, interval, alpha, l1_prox : tuple of float
        From, to. See `SparseConfig`.
    startup : int
        Random trials before those that learn from earlier ones.
    validation : float
        Share of the training tracks on which trials are judged.
    hidden, batch, learning_rate, label_smoothing, balanced, warmup, end
        As in `SparseConfig`; the warm-up is half of the steps, as in the paper.
    folds, test, seed
        As in `SparseConfig`. Cells that a single split holds out are not looked at.
    """

    trials: int = 200
    runs: int = 5
    steps: int | None = None
    at_once: int = 10
    pareto: bool = False
    stop_early: bool = True
    sparsity: Range = (0.95, 0.97)
    interval: Range = (100, 200)
    alpha: Range = (0.7, 0.9)
    l1_prox: Range = (0.0, 0.0)
    startup: int = 20
    validation: float = 0.1
    hidden: tuple[int, ...] = (16, 16, 16)
    batch: int = 64
    learning_rate: float = 1e-3
    label_smoothing: float = 0.0
    balanced: bool = True
    warmup: float = 0.5
    end: float = 0.75
    folds: int | None = None
    test: float = 0.1
    seed: int = 0

    def __post_init__(self) -> None:
        if min(self.trials, self.runs, self.at_once) < 1:
            raise InputError("A search needs at least one trial of at least one run.")
        for name, least, most in (
            ("sparsity", 0, 1),
            ("interval", 1, np.inf),
            ("alpha", 0, 1),
            ("l1_prox", 0, np.inf),
        ):
            low, high = getattr(self, name)
            if not least <= low <= high <= most:
                raise InputError(
                    f"{name} is searched from a lower to a higher value, both "
                    f"{least} to {most}; not from {low} to {high}."
                )

    def steps_for(self, n_cells: int) -> int:
        """Return the gradient steps of a head for so many training cells."""
        return self.steps or max(40 * -(-n_cells // self.batch), 1200)

    @property
    def space(self) -> dict[str, Any]:
        """Everything that trials must share to be compared; JSON values."""
        values = asdict(self)
        for name in ("trials", "at_once", "stop_early", "startup"):
            del values[name]
        return {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in values.items()
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialResult:
    """One trial.

    Attributes
    ----------
    number : int
    settings : dict
        sparsity, interval, alpha and, where searched, l1_prox.
    accuracy : tuple of float
        Balanced validation accuracy of each run.
    weights : tuple of int
        Active weights of each run after pruning.
    inputs : tuple of int
        Latents each run reads.
    pruned : dict
        Weights that pruning removed, mean over runs: zero, leaf, bias.
    value : float
        Mean accuracy + mean sparsity.
    milestones : tuple of tuple of float
        Value of each run on the way; see `trials.MILESTONES`.
    stopped : bool
        Whether it was stopped early; the rest is then what was seen until then.
    """

    number: int
    settings: Mapping[str, float]
    accuracy: tuple[float, ...]
    weights: tuple[int, ...]
    inputs: tuple[int, ...]
    pruned: Mapping[str, float]
    value: float
    milestones: tuple[tuple[float, ...], ...] = ()
    stopped: bool = False

    @property
    def mean_accuracy(self) -> float:
        """Mean over runs."""
        return float(np.mean(self.accuracy))

    @property
    def mean_weights(self) -> float:
        """Mean over runs."""
        return float(np.mean(self.weights))

    def told(self, total: int) -> Trial:
        """Return what is told of it while the search goes on."""
        metrics = {
            "accuracy": self.mean_accuracy,
            "weights": self.mean_weights,
            "value": self.value,
            "stopped": float(self.stopped),
            **self.settings,
        }
        return Trial(self.number, total, metrics)

    def to_dict(self) -> dict[str, Any]:
        """Return JSON values; `from_dict` reads them back."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> TrialResult:
        """Rebuild a result from `to_dict`."""
        fixed: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value
            for name, value in values.items()
        }
        fixed["milestones"] = tuple(tuple(row) for row in values["milestones"])
        return cls(**fixed)


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchResult:
    """What a search found.

    Attributes
    ----------
    best : TrialResult
        The trial of the highest value.
    front : tuple of TrialResult
        Trials that no other beats in accuracy and in number of weights, by weights.
    trials : tuple of TrialResult
        All that were completed or stopped.
    """

    best: TrialResult
    front: tuple[TrialResult, ...]
    trials: tuple[TrialResult, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return JSON values."""
        return {
            "best": self.best.to_dict(),
            "front": [trial.to_dict() for trial in self.front],
            "trials": len(self.trials),
            "stopped": sum(trial.stopped for trial in self.trials),
        }


def search_sparse(
    latents: npt.NDArray[np.floating],
    y: npt.NDArray[np.integer],
    groups: npt.NDArray[np.generic],
    config: SearchConfig | None = None,
    n_classes: int = 2,
    *,
    storage: str | None = None,
    name: str = "sparse heads",
    class_names: list[str] | None = None,
    on_event: OnEvent = ignore,
    token: CancelToken | None = None,
) -> SearchResult:
    """Search the settings of modified RigL.

    A study that exists under the same name in the storage is gone on with, and several
    processes may work on it at the same time.

    Parameters
    ----------
    latents, y, groups, n_classes, class_names
        As in `train_sparse`.
    config : SearchConfig, optional
    storage : str, optional
        URL of an Optuna storage, such as ``sqlite:///study.db`` or, for folders on
        network drives, ``journal:study.log``. Without one nothing is kept.
    name : str
        Of the study.
    on_event, token
        A search that is cancelled keeps the batches that are complete.

    Returns
    -------
    SearchResult

    Raises
    ------
    InputError
        If the data cannot be used, or the study was made for others.
    Cancelled
    """
    from napari_cellsci.heads.studies import SharedStudy
    from napari_cellsci.heads.trials import TrialBench

    config = config or SearchConfig()
    known = LabelledLatents.check(
        latents,
        y,
        groups,
        n_classes,
        class_names=class_names,
        folds=config.folds,
        test=config.test,
        seed=config.seed,
    )
    study = SharedStudy(config, storage, name, known.fingerprint)
    bench = TrialBench(known, config)
    told: set[int] = set()
    while True:
        if token is not None:
            token.raise_if_cancelled()
        for trial in study.trials():
            if trial.number not in told:
                told.add(trial.number)
                on_event(trial.told(config.trials))
        on_event(Progress("Searching", study.taken, config.trials))
        with study.batch() as batch:
            if not batch.settings:
                break
            batch.results = bench.run(batch.settings, batch.rival, token)
    on_event(Done("Searching"))
    return study.result()
