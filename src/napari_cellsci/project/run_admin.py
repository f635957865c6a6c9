"""What people do with runs: queue, start, pause, cancel, name, note, bin."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from napari_cellsci.errors import InputError
from napari_cellsci.project.bench import Bench
from napari_cellsci.project.run_files import (
    OUTPUT,
    ROOM,
    has_checkpoint,
    write_config,
    write_wish,
)
from napari_cellsci.project.run_request import RunRequest
from napari_cellsci.project.run_state import Happening, RunState, Wish, after
from napari_cellsci.project.runs import RunInfo, new_run_id, read_runs
from napari_cellsci.project.trouble import in_words

WORKER = "napari_cellsci.project.worker"
_WISHES = {
    Happening.PAUSE: Wish.PAUSE,
    Happening.GO_ON: Wish.NONE,
    Happening.CANCEL: Wish.CANCEL,
}


def one_run(bench: Bench, which: str, *, binned: bool = False) -> RunInfo:
    """Return a run by its id, the beginning or end of it, its name, or "last".

    Raises
    ------
    InputError
        If there is none, or several.
    """
    runs = read_runs(bench.store, bench.folder, binned=binned)
    if which == "last" and runs:
        return runs[-1]
    for exact in (
        [r for r in runs if r.id == which],
        [r for r in runs if r.name == which],
    ):
        if exact:
            return exact[-1]
    near = [
        r for r in runs if which and (r.id.startswith(which) or r.id.endswith(which))
    ]
    if len(near) == 1:
        return near[0]
    where = "in the bin" if binned else "in this project"
    if near:
        ids = ", ".join(run.id for run in near[:5])
        raise InputError(f"{which!r} fits several runs {where}: {ids}.")
    raise InputError(
        f"There is no run {which!r} {where}: `cellsci runs list` tells all."
    )


def queue_run(bench: Bench, request: RunRequest) -> RunInfo:
    """Keep a request as a run that somebody is about to carry out."""
    id_ = new_run_id(request.kind)
    place = bench.folder / ROOM / id_
    config = {"request": request.to_dict()}
    with in_words(bench.folder):
        place.mkdir(parents=True)
        write_config(place, config)
        with bench.store.transaction() as inside:
            inside.execute(
                "INSERT INTO runs (id, kind, name, status, config, host, pid, made_at)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    id_,
                    request.kind,
                    request.arguments.get("name"),
                    str(RunState.QUEUED),
                    json.dumps(config),
                    socket.gethostname(),
                    os.getpid(),
                    datetime.now(UTC).isoformat(timespec="milliseconds"),
                ),
            )
    return one_run(bench, id_)


def queue_again(bench: Bench, run: RunInfo) -> RunInfo:
    """Queue a run that was stopped: it goes on, from its checkpoint if it has one.

    Raises
    ------
    InputError
        If it was not stopped, or an old version began it.
    """
    fresh = one_run(bench, run.id)
    after(fresh.state, Happening.QUEUE)
    if fresh.request is None and not fresh.can_resume:
        raise InputError(
            f"The run {run.id} was begun by an older version, which did not keep what "
            "it was asked for: start a new one."
        )
    write_wish(run.folder, Wish.NONE)
    with bench.store.transaction() as inside:
        inside.execute(
            "UPDATE runs SET status = ?, message = NULL, ended_at = NULL, host = ?, "
            "pid = ? WHERE id = ?",
            (str(RunState.QUEUED), socket.gethostname(), os.getpid(), run.id),
        )
    return one_run(bench, run.id)


def request_of(run: RunInfo) -> RunRequest:
    """Return what a process that takes a queued run in hand is to do."""
    if run.kind == "encoder" and has_checkpoint(run.folder):
        threads = run.request.threads if run.request is not None else None
        return RunRequest("train_encoder", {"resume": run.id}, threads)
    assert run.request is not None
    return run.request


def spawn(bench: Bench, runs: Sequence[RunInfo]) -> subprocess.Popen[bytes]:
    """Carry queued runs out, in turn, in a process that outlives this one."""
    ids = [run.id for run in runs]
    command = [sys.executable, "-m", WORKER, str(bench.folder), *ids]
    options: dict[str, Any] = {"start_new_session": True}
    if os.name == "nt":  # pragma: no cover
        flags = "CREATE_NO_WINDOW", "CREATE_NEW_PROCESS_GROUP"
        options = {"creationflags": sum(getattr(subprocess, f) for f in flags)}
    with in_words(bench.folder), (runs[0].folder / OUTPUT).open("ab") as output:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd=bench.folder,
            **options,
        )
    with bench.store.transaction() as inside:
        inside.executemany(
            "UPDATE runs SET pid = ? WHERE id = ? AND status = 'queued'",
            [(process.pid, id_) for id_ in ids],
        )
    return process


def wish(bench: Bench, run: RunInfo, happening: Happening) -> None:
    """Pause, go on with or cancel a run in whatever process it is.

    One that is still waiting is cancelled at once.

    Raises
    ------
    InputError
        If it stands where that cannot be.
    """
    state = one_run(bench, run.id).state
    after(state, happening)
    with in_words(bench.folder):
        write_wish(run.folder, _WISHES[happening])
    if state is RunState.QUEUED and happening is Happening.CANCEL:
        with bench.store.transaction() as inside:
            inside.execute(
                "UPDATE runs SET status = ?, ended_at = ? "
                "WHERE id = ? AND status = 'queued'",
                (
                    str(RunState.CANCELLED),
                    datetime.now(UTC).isoformat(timespec="milliseconds"),
                    run.id,
                ),
            )


def rename_run(bench: Bench, run: RunInfo, name: str) -> None:
    """Give a run another name; a model it has made keeps its own.

    Raises
    ------
    InputError
        If the name is empty.
    """
    name = " ".join(name.split())
    if not name:
        raise InputError("A run needs a name of at least one letter.")
    _set(bench, run, "name", name)


def note_run(bench: Bench, run: RunInfo, note: str) -> None:
    """Write a note beside a run; an empty one takes it away."""
    _set(bench, run, "note", note.strip())


def bin_run(bench: Bench, run: RunInfo) -> None:
    """Put a run in the bin; models it made stay.

    Raises
    ------
    InputError
        If it is under way.
    """
    if run.state.busy:
        raise InputError(f"The run {run.id} is {run.status}: cancel it first.")
    _set(bench, run, "binned", 1)


def restore_run(bench: Bench, run: RunInfo) -> None:
    """Take a run out of the bin."""
    _set(bench, run, "binned", 0)


def _set(bench: Bench, run: RunInfo, column: str, value: object) -> None:
    with bench.store.transaction() as inside:
        inside.execute(f"UPDATE runs SET {column} = ? WHERE id = ?", (value, run.id))


def differences(runs: Sequence[RunInfo]) -> dict[str, list[Any]]:
    """Return the settings in which runs differ: name to a value for each run.

    What was asked for counts where the settings are not known yet.
    """
    every = [_settings(run) for run in runs]
    names = list(dict.fromkeys(name for own in every for name in own))
    rows = {name: [own.get(name) for own in every] for name in names}
    return {
        name: values
        for name, values in rows.items()
        if any(value != values[0] for value in values)
    }


def _settings(run: RunInfo) -> dict[str, Any]:
    asked = dict(run.request.arguments) if run.request is not None else {}
    asked.pop("name", None)
    asked.pop("resume", None)
    data = run.config.get("data") or {}
    threads = (run.config.get("versions") or {}).get("threads")
    found = {**asked, **run.settings, "threads": threads, "cells": data.get("cells")}
    with suppress(KeyError):
        found.update(labels=data["labels"])
    return found


def made_by(bench: Bench, run: RunInfo) -> str | None:
    """Return the name of the encoder or bundle a run has made, None if none."""
    table = {"encoder": "encoders", "heads": "bundles"}.get(run.kind)
    if table is None:
        return None
    rows = bench.store.rows(f"SELECT name FROM {table} WHERE run_id = ?", (run.id,))
    return str(rows[-1][0]) if rows else None
