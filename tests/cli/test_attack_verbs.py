from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from napari_cellsci.project import Project
from napari_cellsci.project.attack_plan import KINDS
from napari_cellsci.project.plain import plain

Run = Callable[..., Any]


@pytest.fixture
def project(bundle: Path, tmp_path: Path) -> Path:
    """A project of one's own with a classifier "small" of two heads."""
    shutil.copytree(bundle.parents[1], tmp_path / "p")
    return tmp_path / "p"


def test_cells_are_attacked_and_written(
    run: Run, ask: Run, project: Path, tmp_path: Path
) -> None:
    told = run("attack", project, "--eps", 0.2, "-o", tmp_path / "a.csv").stdout
    assert "fgsm-image" in told
    assert "grey levels" in told
    table = pd.read_csv(tmp_path / "a.csv")
    values = ask("attack", project, "--eps", 0.2, "--cells", "labelled")
    assert values["cells"] == len(table)
    latent = ask(
        "attack", project, "--kind", "fgsm-latent", "--eps", 0, "--latents", "z1, z2"
    )
    assert latent["flips"] == []


def test_models_are_judged(run: Run, ask: Run, project: Path, tmp_path: Path) -> None:
    values = ask("robustness", project, "--most", 12, "-o", tmp_path / "curves.csv")
    assert [model["bundle"] for model in values["models"]] == ["small"]
    assert len(pd.read_csv(tmp_path / "curves.csv"))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("attack", "--kind", "fgsm-sound"), "fgsm-sound"),
        (("attack", "--eps", "-1"), "-1"),
        (("attack", "--kind", "fgsm-latent", "--latents", "z99"), "z99"),
        (("attack", "--latents", "z1"), "Only attacks on latents"),
        (("attack", "-o", "a.doc"), ".doc"),
        (("attack", "--model", "a", "--bundle", "b"), "not both"),
        (("robustness", "-o", "a.doc"), ".doc"),
        (("robustness", "--model", "none"), "none"),
    ],
)
def test_what_cannot_be_attacked_is_told_in_one_sentence(
    run: Run, project: Path, arguments: tuple[str, ...], said: str
) -> None:
    verb, *options = arguments
    done = run(verb, project, *options, code=2)
    assert said in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("kind", [k for k in KINDS if k != "fgsm-neighbourhood"])
def test_every_kind_is_in_python_what_it_is_as_a_command(
    ask: Run, project: Path, kind: str
) -> None:
    told = ask("attack", project, "--kind", kind, "--cells", "1,4", "--steps", 2)
    told.pop("output")
    flips = told.pop("flips")
    with Project.open(project) as opened:
        done = opened.attack(kind=kind, cells="1,4", steps=2)  # type: ignore[arg-type]
        assert told == json.loads(json.dumps(plain(done.summary())))
        assert flips == done.flips.index.tolist()


def test_the_smallest_changes_are_told_as_in_the_window(
    run: Run, project: Path
) -> None:
    told = run("attack", project, "--kind", "minimal", "--cells", "1,4").stdout
    with Project.open(project) as opened:
        groups = opened.attack(kind="minimal", cells="1,4").smallest()
    assert groups
    assert all(group.in_words() in " ".join(told.split()) for group in groups)


def test_a_verdict_is_in_python_what_it_is_as_a_command(
    ask: Run, project: Path
) -> None:
    told = ask("robustness", project, "--most", 8)
    told.pop("output")
    with Project.open(project) as opened:
        found = opened.robustness(most=8).to_dict()
    assert told == json.loads(json.dumps(found))
