"""The real movie: made into a project, labelled, learned from and scored."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from napari_cellsci.errors import BundleError, InputError
from napari_cellsci.project import Project, shipped_bundle


@pytest.fixture(scope="module")
def hela(real_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    data = real_data / "hela"
    folder = tmp_path_factory.mktemp("hela") / "project"
    with Project.create(
        folder,
        image=data / "movie.tif",
        tracks=data / "tracks.csv",
        masks=data / "masks.tif",
        pixel_size=0.645,
        frame_interval=1800,
    ) as project:
        report = project.labels.import_csv(data / "labels.csv")
        assert report.matched == 155
        # One cell was labelled where the automatic linking found none.
        assert report.unmatched["row"].tolist() == [40]
    return folder


@pytest.fixture
def project(hela: Path, tmp_path: Path) -> Iterator[Project]:
    shutil.copytree(hela, tmp_path / "project")
    with Project.open(tmp_path / "project") as opened:
        yield opened


def test_cells_are_cropped_and_measured(project: Project, real_data: Path) -> None:
    tracks = pd.read_csv(real_data / "hela" / "tracks.csv")
    assert len(project) == len(tracks) == 3271
    crops = project.crops()
    assert (crops.shape, crops.dtype) == ((3271, 1, 64, 64), np.uint16)
    assert crops[::100].min() >= 32768
    cells = project.cells
    np.testing.assert_array_equal(cells["label_id"], tracks["label_id"])
    assert cells["area"].notna().mean() > 0.99
    assert cells["offset_y"].abs().median() < 1
    assert project.labels.counts() == {"interphase": 137, "metaphase": 18}


def test_labels_of_other_classes_are_kept(project: Project, real_data: Path) -> None:
    path = real_data / "hela" / "labels_other.csv"
    table = pd.read_csv(path)
    with pytest.raises(InputError, match="None of the classes"):
        project.labels.import_csv(path)
    report = project.labels.import_csv(path, add_classes=True)
    assert report.matched + len(report.unmatched) == len(table)
    assert set(report.unused) | set(report.unmatched["class"]) == set(table["class"])
    assert {"prometaphase", "ana_telophase"} <= set(report.unused)
    assert project.classes == ("interphase", "metaphase")
    project.labels.undo()
    assert len(project.labels) == 155


def test_a_quick_classifier_scores_every_cell(project: Project) -> None:
    project.train_encoder("quick", steps=150, batch=64)
    bundle = project.train_head(2, models=3, min_steps=1500)
    table = project.score().table
    assert len(table) == 3271
    assert np.isfinite(table[["score", "score_sd", "probability", "ood"]]).all(None)
    assert bundle.heads.report.n_cells == 155
    labels = project.labels.as_series()
    right = table.loc[labels.index, "prediction"] == labels
    # Barely trained, but better than guessing on what it was taught.
    recalls = [right[labels == name].mean() for name in project.classes]
    assert np.mean(recalls) > 0.6


def test_the_shipped_classifier_tells_the_real_cells(project: Project) -> None:
    try:
        bundle = shipped_bundle()
    except BundleError:
        pytest.skip("this source tree has no shipped classifier yet")
    table = project.score(bundle).table
    labels = project.labels.as_series()
    right = table.loc[labels.index, "prediction"] == labels
    recalls = [right[labels == name].mean() for name in project.classes]
    assert np.mean(recalls) >= 0.9
