from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from napari_cellsci.explain.topology import Topology

Run = Callable[..., Any]


@pytest.fixture
def project(bundle: Path, tmp_path: Path) -> Path:
    """A project of one's own with a classifier "small" of two heads."""
    shutil.copytree(bundle.parents[1], tmp_path / "p")
    return tmp_path / "p"


def test_a_head_is_read_drawn_and_written(
    run: Run, ask: Run, project: Path, tmp_path: Path
) -> None:
    told = run("network", project, "-o", tmp_path / "net.svg").stdout
    assert "small, model 0 of 2 (scheme 2): 4 of 4 latents" in told
    assert "→" in told or "no effect" in told or "depends on" in told
    assert (tmp_path / "net.svg").read_text(encoding="utf-8").startswith("<?xml")
    values = ask(
        "network",
        project,
        "--model",
        "small",
        "--member",
        1,
        "--edges",
        20,
        "-o",
        tmp_path / "net.json",
    )
    assert values["member"] == 1
    assert values["inputs_used"] == [0, 1, 2, 3]
    assert values["active_weights"] == 4 * 16 + 16 * 16 * 2 + 16
    assert values["expression_size"] > values["active_weights"]
    written = json.loads((tmp_path / "net.json").read_text(encoding="utf-8"))
    assert Topology.from_json(written).n_active == values["active_weights"]


def test_what_cannot_be_drawn_is_told_in_one_sentence(
    run: Run, project: Path, tmp_path: Path
) -> None:
    assert "no head 7" in run("network", project, "--member", 7, code=2).stderr
    assert "no classifier" in run("network", project, "--model", "x", code=2).stderr
    done = run("network", project, "-o", tmp_path / "a.txt", code=2)
    assert ".svg" in done.stderr
    done = run("network", project, "--edges", 0, code=2)
    assert "At least one weight" in done.stderr
