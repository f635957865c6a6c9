"""Training the trials of a search, many settings at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from napari_cellsci.heads.batched import BatchedMLP
from napari_cellsci.heads.evaluate import balanced_accuracy
from napari_cellsci.heads.labelled import LabelledLatents
from napari_cellsci.heads.losses import decide
from napari_cellsci.heads.pruning import prune
from napari_cellsci.heads.rigl import RiglConfig, RiglRule
from napari_cellsci.heads.search import SearchConfig, TrialResult
from napari_cellsci.heads.sizes import active_weights, used_inputs
from napari_cellsci.heads.splits import split_by_group
from napari_cellsci.heads.training import HeadTraining, model_seed
from napari_cellsci.tasks import CancelToken

Floats = npt.NDArray[np.float64]
MILESTONES = (0.5, 0.75)
"""Shares of the steps after the warm-up at which hopeless trials are stopped."""
_LEVEL = 0.05


class TrialBench:
    """Trains and judges trials on one set of labelled cells.

    Parameters
    ----------
    known : LabelledLatents
        Of a single split, only the training part is looked at.
    config : SearchConfig
    """

    def __init__(self, known: LabelledLatents, config: SearchConfig) -> None:
        self._known, self._config = known, config
        cells = known.parts[0][0] if len(known.parts) == 1 else known.rows[0]
        fit, judged = split_by_group(
            known.groups[cells], known.y[cells], config.validation, config.seed
        )
        self._rows, self._judged = cells[fit], cells[judged]
        self._latents = known.latents[self._judged, 0]
        self._steps = config.steps_for(len(self._rows))
        self._warmup = round(config.warmup * self._steps)
        self._seeds = [model_seed(config.seed, run) for run in range(config.runs)]
        self._start: dict[str, Tensor] | None = None

    def _network(self, seeds: Sequence[int | None]) -> BatchedMLP:
        n_in, n_out = self._known.sizes_of_ends
        return BatchedMLP((n_in, *self._config.hidden, n_out), seeds)

    def _training(
        self,
        network: BatchedMLP,
        seeds: Sequence[int],
        rule: RiglRule | None = None,
        l1: npt.ArrayLike | None = None,
    ) -> HeadTraining:
        config, known = self._config, self._known
        return HeadTraining(
            network,
            known.latents,
            known.y,
            [self._rows] * len(seeds),
            seeds,
            n_classes=known.n_classes,
            steps=self._steps,
            batch=config.batch,
            learning_rate=config.learning_rate,
            label_smoothing=config.label_smoothing,
            balanced=config.balanced,
            rule=rule,
            l1=l1,
        )

    def _warm(self, token: CancelToken | None) -> dict[str, Tensor]:
        """Return the runs after the dense warm-up, which all trials share."""
        if self._start is None:
            training = self._training(self._network(self._seeds), self._seeds)
            training.advance(self._warmup, token=token)
            self._start = training.state_dict()
        return self._start

    def run(
        self,
        settings: Sequence[Mapping[str, float]],
        rival: Sequence[Sequence[float]] | None = None,
        token: CancelToken | None = None,
    ) -> list[TrialResult]:
        """Train all runs of some trials as one batch.

        Parameters
        ----------
        settings : sequence of dict
            sparsity, interval, alpha and perhaps l1_prox of each trial.
        rival : sequence of (runs,), optional
            The values of the best trial's runs at every milestone; trials that are
            surely worse are stopped there.
        token : CancelToken, optional

        Returns
        -------
        list of TrialResult
            Numbered from 0.
        """
        config, runs = self._config, self._config.runs
        warm = self._warm(token)
        network = self._network([None] * (len(settings) * runs))
        rule = RiglRule(network, self._rigl(settings), recorded=0)
        l1 = [each.get("l1_prox", 0.0) for each in settings for _ in range(runs)]
        training = self._training(network, self._seeds * len(settings), rule, l1)
        training.load_state_dict(
            {
                name: value
                if name == "step"
                else value.repeat(len(settings), *[1] * (value.ndim - 1))
                for name, value in warm.items()
            }
        )
        after = self._steps - self._warmup
        values: list[Floats] = []
        stopped = np.zeros(len(settings), bool)
        for place, share in enumerate(MILESTONES):
            training.advance(self._warmup + round(share * after), token=token)
            values.append(self._values(network))
            if rival is not None and config.stop_early and place < len(rival):
                worse = _surely_worse(values[-1], np.array(rival[place]))
                stopped |= worse
                training.retire(torch.from_numpy(np.repeat(stopped, runs)))
        training.advance(token=token)
        return self._results(network, settings, values, stopped)

    def _rigl(self, settings: Sequence[Mapping[str, float]]) -> RiglConfig:
        runs = self._config.runs

        def each(name: str) -> Floats:
            return np.repeat([float(own[name]) for own in settings], runs)

        return RiglConfig(
            sparsity=each("sparsity"),
            interval=each("interval").astype(np.int64),
            alpha=each("alpha"),
            warmup=self._warmup,
            end=round(self._config.end * (self._steps - self._warmup)),
        )

    def _accuracy(self, network: BatchedMLP) -> Floats:
        y = self._known.y[self._judged]
        decided = decide(network.outputs(self._latents).numpy())
        return np.array([balanced_accuracy(y, own) for own in decided])

    def _values(self, network: BatchedMLP) -> Floats:
        """Return accuracy + sparsity of all runs as they are (trials, runs)."""
        sparsity = 1 - active_weights(network.masks) / network.n_weights
        return (self._accuracy(network) + sparsity).reshape(-1, self._config.runs)

    def _results(
        self,
        network: BatchedMLP,
        settings: Sequence[Mapping[str, float]],
        milestones: list[Floats],
        stopped: npt.NDArray[np.bool_],
    ) -> list[TrialResult]:
        pruned = prune(network)
        runs = self._config.runs
        accuracy = self._accuracy(pruned.model).reshape(-1, runs)
        weights = active_weights(pruned.model.masks).reshape(-1, runs)
        inputs = used_inputs(pruned.model.masks).sum(1).reshape(-1, runs)
        removed = {
            name: getattr(pruned, name).reshape(-1, runs).mean(1)
            for name in ("zero", "leaf", "bias")
        }
        sparsity = 1 - weights / network.n_weights
        return [
            TrialResult(
                number=t,
                settings=dict(own),
                accuracy=tuple(accuracy[t].tolist()),
                weights=tuple(weights[t].tolist()),
                inputs=tuple(inputs[t].tolist()),
                pruned={name: float(value[t]) for name, value in removed.items()},
                value=float(accuracy[t].mean() + sparsity[t].mean()),
                milestones=tuple(tuple(value[t].tolist()) for value in milestones),
                stopped=bool(stopped[t]),
            )
            for t, own in enumerate(settings)
        ]


def _surely_worse(values: Floats, rival: Floats) -> npt.NDArray[np.bool_]:
    """Test run by run whether trials (T, R) are worse than a rival (R,).

    The same run of all trials has the same start and sees the same cells, so that the
    differences are paired (one-sided t-test).
    """
    from scipy.stats import t

    runs = values.shape[1]
    if runs < 2 or rival.shape != (runs,):
        return np.zeros(len(values), bool)
    gap = rival - values
    error = gap.std(1, ddof=1) / np.sqrt(runs)
    sure = gap.mean(1) > t.ppf(1 - _LEVEL, runs - 1) * error
    return np.asarray(sure & (gap.mean(1) > 0))
