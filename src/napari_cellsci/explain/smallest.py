"""Smallest changes of many cells: how many have changed their class by which ε."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Doubles = NDArray[np.float64]
QUARTERS = (0.25, 0.5, 0.75)


@dataclass(frozen=True, eq=False, slots=True)
class SmallestChanges:
    """The smallest ε of all cells that are led from one class to another.

    Parameters
    ----------
    start : str
        The class the cells are led away from.
    end : str
        Where they are led; "another class" where there are several.
    epsilons : array (n,)
        Sorted; infinite for cells that nothing changes, 0 for those that were called
        otherwise unattacked.
    """

    start: str
    end: str
    epsilons: Doubles

    def __len__(self) -> int:
        return len(self.epsilons)

    @property
    def words(self) -> str:
        """From where to where."""
        return f"{self.start} → {self.end}"

    @property
    def changed(self) -> int:
        """How many cells change at all."""
        return int(np.isfinite(self.epsilons).sum())

    @property
    def quartiles(self) -> tuple[float, float, float]:
        """ε by which a quarter, half and three quarters of all cells have changed.

        Infinite where so many never do, so that cells that withstand count as well.
        """
        places = [int(np.ceil(part * len(self))) - 1 for part in QUARTERS]
        low, half, high = (float(self.epsilons[max(k, 0)]) for k in places)
        return low, half, high

    def shares(self) -> Doubles:
        """Return the share of cells that have changed by each of `epsilons`."""
        return np.arange(1, len(self) + 1) / len(self)

    def steps(self, most: float) -> tuple[Doubles, Doubles]:
        """Return corners of the line: ε (k,) from 0 to `most`, and the share (k,)."""
        finite = self.epsilons[np.isfinite(self.epsilons)]
        share = np.arange(len(finite) + 1) / len(self)
        return np.r_[0.0, np.repeat(finite, 2), most], np.repeat(share, 2)

    def in_words(self) -> str:
        """Return median and quartiles, and how many change at all."""
        low, half, high = self.quartiles
        n = f"{self.changed} of {len(self)} cells change"
        if not np.isfinite(half):
            return f"{self.words}: {n}"
        above = f"{high:.2g}" if np.isfinite(high) else "more"
        return f"{self.words}: half by ε = {half:.2g} [{low:.2g}–{above}]; {n}"


def other_class(name: str, classes: Sequence[str]) -> str:
    """Return the class one gets to by leaving `name`."""
    others = [one for one in classes if one != name]
    return others[0] if len(others) == 1 else "another class"


def by_class(smallest: Mapping[str, ArrayLike]) -> list[SmallestChanges]:
    """Return the changes of all classes that have cells.

    Parameters
    ----------
    smallest : dict of str to array
        The smallest ε of the cells of every class, in any order.
    """
    return [
        SmallestChanges(name, other_class(name, list(smallest)), np.sort(epsilons))
        for name, epsilons in smallest.items()
        if np.size(epsilons)
    ]
