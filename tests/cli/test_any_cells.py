"""The same verbs on cells of a movie, and on images of single cells without tracks."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from napari_cellsci.formulas.engines import Found, Status
from napari_cellsci.formulas.expression import Expression
from napari_cellsci.formulas.fronts import front_of

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
def source(request: Any, sample: Path, tmp_path: Path) -> tuple[list[Any], Path]:
    """The arguments of `new`, and the labels."""
    if request.param == "movie":
        movie = ["--image", sample / "movie.tif", "--tracks", sample / "tracks.csv"]
        return movie, sample / "truth.csv"
    np.savez(tmp_path / "cells.npz", images=round_or_long(40))
    labels = tmp_path / "labels.csv"
    names = np.where(np.arange(40) % 2, "metaphase", "interphase")
    table = {"index": range(40), "class": names, "dish": np.arange(40) // 4}
    pd.DataFrame(table).to_csv(labels, index=False)
    # The verb reads labels too; here it reads groups, and import-labels the rest.
    images = ["--images", tmp_path / "cells.npz", "--size", 48]
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
    assert [bundle["scheme"] for bundle in ask("info", p)["bundles"]] == [2, 3, 1, 4]
    if "--images" in arguments:
        assert table["image"].tolist()[7] == "cells 07"
        assert set(table["original_height"]) == {40}
        assert (scores["t"] == 0).all()


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
    moved = tmp_path / "moved"
    shutil.move(tmp_path / "set", moved)
    run("relocate", tmp_path / "p", "--image", moved, "--movie", "set")
    for wrong, words in {
        ("new", tmp_path / "q"): "nothing to crop",
        ("new", tmp_path / "q", "--images", tmp_path / "gone"): "no file or folder",
        ("new", tmp_path / "q", "--image", "m.tif", "--tile", 3, 3): "single cells",
        ("add", tmp_path / "p"): "nothing to crop",
    }.items():
        assert words in " ".join(run(*wrong, code=2).stderr.split())
