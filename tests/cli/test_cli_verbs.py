from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import tifffile
from typer.testing import Result

from napari_cellsci import __version__
from napari_cellsci.cli import talk
from napari_cellsci.cli.settings import comma_list
from napari_cellsci.errors import InputError
from napari_cellsci.project import Project

Run = Callable[..., Result]
Ask = Callable[..., dict[str, Any]]
Start = Callable[..., subprocess.Popen[str]]
COLUMNS = "movie,track_id,t,y,x,score,score_sd,probability,prediction,ood"


def new(run: Run, sample: Path, folder: Path, *more: object) -> Result:
    image, tracks = sample / "movie.tif", sample / "tracks.csv"
    return run("new", folder, "--image", image, "--tracks", tracks, *more)


def test_the_whole_way_from_nothing_to_scores(
    run: Run, ask: Ask, tmp_path: Path
) -> None:
    sample, project = tmp_path / "sample", tmp_path / "mitosis"
    done = run(
        *("simulate", sample, "--frames", 8, "--cells", 14, "--size", 160),
        *("--seed", 1, "--confounder", 0),
    )
    assert "8 frames" in done.stdout
    assert sorted(os.listdir(sample)) == [
        *("labels.tif", "movie.tif", "tracks.csv", "truth.csv")
    ]
    assert "cells of" in new(run, sample, project).stdout
    labelled = run("import-labels", project, sample / "truth.csv")
    assert "kept but not used in training" in labelled.stdout
    small = ("--preset", "quick", "--steps", 6, "--beta", 2, "--seed", 3)
    assert "encoder 'quick-1'" in run("train-encoder", project, *small).stdout
    trained = run("train-head", project, "--models", 2, "--name", "mine")
    assert "Balanced accuracy" in trained.stdout
    cnn = ask("train-head", project, "--scheme", 1, "--models", 1)
    assert cnn["scheme"] == 1
    assert 0 <= cnn["held_out"]["balanced_accuracy"] <= 1
    csv = tmp_path / "scores.csv"
    scored = run("score", project, "--model", "mine", "--member", 1, "-o", csv)
    assert "cells scored by 'mine'" in scored.stdout
    assert csv.read_text(encoding="utf-8").splitlines()[0] == COLUMNS
    assert len(pd.read_csv(csv)) == len(pd.read_csv(sample / "tracks.csv"))
    told = run("info", project).stdout
    assert "mine: scheme 2" in told
    assert "quick-1" in told
    run("export", project, tmp_path / "all.parquet", "--model", "mine")
    assert "score" in pd.read_parquet(tmp_path / "all.parquet").columns


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("frobnicate",), "frobnicate"),
        (("new", "P", "--image", "F", "--pixel-size", "abc"), "--pixel-size"),
        (("score", "P", "--colour"), "--colour"),
        (("score",), "PROJECT"),
    ],
)
def test_what_is_mistyped_is_told_in_one_sentence(
    run: Run, ask: Ask, arguments: tuple[str, ...], told: str
) -> None:
    done = run(*arguments, code=2)
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 1
    assert told in done.stderr
    assert "--help` tells more" in done.stderr
    assert told in ask(*arguments, code=2)["error"]


def test_alone_it_says_what_it_can_do(run: Run) -> None:
    assert "import-labels" in run().stdout


def test_machines_get_one_object_and_nothing_else(
    run: Run, ask: Ask, sample: Path, bundle: Path, tmp_path: Path
) -> None:
    project = tmp_path / "p"
    image, tracks = sample / "movie.tif", sample / "tracks.csv"
    made = ask("new", project, "--image", image, "--tracks", tracks)
    assert made["cells"] == len(pd.read_csv(tracks))
    added = ask("add", project, "--image", image, "--tracks", tracks, "--name", "two")
    assert added["movie"] == "two"
    assert len(added["movies"]) == 2
    truth = pd.read_csv(sample / "truth.csv").assign(movie="two")
    truth.to_csv(tmp_path / "truth.csv", index=False)
    report = ask("import-labels", project, tmp_path / "truth.csv")
    assert report["matched"] == len(truth)
    assert report["unmatched"] == []
    scored = ask("score", project, "--bundle", bundle, "-o", tmp_path / "s.csv")
    assert scored["cells"] == 2 * len(truth)
    assert scored["bundle"] == "small"
    assert sum(scored["predictions"].values()) == scored["cells"]
    info = ask("info", project)
    assert info["labels"]["interphase"] > 0
    done = run("export", project, tmp_path / "e.csv", "--json")
    assert done.stderr == ""
    assert json.loads(done.stdout)["cells"] == scored["cells"]


def test_unmatched_labels_are_listed(
    run: Run, ask: Ask, sample: Path, tmp_path: Path
) -> None:
    new(run, sample, tmp_path / "p")
    table = tmp_path / "labels.csv"
    table.write_text(
        "track_id,t,y,x,class\n1,0,,,metaphase\n900,0,,,metaphase\n", encoding="utf-8"
    )
    done = run("import-labels", tmp_path / "p", table)
    assert "1 row(s) found no cell" in done.stdout
    assert "row 2: there is no cell of track 900 at time 0" in done.stderr
    again = ask("import-labels", tmp_path / "p", table)
    assert [row["row"] for row in again["unmatched"]] == [2]


def test_other_classes_are_imported_when_asked_for(
    run: Run, ask: Ask, sample: Path, tmp_path: Path
) -> None:
    new(run, sample, tmp_path / "p")
    table = tmp_path / "junk.csv"
    table.write_text("track_id,t,class\n1,0,junk\n", encoding="utf-8")
    refused = run("import-labels", tmp_path / "p", table, code=2)
    assert "is a class of this project" in refused.stderr
    assert ask("import-labels", tmp_path / "p", table, "--add-classes")["unused"] == {
        "junk": 1
    }


def test_channels_planes_and_classes_are_chosen(
    run: Run, sample: Path, tmp_path: Path
) -> None:
    stack = np.zeros((8, 3, 2, 160, 160), np.uint16)
    stack[:, 1, 1] = tifffile.imread(sample / "movie.tif")
    tifffile.imwrite(
        tmp_path / "stack.tif",
        stack,
        imagej=True,
        metadata={"axes": "TZCYX"},
    )
    run(
        *("new", tmp_path / "p", "--image", tmp_path / "stack.tif"),
        *("--tracks", sample / "tracks.csv", "--fov-px", 64, "--channel", "1,0"),
        *("--z", 1, "--classes", "flat,round", "--name", "stack"),
    )
    with Project.open(tmp_path / "p") as project:
        assert project.spec.channels == (1, 0)
        assert project.spec.z == 1
        assert project.spec.fov_px == 64
        assert project.classes == ("flat", "round")
        assert project.movies[0].name == "stack"


def test_the_pixel_size_is_asked_for(run: Run, sample: Path, tmp_path: Path) -> None:
    bare = tmp_path / "bare.tif"
    tifffile.imwrite(bare, tifffile.imread(sample / "movie.tif"))
    arguments = ("new", tmp_path / "p", "--image", bare)
    tracks = ("--tracks", sample / "tracks.csv")
    done = run(*arguments, *tracks, code=2)
    assert "--pixel-size" in done.stderr
    assert done.stderr.count("\n") == 1
    assert done.stdout == ""
    run(*arguments, *tracks, "--pixel-size", 0.333, "--fov", 30)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("info", "nowhere"), "is not a cellsci project"),
        (("score", "nowhere"), "is not a cellsci project"),
        (("new", "p", "--image", "no.tif", "--tracks", "no.csv"), "no.tif"),
        (("simulate", "s", "--frames", "0"), "frames"),
        (("new", "p", "--image", "no.tif", "--z", "top"), '"max"'),
    ],
)
def test_bad_input_is_one_sentence_and_code_2(
    run: Run,
    ask: Ask,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: tuple[str, ...],
    sentence: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    done = run(*arguments, code=2)
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stderr.count("\n") == 1
    told = ask(*arguments, code=2)
    assert sentence in told["error"]
    assert os.listdir(tmp_path) == []


def test_refusals_within_a_project(
    run: Run, sample: Path, bundle: Path, tmp_path: Path
) -> None:
    project = tmp_path / "p"
    new(run, sample, project)
    assert "exists already" in new_again(run, sample, project).stderr
    assert "no encoder yet" in run_labelled(run, sample, project).stderr
    both = ("--model", "a", "--bundle", bundle)
    assert "not both" in run("score", project, *both, code=2).stderr
    member = ("--bundle", bundle, "--member", 9)
    assert "heads 0 to 1, not 9" in run("score", project, *member, code=2).stderr
    assert (
        "no preset" in run("train-encoder", project, "--preset", "best", code=2).stderr
    )
    assert "no run" in run("train-encoder", project, "--resume", "x", code=2).stderr
    assert "end it with" in run("export", project, tmp_path / "a.xyz", code=2).stderr


def new_again(run: Run, sample: Path, project: Path) -> Result:
    image, tracks = sample / "movie.tif", sample / "tracks.csv"
    return run("new", project, "--image", image, "--tracks", tracks, code=2)


def run_labelled(run: Run, sample: Path, project: Path) -> Result:
    run("import-labels", project, sample / "truth.csv")
    return run("train-head", project, code=2)


def test_a_moved_movie_is_relocated(
    run: Run, ask: Ask, sample: Path, tmp_path: Path
) -> None:
    movie = tmp_path / "movie.tif"
    movie.write_bytes((sample / "movie.tif").read_bytes())
    tracks = sample / "tracks.csv"
    run("new", tmp_path / "p", "--image", movie, "--tracks", tracks)
    movie.rename(tmp_path / "renamed.tif")
    ask("relocate", tmp_path / "p", "--image", tmp_path / "renamed.tif")
    with Project.open(tmp_path / "p") as project:
        assert project.movie().n_frames == 8


def test_a_defect_of_ours_is_one_sentence_too(
    run: Run, sample: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def explode(self: Project) -> None:
        raise RuntimeError("boom")

    new(run, sample, tmp_path / "p")
    monkeypatch.setattr(Project, "info", explode)
    done = run("info", tmp_path / "p", code=1)
    assert "RuntimeError: boom" in done.stderr
    assert "Traceback" not in done.stderr
    monkeypatch.setenv("CELLSCI_TRACEBACK", "1")
    assert isinstance(run("info", tmp_path / "p", code=1).exception, RuntimeError)


def test_help_explains_itself_and_loads_nothing_heavy() -> None:
    code = (
        "import sys\n"
        "from typer.testing import CliRunner\n"
        "from napari_cellsci.cli.app import app\n"
        "done = CliRunner().invoke(app, ['--help'])\n"
        "assert done.exit_code == 0, done.output\n"
        "print(done.output)\n"
        "heavy = {'torch', 'pandas', 'numpy', 'napari', 'sklearn'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "cellsci new mitosis --image" in done.stdout
    for verb in ("simulate", "import-labels", "train-encoder", "demo"):
        assert verb in done.stdout


def test_the_version_is_said(run: Run) -> None:
    assert run("--version").stdout.strip() == f"cellsci {__version__}"


@pytest.mark.parametrize(
    "verb",
    [
        *("simulate", "new", "add", "relocate", "import-labels", "train-encoder"),
        *("train-head", "score", "info", "export", "demo"),
    ],
)
def test_every_verb_explains_itself(run: Run, verb: str) -> None:
    text = run(verb, "--help").stdout
    assert "Usage: " in text
    assert "--json" in text


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGINT for a child")
def test_ctrl_c_is_tidy_and_keeps_the_checkpoint(
    run: Run, ask: Ask, start: Start, sample: Path, tmp_path: Path
) -> None:
    project = tmp_path / "p"
    new(run, sample, project)
    process = start("train-encoder", project, "--preset", "quick", "--steps", 100_000)
    events = wait_for_events(project, process)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert "Cancelled at step" in err
    assert "--resume last" in err
    assert "Traceback" not in err
    assert out == ""
    assert events.exists()
    status = [run["status"] for run in ask("info", project)["runs"]]
    assert status == ["cancelled"]


def wait_for_events(project: Path, process: subprocess.Popen[str]) -> Path:
    """Wait until the training has noted its first step."""
    while process.poll() is None:
        for events in project.glob("runs/*/events.jsonl"):
            if '"Step"' in events.read_text(encoding="utf-8"):
                return events
    raise AssertionError(process.communicate())


def test_a_first_interrupt_cancels_and_a_second_stops() -> None:
    before = signal.getsignal(signal.SIGINT)  # ignored in jobs of some shells
    with talk.talking(as_json=True) as said:
        signal.raise_signal(signal.SIGINT)
        assert said.token.cancelled
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is before


@pytest.mark.parametrize(
    ("cores", "threads"), [(1, 1), (2, 1), (8, 4), (64, 4), (None, 1)]
)
def test_threads_leave_room_for_others(
    monkeypatch: pytest.MonkeyPatch, cores: int | None, threads: int
) -> None:
    import torch

    chosen: list[int] = []
    monkeypatch.setattr(torch, "set_num_threads", chosen.append)
    monkeypatch.setattr(os, "cpu_count", lambda: cores)
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    talk.use_threads(None)
    assert chosen == []
    talk.use_threads(2)
    monkeypatch.delenv("OMP_NUM_THREADS")
    talk.use_threads(None)
    assert chosen == [2, threads]


def test_a_project_of_nothing_says_what_it_could_be_made_of(
    run: Run, tmp_path: Path
) -> None:
    told = run("new", tmp_path / "P", code=2).stderr
    assert len(told.splitlines()) == 1
    assert "--image, --tracks" in told
    assert "--images" in told
    assert not (tmp_path / "P").exists()


def test_names_are_listed_with_commas_and_spaces() -> None:
    assert comma_list(None) is None
    assert comma_list("inter, meta ,,ana") == ["inter", "meta", "ana"]
    with pytest.raises(InputError, match="names nothing"):
        comma_list(" , ")
