from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from napari_cellsci.errors import InputError
from napari_cellsci.figures.comparison import (
    Gathered,
    Model,
    consensus,
    draw,
    save_comparison,
    table,
)
from napari_cellsci.project.comparison import Comparison, Row, Spread


def a_row(name: str, scheme: int, used: dict[str, float] | None, encoder: str) -> Row:
    spread = Spread(0.9, 0.01)
    return Row(
        name=name,
        scheme=scheme,
        encoder=encoder,
        head="sparse" if scheme == 3 else "dense",
        mode=None,
        models=2,
        weights=Spread(24, 1),
        size_paper=Spread(190.4, 12),
        size_tree=Spread(1230, 0),
        accuracy=spread,
        balanced_accuracy=Spread(float("nan"), float("nan")),
        ensemble=0.91,
        inputs=None if used is None else Spread(2, 0),
        used=used,
        labels="x",
    )


def a_comparison(encoders: tuple[str, str] = ("a", "a")) -> Gathered:
    rows = (
        a_row("cnn", 1, None, "its own"),
        a_row("thin", 3, {"size z1": 1.0, "z2": 0.5}, encoders[0]),
        a_row("paper", 3, {"size z1": 0.5, "z7": 0.1}, encoders[1]),
    )
    models = tuple(
        Model(
            row.name,
            i,
            row.scheme,
            k,
            0.9 + 0.01 * k,
            np.nan if i == 0 else 0.8,
            24,
            190,
            230,
            (1, 2),
            None,
        )
        for i, row in enumerate(rows)
        for k in range(2)
    )
    return Gathered(Comparison(rows, ("note",)), models)


def test_the_table_has_the_columns_of_the_paper() -> None:
    titles, rows = table(a_comparison())
    row = dict(zip(titles, rows[1], strict=True))
    assert row["classifier"] == "thin"
    assert row["weights"] == "24 ± 1"
    assert row["size"] == "190 ± 12"
    assert row["size (tree)"] == "1,230"
    assert row["accuracy %"] == "90.0 ± 1.0"
    assert row["balanced %"] == "–"
    assert row["latents"] == "2.0"
    assert dict(zip(titles, rows[0], strict=True))["latents"] == "–"


def test_consensus_counts_the_sparse_heads_alone() -> None:
    found = consensus(a_comparison())
    assert found == [
        ("size z1", [(1, 1.0), (2, 0.5)]),
        ("z2", [(1, 0.5)]),
        ("z7", [(2, 0.1)]),
    ]


def test_latents_of_different_encoders_are_kept_apart() -> None:
    found = dict(consensus(a_comparison(("a", "b"))))
    assert "size z1 (a)" in found
    assert "size z1 (b)" in found


@pytest.mark.parametrize("accuracy", ["accuracy", "balanced"])
def test_every_classifier_is_drawn_and_named(accuracy: str, tmp_path: Path) -> None:
    figure = draw(a_comparison(), accuracy=accuracy)  # type: ignore[arg-type]
    words = [t.get_text() for t in figure.axes[0].get_legend().get_texts()]
    assert words == ["cnn (scheme 1)", "thin (scheme 3)", "paper (scheme 3)"]
    assert len(figure.axes[1].patches) == 4
    save_comparison(a_comparison(), tmp_path / "f.pdf")
    assert (tmp_path / "f.pdf").read_bytes().startswith(b"%PDF")
    with pytest.raises(InputError, match=r"\.svg"):
        save_comparison(a_comparison(), tmp_path / "f.doc")
