"""The table of channels and systems, and what may be said of its order.

What is expected is what the thesis found (Isaksson 2018, table 6.1): all channels tell
more than one, a CNN that sees the labels more than a probe on the code of a VAE, and
that more than one on the code of a GAN.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any, Literal

import pandas as pd

from napari_cellsci.heads.probe import Judged, difference
from napari_cellsci.project.probing import ClassedCells, judged_values
from napari_cellsci.representation.kinds import KINDS

CNN = "cnn"
ALL = "all channels"
_RANK = {CNN: 0, "infogan": 2}
_MIDDLE = 1
"""What the thesis found: networks that see the labels, then VAEs, then the GAN."""


def system_title(system: str) -> str:
    """Return what a system is called in tables."""
    if system == CNN:
        return "CNN"
    return f"{KINDS[system].title} + probe"  # type: ignore[index]


@dataclass(frozen=True, eq=False, slots=True)
class Entry:
    """One cell of the table: what one system tells from some channels.

    Parameters
    ----------
    system : str
    channels : tuple of int
    judged : Judged
    encoder : str or None
        Name of the encoder that was probed.
    kept : bool
        Whether it was known from before.
    """

    system: str
    channels: tuple[int, ...]
    judged: Judged
    encoder: str | None
    kept: bool = False


@dataclass(frozen=True, slots=True)
class Claim:
    """Whether one cell of the table is better than another.

    Parameters
    ----------
    about : {"channels", "systems"}
        What differs between the two.
    better, worse : str
        What is expected to be better, and than what.
    gain : float
        Difference of the balanced accuracies.
    interval : tuple of float
        Its 95% interval, groups drawn for both at once.
    """

    about: Literal["channels", "systems"]
    better: str
    worse: str
    gain: float
    interval: tuple[float, float]

    @property
    def verdict(self) -> str:
        """One of "found", "the reverse", and "open", where the interval holds 0."""
        if self.interval[0] > 0:
            return "found"
        return "the reverse" if self.interval[1] < 0 else "open"

    @property
    def sentence(self) -> str:
        """The claim in words."""
        low, high = self.interval
        numbers = f"{100 * self.gain:+.1f} points [{100 * low:+.1f}, {100 * high:+.1f}]"
        if self.verdict == "found":
            return f"{self.better} is better than {self.worse}: {numbers}."
        if self.verdict == "the reverse":
            return f"{self.better} is worse than {self.worse}: {numbers}."
        return f"{self.better} and {self.worse} cannot be told apart: {numbers}."


@dataclass(frozen=True, eq=False, slots=True)
class Ablation:
    """The table of channels and systems.

    Parameters
    ----------
    classes : tuple of str
    n_cells, n_groups : int
    channel_names : dict of tuple to str
        What sets of channels are called, in the order of the table.
    entries : tuple of Entry
    claims : tuple of Claim
        All channels against each alone, and each system against the next, per row.
    """

    classes: tuple[str, ...]
    n_cells: int
    n_groups: int
    channel_names: dict[tuple[int, ...], str]
    entries: tuple[Entry, ...]
    claims: tuple[Claim, ...]

    @property
    def systems(self) -> tuple[str, ...]:
        """The systems in the order of the table."""
        return tuple(dict.fromkeys(entry.system for entry in self.entries))

    @property
    def chance(self) -> float:
        """Balanced accuracy of guessing."""
        return 1 / len(self.classes)

    def entry(self, system: str, channels: tuple[int, ...]) -> Entry:
        """Return one cell of the table."""
        return next(
            e for e in self.entries if (e.system, e.channels) == (system, channels)
        )

    @property
    def table(self) -> pd.DataFrame:
        """A row per system and channels: balanced accuracy with its 95% interval."""
        return pd.DataFrame(
            [
                {
                    "system": system_title(entry.system),
                    "channels": self.channel_names[entry.channels],
                    "balanced_accuracy": entry.judged.balanced_accuracy,
                    "low": entry.judged.interval[0],
                    "high": entry.judged.interval[1],
                    "encoder": entry.encoder,
                }
                for entry in self.entries
            ]
        )

    @property
    def sentence(self) -> str:
        """Which order was found, claiming no more than the intervals allow."""
        together = [claim for claim in self.claims if claim.about == "channels"]
        systems = [claim for claim in self.claims if claim.about == "systems"]
        parts = [_counted(together, "All channels together beat one alone")]
        if systems:
            ranks = [
                ", ".join(map(system_title, rank)) for rank in _ranks(self.systems)
            ]
            parts.append(_counted(systems, f"The order {' > '.join(ranks)} is found"))
        return " ".join(parts)

    def to_dict(self) -> dict[str, Any]:
        """Return JSON values."""
        return {
            "classes": list(self.classes),
            "cells": self.n_cells,
            "groups": self.n_groups,
            "chance": self.chance,
            "entries": [
                {
                    "system": entry.system,
                    "channels": list(entry.channels),
                    "encoder": entry.encoder,
                    **judged_values(entry.judged),
                }
                for entry in self.entries
            ],
            "claims": [
                {**asdict(claim), "verdict": claim.verdict} for claim in self.claims
            ],
            "sentence": self.sentence,
        }


def _ranks(systems: Sequence[str]) -> list[list[str]]:
    """Return the systems by what is expected of them, the best first."""
    places = sorted({_RANK.get(system, _MIDDLE) for system in systems})
    return [[s for s in systems if _RANK.get(s, _MIDDLE) == place] for place in places]


def _counted(claims: Sequence[Claim], what: str) -> str:
    count = {
        verdict: sum(claim.verdict == verdict for claim in claims)
        for verdict in ("found", "the reverse", "open")
    }
    said = f"{what} in {count['found']} of {len(claims)} comparisons"
    more = []
    if count["the reverse"]:
        more.append(f"the reverse in {count['the reverse']}")
    if count["open"]:
        more.append(f"{count['open']} left open by these cells")
    return f"{said}{''.join(f', {part}' for part in more)}."


def claims_of(
    entries: Sequence[Entry],
    systems: Sequence[str],
    sets: dict[tuple[int, ...], str],
    cells: ClassedCells,
) -> list[Claim]:
    """Compare all channels with each alone, and each system with the next."""
    of = {(entry.system, entry.channels): entry for entry in entries}
    *alone, together = sets
    ranks = _ranks(systems)
    channels = [
        ((system, together), (system, one)) for system in systems for one in alone
    ]
    ordered = [
        ((first, chosen), (second, chosen))
        for chosen in sets
        for above, below in pairwise(ranks)
        for first in above
        for second in below
    ]
    told = [("channels", *pair) for pair in channels]
    told += [("systems", *pair) for pair in ordered]
    found = []
    for about, better, worse in told:
        gain, interval = difference(
            cells.y,
            of[better].judged.predicted,
            of[worse].judged.predicted,
            cells.groups,
        )
        said = (_called(better, sets), _called(worse, sets))
        found.append(Claim(about, *said, gain, interval))  # type: ignore[arg-type]
    return found


def _called(
    place: tuple[str, tuple[int, ...]], sets: dict[tuple[int, ...], str]
) -> str:
    system, channels = place
    return f"{system_title(system)} on {sets[channels]}"
