"""The verbs about sparse heads: train-head --scheme 3, search, compare, score."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Run = Callable[..., Any]


@pytest.fixture
def project(bundle: Path, tmp_path: Path) -> Path:
    """A labelled project of one's own with an encoder and a classifier "small"."""
    shutil.copytree(bundle.parents[1], tmp_path / "p")
    return tmp_path / "p"


def test_sparse_heads_are_trained_scored_and_compared(
    run: Run, ask: Run, project: Path, tmp_path: Path
) -> None:
    sparse = ("--scheme", 3, "--models", 2, "--mode", "eliminate", "--name", "few")
    told = run("train-head", project, *sparse).stdout
    assert "Sparse: " in told
    assert "of 4 latents a head; expression size" in told
    scored = run("score", project, "--model", "few", "-o", tmp_path / "s.csv")
    assert "cells scored by 'few'" in scored.stdout
    found = ask("compare", project)
    assert [row["name"] for row in found["rows"]] == ["small", "few"]
    assert found["rows"][1]["weights"]["mean"] <= 25
    table = run("compare", project).stdout
    assert "2 × sparse, eliminate" in table
    assert "'few' reads, in so many of its heads: " in table
    assert "'few' keeps" in table
    only = run("compare", project, "--model", "small").stdout
    assert "few" not in only


def test_a_search_and_its_best_settings(run: Run, ask: Run, project: Path) -> None:
    few = ("--trials", 2, "--runs", 2, "--steps", 80)
    told = run("search", project, *few).stdout
    assert "2 trials, 0 of them stopped early" in told
    assert "--scheme 3 --from-search last" in told
    again = ask("search", project, *few)  # nothing is left to do
    assert again["trials"] == 2
    best = again["best"]["settings"]
    trained = ask(
        *("train-head", project, "--scheme", 3, "--models", 1),
        *("--from-search", "last"),
    )
    assert trained["sparse"]["active_weights"][0] <= 60
    assert 0.95 <= best["sparsity"] <= 0.97
    front = run("search", project, *few, "--pareto", "--l1", 0, 0.3).stdout
    assert "Not beaten in both" in front
    assert "l1_prox" in front


def test_what_cannot_be_done_is_told_in_one_sentence(run: Run, project: Path) -> None:
    mode = ("train-head", project, "--scheme", 3, "--mode", "tiny")
    assert "no mode 'tiny'" in run(*mode, code=2).stderr
    early = ("train-head", project, "--scheme", 3, "--from-search", "last")
    assert "run `cellsci search` first" in run(*early, code=2).stderr
    done = run("train-head", project, "--mode", "paper", code=2)
    assert "scheme 3" in done.stderr
    assert "no classifier 'x'" in run("compare", project, "--model", "x", code=2).stderr
    done = run("search", project, "--storage", "nowhere://x", code=2)
    assert "cannot be used for a search" in done.stderr
