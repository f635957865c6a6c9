"""What the runs of a search for formulas agree on, in words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from napari_cellsci.formulas.expression import Expression
from napari_cellsci.heads.formula_members import FormulaMembers
from napari_cellsci.heads.headset import HeadSet

_MOST = 3
"""Forms that are written out."""


def agreement_in_words(heads: HeadSet, label: Callable[[str], str] = str) -> list[str]:
    """Say which forms and inputs the runs chose, and what PySR's rule would take.

    Parameters
    ----------
    heads : HeadSet
        Of scheme 4.
    label : callable
        What a latent is called: "size z29" for "z29".

    Returns
    -------
    list of str
        Sentences; none for formulas that were written by hand.
    """
    members = heads.members
    assert isinstance(members, FormulaMembers)
    if not heads.config["searches"]:
        return []
    return [
        _forms(heads.config["forms"]),
        _inputs(members, label),
        *_pysr(heads),
    ]


def _forms(forms: list[list[object]]) -> str:
    shown = [f"{form} ({count}×)" for form, count in forms[:_MOST]]
    rest = len(forms) - len(shown)
    more = f" and {rest} more" if rest else ""
    return f"Forms, c for numbers: {', '.join(shown)}{more}."


def _inputs(members: FormulaMembers, label: Callable[[str], str]) -> str:
    used = members.used_inputs.sum(0)
    order = sorted(used.nonzero()[0], key=lambda d: (-used[d], d))
    said = [f"{label(f'z{d}')} {used[d]} of {members.n_models}" for d in order]
    return f"Runs that read a latent: {', '.join(said)}." if said else "None is read."


def _pysr(heads: HeadSet) -> list[str]:
    """Say where PySR's rule differs."""
    notes = heads.config["searches"]
    other = [note for note in notes if note["pysr"] != note["chosen"]]
    if not other:
        return ["PySR's own rule takes the same formulas."]
    taken = [
        Expression.parse(note["front"][note["pysr"]]["formula"]).pretty()
        for note in other
    ]
    (formula, _), *_ = Counter(taken).most_common(1)
    where = f"{len(other)} of {len(notes)} searches"
    return [f"PySR's own rule takes another in {where}, such as {formula}."]
