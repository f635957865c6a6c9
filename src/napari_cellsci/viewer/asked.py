"""Cells that someone asks to see: those with one label that are called one thing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from napari_cellsci.viewer.session import Session

UNCERTAIN, OUTSIDE = "?", "◌"
"""What cells can be called instead of a class."""
_START, _BETWEEN = "asked:", "\x1f"


@dataclass(frozen=True, slots=True)
class Asked:
    """Cells by what a person and what the classifier says of them.

    Parameters
    ----------
    label : str
        Class a person gave them, "" for any.
    called : str
        Class the classifier calls them, `UNCERTAIN` or `OUTSIDE`; "" for anything.
    """

    label: str
    called: str = ""

    @property
    def key(self) -> str:
        """These cells as one word, for lists of choices."""
        return f"{_START}{self.label}{_BETWEEN}{self.called}"

    @classmethod
    def from_key(cls, key: str) -> Asked | None:
        """Return what `key` gave, None for other words."""
        if not key.startswith(_START):
            return None
        label, _, called = key.removeprefix(_START).partition(_BETWEEN)
        return cls(label, called)

    @property
    def words(self) -> str:
        """These cells in words."""
        called = {
            "": "",
            UNCERTAIN: "uncertain",
            OUTSIDE: "out-of-distribution",
        }.get(self.called, f"called {self.called}")
        label = f"labelled {self.label}" if self.label else ""
        return ", ".join(part for part in (label, called) if part)

    def mask(self, session: Session) -> NDArray[np.bool_]:
        """Return which cells of the project they are."""
        labels, scores = session.label_codes(), session.scores
        codes = {name: code for code, name in enumerate(session.palette)}
        found = np.ones(len(labels), bool)
        if self.label:
            found &= labels == codes.get(self.label, -9)
        if not self.called:
            # A table of labelled cells counts those that have a score.
            return found if scores is None else found & scores.scored
        if scores is None:
            return np.zeros(len(labels), bool)
        if self.called == UNCERTAIN:
            return found & scores.uncertain
        if self.called == OUTSIDE:
            return found & scores.outside
        return found & (session.predicted_codes() == codes.get(self.called, -9))
