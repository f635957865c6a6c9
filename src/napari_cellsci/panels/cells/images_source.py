"""What the Cells panel was asked to make of images of single cells; no Qt."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_cellsci.cells.sizing import sizing_of
from napari_cellsci.cells.steps import pipelines_of
from napari_cellsci.panels.cells.normalising import FITTED, NormalisingView, Preview
from napari_cellsci.tasks import CancelToken, OnEvent, Progress

if TYPE_CHECKING:
    from napari_cellsci.project import Project

PREVIEWED = 12


@dataclass(frozen=True, eq=False)
class ImagesSource:
    """Images of single cells, and where their project goes.

    Parameters
    ----------
    images : str or array
        A file or folder, or the pixels of a layer whose pages are cells.
    labels : str
        CSV of classes and groups; "" for none.
    group_by : str
        Column of groups; "" for what is called group, if anything.
    name : str, optional
        Of the set, where `images` has no file.
    expression : str, optional
        Python for `images`, where it has no file.
    tile : tuple of int, optional
        Of montages; see `io.images.open_images`.
    sizing, normalise : str
        As for `Project.create`; nothing for what is so anyway.
    """

    images: Any
    labels: str = ""
    group_by: str = ""
    name: str | None = None
    expression: str = ""
    tile: tuple[int, ...] | None = None
    sizing: str | None = None
    normalise: str = ""

    def arguments(self, *, adds: bool = False) -> dict[str, Any]:
        """Return the arguments of `Project.create`, those that say something.

        A project that images are added to has settled how pixels are prepared.
        """
        given = {
            "images": self.images,
            "labels": self.labels,
            "group_by": self.group_by,
            "name": self.name,
            "tile": self.tile,
            "sizing": None if adds else self.sizing,
            "normalise": "" if adds else self.normalise,
        }
        return {
            name: value
            for name, value in given.items()
            if not (value is None or (isinstance(value, str) and not value))
        }

    def preview(self, on_event: OnEvent, token: CancelToken) -> Preview:
        """Return a few crops, how many images there are, and how many were skipped."""
        from napari_cellsci.cells.image_crops import crop_image
        from napari_cellsci.io.images import open_images
        from napari_cellsci.project.image_choice import ImageChoice

        on_event(Progress("Looking at the images", 0, 0))
        found = open_images(self.images, name=self.name, tile=self.tile, token=token)
        steps = pipelines_of(self.normalise or "zscore")
        # Other images may have fewer channels, or more, than those chosen for.
        steps = (*steps, *[steps[-1]] * found.n_channels)[: found.n_channels]
        sizing = sizing_of(self.sizing)
        spec = ImageChoice(None, None, None, None, sizing, steps)(found)
        rows = np.unique(np.linspace(0, len(found) - 1, FITTED).astype(int))
        crops = np.stack(
            [crop_image(found.image(int(row)), spec, None) for row in rows]
        )
        some = np.unique(np.linspace(0, len(rows) - 1, PREVIEWED).astype(int))
        view = NormalisingView.of(crops, spec, token)
        return Preview(crops[some], len(found), len(found.skipped), view)

    def create(self, path: Path, on_event: OnEvent, token: CancelToken) -> Project:
        """Make a project of them."""
        from napari_cellsci.project import Project

        return Project.create(path, **self.arguments(), on_event=on_event, token=token)

    def add(self, project: Project, on_event: OnEvent, token: CancelToken) -> str:
        """Add them to a project; return what the set is called."""
        return project.add_images(
            **self.arguments(adds=True), on_event=on_event, token=token
        )

    def as_python(self, path: str, adds: bool) -> str:
        """Return the call that makes the project or adds to it."""
        said = {name: repr(value) for name, value in self.arguments(adds=adds).items()}
        said["images"] = self.expression or said["images"]
        lines = [f"    {name}={value}," for name, value in said.items()]
        start = ["from napari_cellsci import Project", ""]
        if adds:
            start += [f"project = Project.open({path!r})", "project.add_images("]
        else:
            start += ["project = Project.create(", f"    {path!r},"]
        return "\n".join([*start, *lines, ")"])

    def as_command(self, path: str, adds: bool) -> str | None:
        """Return the command that does the same, None where the images have no file."""
        if not isinstance(self.images, str):
            return None
        words = ["cellsci", "add" if adds else "new", f'"{path}"']
        given = self.arguments(adds=adds)
        tile = given.pop("tile", None)
        words += [f'--{k.replace("_", "-")} "{value}"' for k, value in given.items()]
        if tile is not None:
            words.append(f"--tile {tile[0]} {tile[1]}")
            words += [f"--tile-gap {gap}" for gap in tile[2:]]
        return " ".join(words)


def tile_of(text: str) -> tuple[int, ...] | None:
    """Return height, width and the lines between tiles (px) of "40 × 40, 2".

    Raises
    ------
    ValueError
        With what is to be written instead.
    """
    numbers = re.split(r"[\s,;x×+]+", text.strip())
    if numbers == [""]:
        return None
    if len(numbers) not in (2, 3) or not all(part.isdecimal() for part in numbers):
        raise ValueError(
            "Write height and width of a tile in px, such as 40 40; with lines of 2 px "
            "between tiles 40 40 2."
        )
    return tuple(map(int, numbers))
