"""Training runs: a folder with settings and events, and a row on how they stand.

However a run is started (a thread of the window, a process of its own, the command
line, a script), it is kept in the same way, and whoever opens the project finds it.
"""

from __future__ import annotations

import json
import os
import platform
import secrets
import socket
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

import numpy as np

from napari_cellsci import __version__
from napari_cellsci.errors import InputError, ProjectError
from napari_cellsci.project.plain import plain
from napari_cellsci.project.run_files import (
    EVENTS,
    ROOM,
    has_kept,
    lives,
    read_wish,
    write_config,
    write_wish,
)
from napari_cellsci.project.run_pulse import Pulse, RunToken
from napari_cellsci.project.run_request import RunRequest
from napari_cellsci.project.run_state import (
    Happening,
    RunState,
    Wish,
    after,
    standing,
)
from napari_cellsci.project.run_trouble import sentence_of, trouble_of
from napari_cellsci.project.store import Store
from napari_cellsci.project.trouble import in_words
from napari_cellsci.tasks import Cancelled, CancelToken, Event, OnEvent

_ADOPTED: ContextVar[str | None] = ContextVar("adopted run", default=None)


@dataclass(frozen=True, slots=True)
class RunInfo:
    """How a training run stands.

    Parameters
    ----------
    id : str
    kind : str
        "encoder", "heads", "search", "ablation" or "channel".
    name : str, optional
        Of the encoder or bundle it makes.
    state : RunState
    message : str, optional
        Why it failed.
    config : dict
        Settings, seed, versions, hardware and fingerprint of the data.
    made_at, ended_at : str
        UTC, ISO 8601.
    folder : Path
        With config.json, events.jsonl and, for encoders, checkpoint and looks.
    note : str
        What somebody wrote about it.
    binned : bool
        Whether it is in the bin.
    """

    id: str
    kind: str
    name: str | None
    state: RunState
    message: str | None
    config: Mapping[str, Any]
    made_at: str
    ended_at: str | None
    folder: Path
    note: str = ""
    binned: bool = False

    @property
    def status(self) -> str:
        """Its state in a word."""
        return str(self.state)

    @property
    def can_resume(self) -> bool:
        """Whether it left off before its end and can go on where it was."""
        return self.kind == "encoder" and self.state.stopped

    @property
    def request(self) -> RunRequest | None:
        """What was asked for, None for runs of old versions."""
        values = self.config.get("request")
        return None if values is None else RunRequest.from_dict(values)

    @property
    def settings(self) -> Mapping[str, Any]:
        """The settings it learns with, as far as they are known."""
        found: Mapping[str, Any] = (
            self.config.get("config") or self.config.get("settings") or {}
        )
        return found


class Run:
    """A run under way: notes every event of the work and passes it on.

    Attributes
    ----------
    token : RunToken
        To be looked at by the work: whoever sees the project may pause or cancel it.
    """

    def __init__(
        self, id_: str, folder: Path, on_event: OnEvent, token: CancelToken | None
    ) -> None:
        self.id = id_
        self.folder = folder
        self.token = RunToken(token)
        self._on_event = on_event
        self._file: IO[str] | None = (folder / EVENTS).open("a", encoding="utf-8")
        owner = secrets.token_hex(8)
        self._pulse = Pulse(folder, owner, self.token)
        self._write(
            "Started",
            {
                "owner": owner,
                "pid": os.getpid(),
                "host": socket.gethostname(),
                "resumed": has_kept(folder),
            },
        )

    @property
    def taken_over(self) -> bool:
        """Whether another process went on with the run meanwhile."""
        return self._pulse.taken_over

    def on_event(self, event: Event) -> None:
        """Note an event and pass it on."""
        self._write(type(event).__name__, asdict(event))
        self._on_event(event)

    def end(self, state: RunState, error: BaseException | None = None) -> None:
        """Note how it ended."""
        self._write("Ended", _ending(state, error))

    def _write(self, kind: str, values: Mapping[str, Any]) -> None:
        if self._file is not None:
            line = {"at": _now(), "event": kind, **values}
            with in_words(self.folder):
                self._file.write(json.dumps(plain(line)) + "\n")
                self._file.flush()

    def close(self) -> None:
        """Close the file of events; later events are only passed on."""
        self._pulse.stop()
        if self._file is not None:
            file, self._file = self._file, None
            with suppress(OSError):  # a full disk has been told of before
                file.close()


def _ending(state: RunState, error: BaseException | None) -> dict[str, Any]:
    """Return what is noted of the end of a run: its state, and why it failed."""
    values: dict[str, Any] = {"state": str(state)}
    if state is RunState.FAILED and error is not None:
        values["message"] = sentence_of(error)
        values["trouble"] = str(trouble_of(error))
        values["details"] = "".join(traceback.format_exception(error))
    return values


@contextmanager
def adopting(id_: str) -> Iterator[None]:
    """Let the next run that begins inside be the one that was queued as `id_`."""
    before = _ADOPTED.set(id_)
    try:
        yield
    finally:
        _ADOPTED.reset(before)


@contextmanager
def running(
    store: Store,
    folder: Path,
    kind: str,
    name: str,
    config: Mapping[str, Any],
    on_event: OnEvent,
    *,
    token: CancelToken | None = None,
    resume: str | None = None,
) -> Iterator[Run]:
    """Keep the record of a run while the work inside goes on.

    The run counts as done once what it made is registered (`add_encoder`,
    `add_bundle`); leaving by an exception marks it cancelled or failed and keeps its
    folder.

    Raises
    ------
    InputError
        If the run to be resumed is in another's hands.
    """
    id_ = resume or _ADOPTED.get() or new_run_id(kind)
    place = folder / ROOM / id_
    with in_words(folder):
        place.mkdir(parents=True, exist_ok=True)
        _note_start(store, place, kind, name, config, keep=resume is not None)
        if resume is None:
            write_config(place, config)
        run = Run(id_, place, on_event, token)
    try:
        run.token.raise_if_cancelled()
        yield run
        run.end(RunState.DONE)
    except BaseException as error:
        stopped = isinstance(error, Cancelled | KeyboardInterrupt)
        state = RunState.CANCELLED if stopped else RunState.FAILED
        if not run.taken_over:
            # On a full disk nothing more can be written; what matters is the error.
            with suppress(ProjectError, OSError):
                run.end(state, error)
                _note_end(store, id_, state, None if stopped else sentence_of(error))
        raise
    finally:
        run.close()


def _note_start(
    store: Store,
    place: Path,
    kind: str,
    name: str,
    config: Mapping[str, Any],
    *,
    keep: bool,
) -> None:
    """Take a run in hand, if nobody else has it; `keep` its settings if resumed."""
    with store.transaction() as inside:
        query = "SELECT status, pid, host FROM runs WHERE id = ?"
        row = inside.execute(query, (place.name,)).fetchone()
        wish = read_wish(place)
        if row is not None:
            stored = RunState(row["status"])
            if stored is RunState.CANCELLED and _ADOPTED.get() == place.name:
                raise Cancelled  # in the last moment before it began
            mine = stored is RunState.QUEUED
            alive = mine or lives(place, row["pid"], row["host"])
            after(standing(stored, wish, alive), Happening.START)
        if row is None or row["status"] != RunState.QUEUED:
            write_wish(place, Wish.NONE)
        inside.execute(
            "INSERT INTO runs (id, kind, name, status, config, host, pid, made_at) "
            "VALUES (?, ?, ?, 'running', ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET "
            "status = 'running', message = NULL, ended_at = NULL, name = excluded.name,"
            " host = excluded.host, pid = excluded.pid"
            + ("" if keep else ", config = excluded.config"),
            (
                place.name,
                kind,
                name,
                json.dumps(config),
                socket.gethostname(),
                os.getpid(),
                _now(),
            ),
        )


def _note_end(store: Store, id_: str, state: RunState, message: str | None) -> None:
    """Write down how a run ended, unless it has brought forth its model already."""
    with store.transaction() as inside:
        inside.execute(
            "UPDATE runs SET status = ?, message = ?, ended_at = ? "
            "WHERE id = ? AND status != 'done'",
            (str(state), message, _now(), id_),
        )


def finish(store: Store, id_: str) -> None:
    """Mark a run as done that makes neither an encoder nor a bundle."""
    _note_end(store, id_, RunState.DONE, None)


def give_up(store: Store, folder: Path, id_: str, error: BaseException) -> None:
    """Mark a queued run as failed whose work did not even begin."""
    stopped = isinstance(error, Cancelled | KeyboardInterrupt)
    state = RunState.CANCELLED if stopped else RunState.FAILED
    line = {"at": _now(), "event": "Ended", **_ending(state, error)}
    place = folder / ROOM / id_ / EVENTS
    with in_words(folder), place.open("a", encoding="utf-8") as file:
        file.write(json.dumps(plain(line)) + "\n")
    _note_end(store, id_, state, None if stopped else sentence_of(error))


def read_runs(store: Store, folder: Path, *, binned: bool = False) -> list[RunInfo]:
    """Return all runs, oldest first; those whose process died count as interrupted.

    Parameters
    ----------
    store : Store
    folder : Path
        Of the project.
    binned : bool
        Those in the bin instead.
    """
    query = "SELECT * FROM runs WHERE binned = ? ORDER BY made_at, id"
    return [_info(row, folder) for row in store.rows(query, (int(binned),))]


def _info(row: Any, folder: Path) -> RunInfo:
    place = folder / ROOM / row["id"]
    stored = RunState(row["status"])
    if stored.busy:
        alive = lives(place, row["pid"], row["host"])
        stored = standing(stored, read_wish(place), alive)
    return RunInfo(
        row["id"],
        row["kind"],
        row["name"],
        stored,
        row["message"],
        json.loads(row["config"]),
        row["made_at"],
        row["ended_at"],
        place,
        row["note"],
        bool(row["binned"]),
    )


def find_run(store: Store, folder: Path, id_: str) -> RunInfo:
    """Return the run called `id_`, or the last that can be resumed for "last".

    Raises
    ------
    InputError
        If there is none, or it is not one to resume.
    """
    runs = read_runs(store, folder)
    resumable = [run for run in runs if run.can_resume]
    if id_ == "last" and resumable:
        return resumable[-1]
    for run in runs:
        if run.id != id_:
            continue
        if not run.can_resume and not _is_queued_encoder(run):
            raise InputError(f"The run {id_} is {run.status}: it cannot be resumed.")
        return run
    known = ", ".join(run.id for run in resumable) or "none"
    raise InputError(f"There is no run {id_!r}; those that can be resumed: {known}.")


def _is_queued_encoder(run: RunInfo) -> bool:
    """Whether this very process was asked to go on with the run."""
    return run.kind == "encoder" and run.id == _ADOPTED.get()


def versions() -> dict[str, str]:
    """Return the versions, machine and threads that a result depends on."""
    import torch

    return {
        "napari-cellsci": __version__,
        "torch": str(torch.__version__),
        "numpy": np.__version__,
        "python": platform.python_version(),
        "machine": f"{platform.system()} {platform.machine()}",
        "threads": str(torch.get_num_threads()),
    }


def hardware() -> dict[str, Any]:
    """Return what the run runs on."""
    import torch

    cuda = torch.cuda.is_available()
    return {
        "host": socket.gethostname(),
        "processor": platform.processor() or platform.machine(),
        "cores": os.cpu_count(),
        "gpus": [
            torch.cuda.get_device_name(index)
            for index in range(torch.cuda.device_count() if cuda else 0)
        ],
    }


def new_run_id(kind: str) -> str:
    """Return a name for a run that tells when it was made."""
    stamp = datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
    return f"{stamp}-{kind}-{secrets.token_hex(2)}"


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
