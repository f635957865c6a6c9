"""Choosing which classes a classifier is to tell apart."""

from __future__ import annotations

from collections.abc import Sequence

from qtpy.QtCore import Qt, Signal
from qtpy.QtGui import QColor, QIcon, QPixmap
from qtpy.QtWidgets import QMenu, QSizePolicy, QToolButton

_EDGE = 12
_NAMED = 3
"""Classes up to which the button names them."""


class ClassPicker(QToolButton):
    """A button with a menu of classes to tick.

    Signals
    -------
    chosen : tuple of str, or None
        The classes that are to be learned; None for those the project trains.
    """

    chosen = Signal(object)

    def __init__(self) -> None:
        super().__init__()
        self._usual: tuple[str, ...] = ()
        self._classes: tuple[str, ...] = ()
        self.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextOnly)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.setToolTip("The classes it learns to tell apart; two at least")
        self.setAccessibleName("Classes")
        self.menu_ = QMenu(self)
        self.menu_.triggered.connect(self._on_triggered)
        self.setMenu(self.menu_)

    @property
    def classes(self) -> tuple[str, ...]:
        """The classes that are ticked, in their order."""
        return self._classes

    def offer(
        self,
        palette: dict[str, str],
        usual: Sequence[str],
        classes: Sequence[str] | None,
    ) -> None:
        """Show what can be ticked.

        Parameters
        ----------
        palette : dict
            Colours of all classes by name.
        usual : sequence of str
            The classes the project trains.
        classes : sequence of str, optional
            Those that are ticked; by default the usual ones.
        """
        self._usual = tuple(usual)
        wanted = self._usual if classes is None else tuple(classes)
        self._classes = tuple(name for name in palette if name in wanted)
        known = [action.text() for action in self.menu_.actions()]
        if known != list(palette):
            self.menu_.clear()
            for name, color in palette.items():
                action = self.menu_.addAction(_patch(color), name)
                action.setCheckable(True)
        for action in self.menu_.actions():
            action.setChecked(action.text() in self._classes)
        n = len(self._classes)
        names = ", ".join(self._classes)
        self.setText(names if n <= _NAMED else f"{n} of {len(palette)} classes")

    def _on_triggered(self) -> None:
        ticked = [a.text() for a in self.menu_.actions() if a.isChecked()]
        same = set(ticked) == set(self._usual)
        self.chosen.emit(None if same else tuple(ticked))


def _patch(color: str) -> QIcon:
    picture = QPixmap(_EDGE, _EDGE)
    picture.fill(QColor(color))
    return QIcon(picture)
