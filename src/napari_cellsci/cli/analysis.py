"""Verbs about what codes and channels tell: probe."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from napari_cellsci.cli.models import Seed, Threads
from napari_cellsci.cli.talk import Json, ProjectFolder, talking, use_threads

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_cellsci.project.probing import ProbeResult

Classes = Annotated[
    str | None,
    typer.Option(
        metavar="A,B,…", help="Classes to tell apart; by default all that are trained."
    ),
]
FigureFile = Annotated[
    Path | None,
    typer.Option("-o", "--output", metavar="FIGURE", help="Draw it: .svg, .pdf, .png."),
]


def probe(
    project: ProjectFolder,
    encoder: Annotated[
        str | None,
        typer.Option(help='Encoder by name, or "shipped"; by default the newest.'),
    ] = None,
    classes: Classes = None,
    output: FigureFile = None,
    folds: Annotated[int, typer.Option(help="Parts that are judged in turn.")] = 5,
    seed: Seed = 0,
    threads: Threads = None,
    as_json: Json = False,
) -> None:
    """Say how well the classes can be told from the latents alone.

    An MLP probe (128 and 64 neurons) and a linear one, held out by track.
    """
    with talking(as_json) as talk:
        from napari_cellsci.figures.probing import checked_suffix, save_probe
        from napari_cellsci.project import Project

        if output is not None:
            checked_suffix(output)
        with Project.open(project) as opened:
            use_threads(1 if threads is None else threads)
            found = opened.probe(
                encoder,
                names_of(classes),
                folds=folds,
                seed=seed,
                on_event=talk.on_event,
                token=talk.token,
            )
        if output is not None:
            save_probe(output, found)
        values = {**found.to_dict(), "output": None if output is None else str(output)}
        talk.result(values, _probed(found))


def names_of(text: str | None) -> Sequence[str] | None:
    """Return names that were written with commas between them."""
    return None if text is None else [name for name in text.split(",") if name.strip()]


def _probed(found: ProbeResult) -> str:
    return f"{found.sentence}\n{matrix_text(found)}"


def matrix_text(found: ProbeResult) -> str:
    """Return the confusion matrix as text: rows are labels."""
    width = max(6, *(len(name) + 1 for name in found.classes))
    head = " " * width + "".join(f"{name:>{width}}" for name in found.classes)
    rows = [
        f"{name:<{width}}" + "".join(f"{count:>{width}}" for count in row)
        for name, row in zip(found.classes, found.confusion.tolist(), strict=True)
    ]
    return "\n".join(["Labels (rows) and what the probe says (columns):", head, *rows])
