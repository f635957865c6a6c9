"""Attacks on the cells of a project, and what they say of its classifiers."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tifffile
import torch

from napari_cellsci.errors import InputError
from napari_cellsci.explain.robustness import IMAGE_STEPS
from napari_cellsci.project import Project
from napari_cellsci.project.attack_plan import KINDS, AttackPlan
from napari_cellsci.project.robustness_values import LIKE_NOTHING, evidence_in_words
from napari_cellsci.representation.atlas import LatentAtlas, LatentInfo


def names_of(project: Project) -> dict[int, str]:
    return {info.scheme: info.name for info in project.bundles}


def test_an_attack_tells_of_every_cell_what_became_of_it(ready: Project) -> None:
    dense = names_of(ready)[2]
    done = ready.attack(dense, epsilon=0.3, cells="all")
    table = done.table
    assert len(table) == len(ready)
    scores = ready.score(dense).table
    np.testing.assert_allclose(table["score_before"], scores["score"], atol=1e-4)
    known = table[table["label"].isin(ready.classes)]
    way = np.where(known["label"] == ready.classes[1], 1, -1)
    assert ((known["score_after"] - known["score_before"]) * way <= 1e-4).all()
    assert (table["gradient"] == "ok").all()
    crops = ready.crops()[done.rows]
    grey = 0.3 * crops.std(axis=(2, 3))[:, 0]
    np.testing.assert_allclose(table["epsilon_grey"], grey, rtol=1e-4)
    assert np.abs(done.delta()).max() <= 0.3
    # Encoding what was attacked gives the latents and the score that are told.
    bundle = done.bundle
    assert bundle.encoder is not None
    moved = bundle.encoder.normalise(crops) + torch.from_numpy(done.delta())
    z = bundle.encoder.latent_mean(moved).numpy()
    assert done.after is not None
    np.testing.assert_allclose(z, done.after, atol=1e-4)
    f = bundle.heads.scores(z).mean(0)[:, 0]
    np.testing.assert_allclose(f, table["score_after"], atol=1e-3)
    summary = done.summary()
    assert summary["cells"] == len(table)
    assert summary["flipped"] == len(done.flips)
    assert summary["accuracy_after"] <= summary["accuracy_before"]
    assert 0 < summary["noise"] < 1
    assert 0 <= summary["energy_on_cell"] <= 1


@pytest.mark.parametrize("kind", [k for k in KINDS if k != "fgsm-neighbourhood"])
@pytest.mark.parametrize("scheme", [1, 2])
def test_every_kind_of_attack_works_on_what_it_can(
    ready: Project, kind: str, scheme: int
) -> None:
    name, rows = names_of(ready)[scheme], [0, 3, 20]
    if scheme == 1 and "image" not in kind and kind != "minimal":
        with pytest.raises(InputError, match="read crops"):
            ready.attack(name, kind=kind, cells=rows)  # type: ignore[arg-type]
        return
    done = ready.attack(name, kind=kind, cells=rows, member=1, steps=3)  # type: ignore[arg-type]
    assert done.rows.tolist() == rows
    assert done.plan.member == 1
    assert done.pixels().shape == (3, 1, 64, 64)
    scores = ready.score(name, member=1).table
    np.testing.assert_allclose(
        done.table["score_before"], scores["score"].loc[rows], atol=1e-4
    )
    flipped = done.table["flipped"].to_numpy()
    groups = done.smallest()
    assert sum(map(len, groups)) == (3 if kind.startswith("minimal") else 0)
    assert sum(one.changed for one in groups) == done.table["epsilon"].notna().sum() * (
        kind.startswith("minimal")
    )
    if kind.startswith("minimal"):
        assert (np.isfinite(done.table["epsilon"]) == flipped).all()
    summary = done.summary()
    assert summary["kind"] == kind
    assert {k: v["changed"] for k, v in (summary["minimal_epsilon"] or {}).items()} == {
        group.start: group.changed for group in groups
    }


def test_cells_classes_and_latents_are_chosen_by_words(ready: Project) -> None:
    dense = names_of(ready)[2]
    labelled = ready.labels.as_series()
    assert ready.attack(dense).rows.tolist() == sorted(labelled.index)
    some = ready.attack(dense, cells=ready.classes[1])
    assert (some.table["label"] == ready.classes[1]).all()
    track = int(ready.cells["track_id"].iloc[0])
    of_track = ready.attack(dense, cells=f"track {track}").table
    assert (of_track["track_id"] == track).all()
    assert ready.attack(dense, cells="5,2").rows.tolist() == [2, 5]
    up = ready.attack(dense, cells="all", epsilon=0.2, towards=ready.classes[1]).table
    assert (up["score_after"] >= up["score_before"] - 1e-4).all()
    one = ready.attack(dense, kind="fgsm-latent", latents=["z3", 1], cells=[4])
    assert set(np.flatnonzero(one.delta()[0])) <= {1, 3}
    for wrong, words in (
        ({"cells": "nonsense"}, "No cells are meant"),
        ({"cells": [len(ready)]}, "has the cells 0 to"),
        ({"cells": []}, "no cells to attack"),
        ({"towards": "sleeping"}, "knows no class"),
        ({"kind": "strong"}, "There is no attack"),
        ({"epsilon": -1.0}, "0 or more"),
        ({"kind": "fgsm-latent", "latents": [99]}, "no latent z99"),
        ({"latents": [1]}, "Only attacks on latents"),
        ({"member": 9}, "no head 9"),
    ):
        with pytest.raises(InputError, match=words):
            ready.attack(dense, **wrong)  # type: ignore[arg-type]


def test_latents_are_meant_by_number_name_or_category() -> None:
    infos = [
        LatentInfo(
            index=d, kl=1.0, variance=1.0, active=d != 3, category=category, name=name
        )
        for d, (category, name) in enumerate(
            (
                ("morphology", "size"),
                ("position", "offset in x"),
                ("neighbourhood", None),
                ("inactive", None),
            )
        )
    ]
    atlas = LatentAtlas("0" * 12, tuple(infos))  # type: ignore[arg-type]
    around = AttackPlan(kind="fgsm-neighbourhood")
    assert around.wants_atlas
    assert around.mask(4, atlas).tolist() == [False, True, True, False]  # type: ignore[union-attr]
    for chosen, expected in (
        (("size",), [0]),
        (("morphology", "z2"), [0, 2]),
        ((3, "position"), [1, 3]),
    ):
        plan = AttackPlan(kind="pgd-latent", latents=chosen)
        mask = plan.mask(4, atlas)
        assert mask is not None
        assert np.flatnonzero(mask).tolist() == expected
    with pytest.raises(InputError, match="No latent is called 'beauty'"):
        AttackPlan(kind="fgsm-latent", latents=("beauty",)).mask(4, atlas)
    own = LatentAtlas("0" * 12, tuple(infos[:1]))  # type: ignore[arg-type]
    with pytest.raises(InputError, match="nothing to attack but"):
        around.mask(1, own)


def test_the_attacked_movie_is_the_movie_but_for_the_crops(
    ready: Project, tmp_path: Path
) -> None:
    dense = names_of(ready)[2]
    rows = np.flatnonzero(ready.cells["t"].to_numpy() <= 2)
    done = ready.attack(dense, epsilon=0.5, cells=rows)
    shown = ready.attacked_movie(done)
    movie = ready.movie()
    assert shown.shape == (movie.n_frames, 1, *movie.shape)
    for t in range(movie.n_frames):
        original = movie.frame(t).astype(np.float32)
        np.testing.assert_array_equal(shown.frame(t, 0.0), original)
        changed = shown.frame(t) != original
        assert changed.any() == (t <= 2)
        near = np.zeros(movie.shape, bool)
        here = ready.cells[ready.cells["t"] == t]
        for y, x in here[["y", "x"]].round().astype(int).to_numpy():
            near[max(y - 33, 0) : y + 33, max(x - 33, 0) : x + 33] = True
        assert not changed[0][~near].any()
    where, score, decided = shown.recut()
    assert sorted(where) == list(range(len(rows)))
    assert set(decided) <= {0, 1}
    _, plain, _ = shown.recut(factor=0.0)
    table = done.table.iloc[where]
    np.testing.assert_allclose(plain, table["score_before"], atol=2e-3)
    # Blended back, the attack still pushes the same way.
    told = table["score_after"].to_numpy() - table["score_before"].to_numpy()
    assert np.corrcoef(score - plain, told)[0, 1] > 0.5
    written = ready.save_attack(done, tmp_path / "out")
    names = {path.name for path in written}
    assert names == {
        *("attack.csv", "attack.json", "attack.npz"),
        *("attack.tif", "attack_difference.tif"),
    }
    stack = tifffile.imread(tmp_path / "out" / "attack.tif")
    np.testing.assert_array_equal(stack[1], shown.frame(1)[0])
    table = pd.read_csv(tmp_path / "out" / "attack.csv", index_col="cell")
    assert table.index.tolist() == rows.tolist()
    values = json.loads((tmp_path / "out" / "attack.json").read_text("utf-8"))
    assert len(values["table"]) == len(rows)
    with np.load(tmp_path / "out" / "attack.npz", allow_pickle=False) as arrays:
        np.testing.assert_array_equal(arrays["perturbation"], done.delta())
    with pytest.raises(InputError, match="not as"):
        ready.save_attack(done, tmp_path / "attack.doc")


def test_classifiers_are_held_against_attacks_side_by_side(ready: Project) -> None:
    found = ready.robustness(most=24)
    assert [model.scheme for model in found.models] == [1, 2]
    assert sum(found.cells.values()) <= 24
    for model in found.models:
        curve = model.curves["image"]
        assert curve.epsilons == IMAGE_STEPS
        assert curve.accuracy.shape == (model.models, len(IMAGE_STEPS))
        assert curve.mean[-1] <= curve.mean[0]
        assert [check.key for check in model.verdict.checks] == [
            *("central", "pixels", "views", "blank")
        ]
        blank = model.verdict.checks[-1]
        assert blank.standing == "pass"
        assert "flagged as blank" in blank.sentence
        assert set(model.smallest) == set(ready.classes)
    assert "latent" in found.models[1].curves
    assert "latent" not in found.models[0].curves
    values = found.to_dict()
    json.dumps(values, allow_nan=False)
    table = found.table()
    image = table[
        (table["bundle"] == found.models[0].bundle) & (table["attack"] == "image")
    ]
    np.testing.assert_allclose(image["accuracy"], found.models[0].curves["image"].mean)


def test_a_curve_is_the_accuracy_of_heads_attacked_one_by_one(ready: Project) -> None:
    dense, labelled = names_of(ready)[2], ready.labels.as_series()
    rows = [
        int(row)
        for name in ready.classes
        for row in labelled.index[labelled == name][:10]
    ]
    (model,) = ready.robustness([dense], cells=rows, most=24).models
    image = model.curves["image"]
    for epsilon in (0.0, 0.2):
        accuracy = [
            ready.attack(dense, cells=rows, member=k, epsilon=epsilon).summary()[
                "accuracy_after"
            ]
            for k in range(model.models)
        ]
        place = image.epsilons.index(epsilon)
        np.testing.assert_allclose(image.accuracy[:, place], accuracy)


def test_a_failing_picture_is_shown_to_every_classifier(ready: Project) -> None:
    found = ready.failure_modes(3)
    assert next(iter(found.crops)) == "original"
    assert set(found.answers) == set(names_of(ready).values())
    for answers in found.answers.values():
        assert set(answers) == set(found.crops)
        assert answers["blank"].prediction == "blank"
        assert answers["blank"].flagged
        assert all(np.isfinite(answer.score) for answer in answers.values())
        assert not answers["original"].deciding
    dense = found.answers[names_of(ready)[2]]
    assert any(answer.deciding for answer in dense.values())
    assert not any(answer.through for answer in dense.values())
    json.dumps(found.to_dict(), allow_nan=False)
    scores = ready.score(names_of(ready)[2]).table
    assert dense["original"].score == pytest.approx(scores["score"].loc[3], abs=1e-4)
    with pytest.raises(InputError, match="has the cells"):
        ready.failure_modes(len(ready))


def test_small_heads_tell_by_which_path_or_term_a_failure_decides(
    ready: Project,
) -> None:
    ready.train_head(3, 2, mode="paper", min_steps=40, epochs=1, name="sparse")
    ready.add_formula("2*z0 - 3*z1 + 0.5", name="formula")
    found = ready.failure_modes(3, ["sparse", "formula"])
    for name, begins in (("sparse", "the path z"), ("formula", "the term ")):
        answers = found.answers[name]
        assert not answers["original"].through
        said = [answer.through for answer in answers.values() if answer.through]
        assert said
        assert all(one.startswith(begins) for one in said)
    # The term is the one whose change is the largest.
    z, blank = found.codes["formula"]["original"], found.codes["formula"]["blank"]
    changes = {"2 · ": 2 * (blank[0] - z[0]), "−3 · ": -3 * (blank[1] - z[1])}
    most = max(changes, key=lambda term: abs(changes[term]))
    assert f"the term {most}" in found.answers["formula"]["blank"].through
    assert f"({changes[most]:+.1f})" in found.answers["formula"]["blank"].through


def test_the_smallest_change_on_the_way_to_a_class_is_one_that_gets_there(
    ready: Project,
) -> None:
    ready.add_formula("0*z0 - 1", name="never")  # always the first class
    table = ready.attack(
        "never", kind="minimal-latent", cells="all", towards=ready.classes[1]
    ).table
    assert table["epsilon"].isna().all()
    assert not table["flipped"].any()


def test_verdicts_tell_where_and_what_the_score_looks_like(ready: Project) -> None:
    model = next(m for m in ready.robustness(most=24).models if m.scheme == 2)
    said = evidence_in_words(model)
    assert f"{model.findings.energy:.0%} of what moves its score" in said
    alike = replace(model, alike={"size z2": -0.4, "z1": 0.2, "z3": LIKE_NOTHING / 2})
    assert "looks most like less size z2 (cosine -0.40) and more z1" in (
        evidence_in_words(alike)
    )
    unlike = replace(model, alike={"size z2": 0.01})
    assert "looks like no latent (cosines up to 0.01)" in evidence_in_words(unlike)
    assert "latent" not in evidence_in_words(replace(model, alike={}))
