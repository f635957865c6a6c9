"""What is said about a cell when the mouse rests on it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from napari_cellsci.viewer.session import Session


def significant(value: float, digits: int = 3) -> str:
    """Write a number with three significant digits and a true minus sign."""
    if not np.isfinite(value):
        return "?"
    if value == 0:
        return "0"
    decimals = max(0, digits - 1 - int(np.floor(np.log10(abs(value)))))
    return f"{value:.{min(decimals, 6)}f}".replace("-", "\N{MINUS SIGN}")


def describe(session: Session, row: int) -> list[str]:
    """Return what is known of a cell, a phrase each."""
    table = session.table
    if table is None:
        return []
    when = session.clock(row).words(int(table.t[row]))
    phrases = [f"track {table.track[row]}", when]
    scores = session.scores
    if scores is not None and scores.scored[row]:
        spread = scores.score_sd[row]
        about = f" ± {significant(spread, 2)}" if np.isfinite(spread) else ""
        phrases.append(f"score {significant(scores.score[row])}{about}")
        if np.isfinite(scores.probability[row]):
            phrases.append(f"p {scores.probability[row]:.2f}")
        phrases.append(f"called {scores.verdict(row)}")
        if scores.outside[row]:
            phrases.append("out-of-distribution")
        elif scores.uncertain[row]:
            phrases.append("uncertain")
    code = int(session.label_codes()[row])
    if code >= 0:
        phrases.append(f"labelled {tuple(session.palette)[code]}")
    return phrases


def line(session: Session, row: int) -> str:
    """Return what is known of a cell in one line."""
    return " · ".join(describe(session, row))
