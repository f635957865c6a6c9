from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from napari_cellsci.errors import InputError
from napari_cellsci.formulas import engines
from napari_cellsci.formulas.engines import PySR, find_engine, julia_found
from napari_cellsci.formulas.fetching import Listener, phase_of
from napari_cellsci.formulas.pysr_worker import read_hall, settings
from napari_cellsci.formulas.spec import SearchSpec
from napari_cellsci.tasks import CancelToken

DOUBLE = Path(__file__).parent / "julia_double"
FIRST = os.pathsep.join([str(DOUBLE), os.environ.get("PYTHONPATH", "")]).strip(":;")
NAMES = ("z3", "z17", "z29")
HALL = """Complexity,Loss,Equation
1,2.5f-1,"-0.8f0"
3,0.20,"z29 - 1.0e0"
5,0.10,"(z29 - z3) * z17"
7,0.09,"foo(z29) + 3"
"""
needs_pysr = pytest.mark.skipif(
    importlib.util.find_spec("pysr") is None, reason="pysr is not installed"
)
needs_julia = pytest.mark.skipif(
    not julia_found(), reason="there is no Julia with PySR's packages here"
)


def data(n: int = 80):
    x = np.random.default_rng(0).normal(size=(n, 3))
    return x, np.where((x[:, 2] - x[:, 0]) * x[:, 1] > 0, 1.0, -1.0)


def test_the_configuration_is_the_papers(tmp_path: Path) -> None:
    spec = SearchSpec(iterations=7, seed=3)
    found = settings(spec, tmp_path, tmp_path / "out")
    assert found["binary_operators"] == ["+", "-", "*", "/"]
    assert found["unary_operators"] == ["square", "exp", "log", "sin", "sqrt", "abs"]
    assert found["complexity_of_operators"] == {"sin": 3, "exp": 2, "log": 2}
    assert found["parsimony"] == 0.001
    assert found["maxsize"] == 20
    assert found["elementwise_loss"] == "L1HingeLoss()"
    assert found["batching"] is False
    assert found["deterministic"] is True
    assert found["parallelism"] == "serial"
    assert (found["random_state"], found["niterations"]) == (3, 7)
    assert found["timeout_in_seconds"] is None
    assert (
        f'isfile("{(tmp_path / "STOP").as_posix()}")' in found["early_stop_condition"]
    )
    assert found["nested_constraints"]["sin"] == {"sin": 0, "exp": 0}
    free = settings(SearchSpec(seconds=5, nested=True), tmp_path, tmp_path)
    assert "nested_constraints" not in free
    assert free["timeout_in_seconds"] == 5
    assert free["niterations"] > 10**6
    plain = settings(SearchSpec(operators="plain", loss="mse"), tmp_path, tmp_path)
    assert plain["complexity_of_operators"] == {}
    assert plain["elementwise_loss"] == "L2DistLoss()"


def test_halls_of_fame_are_read_as_they_grow() -> None:
    assert len(read_hall(HALL)) == 3
    assert len(read_hall(HALL[: len(HALL) // 2])) >= 1
    assert read_hall("") == []


@needs_pysr
def test_the_real_pysr_is_driven_without_julia(tmp_path: Path) -> None:
    x, y = data()
    weights = np.where(y > 0, 2.0, 1.0)
    weights[:10] = 0
    engine = PySR(environment={"PYTHONPATH": FIRST, "DOUBLE_HALL": HALL})
    found = engine.search(
        x,
        y,
        SearchSpec(iterations=3, seed=11),
        NAMES,
        weights=weights,
        folder=tmp_path,
    )
    assert found.engine.startswith("pysr 2.7")
    assert not found.stopped
    shown = [one.expression.pretty() for one in found.fronts[0]]
    # Losses are counted here, whatever the file says: z29 − 1 is no better than −0.8.
    assert shown == ["−0.8", "(z29 − z3) · z17"]
    used = weights > 0
    hinge = np.maximum(0, 1 + 0.8 * y[used])
    assert found.fronts[0][0].loss == pytest.approx(
        np.average(hinge, weights=weights[used])
    )
    asked = json.loads((tmp_path / "pysr-0" / "asked.json").read_text())
    assert asked["x"] == [3, 70]
    assert asked["x_type"] == "float32"
    assert asked["y"] == [-1.0, 1.0]
    assert asked["weights"] == 70
    assert asked["niterations"] == 3
    source = "\n".join(asked["source"])
    assert "L1HingeLoss()" in source
    assert "complexity_of_operators" in asked["options"]
    assert "STOP" in source
    assert asked["options"]["parsimony"] == "0.001"
    assert asked["options"]["maxsize"] == "20"
    assert int(asked["options"]["seed"]) > 0


@needs_pysr
def test_a_search_by_pysr_is_watched_and_stopped() -> None:
    x, y = data()
    token, seen = CancelToken(), []

    def on_front(fronts):
        seen.append(fronts)
        token.cancel()

    engine = PySR(
        environment={
            "PYTHONPATH": FIRST,
            "DOUBLE_HALL": HALL,
            "DOUBLE_ENDLESS": "yes",
        }
    )
    found = engine.search(
        x, y, SearchSpec(iterations=3), NAMES, on_front=on_front, token=token
    )
    assert seen
    assert found.stopped
    assert len(found.fronts[0]) == 2


@needs_pysr
def test_the_progress_of_fetching_julia_is_told(tmp_path: Path) -> None:
    x, y = data()
    steps = {
        "Downloading Julia from https://": "Fetching Julia",
        "  downloaded 20.0 MB of 250.2 MB": "Fetching Julia, 20 of 250 MB",
        "Using Julia": "Starting Julia",
    }
    phases: list[str] = []

    def listen(event: Any) -> None:
        phases.append(event.what.rpartition(",")[0])
        if phases[-1] in steps.values():
            (tmp_path / str([*steps.values()].index(phases[-1]))).touch()

    given = {"PYTHONPATH": FIRST, "DOUBLE_HALL": HALL, "DOUBLE_HEARD": str(tmp_path)}
    given["DOUBLE_FETCH"] = "|".join(steps)
    PySR(fetch_julia=True, environment=given).search(
        x, y, SearchSpec(iterations=1), NAMES, on_event=listen
    )
    told = list(dict.fromkeys(phases))
    assert [phase for phase in told if "Julia" in phase] == [*steps.values()]
    assert told.index("Starting Julia") < told.index("Searching")


def test_the_installer_is_understood() -> None:
    assert phase_of("[juliapkg] Downloading Julia from https://x") == "Fetching Julia"
    assert phase_of("             downloaded 1.0 MB of 2.0 MB") == (
        "Fetching Julia, 1 of 2 MB"
    )
    assert phase_of("           | import Pkg") == ""
    told: list[str] = []
    listener = Listener(told.append)
    for text in (
        "[juliapkg] Installing ",
        "packages:",
        "\n[juliapkg] Installing pack",
        "ages:\n",
    ):
        listener.write(text)
    assert told == ["Fetching and compiling PySR's packages for Julia"]


@needs_pysr
def test_a_missing_julia_is_said_at_once_and_nothing_is_fetched(tmp_path: Path) -> None:
    if julia_found():
        pytest.skip("there is a Julia here")
    x, y = data()
    empty = {"PATH": "", "PYTHON_JULIAPKG_PROJECT": str(tmp_path / "env")}
    engine = PySR(environment=empty)
    assert engine._environment[engines.OFFLINE] == "yes"
    assert engines.OFFLINE not in PySR(fetch_julia=True)._environment
    with pytest.raises(InputError, match="needs Julia"):
        engine.search(x, y, SearchSpec(iterations=1), NAMES)


def test_its_status_imports_nothing() -> None:
    code = (
        "import sys; from napari_cellsci.formulas.engines import PySR; "
        "print(PySR().status().state); "
        "assert not {'pysr', 'juliacall', 'juliapkg', 'numba'} & set(sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() in ("ready", "needs_julia", "not_installed")


def test_pysr_is_refused_in_words_where_it_is_not_ready(monkeypatch) -> None:
    monkeypatch.setattr(engines, "julia_found", lambda: False)
    with pytest.raises(InputError, match="Or choose the built-in engine"):
        find_engine("pysr")
    monkeypatch.setattr(engines.importlib.util, "find_spec", lambda name: None)
    assert PySR().status().state == "not_installed"
    with pytest.raises(InputError, match="not installed"):
        find_engine("pysr", fetch_julia=True)


def test_a_julia_that_was_fetched_is_found(tmp_path: Path, monkeypatch) -> None:
    for name in ("PYTHON_JULIAPKG_EXE", "PYTHON_JULIACALL_EXE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PYTHON_JULIAPKG_PROJECT", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    assert not julia_found()
    (tmp_path / "pyjuliapkg").mkdir()
    exe = tmp_path / "julia"
    exe.touch()
    meta = {"executable": str(exe), "pkgs": [{"name": "SymbolicRegression"}]}
    (tmp_path / "pyjuliapkg" / "meta.json").write_text(json.dumps(meta))
    assert julia_found()
    exe.unlink()
    assert not julia_found()


@needs_julia
def test_real_julia_finds_a_formula() -> None:
    x, y = data()
    found = find_engine("pysr").search(x, y, SearchSpec(iterations=2), NAMES)
    assert found.fronts[0]
