from __future__ import annotations

import json

import numpy as np
import pytest
from typer.testing import CliRunner

from napari_cellsci.cli.app import app
from napari_cellsci.heads.live import train_live
from napari_cellsci.project import Project
from napari_cellsci.project.labelling import pool_of

LATENTS = np.zeros((0, 4), np.float32)


def test_live_heads_learn_judge_unseen_tracks_and_draw_a_curve() -> None:
    rng = np.random.default_rng(0)
    y = np.arange(90) % 3
    z = rng.normal(0, 0.4, (90, 5)).astype(np.float32)
    z[np.arange(90), y] += 3
    y[7] = 2  # wrong: it looks like a 1
    made = train_live(z, y, np.arange(90) // 2, 3, models=3, steps=120)
    assert made.heads.n_members == 3
    assert made.unseen.shape == (90, 3)
    np.testing.assert_allclose(made.unseen.sum(1), 1)
    assert made.unseen[7].argmax() == 1
    assert [p.labels for p in made.curve] == [22, 45, 90]
    assert made.curve[-1].accuracy > 0.9
    assert all(p.low <= p.accuracy <= p.high for p in made.curve)


def test_without_labels_the_queue_is_varied(ready: Project) -> None:
    ready.labels.clear_many(ready.labels.as_series().index)
    live = ready.learn(n=10)
    assert live.bundle is None
    assert live.scores is None
    assert "label two cells of interphase and of metaphase" in live.sentence
    assert len({pick.row for pick in live.queue}) == 10


def test_learning_scores_queues_and_checks(ready: Project) -> None:
    labels = ready.labels
    some = labels.as_series()
    metaphase = some.index[some == "metaphase"]
    labels.clear_many(some.index[some == "interphase"][40:])
    live = ready.learn(n=6, skipped=[int(metaphase[0])])
    assert live.classes == ("interphase", "metaphase")
    assert live.scores is not None
    assert len(live.scores.table) == len(ready)
    assert not {p.row for p in live.queue} & set(labels.as_series().index)
    assert "metaphase" in live.sentence or "labels" in live.sentence
    assert [b.name for b in ready.bundles if b.name == "live"] == []
    table = ready.suggest(5)
    assert table.columns.tolist() == [
        *("movie", "track_id", "t", "minutes", "guess", "reason")
    ]
    assert table["reason"].str.len().min() > 0
    events = ready.events(live.scores)
    assert set(events["class"]) <= {"metaphase"}
    assert (events["minutes_least"] <= events["minutes_most"]).all()


def test_cells_of_a_class_kept_but_not_taught_count_as_labelled(
    project: Project,
) -> None:
    labels = project.labels
    before = pool_of(project._bench, labels, LATENTS, None, labels.names[:2], ())
    row = int(np.flatnonzero(before.labels == 0)[0])
    labels.set(row, "anaphase")
    after = pool_of(project._bench, labels, LATENTS, None, labels.names[:2], ())
    assert after.labels[row] == 2
    assert (after.labels == 0).sum() == (before.labels == 0).sum() - 1


def test_verbs_of_labels(ready: Project) -> None:
    run, folder = CliRunner().invoke, str(ready.path)
    ready.labels.rename_class("metaphase", "mitosis")
    n = len(ready.labels)
    csv = ready.path.parent / "out.csv"
    assert (
        f"{n} labels written" in run(app, ["labels", "export", folder, str(csv)]).stdout
    )
    said = run(app, ["labels", "history", folder]).stdout
    assert "class metaphase renamed to mitosis" in said
    undone = json.loads(
        run(app, ["labels", "undo", folder, "-n", "5", "--json"]).stdout
    )
    assert len(undone["actions"]) == 2  # the rename and the import; the import last
    assert sum(undone["labels"].values()) == 0
    nothing = run(app, ["labels", "undo", folder]).stdout
    assert "has done nothing here that could be undone" in nothing
    assert run(app, ["labels", "redo", folder, "-n", "2"]).exit_code == 0
    ready.labels.refresh()
    assert ready.labels.counts()["mitosis"] > 0
    assert run(app, ["labels", "agreement", folder, "a", "b"]).exit_code == 2


def test_suggest_prints_cells_with_reasons(ready: Project) -> None:
    every = CliRunner().invoke(app, ["suggest", str(ready.path)]).stdout
    assert "Every cell has a label" in every
    ready.labels.clear_many(ready.labels.as_series().index[::2])
    done = CliRunner().invoke(app, ["suggest", str(ready.path), "-n", "3", "--json"])
    assert done.exit_code == 0
    cells = json.loads(done.stdout)["cells"]
    assert len(cells) == 3
    assert all(cell["reason"] for cell in cells)


@pytest.mark.parametrize("n", [0, -3])
def test_suggest_wants_a_number_of_cells(ready: Project, n: int) -> None:
    done = CliRunner().invoke(app, ["suggest", str(ready.path), "-n", str(n)])
    assert done.exit_code == 2


def test_two_annotators_are_compared_from_the_command_line(ready: Project) -> None:
    run, folder = CliRunner().invoke, str(ready.path)
    csv = ready.path.parent / "bob.csv"
    run(app, ["labels", "export", folder, str(csv)])
    text = csv.read_text().replace("metaphase", "interphase", 1)
    csv.write_text(text)
    done = run(app, ["import-labels", folder, str(csv), "--annotator", "bob"])
    assert done.exit_code == 0
    said = run(app, ["labels", "agreement", folder, ready.labels.who, "bob", "--json"])
    found = json.loads(said.stdout)
    assert found["cells"] == len(ready.labels)
    assert len(found["disputed"]) == 1
    assert 0.9 < found["kappa"] < 1
    assert ready.labels.refresh()
    undone = run(app, ["labels", "undo", folder, "--annotator", "bob", "--json"])
    assert len(json.loads(undone.stdout)["actions"]) == 1
