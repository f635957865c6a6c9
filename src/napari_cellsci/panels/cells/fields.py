"""What the fields of the Cells panel hold, and how it is read."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtWidgets import QDoubleSpinBox

from napari_cellsci.errors import InputError
from napari_cellsci.viewer import adapters, tags

if TYPE_CHECKING:
    from napari.layers import Layer

    from napari_cellsci.viewer.session import Session

UNKNOWN = "not known"
"""What a number box shows at 0."""


def number_box(
    unit: str, digits: int, low: float, high: float, tip: str
) -> QDoubleSpinBox:
    """Return a number box whose 0 means that the value is not known."""
    box = QDoubleSpinBox()
    box.setDecimals(digits)
    box.setRange(0, high)
    box.setSingleStep(max(low, 10.0**-digits))
    box.setSpecialValueText(UNKNOWN)
    box.setSuffix(unit)
    box.setToolTip(tip)
    box.setMinimumWidth(1)
    box.setKeyboardTracking(False)
    return box


def exact(box: QDoubleSpinBox, known: float) -> float:
    """Return what a box holds: the known number where it only shows that one rounded.

    Parameters
    ----------
    box : QDoubleSpinBox
    known : float
        What the box was filled with.
    """
    shown, half = box.value(), 0.5001 * 10.0 ** -box.decimals()
    return known if abs(shown - known) <= half else shown


class LayerChoices:
    """The layers of one kind that a user may choose, as a magicgui choice function.

    The outlines that we paint are a labels layer but no masks.

    Parameters
    ----------
    session : Session
    kind : type
        The layers' class.
    """

    def __init__(self, session: Session, kind: type[Layer]) -> None:
        self._session, self._kind = session, kind

    def __call__(self, widget: object) -> list[Layer]:
        """Return the layers of the session's viewer."""
        viewer = self._session.viewer
        return [
            layer
            for layer in (() if viewer is None else viewer.layers)
            if isinstance(layer, self._kind) and tags.role_of(layer) != "outlines"
        ]


def channel_numbers(text: str) -> tuple[int, ...]:
    """Return the channels a user typed, counted from 0."""
    parts = [part for part in re.split(r"[,;\s]+", text.strip()) if part]
    if not parts or not all(part.isdecimal() for part in parts):
        raise InputError("Name the channels by numbers counted from 0, such as 0, 2.")
    return tuple(int(part) for part in parts)


def free_folder(name: str) -> Path:
    """Return a folder under the home folder that is not taken yet."""
    stem = re.sub(r"[^\w.-]+", "-", name).strip("-") or "cells"
    base = Path.home() / "cellsci"
    tried = (base / (stem if i == 1 else f"{stem}-{i}") for i in range(1, 1000))
    return next(path for path in tried if not is_taken(path))


def is_taken(path: Path) -> bool:
    """Say whether a new project cannot be made there."""
    return path.is_file() or (path.is_dir() and any(path.iterdir()))


def named(layer: Any) -> str:
    """Return the Python expression for what a layer shows."""
    path = adapters.file_of(layer)
    return repr(str(path)) if path else f"viewer.layers[{layer.name!r}].data"
