"""What the Cells panel does, as Python and as a command."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from napari_cellsci.panels.cells.choice import CropSettings
from napari_cellsci.panels.cells.fields import named
from napari_cellsci.viewer import adapters


@dataclass(frozen=True)
class Request:
    """What is to be cut and where it goes.

    Parameters
    ----------
    path : str
        Folder of the project.
    layers : mapping
        Layers that are given, by argument name: image, tracks, masks.
    settings : CropSettings
    adds : bool
        Whether the movie joins a project that exists already.
    """

    path: str
    layers: Mapping[str, Any]
    settings: CropSettings
    adds: bool = False

    def sources(self) -> dict[str, Any]:
        """Return the layers by the argument of `Project.create` that takes them."""
        found = dict(self.layers)
        if "masks" not in found or "tracks" in found:
            return found
        # Labels whose values follow cells are tracks of their own.
        if adapters.looks_tracked(adapters.level_zero(found["masks"])):
            found["tracks"] = found.pop("masks")
        return found

    def values(self) -> dict[str, Any]:
        """Return the further arguments, leaving out what is so anyway."""
        given = self.settings
        found: dict[str, Any] = {}
        if given.extra is not None:
            found["axes"] = adapters.axes_of(self.layers["image"], given.extra)
        if given.pixel_size is not None:
            found["pixel_size"] = _short(given.pixel_size)
        if given.frame_interval is not None:
            found["frame_interval"] = _short(given.frame_interval)
        if self.adds:
            return found
        found["fov_um" if given.fov_unit == "µm" else "fov_px"] = _short(given.fov)
        if given.channels != (0,):
            found["channels"] = given.channels
        if given.z != "max":
            found["z"] = given.z
        if given.spec.steps:
            found["normalise"] = given.spec.normalised_by
        return found


def _short(number: float) -> float:
    return float(f"{number:.7g}")


def as_python(request: Request) -> str:
    """Return the call that makes a project or adds a movie to one."""
    arguments = [f"    {name}={named(of)}," for name, of in request.sources().items()]
    arguments += [f"    {name}={value!r}," for name, value in request.values().items()]
    start = ["from napari_cellsci import Project", ""]
    if request.adds:
        start += [f"project = Project.open({request.path!r})", "project.add_movie("]
    else:
        start += ["project = Project.create(", f"    {request.path!r},"]
    return "\n".join([*start, *arguments, ")"])


def as_command(request: Request) -> str | None:
    """Return the command that does the same, None where a layer has no file."""
    files = {name: adapters.file_of(layer) for name, layer in request.sources().items()}
    if None in files.values() or not {"image"} < set(files):
        return None
    words = ["cellsci", "add" if request.adds else "new", f'"{request.path}"']
    words += [f'--{name} "{file}"' for name, file in files.items()]
    words += [_option(name, value) for name, value in request.values().items()]
    return " ".join(words)


def _option(name: str, value: Any) -> str:
    if name == "channels":
        return f"--channel {','.join(map(str, value))}"
    if name == "fov_um":
        return f"--fov {value}"
    return f"--{name.replace('_', '-')} {value}"
