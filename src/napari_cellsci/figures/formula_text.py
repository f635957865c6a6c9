"""Formulas set as mathematics, as pictures; matplotlib does the setting, not LaTeX."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_cellsci.formulas import Expression

Alpha = NDArray[np.uint8]
FONTS = "stix"
SMALLEST = 0.72
"""Part of the usual size below which a formula would not be legible."""
_INDENT = 1.6
"""Of lines after the first, in heights of the letters."""
_LINE_GAP = 0.45


@dataclass(frozen=True, eq=False)
class SetFormula:
    """A formula as a picture.

    Parameters
    ----------
    ink : array (h, w)
        How much ink there is, 0 to 255; any colour can be given to it.
    named : bool
        Whether latents stand there by name; else by symbol alone.
    """

    ink: Alpha
    named: bool


def set_formula(
    expression: Expression,
    names: Mapping[str, str],
    width: float,
    *,
    points: float,
    dpi: float,
    digits: int | None = 3,
) -> SetFormula | None:
    """Set a formula so that it fits a width.

    In one line with names if that fits, then with symbols alone, then in several lines
    broken before terms, then smaller.

    Parameters
    ----------
    expression : Expression
    names : dict of str to str
        What to write for latents.
    width : float
        Room (px).
    points : float
        Size of the letters.
    dpi : float
    digits : int, optional
        Significant digits of numbers.

    Returns
    -------
    SetFormula or None
        None if it cannot be set at all.
    """
    tries = [(names, False), ({}, False), (names, True), ({}, True)]
    sets = [
        (chosen, lines_of(expression, chosen, digits) if broken else None)
        for chosen, broken in tries
    ]
    best: SetFormula | None = None
    for scale in (1.0, 0.85, SMALLEST):
        for chosen, lines in sets:
            ink = _set(expression, chosen, lines, width, points * scale, dpi, digits)
            if ink is None:
                return best
            found = SetFormula(ink, chosen is names or not names)
            if ink.shape[1] <= width:
                return found
            if best is None or ink.shape[1] < best.ink.shape[1]:
                best = found
    return best


def _set(
    expression: Expression,
    names: Mapping[str, str],
    lines: Sequence[str] | None,
    width: float,
    points: float,
    dpi: float,
    digits: int | None,
) -> Alpha | None:
    try:
        if lines is None:
            return ink_of(_spelled(expression, names, digits), points, dpi)
        return _stacked(lines, width, points, dpi)
    except (ValueError, RuntimeError):
        return None  # mathtext does not know a sign of a name


def _spelled(
    expression: Expression, names: Mapping[str, str], digits: int | None
) -> str:
    """Return LaTeX; between names, which have blanks in them, products need a dot."""
    latex = expression.latex(digits, names)
    if any(name in names for name in expression.names):
        return latex.replace(r"\,", r" \cdot ")
    return latex


def lines_of(
    expression: Expression, names: Mapping[str, str], digits: int | None = 3
) -> list[str]:
    """Return the LaTeX of every term of the outermost sum, with its sign."""
    found: list[str] = []
    for term in expression.terms():
        latex = _spelled(term.expression, names, digits)
        sign = "-" if term.sign < 0 else "+" if found else ""
        found.append(rf"{sign}\,{latex}" if sign else latex)
    return found


def _stacked(parts: Sequence[str], width: float, points: float, dpi: float) -> Alpha:
    """Set parts one after another, in as few lines as they fit in."""
    em = points * dpi / 72
    indent = round(_INDENT * em)
    rows: list[str] = []
    for part in parts:
        longer = rf"{rows[-1]}\;{part}" if rows else part
        room = width - (indent if len(rows) > 1 else 0)
        if rows and ink_of(longer, points, dpi).shape[1] <= room:
            rows[-1] = longer
        else:
            rows.append(part)
    inks = [ink_of(row, points, dpi) for row in rows]
    starts = [0] + [indent] * (len(inks) - 1)
    gap = round(_LINE_GAP * em)
    wide = max(start + ink.shape[1] for start, ink in zip(starts, inks, strict=True))
    high = sum(ink.shape[0] for ink in inks) + gap * (len(inks) - 1)
    page = np.zeros((high, wide), np.uint8)
    top = 0
    for start, ink in zip(starts, inks, strict=True):
        page[top : top + ink.shape[0], start : start + ink.shape[1]] = ink
        top += ink.shape[0] + gap
    return page


@lru_cache(maxsize=512)
def ink_of(latex: str, points: float, dpi: float) -> Alpha:
    """Return the ink of one line of mathematics, (h, w).

    Raises
    ------
    ValueError
        If matplotlib cannot set it.
    """
    from matplotlib.font_manager import FontProperties

    font = FontProperties(size=points, math_fontfamily=FONTS)
    found = _parser().parse(f"${latex}$", dpi, font)
    ink = np.asarray(found.image, np.uint8)
    ink.setflags(write=False)
    return ink


@lru_cache(maxsize=1)
def _parser() -> Any:
    from matplotlib.mathtext import MathTextParser

    return MathTextParser("agg")
