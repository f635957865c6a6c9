"""Verbs about what there is: info, export."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from napari_cellsci.cli.talk import Json, ProjectFolder, talking


def info(project: ProjectFolder, as_json: Json = False) -> None:
    """Say how a project stands."""
    with talking(as_json) as talk:
        from napari_cellsci.project import Project

        with Project.open(project) as opened:
            values = opened.info()
        talk.result(values, describe(values))


def describe(values: dict[str, Any]) -> str:
    """Return how a project stands, in a few lines."""
    crops = values["crops"]
    width = (
        f"{crops['fov_um']:g} µm"
        if crops["fov_um"] is not None
        else f"{crops['fov_px']:g} px"
    )
    unit = values["held_out_by"]
    labels = ", ".join(f"{count:,} {name}" for name, count in values["labels"].items())
    sets = sum(movie["kind"] == "images" for movie in values["movies"])
    counts = {"movie(s)": len(values["movies"]) - sets, "set(s) of images": sets}
    places = " and ".join(f"{n} {what}" for what, n in counts.items() if n)
    lines = [
        f"{values['name']}: {values['cells']:,} cells in {places}",
        f"  crops    {width} wide, {crops['size']} px",
        *(
            f"  {'images' if movie['kind'] == 'images' else 'movie':<8} {_movie(movie)}"
            for movie in values["movies"]
        ),
        f"  labels   {labels}",
        *_filtered(values),
        *(f"  encoder  {_encoder(encoder)}" for encoder in values["encoders"]),
        *(f"  bundle   {_bundle(bundle, unit)}" for bundle in values["bundles"]),
        *(
            f"  run      {run['id']} ({run['kind']}) {run['status']}"
            for run in values["runs"]
            if run["status"] != "done"
        ),
    ]
    return "\n".join(lines)


def _filtered(values: dict[str, Any]) -> list[str]:
    """Say how many cells are filtered out, and whether training passes over them."""
    count = values["filtered_out"]
    if not count:
        return []
    which = "usable cells only" if values["usable_only"] else "all cells"
    return [f"  filter   {count:,} cells filtered out; training learns from {which}"]


def _movie(movie: dict[str, Any]) -> str:
    if movie["kind"] == "images":
        skipped = len(movie["skipped"])
        return (
            f"{movie['name']}: {movie['cells']:,} images of single cells, "
            f"{movie['channels']} channel(s)"
            + f", {skipped} left out as unreadable"
            * bool(skipped)
        )
    height, width = movie["shape"]
    size = movie["pixel_size"]
    pixel = "pixel size unknown" if size is None else f"{size:g} µm a pixel"
    return (
        f"{movie['name']}: {movie['frames']} frames of {height} × {width} px, "
        f"{pixel}, {movie['cells']:,} cells"
    )


def _encoder(encoder: dict[str, Any]) -> str:
    channels = ", ".join(map(str, encoder["channels"]))
    said = f"{encoder['name']}: {encoder['title']}, {encoder['latents']} latents"
    return f"{said}, channel {channels}"


def _bundle(bundle: dict[str, Any], unit: str) -> str:
    said = f"{bundle['name']}: scheme {bundle['scheme']}, {bundle['models']} heads"
    if bundle["balanced_accuracy"] is None:
        return said
    low, high = bundle["balanced_accuracy_interval"]
    accuracy = f"{bundle['balanced_accuracy']:.3f} [{low:.3f}–{high:.3f}]"
    return f"{said}, balanced accuracy {accuracy} held out by {unit}"


def export(
    project: ProjectFolder,
    out: Annotated[
        Path,
        typer.Argument(metavar="OUT", help="File ending in .csv, .parquet, .h5ad."),
    ],
    model: Annotated[
        str | None, typer.Option(help="Whose scores; by default the newest.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Write cells, labels and scores for other programs."""
    with talking(as_json) as talk:
        from napari_cellsci.project import Project

        with Project.open(project) as opened:
            opened.export(out, model, on_event=talk.on_event, token=talk.token)
            cells = len(opened)
        talk.result(
            {"output": str(out), "cells": cells}, f"{cells:,} cells written to {out}."
        )
