"""Scrolling of panels whose height depends on their width."""

from __future__ import annotations

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QScrollArea, QWidget


def keep_scroll_bar(panel: QWidget) -> None:
    """Let the bar beside a panel's middle always be there.

    Where content becomes lower as it becomes wider, a bar that came and went would
    change the width, and with it the need for a bar, for ever.
    """
    area = panel.findChild(QScrollArea, "body")
    if area is not None:
        area.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOn)
