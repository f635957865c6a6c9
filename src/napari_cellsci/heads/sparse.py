"""Scheme 3: sparse heads on latents (arXiv 2402.03115, section 3 and appendix B)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_cellsci.errors import InputError
from napari_cellsci.heads.headset import HeadSet
from napari_cellsci.heads.keeping import Keeper, identity_of
from napari_cellsci.heads.labelled import LabelledLatents
from napari_cellsci.heads.sparse_compact import (
    compact,
    eliminate,
    gated_inputs,
    lasso_inputs,
)
from napari_cellsci.heads.sparse_members import SparseMembers
from napari_cellsci.heads.sparse_modes import (
    Mode,
    Problem,
    rigl,
    rigl_gradual,
    rigl_l1,
)
from napari_cellsci.tasks import CancelToken, Done, OnEvent, ignore

MODES: dict[str, Mode] = {
    "compact": compact,
    "paper": rigl,
    "rigl-l1": rigl_l1,
    "rigl-gradual": rigl_gradual,
    "lasso": lasso_inputs,
    "gates": gated_inputs,
    "eliminate": eliminate,
}
"""All ways to find sparse heads."""
_RIGL = ("paper", "rigl-l1", "rigl-gradual")


@dataclass(frozen=True, slots=True, kw_only=True)
class SparseConfig:
    """How sparse heads are found.

    Parameters
    ----------
    mode : str
        "paper" is the published modified RigL to the letter. "compact" finds few inputs
        and weights: heads that let go of weights one after another say which latents
        matter and how many weights are needed; final heads then learn from those
        latents alone. Further ones, for comparison: "rigl-l1" and "rigl-gradual" (RigL
        with an L1 penalty, or with a sparsity that grows), "lasso" and "gates" (a group
        lasso or hard-concrete gates choose the inputs), "eliminate" (elimination
        without a choice of inputs).
    models : int
        Heads trained from different seeds; the score is their mean.
    hidden : tuple of int, optional
        Widths of the hidden layers; by default 16, 16, 16 as published, and a single
        one of 16 where weights are eliminated: a weight in a deep chain is a weight
        that reads no latent.
    epochs : int
        Passes over the labelled cells, if that is more than `min_steps`.
    min_steps : int
        Gradient steps at least.
    batch : int
        Cells per step and head.
    learning_rate : float
        Of Adam.
    label_smoothing : float, optional
        As in `DenseConfig`; by default 0 in mode "paper", else 0.02.
    balanced : bool
        Weight the classes by the inverse of their frequency.
    warmup : float
        Share of the steps in which heads are dense; the paper's 20 of 100 epochs.
    end : float
        Share of the steps after the warm-up in which connections move.
    sparsity : float
        RigL: share S of the weights that is zero.
    interval : int
        RigL: steps ΔT between updates.
    alpha : float
        RigL: share of the connections that moves in the first update.
    zero_regrow : bool
        RigL: see `rigl.RiglConfig`.
    l1_prox : float, optional
        Strength of a proximal L1 penalty on weights; by default 0.3 in mode "rigl-l1"
        and 0 elsewhere.
    weights : int
        Compact: active weights at most for each output; two classes have one, more
        classes one each.
    keep : float
        Compact: share of the accuracy of the best scouts that fewer weights must keep.
    worth : float
        Compact: balanced accuracy that shuffling a latent must cost the scouts for it
        to be relevant; a dense head, which has other ways, would lose about half. It
        is that of two classes: of n, what they lose is summed and halved, so that a
        latent that tells one class of many is worth no less.
    scouts : int
        Compact: heads that find out which inputs and how many weights are needed.
    folds, test, seed
        As in `DenseConfig`.
    """

    mode: str = "compact"
    models: int = 10
    hidden: tuple[int, ...] | None = None
    epochs: int = 100
    min_steps: int = 3000
    batch: int = 64
    learning_rate: float = 1e-3
    label_smoothing: float | None = None
    balanced: bool = True
    warmup: float = 0.2
    end: float = 0.75
    sparsity: float = 0.951
    interval: int = 115
    alpha: float = 0.758
    zero_regrow: bool = False
    l1_prox: float | None = None
    weights: int = 25
    keep: float = 0.995
    worth: float = 0.01
    scouts: int = 10
    folds: int | None = None
    test: float = 0.1
    seed: int = 0

    def __post_init__(self) -> None:
        if self.mode not in MODES:
            raise InputError(
                f"There is no mode {self.mode!r} of sparse heads: choose one of "
                f"{', '.join(MODES)}."
            )
        if self.models < 1 or self.scouts < 1:
            raise InputError("Train at least one head, and at least one scout.")
        if self.weights < self.least_weights:
            raise InputError(
                f"A head of {self.least_weights} layers needs at least as many "
                f"weights, not {self.weights}."
            )
        for name in ("warmup", "end", "keep", "worth", "label_smoothing"):
            value = getattr(self, name)
            if value is not None and not 0 <= value <= 1:
                raise InputError(f"{name} is a share from 0 to 1, not {value}.")

    @property
    def widths(self) -> tuple[int, ...]:
        """Widths of the hidden layers that are used."""
        if self.hidden is None:
            return (16, 16, 16) if self.mode in _RIGL else (16,)
        return self.hidden

    @property
    def least_weights(self) -> int:
        """Weights without which nothing leads from an input to the output."""
        return len(self.widths) + 1

    def budget(self, n_outputs: int) -> int:
        """Return the active weights that a head of so many outputs may have."""
        return self.weights * n_outputs

    @property
    def smoothing(self) -> float:
        """Label smoothing that is used."""
        if self.label_smoothing is None:
            return 0.0 if self.mode == "paper" else 0.02
        return self.label_smoothing

    def steps(self, n_cells: int) -> int:
        """Return the gradient steps for so many training cells."""
        return max(self.epochs * -(-n_cells // self.batch), self.min_steps)


def train_sparse(
    latents: npt.NDArray[np.floating],
    y: npt.NDArray[np.integer],
    groups: npt.NDArray[np.generic],
    config: SparseConfig | None = None,
    n_classes: int = 2,
    *,
    class_names: Sequence[str] | None = None,
    run_dir: Path | None = None,
    on_event: OnEvent = ignore,
    token: CancelToken | None = None,
) -> HeadSet:
    """Train K sparse heads on labelled latents.

    As with dense heads, those that are returned learn from all labelled cells, and
    further ones, K for each part of the tracks, are trained without that part and
    judged on it; whatever a mode chooses (inputs, number of weights) it chooses for
    every part anew, from that part's training cells.

    Parameters
    ----------
    latents : array of shape (n, views, D) or (n, D)
        Latent means of the labelled cells; of several views the first is tested on.
    y : int array of shape (n,)
        Classes from 0; with two classes, 1 is the one with scores ≥ 0.
    groups : array of shape (n,)
        The track (and movie) of each cell; no track is both trained and tested on.
    config : SparseConfig, optional
    n_classes : int
    class_names : sequence of str, optional
        For messages.
    run_dir : Path, optional
        Where half-trained heads are kept; training that was stopped goes on there.
        Scouts are not kept: they find the same again.
    on_event : callable
    token : CancelToken, optional

    Returns
    -------
    HeadSet
        Of scheme 3; its members are pruned and know the history of their masks.

    Raises
    ------
    InputError
        If labels, latents or settings cannot be used.
    Cancelled
        If the token is cancelled; nothing is kept but in `run_dir`.
    """
    config = config or SparseConfig()
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
    keeper = None
    if run_dir is not None:
        identity = identity_of(3, asdict(config), known.fingerprint, n_classes)
        keeper = Keeper(run_dir, identity, on_event)
    problem = Problem(known, config, on_event, token, keeper)
    found = MODES[config.mode](problem)
    report, calibration = known.judge(found.network, config.models)
    on_event(Done("Training heads"))
    return HeadSet(
        scheme=3,
        n_classes=n_classes,
        members=SparseMembers(
            found.network.select(range(config.models)), found.history
        ),
        calibration=calibration,
        report=report,
        config=_plain(config, len(known), found.notes),
    )


def _plain(config: SparseConfig, labels: int, notes: dict[str, Any]) -> dict[str, Any]:
    values = {**asdict(config), "hidden": list(config.widths)}
    return {**values, "labels": labels, "found": notes}
