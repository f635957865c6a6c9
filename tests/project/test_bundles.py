from __future__ import annotations

import errno
import json
import math
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from napari_cellsci.errors import BundleError, InputError, ProjectError
from napari_cellsci.project import Bundle, Project, bundles, shipped_bundle
from napari_cellsci.project.pixel_code import PixelCode
from napari_cellsci.tasks import Cancelled, CancelToken

SCHEMES = ["scheme2-1", "scheme1-1", "alone"]


@pytest.fixture(scope="module", params=SCHEMES)
def bundle(request: pytest.FixtureRequest, trained: Path) -> Bundle:
    with Project.open(trained) as project:
        return project.bundle(request.param)


@pytest.fixture(scope="module")
def crops(trained: Path) -> np.ndarray:
    with Project.open(trained) as project:
        return np.asarray(project.crops()[:40])


def test_saved_and_loaded_bundles_agree(
    bundle: Bundle, crops: np.ndarray, tmp_path: Path
) -> None:
    bundle.save(tmp_path / "b")
    again = Bundle.load(tmp_path / "b")
    assert again.hash == bundle.hash
    assert again.spec == bundle.spec
    assert again.classes == ("interphase", "metaphase")
    assert dict(again.record) == json.loads(json.dumps(dict(bundle.record)))
    assert again.heads.report == bundle.heads.report
    pd.testing.assert_frame_equal(again.predict(crops), bundle.predict(crops))
    assert sorted(os.listdir(tmp_path)) == ["b"]
    assert sorted(os.listdir(tmp_path / "b")) == ["model.json", "weights.safetensors"]


def test_the_encoder_comes_along_where_there_is_one(bundle: Bundle) -> None:
    assert (bundle.encoder is None) == (bundle.name == "alone")
    assert (bundle.pixels is None) == (bundle.name != "alone")


def test_predictions_are_complete(bundle: Bundle, crops: np.ndarray) -> None:
    table = bundle.predict(crops)
    assert table.columns.tolist() == bundles.COLUMNS
    assert np.isfinite(table.drop(columns="prediction").to_numpy(float)).all()
    assert table["probability"].between(0, 1).all()
    assert table["ood"].between(0, 1).all()
    assert (table["score_sd"] >= 0).all()
    said = np.where(table["score"] >= 0, "metaphase", "interphase")
    assert (table["prediction"] == said).all()


def test_the_score_is_the_mean_of_its_members(
    bundle: Bundle, crops: np.ndarray
) -> None:
    members = [bundle.predict(crops, member=k) for k in range(bundle.n_members)]
    scores = np.stack([table["score"] for table in members])
    mean = bundle.predict(crops)
    np.testing.assert_allclose(scores.mean(0), mean["score"], atol=1e-6)
    np.testing.assert_allclose(scores.std(0), mean["score_sd"], atol=1e-6)
    assert (members[0]["score_sd"] == mean["score_sd"]).all()


def test_a_member_that_does_not_exist_is_refused(
    bundle: Bundle, crops: np.ndarray
) -> None:
    for member in (-1, bundle.n_members):
        with pytest.raises(InputError, match=f"not {member}"):
            bundle.predict(crops, member=member)


def test_blank_crops_are_called_blank(bundle: Bundle, crops: np.ndarray) -> None:
    mixed = crops.copy()
    mixed[3] = 0
    mixed[5] = 65535
    table = bundle.predict(mixed)
    blank = table["prediction"] == "blank"
    assert np.flatnonzero(blank).tolist() == [3, 5]
    assert (table["ood"][blank] == 1).all()
    assert np.isfinite(table["score"][blank]).all()


def test_batches_do_not_matter(
    bundle: Bundle, crops: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = bundle.predict(crops)
    monkeypatch.setattr(bundles, "_BATCH", 7)
    parts = bundle.predict(crops)
    pd.testing.assert_frame_equal(whole, parts, atol=1e-5)


def test_other_crops_are_refused(bundle: Bundle, crops: np.ndarray) -> None:
    for wrong in (crops[:, :, :32, :32], np.repeat(crops, 2, axis=1)):
        with pytest.raises(InputError):
            bundle.predict(wrong)


def test_no_crops_give_no_rows(bundle: Bundle, crops: np.ndarray) -> None:
    assert bundle.predict(crops[:0]).columns.tolist() == bundles.COLUMNS


def test_predicting_can_be_cancelled(bundle: Bundle, crops: np.ndarray) -> None:
    token = CancelToken()
    token.cancel()
    with pytest.raises(Cancelled):
        bundle.predict(crops, token=token)


def cut_weights(folder: Path) -> None:
    path = folder / "weights.safetensors"
    path.write_bytes(path.read_bytes()[:-100])


def alter_weights(folder: Path) -> None:
    path = folder / "weights.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(bytes(content))


def alter(key: str, value: Any) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        path = folder / "model.json"
        described = json.loads(path.read_text(encoding="utf-8"))
        assert key in described
        described[key] = value
        path.write_text(json.dumps(described), encoding="utf-8")

    return change


def drop(name: str) -> Callable[[Path], None]:
    return lambda folder: (folder / name).unlink()


def cut_description(folder: Path) -> None:
    path = folder / "model.json"
    path.write_bytes(path.read_bytes()[:-50])


def foreign(folder: Path) -> None:
    (folder / "model.json").write_text('{"format": "onnx"}', encoding="utf-8")


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        (cut_weights, "damaged or was altered"),
        (alter_weights, "damaged or was altered"),
        (drop("weights.safetensors"), "cannot be read"),
        (drop("model.json"), "is missing"),
        (cut_description, "damaged"),
        (foreign, "does not describe"),
        (alter("schema", 99), "newer version"),
        (alter("classes", ["metaphase", "interphase"]), "was altered"),
        (alter("name", "better"), "was altered"),
        (alter("spec", {}), "was altered"),
        (alter("digest", None), "was altered"),
    ],
)
def test_what_is_damaged_or_altered_is_refused(
    bundle: Bundle, tmp_path: Path, damage: Callable[[Path], None], sentence: str
) -> None:
    bundle.save(tmp_path / "b")
    damage(tmp_path / "b")
    with pytest.raises(BundleError, match=sentence) as caught:
        Bundle.load(tmp_path / "b")
    assert "\n" not in str(caught.value)


def test_a_file_is_no_bundle(tmp_path: Path) -> None:
    (tmp_path / "b").write_text("mine", encoding="utf-8")
    with pytest.raises(BundleError, match="There is no saved model"):
        Bundle.load(tmp_path / "b")


def test_saving_again_replaces_the_old_bundle(bundle: Bundle, tmp_path: Path) -> None:
    bundle.save(tmp_path / "b")
    replace(bundle, name="renamed").save(tmp_path / "b")
    assert Bundle.load(tmp_path / "b").name == "renamed"
    assert os.listdir(tmp_path) == ["b"]


def test_saving_never_overwrites_anything_else(bundle: Bundle, tmp_path: Path) -> None:
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter.tex").write_text("x", encoding="utf-8")
    with pytest.raises(InputError, match="is not a classifier"):
        bundle.save(tmp_path / "thesis")
    assert os.listdir(tmp_path / "thesis") == ["chapter.tex"]


def test_a_full_disk_keeps_the_old_bundle(
    bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle.save(tmp_path / "b")

    def full(*args: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(InputError):
        replace(bundle, name="renamed").save(tmp_path / "b")
    monkeypatch.undo()
    assert Bundle.load(tmp_path / "b").name == bundle.name
    assert os.listdir(tmp_path) == ["b"]


def test_bundles_that_make_no_sense_are_refused(bundle: Bundle) -> None:
    with pytest.raises(BundleError, match="classes"):
        replace(bundle, classes=("a", "b", "c"))
    with pytest.raises(BundleError, match="encoder"):
        replace(bundle, encoder=None, pixels=None)


def test_an_installation_without_its_bundle_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bundles, "shipped_folder", lambda: tmp_path / "mitosis")
    with pytest.raises(BundleError, match="came without its classifier"):
        shipped_bundle()


def test_several_classes_lead_by_the_best(bundle: Bundle) -> None:
    scores = np.array([[[3.0, 1.0, 2.5], [0.0, 5.0, 4.0]]])
    decided = np.array([0, 1])
    np.testing.assert_allclose(bundles._lead(scores, decided), [[0.5, 1.0]])


def test_the_pixel_code_is_that_of_a_principal_component_analysis(
    crops: np.ndarray,
) -> None:
    from sklearn.decomposition import PCA

    from napari_cellsci.cells.normalise import zscore

    code = PixelCode.fit(crops, 4.0)
    turned = [
        np.rot90(one, turns, (2, 3))
        for one in (crops, crops[..., ::-1])
        for turns in range(4)
    ]
    small, *others = (
        zscore(view).reshape(40, 16, 4, 16, 4).mean(axis=(2, 4)).reshape(40, -1)
        for view in turned
    )
    reference = PCA(16).fit(np.concatenate([small, *others]))
    # Turned pairs of components vary alike, so only their plane is determined.
    spread = code.encode_views(crops).reshape(-1, 16).var(axis=0, ddof=1)
    np.testing.assert_allclose(spread, reference.explained_variance_, rtol=1e-3)
    np.testing.assert_allclose(
        code.components @ code.components.T, np.eye(16), atol=1e-5
    )
    mine, error = code.encode_with_error(crops)
    residual = small - (mine @ code.components + code.mean)
    np.testing.assert_allclose(error, (residual**2).mean(1), atol=1e-5)


def test_disk_trouble_is_a_project_error() -> None:
    assert issubclass(ProjectError, InputError)


def test_a_report_without_some_class_survives(bundle: Bundle, tmp_path: Path) -> None:
    report = bundle.heads.report
    odd = replace(report.classes[0], cells=0, recall=math.nan, interval=(math.nan,) * 2)
    report = replace(report, balanced_accuracy=math.nan, classes=(odd, odd))
    strange = replace(bundle, heads=replace(bundle.heads, report=report))
    strange.save(tmp_path / "b")
    again = Bundle.load(tmp_path / "b").heads.report
    assert math.isnan(again.balanced_accuracy)
    assert math.isnan(again.classes[1].recall)
    assert again.accuracy == report.accuracy


def test_turned_cells_are_no_strangers_to_pixel_statistics() -> None:
    from napari_cellsci.explain.ood import OodReference

    rng = np.random.default_rng(0)
    rows, columns = np.indices((64, 64)) - 31.5
    long, wide = rng.uniform(14, 18, (2, 60, 1, 1))
    # Every cell that was learned from lies along the rows.
    cells = 500 * np.exp(-((rows / long) ** 2) - (columns / (wide / 3)) ** 2)
    crops = (cells + rng.normal(100, 4, cells.shape))[:, np.newaxis].astype(np.float32)
    code = PixelCode.fit(crops, 4.0)
    views = code.encode_views(crops)
    assert views.shape == (60, 8, 16)
    known, error = code.encode_with_error(crops)
    np.testing.assert_allclose(views[:, 0], known, atol=1e-5)
    turned = np.ascontiguousarray(np.rot90(crops, 1, (2, 3)))
    np.testing.assert_allclose(
        views[:, 1], code.encode_with_error(turned)[0], atol=1e-4
    )
    # What is left over does not depend on how a cell lies.
    np.testing.assert_allclose(code.encode_with_error(turned)[1], error, rtol=0.3)
    reference = OodReference.fit(views, error)
    strange = reference.score(*code.encode_with_error(turned)) > 0.95
    assert strange.mean() < 0.2
    noise = rng.normal(100, 30, crops.shape).astype(np.float32)
    assert (reference.score(*code.encode_with_error(noise)) > 0.95).mean() > 0.8
