from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
import pytest
from typer.testing import Result

from napari_cellsci.cells import simulator
from napari_cellsci.cli import demo
from napari_cellsci.figures.overview import describe, draw
from napari_cellsci.project import Bundle, Project, Scores, bundles

Run = Callable[..., Result]
PNG = b"\x89PNG\r\n"


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch, bundle: Path) -> None:
    """A sample of a moment, scored by a small classifier."""
    config = simulator.SimulationConfig(frames=8, cells=14, size=160, seed=1)
    monkeypatch.setattr(simulator, "SimulationConfig", lambda: config)
    monkeypatch.setattr(bundles, "shipped_folder", lambda: bundle)


def test_without_a_window_it_writes_scores_and_a_picture(
    run: Run, small: None, tmp_path: Path
) -> None:
    out = tmp_path / "demo"
    done = run("demo", "--out", out, "--headless")
    assert "balanced accuracy against the known truth" in done.stdout
    assert "To see the window" in done.stdout
    cells = len(pd.read_csv(out / "sample" / "truth.csv"))
    assert len(pd.read_csv(out / "scores.csv")) == cells
    assert (out / "overview.png").read_bytes().startswith(PNG)
    with Project.open(out / "mitosis") as project:
        assert project.cells["area"].notna().any()
    again = run("demo", "--out", out, "--screenshot", tmp_path / "picture.png")
    assert (tmp_path / "picture.png").read_bytes().startswith(PNG)
    assert f"{cells:,} cells" in again.stdout


def test_machines_are_told_where_things_are(
    run: Run, small: None, tmp_path: Path
) -> None:
    import json

    told = json.loads(run("demo", "--out", tmp_path / "d", "--json").stdout)
    assert Path(told["scores"]).is_file()
    assert Path(told["picture"]).is_file()
    assert 0 <= told["balanced_accuracy"] <= 1


def test_a_missing_classifier_is_one_sentence(
    run: Run, small: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bundles, "shipped_folder", lambda: tmp_path / "none")
    done = run("demo", "--out", tmp_path / "d", "--headless", code=2)
    assert "came without its classifier" in done.stderr


def test_with_a_display_the_workspace_is_opened_by_its_command(
    run: Run, small: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    called: list[tuple[str, dict[str, Any]]] = []
    napari = ModuleType("napari")
    napari.Viewer = lambda **options: "viewer"  # type: ignore[attr-defined]
    napari.run = lambda: called.append(("run", {}))  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "napari", napari)
    monkeypatch.setattr(demo, "has_display", lambda: True)
    monkeypatch.setattr(
        demo, "run_command", lambda name, **values: called.append((name, values))
    )
    run("demo", "--out", tmp_path / "d")
    project = tmp_path / "d" / "mitosis"
    assert called == [
        (
            "napari-cellsci.open_workspace",
            {"viewer": "viewer", "project": project, "score": True},
        ),
        ("run", {}),
    ]


def test_napari_without_qt_is_one_sentence(
    run: Run, small: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_qt(**options: object) -> None:
        raise ImportError("No Qt bindings could be found")

    napari = ModuleType("napari")
    napari.Viewer = no_qt  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "napari", napari)
    monkeypatch.setattr(demo, "has_display", lambda: True)
    done = run("demo", "--out", tmp_path / "d", code=2)
    assert "napari-cellsci[all]" in done.stderr


def test_the_command_is_one_of_the_manifest() -> None:
    from npe2 import PluginManifest

    manifest = PluginManifest.from_distribution("napari-cellsci")
    commands = {command.id: command for command in manifest.contributions.commands}
    assert demo.WORKSPACE in commands


def test_displays_are_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    assert not demo.has_display()
    monkeypatch.setenv("DISPLAY", ":0")
    assert demo.has_display()
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.delenv("DISPLAY")
    assert demo.has_display()


def test_the_picture_shows_the_extremes(
    sample: Path, bundle: Path, tmp_path: Path
) -> None:
    with Project.create(
        tmp_path / "p", image=sample / "movie.tif", tracks=sample / "tracks.csv"
    ) as project:
        scores = project.score(Bundle.load(bundle))
        shown = describe(project, scores, per_row=4)
        lowest, _, highest = (shown.scores[rows] for _, _, rows in shown.montage)
        assert lowest[0] == scores.table["score"].min()
        assert highest[-1] == scores.table["score"].max()
        assert all(len(crops) == 4 for _, crops, _ in shown.montage)
        assert (np.diff(highest) >= 0).all()
        figure = draw(shown)
        assert len(figure.axes) == 1 + 3 * 4 + 1
        _of_three_classes(project, scores)


def _of_three_classes(project: Project, scores: Scores) -> None:
    names = ("interphase", "metaphase", "odd")
    n = len(scores.table)
    called = np.where(np.arange(n) % 7 == 0, "odd", scores.table["prediction"])
    table = scores.table.assign(prediction=called, score=np.linspace(0.1, 2, n))
    shown = describe(project, replace(scores, table=table, classes=names), per_row=3)
    titles = [title for title, _, _ in shown.montage]
    assert titles == ["least certain", *(f"most {name}" for name in names)]
    for code, (_, _, rows) in enumerate(shown.montage[1:]):
        assert (shown.codes[rows] == code).all()
    rows = shown.montage[3][2]
    assert shown.scores[rows].max() == table["score"][called == "odd"].max()
    words = [text.get_text() for text in draw(shown).axes[-1].texts]
    assert set(names) < set(words)
    assert f"{(called == 'odd').sum():,}" in words
