"""The command's front door: which verbs there are, and its version."""

from __future__ import annotations

from typing import Annotated

import typer

from napari_cellsci import __version__
from napari_cellsci.cli import (
    benchmark,
    cells,
    demo,
    latents,
    models,
    networks,
    results,
)

EXAMPLE = """\
Find out what your tracked cells are doing.

A movie with tracks becomes a project folder; every cell is cropped, encoded and scored.

[bold]Example[/bold], from nothing to scores:

  cellsci simulate sample
  cellsci new mitosis --image sample/movie.tif --tracks sample/tracks.csv
  cellsci score mitosis -o scores.csv

[bold]Your own labels[/bold] (track_id, t, class):

  cellsci import-labels mitosis labels.csv
  cellsci train-encoder mitosis
  cellsci train-head mitosis --scheme 2
  cellsci score mitosis -o scores.csv

[bold]In the window[/bold]: cellsci demo
"""

app = typer.Typer(
    help=EXAMPLE,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _say_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"cellsci {__version__}")
        raise typer.Exit


@app.callback()
def _front_door(
    version: Annotated[
        bool,
        typer.Option(
            "--version", help="Say the version.", callback=_say_version, is_eager=True
        ),
    ] = False,
) -> None:
    """Take the options that stand before a verb."""


app.command("simulate")(cells.simulate)
app.command("new")(cells.new)
app.command("add")(cells.add)
app.command("relocate")(cells.relocate)
app.command("import-labels")(cells.import_labels)
app.command("train-encoder")(models.train_encoder)
app.command("train-head")(models.train_head)
app.command("score")(models.score)
app.command("network")(networks.network)
app.command("latents")(latents.latents)
app.command("info")(results.info)
app.command("export")(results.export)
app.command("benchmark-latents")(benchmark.benchmark_latents)
app.command("demo")(demo.demo)
