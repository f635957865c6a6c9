"""Prepare the next items while the present one is used."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Item(Generic[T]):
    value: T


@dataclass(frozen=True, slots=True)
class _End:
    error: BaseException | None = None


def prefetch(items: Iterable[T], depth: int = 2) -> Iterator[T]:
    """Iterate over `items`, made in a background thread at most `depth` ahead.

    What `items` raises is raised here. The thread has ended when the iteration ends,
    fails, or is closed early.
    """
    ready: queue.Queue[_Item[T] | _End] = queue.Queue(maxsize=max(1, depth))
    stop = threading.Event()

    def produce() -> None:
        end = _End()
        try:
            for item in items:
                ready.put(_Item(item))
                if stop.is_set():
                    return
        except BaseException as error:  # noqa: BLE001 - raised again by the consumer
            end = _End(error)
        ready.put(end)

    thread = threading.Thread(target=produce, name="cellsci-prefetch", daemon=True)
    thread.start()
    try:
        while isinstance(got := ready.get(), _Item):
            yield got.value
        if got.error is not None:
            raise got.error
    finally:
        stop.set()
        _drain(ready)
        thread.join()


def _drain(ready: queue.Queue[_Item[T] | _End]) -> None:
    """Make room for what the producer may still be waiting to put."""
    while True:
        try:
            ready.get_nowait()
        except queue.Empty:
            return
