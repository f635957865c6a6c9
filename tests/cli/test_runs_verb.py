from __future__ import annotations

import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import Result

from napari_cellsci.project import Project
from napari_cellsci.project.run_request import RunRequest

Run = Callable[..., Result]
Ask = Callable[..., dict[str, Any]]
SMALL = ("--set", "latent=4", "--set", "filters=4,4,8,8", "--set", "hidden=16")


@pytest.fixture
def project(sample: Path, tmp_path: Path) -> Path:
    """A project with one finished and one waiting run."""
    Project.create(
        tmp_path / "p", image=sample / "movie.tif", tracks=sample / "tracks.csv"
    ).close()
    return tmp_path / "p"


def test_a_run_of_the_command_is_kept_like_any_other(
    run: Run, ask: Ask, project: Path
) -> None:
    options = ("--preset", "quick", "--steps", "6", "--name", "little")
    made = ask("train-encoder", project, *options, *SMALL, "--set", "batch=32")
    listed = ask("runs", "list", project)["runs"]
    assert [(r["id"], r["status"], r["step"]) for r in listed] == [
        (made["run"], "done", 6)
    ]
    shown = ask("runs", "show", project, "little", "--curves")
    assert shown["made"] == "little"
    assert shown["config"]["config"]["filters"] == [4, 4, 8, 8]
    assert shown["config"]["config"]["batch"] == 32
    assert shown["curves"]["loss"]["step"][-1] == 6
    words = run("runs", "show", project).stdout
    assert "metrics" in words
    # The command that is told does the same again.
    again = [part for part in shlex.split(shown["command"])[1:] if part != "little"]
    again.remove("--name")
    repeated = ask(*again)
    assert repeated["metrics"]["loss"] == made["metrics"]["loss"]
    assert "little" in run("runs", "list", project).stdout


def test_runs_are_named_noted_binned_and_cancelled(
    run: Run, ask: Ask, project: Path
) -> None:
    with Project.open(project) as opened:
        waiting = opened.queue_run(RunRequest("train_encoder", {"steps": 5}))
    run("runs", "rename", project, waiting.id, "first")
    run("runs", "note", project, "first", "too few cells")
    shown = ask("runs", "show", project, "first")
    assert (shown["name"], shown["note"]) == ("first", "too few cells")
    assert run("runs", "delete", project, "first", code=2)
    assert ask("runs", "cancel", project, "first")["state"] == "cancelling"
    with Project.open(project) as opened:
        opened._bench.store.rows("UPDATE runs SET status = 'cancelled'")
    run("runs", "delete", project, "first")
    assert ask("runs", "list", project)["runs"] == []
    assert [r["id"] for r in ask("runs", "list", project, "--bin")["runs"]] == [
        waiting.id
    ]
    run("runs", "restore", project, "first")
    assert len(ask("runs", "list", project)["runs"]) == 1
    assert "no run" in run("runs", "show", project, "nothing", code=2).stderr


@pytest.mark.parametrize("given", ["batch", "=3", "batch=", "steps=4"])
def test_a_setting_that_cannot_be_read_is_refused(
    run: Run, project: Path, given: str
) -> None:
    refused = run("train-encoder", project, "--set", given, code=2)
    assert "NAME=VALUE" in refused.stderr or "--steps" in refused.stderr
