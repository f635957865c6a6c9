"""The project folder and its public face, `Project`."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from napari_cellsci.project.bundles import Bundle, shipped_bundle
    from napari_cellsci.project.facade import Project
    from napari_cellsci.project.scoring import Scores

__all__ = ["Bundle", "Project", "Scores", "shipped_bundle"]

_HOMES = {
    "Bundle": "napari_cellsci.project.bundles",
    "Project": "napari_cellsci.project.facade",
    "Scores": "napari_cellsci.project.scoring",
    "shipped_bundle": "napari_cellsci.project.bundles",
}


def __getattr__(name: str) -> object:
    """Import a public name when it is first asked for: bundles bring torch along."""
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
