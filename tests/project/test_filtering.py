"""Filtering cells of a project: learned, applied, taken back, passed over."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from napari_cellsci.errors import BundleError, InputError
from napari_cellsci.heads.usable.cell_filter import CellFilter
from napari_cellsci.project import Project
from napari_cellsci.project.cell_sizes import boxes_in, cell_sizes
from napari_cellsci.project.usable import SomeRows
from napari_cellsci.tasks import Log

LITTLE = {"runs": 2, "steps": 4, "batch": 8}
TINY: dict[str, Any] = {
    "steps": 4,
    "batch": 16,
    "latent": 4,
    "filters": (2, 2, 4, 4),
    "hidden": 8,
    "device": "cpu",
}


@pytest.fixture(scope="module")
def filtered_folder(
    mitosis_folder: Path, mitosis_files: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A labelled project with a size rule and a CNN that take metaphases for junk."""
    folder = tmp_path_factory.mktemp("filtered") / "mitosis"
    shutil.copytree(mitosis_folder, folder)
    with Project.open(folder) as project:
        project.labels.import_csv(mitosis_files / "truth.csv")
        project.learn_filter(
            "metaphase", "interphase", method="size", methods=["logistic"], **LITTLE
        )
        project.learn_filter(
            "metaphase", "interphase", methods=["logistic"], threshold=0.4, **LITTLE
        )
    return folder


@pytest.fixture
def project(filtered_folder: Path, tmp_path: Path) -> Iterator[Project]:
    shutil.copytree(filtered_folder, tmp_path / "mine")
    with Project.open(tmp_path / "mine") as opened:
        yield opened


def test_filters_are_kept_with_what_they_were_compared_to(project: Project) -> None:
    assert project.cell_filters == ["size-1", "cnn-1"]
    rule, cnn = project.cell_filter("size-1"), project.cell_filter()
    assert [r.method for r in rule.reports] == ["logistic", "size"]
    assert [r.method for r in cnn.reports] == ["logistic", "cnn"]
    assert cnn.threshold == 0.4
    assert cnn.record["labels"]["metaphase"] > 1
    assert rule.report is not None
    assert rule.junk == ("metaphase",)


def test_filtering_is_one_action_that_undo_takes_back(project: Project) -> None:
    project.labels.clear_many(project.labels.as_series().index.tolist())
    p = project.filter("cnn-1", threshold=0.0).probability
    assert project.labels.left_out.size == 0
    middle = float(np.median(p))
    done = project.filter("cnn-1", threshold=middle)
    assert done.left_out == done.out == int((p < middle).sum())
    np.testing.assert_array_equal(project.labels.left_out, np.flatnonzero(p < middle))
    with Project.open(project.path) as again:
        assert len(again.labels.left_out) == done.left_out
    project.labels.undo()
    assert project.labels.left_out.size == 0
    project.labels.redo()
    assert len(project.labels.left_out) == done.left_out


def test_what_a_person_said_of_a_cell_wins(project: Project) -> None:
    series = project.labels.as_series()
    done = project.filter("cnn-1")
    assert (done.probability[series.index[series == "metaphase"]] == 0).all()
    assert (done.probability[series.index[series == "interphase"]] == 1).all()
    kept = int(series.index[series == "metaphase"][0])
    project.labels.take_back([kept], how="key")
    project.filter("cnn-1")
    assert kept not in project.labels.left_out


def test_training_passes_over_what_is_filtered_out(project: Project) -> None:
    series = project.labels.as_series()
    gone = series.index[series == "interphase"][:6].tolist()
    project.labels.leave_out(gone)
    said: list[str] = []

    def note(event: object) -> None:
        if isinstance(event, Log):
            said.append(event.message)

    encoder = project.train_encoder(
        "quick", usable_only=True, name="clean", on_event=note, **TINY
    )
    assert f"{len(gone)} cells are filtered out and not learned from." in said
    run = project.runs[-1]
    assert run.config["left_out"] == sorted(gone)
    assert "--usable-only" in run.request.command(project.path)

    bundle = project.train_head(
        2, 1, encoder=encoder, usable_only=True, min_steps=2, epochs=1, on_event=note
    )
    assert bundle.record["usable_only"] is True
    assert bundle.record["left_out"] == len(gone)
    counts = project.labels.counts()
    assert bundle.record["labels"]["interphase"] == counts["interphase"] - len(gone)
    assert any("labelled cells are filtered out" in sentence for sentence in said)


def test_the_project_remembers_whether_training_passes_over(project: Project) -> None:
    from napari_cellsci.project.trained_on import labelled_cells

    bench, labels = project._bench, project.labels
    series = labels.as_series()
    labels.leave_out(series.index[series == "interphase"][:5].tolist())
    assert labelled_cells(bench, labels).left_out == 0
    project.usable_only = True
    assert labelled_cells(bench, labels).left_out == 5
    assert labelled_cells(bench, labels, usable=False).left_out == 0
    with Project.open(project.path) as again:
        assert again.usable_only


def test_a_class_that_is_all_filtered_out_is_not_trained(project: Project) -> None:
    from napari_cellsci.project.trained_on import labelled_cells

    labels = project.labels
    series = labels.as_series()
    labels.leave_out(series.index[series == "metaphase"].tolist())
    with pytest.raises(InputError, match="Only interphase is left to train on"):
        labelled_cells(project._bench, labels, usable=True)


def test_all_cells_filtered_out_are_refused_in_a_sentence(project: Project) -> None:
    project.labels.leave_out(range(len(project.cells)))
    with pytest.raises(InputError, match="All cells of this project are filtered out"):
        project.train_encoder("quick", usable_only=True, **TINY)


def test_heads_learn_the_classes_that_are_named(project: Project) -> None:
    labels = project.labels
    labels.add_class("odd")
    rows = labels.as_series().index.tolist()
    labels.set_many(rows[::3], "odd")
    said: list[str] = []
    given: dict[str, Any] = {"folds": 2, "steps": 2, "epochs": 1, "batch": 8}
    bundle = project.train_head(
        1,
        1,
        classes=["odd", "interphase", "metaphase"],
        **given,
        on_event=lambda e: said.append(getattr(e, "message", "")),
    )
    assert bundle.classes == ("odd", "interphase", "metaphase")
    assert bundle.heads.n_outputs == 3
    assert "--classes odd,interphase,metaphase" in project.runs[-1].request.command(
        project.path
    )
    assert any("weighs the same in training" in sentence for sentence in said)
    table = project.score(bundle.name).table
    after = table.columns.get_loc("probability") + 1
    assert table.columns[after] == "runner_up"
    known = table[table["prediction"] != "blank"]
    assert (known["runner_up"] <= known["probability"]).all()
    odds = np.log(known["probability"] / known["runner_up"])
    scale = bundle.heads.calibration.a
    np.testing.assert_allclose(odds, scale * known["score"], atol=1e-4)
    later = project.train_head(1, 1, classes=["odd", "interphase"], **given)
    assert later.classes == ("odd", "interphase")
    for wrong, sentence in (
        (["odd", "none"], "'none' is not a class"),
        (["odd", "odd"], "each once"),
        (["odd"], "at least two classes"),
    ):
        with pytest.raises(InputError, match=sentence):
            project.train_head(1, 1, classes=wrong)


@pytest.mark.parametrize(
    ("junk", "usable", "sentence"),
    [
        ("dust", None, "'dust' is not a class"),
        ("metaphase", "metaphase", "junk and usable at once"),
        ([], None, "Say which classes are junk"),
    ],
)
def test_classes_that_make_no_sense_are_refused(
    project: Project, junk: Any, usable: Any, sentence: str
) -> None:
    with pytest.raises(InputError, match=sentence):
        project.learn_filter(junk, usable, **LITTLE)


def test_labels_of_one_class_are_refused_in_a_sentence(project: Project) -> None:
    labels = project.labels
    series = labels.as_series()
    labels.clear_many(series.index[series == "metaphase"].tolist())
    with pytest.raises(InputError, match=r"Only 0 cell\(s\) are labelled metaphase"):
        project.learn_filter("metaphase", **LITTLE)
    with pytest.raises(InputError, match="No cell of this project is labelled junk"):
        project.check_filter("size-1")


def test_a_filter_is_judged_and_used_in_another_project(
    project: Project, mitosis_files: Path, tmp_path: Path
) -> None:
    """The same cells under other light: the camera's gain is a quarter."""
    import tifffile

    movie = tifffile.imread(mitosis_files / "movie.tif")
    dim = (movie // 4 + 50).astype(movie.dtype)
    with Project.create(
        tmp_path / "dim",
        image=dim,
        axes="TYX",
        masks=mitosis_files / "labels.tif",
        tracks=mitosis_files / "tracks.csv",
        pixel_size=0.333,
    ) as other:
        other.labels.import_csv(mitosis_files / "truth.csv")
        source = project.path / "filters" / "cnn-1"
        there = other.check_filter(source)
        here = project.check_filter("cnn-1")
        assert there.confusion.sum() == here.confusion.sum()
        np.testing.assert_allclose(
            there.curve.true_positives, here.curve.true_positives, atol=0.15
        )
        assert other.filter(source).threshold == 0.4


def test_a_damaged_filter_is_refused(project: Project) -> None:
    place = project.path / "filters" / "cnn-1" / "weights.safetensors"
    place.write_bytes(place.read_bytes()[:-10])
    with pytest.raises(BundleError):
        project.cell_filter("cnn-1")
    with pytest.raises(InputError, match="no cell filter 'gone'"):
        project.cell_filter("gone")
    with pytest.raises(InputError, match="between 0 and 1"):
        project.filter("size-1", threshold=2)


def test_boxes_around_masks() -> None:
    labels = np.zeros((10, 12), int)
    labels[2:5, 3:9] = 7
    labels[6, 6] = 900
    cells = pd.DataFrame({"track_id": [7, 900, 5], "y": 0.0, "x": 0.0})
    assert boxes_in(labels, cells, tracked=True).tolist() == [[3, 6], [1, 1], [0, 0]]


def test_sizes_of_all_cells_agree_with_scikit_image(
    project: Project, mitosis_files: Path
) -> None:
    import tifffile
    from skimage.measure import regionprops

    sizes = cell_sizes(project._bench)
    assert sizes is not None
    masks, cells = tifffile.imread(mitosis_files / "labels.tif"), project.cells
    for region in regionprops(masks[3]):
        row = cells.index[(cells["t"] == 3) & (cells["track_id"] == region.label)]
        top, left, bottom, right = region.bbox
        assert sizes[row[0]].tolist() == [bottom - top, right - left]


def test_images_of_their_own_tell_the_sizes(project: Project) -> None:
    """Where each cell came alone in an image, that image's size counts."""
    cells = project._bench.cells()
    cells["original_height"], cells["original_width"] = 20.0, 31.0
    sizes = cell_sizes(project._bench)
    assert sizes is not None
    assert sizes.tolist() == [[20, 31]] * len(cells)


def test_some_rows_read_like_the_array_they_are_of() -> None:
    whole = np.arange(60).reshape(10, 2, 3)
    rows = np.array([1, 4, 7, 8])
    some, picked = SomeRows(whole, rows), whole[rows]
    assert some.shape == picked.shape
    assert len(some) == 4
    for index in (2, slice(1, 3), np.array([0, 3]), (slice(None), 1), (1, 0)):
        np.testing.assert_array_equal(some[index], picked[index])
    np.testing.assert_array_equal(np.asarray(some), picked)


def test_a_filter_travels_as_two_files(project: Project, tmp_path: Path) -> None:
    made = project.cell_filter("size-1")
    made.save(tmp_path / "copy")
    assert CellFilter.load(tmp_path / "copy").judge.meta() == made.judge.meta()
    with pytest.raises(BundleError):
        CellFilter.load(tmp_path)
