"""Accuracy under attack, and what it says of classifiers."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QCheckBox

from napari_cellsci.explain.smallest import by_class
from napari_cellsci.panels._parts import RunLine, WrapLabel
from napari_cellsci.panels._theme import Theme
from napari_cellsci.panels.robustness.boxes import Folded
from napari_cellsci.panels.robustness.curves import CurvePlot, SmallestPlot
from napari_cellsci.panels.robustness.verdicts import VerdictList

if TYPE_CHECKING:
    from napari_cellsci.panels.robustness.service import RobustnessService
    from napari_cellsci.project.robustness import Robustness


class CurvesBox(Folded):
    """Curves of images and latents, verdicts and checks."""

    def __init__(self, service: RobustnessService, theme: Theme) -> None:
        super().__init__("Accuracy and verdict")
        self._service = service
        self._shown: object = None
        self.every = QCheckBox("All kinds of classifiers")
        self.every.setToolTip("The newest classifier of every kind, side by side")
        self.line = RunLine("Measure", service.curve_job, self.measure)
        self.introduction = WrapLabel(
            "How fast do classifiers lose their accuracy on labelled cells, and do "
            "they look at the cell or at what lies around it?",
            "muted",
        )
        self.verdicts = VerdictList()
        self.image = CurvePlot(theme, ("image",), "ε of the picture")
        self.latent = CurvePlot(theme, ("latent", "around", "own"), "ε of latents (sd)")
        self.key = WrapLabel(name="muted")
        self.smallest = SmallestPlot(theme)
        self.half = WrapLabel(name="muted")
        self.half.setTextFormat(Qt.TextFormat.RichText)
        for part in (
            *(self.every, self.line, self.introduction),
            *(self.verdicts, self.image, self.latent, self.key),
            *(self.smallest, self.half),
        ):
            self.column.addWidget(part)

    def measure(self) -> None:
        """Measure accuracy under attack."""
        self._service.measure(self.every.isChecked())

    def set_theme(self, theme: Theme) -> None:
        """Take over the theme's colours."""
        self.image.set_theme(theme)
        self.latent.set_theme(theme)
        self.smallest.set_theme(theme)

    def refresh(self) -> None:
        """Show what was found."""
        self.line.refresh()
        found = self._service.found
        self.introduction.setVisible(found is None)
        for part in (self.image, self.verdicts, self.key, self.smallest, self.half):
            part.setVisible(found is not None)
        latents = found is not None and any(len(m.curves) > 1 for m in found.models)
        self.latent.setVisible(latents)
        if found is self._shown:
            return
        self._shown = found
        self.image.show_found(found)
        self.latent.show_found(found)
        self.smallest.show_found(found)
        self.verdicts.show_found(found)
        if found is not None:
            cells = " and ".join(f"{n} {name}" for name, n in found.cells.items())
            told = [f"On {cells} cells, mean ± sd over models."]
            if latents:
                told.append(
                    "Latents: whole lines, all active ones; dashes, position and "
                    "neighbours; dots, the cell's shape."
                )
            told += ["The upright line is the camera's noise.", *found.notes]
            self.key.setText(" ".join(told))
            self.half.setText(smallest_in_words(found))


def smallest_in_words(found: Robustness) -> str:
    """Return the key of the smallest changes, by class, as rich text."""
    strokes = ("whole lines", "dashes", "dots", "dashes and dots")
    lines = ["Smallest change of the picture that changes a cell's class."]
    for number, model in enumerate(found.models):
        if len(found.models) > 1:
            lines.append(f"<b>{escape(model.bundle)}</b>, {strokes[number % 4]}:")
        for one in by_class(model.smallest):
            color = found.colours.get(one.start, "#8C8C8C")
            lines.append(
                f'<span style="color:{color}">●</span> {escape(one.in_words())}'
            )
    return "<br>".join(lines)
