"""`cellsci benchmark-latents`, as small as it gets."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from typer.testing import Result

Run = Callable[..., Result]
Ask = Callable[..., dict[str, Any]]

SMALL = (
    *("--movies", 2, "--unseen", 1, "--frames", 5, "--cells", 14, "--steps", 3),
    *("--final-steps", 4, "--seeds", 2, "--finalists", 1),
    *("--methods", "paper", "--threads", 1),
)


def test_a_small_benchmark_and_its_files(run: Run, ask: Ask, tmp_path: Path) -> None:
    out = tmp_path / "out"
    made = ask("benchmark-latents", out, *SMALL)
    assert [r["method"] for r in made["screening"]] == ["paper"]
    assert len(made["finals"]) == 2
    assert "## Finals" in (out / "benchmark.md").read_text(encoding="utf-8")
    with Image.open(out / "benchmark.png") as picture:
        assert picture.width > 800
    (out / "benchmark.md").unlink()
    again = run("benchmark-latents", out, "--resume", "--movies", 2)
    assert "Screening" in again.stdout
    added = ask("benchmark-latents", out, "--resume", "--methods", "joint-20-beta-20")
    assert added["plan"]["methods"] == ["paper", "joint-20-beta-20"]
    assert (out / "benchmark.md").is_file()


def test_what_cannot_be_done_is_said(run: Run, tmp_path: Path) -> None:
    def said(*arguments: object) -> str:
        return " ".join(run("benchmark-latents", *arguments, code=2).output.split())

    assert "no method 'vae'" in said(tmp_path / "new", "--methods", "vae")
    assert "no benchmark" in said(tmp_path, "--resume")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").touch()
    assert "not empty" in said(tmp_path / "full", *SMALL)


@pytest.mark.slow
def test_the_default_benchmark_on_fewer_steps(ask: Ask, tmp_path: Path) -> None:
    made = ask(
        *("benchmark-latents", tmp_path / "out", "--steps", 300, "--final-steps", 300),
        *("--seeds", 2, "--threads", 1),
    )
    scores = {r["method"]: r["scores"] for r in made["screening"] if "scores" in r}
    assert max(s["pair"] for s in scores.values()) > 0.3
