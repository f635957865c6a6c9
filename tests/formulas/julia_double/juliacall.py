"""Stands in for juliacall, so that the real pysr works without Julia.

What pysr hands to Julia is written to ``asked.json`` in its output folder; the search
writes the hall of fame that the environment variable DOUBLE_HALL holds.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from unittest.mock import MagicMock

import numpy as np

# Whoever listens leaves a file in the folder for each line that reached them.
for _number, _line in enumerate(
    filter(None, os.environ.get("DOUBLE_FETCH", "").split("|"))
):
    sys.stdout.write(f"[juliapkg] {_line}\n")
    while not Path(os.environ["DOUBLE_HEARD"], str(_number)).exists():
        time.sleep(0.01)
Main = MagicMock(name="Main")
Main.VERSION.major, Main.VERSION.minor, Main.VERSION.patch = 1, 11, 0
_source: list[str] = []
_options: dict[str, object] = {}


def _seval(text: str) -> MagicMock:
    _source.append(text)
    return MagicMock(name=f"jl<{text[:30]}>")


def _options_of(**given: object) -> MagicMock:
    _options.update(given)
    return MagicMock(name="Options")


def _iterate(folder: Path) -> None:
    """Be busy for an iteration; after each Julia asks whether to stop."""
    with (folder / "state").open("w") as file:
        file.write("busy")
        os.fsync(file.fileno())


def _search(x: object, y: object, **given: object) -> MagicMock:
    folder = Path(str(_options["output_directory"]), str(given["run_id"]))
    folder.mkdir(parents=True, exist_ok=True)
    weights = given.get("weights")
    told = {
        "source": _source,
        "options": {name: repr(value) for name, value in _options.items()},
        "x": list(np.shape(x)),
        "x_type": str(np.asarray(x).dtype),
        "y": np.unique(np.asarray(y)).tolist(),
        "weights": None if weights is None else np.shape(weights)[-1],
        "niterations": given.get("niterations"),
        "names": list(map(str, given.get("variable_names", []))),
    }
    (folder.parent / "asked.json").write_text(json.dumps(told))
    hall = os.environ["DOUBLE_HALL"]
    (folder / "hall_of_fame.csv.bak").write_text(hall)
    stop = folder.parents[1] / "STOP"
    while "DOUBLE_ENDLESS" in os.environ and not stop.exists():
        _iterate(folder)
    (folder / "hall_of_fame.csv").write_text(hall)
    return MagicMock(name="search_output")


Main.seval.side_effect = _seval
Main.Base.include_string.side_effect = lambda module, text, name: text
Main.isa.return_value = True
Main.applicable.return_value = True
Main.copy.side_effect = lambda value: value
Main.PythonCall.PyArray.side_effect = lambda value: value
Main.take_b.return_value = b"state"
_sr = Main.SymbolicRegression
_sr.SearchUtilsModule.generate_run_id.return_value = "run"
_sr.Options.side_effect = _options_of
_sr.equation_search._jl_call_nogil = _search

AnyValue = type("AnyValue", (), {})
VectorValue = type("VectorValue", (), {})
JuliaError = type("JuliaError", (Exception,), {})


def convert(kind: object, value: object) -> object:
    """Hand values over as they are."""
    return value
