"""Choosing the class of a network with several whose score is explained."""

from __future__ import annotations

from collections.abc import Sequence

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QComboBox, QFormLayout, QLabel


class ClassChoice(QComboBox):
    """The classes of a network; hidden where one score tells two of them apart.

    Parameters
    ----------
    form : QFormLayout
        Where it gets a row.

    Signals
    -------
    chosen : int
        Number of the output that is to be looked at.
    """

    chosen = Signal(int)

    def __init__(self, form: QFormLayout) -> None:
        super().__init__()
        self._output = 0
        self.setMinimumWidth(1)
        self.setToolTip(
            "The class whose score is explained: how far it leads the best other one"
        )
        self.label = QLabel("What speaks for")
        form.addRow(self.label, self)
        self.activated.connect(self._on_activated)

    @property
    def output(self) -> int:
        """Number of the output that is looked at."""
        return self._output

    @output.setter
    def output(self, output: int) -> None:
        self._output = output
        self.setCurrentIndex(output if output < self.count() else -1)

    def show_classes(self, names: Sequence[str]) -> None:
        """Offer other classes; the one that is looked at stays if it is among them."""
        shown = [self.itemText(i) for i in range(self.count())]
        offered = list(names) if len(names) > 2 else []
        if shown != offered:
            before = self.currentText()
            self.clear()
            self.addItems(offered)
            self.output = offered.index(before) if before in offered else 0
        for widget in (self, self.label):
            widget.setVisible(bool(offered))

    def _on_activated(self, output: int) -> None:
        if output != self._output:
            self.chosen.emit(output)
