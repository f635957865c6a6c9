"""What the panel says of a formula, in words and numbers."""

from __future__ import annotations

import math

from napari_cellsci.panels._parts import whole_number
from napari_cellsci.panels.expressions.bench import Written
from napari_cellsci.panels.expressions.candidates import Candidate
from napari_cellsci.panels.expressions.subject import Subject
from napari_cellsci.panels.expressions.verdict import Verdict

SIZE_TIP = (
    "Size: operators, numbers and latents, each counted once (the paper's expression "
    "size). In brackets with sin counted 3, exp and log 2 (PySR's complexity)."
)


def percent(value: float) -> str:
    """Write a share: "97.6 %"."""
    return "–" if not math.isfinite(value) else f"{100 * value:.1f} %"


def loss(value: float) -> str:
    """Write a loss to three digits."""
    if math.isnan(value):
        return "–"
    return f"{value:.3g}" if math.isfinite(value) else "∞"


def sizes(verdict: Verdict) -> str:
    """Write both sizes: "11 (13)"."""
    return f"{verdict.size} ({verdict.complexity})"


def numbers(one: Candidate) -> tuple[tuple[str, str], ...]:
    """Return what the list says of a formula: titles and values."""
    verdict = one.verdict
    accuracy = percent(one.rate)
    if math.isfinite(one.error) and one.held is None:
        accuracy = accuracy.replace(" %", f" ± {100 * one.error:.1f} %")
    return (
        ("size", sizes(verdict)),
        ("balanced" if one.held is None else "held out", accuracy),
        ("hinge", loss(verdict.loss)),
    )


def about_labels(written: Written) -> str:
    """Say how often a formula is right on labelled cells."""
    verdict, subject = written.verdict, written.subject
    if not verdict.labelled:
        return "No labelled cells: label some to see how often it is right."
    low, high = written.interval
    span = f" [{100 * low:.1f}–{100 * high:.1f}]" if math.isfinite(low) else ""
    which = "held-out labelled" if subject.is_held_out else "labelled"
    return (
        f"Balanced accuracy {percent(verdict.balanced)}{span} on "
        f"{whole_number(verdict.labelled)} {which} cells; hinge loss "
        f"{loss(verdict.loss)}."
    )


def about_cells(written: Written) -> str:
    """Say what becomes of all cells, and which have no score."""
    outcomes, (below, above) = written.verdict.outcomes, written.subject.classes
    said = (
        f"{above} {whole_number(outcomes.above)}, {below} "
        f"{whole_number(outcomes.below)} cells"
    )
    if outcomes.undefined:
        said += f"; no value for {whole_number(outcomes.undefined)}"
    return f"{said}. Size {sizes(written.verdict)}."


def about_network(written: Written, name: str) -> str:
    """Say how often formula and network agree."""
    agreement = written.verdict.agreement
    if not math.isfinite(agreement):
        return ""
    return f"Agrees with {name} on {percent(agreement)} of all cells."


def legend(written: Written) -> str:
    """Return what the latents of a formula are called: "z29 size, z3 gap"."""
    return latents_in_words(written.subject, written.expression.names)


def latents_in_words(subject: Subject, symbols: tuple[str, ...]) -> str:
    """Return symbols with their names, those without one left out."""
    named = [(s, subject.names[s]) for s in symbols if s in subject.names]
    return " · ".join(f"{symbol} {name}" for symbol, name in named)


def told(one: Candidate, subject: Subject, best: bool) -> str:
    """Return everything a tooltip says of a formula of the list."""
    lines = [one.expression.pretty(names=subject.written(one.expression))]
    lines += [f"{title}: {value}" for title, value in numbers(one)]
    lines += [one.origin, SIZE_TIP]
    if best:
        lines.insert(1, "★ " + CHOSEN)
    return "\n".join(lines)


CHOSEN = "The smallest formula within one standard error of the best one"
