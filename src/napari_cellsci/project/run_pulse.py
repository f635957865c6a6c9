"""The pulse of a run: gives signs of life and listens to what is wished of it."""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from pathlib import Path

from napari_cellsci.errors import ProjectError
from napari_cellsci.project.run_files import (
    BEAT_SECONDS,
    read_beat,
    read_wish,
    write_beat,
)
from napari_cellsci.project.run_state import Wish
from napari_cellsci.tasks import CancelToken

_LOOK_SECONDS = 0.2


class RunToken(CancelToken):
    """Cancelled by whoever started the run, or by a wish in its folder; may pause.

    Parameters
    ----------
    outer : CancelToken, optional
        Of whoever started the run.
    """

    def __init__(self, outer: CancelToken | None = None) -> None:
        super().__init__()
        self._outer = outer
        self._paused = threading.Event()
        self._may_go_on = threading.Event()
        self._may_go_on.set()

    def pause(self) -> None:
        """Let the task wait at its next safe point."""
        if not self._paused.is_set():
            self._may_go_on.clear()
            self._paused.set()

    def go_on(self) -> None:
        """Let a task that waits go on."""
        self._paused.clear()
        self._may_go_on.set()

    def cancel(self) -> None:
        """Ask the task to stop, also if it is paused."""
        super().cancel()
        self._may_go_on.set()

    @property
    def pausing(self) -> bool:
        """Whether the task is about to wait."""
        return self._paused.is_set() and not self._stopped

    @property
    def _stopped(self) -> bool:
        outer = self._outer is not None and self._outer.cancelled
        return outer or super().cancelled

    @property
    def cancelled(self) -> bool:
        """Whether the task is to stop; waits while it is paused."""
        while not self._stopped and not self._may_go_on.wait(_LOOK_SECONDS):
            pass
        return self._stopped


class Pulse:
    """A thread beside the work, for as long as the work goes on.

    Parameters
    ----------
    folder : Path
        Of the run.
    owner : str
        Of this sitting. If the folder bears another's sign of life, somebody has taken
        the run over (this computer slept, say): the work is cancelled.
    token : RunToken
    """

    def __init__(self, folder: Path, owner: str, token: RunToken) -> None:
        self._folder, self._owner, self._token = folder, owner, token
        self._over = threading.Event()
        self.taken_over = False
        write_beat(folder, owner)
        self._thread = threading.Thread(
            target=self._live, name=f"pulse of {folder.name}", daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        """End the thread."""
        self._over.set()
        self._thread.join()

    def _live(self) -> None:
        last = time.monotonic()
        while not self._over.wait(_LOOK_SECONDS):
            self._listen()
            if time.monotonic() - last >= BEAT_SECONDS:
                last = time.monotonic()
                # A full disk is told by the work itself, which writes more.
                with suppress(ProjectError, OSError):
                    self._beat()

    def _listen(self) -> None:
        wish = read_wish(self._folder)
        if wish is Wish.CANCEL:
            self._token.cancel()
        elif wish is Wish.PAUSE:
            self._token.pause()
        else:
            self._token.go_on()

    def _beat(self) -> None:
        beat = read_beat(self._folder)
        if beat is not None and beat.owner != self._owner:
            self.taken_over = True
            self._token.cancel()
            return
        write_beat(self._folder, self._owner)
