from __future__ import annotations

import json
import os
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from napari_cellsci.errors import BundleError, InputError, ProjectError
from napari_cellsci.project import (
    Project,
    codes,
    encoder_sources,
    generations,
    head_training,
    models,
    training,
)
from napari_cellsci.project.scoring import SCORE_COLUMNS
from napari_cellsci.representation.encoder import Encoder
from napari_cellsci.tasks import (
    Cancelled,
    CancelToken,
    Checkpoint,
    Event,
    Log,
    Progress,
    Step,
)

SMALL: dict[str, Any] = {
    "steps": 12,
    "batch": 32,
    "latent": 6,
    "filters": (4, 4, 8, 8),
    "hidden": 16,
    "device": "cpu",
}


class Listener:
    def __init__(self, cancel_at: type[Event] | None = None, after: int = 1) -> None:
        self.events: list[Event] = []
        self.token = CancelToken()
        self.cancel_at = cancel_at
        self.after = after

    def __call__(self, event: Event) -> None:
        self.events.append(event)
        if self.cancel_at is not None and len(self.of(self.cancel_at)) == self.after:
            self.token.cancel()

    def of(self, kind: Any) -> list[Any]:
        return [event for event in self.events if isinstance(event, kind)]


def test_scores_have_exactly_the_columns_of_the_table(
    ready: Project, tmp_path: Path
) -> None:
    scores = ready.score()
    assert scores.table.columns.tolist() == SCORE_COLUMNS
    assert ",".join(SCORE_COLUMNS) == (
        "movie,track_id,t,y,x,score,score_sd,probability,prediction,ood"
    )
    assert scores.table.index.tolist() == list(range(len(ready)))
    scores.save_csv(tmp_path / "scores.csv")
    read = pd.read_csv(tmp_path / "scores.csv")
    assert read.columns.tolist() == SCORE_COLUMNS
    np.testing.assert_allclose(read["score"], scores.table["score"])
    assert sum(scores.counts().values()) == len(ready)
    with pytest.raises(ProjectError, match="There is no folder"):
        scores.save_csv(tmp_path / "none" / "scores.csv")


@pytest.mark.parametrize("name", ["scheme2-1", "scheme1-1", "alone"])
def test_scores_are_those_of_the_bundle_on_the_crops(ready: Project, name: str) -> None:
    bundle = ready.bundle(name)
    direct = bundle.predict(ready.crops())
    for source in (name, bundle, ready.path / "models" / name):
        table = ready.score(source).table
        pd.testing.assert_frame_equal(
            table[direct.columns].reset_index(drop=True), direct, atol=1e-5
        )
    one = ready.score(name, member=1)
    assert one.member == 1
    expected = bundle.predict(ready.crops(), member=1)["score"]
    np.testing.assert_allclose(one.table["score"], expected, atol=1e-5)


def test_nothing_is_computed_twice(
    ready: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = {name: ready.score(name) for name in ("scheme2-1", "scheme1-1", "alone")}
    views = np.asarray(ready.latents(views=True))
    latents = ready.latents()

    def refuse(*args: object, **kwargs: object) -> None:
        raise AssertionError("computed again")

    monkeypatch.setattr(Encoder, "encode_batches", refuse)
    monkeypatch.setattr(generations, "cut_into", refuse)
    monkeypatch.setattr(codes, "_see", refuse)
    for name, scores in before.items():
        pd.testing.assert_frame_equal(ready.score(name).table, scores.table)
    np.testing.assert_array_equal(ready.latents(), latents)
    np.testing.assert_array_equal(ready.latents(views=True), views)


def test_latents_are_those_of_the_encoder(ready: Project) -> None:
    encoder = ready.encoder()
    crops = np.asarray(ready.crops())
    np.testing.assert_allclose(ready.latents(), encoder.encode(crops), atol=1e-5)
    views = ready.latents(encoder, views=True)
    assert views.shape == (len(ready), 8, 6)
    np.testing.assert_allclose(
        views[:5], encoder.encode(crops[:5], views=True), atol=1e-5
    )
    np.testing.assert_allclose(views[:, 0], ready.latents("quick-1"), atol=1e-5)


def test_views_of_labelled_cells_are_kept_cell_by_cell(
    ready: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoder = ready.encoder()
    bench = ready._bench
    bench.store.rows("DELETE FROM views")
    first = codes.views_of(bench, encoder, np.array([4, 9]))
    asked: list[int] = []
    encode = Encoder.encode

    def count(self: Encoder, crops: Any, **options: Any) -> Any:
        asked.append(len(crops))
        return encode(self, crops, **options)

    monkeypatch.setattr(Encoder, "encode", count)
    second = codes.views_of(bench, encoder, np.array([9, 2, 4]))
    assert asked == [1]
    np.testing.assert_array_equal(second[[2, 0]], first)
    expected = encode(encoder, np.asarray(ready.crops()[[9, 2, 4]]), views=True)
    np.testing.assert_allclose(second, expected, atol=1e-5)


def test_a_damaged_cache_is_made_again(ready: Project) -> None:
    before = ready.score("scheme2-1").table
    crops = np.asarray(ready.crops())
    for path in [*ready.path.glob("crops/*/*.npy"), *ready.path.glob("latents/*/*")]:
        path.write_bytes(path.read_bytes()[:40])
    pd.testing.assert_frame_equal(ready.score("scheme2-1").table, before)
    np.testing.assert_array_equal(ready.crops(), crops)


def test_training_needs_labels_of_both_classes(project: Project) -> None:
    project.labels.clear_many(range(len(project)))
    with pytest.raises(InputError, match="0 interphase and 0 metaphase"):
        project.train_head(1, models=1)
    project.labels.set(0, "metaphase")
    project.labels.set(1, "interphase")
    with pytest.raises(InputError, match="only 1 interphase and 1 metaphase"):
        project.train_head(1, models=1)
    project.labels.set_many([2, 3], "interphase")
    project.labels.set(4, "metaphase")
    with pytest.raises(InputError, match="one track"):
        project.train_head(1, models=1)
    assert project.bundles == []
    assert not (project.path / "models").exists() or not os.listdir(
        project.path / "models"
    )


def test_labels_of_other_classes_take_no_part(ready: Project) -> None:
    counts = ready.labels.counts()
    assert counts["anaphase"] > 0
    cells = head_training.labelled_cells(ready._bench, ready.labels)
    assert cells.counts == {k: counts[k] for k in ("interphase", "metaphase")}
    assert len(cells.rows) == sum(cells.counts.values())
    names = ready.labels.as_series().loc[cells.rows]
    assert (names == np.array(ready.classes)[cells.y]).all()


def test_heads_need_an_encoder_or_say_so(project: Project) -> None:
    with pytest.raises(InputError, match="no encoder yet: train one first"):
        project.train_head(2, models=1)
    with pytest.raises(InputError, match="There is no scheme 7"):
        project.train_head(7)
    with pytest.raises(InputError, match="no encoder 'best'"):
        project.train_head(2, encoder="best")


@pytest.mark.parametrize(
    "name", ["", "../up", "a/b", ".hidden", "scheme2-1", "shipped"]
)
def test_names_that_cannot_be_used_are_refused(ready: Project, name: str) -> None:
    with pytest.raises(InputError, match="name"):
        ready.train_head(2, models=1, name=name)


def test_names_are_found_or_the_known_ones_said(ready: Project) -> None:
    assert [info.name for info in ready.bundles] == ["alone", "scheme2-1", "scheme1-1"]
    assert [info.name for info in ready.encoders] == ["quick-1"]
    assert ready.bundle().name == "scheme1-1"
    with pytest.raises(InputError, match="it has alone, scheme2-1, scheme1-1"):
        ready.score("best")
    with pytest.raises(InputError, match="it has quick-1"):
        ready.encoder("best")
    second = ready.train_head(2, models=1, min_steps=5, epochs=1, encoder="quick-1")
    assert second.name == "scheme2-2"
    assert second.record["encoder"] == "quick-1"
    assert ready.bundle().hash == second.hash


def test_a_bundle_trained_here_scores_elsewhere(
    ready: Project, made: Path, tmp_path: Path
) -> None:
    shutil.copytree(made, tmp_path / "other")
    with Project.open(tmp_path / "other") as other:
        scores = other.score(ready.path / "models" / "scheme2-1")
        pd.testing.assert_frame_equal(scores.table, ready.score("scheme2-1").table)
        bundle = other.train_head(
            2, models=1, min_steps=5, epochs=1, encoder=ready.bundle("scheme2-1")
        )
        assert bundle.encoder is not None
        assert bundle.encoder.hash == ready.encoder().hash


def test_heads_on_the_shipped_encoder_call_it_by_its_name(ready: Project) -> None:
    bundle = ready.train_head(2, models=1, min_steps=5, epochs=1, encoder="shipped")
    assert bundle.record["encoder"] == "shipped"
    written = ready.add_formula("z0 - z1", encoder="shipped")
    assert written.record["encoder"] == "shipped"


def test_crops_made_another_way_are_cut_again_and_said(
    ready: Project, simulated: Path, tmp_path: Path
) -> None:
    listener = Listener()
    with Project.create(
        tmp_path / "wide",
        image=simulated / "movie.tif",
        tracks=simulated / "tracks.csv",
        fov_um=30,
    ) as wide:
        bundle = ready.bundle("scheme2-1")
        table = wide.score(bundle, on_event=listener).table
        assert any("cut again" in log.message for log in listener.of(Log))
        pd.testing.assert_frame_equal(table, ready.score(bundle).table, atol=1e-5)
        assert len(list((wide.path / "crops").iterdir())) == 2


def test_crops_that_cannot_be_cut_so_are_refused(
    ready: Project, simulated: Path, tmp_path: Path
) -> None:
    bundle = ready.bundle("scheme2-1")
    image = np.zeros((8, 2, 160, 160), np.uint16)
    tracks = simulated / "tracks.csv"
    with Project.create(
        tmp_path / "unknown", image=image[:, 0], tracks=tracks, fov_px=64
    ) as unknown:
        with pytest.raises(BundleError, match=r"21\.3 µm wide, but the pixel size"):
            unknown.score(bundle)
        with pytest.raises(BundleError, match="pixel size"):
            unknown.latents(bundle.encoder)
    with (
        Project.create(
            tmp_path / "two",
            image=image,
            axes="TCYX",
            tracks=tracks,
            pixel_size=0.333,
            channels=(0, 1),
        ) as two,
        pytest.raises(BundleError, match=r"1 channel\(s\).* have 2"),
    ):
        two.score(bundle)


def test_blank_cells_are_scored_blank(
    ready: Project, simulated: Path, tmp_path: Path
) -> None:
    with Project.create(
        tmp_path / "blank",
        image=np.full((8, 160, 160), 7, np.uint8),
        tracks=simulated / "tracks.csv",
        pixel_size=0.333,
    ) as blank:
        table = blank.score(ready.bundle("scheme2-1")).table
        assert (table["prediction"] == "blank").all()
        assert (table["ood"] == 1).all()


def test_a_lost_movie_is_named_but_its_cells_are_still_scored(
    trained: Path, simulated: Path, tmp_path: Path
) -> None:
    shutil.copytree(simulated, tmp_path / "data")
    with Project.create(
        tmp_path / "p",
        image=tmp_path / "data" / "movie.tif",
        tracks=tmp_path / "data" / "tracks.csv",
    ) as project:
        project.labels.import_csv(tmp_path / "data" / "truth.csv")
    (tmp_path / "data" / "movie.tif").rename(tmp_path / "renamed.tif")
    with Project.open(tmp_path / "p") as project, Project.open(trained) as other:
        with pytest.raises(ProjectError, match=r"no longer at .*cellsci relocate"):
            project.movie()
        project.score(other.bundle("scheme2-1"))
        project.train_head(1, models=1, steps=2, epochs=1, folds=1)
        wide = replace(project.spec, fov_um=30.0)
        with pytest.raises(ProjectError, match="no longer at"):
            project.crops(wide)
        with pytest.raises(InputError, match="is not the file that was added"):
            project.relocate_movie("movie", tmp_path / "data" / "labels.tif")
        with pytest.raises(InputError, match="There is no file"):
            project.relocate_movie("movie", tmp_path / "none.tif")
        project.relocate_movie("movie", tmp_path / "renamed.tif")
        assert project.movie().n_frames == 8
        assert len(project.crops(wide)) == len(project)


def test_a_changed_movie_is_named(simulated: Path, tmp_path: Path) -> None:
    image = tmp_path / "movie.tif"
    shutil.copy(simulated / "movie.tif", image)
    Project.create(tmp_path / "p", image=image, tracks=simulated / "tracks.csv").close()
    os.utime(image, (1, 1))
    with Project.open(tmp_path / "p") as project:
        project.movie()
    content = bytearray(image.read_bytes())
    content[len(content) // 2] ^= 1
    image.write_bytes(bytes(content))
    with (
        Project.open(tmp_path / "p") as project,
        pytest.raises(ProjectError, match="has changed since it was added"),
    ):
        project.movie()


def test_project_and_movie_can_move_together(simulated: Path, tmp_path: Path) -> None:
    home = tmp_path / "lab"
    home.mkdir()
    shutil.copy(simulated / "movie.tif", home / "movie.tif")
    Project.create(
        home / "p", image=home / "movie.tif", tracks=simulated / "tracks.csv"
    ).close()
    home.rename(tmp_path / "backup")
    with Project.open(tmp_path / "backup" / "p") as project:
        assert project.movie().path == tmp_path / "backup" / "p" / ".." / "movie.tif"


def test_runs_are_recorded(ready: Project) -> None:
    runs = ready.runs
    assert [run.kind for run in runs] == ["heads", "encoder", "heads", "heads"]
    assert {run.status for run in runs} == {"done"}
    encoder = runs[1]
    config = json.loads((encoder.folder / "config.json").read_text(encoding="utf-8"))
    assert config == dict(encoder.config)
    assert config["config"]["steps"] == 12
    assert {"torch", "numpy", "python", "napari-cellsci"} <= set(config["versions"])
    assert config["data"]["n_cells"] == len(ready)
    lines = (encoder.folder / "events.jsonl").read_text(encoding="utf-8").splitlines()
    events = [json.loads(line) for line in lines]
    assert {"Log", "Step", "Checkpoint", "Done"} <= {e["event"] for e in events}
    assert not encoder.can_resume


def test_a_cancelled_training_keeps_its_checkpoint_and_goes_on(
    project: Project,
) -> None:
    settings = {**SMALL, "log_every": 1, "checkpoint_every": 3}
    whole = project.train_encoder("quick", name="whole", **settings)
    listener = Listener(cancel_at=Step, after=5)
    with pytest.raises(Cancelled):
        project.train_encoder(
            "quick", name="cut", on_event=listener, token=listener.token, **settings
        )
    run = project.runs[-1]
    assert (run.status, run.can_resume) == ("cancelled", True)
    assert listener.of(Checkpoint)
    assert [info.name for info in project.encoders] == ["whole"]
    resumed = project.train_encoder(resume=True)
    assert resumed.hash == whole.hash
    assert [info.name for info in project.encoders] == ["whole", "cut"]
    assert project.runs[-1].status == "done"
    with pytest.raises(InputError, match="cannot be resumed"):
        project.train_encoder(resume=run.id)
    with pytest.raises(InputError, match="There is no run 'x'"):
        project.train_encoder(resume="x")
    with pytest.raises(InputError, match="There is no run 'last'"):
        project.train_encoder(resume=True)


def test_a_run_cancelled_before_its_first_step_starts_again(project: Project) -> None:
    token = CancelToken()
    token.cancel()
    with pytest.raises(Cancelled):
        project.train_encoder("quick", token=token, **SMALL)
    (project.runs[-1].folder / "checkpoint.json").unlink(missing_ok=True)
    assert project.train_encoder(resume="last").config.steps == 12


def test_a_run_of_other_cells_is_not_resumed(project: Project, simulated: Path) -> None:
    listener = Listener(cancel_at=Step)
    with pytest.raises(Cancelled):
        project.train_encoder("quick", on_event=listener, token=listener.token, **SMALL)
    project.add_movie(simulated / "movie.tif", simulated / "tracks.csv")
    with pytest.raises(InputError, match="started with other data"):
        project.train_encoder(resume="last")
    assert project.runs[-1].status == "failed"
    assert "other data" in (project.runs[-1].message or "")


def test_a_run_whose_process_died_counts_as_interrupted(ready: Project) -> None:
    with ready._bench.store.transaction() as inside:
        inside.execute(
            "UPDATE runs SET status = 'running', pid = 999999999 WHERE kind = 'encoder'"
        )
    assert [run.status for run in ready.runs][1] == "interrupted"


def test_a_failure_is_recorded_and_leaves_no_model(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    def explode(*args: object, **kwargs: object) -> None:
        raise RuntimeError("CUDA out of memory")

    monkeypatch.setattr(training, "train", explode)
    with pytest.raises(RuntimeError):
        project.train_encoder("quick", **SMALL)
    assert project.runs[-1].status == "failed"
    assert "too little memory" in str(project.runs[-1].message)
    assert project.encoders == []


def test_a_full_disk_at_the_end_leaves_no_half_made_model(
    ready: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    import errno

    def full(*args: object, **kwargs: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(models.os, "rename", full)
    with pytest.raises(ProjectError, match="is full"):
        ready.train_head(2, models=1, min_steps=5, epochs=1, name="late")
    monkeypatch.undo()
    assert "late" not in [info.name for info in ready.bundles]
    assert not any("late" in name for name in os.listdir(ready.path / "models"))
    assert ready.runs[-1].status == "failed"


@pytest.mark.parametrize("kind", [Progress, Step, Log])
def test_cancelling_heads_and_scores_leaves_the_project_usable(
    ready: Project, kind: type[Event]
) -> None:
    for work in (
        lambda **k: ready.train_head(2, models=1, min_steps=5, epochs=1, **k),
        lambda **k: ready.crops(replace(ready.spec, fov_um=25.0), **k),
        lambda **k: ready.score("alone", **k),
    ):
        listener = Listener(cancel_at=kind)
        try:
            work(on_event=listener, token=listener.token)
        except Cancelled:
            assert listener.of(kind)
        assert list(ready.path.rglob(".tmp-*")) == []
    assert len(ready.score("alone").table) == len(ready)


def test_start_from_keeps_what_latents_mean(ready: Project) -> None:
    settings = {"steps": 1, "batch": 32}
    first = ready.train_encoder("quick", symmetry=2.0, focus=0.5, **settings)
    again = ready.train_encoder("quick", start_from=first, **settings)
    assert (again.config.symmetry, again.config.focus) == (2.0, 0.5)
    free = ready.train_encoder("quick", start_from=first, symmetry=0.0, **settings)
    assert (free.config.symmetry, free.config.focus) == (0.0, 0.5)


def test_start_from_takes_weights_over(ready: Project) -> None:
    first = ready.encoder()
    again = ready.train_encoder("quick", steps=1, batch=32, start_from="quick-1")
    assert again.config.architecture == first.config.architecture
    assert again.record["started_from"] == first.hash
    bundle = ready.path / "models" / "scheme2-1"
    folder = ready.path / "encoders" / "quick-1"
    for source in (bundle, str(folder), "scheme2-1", ready.bundle("scheme2-1"), first):
        found = encoder_sources.find_encoder(ready._bench, source)
        assert found is not None
        assert found.hash == first.hash
    with pytest.raises(InputError, match="has no encoder"):
        ready.train_encoder("quick", start_from="alone")


def test_settings_that_make_no_sense_are_refused(project: Project) -> None:
    with pytest.raises(InputError, match="no preset 'best'"):
        project.train_encoder("best")
    with pytest.raises(InputError, match="no setting called 'stepz'"):
        project.train_encoder("quick", stepz=3)
    with pytest.raises(InputError):
        project.train_encoder("quick", steps=0)
    assert project.runs == []


def test_orphans_of_a_crash_are_collected(ready: Project) -> None:
    strays = [
        ready.path / "crops" / "abc" / "1-movie.npy",
        ready.path / "models" / "half" / "model.json",
        ready.path / "encoders" / "half" / "model.json",
    ]
    for stray in strays:
        stray.parent.mkdir(parents=True)
        stray.write_text("x", encoding="utf-8")
    info = ready.info()
    ready.close()
    with Project.open(ready.path) as again:
        assert not any(stray.exists() for stray in strays)
        assert again.info() == info
        again.score("scheme2-1")


def test_info_is_json(ready: Project) -> None:
    info = json.loads(json.dumps(ready.info()))
    assert info["cells"] == len(ready)
    assert info["labels"]["metaphase"] > 0
    assert [bundle["scheme"] for bundle in info["bundles"]] == [1, 2, 1]


def test_the_project_reads_as_documented(ready: Project) -> None:
    ready.labels.set((1, 0), "metaphase")
    assert ready.labels.get((1, 0)) == "metaphase"
    assert len(ready.cells) == len(ready)
    with pytest.raises(InputError, match="is not a class of this project"):
        ready.labels.set((1, 0), "metafase")


def test_a_name_taken_meanwhile_is_changed(ready: Project) -> None:
    bundle = ready.bundle("scheme2-1")
    kept = models.add_bundle(ready._bench, bundle)
    assert kept.name == "scheme2-1-1"
    assert ready.bundle("scheme2-1-1").heads.report == bundle.heads.report
    name = models.add_encoder(ready._bench, "quick-1", ready.encoder())
    assert name == "quick-1-1"
    assert [info.name for info in ready.encoders] == ["quick-1", "quick-1-1"]
