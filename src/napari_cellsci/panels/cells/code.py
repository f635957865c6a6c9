"""What the Cells panel does, as Python and as a command."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from napari_cellsci.panels.cells.fields import named
from napari_cellsci.viewer import adapters

_OPTIONS = {"pixel_size": "--pixel-size", "fov_px": "--fov-px", "fov_um": "--fov"}


def as_python(
    path: str, layers: Mapping[str, Any], numbers: Mapping[str, float]
) -> str:
    """Return the call that makes a project.

    Parameters
    ----------
    path : str
        Folder to make.
    layers : mapping
        Layers that are given, by argument name: image, tracks, masks.
    numbers : mapping
        Further arguments.
    """
    arguments = [f"    {path!r},"]
    arguments += [f"    {name}={named(layer)}," for name, layer in layers.items()]
    arguments += [f"    {name}={number}," for name, number in numbers.items()]
    start = "from napari_cellsci import Project\n\nproject = Project.create("
    return "\n".join([start, *arguments, ")"])


def as_command(
    path: str, layers: Mapping[str, Any], numbers: Mapping[str, float]
) -> str | None:
    """Return the command that makes a project, None where a layer has no file."""
    files = {name: adapters.file_of(layer) for name, layer in layers.items()}
    if None in files.values() or not {"image"} < set(files):
        return None
    named = "".join(f' --{name} "{file}"' for name, file in files.items())
    options = "".join(
        f" {_OPTIONS[name]} {number}"
        for name, number in numbers.items()
        if name in _OPTIONS
    )
    return f'cellsci new "{path}"{named}{options}'
