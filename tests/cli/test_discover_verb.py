"""The verb discover, with an engine that knows the answer, and the fourth scheme."""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from napari_cellsci.formulas.engines import Found, Status
from napari_cellsci.formulas.expression import Expression
from napari_cellsci.formulas.fronts import front_of
from napari_cellsci.project import Project

Run = Callable[..., Any]


class Oracle:
    """Finds a line through every latent it may read."""

    name = "builtin"

    def status(self) -> Status:
        return Status("ready", "")

    def search(self, x, y, spec, names, *, weights=None, **rest) -> Found:
        mean = " + ".join(names)
        texts = ["1.0", names[0], f"3*({mean}) - 0.1", f"log({names[0]})"]
        roots = [Expression.parse(text, names).root for text in texts]
        fronts = []
        for target, weight in zip(np.atleast_2d(y), weights, strict=True):
            used = weight > 0
            own = (x[used], target[used], weight[used])
            fronts.append(front_of(roots, *own, names, spec))
        return Found(fronts, False, "oracle 1", 4, 0.1)


@pytest.fixture
def project(bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A labelled project with an encoder of 4 latents and a dense classifier."""
    monkeypatch.setattr(
        "napari_cellsci.heads.formula.find_engine", lambda name, **rest: Oracle()
    )
    shutil.copytree(bundle.parents[1], tmp_path / "p")
    return tmp_path / "p"


def test_formulas_are_found_scored_and_compared(
    run: Run, ask: Run, project: Path, tmp_path: Path
) -> None:
    verb = ("discover", project, "--runs", 2, "--inputs", "z1,z3")
    told = run(*verb, "--name", "short").stdout
    assert "classifier 'short' found by oracle 1" in told
    assert "held-out balanced accuracy" in told
    assert "metaphase where ≥ 0" in told
    assert "Forms, c for numbers:" in told
    assert "Runs that read a latent: z" in told
    assert "PySR's own rule takes" in told
    asked = ask(*verb, "--loss", "mse", "--from", "small", "--operators", "plain")
    assert asked["scheme"] == 4
    assert asked["inputs"] == [1, 3]
    assert len(asked["formulas"]) == 2
    assert {"formula", "latex", "size", "balanced_accuracy"} <= set(
        asked["formulas"][0]
    )
    scored = run("score", project, "--model", "short", "-o", tmp_path / "s.csv")
    assert "cells scored by 'short'" in scored.stdout
    found = ask("compare", project)
    rows = {row["name"]: row for row in found["rows"]}
    assert {rows[name]["scheme"] for name in rows} == {2, 4}
    assert rows["short"]["head"] == "formula, hinge"
    assert rows["short"]["size_paper"]["mean"] >= 1
    table = run("compare", project).stdout
    assert "2 × formula, mse" in table
    assert "'short' keeps" in table
    with Project.open(project) as opened:
        opened.bundle("short")
        assert opened.formula_engines()["builtin"].ready
        scores = opened.score("short", member=1)
        assert scores.member == 1
    settings = json.loads(
        (project / "models" / "short" / "model.json").read_text("utf-8")
    )
    assert settings["heads"]["members"]["kind"] == "formula"


def test_what_formulas_cannot_do_is_told_in_one_sentence(
    run: Run, project: Path
) -> None:
    verb = ("discover", project)
    assert "no latent 'z9'" in run(*verb, "--inputs", "z9", code=2).stderr
    assert "Operators are" in run(*verb, "--operators", "all", code=2).stderr
    assert "no classifier 'x'" in run(*verb, "--from", "x", code=2).stderr
    assert "needs room" in run(*verb, "--maxsize", 3, code=2).stderr


def test_formulas_tell_the_classes_apart_that_their_classifier_does(
    run: Run, ask: Run, project: Path
) -> None:
    with Project.open(project) as opened:
        trained = list(opened.classes)
        opened.labels.add_class("third")
        labelled = opened.labels.as_series()
        opened.labels.set_many(labelled[labelled == trained[0]].index[::2], "third")
        three = [*trained, "third"]
        opened.train_head(
            2, models=1, min_steps=5, epochs=1, classes=three, name="three"
        )
    verb = ("discover", project, "--runs", 1, "--inputs", "z1,z3", "--from")
    assert ask(*verb, "three", "--name", "a")["classes"] == three
    two = ("--classes", ",".join(trained))
    assert ask(*verb, "three", *two, "--name", "b")["classes"] == trained
    refused = run(*verb, "three", *two, "--loss", "mse", code=2).stderr
    assert "tells interphase, metaphase, third apart" in " ".join(refused.split())
    run("discover", project, "--runs", 1, "--inputs", "z1", "--name", "c")
    with Project.open(project) as opened:
        found = [opened.bundle(name).classes for name in "abc"]
    assert found == [tuple(three), tuple(trained), tuple(trained)]


def test_undefined_cells_have_a_name_of_their_own(project: Path) -> None:
    from dataclasses import replace

    from napari_cellsci.heads.formula_members import FormulaMembers

    with Project.open(project) as opened:
        bundle = opened.discover(runs=2, inputs=["z1"], name="logs")
        z1 = np.asarray(opened.latents(bundle.encoder))[:, 1].astype(float)
        middle = float(np.median(z1))
        texts = [f"{name}(z1 - ({middle!r}))" for name in ("log", "sqrt")]
        formulas = tuple((Expression.parse(text),) for text in texts)
        heads = replace(bundle.heads, members=FormulaMembers(formulas, 4))
        table = opened.score(replace(bundle, heads=heads)).table
        below = z1 < middle
        assert set(table["prediction"][below]) <= {"undefined", "blank"}
        assert table["score"][below].isna().all()
        assert table["score"][z1 > middle].notna().all()


def test_a_formula_written_by_hand_is_a_classifier_like_others(
    run: Run, ask: Run, project: Path, tmp_path: Path
) -> None:
    told = run("formula", project, "2*z1 - z3 + 0.5", "--name", "mine").stdout
    assert "classifier 'mine' written by hand" in told
    assert "held-out" not in told.splitlines()[1]
    found = ask("formula", project, "z1 - 0.1", "--encoder", "shipped")
    assert (found["engine"], found["inputs"], found["models"]) == ("hand", [1], 1)
    assert "may have looked" in found["held_out"]["method"]
    run("score", project, "--model", "mine", "-o", tmp_path / "s.csv")
    with Project.open(project) as opened:
        bundle = opened.bundle("mine")
        z = np.asarray(opened.latents(bundle.encoder), np.float64)
        scores = opened.score("mine").table["score"]
        np.testing.assert_allclose(scores, 2 * z[:, 1] - z[:, 3] + 0.5, atol=1e-5)
    # The newest of a scheme stands for it.
    assert found["bundle"] in {row["name"] for row in ask("compare", project)["rows"]}


@pytest.mark.parametrize(
    ("formulas", "said"),
    [
        (["2*z1 -"], "cannot be read"),
        (["z9 + 1"], "z9"),
        (["z1", "z2"], "need 1 formula"),
        (["log(0*z1 - 1)"], "no finite value"),
    ],
)
def test_formulas_that_cannot_classify_are_refused(
    run: Run, project: Path, formulas: list[str], said: str
) -> None:
    assert said in run("formula", project, *formulas, code=2).stderr
    with Project.open(project) as opened:
        assert "formula" not in [info.name for info in opened.bundles]


def test_two_windows_search_the_same_project_at_once(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    together = threading.Barrier(2, timeout=60)

    class Meeting(Oracle):
        def search(self, *given, **rest) -> Found:
            together.wait()  # both are under way, and both mean the same free name
            return super().search(*given, **rest)

    monkeypatch.setattr(
        "napari_cellsci.heads.formula.find_engine", lambda name, **rest: Meeting()
    )

    def window(first: str) -> str:
        with Project.open(project) as opened:
            return opened.discover(runs=2, inputs=[first]).name

    with ThreadPoolExecutor(2) as pool:
        names = list(pool.map(window, ("z1", "z3")))
    assert sorted(names) == ["scheme4-1", "scheme4-1-1"]
    with Project.open(project) as opened:
        for name, read in zip(names, ([1], [3]), strict=True):
            bundle = opened.bundle(name)
            assert bundle.record["inputs"] == read
            assert len(opened.score(name).table) == len(opened.cells)
