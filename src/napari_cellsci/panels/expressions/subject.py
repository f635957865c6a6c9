"""What formulas are written about: latents, labels, and the network they stand for."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from napari_cellsci.formulas import Expression, FormulaError

Floats = NDArray[np.float64]
Rows = NDArray[np.int64]
NONE = -1
"""No label, or one that is neither of the two classes."""


@dataclass(frozen=True, eq=False)
class Subject:
    """The cells formulas are judged on.

    Parameters
    ----------
    latents : array (n, D)
        Of all cells of a project.
    labels : int array (n,)
        0 or 1 for the two classes, −1 for all other cells.
    groups : array (n,)
        The track (and movie) of each cell.
    classes : tuple of str
        What f < 0 and f ≥ 0 mean.
    network : array (n,), optional
        Scores of the network that formulas stand for.
    names : dict of str to str
        What latents are called, by symbol: "size" for "z29".
    held : bool array (n,), optional
        Cells that no search has seen; without it all labelled ones count.
    """

    latents: NDArray[np.float32]
    labels: Rows
    groups: NDArray[np.generic]
    classes: tuple[str, str] = ("f < 0", "f ≥ 0")
    network: Floats | None = None
    names: Mapping[str, str] = field(default_factory=dict)
    held: NDArray[np.bool_] | None = None
    _columns: dict[str, Floats] = field(default_factory=dict, repr=False)

    def __len__(self) -> int:
        return len(self.latents)

    @cached_property
    def symbols(self) -> tuple[str, ...]:
        """The names a formula may use: z0 and so on."""
        return tuple(f"z{i}" for i in range(self.latents.shape[1]))

    @cached_property
    def aliases(self) -> dict[str, str]:
        """Symbols by names that can be typed: "size" and "cell_size" for z29.

        A name that two latents share stands for neither.
        """
        found: dict[str, str] = {}
        shared: set[str] = set()
        for symbol, name in self.names.items():
            typed = re.sub(r"\W+", "_", name.lower(), flags=re.ASCII).strip("_")
            if not re.fullmatch(r"[a-z_]\w*", typed) or typed in self.symbols:
                continue
            if typed in found:
                shared.add(typed)
            found[typed] = symbol
        return {typed: symbol for typed, symbol in found.items() if typed not in shared}

    def read(self, text: str) -> Expression:
        """Return the formula a text is, over symbols.

        Raises
        ------
        FormulaError
            If it is none, or reads something that is no latent.
        """
        found = Expression.parse(text)
        known = {*self.symbols, *self.aliases}
        for name in found.names:
            if name not in known:
                place = re.search(rf"\b{name}\b", text)
                start, end = place.span() if place else (0, len(text))
                last = self.symbols[-1]
                raise FormulaError(
                    f"There is no latent {name!r}: this code has z0 to {last}.",
                    start,
                    end,
                )
        return found.renamed(self.aliases)

    def columns(self, expression: Expression) -> dict[str, Floats]:
        """Return the latents a formula reads, each (n,)."""
        for symbol in expression.names:
            if symbol not in self._columns:
                column = np.asarray(self.latents[:, int(symbol[1:])], np.float64)
                self._columns[symbol] = np.ascontiguousarray(column)
        return {symbol: self._columns[symbol] for symbol in expression.names}

    def scores(self, expression: Expression) -> Floats:
        """Return the scores of all cells (n,); not finite where undefined."""
        found = expression(self.columns(expression))
        return np.broadcast_to(found, (len(self),)) if not found.ndim else found

    @cached_property
    def judged(self) -> Rows:
        """Rows of the labelled cells that count: the held-out ones where known."""
        known = self.labels != NONE
        if self.held is not None and (known & self.held).any():
            known &= self.held
        return np.flatnonzero(known)

    @property
    def is_held_out(self) -> bool:
        """Whether only cells count that no search has seen."""
        return self.held is not None and len(self.judged) < int(
            (self.labels != NONE).sum()
        )

    def label(self, symbol: str) -> str:
        """Return ``size z29``, or ``z29`` for a latent without a name."""
        name = self.names.get(symbol, "")
        return f"{name} {symbol}" if name else symbol

    def written(self, expression: Expression) -> dict[str, str]:
        """Return how the latents of a formula are written out."""
        return {
            name: self.label(name) for name in expression.names if name in self.names
        }
