from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import tifffile
from typer.testing import Result

from napari_cellsci.project import Project
from napari_cellsci.project.bundles import shipped_bundle
from napari_cellsci.representation.vocabulary import place_called

Run = Callable[..., Result]
Ask = Callable[..., dict[str, Any]]


@pytest.fixture
def project(sample: Path, bundle: Path, tmp_path: Path) -> Path:
    """A project with masks and no encoder of its own."""
    with Project.create(
        tmp_path / "p", image=sample / "movie.tif", tracks=sample / "labels.tif"
    ):
        return tmp_path / "p"


def test_a_table_says_what_the_latents_are(run: Run, project: Path) -> None:
    done = run("latents", project)
    lines = done.stdout.splitlines()
    assert {"name", "category", "KL", "var", "symmetry", "follows"} <= set(
        lines[0].split()
    )
    assert "cells looked at; measured: area" in lines[-1]
    table = [line for line in lines if line.startswith((" z", "       "))]
    assert max(map(len, table)) <= 132
    assert "latents active; total correlation" in done.stdout
    assert done.stdout == run("latents", project, "--encoder", "shipped").stdout


def test_machines_get_the_atlas(ask: Ask, project: Path, bundle: Path) -> None:
    told = ask("latents", project, "--encoder", bundle)
    assert [latent["index"] for latent in told["latents"]] != []
    assert {latent["symbol"] for latent in told["latents"]} == {
        *("z0", "z1", "z2", "z3")
    }
    assert told["output"] == []
    assert told["over_seeds"] == {"encoders": [], "udr": None}


def test_latents_are_named(run: Run, ask: Ask, project: Path) -> None:
    done = run("latents", project, "--name", "z3=size [red]", "--name", "z0=left")
    assert "size [red]" in done.stdout
    named = {
        latent["index"]: latent["name"] for latent in ask("latents", project)["latents"]
    }
    assert named[3] == "size [red]"
    assert named[0] == "left"
    named = {
        latent["index"]: latent["name"]
        for latent in ask("latents", project, "--name", "z3=?", "--name", "z0=")[
            "latents"
        ]
    }
    assert named[3] != "size [red]"
    assert named[0] is None


def test_names_of_the_encoder_are_told_without_masks(
    run: Run, ask: Ask, sample: Path, tmp_path: Path
) -> None:
    named = shipped_bundle().latent_names
    with Project.create(
        tmp_path / "bare", image=sample / "movie.tif", tracks=sample / "tracks.csv"
    ):
        folder = tmp_path / "bare"
    told = ask("latents", folder, "--encoder", "shipped")["latents"]
    assert {one["index"]: one["name"] for one in told if one["name"]} == named
    for one in told:
        if one["name"] and one["active"]:
            assert one["origin"] == "named with the encoder"
            assert one["category"] == place_called(one["name"])
    text = run("latents", folder, "--encoder", "shipped").stdout
    unnamed = text.partition("Without a name")[2].partition("Named with")[0]
    assert not [d for d in named if f"z{d} " in unnamed]
    first = told[0]["symbol"]
    done = run("latents", folder, "--encoder", "shipped", "--name", f"{first}=girth")
    rows = [row.split()[:3] for row in done.stdout.splitlines()]
    assert [first, "girth", "you"] in rows


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--name", "size"), "write for example --name z3=size"),
        (("--name", "z99=size"), "no latent z99"),
        (("--name", "z1=" + "x" * 50), "1 to 40 characters"),
        (("--encoder", "nothing"), "no encoder 'nothing'"),
    ],
)
def test_what_cannot_be_done_is_one_sentence(
    run: Run, project: Path, arguments: tuple[str, ...], sentence: str
) -> None:
    done = run("latents", project, *arguments, code=2)
    assert sentence in done.stderr
    assert done.stderr.count("\n") == 1


def test_sheets_and_a_table_are_written(
    ask: Ask, project: Path, tmp_path: Path
) -> None:
    out = tmp_path / "deep" / "out"
    told = ask("latents", project, "-o", out)
    names = ["latents.csv", "traversals.png", "effects.png", "grid.png"]
    assert told["output"] == [str(out / name) for name in names]
    table = pd.read_csv(out / "latents.csv")
    assert len(table) == 32
    assert table["kl"].is_monotonic_decreasing
    assert {"latent", "name", "share_invariant", "rho_area", "flow_size"} <= set(table)
    for name in names[1:]:
        assert (out / name).read_bytes()[:4] == b"\x89PNG"


def test_a_code_that_carries_nothing_can_be_drawn(
    run: Run, sample: Path, tmp_path: Path
) -> None:
    """Untrained and with two channels; nothing is active, or each has both channels."""
    stack = tifffile.imread(sample / "movie.tif")
    both = np.stack([stack, stack[:, ::-1]], axis=1)
    tifffile.imwrite(tmp_path / "two.tif", both, imagej=True, metadata={"axes": "TCYX"})
    with Project.create(
        tmp_path / "p",
        image=tmp_path / "two.tif",
        tracks=sample / "tracks.csv",
        channels=(0, 1),
        pixel_size=0.333,
    ) as project:
        project.train_encoder(
            "quick", steps=2, batch=8, latent=4, filters=(2, 2, 2, 2), hidden=4
        )
    done = run("latents", tmp_path / "p", "-o", tmp_path / "out")
    assert "Written to" in done.stdout
    assert (tmp_path / "out" / "traversals.png").is_file()
