"""cellsci filter, and training on usable cells or named classes, as one types it."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from napari_cellsci.project import Project

Run = Callable[..., Any]
LITTLE = ("--runs", 2, "--steps", 2, "--method", "size")


@pytest.fixture
def project(bundle: Path, tmp_path: Path) -> Path:
    """A labelled project of one's own with masks and an encoder."""
    shutil.copytree(bundle.parents[1], tmp_path / "p")
    with Project.open(tmp_path / "p") as opened:
        bench = opened._bench
        cells = bench.cells()
        # As many cells of either kind as two runs need, told by nothing at all.
        opened.labels.set_many(cells.index[::2].tolist(), "metaphase")
    return tmp_path / "p"


def test_a_filter_is_learned_used_judged_and_taken_back(
    run: Run, ask: Run, project: Path, sample: Path, tmp_path: Path
) -> None:
    refused = run("filter", project, "--junk", "metaphase", *LITTLE, code=2)
    assert "sizes of the cells are not known" in refused.stderr
    logistic = ("--method", "logistic", "--runs", 2, "--steps", 1)
    figure = tmp_path / "filters.png"
    told = run(
        *("filter", project, "--junk", "metaphase", *logistic, "--figure", figure),
    ).stdout
    assert "logistic regression" in told
    assert "cells are filtered out" in told
    assert "labels undo" in told
    assert figure.is_file()
    with Project.open(project) as opened:
        out = len(opened.labels.left_out)
    assert out > 0
    found = ask("filter", project, "--from", "logistic-1", "--threshold", 0)
    assert found["back"] == out
    assert found["left_out"] == 0
    assert [r["method"] for r in found["reports"]] == ["cnn", "logistic"]
    assert len(found["reports"][0]["accuracy"]) == 2
    run("labels", "undo", project)
    checked = ask("filter", project, "--check")
    assert 0 <= checked["at_threshold"]["false_positives"] <= 1
    assert ask("filter", project, "--clear")["back"] == out
    assert ask("filter", project, "--usable-only")["usable_only"] is True
    assert ask("filter", project, "--all-cells")["usable_only"] is False


def test_what_cannot_be_is_refused_in_a_sentence(run: Run, project: Path) -> None:
    refused = run("filter", project, code=2)
    assert "has no cell filter" in refused.stderr
    refused = run("filter", project, "--junk", "dust", code=2)
    assert "'dust' is not a class" in refused.stderr
    refused = run("filter", project, "--junk", "metaphase", "--method", "tree", code=2)
    assert "choose one of cnn, logistic, size" in refused.stderr


def test_heads_learn_named_classes_and_pass_over_junk(
    run: Run, ask: Run, project: Path, tmp_path: Path
) -> None:
    with Project.open(project) as opened:
        opened.labels.add_class("odd")
        rows = opened.labels.as_series().index
        opened.labels.set_many(rows[::3].tolist(), "odd")
        opened.labels.leave_out(rows[::10].tolist())
    little = ("--models", 1, "--set", "min_steps=5", "--set", "epochs=1")
    figure = tmp_path / "matrix.png"
    made = ask(
        *("train-head", project, "--classes", "odd,interphase,metaphase", *little),
        *("--usable-only", "--figure", figure),
    )
    assert made["classes"] == ["odd", "interphase", "metaphase"]
    assert len(made["held_out"]["confusion"]) == 3
    assert figure.is_file()
    refused = run("train-head", project, "--classes", "odd,dust", code=2)
    assert "'dust' is not a class" in refused.stderr
