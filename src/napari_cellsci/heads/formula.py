"""Scheme 4: formulas on latents (arXiv 2402.03115, section 3.4)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from napari_cellsci.errors import InputError
from napari_cellsci.formulas.choosing import agreement, choose, judge, pysr_choice
from napari_cellsci.formulas.engines import Engine, Found, find_engine
from napari_cellsci.formulas.expression import Expression
from napari_cellsci.formulas.jobs import Front
from napari_cellsci.formulas.spec import Loss, SearchSpec
from napari_cellsci.heads.calibrate import (
    Calibration,
    cross_fitted_error,
    fit_calibration,
)
from napari_cellsci.heads.evaluate import HeldOut, held_out_report
from napari_cellsci.heads.formula_members import (
    FormulaMembers,
    latent_names,
    median_of_defined,
)
from napari_cellsci.heads.headset import HeadSet
from napari_cellsci.heads.heldout import UnseenScores, describe, partition
from napari_cellsci.heads.losses import class_weights, decide, n_outputs
from napari_cellsci.heads.splits import Indices, check_labels, split_by_group
from napari_cellsci.tasks import CancelToken, Done, OnEvent, ignore

_FOLDS = 5
_FEW = 10
"""With fewer cells of a class to choose on, those the front was found from help."""
EVALUATIONS = 2_000_000
"""Budget of one run of the built-in engine where none is given."""
ITERATIONS = 40
Array = npt.NDArray[np.float64]
OnFront = Callable[[dict[int, Front]], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class FormulaConfig:
    """How formulas are searched for.

    Parameters
    ----------
    runs : int
        Searches from different seeds; each gives one formula (or one per class).
    engine : {"auto", "builtin", "pysr"}
        "auto" is PySR where its Julia is ready, else the built-in engine.
    loss : {"hinge", "mse", "logistic"}
        Hinge or logistic loss on the labels, or mean squared error to the scores of
        another classifier.
    operators : {"paper", "plain"}
        The paper's ten operators, or + − × ÷ square abs.
    nested : bool
        Whether sin and exp may stand inside sin and exp.
    maxsize : int
        Complexity at most: sin counts 3, exp and log 2, all else 1.
    parsimony : float
        What a node costs, in units of the loss of the constant 0.
    balanced : bool
        Weight the classes by the inverse of their frequency.
    evaluations, iterations : int, optional
        Budget of a run, for the built-in engine and for PySR; what is found in one
        repeats exactly.
    seconds : float, optional
        Time of a run at most.
    validation : float
        Share of the training tracks on which a run chooses from its front.
    cores : int
        Threads of the built-in engine.
    fetch_julia : bool
        Whether PySR may fetch Julia.
    seed : int
    """

    runs: int = 10
    engine: str = "auto"
    loss: Loss = "hinge"
    operators: str = "paper"
    nested: bool = False
    maxsize: int = 20
    parsimony: float = 1e-3
    balanced: bool = True
    evaluations: int | None = None
    iterations: int | None = None
    seconds: float | None = None
    validation: float = 0.2
    cores: int = 1
    fetch_julia: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        if self.runs < 1:
            raise InputError("Search at least once.")
        if not 0 < self.validation < 1:
            raise InputError(
                f"The validation share lies between 0 and 1, not at {self.validation}."
            )
        self.spec("builtin")

    def spec(self, engine: str) -> SearchSpec:
        """Return what one run looks for."""
        evaluations, iterations = self.evaluations, self.iterations
        if self.seconds is None and engine == "builtin":
            evaluations = evaluations or EVALUATIONS
        if self.seconds is None and engine == "pysr":
            iterations = iterations or ITERATIONS
        return SearchSpec(
            operators=self.operators,
            loss=self.loss,
            maxsize=self.maxsize,
            parsimony=self.parsimony,
            nested=self.nested,
            seed=self.seed,
            evaluations=evaluations,
            iterations=iterations,
            seconds=self.seconds,
            cores=self.cores,
        )


@dataclass(frozen=True, slots=True)
class _Run:
    """The cells of one run: found from, chosen on, and unseen."""

    fit: Indices
    choose: Indices
    unseen: Indices
    part: int


def discover_formulas(
    latents: npt.NDArray[np.floating],
    y: npt.NDArray[np.integer],
    groups: npt.NDArray[np.generic],
    config: FormulaConfig | None = None,
    n_classes: int = 2,
    *,
    inputs: Sequence[int] | None = None,
    targets: npt.NDArray[np.floating] | None = None,
    class_names: Sequence[str] | None = None,
    engine: Engine | None = None,
    folder: Path | None = None,
    on_front: OnFront | None = None,
    on_event: OnEvent = ignore,
    token: CancelToken | None = None,
) -> HeadSet:
    """Search for formulas that tell the classes apart.

    The tracks are divided into parts (five, or as many as there are runs). Every run
    leaves one part out, finds a front of formulas from most of the other tracks, and
    takes the smallest that is within one standard error of the best on the rest of
    them (with few labels, on all of them). Report and calibration come from the parts
    that were left out. With more than two classes a run finds one formula per class,
    and the largest value wins.

    Parameters
    ----------
    latents : array of shape (n, D) or (n, views, D)
        Latent means of the labelled cells; of several views the first.
    y : int array of shape (n,)
        Classes from 0; with two classes, 1 is the one with scores ≥ 0.
    groups : array of shape (n,)
        The track (and movie) of each cell.
    config : FormulaConfig, optional
    n_classes : int
    inputs : sequence of int, optional
        The latents formulas may read; by default all.
    targets : array of shape (n, outputs), optional
        Scores to be followed, for the loss "mse".
    class_names : sequence of str, optional
        For messages.
    engine : Engine, optional
        By default the one `config` names.
    folder : Path, optional
        Where the search is kept; by default nowhere.
    on_front, on_event : callable
    token : CancelToken, optional
        A search that is stopped keeps the runs that found something.

    Returns
    -------
    HeadSet
        Of scheme 4.

    Raises
    ------
    InputError
        If labels, latents or settings cannot be used, or nothing was found.
    """
    config = config or FormulaConfig()
    target, groups = np.asarray(y, np.int64), np.asarray(groups)
    check_labels(target, groups, n_classes, class_names)
    table = np.asarray(latents, np.float64)
    table = table[:, 0] if table.ndim == 3 else table
    engine = engine or find_engine(
        config.engine, fetch_julia=config.fetch_julia, on_event=on_event
    )
    columns = sorted(set(range(table.shape[1]) if inputs is None else inputs))
    if not columns:
        raise InputError("A formula needs at least one latent to read.")
    names = [latent_names(table.shape[1])[d] for d in columns]
    parts = partition(groups, target, min(_FOLDS, config.runs), 0.2, config.seed)
    runs = _runs(parts, groups, target, config)
    wanted = _targets(target, n_classes, config, targets)
    found = engine.search(
        table[:, columns],
        np.concatenate([wanted for _ in runs]),
        config.spec(engine.name),
        names,
        weights=_weights(runs, target, wanted, config),
        folder=folder,
        on_front=on_front,
        on_event=on_event,
        token=token,
    )
    heads = _heads(found, runs, table, target, groups, n_classes, parts, config)
    on_event(Done("Searching for formulas"))
    return heads


def _runs(
    parts: list[tuple[Indices, Indices]],
    groups: npt.NDArray[np.generic],
    y: npt.NDArray[np.int64],
    config: FormulaConfig,
) -> list[_Run]:
    found = []
    for k in range(config.runs):
        train, unseen = parts[k % len(parts)]
        if len(np.unique(groups[train])) < 2:
            raise InputError(
                "There are too few tracks with labels to find a formula on some and "
                "test it on others: label cells of more tracks."
            )
        fit, chosen = split_by_group(
            groups[train], y[train], config.validation, config.seed + k
        )
        found.append(_Run(train[fit], train[chosen], unseen, k % len(parts)))
    return found


def _targets(
    y: npt.NDArray[np.int64],
    n_classes: int,
    config: FormulaConfig,
    given: npt.NDArray[np.floating] | None,
) -> Array:
    """Return what the formulas of one run are fitted to (outputs, n)."""
    outputs = n_outputs(n_classes)
    if config.loss == "mse":
        if given is None or given.shape != (len(y), outputs):
            raise InputError(
                "The loss mse follows the scores of another classifier: name one."
            )
        return np.asarray(given, np.float64).T
    classes = [1] if outputs == 1 else range(n_classes)
    return np.stack([np.where(y == c, 1.0, -1.0) for c in classes])


def _weights(
    runs: Sequence[_Run],
    y: npt.NDArray[np.int64],
    wanted: Array,
    config: FormulaConfig,
) -> Array:
    """Return weights (runs · outputs, n), 0 for cells a run may not see."""
    found = np.zeros((len(runs), len(wanted), len(y)))
    for k, run in enumerate(runs):
        for output, own in enumerate(wanted):
            side = (own[run.fit] > 0).astype(np.int64)
            if config.loss == "mse":
                side = y[run.fit]
            classes = int(side.max()) + 1
            each = class_weights(side, classes, config.balanced)
            found[k, output, run.fit] = each[side]
    return found.reshape(-1, len(y))


def _heads(
    found: Found,
    runs: Sequence[_Run],
    table: Array,
    y: npt.NDArray[np.int64],
    groups: npt.NDArray[np.generic],
    n_classes: int,
    parts: list[tuple[Indices, Indices]],
    config: FormulaConfig,
) -> HeadSet:
    outputs = n_outputs(n_classes)
    columns = dict(zip(latent_names(table.shape[1]), table.T, strict=True))
    chosen, kept, notes = [], [], []
    for k, run in enumerate(runs):
        fronts = found.fronts[k * outputs : (k + 1) * outputs]
        if not all(fronts):
            continue
        rows = _to_choose_on(run, y)
        here = {name: values[rows] for name, values in columns.items()}
        picks = []
        for output, front in enumerate(fronts):
            mine = y[rows] == (output if outputs > 1 else 1)
            judged = judge(front, here, mine.astype(np.int64), groups[rows])
            pick = choose(judged)
            picks.append(_plain(front[pick].expression, table, y, run, config))
            notes.append(
                {
                    "run": k,
                    "output": output,
                    "chosen": pick,
                    "pysr": pysr_choice(front),
                    "front": [
                        {
                            "complexity": one.candidate.complexity,
                            "size": one.candidate.expression.size,
                            "loss": one.candidate.loss,
                            "validation": one.score,
                            "error": one.error,
                            "behind": one.behind,
                            "behind_error": one.behind_error,
                            "undefined": one.undefined,
                            "formula": str(one.candidate.expression),
                        }
                        for one in judged
                    ],
                }
            )
        chosen.append(tuple(picks))
        kept.append(run)
    if not chosen:
        raise InputError(
            "The search was stopped before it found a formula: give it more time."
        )
    members = FormulaMembers(tuple(chosen), table.shape[1])
    report, calibration, undefined = _report(
        members, kept, table, y, groups, n_classes, parts
    )
    agreed = agreement([formula for head in chosen for formula in head])
    return HeadSet(
        scheme=4,
        n_classes=n_classes,
        members=members,
        calibration=calibration,
        report=report,
        config={
            **asdict(config),
            "labels": len(y),
            "engine": found.engine,
            "stopped": found.stopped,
            "searches": notes,
            "forms": [list(form) for form in agreed.forms],
            "undefined": undefined,
        },
    )


def _plain(
    formula: Expression,
    table: Array,
    y: npt.NDArray[np.int64],
    run: _Run,
    config: FormulaConfig,
) -> Expression:
    """Return a formula without a scale that no cell speaks for.

    Labels say nothing of the scale of a formula that is right on all cells it was found
    from. With more classes than two scales are compared.
    """
    if config.loss == "mse" or y.max() > 1:
        return formula
    names = latent_names(table.shape[1])
    f = formula(dict(zip(names, table[run.fit].T, strict=True)))
    right = np.isfinite(f) & ((f >= 0) == (y[run.fit] == 1))
    return formula.unscaled() if right.all() else formula


def _to_choose_on(run: _Run, y: npt.NDArray[np.int64]) -> Indices:
    """Return the cells on which a run chooses from its front; never unseen ones."""
    if np.unique(y[run.choose], return_counts=True)[1].min() >= _FEW:
        return run.choose
    return np.concatenate([run.fit, run.choose])


def _report(
    members: FormulaMembers,
    runs: Sequence[_Run],
    table: Array,
    y: npt.NDArray[np.int64],
    groups: npt.NDArray[np.generic],
    n_classes: int,
    parts: list[tuple[Indices, Indices]],
) -> tuple[HeldOut, Calibration, int]:
    """Judge formulas on the cells their runs left out.

    A cell for which no formula has a finite value counts as wrong.
    """
    unseen = UnseenScores.empty(members.n_models, len(y), members.n_outputs)
    scores = members.scores(table)
    each = []
    for k, run in enumerate(runs):
        unseen.scores[k, run.unseen] = scores[k, run.unseen]
        unseen.fold[run.unseen] = run.part
        own = y[run.unseen]
        each.append((own, called(scores[k, run.unseen], own, n_classes)))
    rows = np.flatnonzero(unseen.fold >= 0)
    score = median_of_defined(unseen.scores[:, rows])
    known = np.isfinite(score).all(-1)
    label, fold = y[rows], unseen.fold[rows]
    report = held_out_report(
        label,
        groups[rows],
        called(score, label, n_classes),
        each,
        n_classes=n_classes,
        calibration_error=cross_fitted_error(score[known], label[known], fold[known]),
        method=describe(parts, groups),
    )
    calibration = fit_calibration(score[known], label[known])
    return report, calibration, int((~known).sum())


def called(
    scores: npt.NDArray[np.floating], y: npt.NDArray[np.int64], n_classes: int
) -> npt.NDArray[np.int64]:
    """Return the class of scores (n, outputs); where undefined, one that is wrong."""
    known = np.isfinite(scores).all(-1)
    return np.where(known, decide(scores), (y + 1) % n_classes)
