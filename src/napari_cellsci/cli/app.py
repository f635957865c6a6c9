"""The command's front door: which verbs there are, and its version."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from napari_cellsci import __version__
from napari_cellsci.cli import (
    analysis,
    attack,
    benchmark,
    cells,
    comparing,
    demo,
    discover,
    filtering,
    labels,
    latents,
    models,
    networks,
    results,
    runs,
)
from napari_cellsci.cli.talk import tell_usage

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


class OneSentence(TyperGroup):
    """Tells a verb or an option that is not known like any other trouble."""

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        windows_expand_args: bool = True,
        **extra: Any,
    ) -> Any:
        """Run the command line `args` and leave with its exit code."""
        given = list(sys.argv[1:] if args is None else args) or ["--help"]
        try:
            code = super().main(
                given, prog_name, complete_var, False, windows_expand_args, **extra
            )
        except Exception as error:
            # The classes of typer's own errors move between its versions.
            if not (standalone_mode and hasattr(error, "format_message")):
                raise
            code = tell_usage(error, "--json" in given)
        if not standalone_mode:
            return code
        sys.exit(code if isinstance(code, int) else 0)


app = typer.Typer(
    cls=OneSentence,
    help=EXAMPLE,
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
app.command("suggest")(labels.suggest)
app.add_typer(labels.labels_app, name="labels")
app.command("filter")(filtering.filter_cells)
app.command("train-encoder")(models.train_encoder)
app.command("train-head")(models.train_head)
app.command("search")(comparing.search)
app.command("discover")(discover.discover)
app.command("formula")(discover.formula)
app.command("compare")(comparing.compare)
app.add_typer(runs.app, name="runs")
app.command("score")(models.score)
app.command("network")(networks.network)
app.command("attack")(attack.attack)
app.command("robustness")(attack.robustness)
app.command("probe")(analysis.probe)
app.command("ablate")(analysis.ablate)
app.command("shared-information")(analysis.shared_information)
app.command("predict-channel")(analysis.predict_channel)
app.command("latents")(latents.latents)
app.command("info")(results.info)
app.command("export")(results.export)
app.command("benchmark-latents")(benchmark.benchmark_latents)
app.command("demo")(demo.demo)
