"""What leaves the panel: the list of formulas as a table."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

from napari_cellsci.disk import whole_file
from napari_cellsci.panels.expressions.candidates import Candidate

COLUMNS = (
    *("formula", "size", "complexity", "accuracy", "balanced_accuracy"),
    *("standard_error", "hinge_loss", "agreement", "undefined", "origin"),
)


def write_table(found: Sequence[Candidate], path: str) -> None:
    """Write one line per formula as CSV.

    Raises
    ------
    ProjectError
        If the place cannot be written.
    """
    with (
        whole_file(Path(path)) as temporary,
        temporary.open("w", newline="", encoding="utf-8") as file,
    ):
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        writer.writerows(_line(one) for one in found)


def _line(one: Candidate) -> list[object]:
    verdict = one.verdict
    return [
        *(one.expression.text(), verdict.size, verdict.complexity),
        *(verdict.accuracy, verdict.balanced, one.error, verdict.loss),
        *(verdict.agreement, verdict.outcomes.undefined, one.origin),
    ]
