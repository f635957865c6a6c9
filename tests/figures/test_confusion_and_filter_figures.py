"""Figures of confusion matrices and of cell filters: what stands on them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from napari_cellsci.cells.spec import CropSpec
from napari_cellsci.errors import InputError
from napari_cellsci.figures.confusion import confusion_figure, draw_confusion
from napari_cellsci.figures.filtering import draw_filters, filters_figure
from napari_cellsci.heads.evaluate import held_out_report
from napari_cellsci.heads.usable.cell_filter import CellFilter
from napari_cellsci.heads.usable.compare import report_on
from napari_cellsci.heads.usable.judges import SizeJudge
from napari_cellsci.heads.usable.rule import SizeRule

NAMES = ("interphase", "prometaphase", "metaphase")


def texts(axes: object) -> list[str]:
    return [text.get_text() for text in axes.texts]  # type: ignore[attr-defined]


def test_the_matrix_and_the_rates_of_every_class_are_drawn(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    y, groups = rng.integers(0, 3, 60), rng.integers(0, 20, 60)
    predicted = np.where(rng.random(60) < 0.7, y, 0)
    report = held_out_report(
        y,
        groups,
        predicted,
        [(y, predicted)],
        n_classes=3,
        calibration_error=0.0,
        method="",
    )
    figure = confusion_figure(report, NAMES)
    matrix, rates = figure.axes
    assert texts(matrix) == [str(n) for row in report.confusion for n in row]
    assert [t.get_text() for t in matrix.get_yticklabels()] == list(NAMES)
    points = [line for line in rates.lines if line.get_marker() in "oD"]
    assert len(points) == 6
    assert points[0].get_xdata()[0] == report.classes[0].recall
    draw_confusion(report, NAMES, tmp_path / "matrix.svg")
    assert (tmp_path / "matrix.svg").stat().st_size > 1000
    with pytest.raises(InputError, match="should end in"):
        draw_confusion(report, NAMES, tmp_path / "matrix.txt")


def made(method: str = "cnn", compared: bool = True) -> CellFilter:
    rng = np.random.default_rng(1)
    runs = []
    for _ in range(3):
        y = np.arange(40) % 4 > 0
        runs.append((y.astype(np.int64), np.clip(0.5 * y + rng.random(40) / 1.6, 0, 1)))
    reports = [report_on(m, runs) for m in ("cnn", "logistic", "size")]  # type: ignore[arg-type]
    return CellFilter(
        name="f",
        method=method,  # type: ignore[arg-type]
        spec=CropSpec(fov_px=64),
        judge=SizeJudge(SizeRule(1, 2, 3)),
        junk=("debris",),
        usable=("cell",),
        threshold=0.62,
        reports=tuple(reports) if compared else (),
    )


@pytest.mark.parametrize("method", ["cnn", "size"])
def test_curves_thresholds_and_matrices_of_filters_are_drawn(
    method: str, tmp_path: Path
) -> None:
    filters = made(method)
    figure = filters_figure(filters)
    roc, thresholds, *matrices = figure.axes
    named = roc.get_legend_handles_labels()[1]
    assert any(name.startswith("CNN, area") for name in named)
    assert "size rule" in named
    assert ("threshold 0.62" in named) == (method == "cnn")
    assert len(thresholds.lines) == (4 if method == "cnn" else 3)
    assert len(matrices) == 3
    assert sum(int(text) for text in texts(matrices[0])) == 120
    draw_filters(filters, tmp_path / "filters.png")
    with pytest.raises(InputError, match="should end in"):
        draw_filters(filters, tmp_path / "filters.csv")
    with pytest.raises(InputError, match="compared with no other"):
        filters_figure(made(compared=False))
