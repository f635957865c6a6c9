"""What people say the cells are: an append-only log with undo and provenance."""

from __future__ import annotations

from napari_cellsci.labels.classes import LabelClass
from napari_cellsci.labels.importing import ImportReport
from napari_cellsci.labels.log import Labels

__all__ = ["ImportReport", "LabelClass", "Labels"]
