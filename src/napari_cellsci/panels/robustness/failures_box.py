"""The selected cell in every way its picture may fail."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import TYPE_CHECKING

import numpy as np
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QCheckBox

from napari_cellsci.panels._parts import RunLine, WrapLabel
from napari_cellsci.panels._theme import Theme, readable
from napari_cellsci.panels.robustness.boxes import Folded
from napari_cellsci.panels.robustness.pictures import PictureRow, Shot, grey_image
from napari_cellsci.project.failing import ORIGINAL, FailureModes, title_of

if TYPE_CHECKING:
    from napari_cellsci.panels.robustness.service import RobustnessService
    from napari_cellsci.viewer.session import Session

_INTRODUCTION = (
    "The selected cell blank, overexposed, out of focus, off centre, with a neighbour, "
    "and dim: what does the classifier say then?"
)


class FailuresBox(Folded):
    """Failing pictures with what the classifier says of them."""

    def __init__(
        self, session: Session, service: RobustnessService, theme: Theme
    ) -> None:
        super().__init__("When pictures fail")
        self._session, self._service = session, service
        self.every = QCheckBox("All kinds of classifiers")
        self.every.setToolTip("Also the scores of the newest classifier of every kind")
        self.line = RunLine("Show", service.failure_job, self.fail)
        self._theme = theme
        self.pictures = PictureRow(theme)
        self.said = WrapLabel(name="muted")
        self.others = WrapLabel()
        self.others.setTextFormat(Qt.TextFormat.RichText)
        for part in (self.every, self.line, self.pictures, self.said, self.others):
            self.column.addWidget(part)

    def fail(self) -> None:
        """Show the selected cell in every way."""
        if self._session.current is not None:
            self._service.fail(self._session.current, self.every.isChecked())

    def set_theme(self, theme: Theme) -> None:
        """Take over the theme's colours."""
        self._theme = theme
        self.pictures.set_theme(theme)

    def refresh(self) -> None:
        """Show what was found of the selected cell."""
        self.line.refresh()
        row, found = self._session.current, self._service.failures
        self.line.allow("" if row is not None else "Select a cell first.")
        if found is None or found.cell != row:
            self.pictures.show_shots([])
            self.others.hide()
            self.said.setText(_INTRODUCTION)
            return
        self.pictures.show_shots(self._shots(found))
        said = ["◌ marks what is told apart from anything it was taught."]
        for name, one in next(iter(found.answers.values())).items():
            if name != ORIGINAL and one.deciding:
                label, change = next(iter(one.deciding.items()))
                through = f"; in model 0 by {one.through}" if one.through else ""
                said.append(
                    f"{title_of(name)}: mostly {label} ({change:+.1f}){through}."
                )
        self.said.setText("\n".join(said))
        self.others.setVisible(len(found.answers) > 1)
        palette = self._session.palette
        shades = {name: readable(c, self._theme) for name, c in palette.items()}
        self.others.setText(side_by_side(found, shades))

    def _shots(self, found: FailureModes) -> list[Shot]:
        answers = next(iter(found.answers.values()))
        shots = []
        for name, crop in found.crops.items():
            one, picture = answers[name], crop.astype(np.float32)
            shots.append(
                Shot(
                    grey_image(picture, picture),
                    title_of(name),
                    one.prediction,
                    self._session.palette.get(one.prediction, ""),
                    f"f = {one.score:+.1f}{' ◌' if one.flagged else ''}",
                )
            )
        return shots


def side_by_side(found: FailureModes, palette: Mapping[str, str]) -> str:
    """Return the scores of all classifiers as a table, coloured by what they say."""
    names = list(found.answers)
    rows = ["<td></td>" + "".join(f"<td>{escape(name)}</td>" for name in names)]
    for failure in found.crops:
        cells = [f"<td>{title_of(failure)}</td>"]
        for name in names:
            one = found.answers[name][failure]
            color = palette.get(one.prediction)
            style = f' style="color:{color}"' if color else ""
            mark = "◌" if one.flagged else ""
            score = f"{one.score:+.{0 if abs(one.score) >= 10 else 1}f}"
            cells.append(f'<td align="right"{style}>{score}{mark}</td>')
        rows.append("".join(cells))
    body = "".join(f"<tr>{row}</tr>" for row in rows)
    return f'<table cellspacing="2" style="font-size: 8pt">{body}</table>'
