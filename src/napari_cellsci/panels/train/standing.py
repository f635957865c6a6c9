"""What the card of the panel says; knows no widgets."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from napari_cellsci.panels.train.words import (
    estimate_words,
    result_words,
    state_sentence,
    title_of,
)
from napari_cellsci.project.run_estimate import Estimate
from napari_cellsci.project.run_files import has_kept, last_words
from napari_cellsci.project.run_log import RunLog
from napari_cellsci.project.run_state import RunState
from napari_cellsci.project.run_trouble import Trouble, advise
from napari_cellsci.project.runs import RunInfo

_RECENT, _SURE = 20, 0.98
"""Of so many steps told last, all must be surer than this."""
Deed = Literal["", "new", "heads", "use", "retry", "again", "own process"]


@dataclass(frozen=True, slots=True)
class Said:
    """What stands on the card.

    Attributes
    ----------
    text, kind, reason, details : str
        See `StatusCard.tell`.
    deed, words : str
        What the button does, and says.
    changes : dict
        For "retry": settings of the new run.
    """

    text: str
    kind: str = "info"
    reason: str = ""
    deed: Deed = ""
    words: str = ""
    changes: dict[str, Any] = field(default_factory=dict)
    details: str = ""


def of_setup(
    n_cells: int,
    labelled: dict[str, int],
    encoders: int,
    estimate: Estimate | None,
    problem: str,
) -> Said:
    """Say where the project stands, before a run."""
    if not n_cells:
        return Said("No cells yet.", reason="Make or open a project in Cells.")
    labels = sum(labelled.values())
    code = {0: "no encoder yet", 1: "1 encoder"}.get(encoders, f"{encoders} encoders")
    text = f"{n_cells:,} cells, {labels:,} labelled, {code}."
    if problem:
        return Said(text, "warning", reason=problem)
    if estimate is not None and not estimate.fits:
        return Said(text, "warning", reason=estimate_words(estimate))
    if not encoders:
        return Said(text, reason="Next: train an encoder; it needs no labels.")
    few = [name for name, count in labelled.items() if count < 2]
    if few:
        said = " and ".join(few)
        return Said(text, reason=f"To train heads, label some cells of {said}.")
    return Said(text, reason="Next: train heads, or another encoder.")


def of_run(run: RunInfo, log: RunLog, made: str | None) -> Said:
    """Say how a run stands, and what to do next."""
    name, state = title_of(run), run.state
    sentence = state_sentence(run, log)
    if state in (RunState.FAILED, RunState.INTERRUPTED):
        return _of_trouble(run, log, name, sentence)
    if state is RunState.DONE:
        return _of_result(run, log, name, made)
    warning = collapse_warning(log) if state is RunState.RUNNING else ""
    if not warning and log.warnings:
        warning = log.warnings[-1]
    if state is RunState.CANCELLED:
        reason = "The model in use was not touched."
        return Said(f"{name}: {sentence}", reason=reason)
    return Said(f"{name}: {sentence}", "warning" if warning else "info", warning)


def _of_result(run: RunInfo, log: RunLog, name: str, made: str | None) -> Said:
    result = result_words(run, log)
    text = f"{name} is done." if result == "done" else f"{name} is done: {result}."
    if run.kind == "encoder" and made:
        reason = "Models in use were not touched. Next: train heads on this encoder."
        return Said(text, "good", reason, "heads", "Set up heads")
    if run.kind == "heads" and made:
        reason = "The model in use was not touched: use this one when you like."
        return Said(text, "good", reason, "use", "Use for scoring")
    if run.kind == "search":
        reason = "Next: train sparse heads with the best settings."
        return Said(text, "good", reason, "heads", "Set up heads")
    gone = run.kind in ("encoder", "heads")
    return Said(text, "good", "What it made has been removed since." if gone else "")


def _of_trouble(run: RunInfo, log: RunLog, name: str, sentence: str) -> Said:
    ended = log.ended or {}
    kind = str(ended.get("trouble", ""))
    details = str(ended.get("details", ""))
    if run.state is RunState.INTERRUPTED:
        kind, details = str(Trouble.KILLED), last_words(run.folder)
    advice = advise(kind, run.settings or _asked(run))
    text = f"{name}: {sentence}"
    if advice is None:
        return Said(text, "error", details=details)
    reason = advice.sentence
    if kind in (Trouble.DISK, Trouble.KILLED):
        kept = has_kept(run.folder) or run.kind == "search"
        reason += " Then go on where it stopped." if kept else " Then run it again."
    deed: Deed = ""
    if advice.changes:
        deed = "retry"
    elif kind == Trouble.DATA:
        deed = "again"
    elif kind == Trouble.LIBRARY:
        deed = "own process"
    return Said(
        text,
        "error",
        reason,
        deed,
        advice.words,
        dict(advice.changes),
        details,
    )


def _asked(run: RunInfo) -> dict[str, Any]:
    return dict(run.request.arguments) if run.request is not None else {}


def collapse_warning(log: RunLog) -> str:
    """Say early that an encoder is about to learn nothing, "" if all is well."""
    active, variety = log.last("active"), log.last("variety")
    if active is None or variety is None or log.step < 0.2 * log.total:
        return ""
    if log.last("loss_d") is not None:
        return _game_warning(log, active, variety)
    if active == 0:
        return (
            "No latent says anything yet (KL near 0). If that stays, cancel and lower "
            "β."
        )
    if variety < 0.1:
        return (
            "All reconstructions look the same yet. If that stays, cancel and lower β "
            "or sigma x."
        )
    return ""


def _game_warning(log: RunLog, active: float, variety: float) -> str:
    """Say early that a GAN's game tips over, "" if all is well."""
    if variety < 0.1:
        return (
            "All drawn cells look the same yet: the generator has collapsed or has not "
            "begun. If that stays, cancel and raise roth or lower the learning rate."
        )
    if active == 0:
        return (
            "No latent can be read off the cells yet. If that stays, cancel and raise "
            "information."
        )
    right = [log.curves[name].arrays[1] for name in ("real_right", "drawn_right")]
    if all(len(one) >= _RECENT and one[-_RECENT:].min() >= _SURE for one in right):
        return (
            "The discriminator is always right, so that the generator learns little. "
            "If that stays, cancel and raise roth or lower the learning rate."
        )
    return ""
