"""The `cellsci` command: every verb of the window on the same project folder."""

from __future__ import annotations


def main() -> None:
    """Run the `cellsci` command."""
    from napari_cellsci.cli.app import app

    app(prog_name="cellsci")
