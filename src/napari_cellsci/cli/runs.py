"""Verbs about training runs: runs list, show, rename, note, delete, restore, cancel."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from napari_cellsci.cli.talk import Json, ProjectFolder, talking

if TYPE_CHECKING:
    from napari_cellsci.project.run_log import RunLog
    from napari_cellsci.project.runs import RunInfo

app = typer.Typer(
    help="Training runs of a project: what they do, and what to do with them.",
    no_args_is_help=True,
)
Which = Annotated[
    str,
    typer.Argument(
        metavar="RUN", help='Its id, the beginning or end of it, its name, or "last".'
    ),
]
_SHOWN = ("preset", "scheme", "mode", "steps", "beta", "batch", "learning_rate", "seed")


@app.command("list")
def list_runs(
    project: ProjectFolder,
    binned: Annotated[bool, typer.Option("--bin", help="Those in the bin.")] = False,
    as_json: Json = False,
) -> None:
    """List the runs of a project, oldest first, also those under way elsewhere."""
    with talking(as_json) as talk:
        from napari_cellsci.project import Project

        with Project.open(project) as opened:
            found = opened.binned_runs if binned else opened.runs
            logs = [_log(run) for run in found]
            none = "The bin is empty." if binned else "No runs yet."
            talk.result(
                {"runs": [_values(r, g) for r, g in zip(found, logs, strict=True)]},
                "\n".join(_line(r, g) for r, g in zip(found, logs, strict=True))
                or none,
            )


@app.command()
def show(
    project: ProjectFolder,
    run: Which = "last",
    curves: Annotated[
        bool, typer.Option("--curves", help="With --json: all values at all steps.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Tell how a run stands: settings, last values, trouble and what to try."""
    with talking(as_json) as talk:
        from napari_cellsci.project import Project

        with Project.open(project) as opened:
            info = opened.run(run)
            log = _log(info)
            values = {
                **_values(info, log),
                "config": dict(info.config),
                "metrics": {name: log.last(name) for name in log.curves},
                "trouble": (log.ended or {}).get("trouble"),
                "made": opened.made_by(info.id),
            }
            if info.request is not None:
                values["command"] = info.request.command(opened.path)
            if curves:
                values["curves"] = {
                    name: {"step": curve.x, "value": curve.y}
                    for name, curve in log.curves.items()
                }
            talk.result(values, _described(info, log, values))


@app.command()
def rename(
    project: ProjectFolder,
    run: Which,
    name: Annotated[str, typer.Argument(help="What to call it.")],
    as_json: Json = False,
) -> None:
    """Give a run another name; a model it has made keeps its own."""
    with talking(as_json) as talk:
        from napari_cellsci.project import Project

        with Project.open(project) as opened:
            id_ = opened.run(run).id
            opened.rename_run(id_, name)
            talk.result({"run": id_, "name": name}, f"{id_} is now called {name!r}.")


@app.command()
def note(
    project: ProjectFolder,
    run: Which,
    text: Annotated[str, typer.Argument(help="The note; an empty one is taken away.")],
    as_json: Json = False,
) -> None:
    """Write a note beside a run."""
    with talking(as_json) as talk:
        from napari_cellsci.project import Project

        with Project.open(project) as opened:
            id_ = opened.run(run).id
            opened.note_run(id_, text)
            talk.result({"run": id_, "note": text}, f"Noted beside {id_}.")


@app.command()
def delete(project: ProjectFolder, run: Which, as_json: Json = False) -> None:
    """Put a run in the bin; models it made stay, and `runs restore` takes it out."""
    with talking(as_json) as talk:
        from napari_cellsci.project import Project

        with Project.open(project) as opened:
            id_ = opened.run(run).id
            opened.delete_run(id_)
            talk.result(
                {"run": id_, "binned": True},
                f"{id_} is in the bin; `cellsci runs restore` takes it out.",
            )


@app.command()
def restore(project: ProjectFolder, run: Which, as_json: Json = False) -> None:
    """Take a run out of the bin."""
    with talking(as_json) as talk:
        from napari_cellsci.project import Project

        with Project.open(project) as opened:
            id_ = opened.run(run, binned=True).id
            opened.restore_run(id_)
            talk.result({"run": id_, "binned": False}, f"{id_} is back.")


@app.command()
def cancel(project: ProjectFolder, run: Which = "last", as_json: Json = False) -> None:
    """Ask a run to stop, in whatever window or process it is; its checkpoint stays."""
    with talking(as_json) as talk:
        from napari_cellsci.project import Project

        with Project.open(project) as opened:
            info = opened.run(run)
            opened.cancel_run(info.id)
            talk.result(
                {"run": info.id, "state": "cancelling"},
                f"{info.id} was asked to stop; it does at its next safe point.",
            )


def _log(run: RunInfo) -> RunLog:
    from napari_cellsci.project.run_log import RunLog

    log = RunLog(run.folder)
    log.update()
    return log


def _values(run: RunInfo, log: RunLog) -> dict[str, Any]:
    return {
        "id": run.id,
        "kind": run.kind,
        "name": run.name,
        "status": run.status,
        "step": log.step,
        "steps": log.total,
        "checkpoint": log.checkpoint,
        "message": run.message,
        "note": run.note,
        "made_at": run.made_at,
        "ended_at": run.ended_at,
        "can_resume": run.can_resume,
    }


def _line(run: RunInfo, log: RunLog) -> str:
    steps = f"{log.step:,} of {log.total:,}" if log.total else "-"
    note_ = f"  # {run.note}" if run.note else ""
    return f"{run.id}  {run.status:<11} {steps:<16} {run.name or '-'}{note_}"


def _described(run: RunInfo, log: RunLog, values: dict[str, Any]) -> str:
    settings = {**run.config, **run.settings}
    said = [f"{n} {settings[n]}" for n in _SHOWN if settings.get(n) is not None]
    lines = [
        _line(run, log),
        *([f"  settings  {', '.join(said)}"] if said else []),
        *([f"  made      {values['made']}"] if values["made"] else []),
    ]
    numbers = [f"{n} {v:.4g}" for n, v in values["metrics"].items() if v is not None]
    if numbers:
        lines.append(f"  metrics   {', '.join(numbers)}")
    if log.checkpoint is not None:
        lines.append(f"  kept      checkpoint of step {log.checkpoint:,}")
    if run.message:
        lines.append(f"  trouble   {run.message}")
    lines += [f"  try       {text}" for text in _advice(run, log)]
    if run.can_resume:
        lines.append(f"  go on     cellsci train-encoder PROJECT --resume {run.id}")
    if "command" in values:
        lines.append(f"  again     {values['command']}")
    return "\n".join(lines)


def _advice(run: RunInfo, log: RunLog) -> list[str]:
    from napari_cellsci.project.run_state import RunState
    from napari_cellsci.project.run_trouble import Trouble, advise

    trouble = (log.ended or {}).get("trouble")
    if run.state is RunState.INTERRUPTED:
        trouble = str(Trouble.KILLED)
    advice = advise(trouble, run.settings) if trouble else None
    return [] if advice is None else [advice.sentence]
