"""What PySR's installer says while it fetches Julia, in words for a progress line."""

from __future__ import annotations

import io
import re
from collections.abc import Callable

_PREFIX = re.compile(r"^\s*(\[juliapkg\]|\|)?\s*")
_AMOUNT = re.compile(r"downloaded ([\d.]+) MB of ([\d.]+) MB")
_PHASES = {
    "Querying Julia versions": "Looking for a Julia that fits",
    "Downloading Julia": "Fetching Julia",
    "Verifying download": "Checking what was fetched",
    "Installing Julia": "Installing Julia",
    "Installing packages": "Fetching and compiling PySR's packages for Julia",
    "Using Julia": "Starting Julia",
}


def phase_of(line: str) -> str:
    """Return what a line of the installer means; "" for one of no interest."""
    said = _PREFIX.sub("", line)
    amount = _AMOUNT.search(said)
    if amount is not None:
        done, whole = (float(number) for number in amount.groups())
        return f"Fetching Julia, {done:.0f} of {whole:.0f} MB"
    return next((now for then, now in _PHASES.items() if said.startswith(then)), "")


class Listener(io.TextIOBase):
    """A stream that tells the phases it is written, each once.

    Parameters
    ----------
    tell : callable
        Told a phase in a few words.
    """

    def __init__(self, tell: Callable[[str], None]) -> None:
        self._tell, self._rest, self._last = tell, "", ""

    def write(self, text: str) -> int:
        """Take text; whole lines are understood."""
        *lines, self._rest = (self._rest + text).split("\n")
        for line in lines:
            phase = phase_of(line)
            if phase and phase != self._last:
                self._last = phase
                self._tell(phase)
        return len(text)
