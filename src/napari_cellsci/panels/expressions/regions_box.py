"""Where each of several classes wins, as inequalities in the user's names."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QVBoxLayout, QWidget

from napari_cellsci.formulas.regions import in_words, regions
from napari_cellsci.panels._parts import WrapLabel

if TYPE_CHECKING:
    from napari_cellsci.panels.expressions.subject import Subject
    from napari_cellsci.project.bundles import Bundle

NONE_YET = (
    "Search for formulas first: each class gets one, the largest wins, and here stands "
    "what that means for every class."
)


class RegionsBox(QWidget):
    """The region of every class, of the newest formulas of several classes."""

    def __init__(self) -> None:
        super().__init__()
        self._shown: tuple[str, Any] | None = None
        self.words = WrapLabel()
        self.words.setTextFormat(Qt.TextFormat.RichText)
        self.words.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.words)

    def show_bundles(self, found: list[Bundle], subject: Subject | None) -> None:
        """Show the newest of some classifiers that has a formula for every class."""
        several = [one for one in found if len(one.classes) > 2]
        if subject is None or not several:
            self._shown = None
            self.words.setText(NONE_YET)
            return
        bundle = several[-1]
        key = (bundle.hash, tuple(subject.names.items()))
        if key != self._shown:
            self._shown = key
            self.words.setText(region_text(bundle, subject))


def region_text(bundle: Bundle, subject: Subject) -> str:
    """Return rich text of the regions of a classifier's best run."""
    members: Any = bundle.heads.members
    best = int(np.argmax(bundle.heads.report.member_balanced_accuracies))
    formulas = members.formulas[best]
    columns = {}
    for formula in formulas:
        columns.update(subject.columns(formula))
    found = regions(formulas, bundle.classes, columns)
    parts = []
    for formula, (title, lines) in zip(
        formulas, in_words(found, subject.label), strict=True
    ):
        written = formula.pretty(names=subject.written(formula))
        name, rest = title.split(",", 1)
        rows = "".join(f"<li>{escape(line)}</li>" for line in lines)
        parts.append(
            f"<p style='margin:0 0 2px 0'><b>{escape(name)}</b>,{escape(rest)}</p>"
            f"<ul style='margin:0'>{rows}</ul>"
            f"<p style='margin:2px 0 8px 0'><small>f({escape(name)}) = "
            f"{escape(written)}</small></p>"
        )
    said = f"<p>{escape(bundle.name)}, model {best}: the largest formula wins.</p>"
    return said + "".join(parts)
