"""The verb filter: usable cells and junk."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from napari_cellsci.cli.settings import Settings, comma_list, read_settings
from napari_cellsci.cli.talk import Json, ProjectFolder, Talk, talking, use_threads

if TYPE_CHECKING:
    from napari_cellsci.heads.usable.cell_filter import CellFilter
    from napari_cellsci.heads.usable.compare import MethodReport
    from napari_cellsci.project import Project


Junk = Annotated[
    str | None,
    typer.Option(
        metavar="CLASSES",
        help="Learn a filter: the classes whose labelled cells are junk, a,b.",
    ),
]
Usable = Annotated[
    str | None,
    typer.Option(metavar="CLASSES", help="Usable classes; by default all others."),
]
MethodName = Annotated[
    str,
    typer.Option(
        help="The filter to keep: cnn, logistic (regression on pixels), or size "
        "(sides and their ratio). All that can be are compared."
    ),
]
Threshold = Annotated[
    float | None,
    typer.Option(
        help="Least probability of being usable; by default where the share of "
        "usable cells kept exceeds that of junk kept by most."
    ),
]
Runs = Annotated[
    int, typer.Option(min=1, help="Times that tracks are divided and judged.")
]
Steps = Annotated[int | None, typer.Option(min=1, help="Gradient steps of the CNN.")]
Source = Annotated[
    str | None,
    typer.Option(
        "--from",
        metavar="FILTER",
        help="Use a filter that was learned: by name, or the folder of one.",
    ),
]
Name = Annotated[str | None, typer.Option(help="What to call the filter.")]
Apply = Annotated[
    bool,
    typer.Option("--apply/--no-apply", help="Filter the cells, or compare only."),
]
Check = Annotated[
    bool,
    typer.Option("--check", help="Only judge a filter by the labels of PROJECT."),
]
Clear = Annotated[
    bool, typer.Option("--clear", help="Take all cells back; undo filters again.")
]
Always = Annotated[
    bool | None,
    typer.Option(
        "--usable-only/--all-cells",
        help="From now on train on usable cells only, or on all.",
    ),
]
FigureFile = Annotated[
    Path | None,
    typer.Option(help="Draw the curves: .pdf, .svg or .png."),
]
Seed = Annotated[int, typer.Option(help="Seed of every random number.")]


def filter_cells(
    project: ProjectFolder,
    junk: Junk = None,
    usable: Usable = None,
    method: MethodName = "cnn",
    threshold: Threshold = None,
    runs: Runs = 10,
    steps: Steps = None,
    source: Source = None,
    name: Name = None,
    apply: Apply = True,
    check: Check = False,
    clear: Clear = False,
    always: Always = None,
    figure: FigureFile = None,
    seed: Seed = 0,
    settings: Settings = None,
    threads: Annotated[int | None, typer.Option(help="Cores to use.")] = None,
    as_json: Json = False,
) -> None:
    """Learn which cells are junk, and filter them out; nothing is lost.

    What is filtered out stays in the project: `cellsci labels undo` takes it back.
    """
    with talking(as_json) as talk:
        from napari_cellsci.project import Project

        own = ("junk", "usable", "method", "threshold", "runs", "steps", "seed", "name")
        learned = {"runs": runs, "seed": seed, **read_settings(settings, own)}
        if steps is not None:
            learned["steps"] = steps
        with Project.open(project) as opened:
            use_threads(threads)
            if always is not None:
                opened.usable_only = always
            if clear:
                _clear(opened, talk)
            elif junk is not None:
                made = opened.learn_filter(
                    comma_list(junk),
                    comma_list(usable),
                    method=method,
                    threshold=threshold,
                    name=name,
                    on_event=talk.on_event,
                    token=talk.token,
                    **learned,
                )
                _use(opened, made, apply, figure, talk)
            elif always is not None and source is None and not check:
                _tell_setting(opened, talk)
            elif check:
                _check(opened, source, talk)
            else:
                found = opened.cell_filter(source)
                if threshold is not None:
                    found = found.with_threshold(threshold)
                _use(opened, found, apply, figure, talk)


def _use(
    opened: Project, made: CellFilter, apply: bool, figure: Path | None, talk: Talk
) -> None:
    lines = [_table(made)] if made.reports else []
    values: dict[str, Any] = {
        "filter": made.name,
        "method": made.method,
        "threshold": made.threshold,
        "junk": list(made.junk),
        "usable": list(made.usable),
        "reports": [report.to_dict() for report in made.reports],
    }
    lines.append(_chosen(made))
    if figure is not None:
        from napari_cellsci.figures.filtering import draw_filters

        draw_filters(made, figure)
        values["figure"] = str(figure)
        lines.append(f"Drawn in {figure}.")
    if apply:
        done = opened.filter(made, on_event=talk.on_event, token=talk.token)
        values |= {"out": done.out, "back": done.back, "left_out": done.left_out}
        cells = len(done.probability)
        lines.append(
            f"{done.left_out:,} of {cells:,} cells are filtered out ({done.out:,} more,"
            f" {done.back:,} taken back); `cellsci labels undo {opened.path}` takes it "
            "back."
        )
        if not opened.usable_only:
            lines.append(
                "Training still learns from all cells: give --usable-only to it, or "
                "here for always."
            )
    talk.result(values, "\n".join(lines))


def _chosen(made: CellFilter) -> str:
    if made.method == "size":
        return f"Kept: {made.name!r}, {made.judge.rule.words}."  # type: ignore[attr-defined]
    said = f"Kept: {made.name!r}, threshold {made.threshold:.3g}"
    if made.report is None:
        return said + "."
    at = made.report.curve.at(made.threshold)
    return (
        f"{said}, which lets {at['false_positives']:.1%} of junk and "
        f"{at['true_positives']:.1%} of usable cells through."
    )


def _table(made: CellFilter) -> str:
    """Return the comparison, a line per kind of filter."""
    n = len(made.reports[0].accuracy)
    runs = "1 run" if n == 1 else f"{n} runs"
    lines = [f"{' or '.join(made.junk)} as junk, {runs} on held-out cells (mean ± sd):"]
    lines += [describe_report(report) for report in made.reports]
    return "\n".join(lines)


def describe_report(report: MethodReport) -> str:
    """Return in a line what one kind of filter gets right."""
    from napari_cellsci.heads.usable.judges import CALLED

    at = report.curve.at(0.5)
    line = (
        f"  {CALLED[report.method]:<20} accuracy {_spread(report.accuracy)}, balanced "
        f"{_spread(report.balanced_accuracy)}, junk let through at 0.5 "
        f"{at['false_positives']:.1%} ± {at['false_positives_sd']:.1%}"
    )
    if report.method == "size":
        return line
    more = report.curve.at(0.94)
    return (
        f"{line}, at 0.94 {more['false_positives']:.1%}; area under ROC "
        f"{_spread(report.area, '.3f')}"
    )


def _spread(values: Any, form: str = ".1%") -> str:
    return f"{format(values.mean(), form)} ± {format(values.std(), form)}"


def _check(opened: Project, source: str | None, talk: Talk) -> None:
    found = opened.cell_filter(source)
    report = opened.check_filter(found, on_event=talk.on_event, token=talk.token)
    at = report.curve.at(found.threshold)
    n = int(report.confusion.sum())
    talk.result(
        {
            "filter": found.name,
            "threshold": found.threshold,
            "at_threshold": at,
            "report": report.to_dict(),
        },
        f"{found.name!r} on {n:,} labelled cells of this project:\n"
        + describe_report(report)
        + f"\n  at its threshold of {found.threshold:.3g} it lets "
        f"{at['false_positives']:.1%} of junk and {at['true_positives']:.1%} of usable "
        "cells through.",
    )


def _clear(opened: Project, talk: Talk) -> None:
    rows = opened.labels.left_out
    opened.labels.take_back(rows.tolist(), said="all")
    talk.result({"back": len(rows), "left_out": 0}, f"{len(rows):,} cells taken back.")


def _tell_setting(opened: Project, talk: Talk) -> None:
    left_out = len(opened.labels.left_out)
    which = "usable cells only" if opened.usable_only else "all cells"
    talk.result(
        {"usable_only": opened.usable_only, "left_out": left_out},
        f"Training learns from {which}; {left_out:,} cells are filtered out.",
    )
