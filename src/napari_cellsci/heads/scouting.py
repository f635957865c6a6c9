"""What heads that shrink step by step tell of the size and inputs that are needed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from napari_cellsci.heads.batched import BatchedMLP
from napari_cellsci.heads.evaluate import balanced_accuracy
from napari_cellsci.heads.losses import decide
from napari_cellsci.heads.sizes import used_inputs
from napari_cellsci.heads.sparse_modes import Bools, Problem
from napari_cellsci.heads.splits import Indices, folds_by_group
from napari_cellsci.heads.training import model_seed

Floats = npt.NDArray[np.float64]
_DIVIDED = 5
"""Parts of the tracks on which scouts are judged in turn."""
_SHUFFLES = 5
"""Times an input is shuffled to see what it is worth."""


def agreed(shares: Floats) -> Bools:
    """Return the inputs that half of the scouts use, or those most used."""
    return np.asarray(shares >= min(0.5, shares.max()))


@dataclass(frozen=True, slots=True)
class Advice:
    """What the scouts of one part advise.

    Attributes
    ----------
    weights : int
        How many are enough.
    inputs : bool array of shape (D,)
        Which are relevant.
    notes : dict
        What that rests on, as JSON values.
    """

    weights: int
    inputs: Bools
    notes: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Scouts:
    """Heads of which each learns without one fifth of its part's training tracks.

    Scouts of one part follow each other, and are judged together, each on the cells it
    has not seen.

    Attributes
    ----------
    problem : Problem
    seeds : list of int
    rows, tests : list of int arrays
        The cells each learns from and is judged on.
    """

    problem: Problem
    seeds: list[int]
    rows: list[Indices]
    tests: list[Indices]

    @classmethod
    def of(cls, problem: Problem) -> Scouts:
        """Return the scouts of every part."""
        config, known = problem.config, problem.known
        found = cls(problem, [], [], [])
        for part, cells in enumerate(known.rows):
            groups, y = known.groups[cells], known.y[cells]
            divided = folds_by_group(groups, y, _DIVIDED, model_seed(config.seed, part))
            for scout in range(config.scouts):
                fit, test = divided[scout % len(divided)]
                found.seeds.append(model_seed(config.seed, part, scout, 1))
                found.rows.append(cells[fit])
                found.tests.append(cells[test])
        return found

    def advise(self, states: Sequence[BatchedMLP]) -> list[Advice]:
        """Judge scouts at every size.

        Parameters
        ----------
        states : sequence of BatchedMLP
            All scouts when dense, with the most weights, with one less, and so on.

        Returns
        -------
        list of Advice
            One for each part.
        """
        n = self.problem.config.scouts
        parts = range(0, len(self.seeds), n)
        return [self._advise(states, range(first, first + n)) for first in parts]

    def _advise(self, states: Sequence[BatchedMLP], scouts: range) -> Advice:
        """Take the fewest weights that keep the accuracy, and the inputs they need.

        An input is relevant if half of the scouts use it and shuffling it costs them.
        What it is worth is noted as if there were two classes.
        """
        config = self.problem.config
        accuracy = np.array([self._accuracy(state, scouts) for state in states])
        place = fewest(accuracy, config.keep)
        chosen = states[place + 1]
        shares = used_inputs(chosen.masks)[list(scouts)].mean(0)
        worth = self._worth(chosen, scouts, agreed(shares), accuracy[place + 1])
        # As of two classes: the mean over many hides what one of them loses.
        worth *= self.problem.known.n_classes / 2
        inputs = worth >= min(config.worth, worth.max())
        weights = self.problem.budget - place
        notes = {
            "weights": weights,
            "inputs": np.flatnonzero(inputs).tolist(),
            "accuracy": accuracy.tolist(),
            "shares": shares.tolist(),
            "worth": np.where(np.isfinite(worth), worth, 0).tolist(),
        }
        return Advice(weights, inputs, notes)

    def _accuracy(
        self, state: BatchedMLP, scouts: range, shuffled: int | None = None
    ) -> float:
        """Return the balanced accuracy of scouts, perhaps with one input shuffled."""
        known = self.problem.known
        truth, found = [], []
        rng = np.random.default_rng(self.problem.config.seed)
        for scout in scouts:
            rows = self.tests[scout]
            x = known.latents[rows, 0]
            head = state.select([scout])
            for _ in range(1 if shuffled is None else _SHUFFLES):
                if shuffled is not None:
                    x[:, shuffled] = x[
                        torch.from_numpy(rng.permutation(len(x))), shuffled
                    ]
                found.append(decide(head.outputs(x)[0].numpy()))
                truth.append(known.y[rows])
        return balanced_accuracy(np.concatenate(truth), np.concatenate(found))

    def _worth(
        self, state: BatchedMLP, scouts: range, inputs: Bools, accuracy: float
    ) -> Floats:
        """Return what shuffling each input costs (D,); −∞ for those not in question."""
        worth = np.full(len(inputs), -np.inf)
        for d in np.flatnonzero(inputs):
            worth[d] = accuracy - self._accuracy(state, scouts, int(d))
        return worth


def fewest(accuracy: Floats, keep: float) -> int:
    """Return how many weights less than the most keep a share of the best accuracy.

    Parameters
    ----------
    accuracy : array of shape (1 + T,)
        Dense, with the most weights, with one less, and so on.
    keep : float
    """
    padded = np.pad(accuracy[1:], 1, mode="edge")
    smooth = (padded[:-2] + padded[1:-1] + padded[2:]) / 3
    good = np.flatnonzero(smooth >= keep * max(accuracy[0], smooth.max()))
    return int(good[-1]) if len(good) else 0
