"""Verbs about labels: suggest, labels export, labels history, labels undo and redo."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from napari_cellsci.cli.talk import Json, ProjectFolder, talking

labels_app = typer.Typer(
    help="Export labels, look at their history, take back what was done, compare "
    "annotators.",
    add_completion=False,
    no_args_is_help=True,
)
Who = Annotated[
    str | None,
    typer.Option(
        "--annotator",
        help="In whose name; by default the one last set in Label, or your login name.",
    ),
]


def suggest(
    project: ProjectFolder,
    n: Annotated[int, typer.Option("-n", min=1, help="How many cells.")] = 20,
    model: Annotated[
        str | None,
        typer.Option(help="Whose doubts count; by default heads trained on the spot."),
    ] = None,
    as_json: Json = False,
) -> None:
    """List the cells most worth a label, with the reason for each."""
    with talking(as_json) as talk:
        from napari_cellsci.project import Project

        with Project.open(project) as opened:
            table = opened.suggest(n, model, on_event=talk.on_event, token=talk.token)
        text = _columns(table) if len(table) else "Every cell has a label."
        talk.result({"cells": _records(table)}, text)


@labels_app.command("export")
def export(
    project: ProjectFolder,
    out: Annotated[Path, typer.Argument(metavar="CSV", help="The file to write.")],
    as_json: Json = False,
) -> None:
    """Write all labels, with who gave them, when and how; import-labels reads them."""
    with talking(as_json) as talk:
        from napari_cellsci.project import Project

        with Project.open(project) as opened:
            count = opened.labels.export_csv(out)
        talk.result(
            {"output": str(out), "labels": count}, f"{count:,} labels written to {out}."
        )


@labels_app.command("history")
def history(
    project: ProjectFolder,
    n: Annotated[int, typer.Option("-n", min=1, help="How many, newest last.")] = 20,
    as_json: Json = False,
) -> None:
    """Say what was done to the labels, by whom and when."""
    with talking(as_json) as talk:
        from napari_cellsci.project import Project

        with Project.open(project) as opened:
            table = opened.labels.history(n)
        shown = table[["when", "who", "how", "what"]].copy()
        shown["when"] = shown["when"].str[:19].str.replace("T", " ")
        shown[""] = ["undone" if undone else "" for undone in table["undone"]]
        text = _columns(shown) if len(table) else "Nothing was labelled yet."
        talk.result({"actions": _records(table)}, text)


@labels_app.command("undo")
def undo(
    project: ProjectFolder,
    n: Annotated[int, typer.Option("-n", min=1, help="How many actions.")] = 1,
    annotator: Who = None,
    as_json: Json = False,
) -> None:
    """Take back an annotator's last actions; the history keeps them."""
    _reverse("undo", project, n, annotator, as_json)


@labels_app.command("redo")
def redo(
    project: ProjectFolder,
    n: Annotated[int, typer.Option("-n", min=1, help="How many actions.")] = 1,
    annotator: Who = None,
    as_json: Json = False,
) -> None:
    """Bring back what was last taken back."""
    _reverse("redo", project, n, annotator, as_json)


@labels_app.command("agreement")
def agreement(
    project: ProjectFolder,
    one: Annotated[str, typer.Argument(metavar="ANNOTATOR")],
    other: Annotated[str, typer.Argument(metavar="ANNOTATOR")],
    as_json: Json = False,
) -> None:
    """Compare two annotators: Cohen's κ and the cells in dispute."""
    with talking(as_json) as talk:
        from napari_cellsci.project import Project
        from napari_cellsci.project.tables import naming

        with Project.open(project) as opened:
            found = opened.labels.agreement(one, other)
            cells = opened.cells
            cells = cells.loc[found.disputed.index, naming(cells)]
            table = cells.join(found.disputed)
        values = {
            "cells": found.n,
            "kappa": found.kappa,
            "interval": list(found.interval),
            "disputed": _records(table),
        }
        text = found.sentence + ("\n" + _columns(table) if len(table) else "")
        talk.result(values, text)


def _reverse(
    kind: Literal["undo", "redo"],
    project: Path,
    n: int,
    annotator: str | None,
    as_json: bool,
) -> None:
    with talking(as_json) as talk:
        from napari_cellsci.project import Project

        with Project.open(project) as opened:
            labels = opened.labels
            labels.who = annotator or labels.who
            done = []
            for _ in range(n):
                action = labels.undo() if kind == "undo" else labels.redo()
                if action is None:
                    break
                done.append(labels.told(action))
            who, counts = labels.who, labels.counts()
        words = "\n".join(f"{kind}: {what}" for what in done)
        nothing = f"{who} has done nothing here that could be {_PAST[kind]}."
        talk.result({"actions": done, "labels": counts}, words or nothing)


_PAST = {"undo": "undone", "redo": "redone"}


def _records(table: Any) -> list[dict[str, Any]]:
    return [dict(row) for row in table.reset_index().to_dict(orient="records")]


def _columns(table: Any) -> str:
    return str(table.to_string(index=False, float_format="{:.0f}".format))
