"""Verdicts in words: what each classifier looks at, and the checks behind that."""

from __future__ import annotations

from qtpy.QtWidgets import QVBoxLayout, QWidget

from napari_cellsci.figures.attacks import MARKS
from napari_cellsci.figures.comparison import shade
from napari_cellsci.panels._parts import WrapLabel, heading
from napari_cellsci.panels._theme import STEP
from napari_cellsci.project.robustness import Robustness
from napari_cellsci.project.robustness_values import evidence_in_words

_INKS = {"pass": "#009E73", "warn": "#E69F00", "fail": "#D55E00", "unknown": "#8C8C8C"}


class VerdictList(QWidget):
    """One paragraph per classifier, with its checks below."""

    def __init__(self) -> None:
        super().__init__()
        self._layout = QVBoxLayout(self)
        self._layout.setContentsMargins(0, 0, 0, 0)
        self._layout.setSpacing(STEP)
        self._parts: list[QWidget] = []

    @property
    def texts(self) -> list[str]:
        """All words that are shown."""
        return [part.text() for part in self._parts if hasattr(part, "text")]

    def show_found(self, found: Robustness | None) -> None:
        """Show what was found."""
        for part in self._parts:
            self._layout.removeWidget(part)
            part.hide()
            part.deleteLater()
        self._parts = []
        for number, model in enumerate(() if found is None else found.models):
            title = heading(f"{model.bundle} (scheme {model.scheme})")
            title.setWordWrap(True)
            title.setStyleSheet(
                f"border-left: 3px solid {shade(number)}; padding-left: 4px"
            )
            self._put(title)
            self._put(WrapLabel(model.verdict.sentence))
            self._put(WrapLabel(evidence_in_words(model), "muted"))
            for check in model.verdict.checks:
                words = f"{MARKS[check.standing]} {check.title}"
                if check.key != "central":
                    words += f": {check.sentence}"
                label = WrapLabel(words)
                label.setStyleSheet(
                    f"border-left: 3px solid {_INKS[check.standing]}; padding-left: 4px"
                )
                self._put(label)

    def _put(self, part: QWidget) -> None:
        self._layout.addWidget(part)
        self._parts.append(part)
