"""Runs the command as ``python -m napari_cellsci.cli``."""

from __future__ import annotations

from napari_cellsci.cli import main

if __name__ == "__main__":
    main()
