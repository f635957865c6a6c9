from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from napari_cellsci.errors import InputError, ProjectError
from napari_cellsci.project import Project


def test_csv_holds_cells_labels_and_scores(ready: Project, tmp_path: Path) -> None:
    ready.export(tmp_path / "out.csv", "scheme2-1")
    table = pd.read_csv(tmp_path / "out.csv", index_col="cell")
    scores = ready.score("scheme2-1").table
    np.testing.assert_allclose(table["score"], scores["score"])
    labels = ready.labels.as_series()
    assert table["label"].dropna().to_dict() == labels.to_dict()
    assert table["track_id"].tolist() == ready.cells["track_id"].tolist()


def test_parquet_reads_back(ready: Project, tmp_path: Path) -> None:
    ready.export(tmp_path / "out.parquet")
    table = pd.read_parquet(tmp_path / "out.parquet")
    np.testing.assert_array_equal(table["score"], ready.score().table["score"])


def test_anndata_holds_latents_and_positions(ready: Project, tmp_path: Path) -> None:
    import anndata

    ready.export(tmp_path / "out.h5ad")
    data = anndata.read_h5ad(tmp_path / "out.h5ad")
    assert data.shape == (len(ready), 6)
    np.testing.assert_array_equal(data.X, ready.latents())
    np.testing.assert_array_equal(data.obsm["spatial"], ready.cells[["x", "y"]])
    assert data.obs["prediction"].tolist() == ready.score().table["prediction"].tolist()
    assert data.uns["napari_cellsci"]["bundle"] == "scheme1-1"


@pytest.mark.parametrize("suffix", [".csv", ".parquet", ".h5ad"])
def test_a_project_without_models_is_exported_too(
    project: Project, tmp_path: Path, suffix: str
) -> None:
    project.export(tmp_path / f"out{suffix}")
    assert (tmp_path / f"out{suffix}").stat().st_size > 100
    if suffix == ".csv":
        columns = pd.read_csv(tmp_path / "out.csv").columns
        assert "label" in columns
        assert "score" not in columns


def test_unknown_formats_are_refused(project: Project, tmp_path: Path) -> None:
    for name in ("out.xlsx", "out"):
        with pytest.raises(InputError, match=r"\.csv, \.parquet, \.h5ad"):
            project.export(tmp_path / name)


@pytest.mark.parametrize(
    ("suffix", "module"), [(".parquet", "pyarrow"), (".h5ad", "anndata")]
)
def test_a_missing_library_is_named(
    project: Project,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    suffix: str,
    module: str,
) -> None:
    real = importlib.util.find_spec

    def without(name: str, *args: Any) -> Any:
        return None if name == module else real(name, *args)

    monkeypatch.setattr(importlib.util, "find_spec", without)
    with pytest.raises(InputError, match=f"needs {module}: install it with"):
        project.export(tmp_path / f"out{suffix}")


def test_a_folder_is_no_file_to_write(project: Project, tmp_path: Path) -> None:
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(ProjectError, match="is a folder: add the name of a file"):
        project.export(tmp_path / "folder.csv")
    assert not list((tmp_path / "folder.csv").iterdir())


def test_a_place_that_cannot_be_written_is_refused(
    project: Project, tmp_path: Path
) -> None:
    with pytest.raises(ProjectError, match="There is no folder"):
        project.export(tmp_path / "none" / "out.csv")


def test_cells_that_are_filtered_out_are_told(project: Project, tmp_path: Path) -> None:
    project.export(tmp_path / "before.csv")
    assert "filtered_out" not in pd.read_csv(tmp_path / "before.csv")
    project.labels.leave_out([1, 3])
    for suffix, read in ((".csv", pd.read_csv), (".parquet", pd.read_parquet)):
        if suffix == ".parquet":
            pytest.importorskip("pyarrow")
        project.export(tmp_path / f"out{suffix}")
        table = read(tmp_path / f"out{suffix}")
        assert table.index[table["filtered_out"]].tolist() == [1, 3]
    anndata = pytest.importorskip("anndata")
    project.export(tmp_path / "out.h5ad")
    obs = anndata.read_h5ad(tmp_path / "out.h5ad").obs
    assert np.flatnonzero(obs["filtered_out"]).tolist() == [1, 3]
