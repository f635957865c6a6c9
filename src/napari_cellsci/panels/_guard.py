"""Slots of panels that may be called after Qt has deleted the panel."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any
from weakref import WeakMethod

from qtpy.compat import isalive

_PLACES = (
    inspect.Parameter.POSITIONAL_ONLY,
    inspect.Parameter.POSITIONAL_OR_KEYWORD,
)


class Guard:
    """Calls a panel's method as long as the panel is there.

    A viewer that is closed deletes its docks without a word: signals of the session
    would reach a panel whose Qt half is gone. The panel is not kept alive.

    Parameters
    ----------
    slot : bound method
    """

    def __init__(self, slot: Callable[..., Any]) -> None:
        self._slot: WeakMethod[Any] = WeakMethod(slot)
        parameters = inspect.signature(slot).parameters.values()
        takes_all = any(p.kind is p.VAR_POSITIONAL for p in parameters)
        self._takes = None if takes_all else sum(p.kind in _PLACES for p in parameters)

    def __call__(self, *values: Any) -> None:
        """Pass on as many values as the method takes."""
        slot = self._slot()
        if slot is not None and isalive(slot.__self__):
            slot(*values[: self._takes])
