"""Training runs: a folder with settings and events, and a row on how they stand."""

from __future__ import annotations

import json
import platform
import secrets
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

import numpy as np

from napari_cellsci import __version__
from napari_cellsci.disk import process_lives
from napari_cellsci.errors import InputError
from napari_cellsci.project.plain import plain
from napari_cellsci.project.store import Store
from napari_cellsci.project.trouble import in_words
from napari_cellsci.tasks import Cancelled, Event, OnEvent

ROOM = "runs"


@dataclass(frozen=True, slots=True)
class RunInfo:
    """How a training run stands.

    Parameters
    ----------
    id : str
    kind : str
        "encoder", "heads" or "search".
    name : str, optional
        Of the encoder or bundle it makes.
    status : str
        running, done, cancelled, failed, or interrupted (its process is gone).
    message : str, optional
        Why it failed.
    config : dict
        Settings, seed, versions and fingerprint of the data.
    made_at, ended_at : str
        UTC, ISO 8601.
    folder : Path
        With config.json, events.jsonl and, for encoders, the checkpoint.
    """

    id: str
    kind: str
    name: str | None
    status: str
    message: str | None
    config: Mapping[str, Any]
    made_at: str
    ended_at: str | None
    folder: Path

    @property
    def can_resume(self) -> bool:
        """Whether it left off before its end and can go on."""
        return self.kind == "encoder" and self.status not in ("running", "done")


class Run:
    """A run under way: notes every event of the work and passes it on."""

    def __init__(self, id_: str, folder: Path, on_event: OnEvent) -> None:
        self.id = id_
        self.folder = folder
        self._on_event = on_event
        self._file: IO[str] | None = (folder / "events.jsonl").open(
            "a", encoding="utf-8"
        )

    def on_event(self, event: Event) -> None:
        """Note an event and pass it on."""
        if self._file is not None:
            line = {"at": _now(), "event": type(event).__name__, **asdict(event)}
            self._file.write(json.dumps(plain(line)) + "\n")
            self._file.flush()
        self._on_event(event)

    def close(self) -> None:
        """Close the file of events; later events are only passed on."""
        if self._file is not None:
            self._file.close()
            self._file = None


@contextmanager
def running(
    store: Store,
    folder: Path,
    kind: str,
    name: str,
    config: Mapping[str, Any],
    on_event: OnEvent,
    *,
    resume: str | None = None,
) -> Iterator[Run]:
    """Keep the record of a run while the work inside goes on.

    The run counts as done once what it made is registered (`add_encoder`,
    `add_bundle`); leaving by an exception marks it cancelled or failed and keeps its
    folder.
    """
    id_ = resume or _new_id(kind)
    place = folder / ROOM / id_
    with in_words(folder):
        place.mkdir(parents=True, exist_ok=True)
        if resume is None:
            text = json.dumps(config, indent=1)
            (place / "config.json").write_text(text, encoding="utf-8")
        _note_start(store, id_, kind, name, config)
        run = Run(id_, place, on_event)
    try:
        yield run
    except BaseException as error:
        run.close()
        stopped = isinstance(error, Cancelled | KeyboardInterrupt)
        _note_end(store, id_, "cancelled" if stopped else "failed", _sentence(error))
        raise
    finally:
        run.close()


def _note_start(
    store: Store, id_: str, kind: str, name: str, config: Mapping[str, Any]
) -> None:
    import os

    with store.transaction() as inside:
        inside.execute(
            "INSERT INTO runs (id, kind, name, status, config, host, pid, made_at) "
            "VALUES (?, ?, ?, 'running', ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET "
            "status = 'running', message = NULL, ended_at = NULL, "
            "host = excluded.host, pid = excluded.pid",
            (
                id_,
                kind,
                name,
                json.dumps(config),
                socket.gethostname(),
                os.getpid(),
                _now(),
            ),
        )


def _note_end(store: Store, id_: str, status: str, message: str | None) -> None:
    """Write down how a run ended."""
    with store.transaction() as inside:
        inside.execute(
            "UPDATE runs SET status = ?, message = ?, ended_at = ? WHERE id = ?",
            (status, message, _now(), id_),
        )


def finish(store: Store, id_: str) -> None:
    """Mark a run as done that makes neither an encoder nor a bundle."""
    _note_end(store, id_, "done", None)


def read_runs(store: Store, folder: Path) -> list[RunInfo]:
    """Return all runs, oldest first; those whose process died count as interrupted."""
    rows = store.rows("SELECT * FROM runs WHERE binned = 0 ORDER BY made_at, id")
    return [_info(row, folder) for row in rows]


def _info(row: Any, folder: Path) -> RunInfo:
    status = row["status"]
    here = row["host"] == socket.gethostname()
    if status == "running" and here and not process_lives(row["pid"] or -1):
        status = "interrupted"
    return RunInfo(
        row["id"],
        row["kind"],
        row["name"],
        status,
        row["message"],
        json.loads(row["config"]),
        row["made_at"],
        row["ended_at"],
        folder / ROOM / row["id"],
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
        if not run.can_resume:
            raise InputError(f"The run {id_} is {run.status}: it cannot be resumed.")
        return run
    known = ", ".join(run.id for run in resumable) or "none"
    raise InputError(f"There is no run {id_!r}; those that can be resumed: {known}.")


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


def _new_id(kind: str) -> str:
    stamp = datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
    return f"{stamp}-{kind}-{secrets.token_hex(2)}"


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def _sentence(error: BaseException) -> str | None:
    if isinstance(error, Cancelled | KeyboardInterrupt):
        return None
    return str(error) or type(error).__name__
