"""Verb that compares objectives: benchmark-latents."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from napari_cellsci.cli.models import Threads
from napari_cellsci.cli.settings import comma_list
from napari_cellsci.cli.talk import Json, talking, use_threads

Count = int | None


def benchmark_latents(
    out: Annotated[
        Path, typer.Argument(metavar="OUT", help="Folder of runs and results.")
    ],
    movies: Annotated[
        Count, typer.Option(help="Simulated movies to train on (default 40).")
    ] = None,
    unseen: Annotated[
        Count, typer.Option(help="Other movies to judge by (default 8).")
    ] = None,
    size: Annotated[
        Count, typer.Option(help="Edge of a crop in px, a multiple of 16 (default 32).")
    ] = None,
    steps: Annotated[
        Count, typer.Option(help="Steps of a run in the screening (default 1500).")
    ] = None,
    final_steps: Annotated[
        Count, typer.Option(help="Steps of a run in the finals (default 6000).")
    ] = None,
    seeds: Annotated[
        Count, typer.Option(help="Runs of each finalist (default 5).")
    ] = None,
    finalists: Annotated[
        Count, typer.Option(help="Routes in the finals (default 3); 0 for none.")
    ] = None,
    methods: Annotated[
        str | None,
        typer.Option(help="Routes or methods, with commas; added to those resumed."),
    ] = None,
    frames: Annotated[
        Count, typer.Option(help="Frames of a movie (default 16).")
    ] = None,
    cells: Annotated[
        Count, typer.Option(help="Nuclei in a movie's first frame (default 32).")
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with the benchmark in OUT.")
    ] = False,
    threads: Threads = None,
    as_json: Json = False,
) -> None:
    """Compare objectives on simulated cells of known size, elongation and place.

    Every method is screened at one seed; the best of the best three routes are run at
    several. A run that is complete is a JSON file in OUT, and one that was stopped goes
    on from its checkpoint with --resume, which may also add methods. Also writes
    benchmark.md and benchmark.png. The defaults take about an hour of one core.
    """
    given = {
        "movies": movies,
        "unseen": unseen,
        "size": size,
        "steps": steps,
        "final_steps": final_steps,
        "seeds": seeds,
        "finalists": finalists,
        "frames": frames,
        "cells": cells,
    }
    with talking(as_json) as talk:
        from napari_cellsci.disk import whole_file
        from napari_cellsci.figures.latent_benchmark import save_benchmark
        from napari_cellsci.representation.benchmark.report import markdown
        from napari_cellsci.representation.benchmark.runs import run_benchmark

        use_threads(threads)
        folder = out.absolute()
        results = run_benchmark(
            folder,
            planned(folder, given, methods, resume),
            resume=resume,
            on_event=talk.on_event,
            token=talk.token,
        )
        report, picture = folder / "benchmark.md", folder / "benchmark.png"
        with whole_file(report) as part:
            part.write_text(markdown(results), encoding="utf-8")
        save_benchmark(picture, results)
        talk.result(
            {
                **results.to_dict(),
                "folder": str(folder),
                "files": [report.name, picture.name],
            },
            f"{described(results)}\n\n{report}\n{picture}",
        )


def planned(
    folder: Path, given: dict[str, int | None], methods: str | None, resume: bool
) -> Any:
    """Return the plan: the default one or the one begun, with what was asked for."""
    from dataclasses import replace

    from napari_cellsci.representation.benchmark.methods import choose_methods
    from napari_cellsci.representation.benchmark.plan import Plan
    from napari_cellsci.representation.benchmark.runs import stored_plan

    asked: dict[str, Any] = {k: v for k, v in given.items() if v is not None}
    begun = stored_plan(folder) if resume else Plan()
    if methods is not None:
        names = [method.name for method in choose_methods(comma_list(methods))]
        if resume:
            names = [method.name for method in choose_methods([*begun.methods, *names])]
        asked["methods"] = tuple(names)
    return replace(begun, **asked)


def described(results: Any) -> str:
    """Return the tables as text."""
    from napari_cellsci.representation.benchmark.report import (
        as_text,
        factor_table,
        finals_table,
        score_table,
    )

    parts = ["Screening", as_text(score_table(results.screening))]
    if results.finals:
        parts += ["\nFinals", as_text(finals_table(results))]
        parts += ["\nR² from the best pair", as_text(factor_table(results))]
    return "\n".join(parts)
