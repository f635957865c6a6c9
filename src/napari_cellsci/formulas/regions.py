"""Where each of several classes wins, as inequalities between their formulas."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from napari_cellsci.formulas.expression import Expression
from napari_cellsci.formulas.nodes import apply

PRINTABLE = 20
"""Size up to which an inequality is written out; else the two formulas are named."""
Array = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Border:
    """What divides a class from another.

    Attributes
    ----------
    rival : str
        The class a cell is beyond it.
    inequality : Expression
        At least 0 on the near side.
    cells : int
        Cells that this border alone keeps out.
    """

    rival: str
    inequality: Expression
    cells: int


@dataclass(frozen=True, slots=True)
class Region:
    """Where the formula of one class is the largest.

    Attributes
    ----------
    name : str
        The class.
    borders : tuple of Border
        All of them hold in the region; those that follow from the others on the cells
        at hand are left out.
    share : float
        Of the cells.
    """

    name: str
    borders: tuple[Border, ...]
    share: float


def regions(
    formulas: Sequence[Expression],
    classes: Sequence[str],
    columns: Mapping[str, npt.ArrayLike],
) -> list[Region]:
    """Return the regions in which one formula is larger than all others.

    Parameters
    ----------
    formulas : sequence of Expression
        One per class.
    classes : sequence of str
    columns : mapping of str to array of shape (n,)
        Latents of the cells at hand; those without a finite value count nowhere.
    """
    values = np.stack([formula(columns) for formula in formulas])
    values = values[:, np.isfinite(values).all(0)]
    found = []
    for own, name in enumerate(classes):
        ahead = values[own] >= values
        needed = _needed(ahead, own)
        found.append(
            Region(
                name,
                tuple(
                    Border(
                        classes[other],
                        _ahead_of(formulas[own], formulas[other]),
                        _kept_out(ahead, needed, other),
                    )
                    for other in needed
                ),
                float(ahead.all(0).mean()) if values.shape[1] else 0.0,
            )
        )
    return found


def _needed(ahead: npt.NDArray[np.bool_], own: int) -> list[int]:
    """Return the rivals without whose borders the region would hold other cells."""
    kept = [k for k in range(len(ahead)) if k != own]
    wins = ahead.all(0)
    # Those go first that keep the fewest cells out.
    for rival in sorted(kept, key=lambda k: int((~ahead[k]).sum())):
        rest = [k for k in kept if k != rival]
        if rest and np.array_equal(ahead[rest].all(0), wins):
            kept = rest
    return kept


def _kept_out(ahead: npt.NDArray[np.bool_], needed: list[int], rival: int) -> int:
    rest = [k for k in needed if k != rival]
    return int((ahead[rest].all(0) & ~ahead[rival]).sum())


def _ahead_of(own: Expression, other: Expression) -> Expression:
    """Return what is at least 0 where one formula is at least the other."""
    return Expression(apply("-", own.root, other.root)).simplified().unscaled()


def in_words(
    found: Sequence[Region], label: Callable[[str], str] = str
) -> list[tuple[str, list[str]]]:
    """Say for every class how many cells are in its region, and its inequalities.

    Parameters
    ----------
    found : sequence of Region
    label : callable
        What a latent is called: "size z29" for "z29".
    """
    return [
        (
            f"{region.name}, {region.share:.0%} of the cells, where",
            _lines(region, label),
        )
        for region in found
    ]


def _lines(region: Region, label: Callable[[str], str]) -> list[str]:
    lines, long = [], []
    for border in region.borders:
        inequality = border.inequality
        if inequality.size > PRINTABLE:
            long.append(f"f({border.rival})")
            continue
        names = {name: label(name) for name in inequality.names}
        what = inequality.pretty(names=names)
        lines.append(f"{what} ≥ 0 (else rather {border.rival})")
    if long:
        lines.append(f"f({region.name}) ≥ {', '.join(long)}")
    return lines
