from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from napari_cellsci.errors import InputError, ProjectError
from napari_cellsci.formulas import jobs
from napari_cellsci.formulas.engines import Process, checked, find_engine
from napari_cellsci.formulas.expression import Expression
from napari_cellsci.formulas.spec import Candidate, SearchSpec
from napari_cellsci.formulas.worker import Worker
from napari_cellsci.tasks import CancelToken, Log, Progress

NAMES = ("z3", "z17")
FRONT = [
    Candidate(1, 0.5, Expression.parse("-1.0")),
    Candidate(3, 0.25, Expression.parse("z3 - 0.5")),
]


def data(n: int = 60):
    x = np.random.default_rng(0).normal(size=(n, 2))
    return x, np.where(x[:, 0] * x[:, 1] > 0, 1.0, -1.0)


def a_job(spec: SearchSpec, seeds=None, parent: int | None = None) -> jobs.Job:
    x, y = data()
    job = checked("builtin", x, y, spec, NAMES, None, seeds)
    return jobs.Job(**{**_fields(job), "parent": parent or os.getpid()})


def _fields(job: jobs.Job):
    return {name: getattr(job, name) for name in job.__slots__}


@pytest.fixture
def slow():
    """Without numba a worker starts at once and is busy for long."""
    return {"CELLSCI_NO_NUMBA": "1"}


def test_a_job_reads_back(tmp_path: Path) -> None:
    job = a_job(SearchSpec(evaluations=10, operators="plain"), (5,))
    jobs.write_job(tmp_path, job)
    back = jobs.read_job(tmp_path)
    for name, value in _fields(job).items():
        np.testing.assert_array_equal(getattr(back, name), value)
    with pytest.raises(InputError, match="does not hold a search"):
        jobs.read_job(tmp_path / "nowhere")
    values = json.loads((tmp_path / jobs.JOB).read_text())
    (tmp_path / jobs.JOB).write_text(json.dumps({**values, "schema": 9}))
    with pytest.raises(InputError, match="another version"):
        jobs.read_job(tmp_path)


def test_fronts_read_back_and_bad_rows_are_left_out(tmp_path: Path) -> None:
    assert jobs.read_fronts(tmp_path) == {}
    jobs.write_fronts(tmp_path, {0: FRONT, 2: FRONT[:1]})
    with (tmp_path / jobs.FRONT).open("a") as file:
        file.write("3,5,nan,z3\n3,5,0.1,__import__('os')\n3,5\n")
    assert jobs.read_fronts(tmp_path) == {0: FRONT, 2: FRONT[:1]}


def test_a_full_disk_leaves_the_last_front(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs.write_fronts(tmp_path, {0: FRONT})

    def full(self: Path, *args: object, **given: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(ProjectError, match="full"):
        jobs.write_fronts(tmp_path, {0: FRONT[:1]})
    monkeypatch.undo()
    assert jobs.read_fronts(tmp_path) == {0: FRONT}
    assert [path.name for path in tmp_path.iterdir()] == [jobs.FRONT]


def test_the_worker_works_off_all_tasks(tmp_path: Path) -> None:
    jobs.write_job(tmp_path, a_job(SearchSpec(evaluations=2000, maxsize=7)))
    Worker(tmp_path).builtin()
    result, beat = jobs.read_result(tmp_path), jobs.read_beat(tmp_path)
    assert result is not None
    assert beat is not None
    assert result.status == "done"
    assert result.evaluations == beat.evaluations >= 2000
    assert beat.done == 1.0
    assert jobs.read_fronts(tmp_path)[0]


def test_a_killed_worker_leaves_a_front(tmp_path: Path, slow) -> None:
    x, y = data()
    killed: list[int] = []

    def on_front(fronts):
        beat = jobs.read_beat(tmp_path)
        assert beat is not None
        if not killed:
            os.kill(beat.pid, signal.SIGKILL if os.name != "nt" else signal.SIGTERM)
        killed.append(beat.pid)

    with pytest.raises(InputError, match="it ended with code"):
        Process("builtin", slow).search(
            x,
            y,
            SearchSpec(evaluations=10**9, maxsize=7),
            NAMES,
            folder=tmp_path,
            on_front=on_front,
        )
    assert killed
    assert jobs.read_fronts(tmp_path)[0]
    assert jobs.read_result(tmp_path) is None


def test_a_worker_ends_when_nobody_waits(tmp_path: Path) -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    spec = SearchSpec(evaluations=10**9, maxsize=7)
    jobs.write_job(tmp_path, a_job(spec, parent=gone.pid))
    Worker(tmp_path).builtin()
    result = jobs.read_result(tmp_path)
    assert result is not None
    assert result.status == "stopped"


def test_a_search_is_watched_and_stopped(slow) -> None:
    x, y = data()
    token, events, seen = CancelToken(), [], []

    def on_front(fronts):
        seen.append(fronts)
        token.cancel()

    found = Process("builtin", slow).search(
        x,
        np.stack([y, -y]),
        SearchSpec(evaluations=10**9, maxsize=7),
        NAMES,
        on_front=on_front,
        on_event=events.append,
        token=token,
    )
    assert found.stopped
    assert found.fronts[0]
    assert found.fronts[1] == []
    assert seen
    assert any(isinstance(event, Progress) for event in events)


def test_a_search_that_fails_says_why(tmp_path: Path, monkeypatch) -> None:
    x, y = data()
    monkeypatch.setattr(jobs, "SCHEMA", 7)
    with pytest.raises(InputError, match=r"failed: .*another version"):
        Process("builtin").search(x, y, SearchSpec(evaluations=10), NAMES)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"y": np.ones(60)}, "All cells are of one class"),
        ({"y": np.full(60, 0.3)}, "targets of the hinge loss"),
        ({"x": np.full((60, 2), np.nan)}, "not finite"),
        ({"x": np.zeros((60, 3))}, "do not fit"),
        ({"weights": np.zeros(60)}, "more than one cell"),
        ({"weights": -np.ones(60)}, "more than one cell"),
        ({"spec": SearchSpec()}, "a budget: evaluations"),
        ({"seeds": (1, 2)}, "2 seeds came with 1"),
    ],
)
def test_data_that_cannot_be_used_are_refused(change, says: str) -> None:
    x, y = data()
    given = {"x": x, "y": y, "spec": SearchSpec(evaluations=9), **change}
    with pytest.raises(InputError, match=says):
        checked(
            "builtin",
            given["x"],
            given["y"],
            given["spec"],
            NAMES,
            given.get("weights"),
            given.get("seeds"),
        )


def test_auto_says_which_engine_it_is(monkeypatch) -> None:
    events: list[object] = []
    monkeypatch.setattr("napari_cellsci.formulas.engines.julia_found", lambda: False)
    assert find_engine("auto", on_event=events.append).name == "builtin"
    assert isinstance(events[0], Log)
    assert "built-in" in events[0].message
    monkeypatch.setattr("napari_cellsci.formulas.engines.julia_found", lambda: True)
    assert find_engine("auto").name == "pysr"
    with pytest.raises(InputError, match="Engines are"):
        find_engine("eureqa")
