"""What people say the cells are: an append-only log with undo and provenance."""

from __future__ import annotations

from napari_cellsci.labels.agreement import Agreement
from napari_cellsci.labels.class_state import LabelClass
from napari_cellsci.labels.importing import ImportReport
from napari_cellsci.labels.log import Labels

__all__ = ["Agreement", "ImportReport", "LabelClass", "Labels"]
