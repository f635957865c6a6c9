"""Verbs about reading heads: network."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from napari_cellsci.cli.talk import Json, ProjectFolder, talking, use_threads


def network(
    project: ProjectFolder,
    model: Annotated[
        str | None,
        typer.Option(help='Classifier by name, or "shipped"; by default the newest.'),
    ] = None,
    bundle: Annotated[
        Path | None, typer.Option(help="Folder of a saved classifier.")
    ] = None,
    member: Annotated[int, typer.Option(help="Which of its heads, from 0.")] = 0,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", help=".svg, .pdf, .png, or .json to write."),
    ] = None,
    edges: Annotated[
        int | None, typer.Option(help="Weights drawn at most (default: 60).")
    ] = None,
    as_json: Json = False,
) -> None:
    """Say which latents a head on latents uses and how; draw it as a network."""
    with talking(as_json) as talk:
        from napari_cellsci.errors import InputError
        from napari_cellsci.explain.layout import MOST_EDGES
        from napari_cellsci.figures.network import (
            describe,
            in_short,
            matters,
            save_network,
        )
        from napari_cellsci.project import Project

        if model is not None and bundle is not None:
            raise InputError("Give --model or --bundle, not both.")
        if edges is not None and edges < 1:
            raise InputError(f"At least one weight must be drawn, not {edges}.")
        with Project.open(project) as opened:
            use_threads(1)
            shown = describe(
                opened,
                bundle if bundle is not None else model,
                member,
                most=edges or MOST_EDGES,
                on_event=talk.on_event,
                token=talk.token,
            )
        if output is not None:
            save_network(shown, output)
        topology = shown.reading.topology
        lines = [
            f"{shown.title}: {in_short(shown.reading)}.",
            *(
                f"  {line}"
                for line in matters(shown.reading, shown.book, shown.classes)
            ),
        ]
        if output is not None:
            lines.append(f"Written to {output}.")
        talk.result(
            {
                **shown.about(),
                "member": member,
                "active_weights": topology.n_active,
                "inputs_used": list(topology.inputs),
                "expression_size": topology.expression_size("paper"),
                "expression_size_tree": topology.expression_size("tree"),
                "output": None if output is None else str(output),
            },
            "\n".join(lines),
        )
