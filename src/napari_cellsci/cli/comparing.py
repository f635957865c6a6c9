"""Verbs about finding and comparing heads: search, compare."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from napari_cellsci.cli.models import Seed
from napari_cellsci.cli.settings import Settings, read_settings
from napari_cellsci.cli.talk import Json, ProjectFolder, talking, use_threads

if TYPE_CHECKING:
    from napari_cellsci.heads.search import SearchResult, TrialResult
    from napari_cellsci.project.comparison import Comparison, Row, Spread

_FEW = 0.1
"""Latents that fewer heads use are not listed."""


def search(
    project: ProjectFolder,
    trials: Annotated[
        int, typer.Option(help="Settings to try, earlier sittings included.")
    ] = 200,
    runs: Annotated[int, typer.Option(help="Heads trained with each.")] = 5,
    steps: Annotated[
        int | None, typer.Option(help="Gradient steps of a head (default: 40 epochs).")
    ] = None,
    storage: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            help="Optuna storage that processes or machines share, such as "
            "sqlite:///study.db or journal:study.log; by default a file of the "
            "project.",
        ),
    ] = None,
    pareto: Annotated[
        bool, typer.Option("--pareto", help="Trade accuracy against weights.")
    ] = False,
    l1: Annotated[
        tuple[float, float] | None,
        typer.Option(metavar="FROM TO", help="Search an L1 penalty too."),
    ] = None,
    encoder: Annotated[
        str | None,
        typer.Option(help='Encoder by name, or "shipped"; by default the newest.'),
    ] = None,
    seed: Seed = 0,
    settings: Settings = None,
    threads: Annotated[
        int | None, typer.Option(help="Cores to use (default: all).")
    ] = None,
    as_json: Json = False,
) -> None:
    """Search the settings of RigL for sparse heads; begun ones are gone on with."""
    with talking(as_json) as talk:
        from napari_cellsci.project import Project

        with Project.open(project) as opened:
            talk.kept = "trials that are complete are kept: give the command again."
            use_threads(threads if threads is not None else all_cores())
            result = opened.search(
                trials,
                runs,
                steps=steps,
                storage=storage,
                pareto=pareto,
                encoder=encoder,
                seed=seed,
                on_event=talk.on_event,
                token=talk.token,
                **({} if l1 is None else {"l1_prox": l1}),
                **read_settings(settings, ("trials", "runs", "steps", "seed")),
            )
        talk.result(
            {**result.to_dict(), "pareto": pareto},
            described(result, pareto)
            + f"\nNext: cellsci train-head {project} --scheme 3 --from-search last",
        )


def all_cores() -> int:
    """Return how many cores heads may be trained on; they never wait for each other."""
    import os

    return os.cpu_count() or 1


def described(result: SearchResult, pareto: bool) -> str:
    """Say what a search found."""
    stopped = sum(trial.stopped for trial in result.trials)
    said = f"{len(result.trials)} trials, {stopped} of them stopped early. "
    said += f"The best (accuracy + sparsity = {result.best.value:.3f}):"
    lines = [said, _trial(result.best)]
    if pareto:
        lines += ["Not beaten in both accuracy and weights:"]
        lines += [_trial(trial) for trial in result.front]
    return "\n".join(lines)


def _trial(trial: TrialResult) -> str:
    settings = ", ".join(
        f"{name} {value:.4g}" for name, value in trial.settings.items()
    )
    return (
        f"  {settings}: balanced accuracy {trial.mean_accuracy:.1%}, "
        f"{trial.mean_weights:.1f} weights"
    )


def compare(
    project: ProjectFolder,
    model: Annotated[
        list[str] | None,
        typer.Option(
            help="Classifier by name, repeatable; by default the newest of "
            "every scheme."
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Print the paper's Table 1 on one's own cells, and which latents are used."""
    with talking(as_json) as talk:
        from napari_cellsci.project import Project

        with Project.open(project) as opened:
            found = opened.compare(model)
        talk.result(found.to_dict(), table(found))


def table(found: Comparison) -> str:
    """Return a comparison as lines of text."""
    head = ["scheme", "classifier", "encoder", "head", "weights", "size", "size (tree)"]
    head += ["latents", "accuracy %", "balanced %", "of the mean"]
    rows = [head, *(_cells(row) for row in found.rows)]
    widths = [max(len(row[c]) for row in rows) for c in range(len(head))]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        for row in rows
    ]
    lines = [line.rstrip() for line in lines]
    lines.append(f"Held out by {found.unit}; mean ± sd over heads.")
    for row in found.rows:
        if row.scheme >= 3 and row.used is not None:
            lines.append(_consensus(row))
    return "\n".join([*lines, *found.notes])


def _cells(row: Row) -> list[str]:
    return [
        str(row.scheme),
        row.name,
        row.encoder,
        f"{row.models} × {row.head}",
        _spread(row.weights, 0, varies=row.scheme >= 3),
        _spread(row.size_paper, 0, varies=row.scheme >= 3),
        _spread(row.size_tree, 0, varies=row.scheme >= 3),
        "–" if row.inputs is None else _spread(row.inputs, 1, varies=row.scheme >= 3),
        _spread(row.accuracy, 1, 100),
        _spread(row.balanced_accuracy, 1, 100),
        f"{100 * row.ensemble:.1f}",
    ]


def _spread(
    value: Spread, digits: int, factor: float = 1, *, varies: bool = True
) -> str:
    if value.mean != value.mean:
        return "–"
    said = f"{factor * value.mean:,.{digits}f}"
    return f"{said} ± {factor * value.sd:.{digits}f}" if varies else said


def _consensus(row: Row) -> str:
    assert row.used is not None
    shares: dict[str, Any] = dict(row.used)
    told = [f"{label} {share:.0%}" for label, share in shares.items() if share >= _FEW]
    return f"{row.name!r} reads, in so many of its heads: {', '.join(told) or 'none'}."
