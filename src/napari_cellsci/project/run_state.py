"""Where a run stands, and what may happen to it: pure, without files or clocks."""

from __future__ import annotations

from enum import StrEnum

from napari_cellsci.errors import InputError


class RunState(StrEnum):
    """Where a run stands.

    A database holds the five that a run itself can write: queued, running, cancelled,
    done, failed. The others follow from what somebody wishes of it and from whether
    its process lives; see `standing`.
    """

    QUEUED = "queued"
    RUNNING = "running"
    PAUSED = "paused"
    CANCELLING = "cancelling"
    CANCELLED = "cancelled"
    DONE = "done"
    FAILED = "failed"
    INTERRUPTED = "interrupted"

    @property
    def busy(self) -> bool:
        """Whether a process has it in hand."""
        return self in _BUSY

    @property
    def stopped(self) -> bool:
        """Whether it left off before its end and can be gone on with."""
        return self in _STOPPED


class Happening(StrEnum):
    """What may happen to a run."""

    QUEUE = "queue"
    START = "start"
    PAUSE = "pause"
    GO_ON = "go on"
    CANCEL = "cancel"
    STOP = "stop"
    COMPLETE = "complete"
    FAIL = "fail"
    VANISH = "vanish"


class Wish(StrEnum):
    """What somebody outside asks of a run."""

    NONE = ""
    PAUSE = "pause"
    CANCEL = "cancel"


_BUSY = (RunState.QUEUED, RunState.RUNNING, RunState.PAUSED, RunState.CANCELLING)
_STOPPED = (RunState.CANCELLED, RunState.FAILED, RunState.INTERRUPTED)
_ENDS = {
    Happening.STOP: RunState.CANCELLED,
    Happening.COMPLETE: RunState.DONE,
    Happening.FAIL: RunState.FAILED,
    Happening.VANISH: RunState.INTERRUPTED,
}
_NEXT: dict[RunState, dict[Happening, RunState]] = {
    RunState.QUEUED: {
        Happening.START: RunState.RUNNING,
        Happening.CANCEL: RunState.CANCELLING,
        **_ENDS,
    },
    RunState.RUNNING: {
        Happening.PAUSE: RunState.PAUSED,
        Happening.GO_ON: RunState.RUNNING,
        Happening.CANCEL: RunState.CANCELLING,
        **_ENDS,
    },
    # A pause may come after the last step.
    RunState.PAUSED: {
        Happening.PAUSE: RunState.PAUSED,
        Happening.GO_ON: RunState.RUNNING,
        Happening.CANCEL: RunState.CANCELLING,
        **_ENDS,
    },
    RunState.CANCELLING: {
        # A queued run may be cancelled before its process has begun.
        Happening.START: RunState.CANCELLING,
        Happening.CANCEL: RunState.CANCELLING,
        **_ENDS,
    },
    **{
        state: {
            Happening.QUEUE: RunState.QUEUED,
            Happening.START: RunState.RUNNING,
        }
        for state in _STOPPED
    },
    RunState.DONE: {},
}
_REFUSED = {
    Happening.QUEUE: "gone on with",
    Happening.START: "started",
    Happening.PAUSE: "paused",
    Happening.GO_ON: "gone on with",
    Happening.CANCEL: "cancelled",
}


def after(state: RunState, happening: Happening) -> RunState:
    """Return where a run stands after something happened to it.

    Raises
    ------
    InputError
        If that cannot happen to a run that stands there.
    """
    try:
        return _NEXT[state][happening]
    except KeyError:
        what = _REFUSED.get(happening, f"made to {happening}")
        raise InputError(f"The run is {state}: it cannot be {what}.") from None


def standing(stored: RunState, wish: Wish, lives: bool) -> RunState:
    """Return where a run stands.

    Parameters
    ----------
    stored : RunState
        What the run itself wrote last.
    wish : Wish
        What somebody asked of it since it was started.
    lives : bool
        Whether its process still gives a sign of life.
    """
    if not stored.busy:
        return stored
    if not lives:
        return after(stored, Happening.VANISH)
    if wish is Wish.CANCEL:
        return after(stored, Happening.CANCEL)
    if wish is Wish.PAUSE and stored is RunState.RUNNING:
        return after(stored, Happening.PAUSE)
    return stored
