"""How long work reports on itself and is stopped; it never knows who listens."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
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
    """One logged optimisation step with its metrics (nats, or as named)."""

    step: int
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


Event: TypeAlias = Progress | Step | Checkpoint | Log | Done
OnEvent: TypeAlias = Callable[[Event], None]


def ignore(event: Event) -> None:
    """Listen to nothing; the default for `on_event`."""
