"""The verb about the code: latents."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from napari_cellsci.cli.talk import Json, ProjectFolder, talking, use_threads

if TYPE_CHECKING:
    from napari_cellsci.project import Project
    from napari_cellsci.project.latent_seeds import OverSeeds
    from napari_cellsci.representation.atlas import LatentAtlas, LatentInfo

_WIDTH = 132
"""Of the table where nobody looks at it in a terminal (characters)."""
_FROM = {"user": "you", "bundle": "encoder", "evidence": "here"}
"""Whose word a name is: given by you, named with the encoder, found here."""


def latents(
    project: ProjectFolder,
    encoder: Annotated[
        str | None,
        typer.Option(
            help='Encoder or classifier by name, or "shipped"; by default the newest '
            "encoder."
        ),
    ] = None,
    name: Annotated[
        list[str] | None,
        typer.Option(
            metavar="zN=NAME",
            help="Call a latent something, for example z3=size; z3= gives it no name, "
            "z3=? the one found. May be given more than once.",
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--output",
            metavar="FOLDER",
            help="Write latents.csv, traversals.png, effects.png and grid.png (cells, "
            "redrawn from their code, and drawn from nothing) there, and classes.png: "
            "how labelled classes lie along the latents.",
        ),
    ] = None,
    threads: Annotated[
        int | None, typer.Option(help="Cores to use (default: half of them, up to 4).")
    ] = None,
    as_json: Json = False,
) -> None:
    """Say what every latent of the code means, and what is told by which evidence.

    A latent has a name if its symmetry under turns and mirrors and what is measured of
    the cells agree (from: here), if it came with the encoder, or if you gave it one;
    otherwise it has a reading at most.
    """
    with talking(as_json) as talk:
        from napari_cellsci.project import Project

        wanted = dict(map(_new_name, name or []))
        with Project.open(project) as opened:
            use_threads(threads)
            source = opened.find_encoder(encoder)
            for index, words in wanted.items():
                opened.rename_latent(index, words, source)
            atlas = opened.latent_atlas(
                source, on_event=talk.on_event, token=talk.token
            )
            seeds = opened.latents_over_seeds(
                source, on_event=talk.on_event, token=talk.token
            )
            written = [] if output is None else _write(opened, source, atlas, output)
        values = {
            **atlas.to_json(),
            "over_seeds": seeds.to_dict(),
            "output": [str(path) for path in written],
        }
        talk.result(values, "" if as_json else _told(atlas, seeds, written))


def _new_name(text: str) -> tuple[int, str | None]:
    """Read ``z3=size``: the number, and the name (None: the one found)."""
    from napari_cellsci.errors import InputError

    match = re.fullmatch(r"\s*z(\d+)\s*=(.*)", text, re.DOTALL)
    if match is None:
        raise InputError(f"{text!r} names no latent: write for example --name z3=size.")
    words = match[2].strip()
    return int(match[1]), None if words == "?" else words


def _write(
    project: Project, encoder: Any, atlas: LatentAtlas, folder: Path
) -> list[Path]:
    from napari_cellsci.disk import whole_file
    from napari_cellsci.figures.encode_grid import describe_grid, save_grid
    from napari_cellsci.figures.latent_map import describe_classes, save_densities
    from napari_cellsci.figures.latent_sheet import (
        describe_sheet,
        save_effects,
        save_traversals,
    )
    from napari_cellsci.project.latent_atlas import atlas_table

    folder.mkdir(parents=True, exist_ok=True)
    sheet = describe_sheet(project, encoder, atlas)
    table, strips, maps, grid = (
        folder / name
        for name in ("latents.csv", "traversals.png", "effects.png", "grid.png")
    )
    with whole_file(table) as temporary:
        atlas_table(atlas).to_csv(temporary, index=False)
    save_traversals(sheet, strips)
    save_effects(sheet, maps)
    save_grid(describe_grid(project, encoder), grid)
    written = [table, strips, maps, grid]
    classes = describe_classes(project, encoder, atlas)
    if classes is not None:
        save_densities(folder / "classes.png", classes)
        written.append(folder / "classes.png")
    return written


def _told(atlas: LatentAtlas, seeds: OverSeeds, written: Sequence[Path]) -> str:
    """Return the table and what is to be said below it."""
    lines = [_table(atlas)] if atlas.active else []
    lines.append(_active(atlas, seeds))
    silent = " ".join(info.symbol for info in sorted_by_number(atlas.inactive))
    if silent:
        lines.append(f"{len(atlas.inactive)} latents carry nothing: {silent}")
    unnamed = [info for info in atlas.disputed if info.name is None]
    if unnamed:
        lines.append("Without a name, since the two witnesses do not agree:")
        lines += [f"  {info.symbol}  {info.note}" for info in unnamed]
    if atlas.doubted:
        lines.append("Named with the encoder; these cells do not say the same:")
        lines += [f"  {info.label}  {info.note}" for info in atlas.doubted]
    lines.append(_evidence(atlas))
    if written:
        files = ", ".join(path.name for path in written)
        lines.append(f"Written to {written[0].parent}: {files}.")
    return "\n".join(lines)


def sorted_by_number(infos: Sequence[LatentInfo]) -> list[LatentInfo]:
    """Return latents in the order of the code."""
    return sorted(infos, key=lambda info: info.index)


def _active(atlas: LatentAtlas, seeds: OverSeeds) -> str:
    """Return how many latents are active, how independent and how stable they are."""
    told = f"{len(atlas.active)} of {len(atlas)} latents active"
    together = atlas.total_correlation
    if together == together:
        told += f"; total correlation {together:.2f} nats (0: they vary independently)"
    if seeds.udr is not None:
        others = ", ".join(seeds.encoders)
        told += f"; like those of other seeds ({others}): UDR {seeds.udr:.2f}"
    return f"{told}."


def _evidence(atlas: LatentAtlas) -> str:
    cells = f"{atlas.n_cells:,} cells looked at"
    if not atlas.measured:
        return f"{cells}; nothing is measured of them, so no latent is named."
    turned = atlas.equivariance
    knows = f"; {turned:.0%} of the code turns with the picture" if turned > 0 else ""
    return f"{cells}; measured: {', '.join(atlas.measured)}{knows}."


def _table(atlas: LatentAtlas) -> str:
    """Draw the active latents as a table of text."""
    import io
    import sys

    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE, pad_edge=False)
    for title in ("", "name", "from", "category"):
        table.add_column(title)
    for title in ("KL", "var"):
        table.add_column(title, justify="right")
    for title in ("symmetry", "follows", "− … +"):
        table.add_column(title)
    for info in atlas.active:
        # Names may come from a foreign file: as Text they cannot hold markup.
        table.add_row(
            info.symbol,
            Text(info.name) if info.name else Text(info.reading or "–", style="dim"),
            _FROM.get(info.named_by or "", "") if info.name else "",
            info.category,
            f"{info.kl:.2f}",
            f"{info.variance:.2f}",
            _symmetry(info),
            _follows(info),
            f"{info.low} … {info.high}" if info.low else "",
        )
    drawn = io.StringIO()
    terminal = sys.stdout.isatty()
    console = Console(
        file=drawn, force_terminal=terminal, width=None if terminal else _WIDTH
    )
    console.print(table)
    lines = (line.rstrip() for line in drawn.getvalue().splitlines())
    return "\n".join(line for line in lines if line)


def _symmetry(info: LatentInfo) -> str:
    leading = max(info.shares, key=lambda name: info.shares[name])
    pair = "" if info.partner is None else f", with z{info.partner}"
    return f"{leading} {info.shares[leading]:.0%}{pair}"


def _follows(info: LatentInfo) -> str:
    """Return the property it follows most closely, if at all, and how closely."""
    from napari_cellsci.representation.naming import LEAST_RHO

    if not info.correlations:
        return ""
    best = max(info.correlations, key=lambda k: abs(info.correlations[k].spearman))
    rho = info.correlations[best].spearman
    return f"{best} {rho:+.2f}" if abs(rho) >= LEAST_RHO else ""
