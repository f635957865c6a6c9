"""Optuna's side of a search: studies that are shared, left and gone on with."""

from __future__ import annotations

import json
import os
import socket
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_cellsci.disk import process_lives
from napari_cellsci.errors import InputError
from napari_cellsci.heads.search import SearchConfig, SearchResult, TrialResult
from napari_cellsci.heads.training import model_seed

if TYPE_CHECKING:
    import optuna

_SPACE, _RESULT, _OWNER = "cellsci space", "cellsci result", "cellsci owner"
_JOURNAL = "journal:"


@dataclass(slots=True)
class TrialBatch:
    """Trials that are trained together.

    Attributes
    ----------
    settings : list of dict
    rival : values of the best trial's runs at every milestone, or None
    results : list of TrialResult
        To be filled in.
    """

    settings: list[Mapping[str, float]]
    rival: Sequence[Sequence[float]] | None
    results: list[TrialResult] = field(default_factory=list)


class SharedStudy:
    """One search in an Optuna storage.

    What a batch of trials suggests depends on the seed, the trials before and its place
    among them alone; trials given back unfinished do not count. A search that was
    stopped and gone on with therefore equals one that was not.

    Parameters
    ----------
    config : SearchConfig
    storage : str or None
        URL; None keeps the study in memory.
    name : str
    fingerprint : str
        Of the data.

    Raises
    ------
    InputError
        If the storage cannot be opened, or the study was made for something else.
    """

    def __init__(
        self, config: SearchConfig, storage: str | None, name: str, fingerprint: str
    ) -> None:
        self._config = config
        self._study = _open(config, storage, name)
        self._check({**config.space, "data": fingerprint})
        self._give_up_abandoned()

    def _check(self, space: dict[str, Any]) -> None:
        attributes = self._study.user_attrs
        if _SPACE not in attributes:
            self._study.set_user_attr(_SPACE, space)
        elif attributes[_SPACE] != json.loads(json.dumps(space)):
            known = attributes[_SPACE]
            other = sorted(k for k in space if known.get(k) != _plain(space[k]))
            raise InputError(
                f"The study {self._study.study_name!r} was made with other settings or "
                f"data ({', '.join(other)}): give this search another name or storage."
            )

    def _give_up_abandoned(self) -> None:
        """Mark trials of processes of this machine that are gone as failed."""
        for trial in self._trials("RUNNING"):
            owner = trial.user_attrs.get(_OWNER)
            if owner is None or owner[0] != socket.gethostname():
                continue
            if not process_lives(owner[1]):
                self._fail(trial.number)

    def _trials(self, *states: str) -> list[optuna.trial.FrozenTrial]:
        from optuna.trial import TrialState

        wanted = tuple(TrialState[state] for state in states)
        return list(self._study.get_trials(deepcopy=False, states=wanted))

    def _fail(self, number: int) -> None:
        from optuna.trial import TrialState

        self._study.tell(number, state=TrialState.FAIL, skip_if_finished=True)

    @property
    def taken(self) -> int:
        """Trials that are complete, stopped early or under way."""
        return len(self._trials("COMPLETE", "PRUNED", "RUNNING"))

    @contextmanager
    def batch(self) -> Iterator[TrialBatch]:
        """Take some trials; keep their results, or give them back unfinished.

        Yields
        ------
        TrialBatch
            Without settings once all trials are taken.
        """
        n = min(self._config.at_once, self._config.trials - self.taken)
        trials = [self._study.ask() for _ in range(max(n, 0))]
        owner = [socket.gethostname(), os.getpid()]
        try:
            for trial in trials:
                trial.set_user_attr(_OWNER, owner)
            if trials:
                self._seed(trials[0].number)
            batch = TrialBatch([self._suggest(t) for t in trials], self._rival())
            yield batch
        except BaseException:
            for trial in trials:
                self._fail(trial.number)
            raise
        for trial, result in zip(trials, batch.results, strict=True):
            self._tell(trial, result)

    def _seed(self, number: int) -> None:
        """Let suggestions depend on how many trials came before."""
        failed = sum(trial.number < number for trial in self._trials("FAIL"))
        seed = model_seed(self._config.seed, number - failed)
        self._study.sampler = _sampler(seed, self._config.startup)

    def _suggest(self, trial: optuna.Trial) -> dict[str, float]:
        config = self._config
        settings = {
            "sparsity": trial.suggest_float("sparsity", *config.sparsity),
            "interval": trial.suggest_int("interval", *map(int, config.interval)),
            "alpha": trial.suggest_float("alpha", *config.alpha),
        }
        if config.l1_prox[1] > 0:
            settings["l1_prox"] = trial.suggest_float("l1_prox", *config.l1_prox)
        return settings

    def _tell(self, trial: optuna.Trial, result: TrialResult) -> None:
        from optuna.trial import TrialState

        values = {**result.to_dict(), "number": trial.number}
        trial.set_user_attr(_RESULT, _plain(values))
        if self._config.pareto:
            self._study.tell(trial, [result.mean_accuracy, result.mean_weights])
            return
        for place, value in enumerate(result.milestones):
            trial.report(float(np.mean(value)), place)
        if result.stopped:
            self._study.tell(trial, state=TrialState.PRUNED)
        else:
            self._study.tell(trial, result.value)

    def _results(self, *states: str) -> list[TrialResult]:
        return [
            TrialResult.from_dict(trial.user_attrs[_RESULT])
            for trial in self._trials(*states)
            if _RESULT in trial.user_attrs
        ]

    def trials(self) -> list[TrialResult]:
        """Return the trials that are complete or were stopped early."""
        return self._results("COMPLETE", "PRUNED")

    def _rival(self) -> Sequence[Sequence[float]] | None:
        if self._config.pareto or not self._config.stop_early:
            return None
        complete = self._results("COMPLETE")
        if len(complete) < self._config.startup:
            return None
        return max(complete, key=lambda trial: trial.value).milestones

    def result(self) -> SearchResult:
        """Return what was found so far.

        Raises
        ------
        InputError
            If no trial is complete.
        """
        complete = self._results("COMPLETE")
        if not complete:
            raise InputError("No trial of this search is complete yet.")
        front = [
            trial
            for trial in complete
            if not any(_beats(other, trial) for other in complete)
        ]
        return SearchResult(
            best=max(complete, key=lambda trial: trial.value),
            front=tuple(sorted(front, key=lambda trial: trial.mean_weights)),
            trials=tuple(self.trials()),
        )


def _beats(one: TrialResult, other: TrialResult) -> bool:
    """Whether a trial is at least as good in both and better in one."""
    mine = (one.mean_accuracy, -one.mean_weights)
    theirs = (other.mean_accuracy, -other.mean_weights)
    return mine != theirs and all(a >= b for a, b in zip(mine, theirs, strict=True))


def _plain(value: Any) -> Any:
    return json.loads(json.dumps(value))


def _sampler(seed: int, startup: int) -> optuna.samplers.BaseSampler:
    from optuna.exceptions import ExperimentalWarning
    from optuna.samplers import TPESampler

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        return TPESampler(seed=seed, n_startup_trials=startup, constant_liar=True)


def _open(config: SearchConfig, storage: str | None, name: str) -> optuna.Study:
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    directions = ["maximize", "minimize"] if config.pareto else ["maximize"]
    try:
        return optuna.create_study(
            storage=_storage(storage),
            study_name=name,
            directions=directions,
            load_if_exists=True,
        )
    except Exception as error:  # each storage has errors of its own
        raise InputError(
            f"The storage {storage} cannot be used for a search: {_first_line(error)}."
        ) from error


def _storage(url: str | None) -> Any:
    if url is None or not url.startswith(_JOURNAL):
        return url
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    return JournalStorage(JournalFileBackend(url.removeprefix(_JOURNAL)))


def _first_line(error: Exception) -> str:
    text = str(error).strip().splitlines()
    return (text[0] if text else type(error).__name__).rstrip(".")
