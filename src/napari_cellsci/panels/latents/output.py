"""What leaves the Latents panel: a table, a figure, lines of Python, a command."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from napari_cellsci.disk import whole_file
from napari_cellsci.errors import InputError
from napari_cellsci.panels.latents.code import opening_lines, source_name
from napari_cellsci.representation.traversals import STEPS

if TYPE_CHECKING:
    from napari_cellsci.panels.latents.service import Code
    from napari_cellsci.panels.latents.strips import StripMaker
    from napari_cellsci.viewer.session import Session


def save_table(code: Code, path: str) -> None:
    """Write what is known of every latent as CSV.

    Raises
    ------
    ProjectError
        If the place cannot be written.
    """
    from napari_cellsci.project.latent_atlas import atlas_table

    if code.atlas is not None:
        with whole_file(Path(path)) as temporary:
            atlas_table(code.atlas).to_csv(temporary, index=False)


def save_figure(
    code: Code, maker: StripMaker, channels: Sequence[str], path: str
) -> None:
    """Write the strips and effect maps of the active latents.

    Those that nobody has looked at yet are decoded now.

    Raises
    ------
    ProjectError
        If the place cannot be written.
    """
    from napari_cellsci.figures.latent_sheet import MOST, LatentSheet, save_traversals

    if code.atlas is None:
        return
    shown = code.atlas.active[:MOST]
    if not shown:
        raise InputError("No latent carries anything: there is nothing to draw.")
    pictures = [maker.both(code, info.index) for info in shown]
    strips, effects = zip(*pictures, strict=True)
    sheet = LatentSheet(
        latents=shown,
        strips=np.stack(strips),
        values=np.linspace(-code.encoder.reach, code.encoder.reach, STEPS),
        effects=np.stack(effects),
        channels=tuple(channels) if len(channels) > 1 else ("",),
        title=f"{len(code.atlas.active)} active latents of {code.size}",
    )
    save_traversals(sheet, Path(path))


def python_code(session: Session, code: Code, latent: int, row: int | None) -> str:
    """Return the lines that describe the latents and decode one strip."""
    anchor = "" if row is None else f", anchor=z[{row}]"
    return "\n".join(
        [
            "from napari_cellsci.representation.traversals import traverse",
            *opening_lines(session, code),
            "    atlas = project.latent_atlas(encoder)",
            f"strip = traverse(encoder, {latent}{anchor})  # {code.label(latent)}",
            "",
        ]
    )


def command_line(session: Session, code: Code) -> str | None:
    """Return the command that describes the latents and writes their pictures."""
    if session.project is None:
        return None
    encoder = source_name(session, code)
    return f'cellsci latents "{session.project.path}" --encoder "{encoder}" -o latents'
