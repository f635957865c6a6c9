"""How long work reports on itself and is stopped; it never knows who listens."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias


class Cancelled(Exception):
    """The user asked the task to stop, and it did."""


class CancelToken:
    """A flag shared by whoever may cancel a task and the task itself."""

    def __init__(self) -> None:
        self._event = threading.Event()

    def cancel(self) -> None:
        """Ask the task to stop at its next safe point."""
        self._event.set()

    @property
    def cancelled(self) -> bool:
        """Whether the task has been asked to stop."""
        return self._event.is_set()

    @property
    def pausing(self) -> bool:
        """Whether the task is about to be paused: it may put its state away first.

        The next look at `cancelled` then waits until the task may go on.
        """
        return False

    def raise_if_cancelled(self) -> None:
        """Raise `Cancelled` if the task has been asked to stop."""
        if self.cancelled:
            raise Cancelled


@dataclass(frozen=True, slots=True)
class Progress:
    """`done` of `total` units of the stage called `what`; `total` 0 means unknown."""

    what: str
    done: int
    total: int


@dataclass(frozen=True, slots=True)
class Step:
    """One logged optimisation step with its metrics (nats, or as named).

    Where several models learn together, `each` has values by model.
    """

    step: int
    total: int
    metrics: Mapping[str, float] = field(default_factory=dict)
    each: Mapping[str, Sequence[float | None]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Look:
    """Pictures of what is learnt at a step were written to `path`."""

    step: int
    path: str


@dataclass(frozen=True, slots=True)
class Trial:
    """One of `total` trials of a search is complete; metrics as named."""

    number: int
    total: int
    metrics: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A state from which the run can be resumed was written to `path`."""

    step: int
    path: str


@dataclass(frozen=True, slots=True)
class Log:
    """A sentence for the user."""

    message: str
    level: Literal["info", "warning"] = "info"


@dataclass(frozen=True, slots=True)
class Done:
    """The task called `what` is complete."""

    what: str


Event: TypeAlias = Progress | Step | Look | Trial | Checkpoint | Log | Done
OnEvent: TypeAlias = Callable[[Event], None]


def ignore(event: Event) -> None:
    """Listen to nothing; the default for `on_event`."""
