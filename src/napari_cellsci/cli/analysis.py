"""Verbs about what codes and channels tell: probe, ablate, and their kin."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from napari_cellsci.cli.models import Seed, Threads
from napari_cellsci.cli.settings import comma_list
from napari_cellsci.cli.talk import Json, ProjectFolder, talking, use_threads

if TYPE_CHECKING:
    from napari_cellsci.project.ablation_table import Ablation
    from napari_cellsci.project.channel_prediction import ChannelPrediction
    from napari_cellsci.project.probing import ProbeResult
    from napari_cellsci.project.shared_information import SharedInformation

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
                comma_list(classes),
                folds=folds,
                seed=seed,
                on_event=talk.on_event,
                token=talk.token,
            )
        if output is not None:
            save_probe(output, found)
        values = {**found.to_dict(), "output": None if output is None else str(output)}
        talk.result(values, _probed(found))


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


def ablate(
    project: ProjectFolder,
    systems: Annotated[
        str | None,
        typer.Option(
            metavar="A,B,…",
            help="cnn and kinds of encoders: tcvae, bvae, infogan; by default all.",
        ),
    ] = None,
    classes: Classes = None,
    preset: Annotated[
        str, typer.Option(help="Of the encoders: quick, good or paper.")
    ] = "quick",
    steps: Annotated[
        int | None, typer.Option(help="Gradient steps of each encoder.")
    ] = None,
    gan_steps: Annotated[
        int | None, typer.Option(help="Of each InfoGAN; by default as many.")
    ] = None,
    cnn_steps: Annotated[
        int, typer.Option(help="Gradient steps of each CNN at least.")
    ] = 200,
    cnn_epochs: Annotated[
        int, typer.Option(help="Passes over the labelled crops, if that is more.")
    ] = 10,
    output: FigureFile = None,
    folds: Annotated[int, typer.Option(help="Parts that are judged in turn.")] = 5,
    seed: Seed = 0,
    threads: Threads = None,
    as_json: Json = False,
) -> None:
    """Compare each channel alone with all together: CNN, and encoders with a probe.

    Trains what is missing; given again after Ctrl-C, it goes on with the next cell of
    the table.
    """
    with talking(as_json) as talk:
        from napari_cellsci.figures.channels import save_ablation
        from napari_cellsci.figures.probing import checked_suffix
        from napari_cellsci.project import Project

        if output is not None:
            checked_suffix(output)
        with Project.open(project) as opened:
            talk.kept = "cells of the table that are complete are kept: give the "
            talk.kept += "command again."
            use_threads(threads)
            found = opened.ablate(
                comma_list(classes),
                systems=comma_list(systems),
                preset=preset,
                steps=steps,
                gan_steps=gan_steps,
                cnn_steps=cnn_steps,
                cnn_epochs=cnn_epochs,
                folds=folds,
                seed=seed,
                on_event=talk.on_event,
                token=talk.token,
            )
        if output is not None:
            save_ablation(output, found)
        values = {**found.to_dict(), "output": None if output is None else str(output)}
        talk.result(values, _ablated(found))


def _ablated(found: Ablation) -> str:
    """Return the table, a row per system, and what follows from it."""
    from napari_cellsci.project.ablation_table import system_title

    titles = list(found.channel_names.values())
    width = max(24, *(len(title) + 2 for title in titles))
    lines = [f"{'balanced accuracy':<22}" + "".join(f"{t:>{width}}" for t in titles)]
    for system in found.systems:
        row = f"{system_title(system):<22}"
        for channels in found.channel_names:
            judged = found.entry(system, channels).judged
            low, high = judged.interval
            said = f"{judged.balanced_accuracy:.1%} [{low:.1%}–{high:.1%}]"
            row += f"{said:>{width}}"
        lines.append(row)
    lines.append(
        f"Chance is {found.chance:.1%}; {found.n_cells:,} cells of {found.n_groups:,} "
        f"groups, {len(found.classes)} classes."
    )
    return "\n".join([*lines, found.sentence, *(c.sentence for c in found.claims)])


def shared_information(
    project: ProjectFolder,
    encoder: Annotated[
        list[str] | None,
        typer.Option(
            help="Encoder by name; given twice. By default the newest of the first and "
            "of the second channel alone."
        ),
    ] = None,
    output: FigureFile = None,
    seed: Seed = 0,
    threads: Threads = None,
    as_json: Json = False,
) -> None:
    """Say how much the codes of two channels tell of each other (nats)."""
    with talking(as_json) as talk:
        from napari_cellsci.errors import InputError
        from napari_cellsci.figures.channels import save_shared
        from napari_cellsci.figures.probing import checked_suffix
        from napari_cellsci.project import Project

        if output is not None:
            checked_suffix(output)
        chosen: list[Any] = list(encoder or (None, None))
        if len(chosen) != 2:
            raise InputError("Two codes are compared: give --encoder twice.")
        with Project.open(project) as opened:
            use_threads(threads)
            found = opened.shared_information(
                *chosen, seed=seed, on_event=talk.on_event, token=talk.token
            )
        if output is not None:
            save_shared(output, found)
        values = {**found.to_dict(), "output": None if output is None else str(output)}
        talk.result(values, _shared(found))


def _shared(found: SharedInformation, most: int = 10) -> str:
    table = found.table[found.table["above_chance"]].head(most)
    rows = [
        f"  {row.first:<24}{row.second:<24}{row.nats:.2f}"
        for row in table.itertuples(index=False)
    ]
    return "\n".join([found.sentence, *rows])


def predict_channel(
    project: ProjectFolder,
    source: Annotated[
        str, typer.Option("--from", metavar="CHANNEL", help="What is read.")
    ],
    target: Annotated[
        str, typer.Option("--to", metavar="CHANNEL", help="What is predicted.")
    ],
    steps: Annotated[int, typer.Option(help="Gradient steps of each network.")] = 300,
    name: Annotated[str | None, typer.Option(help="What to call the model.")] = None,
    output: FigureFile = None,
    folds: Annotated[
        int, typer.Option(help="Networks; each cell is judged by one unknown to it.")
    ] = 3,
    seed: Seed = 0,
    threads: Threads = None,
    as_json: Json = False,
) -> None:
    """Predict a channel from another (U-Net); what is left is told per cell.

    Channels are numbers from 0, or names. The residual of every cell becomes a column
    of the table of cells, by which the gallery can be sorted.
    """
    with talking(as_json) as talk:
        from napari_cellsci.figures.probing import checked_suffix
        from napari_cellsci.project import Project

        if output is not None:
            checked_suffix(output)
        with Project.open(project) as opened:
            use_threads(threads)
            found = opened.predict_channel(
                source,
                target,
                name=name,
                steps=steps,
                folds=folds,
                seed=seed,
                on_event=talk.on_event,
                token=talk.token,
            )
            if output is not None:
                _draw_prediction(opened, found, output)
        values = {**found.to_dict(), "output": None if output is None else str(output)}
        talk.result(
            values, f"{found.sentence}\nColumn {found.column} tells it per cell."
        )


def _draw_prediction(project: Any, found: ChannelPrediction, output: Path) -> None:
    from napari_cellsci.figures.channels import choose_cells, save_prediction

    rows = choose_cells(found.residual)
    predicted, seen = project.predicted_pictures(found, rows)
    place = found.model.places[0]
    source = project.crops(found.model.spec)[rows][:, place]
    save_prediction(output, found, rows, source, predicted, seen)
