"""The same verbs on cells of a movie, and on images of single cells without tracks."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import tifffile
from PIL import Image

from napari_cellsci.cells.simulator import SimulationConfig, simulate
from napari_cellsci.formulas.engines import Found, Status
from napari_cellsci.formulas.expression import Expression
from napari_cellsci.formulas.fronts import front_of
from napari_cellsci.project import Project

Run = Callable[..., Any]
SMALL = (
    *("--preset", "quick", "--steps", 6, "--set", "batch=16", "--set", "latent=4"),
    *("--set", "filters=4,4,8,8", "--set", "hidden=16"),
)


class Oracle:
    """Knows one formula of whatever it may read."""

    name = "builtin"

    def status(self) -> Status:
        return Status("ready", "")

    def search(self, x, y, spec, names, *, weights=None, **rest) -> Found:
        roots = [Expression.parse(text, names).root for text in ("1.0", names[0])]
        fronts = []
        for target, weight in zip(np.atleast_2d(y), weights, strict=True):
            own = (x[weight > 0], target[weight > 0], weight[weight > 0])
            fronts.append(front_of(roots, *own, names, spec))
        return Found(fronts, False, "oracle 1", 2, 0.1)


def round_or_long(n: int) -> np.ndarray[Any, Any]:
    """Return n images (3, 40, 40), every other of a long cell, with noise."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[-20:20, -20:20]
    images = rng.normal(60, 4, (n, 3, 40, 40))
    for i, image in enumerate(images):
        wide = 12 if i % 2 else 7
        cell = (x / wide) ** 2 + (y / 7) ** 2 < 1
        image += cell * rng.uniform(60, 90, (3, 1, 1))
    return images.clip(0, 255).astype(np.uint8)


@pytest.fixture(params=["movie", "images"])
def source(request: Any, tmp_path: Path) -> tuple[list[Any], Path]:
    """The arguments of `new`, and the labels."""
    if request.param == "movie":
        simulate(SimulationConfig(frames=8, cells=26, size=200, seed=2)).save(tmp_path)
        pixels = tifffile.imread(tmp_path / "movie.tif")
        three = np.stack([pixels, pixels // 2, pixels.max() - pixels], 1)
        tifffile.imwrite(tmp_path / "movie.tif", three, photometric="minisblack")
        movie = ["--image", tmp_path / "movie.tif", "--tracks", tmp_path / "tracks.csv"]
        movie += ["--axes", "TCYX", "--channel", "0,1,2", "--pixel-size", 0.333]
        return [*movie, "--size", 32], tmp_path / "truth.csv"
    np.savez(tmp_path / "cells.npz", images=round_or_long(80))
    labels = tmp_path / "labels.csv"
    names = np.where(np.arange(80) % 2, "metaphase", "interphase")
    table = {"index": range(80), "class": names, "dish": np.arange(80) // 4}
    pd.DataFrame(table).to_csv(labels, index=False)
    # The verb reads labels too; here it reads groups, and import-labels the rest.
    images = ["--images", tmp_path / "cells.npz", "--size", 32]
    return [*images, "--classes", "interphase,metaphase"], labels


def test_every_verb_works_on_any_cells(
    run: Run,
    ask: Run,
    source: tuple[list[Any], Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(
        "napari_cellsci.heads.formula.find_engine", lambda name, **rest: Oracle()
    )
    p, (arguments, labels) = tmp_path / "p", source
    made = ask("new", p, *arguments)
    n = made["cells"]
    assert ask("import-labels", p, labels)["matched"] > 30
    run("train-encoder", p, *SMALL)
    quick = ("--models", 2, "--set", "min_steps=20", "--set", "epochs=1")
    run("train-head", p, "--scheme", 2, *quick)
    run("train-head", p, "--scheme", 3, *quick, "--name", "sparse")
    cnn = ("--models", 1, "--set", "steps=2", "--set", "epochs=1", "--set", "folds=2")
    run("train-head", p, "--scheme", 1, *cnn)
    run("score", p, "--model", "sparse", "-o", tmp_path / "scores.csv")
    scores = pd.read_csv(tmp_path / "scores.csv")
    assert len(scores) == n
    assert scores["score"].notna().all()
    assert {"movie", "track_id", "t", "score", "probability"} <= set(scores)
    run("latents", p, "-o", tmp_path / "latents")
    run("discover", p, "--runs", 1, "--inputs", "z0,z1", "--name", "formula")
    attacked = ask("attack", p, "--model", "sparse", "--eps", 0.2)
    assert attacked["cells"] > 30
    run("attack", p, "--model", "sparse", "-o", tmp_path / "attacked.tif")
    run("export", p, tmp_path / "all.csv", "--model", "formula")
    table = pd.read_csv(tmp_path / "all.csv")
    assert len(table) == n
    info = ask("info", p)
    assert [bundle["scheme"] for bundle in info["bundles"]] == [2, 3, 1, 4]
    told = run("info", p).stdout
    assert "quick-1: β-TCVAE, 4 latents" in told
    assert f"held out by {info['held_out_by']}" in told
    _label_and_read(run, ask, p, tmp_path)
    _analyse(run, ask, p, tmp_path)
    if "--images" in arguments:
        assert table["image"].tolist()[7] == "cells 07"
        assert set(table["original_height"]) == {40}
        assert (scores["t"] == 0).all()


def _label_and_read(run: Run, ask: Run, p: Path, out: Path) -> None:
    """Verbs about labels, heads and runs that are there."""
    run("suggest", p)
    run("labels", "export", p, out / "labels_again.csv")
    assert len(pd.read_csv(out / "labels_again.csv")) > 30
    run("labels", "history", p)
    junk = ("--junk", "metaphase", "--method", "logistic", "--runs", 2, "--steps", 1)
    made = ask("filter", p, *junk, "--figure", out / "filter.png")
    assert ask("filter", p, "--clear")["back"] == made["left_out"]
    run("labels", "undo", p)
    run("labels", "redo", p)
    run("formula", p, "z0 - 0.1", "--name", "written")
    assert len(ask("compare", p)["rows"]) >= 4
    run("network", p, "--model", "sparse", "-o", out / "network.svg")
    run("robustness", p, "--model", "sparse", "--most", 6, "-o", out / "curves.csv")
    few = ("--trials", 1, "--runs", 1, "--steps", 30)
    run("search", p, *few)
    assert len(ask("runs", "list", p)["runs"]) > 5


def _analyse(run: Run, ask: Run, p: Path, out: Path) -> None:
    """Verbs about codes and channels."""
    assert ask("probe", p, "--folds", 2, "-o", out / "probe.png")["chance"] == 0.5
    told = ask("train-encoder", p, "--per-class", *SMALL, "--name", "own")
    assert len(told["encoders"]) == 2
    little = ("--steps", 2, "--cnn-steps", 2, "--cnn-epochs", 1, "--folds", 2)
    systems = ("--systems", "cnn,tcvae")
    found = ask("ablate", p, *systems, *little, "-o", out / "ablation.png")
    assert len(found["entries"]) == 2 * 4
    assert ask("shared-information", p)["encoders"] == ["tcvae-ch0-1", "tcvae-ch1-1"]
    between = ("--from", 0, "--to", 2, "--steps", 2, "--folds", 2)
    assert ask("predict-channel", p, *between)["column"] == "residual_0_2"


def test_folders_montages_and_what_is_wrong_with_them(
    run: Run, ask: Run, tmp_path: Path
) -> None:
    images = round_or_long(4)
    for i, image in enumerate(images):
        path = tmp_path / "set" / "ab"[i % 2] / f"{i}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image.transpose(1, 2, 0)).save(path)
    (tmp_path / "set" / "a" / "9.png").write_bytes(b"broken")
    made = ask("new", tmp_path / "p", "--images", tmp_path / "set")
    assert (made["cells"], made["classes"]) == (4, ["a", "b"])
    assert made["skipped"][0]["image"] == "a/9.png"
    assert ask("info", tmp_path / "p")["movies"][0]["skipped"] == made["skipped"]
    sheet = np.hstack([image.transpose(1, 2, 0) for image in images])
    Image.fromarray(sheet).save(tmp_path / "sheet.png")
    added = ask(
        "add", tmp_path / "p", "--images", tmp_path / "sheet.png", "--tile", 40, 40
    )
    assert (added["cells"], added["movie"]) == (8, "sheet")
    lined = np.pad(sheet.reshape(40, 4, 40, 3), ((2, 2), (0, 0), (0, 2), (0, 0)))
    lined = np.pad(lined.reshape(44, 168, 3), ((0, 0), (2, 0), (0, 0)))
    Image.fromarray(lined).save(tmp_path / "lined.png")
    tiles = ("--tile", 40, 40, "--tile-gap", 2)
    ask("add", tmp_path / "p", "--images", tmp_path / "lined.png", *tiles)
    with Project.open(tmp_path / "p") as project:  # reads them again from the file
        shown = project.movie("lined").frame(0, (0, 1, 2))
        np.testing.assert_array_equal(shown, project.movie("sheet").frame(0, (0, 1, 2)))
    moved = tmp_path / "moved"
    shutil.move(tmp_path / "set", moved)
    run("relocate", tmp_path / "p", "--image", moved, "--movie", "set")
    for wrong, words in {
        ("new", tmp_path / "q"): "nothing to crop",
        ("new", tmp_path / "q", "--images", tmp_path / "gone"): "no file or folder",
        ("new", tmp_path / "q", "--image", "m.tif", "--tile", 3, 3): "single cells",
        ("add", tmp_path / "p"): "nothing to crop",
        ("add", tmp_path / "p", "--images", "s.png", "--tile-gap", 2): "Lines are",
    }.items():
        assert words in " ".join(run(*wrong, code=2).stderr.split())
