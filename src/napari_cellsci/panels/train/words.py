"""What is said of runs: sentences for cards, lists and tables; knows no widgets."""

from __future__ import annotations

from datetime import UTC, datetime

from napari_cellsci.panels._parts import duration, whole_number
from napari_cellsci.project.run_estimate import Estimate
from napari_cellsci.project.run_log import RunLog
from napari_cellsci.project.run_state import RunState
from napari_cellsci.project.runs import RunInfo

KINDS = {
    "encoder": "Encoder",
    "heads": "Heads",
    "search": "Search",
    "ablation": "Comparison of channels",
    "channel": "Channel model",
}
_ENCODERS = {"bvae": "β-VAE", "infogan": "InfoGAN"}
SIGNS = {
    RunState.QUEUED: "◔",
    RunState.RUNNING: "▶",
    RunState.PAUSED: "‖",
    RunState.CANCELLING: "◌",
    RunState.CANCELLED: "■",
    RunState.DONE: "✓",
    RunState.FAILED: "✕",
    RunState.INTERRUPTED: "!",
}

_SCHEMES = {1: "CNN", 2: "dense heads", 3: "sparse heads", 4: "formulas"}


def title_of(run: RunInfo) -> str:
    """Return what a run is called."""
    if run.name and run.kind != "search":
        return run.name
    return f"{KINDS.get(run.kind, run.kind)} {run.id[-4:]}"


def is_formula(run: RunInfo) -> bool:
    """Return whether a run searches for formulas, which have no steps to draw."""
    return run.kind == "heads" and run.config.get("scheme") == 4


def kind_of(run: RunInfo) -> str:
    """Return what a run trains, in a word or two."""
    scheme = run.config.get("scheme")
    if scheme is None and run.request is not None:
        scheme = run.request.arguments.get("scheme")
    if run.kind == "heads" and scheme is not None:
        return _SCHEMES.get(int(scheme), f"scheme {scheme}")
    name = run.settings.get("kind") or (
        run.request.arguments.get("kind") if run.request is not None else None
    )
    words = KINDS.get(run.kind, run.kind).lower()
    if run.kind == "encoder" and name in _ENCODERS:
        words = _ENCODERS[name]
    own = class_of(run)
    return words if own is None else f"{words} of {own}"


def class_of(run: RunInfo) -> str | None:
    """Return the only class an encoder learns from, None if it learns from all."""
    asked = {} if run.request is None else run.request.arguments
    found = run.config.get("of_class") or asked.get("of_class")
    return None if found is None else str(found)


def state_sentence(run: RunInfo, log: RunLog) -> str:
    """Say in one sentence how a run stands."""
    at = f"step {whole_number(log.step)}" if log.total else "the start"
    if run.kind == "search":
        at = f"trial {whole_number(log.step)}"
    kept = _kept(run, log)
    if run.state is RunState.QUEUED:
        return "Waiting to start…"
    if run.state is RunState.RUNNING:
        if log.what and log.what != "Searching":
            return f"{log.what}…"
        of = f" of {whole_number(log.total)}" if log.total else ""
        return f"Running, {at}{of}."
    if run.state is RunState.PAUSED:
        return f"Paused at {at}; it keeps its memory and goes on when you say so."
    if run.state is RunState.CANCELLING:
        return "Cancelling…"
    if run.state is RunState.CANCELLED:
        return f"Cancelled at {at}{kept}."
    if run.state is RunState.FAILED:
        return run.message or "Failed."
    if run.state is RunState.INTERRUPTED:
        return f"Interrupted at {at}: its process is gone{kept}."
    took = f" in {duration(log.elapsed)}" if log.elapsed else ""
    return f"Done{took}."


def _kept(run: RunInfo, log: RunLog) -> str:
    if run.kind == "search":
        return ", complete trials kept" if log.trials else ""
    if log.checkpoint is None:
        return ", nothing kept" if run.kind == "encoder" else ""
    if log.checkpoint != log.step:
        return f", checkpoint of step {whole_number(log.checkpoint)} kept"
    return ", checkpoint kept"


def short_state(run: RunInfo, log: RunLog) -> str:
    """Say in a few words how a run stands, for a list."""
    if run.state is RunState.RUNNING and log.total:
        return f"{log.step / log.total:.0%}"
    if run.state is RunState.DONE:
        return result_words(run, log)
    return str(run.state)


def result_words(run: RunInfo, log: RunLog) -> str:
    """Say what came out of a run that is done."""
    if run.kind == "encoder" and log.last("active") is not None:
        if (variety := log.last("variety")) is not None and log.last("loss_d"):
            return f"variety {variety:.2f}, {log.last('active'):.0f} latents"
        error = log.last("val_mse") or 0.0
        return f"error {error:.3g}, {log.last('active'):.0f} latents"
    if is_formula(run) and (right := log.last("held_out")) is not None:
        return f"{right:.1%} held out"
    if run.kind == "heads":
        last = [c.y[-1] for c in log.each.get("held_out", []) if c.y]
        known = [value for value in last if value == value]
        if known:
            return f"{sum(known) / len(known):.1%} held out"
    if run.kind == "search" and log.trials:
        return f"{len(log.trials)} trials"
    return "done"


def progress_words(run: RunInfo, log: RunLog) -> str:
    """Say how long a run has gone on and how long it still will."""
    parts = [state_sentence(run, log).rstrip(".")]
    if log.elapsed and run.state.busy:
        parts.append(duration(log.elapsed))
    if log.remaining is not None and run.state is RunState.RUNNING:
        stage = " of this stage" if run.kind == "heads" and log.stages else ""
        parts.append(f"{duration(log.remaining)} left{stage}")
    return " · ".join(parts)


def estimate_words(found: Estimate) -> str:
    """Say what a run will cost."""
    low = found.seconds * (1 - min(found.spread, 0.5))
    high = found.seconds * (1 + found.spread)
    memory = _size(found.memory)
    free = f" of {_size(found.available)} free" if found.available else ""
    time = duration(found.seconds)
    if duration(low) != duration(high):
        time = f"{duration(low)} to {duration(high)}"
    said = f"About {time} on this computer as busy as it is now; {memory}{free}."
    return said if found.fits else said + " That is too much: use a smaller batch."


def _size(n: int) -> str:
    return f"{n / 2**30:.1f} GB" if n >= 0.95 * 2**30 else f"{n / 2**20:.0f} MB"


def when(run: RunInfo, now: datetime | None = None) -> str:
    """Say when a run was begun: "14:05" today, else the date."""
    made = datetime.fromisoformat(run.made_at)
    made = made if made.tzinfo else made.replace(tzinfo=UTC)
    local, today = made.astimezone(), (now or datetime.now(UTC)).astimezone()
    if local.date() == today.date():
        return local.strftime("%H:%M")
    return local.strftime("%d %b")
