"""What is said about a cell when the mouse rests on it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from napari_cellsci.viewer.scores import ScoreColumns
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
    phrases = placed(session, row)
    scores = session.scores
    if scores is not None and scores.scored[row]:
        phrases += _verdict(scores, row)
    code = int(session.label_codes()[row])
    if code >= 0:
        phrases.append(f"labelled {tuple(session.palette)[code]}")
    if session.left_out[row]:
        phrases.append("filtered out")
    return phrases


def placed(session: Session, row: int) -> list[str]:
    """Say which cell it is: its track and time, or the image it is."""
    table = session.table
    if table is None:
        return []
    image = table.image_of(row)
    if image:
        return [image]
    return [f"track {table.track[row]}", session.clock(row).words(int(table.t[row]))]


def _verdict(scores: ScoreColumns, row: int) -> list[str]:
    """Return what the classifier says: what it calls the cell, score, probability."""
    called = scores.verdict(row)
    if scores.blank[row]:
        return ["blank: the crop shows nothing"]
    phrases = [f"called {called}"]
    if scores.outside[row]:
        phrases[0] += ", but out-of-distribution"
    elif scores.just_divided[row]:
        phrases[0] += ", but it has just been born by a division"
    elif scores.uncertain[row]:
        phrases[0] += ", but uncertain"
    spread = scores.score_sd[row]
    about = f" ± {significant(spread, 2)}" if np.isfinite(spread) else ""
    phrases.append(f"score {significant(scores.score[row])}{about}")
    p = scores.probability[row]
    if np.isfinite(p):
        # Of two classes the second is the one whose probability is kept.
        whose = scores.names[1] if scores.n_classes == 2 else called
        phrases.append(f"P({whose}) = {p:.2f}")
    return phrases


def line(session: Session, row: int) -> str:
    """Return what is known of a cell in one line."""
    return " · ".join(describe(session, row))
