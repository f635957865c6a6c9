"""What leaves the panel: the list of formulas as a table, a formula as a figure."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

from napari_cellsci.disk import whole_file
from napari_cellsci.figures.expressions import FormulaPicture, save_formula
from napari_cellsci.panels.expressions.bench import Written
from napari_cellsci.panels.expressions.boundary import axes_of
from napari_cellsci.panels.expressions.candidates import Candidate
from napari_cellsci.panels.expressions.verdict import called

COLUMNS = (
    *("formula", "size", "complexity", "accuracy", "balanced_accuracy"),
    *("held_out", "standard_error", "hinge_loss", "agreement", "undefined", "origin"),
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


def write_figure(written: Written, path: str) -> None:
    """Draw a formula; classes are those of labels, without any what it calls cells.

    Raises
    ------
    InputError
        If the suffix is unknown, or the formula reads no latent.
    ProjectError
        If the place cannot be written.
    """
    subject = written.subject
    codes = subject.labels
    if not len(subject.judged):
        codes = called(written.scores)
    shown = FormulaPicture(
        written.expression,
        subject.columns(written.expression),
        codes,
        subject.classes,
        subject.written(written.expression),
        axes=axes_of(subject, written.expression),
    )
    save_formula(shown, Path(path))


def _line(one: Candidate) -> list[object]:
    verdict = one.verdict
    return [
        *(one.expression.text(), verdict.size, verdict.complexity),
        *(verdict.accuracy, verdict.balanced, one.held, one.error),
        *(verdict.loss, verdict.agreement, verdict.outcomes.undefined, one.origin),
    ]
