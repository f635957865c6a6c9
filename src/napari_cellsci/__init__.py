"""Discover interpretable models of what tracked cells are doing, in napari."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

try:
    from napari_cellsci._version import version as __version__
except ImportError:  # a source tree that was never installed
    __version__ = "0.1.0.dev0"

if TYPE_CHECKING:
    from napari_cellsci.cells.spec import CropSpec
    from napari_cellsci.errors import InputError
    from napari_cellsci.project import Project

__all__ = ["CropSpec", "InputError", "Project", "__version__"]

_HOMES = {
    "CropSpec": "napari_cellsci.cells.spec",
    "InputError": "napari_cellsci.errors",
    "Project": "napari_cellsci.project",
}


def __getattr__(name: str) -> object:
    """Import a public name when it is first asked for, so that napari starts fast."""
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
