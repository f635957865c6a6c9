"""The *Cells* panel: choose layers, see the crops, make or open a project."""
