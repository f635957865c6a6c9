"""Sparse heads, their search and the comparison, through the project's face."""

from __future__ import annotations

import json

import numpy as np
import pytest

from napari_cellsci.errors import BundleError, InputError
from napari_cellsci.heads.headset import SparseMembers
from napari_cellsci.project import Project
from napari_cellsci.project.bundles import Bundle
from napari_cellsci.tasks import Cancelled, CancelToken, Progress

QUICK = {"min_steps": 150, "epochs": 1, "folds": 2, "scouts": 2}
SMALL = {"trials": 4, "runs": 2, "steps": 60, "at_once": 2, "startup": 2}
SPACE = {"sparsity": (0.5, 0.7), "interval": (5, 9), "hidden": (6, 6)}


def test_sparse_heads_become_a_bundle(ready: Project) -> None:
    bundle = ready.train_head(3, models=3, name="few", **QUICK)
    assert bundle.scheme == 3
    assert bundle.heads.config["mode"] == "compact"
    info = ready.bundles[-1]
    assert (info.scheme, info.summary["mode"]) == (3, "compact")
    again = ready.bundle("few")
    members = again.heads.members
    assert isinstance(members, SparseMembers)
    assert members.history.n_models == 3
    assert again.hash == bundle.hash
    scores = ready.score("few").table["score"]
    mean = again.heads.scores(ready.latents()).mean(0)[:, 0]
    assert np.allclose(scores, mean, atol=1e-5)
    one = ready.score("few", member=1).table["score"]
    assert np.allclose(one, again.heads.scores(ready.latents())[1, :, 0], atol=1e-5)


def test_a_sparse_bundle_that_was_altered_is_refused(ready: Project) -> None:
    ready.train_head(3, models=2, mode="paper", sparsity=0.8, name="few", **QUICK)
    place = ready.bundles[-1].path / "model.json"
    values = json.loads(place.read_text())
    values["heads"]["members"]["active_weights"][0] += 1
    place.write_text(json.dumps(values))
    with pytest.raises(BundleError):
        Bundle.load(place.parent)


def test_an_unknown_mode_is_told(ready: Project) -> None:
    with pytest.raises(InputError, match="no mode 'tiny'"):
        ready.train_head(3, mode="tiny")


def test_compare_has_a_row_for_every_scheme(ready: Project) -> None:
    ready.train_head(3, models=2, name="few", **QUICK)
    ready.train_head(3, models=2, mode="paper", sparsity=0.8, name="rigl", **QUICK)
    found = ready.compare()
    assert [(row.scheme, row.mode) for row in found.rows] == [
        (1, None),
        (2, None),
        (3, "compact"),
        (3, "paper"),
    ]
    cnn, dense, few, _ = found.rows
    assert (cnn.weights.mean, cnn.size_paper.mean) == (1040, 9697)
    n = 6 * 16 + 2 * 256 + 16
    assert (dense.weights.mean, dense.weights.sd) == (n, 0)
    assert dense.size_tree.mean == 8 * n + 8 * 48 - 4 * 16 + 1
    assert dense.inputs.mean == 6
    assert few.weights.mean <= 25
    assert few.size_paper.mean < few.size_tree.mean
    assert 0 < max(few.used.values()) <= 1
    assert list(few.used.values()) == sorted(few.used.values(), reverse=True)
    assert all(label.split()[-1].startswith("z") for label in few.used)
    for row in found.rows:
        assert 0 <= row.balanced_accuracy.mean <= 1
    assert any("'few' keeps" in note for note in found.notes)
    json.dumps(found.to_dict(), allow_nan=False)
    assert [row.name for row in ready.compare(["rigl"]).rows] == ["rigl"]


def test_names_of_latents_are_told(ready: Project) -> None:
    ready.train_head(3, models=2, name="few", **QUICK)
    label = next(iter(ready.compare(["few"]).rows[0].used))
    number = int(label.split()[-1].removeprefix("z"))
    ready.rename_latent(number, "size")
    assert f"size z{number}" in ready.compare(["few"]).rows[0].used


def test_nothing_to_compare_is_told(project: Project) -> None:
    with pytest.raises(InputError, match="no classifier to compare"):
        project.compare()


def test_other_labels_are_told(ready: Project) -> None:
    rows = ready.labels.as_series().index[:4]
    ready.labels.clear_many(rows)
    ready.train_head(3, models=2, mode="eliminate", **QUICK)
    assert any("same labels" in note for note in ready.compare().notes)


def test_classifiers_of_other_classes_are_left_out(ready: Project) -> None:
    ready.labels.add_class("other", trained=True)
    rows = ready.labels.as_series()
    ready.labels.set_many(rows.index[::3], "other")
    classes = (*ready.classes[:2], "other")
    ready.train_head(2, models=2, min_steps=60, epochs=1, name="three")
    found = ready.compare()
    assert [row.name for row in found.rows] == ["three"]
    assert found.rows[0].classes == classes
    assert any("left out" in note for note in found.notes)
    names = [info.name for info in ready.bundles]
    assert any("cannot be compared" in n for n in ready.compare(names).notes)


def test_a_search_is_gone_on_with_and_used(ready: Project) -> None:
    token = CancelToken()

    def listen(event: object) -> None:
        if isinstance(event, Progress) and (event.what, event.done) == ("Searching", 2):
            token.cancel()

    with pytest.raises(InputError, match="run `cellsci search`"):
        ready.train_head(3, from_search=True)
    with pytest.raises(Cancelled):
        ready.search(**SMALL, **SPACE, on_event=listen, token=token)
    result = ready.search(**SMALL, **SPACE)
    assert len(result.trials) == 4
    runs = [run for run in ready.runs if run.kind == "search"]
    assert [run.status for run in runs] == ["cancelled", "done"]
    assert not any(run.can_resume for run in runs)
    assert (runs[0].folder / "study.db").is_file()
    assert not (runs[1].folder / "study.db").exists()
    for wanted in (True, runs[1].id):
        bundle = ready.train_head(3, models=2, from_search=wanted, **QUICK)
        best = result.best.settings
        assert bundle.heads.config["mode"] == "paper"
        assert bundle.heads.config["sparsity"] == pytest.approx(best["sparsity"])
        assert bundle.heads.config["interval"] == best["interval"]
    with pytest.raises(InputError, match="no search 'x'"):
        ready.train_head(3, from_search="x")
    with pytest.raises(InputError, match="sparse heads alone"):
        ready.train_head(2, from_search=True)
    # Another process that shared the study ended first and has seen less.
    place = runs[1].folder / "search.json"
    less = json.loads(place.read_text()) | {"trials": 1}
    less["best"]["settings"]["interval"] = 99
    other = next(run for run in ready.runs if run.kind == "search").folder
    (other / "search.json").write_text(json.dumps(less))
    bundle = ready.train_head(3, models=2, from_search=True, **QUICK)
    assert bundle.heads.config["interval"] == best["interval"]
    place.write_text("{}")
    with pytest.raises(InputError, match="damaged"):
        ready.train_head(3, from_search=True)


def test_another_search_begins_anew(ready: Project) -> None:
    ready.search(**{**SMALL, "trials": 2}, **SPACE)
    ready.search(**{**SMALL, "trials": 2, "runs": 1}, **SPACE, l1_prox=(0.1, 0.3))
    runs = [run for run in ready.runs if run.kind == "search"]
    assert all((run.folder / "study.db").is_file() for run in runs)
    bundle = ready.train_head(3, models=2, from_search=True, **QUICK)
    assert bundle.heads.config["mode"] == "rigl-l1"
    assert 0.1 <= bundle.heads.config["l1_prox"] <= 0.3
