"""How the command talks: progress on stderr, results on stdout, trouble in a sentence.

Exit codes: 0 done, 1 a defect of ours, 2 something given cannot be used, 130 cancelled.
"""

from __future__ import annotations

import json
import os
import signal
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated, Any

import typer

from napari_cellsci.disk import disk_in_words
from napari_cellsci.errors import InputError
from napari_cellsci.tasks import (
    Cancelled,
    CancelToken,
    Checkpoint,
    Done,
    Event,
    Log,
    Progress,
    Step,
)

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress as Bars
    from rich.progress import TaskID

Json = Annotated[
    bool, typer.Option("--json", help="Print one JSON object and nothing else.")
]
ProjectFolder = Annotated[
    Path, typer.Argument(metavar="PROJECT", help="The project's folder.")
]


class Talk:
    """One verb's conversation with whoever typed it.

    Parameters
    ----------
    as_json : bool
        Whether a machine listens: then nothing is said but the result.
    """

    def __init__(self, as_json: bool) -> None:
        from rich.console import Console

        self.as_json = as_json
        self.token = CancelToken()
        self.checkpoint: Checkpoint | None = None
        self.kept: str | None = None
        """What is kept if the work is cancelled, in a sentence."""
        self._console = Console(stderr=True, quiet=as_json, highlight=False)
        self._bars = _new_bars(self._console)
        self._tasks: dict[str, TaskID] = {}

    def __enter__(self) -> Talk:
        self._bars.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._bars.stop()

    def on_event(self, event: Event) -> None:
        """Show an event of the work."""
        if isinstance(event, Progress):
            self._advance(event.what, event.done, event.total)
        elif isinstance(event, Step):
            self._advance("Training", event.step, event.total, event.metrics)
        elif isinstance(event, Checkpoint):
            self.checkpoint = event
        elif isinstance(event, Log):
            style = "yellow" if event.level == "warning" else "dim"
            self._console.print(event.message, style=style)
        elif isinstance(event, Done):
            self._finish_all()

    def _advance(
        self,
        what: str,
        done: int,
        total: int,
        metrics: Mapping[str, float] | None = None,
    ) -> None:
        if what not in self._tasks:
            self._finish_all()
            self._tasks[what] = self._bars.add_task(what, total=None, numbers="")
        shown = _shown(metrics or {})
        numbers = "  ".join(f"{name} {value:.3g}" for name, value in shown.items())
        self._bars.update(
            self._tasks[what], completed=done, total=total or None, numbers=numbers
        )

    def _finish_all(self) -> None:
        for task in self._bars.tasks:
            if task.total is None:
                self._bars.update(task.id, total=1, completed=1)
            self._bars.stop_task(task.id)

    def say(self, sentence: str) -> None:
        """Say something to a person."""
        self._console.print(sentence, markup=False)

    def result(self, values: Mapping[str, Any], text: str) -> None:
        """Give the result: `values` to a machine, `text` to a person."""
        self._bars.stop()
        if self.as_json:
            from napari_cellsci.project.plain import plain

            typer.echo(json.dumps(plain(values), allow_nan=False, default=str))
        else:
            typer.echo(text)


def _shown(metrics: Mapping[str, float]) -> dict[str, float]:
    """Pick the two metrics that tell most of how a training goes."""
    found = {name: metrics[name] for name in ("mse", "active") if name in metrics}
    return found or {name: metrics[name] for name in ("loss",) if name in metrics}


def _new_bars(console: Console) -> Bars:
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )
    from rich.progress import Progress as Bars

    return Bars(
        TextColumn("{task.description:<18}"),
        BarColumn(24, complete_style="#0072B2", finished_style="#009E73"),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[numbers]}", style="dim"),
        console=console,
        disable=console.quiet or not console.is_terminal,
    )


@contextmanager
def talking(as_json: bool) -> Iterator[Talk]:
    """Carry out a verb: Ctrl-C cancels, and errors become one sentence and a code."""
    talk = Talk(as_json)
    try:
        with _interrupts(talk), talk, disk_in_words(Path.cwd()):
            yield talk
    except InputError as error:
        raise _end(str(error), 2, as_json) from error
    except (Cancelled, KeyboardInterrupt) as error:
        raise _end(_cancelled(talk), 130, as_json) from error
    except Exception as error:
        if os.environ.get("CELLSCI_TRACEBACK"):
            raise
        sentence = (
            f"cellsci failed ({type(error).__name__}: {error}): this is a defect of "
            "ours; please report it with what CELLSCI_TRACEBACK=1 prints."
        )
        raise _end(sentence, 1, as_json) from error


def _cancelled(talk: Talk) -> str:
    if talk.kept is not None:
        return f"Cancelled; {talk.kept}"
    if talk.checkpoint is None:
        return "Cancelled; nothing was changed."
    return (
        f"Cancelled at step {talk.checkpoint.step:,}; the checkpoint is kept: go on "
        "with --resume last."
    )


def _end(sentence: str, code: int, as_json: bool) -> typer.Exit:
    one_line = " ".join(sentence.split())
    typer.echo(one_line, err=True)
    if as_json:
        typer.echo(json.dumps({"error": one_line, "exit_code": code}))
    return typer.Exit(code)


def tell_usage(error: Any, as_json: bool) -> int:
    """Say what is wrong with a command line, in one sentence; return the exit code.

    Parameters
    ----------
    error : exception
        Of typer's own, with `format_message`, `exit_code` and perhaps `ctx`.
    as_json : bool
        Whether a machine listens.
    """
    message = error.format_message().strip().rstrip(".")
    context = getattr(error, "ctx", None)
    verb = "cellsci" if context is None else context.command_path
    _end(f"{message} (`{verb} --help` tells more).", error.exit_code, as_json)
    return int(error.exit_code)


@contextmanager
def _interrupts(talk: Talk) -> Iterator[None]:
    """Let the first Ctrl-C cancel at the next safe point, and the second at once."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(number: int, frame: FrameType | None) -> None:
        if talk.token.cancelled:
            raise KeyboardInterrupt
        talk.token.cancel()
        talk.say("Cancelling… (once more to stop at once)")

    before = signal.signal(signal.SIGINT, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def use_threads(count: int | None) -> None:
    """Choose how many cores torch works on; see `worker.choose_threads`."""
    from napari_cellsci.project.worker import choose_threads

    choose_threads(count)
